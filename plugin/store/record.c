/*
 * The rows of one record: evaluating versions, and replacing what stood by what shall stand.
 * See settlement.h.
 */
#include "store/settlement.h"

#include "base/text.h"
#include "store/evaluated.h"

#include <string.h>

/* One record of the settlement: the versions that share a root. */
struct record {
    const char *root;
    const relais_version *current; /* NULL: none can be */
    size_t current_index;
    const relais_output **before;
    size_t before_count;
    const char **sub_ids;
    size_t sub_id_count;
    bool is_sweeping;
    bool is_changed;
};

static bool is_kept(const relais_version *version)
{
    return version->role == RELAIS_ROLE_CURRENT && relais_state_is_current(version->ledger_state) &&
           strcmp(version->record, version->root) == 0;
}

/* Finds the record's current version and whether its rows must be written again. */
static bool survey_record(const relais_settlement *s, const char *root, struct record *record,
                          relais_error *err)
{
    relais_arena *arena = s->work->settle;

    memset(record, 0, sizeof *record);
    record->root = root;
    record->before = relais_arena_alloc(arena, s->count * sizeof *record->before);
    record->sub_ids = relais_arena_alloc(arena, s->count * sizeof *record->sub_ids);
    if (record->before == NULL || record->sub_ids == NULL)
        return relais_arena_error(arena, err);
    for (size_t i = 0; i < s->count; i++) {
        const relais_version *version = &s->versions[i];
        if (strcmp(version->root, root) != 0)
            continue;
        record->sub_ids[record->sub_id_count++] = version->sub_id;
        if (version->role == RELAIS_ROLE_CURRENT) {
            record->current = version;
            record->current_index = i;
        }
        record->is_changed = record->is_changed ||
                             (relais_settlement_is_asked(s, version) && s->choice == NULL) ||
                             is_kept(version) != (version->role == RELAIS_ROLE_CURRENT ||
                                                  relais_state_is_current(version->ledger_state));
    }
    return true;
}

/* What the version had made and an edit takes away, from its trace: the rest is swept. */
static bool read_trace(const relais_settlement *s, const relais_version *version,
                       relais_output **out, relais_error *err)
{
    relais_work *work = s->work;
    relais_output *output = relais_arena_alloc(work->settle, sizeof *output);
    const char *json;

    *out = NULL;
    if (output == NULL)
        return relais_arena_error(work->settle, err);
    if (!relais_evaluated_trace(work->store, &work->params, version->sub_id, work->settle, &json,
                                err))
        return false;
    if (json == NULL)
        return true;
    *out = output;
    return relais_trace_read(&s->binding->statements, json, work->settle, output, err);
}

static bool evaluate_plain(const relais_settlement *s, const relais_version *version,
                           relais_output **out, relais_error *err)
{
    relais_refusal ignored;
    const uint8_t *made_by;

    return relais_settlement_evaluate(s, version, version->record, out, &made_by, &ignored, err);
}

/* What the versions that were current had made, by the names they were delivered under. */
static bool evaluate_before(const relais_settlement *s, struct record *record, relais_error *err)
{
    for (size_t i = 0; i < s->count; i++) {
        const relais_version *version = &s->versions[i];
        relais_output *output;
        if (strcmp(version->root, record->root) != 0 ||
            !relais_state_is_current(version->ledger_state))
            continue;
        if (!(version->is_sealed ? read_trace(s, version, &output, err)
                                 : evaluate_plain(s, version, &output, err)))
            return false;
        if (output != NULL)
            record->before[record->before_count++] = output;
        record->is_sweeping = record->is_sweeping || version->is_sealed || output == NULL;
    }
    return true;
}

/* True also when the rows that stand were made by another mapping than the present one. */
static bool find_older_mapping(const relais_settlement *s, struct record *record, relais_error *err)
{
    relais_params *params = &s->work->params;
    char hex[2 * RELAIS_SHA256_SIZE + 3] = "\\x";
    PGresult *rows;

    relais_hex(relais_mapping_sha256(s->binding->mapping), RELAIS_SHA256_SIZE, hex + 2);
    relais_params_reset(params);
    relais_params_text_array(params);
    for (size_t i = 0; i < record->sub_id_count; i++)
        relais_params_add_text(params, 0, record->sub_ids[i]);
    relais_params_text(params, hex);
    if (!relais_pg_call(s->work->store, relais_versions_older_sql, params, &rows, err))
        return false;
    record->is_sweeping = record->is_sweeping || PQntuples(rows) > 0;
    PQclear(rows);
    return true;
}

