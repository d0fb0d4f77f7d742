/*
 * Filling and delivering batches. See batch.h.
 *
 * The fast path is two pipelines a transaction: the ledger's insert, which says for each
 * submission whether it is new, and the rows of the new ones. A batch that the database
 * refuses for one submission's data is halved until that one stands alone.
 */
#include "store/batch.h"

#include "base/log.h"
#include "store/aside.h"
#include "store/attachments.h"
#include "store/incident.h"
#include "store/ledger.h"
#include "store/refusal.h"
#include "store/settle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool relais_batch_init(relais_batch *batch, size_t capacity, relais_error *err)
{
    memset(batch, 0, sizeof *batch);
    batch->capacity = capacity;
    batch->items = calloc(capacity, sizeof *batch->items);
    batch->fast = calloc(capacity, sizeof(relais_item *));
    if (batch->items != NULL && batch->fast != NULL)
        return true;
    relais_batch_free(batch);
    return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for a batch of %zu parcels",
                            capacity);
}

void relais_batch_free(relais_batch *batch)
{
    free(batch->items);
    free(batch->fast);
    memset(batch, 0, sizeof *batch);
}

/* ---- filling ---------------------------------------------------------------------------- */

/* Two versions of one record must not meet in one statement. */
static bool meets_itself(const relais_batch *batch, const relais_item *item)
{
    for (size_t i = 0; i < batch->count; i++) {
        const relais_item *other = &batch->items[i];
        if (other->is_parsed && item->is_parsed &&
            strcmp(other->instance_id, item->instance_id) == 0 &&
            strcmp(other->form_id, item->form_id) == 0)
            return true;
    }
    return false;
}

/* What does not even fit in an empty batch will never do. */
static void refuse_size(relais_item *item, const relais_spool_entry *entry)
{
    memset(item, 0, sizeof *item);
    item->entry = *entry;
    relais_reason_init(&item->reason);
    item->verdict = RELAIS_VERDICT_REFUSED;
    item->reason.class_word = relais_error_word(RELAIS_ERR_LIMIT);
    item->reason.text = "the rows of this submission need more memory than a batch may take";
}

/* Adds one parcel; *is_full when it must wait for the next batch. */
static bool add_parcel(relais_work *work, relais_batch *batch, const relais_reader *reader,
                       const relais_spool_entry *entry, bool *is_full, relais_error *err)
{
    relais_item *item = &batch->items[batch->count];
    relais_error why = {0};

    switch (relais_item_read(reader, entry, work->batch, item, &why)) {
    case RELAIS_READ_ITEM:
        *is_full = meets_itself(batch, item);
        if (*is_full)
            return true;
        batch->xml_bytes += item->xml_length;
        batch->count++;
        return true;
    case RELAIS_READ_FAILED:
        if (why.code == RELAIS_ERR_SYSTEM) { /* the disk does not give it up; the others go on */
            relais_item_log_later(item, &why);
            return true;
        }
        if (why.code != RELAIS_ERR_LIMIT) {
            *err = why;
            return false;
        }
        *is_full = batch->count > 0;
        if (!*is_full) {
            refuse_size(item, entry);
            batch->count++;
        }
        return true;
    default:
        return true;
    }
}

bool relais_batch_fill(relais_work *work, relais_batch *batch, const relais_spool_entry *entries,
                       size_t count, size_t *next, relais_error *err)
{
    relais_reader reader = {work->spool, work->mappings, relais_store_target(work->store),
                            work->scratch};
    bool is_full = false;

    relais_arena_reset(work->batch);
    batch->count = 0;
    batch->xml_bytes = 0;
    while (*next < count && batch->count < batch->capacity &&
           batch->xml_bytes < RELAIS_BATCH_XML_MAX) {
        if (!add_parcel(work, batch, &reader, &entries[*next], &is_full, err))
            return false;
        if (is_full)
            break;
        ++*next;
    }
    relais_arena_reset(work->scratch); /* closes the last parcel */
    return true;
}

/* ---- the fast path ---------------------------------------------------------------------- */

