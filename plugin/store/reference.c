/*
 * Comparing reference data with the database: the table, the keys, then every value, by one
 * statement a file. See reference.h.
 */
#include "store/reference.h"

#include "store/catalogue.h"
#include "store/connection.h"

#include <stdlib.h>
#include <string.h>

/* A statement names each column and its cast: far below this. */
enum { SQL_MAX = 64 * 1024 };

static size_t find_column(const relais_reference *reference, const char *name)
{
    for (size_t i = 0; i < reference->column_count; i++)
        if (strcmp(reference->columns[i], name) == 0)
            return i;
    return SIZE_MAX;
}

static bool is_key(const relais_reference *reference, const char *name)
{
    for (size_t i = 0; i < reference->key_count; i++)
        if (strcmp(reference->key[i], name) == 0)
            return true;
    return false;
}

static const relais_column *table_column(const relais_table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return &table->columns[i];
    return NULL;
}

/* ---- what the table must have ----------------------------------------------------------- */

static bool copy_key(relais_reference *reference, const relais_table *table, relais_arena *arena,
                     relais_error *err)
{
    const char **key = relais_arena_alloc(arena, (table->key_count + 1) * sizeof *key);

    if (key == NULL)
        return relais_arena_error(arena, err);
    for (size_t i = 0; i < table->key_count; i++) {
        key[i] = relais_arena_text(arena, table->key[i]);
        if (key[i] == NULL)
            return relais_arena_error(arena, err);
    }
    reference->key = key;
    reference->key_count = table->key_count;
    return true;
}

static bool check_key(const relais_reference *reference, relais_error *err)
{
    if (reference->key_count == 0) {
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "table %s has no primary key, so its rows cannot be told apart",
                         reference->table);
        relais_error_at(err, reference->file, 0);
        return false;
    }
    for (size_t i = 0; i < reference->key_count; i++) {
        if (find_column(reference, reference->key[i]) == SIZE_MAX) {
            relais_error_set(err, RELAIS_ERR_CONFIG,
                             "the first line lacks column %s of %s's primary key",
                             reference->key[i], reference->table);
            relais_error_at(err, reference->file, 1);
            return false;
        }
    }
    return true;
}

/* The name of a column that the table has not, or NULL. */
static const char *missing_column(const relais_reference *reference, const relais_table *table)
{
    for (size_t i = 0; i < reference->column_count; i++)
        if (table_column(table, reference->columns[i]) == NULL)
            return reference->columns[i];
    return NULL;
}

/* ---- no key empty, none twice ------------------------------------------------------------ */

typedef struct keyed_row {
    const relais_reference *reference;
    const relais_reference_row *row;
} keyed_row;

static int compare_keys(const void *left, const void *right)
{
    const keyed_row *a = left, *b = right;

    for (size_t i = 0; i < a->reference->key_count; i++) {
        size_t column = find_column(a->reference, a->reference->key[i]);
        int order = strcmp(a->row->values[column], b->row->values[column]);
        if (order != 0)
            return order;
    }
    return a->row->line < b->row->line ? -1 : a->row->line > b->row->line;
}

static bool have_equal_keys(const keyed_row *a, const keyed_row *b)
{
    relais_reference_row same_line = *a->row;
    keyed_row moved = {a->reference, &same_line};

    same_line.line = b->row->line;
    return compare_keys(&moved, b) == 0;
}

static bool check_key_values(const relais_reference *reference, relais_error *err)
{
    for (size_t i = 0; i < reference->row_count; i++) {
        for (size_t k = 0; k < reference->key_count; k++) {
            if (reference->rows[i].values[find_column(reference, reference->key[k])] != NULL)
                continue;
            relais_error_set(err, RELAIS_ERR_CONFIG,
                             "column %s is empty, but it belongs to the primary key",
                             reference->key[k]);
            relais_error_at(err, reference->file, reference->rows[i].line);
            return false;
        }
    }
    return true;
}

static bool check_key_twice(const relais_reference *reference, relais_arena *arena,
                            relais_error *err)
{
    keyed_row *sorted = relais_arena_alloc(arena, (reference->row_count + 1) * sizeof *sorted);

    if (sorted == NULL)
        return relais_arena_error(arena, err);
    for (size_t i = 0; i < reference->row_count; i++)
        sorted[i] = (keyed_row){reference, &reference->rows[i]};
    qsort(sorted, reference->row_count, sizeof *sorted, compare_keys);
    for (size_t i = 1; i < reference->row_count; i++) {
        if (!have_equal_keys(&sorted[i - 1], &sorted[i]))
            continue;
        relais_error_set(err, RELAIS_ERR_CONFIG, "the same key stands on line %ld already",
                         sorted[i - 1].row->line);
        relais_error_at(err, reference->file, sorted[i].row->line);
        return false;
    }
    return true;
}

/* ---- the comparison itself --------------------------------------------------------------- */