static bool queue_rows(const relais_settlement *s, const struct record *record,
                       const relais_output *after, relais_error *err)
{
    relais_work *work = s->work;
    relais_rows_change change = {
        .before = record->before,
        .before_count = record->before_count,
        .after = after,
        .versions = record->sub_ids,
        .version_count = record->sub_id_count,
        .is_sweeping = record->is_sweeping,
    };

    return relais_rows_remove(work->store, &work->params, &s->binding->statements, &change,
                              &work->log, err) &&
           (after == NULL ||
            relais_rows_insert(work->store, &work->params, &s->binding->statements, &after, 1,
                               record->sub_ids, record->sub_id_count, &work->log, err));
}

static bool load_rows(relais_settlement *s, const struct record *record, const relais_output *after,
                      relais_error *err)
{
    relais_work *work = s->work;
    size_t failed;
    bool ok;

    work->log.count = 0;
    if (!relais_rows_prepare_removal(work->store, &s->binding->statements, err) ||
        !relais_pipe_begin(work->store, err))
        return false;
    ok = queue_rows(s, record, after, err);
    if (!relais_pipe_collect(work->store, NULL, 0, &failed, err))
        ok = false;
    if (!ok && failed < work->log.count)
        s->refused_shape = work->log.sent[failed].shape;
    return ok;
}

/* Only a version whose parcel is in hand can go to the quarantine; others are held. */
static bool mark_version(relais_settlement *s, const relais_version *version,
                         const relais_refusal *refusal, relais_error *err)
{
    bool is_quarantined = relais_settlement_is_item(s, version) && !refusal->is_held;

    return relais_settlement_add_mark(s, version->sub_id,
                                      is_quarantined ? RELAIS_STATE_QUARANTINED : RELAIS_STATE_HELD,
                                      refusal, err);
}

relais_try relais_record_refused(relais_settlement *s, const relais_error *why, relais_error *err)
{
    relais_work *work = s->work;
    relais_fault fault = work->store->fault;
    relais_attempt attempt = {s->form_id, &s->binding->statements, s->refused_shape,
                              s->loaded_output};
    relais_refusal refusal;

    relais_pg_rollback(work->store); /* the catalogue cannot be asked inside it */
    if (why->code == RELAIS_ERR_DATABASE || relais_fault_is_lock(why)) {
        relais_binding_stop(s->binding, why);
        return RELAIS_TRY_STOPPED;
    }
    if (why->code != RELAIS_ERR_DATA || s->loaded == NULL) {
        *err = *why;
        return RELAIS_TRY_FAILED;
    }
    if (!relais_refusal_explain(work->store, &work->params, &fault, why, &attempt, work->settle,
                                &refusal, err) ||
        !mark_version(s, s->loaded, &refusal, err))
        return RELAIS_TRY_FAILED;
    return RELAIS_TRY_MARKED;
}

relais_try relais_record_rewrite(relais_settlement *s, const char *root, relais_error *err)
{
    struct record record;
    relais_output *after = NULL;
    relais_refusal refusal;
    relais_error why = {0};

    if (!survey_record(s, root, &record, err))
        return RELAIS_TRY_FAILED;
    if (!record.is_changed)
        return RELAIS_TRY_DONE;
    if (record.current != NULL) {
        if (!relais_settlement_evaluate(s, record.current, root, &after,
                                        &s->made_by[record.current_index], &refusal, err))
            return RELAIS_TRY_FAILED;
        if (after == NULL) {
            relais_pg_rollback(s->work->store);
            return mark_version(s, record.current, &refusal, err) ? RELAIS_TRY_MARKED
                                                                  : RELAIS_TRY_FAILED;
        }
        s->outputs[record.current_index] = after;
    }
    if (!evaluate_before(s, &record, err) || !find_older_mapping(s, &record, err))
        return RELAIS_TRY_FAILED;
    s->loaded = record.current;
    s->loaded_output = after;
    if (load_rows(s, &record, after, &why))
        return RELAIS_TRY_DONE;
    return relais_record_refused(s, &why, err);
}
