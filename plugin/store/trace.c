/*
 * Traces as JSON:
 *
 *   {"clear":[{"table":"tip.x","columns":["x_id"],"values":["..."]}],"keys":[the same]}
 *
 * "clear" are the clearances; "keys" are those of rows that an edit retires and that do not name
 * their submission, by which the others are found. See kept.h.
 */
#include "store/kept.h"

#include "store/json.h"

#include <string.h>

/* ---- writing ------------------------------------------------------------------------------ */

static bool has_entry(const json_t *list, const json_t *entry)
{
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one) if (json_equal(one, entry)) return true;
    return false;
}

/* Several shapes fill one table: what is there already is not added again. Takes `columns` and
 * `values`. */
static bool add_entry(json_t *list, const char *table, json_t *columns, json_t *values)
{
    json_t *entry =
        json_pack("{s:s, s:o, s:o}", "table", table, "columns", columns, "values", values);

    if (entry != NULL && has_entry(list, entry)) {
        json_decref(entry);
        return true;
    }
    return json_array_append_new(list, entry) == 0;
}

static bool add_clearances(json_t *list, const relais_statements *statements,
                           const relais_output *output)
{
    for (size_t i = 0; i < output->clearance_count; i++) {
        const relais_clearance *one = &output->clearances[i];
        const relais_row_shape *shape = statements->shapes[one->shape].shape;
        if (!add_entry(list, shape->table_name,
                       relais_json_texts(shape->replace, shape->replace_count),
                       relais_json_texts(one->values, shape->replace_count)))
            return false;
    }
    return true;
}

/* True for rows that only their keys find. */
static bool is_by_key(const relais_shape_sql *sql)
{
    return sql->retire != NULL && !sql->has_provenance;
}

static json_t *key_values(const relais_shape_sql *sql, const relais_row *row)
{
    json_t *values = json_array();
    bool ok = values != NULL;

    for (size_t i = 0; ok && i < sql->key_count; i++) {
        const char *value = row->values[sql->key[i]];
        ok = json_array_append_new(values, value == NULL ? json_null() : json_string(value)) == 0;
    }
    if (ok)
        return values;
    json_decref(values);
    return NULL;
}

static bool add_keys(json_t *list, const relais_statements *statements, const relais_output *output)
{
    for (size_t i = 0; i < output->count; i++) {
        const relais_row *row = &output->rows[i];
        const relais_shape_sql *sql = &statements->shapes[row->shape];
        if (is_by_key(sql) && !add_entry(list, sql->shape->table_name,
                                         relais_json_texts(sql->shape->table->key, sql->key_count),
                                         key_values(sql, row)))
            return false;
    }
    return true;
}

char *relais_trace_json(const relais_statements *statements, const relais_output *output,
                        relais_arena *arena)
{
    json_t *clear = json_array(), *keys = json_array();
    bool ok = add_clearances(clear, statements, output) && add_keys(keys, statements, output);

    if (ok)
        return relais_json_dump(json_pack("{s:o, s:o}", "clear", clear, "keys", keys), arena);
    json_decref(clear);
    json_decref(keys);
    return NULL;
}

/* ---- reading ------------------------------------------------------------------------------ */

typedef struct entry {
    const char *table;
    const char **columns;
    size_t column_count;
    const char **values;
} entry;

static bool read_entry(const json_t *object, relais_arena *arena, entry *out)
{
    out->table = json_string_value(json_object_get(object, "table"));
    return out->table != NULL &&
           relais_json_read_texts(json_object_get(object, "columns"), SIZE_MAX, arena,
                                  &out->columns, &out->column_count) &&
           relais_json_read_texts(json_object_get(object, "values"), out->column_count, arena,
                                  &out->values, NULL);
}

static bool are_same(const entry *one, const char *table, const char *const *columns, size_t count)
{
    if (strcmp(one->table, table) != 0 || one->column_count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(one->columns[i], columns[i]) != 0)
            return false;
    return true;
}

static bool take_clearance(const relais_statements *statements, const entry *one,
                           relais_arena *arena, relais_output *out)
{
    (void)arena;
    for (size_t s = 0; s < statements->count; s++) {
        const relais_row_shape *shape = statements->shapes[s].shape;
        if (!are_same(one, shape->table_name, shape->replace, shape->replace_count))
            continue;
        out->clearances[out->clearance_count++] = (relais_clearance){s, one->values};
        break;
    }
    return true;
}

/* A row of nothing but its key. */
static bool take_key(const relais_statements *statements, const entry *one, relais_arena *arena,
                     relais_output *out)
{
    for (size_t s = 0; s < statements->count; s++) {
        const relais_shape_sql *sql = &statements->shapes[s];
        const char **values;
        if (sql->key_count == 0 ||
            !are_same(one, sql->shape->table_name, sql->shape->table->key, sql->key_count))
            continue;
        values = relais_arena_alloc(arena, sql->shape->column_count * sizeof *values);
        if (values == NULL)
            return false;
        for (size_t k = 0; k < sql->key_count; k++)
            values[sql->key[k]] = one->values[k];
        out->rows[out->count++] = (relais_row){s, values, values};
        break;
    }
    return true;
}

typedef bool taker(const relais_statements *statements, const entry *one, relais_arena *arena,
                   relais_output *out);

static bool read_entries(const json_t *list, taker *take, const relais_statements *statements,
                         relais_arena *arena, relais_output *out)
{
    const json_t *object;
    size_t i;

    json_array_foreach(list, i, object)
    {
        entry one;
        if (!read_entry(object, arena, &one) || !take(statements, &one, arena, out))
            return false;
    }
    return true;
}

bool relais_trace_read(const relais_statements *statements, const char *json, relais_arena *arena,
                       relais_output *out, relais_error *err)
{
    json_t *body = json_loads(json, 0, NULL);
    const json_t *clear = json_object_get(body, "clear"), *keys = json_object_get(body, "keys");
    bool ok;

    memset(out, 0, sizeof *out);
    out->clearances = relais_arena_alloc(arena, json_array_size(clear) * sizeof *out->clearances);
    out->rows = relais_arena_alloc(arena, json_array_size(keys) * sizeof *out->rows);
    ok = json_is_array(clear) && json_is_array(keys) && out->clearances != NULL &&
         out->rows != NULL && read_entries(clear, take_clearance, statements, arena, out) &&
         read_entries(keys, take_key, statements, arena, out);
    json_decref(body);
    return ok || relais_error_set(err, RELAIS_ERR_DATABASE,
                                  "the trace of a sealed submission cannot be read");
}
