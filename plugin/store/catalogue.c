/*
 * Tables from pg_catalog. See catalogue.h.
 */
#include "store/catalogue.h"

#include "base/arena.h"
#include "store/connection.h"
#include "store/lists.h"
#include "store/parents.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A table of 100 columns takes some 10 KB. */
#define CATALOGUE_MEMORY_MAX ((size_t)16 * 1024 * 1024)

/* What the engine sees, and what only the statements need beside it. */
struct entry {
    relais_table table; /* first, so that a table is its entry */
    const char *const *casts;
    const char *const *defaults;
    const char *const *references;
    size_t reference_count;
    struct entry *next;
};

struct relais_catalogue {
    relais_store *store;
    relais_lists *lists;
    relais_parents *parents;
    relais_arena *arena;
    relais_params params;
    struct entry *entries;
};

/* A domain is looked through to its base type. indkey's subscripts start at 0. */
static const char table_sql[] =
    "SELECT a.attname,"
    "       format_type(a.atttypid, a.atttypmod),"
    "       format_type(a.atttypid, -1),"
    "       b.typname,"
    "       coalesce(e.typname, ''),"
    "       CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END,"
    "       a.attnotnull,"
    "       a.atthasdef OR a.attidentity <> '',"
    "       a.attgenerated <> '' OR a.attidentity = 'a',"
    "       coalesce(array_position(i.indkey::int2[], a.attnum), -1),"
    "       CASE WHEN a.attgenerated <> '' THEN ''"
    "            WHEN a.attidentity <> '' THEN format('pg_catalog.nextval(%L)',"
    "              pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname))"
    "            ELSE coalesce(pg_get_expr(d.adbin, d.adrelid), '') END"
    "  FROM pg_catalog.pg_class c"
    "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    "  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
    "  JOIN pg_catalog.pg_type b"
    "    ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END"
    "  LEFT JOIN pg_catalog.pg_type e ON e.oid = b.typelem AND b.typcategory = 'A'"
    "  LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary"
    "  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum"
    " WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')"
    " ORDER BY a.attnum";

/* Who refers to a table. What this login may not read it cannot ask; the key itself speaks then. */
static const char references_sql[] =
    "SELECT format('EXISTS (SELECT FROM %I.%I x WHERE %s)', n.nspname, r.relname,"
    "              string_agg(format('x.%I = t.%I', a.attname, f.attname), ' AND '))"
    "  FROM pg_catalog.pg_constraint k"
    "  JOIN pg_catalog.pg_class c ON c.oid = k.confrelid"
    "  JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace"
    "  JOIN pg_catalog.pg_class r ON r.oid = k.conrelid"
    "  JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace"
    " CROSS JOIN LATERAL unnest(k.conkey, k.confkey) AS p(here, there)"
    "  JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.here"
    "  JOIN pg_catalog.pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = p.there"
    " WHERE k.contype = 'f' AND k.conparentid = 0 AND cn.nspname = $1 AND c.relname = $2"
    " GROUP BY k.oid, n.nspname, r.relname"
    " HAVING bool_and(has_column_privilege(k.conrelid, p.here, 'SELECT'))"
    " ORDER BY 1";

/* The result's columns, in order. */
enum {
    F_NAME,
    F_TYPE,
    F_CAST,
    F_BASE,
    F_ELEMENT,
    F_TYPMOD,
    F_NOT_NULL,
    F_DEFAULT,
    F_GENERATED,
    F_KEY,
    F_EXPRESSION
};

static const struct {
    const char *name; /* pg_type.typname */
    relais_type type;
    long long minimum, maximum;
} types[] = {
    {"text", RELAIS_TYPE_TEXT, 0, 0},
    {"varchar", RELAIS_TYPE_TEXT, 0, 0},
    {"bpchar", RELAIS_TYPE_TEXT, 0, 0},
    {"int2", RELAIS_TYPE_INTEGER, SHRT_MIN, SHRT_MAX},
    {"int4", RELAIS_TYPE_INTEGER, INT_MIN, INT_MAX},
    {"int8", RELAIS_TYPE_INTEGER, LLONG_MIN, LLONG_MAX},
    {"numeric", RELAIS_TYPE_NUMERIC, 0, 0},
    {"float4", RELAIS_TYPE_NUMERIC, 0, 0},
    {"float8", RELAIS_TYPE_NUMERIC, 0, 0},
    {"bool", RELAIS_TYPE_BOOLEAN, 0, 0},
    {"date", RELAIS_TYPE_DATE, 0, 0},
    {"timestamptz", RELAIS_TYPE_TIMESTAMPTZ, 0, 0},
    {"uuid", RELAIS_TYPE_UUID, 0, 0},
    {"bytea", RELAIS_TYPE_BYTEA, 0, 0},
};

