/*
 * Settling records. See settle.h.
 *
 * The transaction is tried until nothing in it is refused: a version whose rows the database
 * or the mapping refuses is marked, the chain is resolved again with that version waiting,
 * and the one before it stays current. So the outcome depends on what is known, not on the
 * order in which it came.
 */
#include "store/settle.h"

#include "base/log.h"
#include "store/ledger.h"
#include "store/settlement.h"

#include <limits.h>
#include <string.h>

const relais_mark *relais_settlement_mark(const relais_settlement *s, const char *sub_id)
{
    for (size_t i = 0; i < s->mark_count; i++)
        if (strcmp(s->marks[i].sub_id, sub_id) == 0)
            return &s->marks[i];
    return NULL;
}

bool relais_settlement_is_item(const relais_settlement *s, const relais_version *version)
{
    return s->item != NULL && strcmp(version->sub_id, s->item->sub_id) == 0;
}

bool relais_settlement_is_asked(const relais_settlement *s, const relais_version *version)
{
    return s->asked != NULL && strcmp(version->sub_id, s->asked) == 0;
}

bool relais_settlement_add_mark(relais_settlement *s, const char *sub_id, relais_state state,
                                const relais_refusal *refusal, relais_error *err)
{
    relais_mark *mark;

    if (s->mark_count == RELAIS_MARKS_MAX)
        return relais_error_set(err, RELAIS_ERR_LIMIT,
                                "more than %d versions of one record are refused",
                                RELAIS_MARKS_MAX);
    mark = &s->marks[s->mark_count++];
    snprintf(mark->sub_id, sizeof mark->sub_id, "%s", sub_id);
    mark->state = state;
    mark->reason = refusal->reason;
    mark->missing = refusal->missing;
    return true;
}

/* The item, or what a replay asks for, is tried whatever its state was. */
static void judge_version(const relais_settlement *s, relais_version *version)
{
    const relais_mark *mark = relais_settlement_mark(s, version->sub_id);

    if (s->choice != NULL && relais_settlement_is_asked(s, version))
        version->choice = LLONG_MAX;
    if (mark != NULL)
        version->state = mark->state;
    else if ((relais_settlement_is_item(s, version) || relais_settlement_is_asked(s, version)) &&
             version->state == RELAIS_STATE_QUARANTINED)
        version->state = RELAIS_STATE_SUPERSEDED;
    version->is_suspect = version->state == RELAIS_STATE_QUARANTINED;
    version->is_loadable = mark == NULL && version->state != RELAIS_STATE_QUARANTINED &&
                           version->state != RELAIS_STATE_ERASED;
}

static void judge_versions(const relais_settlement *s)
{
    for (size_t i = 0; i < s->count; i++)
        judge_version(s, &s->versions[i]);
    relais_chain_resolve(s->versions, s->count);
}

static const relais_version *find_own(const relais_settlement *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (relais_settlement_is_item(s, &s->versions[i]))
            return &s->versions[i];
    return NULL;
}

/* The same XML was dealt with before: whatever the mapping says of it today, it is there. */
static bool is_duplicate(const relais_settlement *s)
{
    const relais_version *own = s->is_new ? NULL : find_own(s);

    return own != NULL && own->awaited == NULL && own->ledger_state != RELAIS_STATE_QUARANTINED &&
           own->ledger_state != RELAIS_STATE_HELD;
}

static relais_try rewrite_records(relais_settlement *s, relais_error *err)
{
    relais_try outcome = RELAIS_TRY_DONE;

    for (size_t i = 0; i < s->count && outcome == RELAIS_TRY_DONE; i++) {
        bool is_first = true;
        for (size_t other = 0; other < i && is_first; other++)
            is_first = strcmp(s->versions[other].root, s->versions[i].root) != 0;
        if (is_first)
            outcome = relais_record_rewrite(s, s->versions[i].root, err);
    }
    return outcome;
}

/* After the versions were written: by then they know their record. */
static bool share_files(const relais_settlement *s, relais_error *err)
{
    relais_work *work = s->work;

    return s->item == NULL || s->item->file_count == 0 ||
           relais_ledger_share_files(work->store, &work->params, &s->item, 1, err);
}

/* ---- the transaction -------------------------------------------------------------------- */

static relais_state first_state(const relais_settlement *s)
{
    const relais_mark *mark = relais_settlement_mark(s, s->item->sub_id);

    return mark == NULL ? RELAIS_STATE_SUPERSEDED : mark->state;
}

