/*
 * What the ledger shall say of each version of a record, once it is known which one is current and
 * whose rows stand. See settlement.h.
 */
#include "store/settlement.h"

#include "store/kept.h"

#include <string.h>

/* What a version's row shall say when its rows do not stand. */
static relais_state resting_state(const relais_version *version)
{
    if (version->state == RELAIS_STATE_QUARANTINED || version->state == RELAIS_STATE_ERASED)
        return version->state;
    switch (version->role) {
    case RELAIS_ROLE_SUPERSEDED:
        return RELAIS_STATE_SUPERSEDED;
    case RELAIS_ROLE_CONFLICT:
        return version->is_judged ? RELAIS_STATE_SUPERSEDED : RELAIS_STATE_CONFLICT;
    default:
        return RELAIS_STATE_HELD;
    }
}

static bool fill_loaded(const relais_settlement *s, size_t i, relais_version_update *update,
                        relais_error *err)
{
    const relais_output *output = s->outputs[i];
    relais_arena *arena = s->work->settle;

    if (!relais_settlement_find_missing(s, output, &update->missing, err))
        return false;
    update->state = update->missing == NULL ? RELAIS_STATE_DELIVERED : RELAIS_STATE_PARTIAL;
    update->mapping = s->made_by[i];
    update->is_loaded = true;
    if (s->versions[i].is_sealed) {
        update->trace = relais_trace_json(&s->binding->statements, output, arena);
        if (update->trace == NULL)
            return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    }
    if (output->unmapped_count == 0)
        return true;
    update->unmapped = relais_array_literal(arena, output->unmapped, output->unmapped_count);
    return update->unmapped != NULL || relais_arena_error(arena, err);
}

static bool has_current(const relais_settlement *s, const char *root)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->versions[i].role == RELAIS_ROLE_CURRENT && strcmp(s->versions[i].root, root) == 0)
            return true;
    return false;
}

/* An encrypted version whose files have not all come. One record has one version at most that is
 * delivered or partial. */
static void fill_waiting(const relais_settlement *s, const relais_version *version,
                         const char *missing, relais_version_update *update)
{
    update->missing = missing;
    if (update->state == RELAIS_STATE_HELD && !has_current(s, version->root))
        update->state = RELAIS_STATE_PARTIAL;
}

static bool fill_resting(const relais_settlement *s, const relais_version *version,
                         relais_version_update *update, relais_error *err)
{
    const relais_mark *mark = relais_settlement_mark(s, version->sub_id);

    update->state = resting_state(version);
    if (mark != NULL && mark->missing != NULL) {
        fill_waiting(s, version, mark->missing, update);
        return true;
    }
    if (mark == NULL || relais_state_is_current(update->state)) {
        update->missing = version->awaited;
        return true;
    }
    update->reason = relais_reason_json(&mark->reason, s->work->settle);
    return update->reason != NULL || relais_arena_error(s->work->settle, err);
}

/* A version that was held and is held again, for a reason of the same class, keeps its row. */
static bool is_unchanged(const relais_settlement *s, const relais_version *version,
                         const relais_version_update *update)
{
    const relais_mark *mark = relais_settlement_mark(s, version->sub_id);

    return !relais_settlement_is_item(s, version) && !update->is_loaded &&
           update->state == version->ledger_state && strcmp(version->record, version->root) == 0 &&
           (mark == NULL || strcmp(mark->reason.class_word, version->reason_class) == 0);
}

/* Rows that stand as they stood; and, without a mapping, all that is not the item's. */
static bool is_kept(const relais_settlement *s, const relais_version *version,
                    const relais_output *output)
{
    if (s->binding == NULL)
        return !relais_settlement_is_item(s, version);
    return version->role == RELAIS_ROLE_CURRENT && output == NULL;
}

bool relais_settlement_write_versions(const relais_settlement *s, relais_error *err)
{
    relais_arena *arena = s->work->settle;
    relais_version_update *updates = relais_arena_alloc(arena, s->count * sizeof *updates);
    size_t count = 0;

    if (updates == NULL)
        return relais_arena_error(arena, err);
    for (size_t i = 0; i < s->count; i++) {
        relais_version *version = &s->versions[i];
        relais_version_update *update = &updates[count];
        if (is_kept(s, version, s->outputs[i]))
            continue;
        memset(update, 0, sizeof *update);
        update->sub_id = version->sub_id;
        update->record = version->root;
        if (!(s->outputs[i] != NULL ? fill_loaded(s, i, update, err)
                                    : fill_resting(s, version, update, err)))
            return false;
        version->state = update->state;
        if (!is_unchanged(s, version, update))
            count++;
    }
    return relais_versions_update(s->work->store, &s->work->params, updates, count, err);
}
