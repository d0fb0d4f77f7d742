/*
 * Noting ids made of the record's name, and making them again of another one. See derive.h, and
 * relais_output_rename in mapping.h.
 */
#include "transform/derive.h"

#include "base/uuid.h"
#include "transform/model.h"

#include <search.h>
#include <string.h>

/* A text and what stands in its place. */
struct pair {
    const char *from, *to;
};

static int compare_pairs(const void *a, const void *b)
{
    return strcmp(((const struct pair *)a)->from, ((const struct pair *)b)->from);
}

/* What stands in the place of a text; NULL when it stays. */
static const char *find_pair(void *const *tree, const char *text)
{
    const struct pair key = {text, NULL};
    const struct pair *const *node = tfind(&key, tree, compare_pairs);

    return node == NULL ? NULL : (*node)->to;
}

static bool add_pair(void **tree, relais_arena *arena, const char *from, const char *to,
                     relais_error *err)
{
    struct pair *pair = relais_arena_alloc(arena, sizeof *pair);

    if (pair == NULL)
        return relais_arena_error(arena, err);
    *pair = (struct pair){from, to};
    return tsearch(pair, tree, compare_pairs) != NULL ||
           relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
}

/* The pairs are the arena's. */
static void keep_pair(void *pair)
{
    (void)pair;
}

/* ---- noting ------------------------------------------------------------------------------- */

static bool copy_texts(relais_arena *arena, const char *const *texts, size_t count,
                       const char *const **out)
{
    const char **copies = relais_arena_alloc(arena, count * sizeof *copies);

    for (size_t i = 0; copies != NULL && i < count; i++) {
        copies[i] = relais_arena_text(arena, texts[i]);
        if (copies[i] == NULL)
            return false;
    }
    *out = copies;
    return copies != NULL;
}

/* Room for one more of `count` items of `size` bytes; NULL without memory. */
static void *grow(const relais_derivation *d, void *items, size_t count, size_t *room, size_t size)
{
    size_t wanted = *room == 0 ? 16 : 2 * *room;
    void *more;

    if (count < *room)
        return items;
    more = relais_arena_alloc(d->arena, wanted * size);
    if (more == NULL)
        return NULL;
    if (count > 0)
        memcpy(more, items, count * size);
    *room = wanted;
    return more;
}

static bool is_of_record(const relais_derivation *d, const char *const *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (find_pair(&d->known, parts[i]) != NULL)
            return true;
    return false;
}

bool relais_derivation_note(relais_derivation *d, const char *const *parts, size_t count,
                            const char *id, relais_error *err)
{
    relais_derived *one;

    if (d->known == NULL && !add_pair(&d->known, d->arena, d->record, d->record, err))
        return false;
    if (!is_of_record(d, parts, count) || find_pair(&d->known, id) != NULL)
        return true;
    d->list = grow(d, d->list, d->count, &d->room, sizeof *d->list);
    if (d->list == NULL)
        return relais_arena_error(d->arena, err);
    one = &d->list[d->count];
    one->id = relais_arena_text(d->arena, id);
    one->part_count = count;
    if (one->id == NULL || !copy_texts(d->arena, parts, count, &one->parts))
        return relais_arena_error(d->arena, err);
    d->count++;
    return add_pair(&d->known, d->arena, one->id, one->id, err);
}

bool relais_derivation_await(relais_derivation *d, const char *list, const char *value,
                             relais_error *err)
{
    relais_awaited *one;

    for (size_t i = 0; i < d->awaited_count; i++)
        if (strcmp(d->awaited[i].list, list) == 0 && strcmp(d->awaited[i].value, value) == 0)
            return true;
    d->awaited = grow(d, d->awaited, d->awaited_count, &d->awaited_room, sizeof *d->awaited);
    if (d->awaited == NULL)
        return relais_arena_error(d->arena, err);
    one = &d->awaited[d->awaited_count++];
    one->list = list;
    one->value = relais_arena_text(d->arena, value);
    return one->value != NULL || relais_arena_error(d->arena, err);
}

void relais_derivation_finish(relais_derivation *d, relais_output *out)
{
    out->derived = d->list;
    out->derived_count = d->count;
    out->awaited = d->awaited;
    out->awaited_count = d->awaited_count;
    tdestroy(d->known, keep_pair);
    d->known = NULL;
}

/* ---- renaming ----------------------------------------------------------------------------- */