relais_catalogue *relais_catalogue_create(relais_store *store)
{
    relais_catalogue *catalogue = calloc(1, sizeof *catalogue);

    if (catalogue == NULL)
        return NULL;
    catalogue->store = store;
    relais_params_init(&catalogue->params);
    catalogue->arena = relais_arena_create(CATALOGUE_MEMORY_MAX);
    catalogue->lists = relais_lists_create(store);
    catalogue->parents = relais_parents_create(store);
    if (catalogue->arena == NULL || catalogue->lists == NULL || catalogue->parents == NULL) {
        relais_catalogue_destroy(catalogue);
        return NULL;
    }
    return catalogue;
}

void relais_catalogue_destroy(relais_catalogue *catalogue)
{
    if (catalogue == NULL)
        return;
    relais_lists_destroy(catalogue->lists);
    relais_parents_destroy(catalogue->parents);
    relais_arena_destroy(catalogue->arena);
    relais_params_free(&catalogue->params);
    free(catalogue);
}

void relais_catalogue_forget(relais_catalogue *catalogue)
{
    relais_lists_forget(catalogue->lists);
    relais_parents_forget(catalogue->parents);
    relais_arena_reset(catalogue->arena);
    catalogue->entries = NULL;
}

static bool is_true(const PGresult *rows, int row, int field)
{
    return PQgetvalue(rows, row, field)[0] == 't';
}

static size_t find_type(const char *name)
{
    size_t i = 0;

    while (i < sizeof types / sizeof types[0] && strcmp(types[i].name, name) != 0)
        i++;
    return i;
}

static relais_type type_of(size_t i)
{
    return i < sizeof types / sizeof types[0] ? types[i].type : RELAIS_TYPE_OTHER;
}

static void fill_type(relais_column *column, const PGresult *rows, int row)
{
    enum { VARHDRSZ = 4 }; /* a text's typmod is its length plus this */
    const char *element = PQgetvalue(rows, row, F_ELEMENT);
    size_t found = find_type(element[0] != '\0' ? element : PQgetvalue(rows, row, F_BASE));
    long typmod = strtol(PQgetvalue(rows, row, F_TYPMOD), NULL, 10);

    column->type = element[0] != '\0' ? RELAIS_TYPE_ARRAY : type_of(found);
    column->element = element[0] != '\0' ? type_of(found) : RELAIS_TYPE_OTHER;
    if (type_of(found) == RELAIS_TYPE_TEXT && typmod > VARHDRSZ)
        column->limit = (int)typmod - VARHDRSZ;
    if (type_of(found) == RELAIS_TYPE_INTEGER) {
        column->minimum = types[found].minimum;
        column->maximum = types[found].maximum;
    }
}

static bool fill_column(relais_arena *arena, relais_column *column, const PGresult *rows, int row)
{
    column->name = relais_arena_text(arena, PQgetvalue(rows, row, F_NAME));
    column->sql_type = relais_arena_text(arena, PQgetvalue(rows, row, F_TYPE));
    fill_type(column, rows, row);
    column->not_null = is_true(rows, row, F_NOT_NULL);
    column->has_default = is_true(rows, row, F_DEFAULT);
    column->is_generated = is_true(rows, row, F_GENERATED);
    return column->name != NULL && column->sql_type != NULL;
}

static bool fill_extras(relais_arena *arena, const char **cast, const char **expression,
                        const PGresult *rows, int row)
{
    const char *text = PQgetvalue(rows, row, F_EXPRESSION);

    *cast = relais_arena_text(arena, PQgetvalue(rows, row, F_CAST));
    *expression = text[0] == '\0' ? NULL : relais_arena_text(arena, text);
    return *cast != NULL && (text[0] == '\0' || *expression != NULL);
}

