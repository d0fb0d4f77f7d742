/*
 * Choosing parcels of the quarantine. See selection.h.
 */
#include "cli/selection.h"

#include <string.h>

/* A parcel's head as it is read takes a copy of each of its lines. */
enum { SCRATCH_MAX = 8 * RELAIS_PARCEL_HEAD_MAX };

typedef struct choosing {
    relais_spool *spool;
    const relais_filter *filter;
    relais_arena *arena;
    relais_arena *scratch; /* the head of one parcel */
    relais_selection *out;
    size_t *matches; /* by index of the filter's names: how many parcels it names */
    bool has_failed;
} choosing;

/* A whole name, or its beginning. */
static bool is_named(choosing *state, const char *name)
{
    bool found = false;

    for (size_t i = 0; i < state->filter->name_count; i++) {
        const char *wanted = state->filter->names[i];
        if (wanted[0] == '\0' || strncmp(name, wanted, strlen(wanted)) != 0)
            continue;
        state->matches[i]++;
        found = true;
    }
    return found;
}

static bool is_chosen(choosing *state, const char *name, const relais_quarantined *one)
{
    const relais_filter *filter = state->filter;

    if (filter->class_word != NULL && strcmp(filter->class_word, one->class_word) != 0)
        return false;
    if (filter->form != NULL && strcmp(filter->form, one->form) != 0)
        return false;
    return filter->name_count == 0 || is_named(state, name);
}

static bool make_room(choosing *state)
{
    relais_selection *out = state->out;
    size_t capacity = out->capacity == 0 ? 64 : out->capacity * 2;
    relais_quarantined *items;

    if (out->count < out->capacity)
        return true;
    items = relais_arena_alloc(state->arena, capacity * sizeof *items);
    if (items == NULL)
        return false;
    if (out->count > 0)
        memcpy(items, out->items, out->count * sizeof *items);
    out->items = items;
    out->capacity = capacity;
    return true;
}

static const char *copy(choosing *state, const char *text)
{
    const char *kept = relais_arena_text(state->arena, text);

    if (kept == NULL)
        state->has_failed = true;
    return kept;
}

static void keep(choosing *state, const relais_quarantined *one)
{
    if (!make_room(state)) {
        state->has_failed = true;
        return;
    }
    state->out->items[state->out->count++] = (relais_quarantined){
        .name = copy(state, one->name),
        .class_word = copy(state, one->class_word),
        .form = copy(state, one->form),
        .at = copy(state, one->at),
        .path = copy(state, one->path),
        .column = copy(state, one->column),
        .rule = copy(state, one->rule),
        .text = copy(state, one->text),
        .sealed = copy(state, one->sealed),
    };
}

/* A parcel whose head cannot be read is not sealed: sealing makes it a head. */
static const char *key_of(choosing *state, const char *name)
{
    relais_parcel parcel;

    relais_arena_reset(state->scratch);
    return relais_quarantine_parcel(state->spool, name, state->scratch, &parcel, NULL, NULL)
               ? parcel.head.sealed
               : "";
}

static bool visit(void *context, const char *name, const relais_reason *reason)
{
    static const relais_quarantined unreadable = {"", "without-reason", "", "", "", "", "", "", ""};
    choosing *state = context;
    relais_quarantined one = unreadable;

    if (reason != NULL)
        one = (relais_quarantined){"",           reason->class_word, reason->form,
                                   reason->at,   reason->path,       reason->column,
                                   reason->rule, reason->text,       ""};
    one.name = name;
    if (!is_chosen(state, name, &one))
        return true;
    one.sealed = key_of(state, name);
    keep(state, &one);
    return !state->has_failed;
}

static bool check_names(const choosing *state, relais_error *err)
{
    for (size_t i = 0; i < state->filter->name_count; i++) {
        const char *name = state->filter->names[i];
        if (state->matches[i] == 0)
            return relais_error_set(err, RELAIS_ERR_MISSING,
                                    "there is no parcel \"%s\" in quarantine", name);
        if (state->matches[i] > 1)
            return relais_error_set(err, RELAIS_ERR_CONFIG,
                                    "%zu parcels begin with \"%s\"; write more of the name",
                                    state->matches[i], name);
    }
    return true;
}

bool relais_selection_make(relais_spool *spool, const relais_filter *filter, relais_arena *arena,
                           relais_selection *out, relais_error *err)
{
    choosing state = {.spool = spool, .filter = filter, .arena = arena, .out = out};
    bool ok;

    *out = (relais_selection){0};
    state.matches = relais_arena_alloc(arena, (filter->name_count + 1) * sizeof *state.matches);
    if (state.matches == NULL)
        return relais_arena_error(arena, err);
    state.scratch = relais_arena_create(SCRATCH_MAX);
    if (state.scratch == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    ok = relais_quarantine_walk(spool, visit, &state, err);
    relais_arena_destroy(state.scratch);
    if (!ok)
        return false;
    if (state.has_failed)
        return relais_arena_error(arena, err);
    return check_names(&state, err);
}
