/*
 * The rows of one record: evaluating versions, and replacing what stood by what shall stand.
 * See settlement.h.
 */
#include "store/settlement.h"

#include "base/text.h"

#include <string.h>

static bool open_version(const relais_settlement *s, const relais_version *version,
                         relais_stored *stored, relais_error *err)
{
    const relais_item *item = s->item;

    if (!relais_settlement_is_item(s, version))
        return relais_versions_open(s->work->store, &s->work->params, version->sub_id,
                                    s->work->settle, stored, err);
    *stored = (relais_stored){item->version, item->received, item->user,
                              item->device,  item->xml,      item->xml_length};
    return true;
}

static void explain_misfit(const relais_settlement *s, const relais_misfit *misfit,
                           const relais_error *why, relais_refusal *refusal)
{
    relais_arena *arena = s->work->settle;

    memset(refusal, 0, sizeof *refusal);
    relais_reason_init(&refusal->reason);
    refusal->reason.form = s->form_id;
    refusal->reason.class_word = relais_error_word(why->code);
    if (misfit->path != NULL)
        refusal->reason.path = misfit->path;
    if (misfit->column != NULL)
        refusal->reason.column = misfit->column;
    if (misfit->rule != NULL)
        refusal->reason.rule = misfit->rule;
    refusal->is_held = misfit->is_held;
    refusal->reason.text =
        misfit->value_class == NULL
            ? relais_arena_text(arena, why->text)
            : relais_arena_format(arena, "%s : %s", misfit->value_class, misfit->rule);
    if (refusal->reason.text == NULL)
        refusal->reason.text = "";
}

static bool is_versions_fault(const relais_error *why)
{
    return why->code == RELAIS_ERR_DATA || why->code == RELAIS_ERR_SYNTAX ||
           why->code == RELAIS_ERR_LIMIT;
}

/* Evaluates one version under a record's name. *out stays NULL, with `refusal` filled, when
 * the mapping refuses it. */
static bool evaluate(const relais_settlement *s, const relais_version *version, const char *record,
                     relais_output **out, relais_refusal *refusal, relais_error *err)
{
    relais_arena *arena = s->work->settle, *scratch = s->work->scratch;
    relais_stored stored;
    relais_submission submission;
    relais_misfit misfit = {0};
    relais_error why = {0};
    relais_output *output = relais_arena_alloc(arena, sizeof *output);
    int64_t offset;
    relais_facts facts;

    *out = NULL;
    if (output == NULL)
        return relais_arena_error(arena, err);
    if (!open_version(s, version, &stored, err))
        return false;
    relais_arena_reset(scratch);
    if (stored.xml == NULL) {
        relais_error_set(&why, RELAIS_ERR_DATA, "the version's answers were erased");
        explain_misfit(s, &misfit, &why, refusal);
        return true;
    }
    facts = (relais_facts){version->sub_id, record,          version->instance, s->form_id,
                           stored.version,  stored.received, stored.user,       stored.device};
    if (relais_submission_parse(stored.xml, stored.xml_length, scratch, &submission, &offset,
                                &why) &&
        relais_mapping_run(s->binding->mapping, &submission, &facts,
                           relais_store_target(s->work->store), arena, output, &misfit, &why)) {
        *out = output;
        return true;
    }
    if (!is_versions_fault(&why)) {
        *err = why;
        return false;
    }
    explain_misfit(s, &misfit, &why, refusal);
    return true;
}

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
                             is_kept(version) != (version->role == RELAIS_ROLE_CURRENT ||
                                                  relais_state_is_current(version->ledger_state));
    }
    return true;
}

/* What the versions that were current had made, by the names they were delivered under. */
static bool evaluate_before(const relais_settlement *s, struct record *record, relais_error *err)
{
    for (size_t i = 0; i < s->count; i++) {
        const relais_version *version = &s->versions[i];
        relais_refusal ignored;
        relais_output *output;
        if (strcmp(version->root, record->root) != 0 ||
            !relais_state_is_current(version->ledger_state))
            continue;
        if (!evaluate(s, version, version->record, &output, &ignored, err))
            return false;
        if (output != NULL)
            record->before[record->before_count++] = output;
        else
            record->is_sweeping = true;
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
                                      &refusal->reason, err);
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
        if (!evaluate(s, record.current, root, &after, &refusal, err))
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
