/*
 * Evaluations as JSON:
 *
 *   {"record":"uuid:...","portable":true,
 *    "shapes":[{"table":"tip.x","policy":"upsert","newest":null,"columns":[...],"replace":[...]}],
 *    "rows":[{"shape":0,"values":[...],"paths":[...]}],"clear":[{"shape":0,"values":[...]}],
 *    "files":[...],"unmapped":[...],"derived":[{"id":"...","parts":[...]}],
 *    "awaited":[{"list":"...","value":"..."}]}
 *
 * See kept.h.
 */
#include "store/kept.h"

#include "store/json.h"

#include <string.h>

static const char *const policies[] = {
    [RELAIS_ROW_UPSERT] = "upsert",
    [RELAIS_ROW_ABSENT] = "absent",
    [RELAIS_ROW_NEWEST] = "newest",
    [RELAIS_ROW_REPLACED] = "replaced",
};

static json_t *shape_json(const relais_row_shape *shape)
{
    return json_pack("{s:s, s:s, s:s?, s:o, s:o}", "table", shape->table_name, "policy",
                     policies[shape->policy], "newest", shape->newest, "columns",
                     relais_json_texts(shape->columns, shape->column_count), "replace",
                     relais_json_texts(shape->replace, shape->replace_count));
}

/* ---- writing ------------------------------------------------------------------------------ */

/* The shapes that an output uses, by where they will stand in the list. */
struct used {
    const relais_row_shape *shapes;
    size_t *place; /* 0: not used, else one more than the place */
    json_t *list;
};

static json_t *use_shape(struct used *used, size_t shape)
{
    if (used->place[shape] == 0) {
        if (json_array_append_new(used->list, shape_json(&used->shapes[shape])) != 0)
            return NULL;
        used->place[shape] = json_array_size(used->list);
    }
    return json_integer((json_int_t)used->place[shape] - 1);
}