static bool read_versions(relais_settlement *s, bool *is_buried, relais_error *err)
{
    relais_work *work = s->work;

    if (!relais_versions_read(work->store, &work->params, s->form_id, s->instance_id, work->settle,
                              &s->versions, &s->count, is_buried, err))
        return false;
    for (size_t i = 0; i < s->count; i++)
        *is_buried = *is_buried || s->versions[i].ledger_state == RELAIS_STATE_ERASED;
    s->outputs = relais_arena_alloc(work->settle, s->count * sizeof *s->outputs);
    s->made_by = relais_arena_alloc(work->settle, s->count * sizeof *s->made_by);
    return (s->outputs != NULL && s->made_by != NULL) || relais_arena_error(work->settle, err);
}

static bool begin_try(relais_settlement *s, bool *is_buried, relais_error *err)
{
    relais_work *work = s->work;

    s->is_new = false;
    s->loaded = NULL;
    s->refused_shape = RELAIS_NO_SHAPE;
    if (!relais_versions_begin(work->store, &work->params, s->form_id, err))
        return false;
    if (s->item != NULL &&
        !relais_versions_add(work->store, &work->params, s->item, first_state(s), &s->is_new, err))
        return false;
    return read_versions(s, is_buried, err);
}

static bool keeps_files(const relais_settlement *s)
{
    return s->item == NULL || first_state(s) != RELAIS_STATE_QUARANTINED;
}

/* What an envelope says inside of the version that it replaces. It waits for nothing any more. */
static relais_try note_replaced(relais_settlement *s, const char *deprecated, relais_error *err)
{
    relais_work *work = s->work;
    bool is_buried = false;

    if (deprecated[0] != '\0' &&
        (!relais_versions_replaces(work->store, &work->params, s->item->sub_id, deprecated, err) ||
         !read_versions(s, &is_buried, err)))
        return RELAIS_TRY_FAILED;
    for (size_t i = 0; i < s->count; i++)
        if (relais_settlement_is_item(s, &s->versions[i]))
            s->versions[i].awaited = NULL;
    return is_buried ? RELAIS_TRY_BURIED : RELAIS_TRY_DONE;
}

/* Opens an envelope with all files that have come: it waits for the others, or is refused, or its
 * place among the record's versions is known. */
static relais_try open_envelope(relais_settlement *s, relais_error *err)
{
    const char *deprecated;
    relais_refusal refusal;
    bool is_open;

    if (!relais_settlement_copy_files(s, err) ||
        !relais_settlement_open(s, &is_open, &deprecated, &refusal, err))
        return RELAIS_TRY_FAILED;
    if (is_open)
        return note_replaced(s, deprecated, err);
    if (!relais_settlement_add_mark(s, s->item->sub_id,
                                    refusal.is_held ? RELAIS_STATE_HELD : RELAIS_STATE_QUARANTINED,
                                    &refusal, err))
        return RELAIS_TRY_FAILED;
    if (refusal.is_held)
        return RELAIS_TRY_DONE;
    relais_pg_rollback(s->work->store); /* its files go to the quarantine */
    return RELAIS_TRY_MARKED;
}

static bool is_to_be_opened(const relais_settlement *s)
{
    return s->item != NULL && s->item->is_envelope && s->binding != NULL &&
           relais_settlement_mark(s, s->item->sub_id) == NULL;
}

/* COMMIT is where deferred constraints speak. */
static relais_try commit_try(relais_settlement *s, relais_error *err)
{
    relais_error why = {0};

    if (relais_pg_run(s->work->store, RELAIS_SQL_COMMIT, &why))
        return RELAIS_TRY_DONE;
    if (s->binding != NULL && why.code == RELAIS_ERR_DATA)
        return relais_record_refused(s, &why, err);
    *err = why;
    return RELAIS_TRY_FAILED;
}

static relais_try finish_duplicate(relais_settlement *s, relais_error *err)
{
    relais_work *work = s->work;
    const relais_version *own = find_own(s);

    s->item->verdict = RELAIS_VERDICT_DUPLICATE;
    s->item->is_partial = own->ledger_state == RELAIS_STATE_PARTIAL;
    if (!relais_settlement_copy_files(s, err) ||
        !relais_ledger_complete(work->store, &work->params, &s->item, 1, work->settle, err) ||
        !share_files(s, err))
        return RELAIS_TRY_FAILED;
    return commit_try(s, err);
}

static relais_try try_settle(relais_settlement *s, relais_error *err)
{
    bool is_buried = false, is_copied;
    relais_try outcome;

    if (!begin_try(s, &is_buried, err))
        return RELAIS_TRY_FAILED;
    if (is_buried)
        return RELAIS_TRY_BURIED;
    if (is_duplicate(s))
        return finish_duplicate(s, err);
    is_copied = is_to_be_opened(s);
    if (is_copied) {
        outcome = open_envelope(s, err);
        if (outcome != RELAIS_TRY_DONE)
            return outcome;
    }
    judge_versions(s);
    outcome = relais_settlement_judge_choice(s);
    if (outcome != RELAIS_TRY_DONE)
        return outcome;
    if (s->binding != NULL) {
        outcome = rewrite_records(s, err);
        if (outcome != RELAIS_TRY_DONE)
            return outcome;
    }
    if (!is_copied && keeps_files(s) && !relais_settlement_copy_files(s, err))
        return RELAIS_TRY_FAILED;
    if (!relais_settlement_write_versions(s, err) ||
        (s->binding != NULL && !relais_settlement_keep(s, err)) ||
        !relais_settlement_note_choice(s, err) || !share_files(s, err))
        return RELAIS_TRY_FAILED;
    return commit_try(s, err);
}