static bool fill_entry(relais_arena *arena, struct entry *entry, const char *name,
                       const PGresult *rows)
{
    size_t count = (size_t)PQntuples(rows);
    relais_column *columns = relais_arena_alloc(arena, count * sizeof *columns);
    const char **casts = relais_arena_alloc(arena, count * sizeof *casts);
    const char **defaults = relais_arena_alloc(arena, count * sizeof *defaults);
    const char **key = relais_arena_alloc(arena, count * sizeof *key);

    entry->table.name = relais_arena_text(arena, name);
    if (columns == NULL || casts == NULL || defaults == NULL || key == NULL ||
        entry->table.name == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        long position = strtol(PQgetvalue(rows, (int)i, F_KEY), NULL, 10);
        if (!fill_column(arena, &columns[i], rows, (int)i) ||
            !fill_extras(arena, &casts[i], &defaults[i], rows, (int)i))
            return false;
        if (position < 0 || (size_t)position >= count)
            continue;
        key[position] = columns[i].name;
        entry->table.key_count++;
    }
    entry->table.columns = columns;
    entry->table.column_count = count;
    entry->table.key = key;
    entry->casts = casts;
    entry->defaults = defaults;
    return true;
}

/* Asks one of the questions above, of a table by its dotted name. */
static bool ask_table(relais_catalogue *catalogue, const char *sql, const char *name,
                      PGresult **rows, relais_error *err)
{
    const char *dot = strchr(name, '.');
    char schema[RELAIS_IDENTIFIER_SIZE] = "public";

    if (dot != NULL)
        snprintf(schema, sizeof schema, "%.*s", (int)(dot - name), name);
    relais_params_reset(&catalogue->params);
    relais_params_text(&catalogue->params, schema);
    relais_params_text(&catalogue->params, dot == NULL ? name : dot + 1);
    return relais_pg_call(catalogue->store, sql, &catalogue->params, rows, err);
}

static bool fill_references(relais_catalogue *catalogue, struct entry *entry, relais_error *err)
{
    PGresult *rows;
    const char **list;
    bool ok;

    if (!ask_table(catalogue, references_sql, entry->table.name, &rows, err))
        return false;
    entry->reference_count = (size_t)PQntuples(rows);
    list = relais_arena_alloc(catalogue->arena, (entry->reference_count + 1) * sizeof *list);
    ok = list != NULL;
    for (size_t i = 0; ok && i < entry->reference_count; i++) {
        list[i] = relais_arena_text(catalogue->arena, PQgetvalue(rows, (int)i, 0));
        ok = list[i] != NULL;
    }
    PQclear(rows);
    entry->references = list;
    return ok || relais_arena_error(catalogue->arena, err);
}

static const relais_table *find_table(void *context, const char *name, relais_error *err)
{
    relais_catalogue *catalogue = context;
    struct entry *entry;
    PGresult *rows;

    for (entry = catalogue->entries; entry != NULL; entry = entry->next)
        if (strcmp(entry->table.name, name) == 0)
            return &entry->table;
    if (!ask_table(catalogue, table_sql, name, &rows, err))
        return NULL;
    if (PQntuples(rows) == 0) { /* not remembered: it may be made any moment */
        PQclear(rows);
        return NULL;
    }
    entry = relais_arena_alloc(catalogue->arena, sizeof *entry);
    if (entry == NULL || !fill_entry(catalogue->arena, entry, name, rows)) {
        relais_arena_error(catalogue->arena, err);
        PQclear(rows);
        return NULL;
    }
    PQclear(rows);
    if (!fill_references(catalogue, entry, err))
        return NULL;
    entry->next = catalogue->entries;
    catalogue->entries = entry;
    return &entry->table;
}

static int is_member(void *context, const char *table, const char *column,
                     const char *filter_column, const char *filter_value, const char *value,
                     relais_error *err)
{
    relais_catalogue *catalogue = context;

    return relais_lists_member(catalogue->lists, table, column, filter_column, filter_value, value,
                               err);
}

static bool find_ancestor(void *context, const relais_hierarchy *hierarchy, const char *value,
                          const char *level, const char **out, relais_error *err)
{
    relais_catalogue *catalogue = context;

    return relais_parents_find(catalogue->parents, hierarchy, value, level, out, err);
}

relais_target relais_catalogue_target(relais_catalogue *catalogue)
{
    return (relais_target){
        .context = catalogue, .table = find_table, .member = is_member, .ancestor = find_ancestor};
}

const char *relais_catalogue_cast(const relais_table *table, const relais_column *column)
{
    const struct entry *entry = (const struct entry *)table;

    return entry->casts[column - table->columns];
}

const char *relais_catalogue_default(const relais_table *table, const relais_column *column)
{
    const struct entry *entry = (const struct entry *)table;

    return entry->defaults[column - table->columns];
}

const char *const *relais_catalogue_references(const relais_table *table, size_t *count)
{
    const struct entry *entry = (const struct entry *)table;

    *count = entry->reference_count;
    return entry->references;
}