/* v is the file's rows as texts, t the table's; the n-th differs when it comes out. */
static void write_comparison(const relais_reference *reference, const relais_table *table,
                             relais_buffer *sql)
{
    relais_buffer_append_text(sql, "SELECT v.n FROM unnest(");
    for (size_t i = 0; i < reference->column_count; i++)
        relais_buffer_append_format(sql, "%s$%zu::text[]", i > 0 ? ", " : "", i + 1);
    relais_buffer_append_text(sql, ") WITH ORDINALITY AS v(");
    for (size_t i = 0; i < reference->column_count; i++)
        relais_buffer_append_format(sql, "c%zu, ", i);
    relais_buffer_append_text(sql, "n) LEFT JOIN ");
    relais_sql_table(sql, reference->table);
    relais_buffer_append_text(sql, " t ON true");
    for (size_t i = 0; i < reference->column_count; i++) {
        if (!is_key(reference, reference->columns[i]))
            continue;
        relais_buffer_append_text(sql, " AND t.");
        relais_sql_identifier(sql, reference->columns[i]);
        relais_buffer_append_format(
            sql, " = v.c%zu::%s", i,
            relais_catalogue_cast(table, table_column(table, reference->columns[i])));
    }
    relais_buffer_append_text(sql, " WHERE t.");
    relais_sql_identifier(sql, reference->key[0]);
    relais_buffer_append_text(sql, " IS NULL");
    for (size_t i = 0; i < reference->column_count; i++) {
        relais_buffer_append_text(sql, " OR t.");
        relais_sql_identifier(sql, reference->columns[i]);
        relais_buffer_append_format(
            sql, " IS DISTINCT FROM v.c%zu::%s", i,
            relais_catalogue_cast(table, table_column(table, reference->columns[i])));
    }
}

static void fill_params(const relais_reference *reference, size_t first, size_t count,
                        relais_params *params)
{
    relais_params_reset(params);
    for (size_t column = 0; column < reference->column_count; column++) {
        relais_params_text_array(params);
        for (size_t i = first; i < first + count; i++)
            relais_params_add_text(params, column, reference->rows[i].values[column]);
    }
}

static void mark_rows(relais_reference *reference, const PGresult *result)
{
    for (size_t i = 0; i < reference->row_count; i++)
        reference->rows[i].differs = false;
    reference->differing = 0;
    for (int i = 0; i < PQntuples(result); i++) {
        unsigned long n = strtoul(PQgetvalue(result, i, 0), NULL, 10);
        if (n == 0 || n > reference->row_count || reference->rows[n - 1].differs)
            continue;
        reference->rows[n - 1].differs = true;
        reference->differing++;
    }
}

/* PostgreSQL says that some value does not fit its column; asking row by row tells which. */
static void locate_misfit(const relais_reference *reference, relais_store *store, const char *sql,
                          relais_params *params, relais_error *err)
{
    for (size_t i = 0; i < reference->row_count; i++) {
        relais_error one = {0};
        fill_params(reference, i, 1, params);
        if (relais_pg_call(store, sql, params, NULL, &one))
            continue;
        *err = one;
        relais_error_at(err, reference->file, reference->rows[i].line);
        return;
    }
}

static bool compare_rows(relais_reference *reference, const relais_table *table,
                         relais_store *store, relais_error *err)
{
    relais_params params;
    relais_buffer sql;
    PGresult *result = NULL;
    bool ok;

    relais_params_init(&params);
    relais_buffer_init(&sql, SQL_MAX);
    write_comparison(reference, table, &sql);
    fill_params(reference, 0, reference->row_count, &params);
    ok = relais_buffer_check(&sql, "statement", err) &&
         relais_pg_call(store, sql.data, &params, &result, err);
    if (ok)
        mark_rows(reference, result);
    else if (err->code == RELAIS_ERR_DATA)
        locate_misfit(reference, store, sql.data, &params, err);
    if (!ok && err->code != RELAIS_ERR_TRANSIENT)
        relais_error_at(err, reference->file, 0);
    PQclear(result);
    relais_buffer_free(&sql);
    relais_params_free(&params);
    return ok;
}

bool relais_reference_compare(relais_reference *reference, relais_store *store, bool may_come,
                              relais_arena *arena, relais_error *err)
{
    const relais_target *target = relais_store_target(store);
    const relais_table *table = target->table(target->context, reference->table, err);
    const char *missing;

    if (table == NULL) {
        if (err->code != RELAIS_ERR_NONE || may_come)
            return err->code == RELAIS_ERR_NONE;
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "there is no table %s, and no pending migration could make it",
                         reference->table);
        relais_error_at(err, reference->file, 0);
        return false;
    }
    if (!copy_key(reference, table, arena, err) || !check_key(reference, err) ||
        !check_key_values(reference, err) || !check_key_twice(reference, arena, err))
        return false;
    missing = missing_column(reference, table);
    if (missing == NULL)
        return compare_rows(reference, table, store, err);
    if (may_come)
        return true;
    relais_error_set(err, RELAIS_ERR_CONFIG, "table %s has no column %s", reference->table,
                     missing);
    relais_error_at(err, reference->file, 1);
    return false;
}