/* Texts of an output on their way to another record. */
struct renaming {
    relais_arena *arena;
    void *pairs;
};

static bool rename_texts(const struct renaming *r, const char *const **texts, size_t count,
                         relais_error *err)
{
    const char **renamed = relais_arena_alloc(r->arena, count * sizeof *renamed);

    if (renamed == NULL)
        return relais_arena_error(r->arena, err);
    for (size_t i = 0; i < count; i++) {
        const char *text = (*texts)[i];
        const char *other = text == NULL ? NULL : find_pair(&r->pairs, text);
        renamed[i] = other == NULL ? text : other;
    }
    *texts = renamed;
    return true;
}

/* In the order in which they were made: an id may be a part of a later one. */
static bool rename_derived(struct renaming *r, relais_output *output, relais_error *err)
{
    for (size_t i = 0; i < output->derived_count; i++) {
        relais_derived *one = &output->derived[i];
        char id[RELAIS_UUID_TEXT_SIZE];
        const char *kept;
        if (!rename_texts(r, &one->parts, one->part_count, err))
            return false;
        relais_uuid5(one->parts, one->part_count, id);
        kept = relais_arena_text(r->arena, id);
        if (kept == NULL)
            return relais_arena_error(r->arena, err);
        if (!add_pair(&r->pairs, r->arena, one->id, kept, err))
            return false;
        one->id = kept;
    }
    return true;
}

static bool rename_rows(const struct renaming *r, const relais_row_shape *shapes,
                        relais_output *output, relais_error *err)
{
    for (size_t i = 0; i < output->count; i++)
        if (!rename_texts(r, &output->rows[i].values, shapes[output->rows[i].shape].column_count,
                          err))
            return false;
    for (size_t i = 0; i < output->clearance_count; i++)
        if (!rename_texts(r, &output->clearances[i].values,
                          shapes[output->clearances[i].shape].replace_count, err))
            return false;
    return true;
}

bool relais_output_rename(const relais_mapping *mapping, relais_output *output, const char *from,
                          const char *to, relais_arena *arena, relais_error *err)
{
    struct renaming r = {.arena = arena};
    size_t count;
    const relais_row_shape *shapes = relais_mapping_shapes(mapping, &count);
    bool ok = add_pair(&r.pairs, arena, from, to, err) && rename_derived(&r, output, err) &&
              rename_rows(&r, shapes, output, err);

    tdestroy(r.pairs, keep_pair);
    return ok;
}

/* ---- comparing ---------------------------------------------------------------------------- */

static const relais_item *find_item(const relais_item *items, size_t shape)
{
    for (const relais_item *item = items; item != NULL; item = item->next) {
        const relais_item *below;
        if (item->kind == RELAIS_ITEM_ROW && item->shape == shape)
            return item;
        below = find_item(item->children, shape);
        if (below != NULL)
            return below;
    }
    return NULL;
}

static bool is_same_text(const char *one, const char *other)
{
    return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

static bool are_same_texts(const char *const *some, const char *const *others, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_same_text(some[i], others[i]))
            return false;
    return true;
}

static bool is_same_row(const relais_mapping *mapping, const relais_row *one,
                        const relais_row *other)
{
    const relais_item *item = find_item(mapping->items, one->shape);

    if (one->shape != other->shape || item == NULL)
        return false;
    for (size_t i = 0; i < item->column_count; i++) {
        bool is_sealed = item->columns[i].fields != NULL;
        if (is_sealed ? (one->values[i] == NULL) != (other->values[i] == NULL)
                      : !is_same_text(one->values[i], other->values[i]))
            return false;
    }
    return true;
}

bool relais_output_equals(const relais_mapping *mapping, const relais_output *one,
                          const relais_output *other)
{
    if (one->count != other->count || one->clearance_count != other->clearance_count ||
        one->file_count != other->file_count || one->unmapped_count != other->unmapped_count)
        return false;
    for (size_t i = 0; i < one->count; i++)
        if (!is_same_row(mapping, &one->rows[i], &other->rows[i]))
            return false;
    for (size_t i = 0; i < one->clearance_count; i++) {
        size_t shape = one->clearances[i].shape;
        if (shape != other->clearances[i].shape ||
            !are_same_texts(one->clearances[i].values, other->clearances[i].values,
                            mapping->shapes[shape].replace_count))
            return false;
    }
    return are_same_texts(one->files, other->files, one->file_count) &&
           are_same_texts(one->unmapped, other->unmapped, one->unmapped_count);
}