/* Where in a transaction something was refused. */
struct refusal_place {
    const relais_statements *statements; /* NULL: in the ledger's own statements */
    size_t shape;
};

static bool queue_plain(relais_work *work, const char *sql, relais_error *err)
{
    const char *name;

    relais_params_reset(&work->params);
    return relais_pg_prepare(work->store, sql, &name, err) &&
           relais_pipe_queue(work->store, name, &work->params, err);
}

static bool prepare_ledger(relais_work *work, const char **insert, relais_error *err)
{
    const char *name;

    return relais_pg_prepare(work->store, relais_ledger_insert_sql, insert, err) &&
           relais_pg_prepare(work->store, RELAIS_SQL_BEGIN, &name, err) &&
           relais_pg_prepare(work->store, RELAIS_SQL_COMMIT, &name, err);
}

/* BEGIN and the ledger's insert; afterwards every item has its verdict. */
static bool insert_ledger(relais_work *work, relais_item **items, size_t count, relais_error *err)
{
    PGresult *results[2];
    const char *insert;
    size_t failed;
    bool ok;

    if (!prepare_ledger(work, &insert, err) || !relais_pipe_begin(work->store, err))
        return false;
    ok = queue_plain(work, RELAIS_SQL_BEGIN, err);
    if (ok) {
        relais_ledger_insert_params(&work->params, items, count, work->batch);
        ok = relais_pipe_queue(work->store, insert, &work->params, err);
    }
    if (!relais_pipe_collect(work->store, results, 2, &failed, err))
        ok = false;
    ok = ok && relais_ledger_insert_verdicts(results[1], items, count, err);
    PQclear(results[0]);
    PQclear(results[1]);
    return ok;
}

static bool is_first_of_form(relais_item **items, size_t i)
{
    for (size_t other = 0; other < i; other++)
        if (items[other]->binding == items[i]->binding)
            return false;
    return true;
}

/* The rows of all new submissions of one form. */
static bool queue_form(relais_work *work, relais_item **items, size_t count,
                       const relais_binding *binding, relais_error *err)
{
    const relais_output **outputs = relais_arena_alloc(work->batch, count * sizeof *outputs);
    size_t fresh = 0;

    if (outputs == NULL)
        return relais_arena_error(work->batch, err);
    for (size_t i = 0; i < count; i++)
        if (items[i]->binding == binding && items[i]->verdict == RELAIS_VERDICT_FRESH)
            outputs[fresh++] = &items[i]->output;
    return fresh == 0 || relais_rows_insert(work->store, &work->params, &binding->statements,
                                            outputs, fresh, NULL, 0, &work->log, err);
}

/* All rows and, when nothing else follows, the COMMIT in the same round trip. */
static bool insert_rows(relais_work *work, relais_item **items, size_t count, bool commit,
                        struct refusal_place *place, relais_error *err)
{
    size_t failed;
    bool ok = true;

    work->log.count = 0;
    if (!relais_pipe_begin(work->store, err))
        return false;
    for (size_t i = 0; i < count && ok; i++)
        if (is_first_of_form(items, i))
            ok = queue_form(work, items, count, items[i]->binding, err);
    if (ok && commit)
        ok = queue_plain(work, RELAIS_SQL_COMMIT, err);
    if (!relais_pipe_collect(work->store, NULL, 0, &failed, err)) {
        ok = false;
        if (failed < work->log.count) {
            place->statements = work->log.sent[failed].statements;
            place->shape = work->log.sent[failed].shape;
        }
    }
    return ok;
}

static bool has_files(const relais_item *item)
{
    return item->file_count > 0 &&
           (item->verdict == RELAIS_VERDICT_FRESH || item->verdict == RELAIS_VERDICT_DUPLICATE);
}

