/*
 * Ancestors by one recursive query each, and a hash table of the answers. See parents.h.
 */
#include "store/parents.h"

#include "base/arena.h"
#include "store/connection.h"

#include <stdlib.h>
#include <string.h>

enum {
    SLOTS = 8192,       /* a power of two */
    ENTRIES_MAX = 4096, /* the national communes are 350; when full, all is forgotten */
    DEPTH_MAX = 16,     /* levels: also what ends a circle of parents */
    KEY_MAX = 1024,     /* names of a table and its columns, a level and a code */
    SQL_MAX = 4096      /* names again, several times */
};

#define MEMORY_MAX ((size_t)8 * 1024 * 1024)

struct answer {
    const char *key; /* NULL: free */
    const char *found;
};

struct relais_parents {
    relais_store *store;
    relais_arena *arena;
    relais_params params;
    size_t count;
    struct answer slots[SLOTS];
};

relais_parents *relais_parents_create(relais_store *store)
{
    relais_parents *parents = calloc(1, sizeof *parents);

    if (parents == NULL)
        return NULL;
    parents->store = store;
    relais_params_init(&parents->params);
    parents->arena = relais_arena_create(MEMORY_MAX);
    if (parents->arena == NULL) {
        free(parents);
        return NULL;
    }
    return parents;
}

void relais_parents_destroy(relais_parents *parents)
{
    if (parents == NULL)
        return;
    relais_params_free(&parents->params);
    relais_arena_destroy(parents->arena);
    free(parents);
}

void relais_parents_forget(relais_parents *parents)
{
    relais_arena_reset(parents->arena);
    memset(parents->slots, 0, sizeof parents->slots);
    parents->count = 0;
}

/* ---- The kept answers ---- */

static bool make_key(const relais_hierarchy *h, const char *value, const char *level,
                     char key[KEY_MAX])
{
    int length = snprintf(key, KEY_MAX, "%s\n%s\n%s\n%s\n%s\n%s", h->table, h->column, h->parent,
                          h->level, level, value);

    return length > 0 && length < KEY_MAX;
}

/* The slot that holds the key, or the free one where it belongs. */
static struct answer *find_slot(relais_parents *parents, const char *key)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    size_t slot;

    for (const char *p = key; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    slot = (size_t)(hash ^ (hash >> 32)) & (SLOTS - 1);
    while (parents->slots[slot].key != NULL && strcmp(parents->slots[slot].key, key) != 0)
        slot = (slot + 1) & (SLOTS - 1);
    return &parents->slots[slot];
}

static bool keep(relais_parents *parents, const char *key, const char *found, const char **out,
                 relais_error *err)
{
    struct answer *answer;

    if (parents->count == ENTRIES_MAX)
        relais_parents_forget(parents);
    answer = find_slot(parents, key);
    answer->found = relais_arena_text(parents->arena, found);
    answer->key = answer->found == NULL ? NULL : relais_arena_text(parents->arena, key);
    if (answer->key == NULL)
        return relais_arena_error(parents->arena, err);
    parents->count++;
    *out = answer->found;
    return true;
}

/* ---- The question ---- */

static void append_columns(relais_buffer *sql, const relais_hierarchy *h)
{
    const char *const names[] = {h->column, h->parent, h->level};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        relais_buffer_append_text(sql, "t.");
        relais_sql_identifier(sql, names[i]);
        relais_buffer_append_text(sql, "::text, ");
    }
}

static void append_source(relais_buffer *sql, const relais_hierarchy *h)
{
    relais_sql_table(sql, h->table);
    relais_buffer_append_text(sql, " t");
}

static void append_code(relais_buffer *sql, const relais_hierarchy *h)
{
    relais_buffer_append_text(sql, "t.");
    relais_sql_identifier(sql, h->column);
    relais_buffer_append_text(sql, "::text = ");
}

static void write_question(relais_buffer *sql, const relais_hierarchy *h)
{
    relais_buffer_append_text(sql, "WITH RECURSIVE up (code, parent, level, step) AS (SELECT ");
    append_columns(sql, h);
    relais_buffer_append_text(sql, "1 FROM ");
    append_source(sql, h);
    relais_buffer_append_text(sql, " WHERE ");
    append_code(sql, h);
    relais_buffer_append_text(sql, "$1 UNION ALL SELECT ");
    append_columns(sql, h);
    relais_buffer_append_text(sql, "up.step + 1 FROM up JOIN ");
    append_source(sql, h);
    relais_buffer_append_text(sql, " ON ");
    append_code(sql, h);
    relais_buffer_append_format(sql,
                                "up.parent WHERE up.step < %d)"
                                " SELECT code FROM up WHERE level = $2 ORDER BY step LIMIT 1",
                                DEPTH_MAX);
}

static bool ask(relais_parents *parents, const relais_hierarchy *hierarchy, const char *value,
                const char *level, PGresult **out, relais_error *err)
{
    relais_buffer sql;
    bool ok;

    relais_buffer_init(&sql, SQL_MAX);
    write_question(&sql, hierarchy);
    relais_params_reset(&parents->params);
    relais_params_text(&parents->params, value);
    relais_params_text(&parents->params, level);
    ok = relais_buffer_check(&sql, "the statement of a hierarchy", err) &&
         relais_pg_call(parents->store, sql.data, &parents->params, out, err);
    relais_buffer_free(&sql);
    return ok;
}

bool relais_parents_find(relais_parents *parents, const relais_hierarchy *hierarchy,
                         const char *value, const char *level, const char **out, relais_error *err)
{
    char key[KEY_MAX];
    const struct answer *kept;
    PGresult *rows;
    bool ok = true;

    *out = "";
    if (!make_key(hierarchy, value, level, key))
        return true; /* no code is as long as that */
    kept = find_slot(parents, key);
    if (kept->key != NULL) {
        *out = kept->found;
        return true;
    }
    if (!ask(parents, hierarchy, value, level, &rows, err))
        return false;
    if (PQntuples(rows) > 0)
        ok = keep(parents, key, PQgetvalue(rows, 0, 0), out, err);
    PQclear(rows);
    return ok;
}