/* What a replay asks for and is refused ends it: the record stays as it is. */
static bool is_refused(const relais_settlement *s)
{
    return s->asked != NULL && relais_settlement_mark(s, s->asked) != NULL;
}

static relais_try settle(relais_settlement *s, relais_error *err)
{
    relais_try outcome = RELAIS_TRY_MARKED;

    while (outcome == RELAIS_TRY_MARKED && !is_refused(s))
        outcome = try_settle(s, err);
    relais_pg_rollback(s->work->store); /* nothing after a commit */
    if (outcome == RELAIS_TRY_FAILED)
        relais_ledger_excuse(&s->work->store->fault, err);
    return outcome;
}

/* ---- a parcel --------------------------------------------------------------------------- */

static void conclude(relais_settlement *s)
{
    relais_item *item = s->item;
    relais_forwarder_counts *counts = s->work->counts;
    const relais_mark *mark = relais_settlement_mark(s, item->sub_id);
    const relais_version *own = find_own(s);

    if (item->verdict == RELAIS_VERDICT_DUPLICATE) {
        item->verdict = RELAIS_VERDICT_DONE;
        counts->duplicates++;
        return;
    }
    if (mark != NULL)
        item->reason = mark->reason;
    if (own != NULL && own->state == RELAIS_STATE_QUARANTINED) {
        item->verdict = RELAIS_VERDICT_REFUSED;
        return;
    }
    item->verdict = RELAIS_VERDICT_DONE;
    if (mark != NULL && mark->missing != NULL) {
        item->is_waiting = true;
        counts->held++;
        return;
    }
    if (own != NULL && own->state == RELAIS_STATE_HELD) {
        item->is_held = true;
        counts->held++;
        return;
    }
    counts->delivered++;
    s->work->has_delivered = true;
    if (s->binding != NULL)
        relais_binding_resume(s->binding);
}

static bool explain(const relais_error *why, relais_reason *reason, relais_arena *arena,
                    relais_error *err)
{
    reason->class_word = relais_error_word(why->code);
    reason->text = relais_arena_text(arena, why->text);
    return reason->text != NULL || relais_arena_error(arena, err);
}

/* What neither the ledger nor the record can take is quarantined without a ledger row; what a
 * machine cannot do now stays where it is. */
static bool blame_item(relais_item *item, const relais_error *why, relais_arena *arena,
                       relais_error *err)
{
    switch (relais_blame_of(why)) {
    case RELAIS_BLAME_DATA:
        item->verdict = RELAIS_VERDICT_REFUSED;
        return explain(why, &item->reason, arena, err);
    case RELAIS_BLAME_MACHINE:
        item->verdict = RELAIS_VERDICT_NONE;
        relais_item_log_later(item, why);
        return true;
    case RELAIS_BLAME_ALL:
        break;
    }
    *err = *why;
    return false;
}

bool relais_settle_item(relais_work *work, relais_item *item, relais_error *err)
{
    relais_settlement s = {.work = work,
                           .item = item,
                           .form_id = item->form_id,
                           .instance_id = item->instance_id,
                           .binding = item->binding};
    const relais_refusal refusal = {.reason = item->reason, .is_held = item->is_held};
    relais_error why = {0};

    if (item->binding != NULL && relais_binding_is_stopped(item->binding))
        return true;
    relais_arena_reset(work->settle);
    if (item->verdict == RELAIS_VERDICT_REFUSED &&
        !relais_settlement_add_mark(&s, item->sub_id,
                                    item->is_held ? RELAIS_STATE_HELD : RELAIS_STATE_QUARANTINED,
                                    &refusal, err))
        return false;
    switch (settle(&s, &why)) {
    case RELAIS_TRY_DONE:
        conclude(&s);
        return true;
    case RELAIS_TRY_BURIED:
        item->verdict = RELAIS_VERDICT_BURIED;
        return true;
    case RELAIS_TRY_STOPPED:
        return true;
    default:
        return blame_item(item, &why, work->batch, err);
    }
}

/* ---- a version of the ledger, once more ------------------------------------------------------ */