/* Files of the new ones, and of the duplicates what is not there yet. */
static bool copy_files(relais_work *work, relais_item **items, size_t count, relais_error *err)
{
    relais_item **with = relais_arena_alloc(work->batch, 2 * count * sizeof(relais_item *));
    relais_item **again;
    size_t with_count = 0, again_count = 0;

    if (with == NULL)
        return relais_arena_error(work->batch, err);
    again = with + count;
    for (size_t i = 0; i < count; i++) {
        if (!has_files(items[i]))
            continue;
        with[with_count++] = items[i];
        if (items[i]->verdict == RELAIS_VERDICT_DUPLICATE)
            again[again_count++] = items[i];
    }
    if (again_count > 0 &&
        !relais_ledger_compare_files(work->store, &work->params, again, again_count, err))
        return false;
    if (!relais_attachments_copy(work->store, work->spool, with, with_count, work->scratch, err))
        return false;
    return again_count == 0 ||
           (relais_ledger_complete(work->store, &work->params, again, again_count, work->batch,
                                   err) &&
            relais_ledger_share_files(work->store, &work->params, again, again_count, err));
}

/* One transaction. On failure nothing of it stands. */
static bool load(relais_work *work, relais_item **items, size_t count, struct refusal_place *place,
                 relais_error *err)
{
    bool any_files = false;

    *place = (struct refusal_place){NULL, RELAIS_NO_SHAPE};
    memset(&work->store->fault, 0, sizeof work->store->fault);
    if (!insert_ledger(work, items, count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        any_files = any_files || has_files(items[i]);
    if (!insert_rows(work, items, count, !any_files, place, err))
        return false;
    return !any_files || (copy_files(work, items, count, err) &&
                          relais_pg_run(work->store, RELAIS_SQL_COMMIT, err));
}

/* What stands now: new ones and duplicates are done, the rest is for settle.c. */
static void conclude(relais_work *work, relais_item **items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        relais_item *item = items[i];
        if (item->verdict == RELAIS_VERDICT_FRESH) {
            work->counts->delivered++;
            work->has_delivered = true;
            relais_binding_resume(item->binding);
            relais_log(RELAIS_LOG_DEBUG, "parcel.delivered", "parcel", item->entry.name, "form",
                       item->form_id, "submission", item->sub_id, NULL);
        } else if (item->verdict == RELAIS_VERDICT_DUPLICATE) {
            work->counts->duplicates++;
        } else {
            continue;
        }
        item->verdict = RELAIS_VERDICT_DONE;
    }
}

static bool refuse(relais_work *work, relais_item *item, const struct refusal_place *place,
                   const relais_fault *fault, const relais_error *why, relais_error *err)
{
    relais_attempt attempt = {item->form_id, &item->binding->statements, place->shape,
                              &item->output};
    relais_refusal refusal;

    if (!relais_refusal_explain(work->store, &work->params, fault, why, &attempt, work->batch,
                                &refusal, err))
        return false;
    item->verdict = RELAIS_VERDICT_REFUSED;
    item->is_held = refusal.is_held;
    item->reason = refusal.reason;
    return true;
}

static bool deliver(relais_work *work, relais_item **items, size_t count, relais_error *err);

/* A form whose tables are locked, or not as its mapping needs them, waits; the others go on. */
static bool deliver_others(relais_work *work, relais_item **items, size_t count,
                           const struct refusal_place *place, const relais_error *why,
                           relais_error *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (&items[i]->binding->statements != place->statements)
            items[kept++] = items[i];
        else if (!relais_binding_is_stopped(items[i]->binding))
            relais_binding_stop(items[i]->binding, why);
    }
    return deliver(work, items, kept, err);
}

/* The one that stands alone: refused, or left where it is when only a machine is at fault. */
static bool give_up(relais_work *work, relais_item *item, const struct refusal_place *place,
                    const relais_fault *fault, const relais_error *why, relais_error *err)
{
    if (relais_blame_of(why) == RELAIS_BLAME_DATA)
        return refuse(work, item, place, fault, why, err);
    relais_item_log_later(item, why);
    return true;
}

