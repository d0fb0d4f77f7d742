/*
 * Code lists in hash sets. See lists.h.
 */
#include "store/lists.h"

#include "base/arena.h"
#include "store/connection.h"

#include <stdlib.h>
#include <string.h>

/* The longest national list, the communes and villages, has some ten thousand entries. */
#define LIST_ENTRIES_MAX 50000
#define LISTS_MEMORY_MAX ((size_t)16 * 1024 * 1024)
#define LIST_SQL_MAX     4096

enum { LISTS_MAX = 256, SLOTS_MIN = 64 };

struct list {
    const char *key;    /* table, column and filter, to find the list again */
    bool is_kept;       /* false: too long, every value is asked */
    const char **slots; /* open addressing; NULL = free */
    size_t slot_count;  /* a power of two, at least twice the entries */
    size_t entries;
};

struct relais_lists {
    relais_store *store;
    relais_arena *arena;
    relais_params params;
    struct list list[LISTS_MAX];
    size_t count;
};

/* One question: the list's identity and, for a single value, the value. */
struct question {
    const char *table, *column, *filter_column, *filter_value;
};

relais_lists *relais_lists_create(relais_store *store)
{
    relais_lists *lists = calloc(1, sizeof *lists);

    if (lists == NULL)
        return NULL;
    lists->store = store;
    relais_params_init(&lists->params);
    lists->arena = relais_arena_create(LISTS_MEMORY_MAX);
    if (lists->arena == NULL) {
        free(lists);
        return NULL;
    }
    return lists;
}

void relais_lists_destroy(relais_lists *lists)
{
    if (lists == NULL)
        return;
    relais_params_free(&lists->params);
    relais_arena_destroy(lists->arena);
    free(lists);
}

void relais_lists_forget(relais_lists *lists)
{
    relais_arena_reset(lists->arena);
    lists->count = 0;
}

static size_t hash_value(const char *value)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */

    for (; *value != '\0'; value++)
        hash = (hash ^ (unsigned char)*value) * 1099511628211u;
    return (size_t)(hash ^ (hash >> 32));
}

/* The slot that holds the value, or the free one where it belongs. */
static size_t find_slot(const struct list *list, const char *value)
{
    size_t slot = hash_value(value) & (list->slot_count - 1);

    while (list->slots[slot] != NULL && strcmp(list->slots[slot], value) != 0)
        slot = (slot + 1) & (list->slot_count - 1);
    return slot;
}

static bool add_value(relais_lists *lists, struct list *list, const char *value)
{
    size_t slot = find_slot(list, value);

    if (list->slots[slot] != NULL || (list->entries + 1) * 2 > list->slot_count)
        return true; /* is there, or a late addition that has no room and will be asked */
    list->slots[slot] = relais_arena_text(lists->arena, value);
    list->entries++;
    return list->slots[slot] != NULL;
}

/* " FROM table WHERE filter = $1", the part that both statements share. */
static void append_source(relais_buffer *sql, const struct question *q)
{
    relais_buffer_append_text(sql, " FROM ");
    relais_sql_table(sql, q->table);
    if (q->filter_column == NULL)
        return;
    relais_buffer_append_text(sql, " WHERE ");
    relais_sql_identifier(sql, q->filter_column);
    relais_buffer_append_text(sql, "::text = $1");
}

static bool ask(relais_lists *lists, const struct question *q, const char *value, PGresult **out,
                relais_error *err)
{
    relais_buffer sql;
    bool ok;

    relais_buffer_init(&sql, LIST_SQL_MAX);
    relais_buffer_append_text(&sql, "SELECT ");
    relais_sql_identifier(&sql, q->column);
    relais_buffer_append_text(&sql, "::text");
    append_source(&sql, q);
    relais_params_reset(&lists->params);
    if (q->filter_column != NULL)
        relais_params_text(&lists->params, q->filter_value);
    if (value == NULL) {
        relais_buffer_append_format(&sql, " LIMIT %d", LIST_ENTRIES_MAX + 1);
    } else {
        relais_buffer_append_text(&sql, q->filter_column == NULL ? " WHERE " : " AND ");
        relais_sql_identifier(&sql, q->column);
        relais_buffer_append_format(&sql, "::text = $%d LIMIT 1", q->filter_column == NULL ? 1 : 2);
        relais_params_text(&lists->params, value);
    }
    ok = relais_buffer_check(&sql, "a code list's statement", err) &&
         relais_pg_call(lists->store, sql.data, &lists->params, out, err);
    relais_buffer_free(&sql);
    return ok;
}

static bool fill_list(relais_lists *lists, struct list *list, const PGresult *rows)
{
    size_t count = (size_t)PQntuples(rows);

    list->is_kept = count <= LIST_ENTRIES_MAX;
    if (!list->is_kept)
        return true;
    list->slot_count = SLOTS_MIN;
    while (list->slot_count < 4 * count) /* twice what is needed: lists grow */
        list->slot_count *= 2;
    list->slots = relais_arena_alloc(lists->arena, list->slot_count * sizeof *list->slots);
    if (list->slots == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!PQgetisnull(rows, (int)i, 0) && !add_value(lists, list, PQgetvalue(rows, (int)i, 0)))
            return false;
    return true;
}

static struct list *load_list(relais_lists *lists, const struct question *q, const char *key,
                              relais_error *err)
{
    struct list *list = &lists->list[lists->count];
    PGresult *rows;
    bool ok;

    if (lists->count == LISTS_MAX) {
        relais_error_set(err, RELAIS_ERR_LIMIT, "more than %d code lists", LISTS_MAX);
        return NULL;
    }
    if (!ask(lists, q, NULL, &rows, err))
        return NULL;
    memset(list, 0, sizeof *list);
    list->key = relais_arena_text(lists->arena, key);
    ok = list->key != NULL && fill_list(lists, list, rows);
    PQclear(rows);
    if (!ok) {
        relais_arena_error(lists->arena, err);
        return NULL;
    }
    lists->count++;
    return list;
}

static struct list *find_list(relais_lists *lists, const struct question *q, relais_error *err)
{
    char key[1024];
    int length = snprintf(key, sizeof key, "%s\n%s\n%s\n%s", q->table, q->column,
                          q->filter_column == NULL ? "" : q->filter_column,
                          q->filter_value == NULL ? "" : q->filter_value);

    if (length < 0 || (size_t)length >= sizeof key) {
        relais_error_set(err, RELAIS_ERR_LIMIT, "the name of a code list is too long");
        return NULL;
    }
    for (size_t i = 0; i < lists->count; i++)
        if (strcmp(lists->list[i].key, key) == 0)
            return &lists->list[i];
    return load_list(lists, q, key, err);
}

int relais_lists_member(relais_lists *lists, const char *table, const char *column,
                        const char *filter_column, const char *filter_value, const char *value,
                        relais_error *err)
{
    struct question q = {table, column, filter_column, filter_value};
    struct list *list = find_list(lists, &q, err);
    PGresult *row;
    bool found;

    if (list == NULL)
        return -1;
    if (list->is_kept && list->slots[find_slot(list, value)] != NULL)
        return 1;
    if (!ask(lists, &q, value, &row, err))
        return -1;
    found = PQntuples(row) > 0;
    PQclear(row);
    if (found && list->is_kept && !add_value(lists, list, value)) {
        relais_arena_error(lists->arena, err);
        return -1;
    }
    return found ? 1 : 0;
}