static json_t *rows_json(struct used *used, const relais_output *output)
{
    json_t *list = json_array();

    for (size_t i = 0; i < output->count; i++) {
        const relais_row *row = &output->rows[i];
        size_t columns = used->shapes[row->shape].column_count;
        json_t *one = json_pack("{s:o, s:o, s:o}", "shape", use_shape(used, row->shape), "values",
                                relais_json_texts(row->values, columns), "paths",
                                relais_json_texts(row->paths, columns));
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *clear_json(struct used *used, const relais_output *output)
{
    json_t *list = json_array();

    for (size_t i = 0; i < output->clearance_count; i++) {
        const relais_clearance *one = &output->clearances[i];
        json_t *object =
            json_pack("{s:o, s:o}", "shape", use_shape(used, one->shape), "values",
                      relais_json_texts(one->values, used->shapes[one->shape].replace_count));
        if (json_array_append_new(list, object) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *derived_json(const relais_output *output)
{
    json_t *list = json_array();

    for (size_t i = 0; i < output->derived_count; i++) {
        const relais_derived *one = &output->derived[i];
        if (json_array_append_new(list,
                                  json_pack("{s:s, s:o}", "id", one->id, "parts",
                                            relais_json_texts(one->parts, one->part_count))) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *awaited_json(const relais_output *output)
{
    json_t *list = json_array();

    for (size_t i = 0; i < output->awaited_count; i++) {
        const relais_awaited *one = &output->awaited[i];
        if (json_array_append_new(
                list, json_pack("{s:s, s:s}", "list", one->list, "value", one->value)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

char *relais_kept_json(const relais_mapping *mapping, const relais_kept *kept, relais_arena *arena)
{
    const relais_output *output = &kept->output;
    size_t count;
    const relais_row_shape *shapes = relais_mapping_shapes(mapping, &count);
    struct used used = {shapes, relais_arena_alloc(arena, count * sizeof *used.place),
                        json_array()};
    json_t *rows = NULL, *clear = NULL;

    if (used.place == NULL) {
        json_decref(used.list);
        return NULL;
    }
    rows = rows_json(&used, output);
    clear = clear_json(&used, output);
    return relais_json_dump(
        json_pack("{s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "record", kept->record,
                  "portable", (int)kept->is_portable, "shapes", used.list, "rows", rows, "clear",
                  clear, "files", relais_json_texts(output->files, output->file_count), "unmapped",
                  relais_json_texts(output->unmapped, output->unmapped_count), "derived",
                  derived_json(output), "awaited", awaited_json(output)),
        arena);
}

/* ---- reading ------------------------------------------------------------------------------ */

struct reading {
    const relais_row_shape *shapes; /* of the present mapping */
    size_t shape_count;
    const json_t *list; /* the shapes kept */
    relais_arena *arena;
    bool fits;
};

/* The present shape that is what the kept one was. */
static bool find_shape(struct reading *r, const json_t *row, size_t *shape)
{
    const json_t *place = json_object_get(row, "shape");
    const json_t *kept = json_array_get(r->list, (size_t)json_integer_value(place));

    if (!json_is_integer(place) || kept == NULL)
        return false;
    for (*shape = 0; *shape < r->shape_count; ++*shape) {
        json_t *present = shape_json(&r->shapes[*shape]);
        bool is_same = json_equal(present, kept);
        json_decref(present);
        if (is_same)
            return true;
    }
    r->fits = false;
    return true;
}

static bool read_rows(struct reading *r, const json_t *list, relais_output *out)
{
    const json_t *one;
    size_t i;

    out->rows = relais_arena_alloc(r->arena, json_array_size(list) * sizeof *out->rows);
    if (out->rows == NULL || !json_is_array(list))
        return false;
    json_array_foreach(list, i, one)
    {
        const char **values, **paths;
        size_t shape, columns;
        if (!find_shape(r, one, &shape))
            return false;
        if (!r->fits)
            return true;
        columns = r->shapes[shape].column_count;
        if (!relais_json_read_texts(json_object_get(one, "values"), columns, r->arena, &values,
                                    NULL) ||
            !relais_json_read_texts(json_object_get(one, "paths"), columns, r->arena, &paths, NULL))
            return false;
        out->rows[out->count++] = (relais_row){shape, values, paths};
    }
    return true;
}

static bool read_clear(struct reading *r, const json_t *list, relais_output *out)
{
    const json_t *one;
    size_t i;

    out->clearances = relais_arena_alloc(r->arena, json_array_size(list) * sizeof *out->clearances);
    if (out->clearances == NULL || !json_is_array(list))
        return false;
    json_array_foreach(list, i, one)
    {
        const char **values;
        size_t shape;
        if (!find_shape(r, one, &shape))
            return false;
        if (!r->fits)
            return true;
        if (!relais_json_read_texts(json_object_get(one, "values"), r->shapes[shape].replace_count,
                                    r->arena, &values, NULL))
            return false;
        out->clearances[out->clearance_count++] = (relais_clearance){shape, values};
    }
    return true;
}

static bool read_derived(struct reading *r, const json_t *list, relais_output *out)
{
    const json_t *one;
    size_t i;

    out->derived = relais_arena_alloc(r->arena, json_array_size(list) * sizeof *out->derived);
    if (out->derived == NULL || !json_is_array(list))
        return false;
    json_array_foreach(list, i, one)
    {
        relais_derived *derived = &out->derived[out->derived_count++];
        const char *id = json_string_value(json_object_get(one, "id"));
        const char **parts;
        if (id == NULL || !relais_json_read_texts(json_object_get(one, "parts"), SIZE_MAX, r->arena,
                                                  &parts, &derived->part_count))
            return false;
        derived->parts = parts;
        derived->id = relais_arena_text(r->arena, id);
        if (derived->id == NULL)
            return false;
    }
    return true;
}

static bool read_awaited(struct reading *r, const json_t *list, relais_output *out)
{
    const json_t *one;
    size_t i;

    out->awaited = relais_arena_alloc(r->arena, json_array_size(list) * sizeof *out->awaited);
    if (out->awaited == NULL || !json_is_array(list))
        return false;
    json_array_foreach(list, i, one)
    {
        relais_awaited *awaited = &out->awaited[out->awaited_count++];
        const char *name = json_string_value(json_object_get(one, "list"));
        const char *value = json_string_value(json_object_get(one, "value"));
        if (name == NULL || value == NULL)
            return false;
        awaited->list = relais_arena_text(r->arena, name);
        awaited->value = relais_arena_text(r->arena, value);
        if (awaited->list == NULL || awaited->value == NULL)
            return false;
    }
    return true;
}

static bool read_evaluation(struct reading *r, const json_t *body, relais_kept *out)
{
    relais_output *output = &out->output;
    const char *record = json_string_value(json_object_get(body, "record"));

    r->list = json_object_get(body, "shapes");
    out->is_portable = json_is_true(json_object_get(body, "portable"));
    out->record = record == NULL ? NULL : relais_arena_text(r->arena, record);
    return out->record != NULL && read_rows(r, json_object_get(body, "rows"), output) &&
           read_clear(r, json_object_get(body, "clear"), output) &&
           relais_json_read_texts(json_object_get(body, "files"), SIZE_MAX, r->arena,
                                  &output->files, &output->file_count) &&
           relais_json_read_texts(json_object_get(body, "unmapped"), SIZE_MAX, r->arena,
                                  &output->unmapped, &output->unmapped_count) &&
           read_derived(r, json_object_get(body, "derived"), output) &&
           read_awaited(r, json_object_get(body, "awaited"), output);
}

bool relais_kept_read(const relais_mapping *mapping, const char *json, relais_arena *arena,
                      relais_kept *out, bool *fits, relais_error *err)
{
    struct reading r = {.arena = arena, .fits = true};
    json_t *body = json_loads(json, 0, NULL);
    bool ok;

    memset(out, 0, sizeof *out);
    r.shapes = relais_mapping_shapes(mapping, &r.shape_count);
    ok = read_evaluation(&r, body, out);
    json_decref(body);
    *fits = r.fits;
    return ok || relais_error_set(err, RELAIS_ERR_DATABASE,
                                  "what is kept of a sealed submission cannot be read");
}