static bool deliver(relais_work *work, relais_item **items, size_t count, relais_error *err)
{
    relais_error why = {0};
    struct refusal_place place;
    relais_fault fault;

    if (count == 0)
        return true;
    if (load(work, items, count, &place, &why)) {
        conclude(work, items, count);
        return true;
    }
    fault = work->store->fault;
    relais_pg_rollback(work->store);
    for (size_t i = 0; i < count; i++)
        items[i]->verdict = RELAIS_VERDICT_NONE;
    if (place.statements != NULL && (why.code == RELAIS_ERR_DATABASE || relais_fault_is_lock(&why)))
        return deliver_others(work, items, count, &place, &why, err);
    if (relais_ledger_excuse(&fault, &why) || relais_blame_of(&why) == RELAIS_BLAME_ALL) {
        *err = why;
        return false;
    }
    if (count == 1)
        return give_up(work, items[0], &place, &fault, &why, err);
    return deliver(work, items, count / 2, err) &&
           deliver(work, items + count / 2, count - count / 2, err);
}

/* ---- the rest --------------------------------------------------------------------------- */

static void log_refused(const relais_item *item, const char *event)
{
    const relais_reason *reason = &item->reason;
    char offset[24] = "";

    if (reason->offset >= 0)
        snprintf(offset, sizeof offset, "%lld", (long long)reason->offset);
    relais_log(RELAIS_LOG_WARN, event, "parcel", item->entry.name, "form", reason->form,
               "submission", relais_item_id(item), "class", reason->class_word, "path",
               reason->path, "column", reason->column, "rule", reason->rule, "offset", offset,
               NULL);
}

/* False when the database is in the way of telling of an incident. */
static bool quarantine(relais_work *work, const relais_item *item, size_t *removed,
                       relais_error *err)
{
    relais_error why = {0};

    if (item->is_incident && !relais_incident_record(work, item, err))
        return false;
    if (!relais_aside_put(work, item, &why)) {
        relais_item_log_later(item, &why);
        return true;
    }
    work->counts->quarantined++;
    ++*removed;
    log_refused(item, "parcel.quarantined");
    return true;
}

static void remove_parcel(relais_work *work, const relais_item *item, size_t *removed)
{
    relais_error why = {0};

    if (relais_spool_remove(work->spool, &item->entry, &why))
        ++*removed;
    else
        relais_item_log_later(item, &why);
}

/* What the spool does not let be put aside or removed stays where it is, and the others go on. */
static bool finish_item(relais_work *work, relais_item *item, size_t *removed, relais_error *err)
{
    bool needs_settling = item->verdict == RELAIS_VERDICT_SETTLE ||
                          (item->verdict == RELAIS_VERDICT_REFUSED && item->is_parsed);

    if (needs_settling && !relais_settle_item(work, item, err))
        return false;
    if (item->verdict == RELAIS_VERDICT_REFUSED)
        return quarantine(work, item, removed, err);
    if (item->verdict == RELAIS_VERDICT_BURIED) {
        work->counts->buried++;
        relais_log(RELAIS_LOG_INFO, "parcel.buried", "parcel", item->entry.name, "form",
                   item->form_id, "submission", relais_item_id(item), NULL);
    } else if (item->verdict != RELAIS_VERDICT_DONE) {
        return true; /* its form is stopped, or it is left for later: the parcel stays */
    } else if (item->is_waiting) {
        relais_log(RELAIS_LOG_INFO, "parcel.partial", "parcel", item->entry.name, "form",
                   item->form_id, "submission", item->sub_id, NULL);
    } else if (item->is_held) {
        log_refused(item, "parcel.held");
    }
    remove_parcel(work, item, removed);
    return true;
}

bool relais_batch_deliver(relais_work *work, relais_batch *batch, size_t *removed,
                          relais_error *err)
{
    size_t fast = 0;

    *removed = 0;
    for (size_t i = 0; i < batch->count; i++)
        if (batch->items[i].verdict == RELAIS_VERDICT_NONE)
            batch->fast[fast++] = &batch->items[i];
    if (!deliver(work, batch->fast, fast, err))
        return false;
    for (size_t i = 0; i < batch->count; i++)
        if (!finish_item(work, &batch->items[i], removed, err))
            return false;
    return true;
}