/* False when the form has no mapping that can be used now. */
static bool begin_ledgers(relais_settlement *s)
{
    bool unsure;

    s->binding = relais_mappings_find(s->work->mappings, s->form_id, &unsure);
    if (s->binding == NULL || relais_binding_is_stopped(s->binding))
        return false;
    relais_arena_reset(s->work->settle);
    return true;
}

bool relais_settle_again(relais_work *work, const relais_asked *asked, relais_again *outcome,
                         relais_reason *reason, relais_error *err)
{
    relais_settlement s = {.work = work,
                           .form_id = asked->form_id,
                           .instance_id = asked->instance_id,
                           .asked = asked->sub_id,
                           .key = asked->key,
                           .choice = asked->choice};
    relais_error why = {0};

    *outcome = RELAIS_AGAIN_STOPPED;
    if (!begin_ledgers(&s))
        return true;
    switch (settle(&s, &why)) {
    case RELAIS_TRY_FAILED:
        if (relais_blame_of(&why) != RELAIS_BLAME_DATA) {
            *err = why;
            return false;
        }
        *outcome = RELAIS_AGAIN_REFUSED;
        relais_reason_init(reason);
        return explain(&why, reason, work->settle, err);
    case RELAIS_TRY_DONE:
        *outcome = RELAIS_AGAIN_DONE;
        return true;
    case RELAIS_TRY_BURIED:
        *outcome = RELAIS_AGAIN_GONE;
        return true;
    case RELAIS_TRY_SAME:
        *outcome = RELAIS_AGAIN_SAME;
        return true;
    case RELAIS_TRY_BESIDE:
        *outcome = RELAIS_AGAIN_BESIDE;
        return true;
    case RELAIS_TRY_MARKED:
        *outcome = RELAIS_AGAIN_REFUSED;
        *reason = relais_settlement_mark(&s, asked->sub_id)->reason;
        return true;
    default:
        return true;
    }
}

/* ---- what is held ----------------------------------------------------------------------- */

/* What is one record's fault, or too much for a machine now, holds up no other. */
static bool leave_held(const relais_settlement *s, const char *sub_id, const relais_error *why,
                       relais_error *err)
{
    char text[1024];

    if (relais_blame_of(why) == RELAIS_BLAME_ALL) {
        *err = *why;
        return false;
    }
    relais_log(RELAIS_LOG_ERROR, "held.later", "submission", sub_id, "form", s->form_id, "text",
               relais_error_format(why, text, sizeof text), NULL);
    return true;
}

static void note_delivered(const relais_settlement *s, const char *sub_id, size_t *progress)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->versions[i].sub_id, sub_id) == 0 &&
            relais_settlement_mark(s, sub_id) == NULL) {
            relais_log(RELAIS_LOG_INFO, "held.delivered", "submission", sub_id, "form", s->form_id,
                       NULL);
            ++*progress;
        }
}

static bool settle_held_version(relais_work *work, const char *sub_id, const char *form_id,
                                const char *instance_id, size_t *progress, relais_error *err)
{
    relais_settlement s = {.work = work, .form_id = form_id, .instance_id = instance_id};
    relais_error why = {0};

    if (!begin_ledgers(&s))
        return true;
    switch (settle(&s, &why)) {
    case RELAIS_TRY_FAILED:
        return leave_held(&s, sub_id, &why, err);
    case RELAIS_TRY_DONE:
        note_delivered(&s, sub_id, progress);
        return true;
    default:
        return true;
    }
}

static void begin_round(relais_held_round *round)
{
    round->is_open = true;
    snprintf(round->received, sizeof round->received, "-infinity");
    snprintf(round->sub_id, sizeof round->sub_id, "00000000-0000-0000-0000-000000000000");
}

bool relais_settle_held(relais_work *work, relais_held_round *round, size_t *progress,
                        relais_error *err)
{
    enum { H_SUB_ID, H_FORM, H_INSTANCE, H_RECEIVED };
    PGresult *rows;
    bool ok = true;

    *progress = 0;
    if (!round->is_open)
        begin_round(round);
    if (!relais_versions_held(work->store, &work->params, round->received, round->sub_id, &rows,
                              err))
        return false;
    round->is_open = PQntuples(rows) == RELAIS_HELD_PAGE;
    for (int i = 0; i < PQntuples(rows) && ok; i++) {
        ok = settle_held_version(work, PQgetvalue(rows, i, H_SUB_ID), PQgetvalue(rows, i, H_FORM),
                                 PQgetvalue(rows, i, H_INSTANCE), progress, err);
        snprintf(round->received, sizeof round->received, "%s", PQgetvalue(rows, i, H_RECEIVED));
        snprintf(round->sub_id, sizeof round->sub_id, "%s", PQgetvalue(rows, i, H_SUB_ID));
    }
    PQclear(rows);
    return ok;
}
