/*
 * The forwarder's loop. See forwarder.h.
 *
 * Connect, bind the mappings, list the oldest parcels, deliver them batch by batch, look at
 * what is held, wait; and start again from connecting whenever the database went away. A
 * parcel leaves the spool only after COMMIT, so every step may be broken off anywhere.
 */
#include "store/forwarder.h"

#include "base/log.h"
#include "store/batch.h"
#include "store/ledger.h"
#include "store/notes.h"
#include "store/settle.h"
#include "store/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names listed at once, 1.5 MB of them. When all of them belong to stopped forms the next list
 * is longer, so that these do not hide the parcels of others; 24 MB is the end of that. */
enum { WINDOW_FIRST = 20000, WINDOW_LAST = 320000 };

/* Held submissions are tried again at least this often, and otherwise after deliveries, but
 * for no more than a tenth of the time. */
static const double HELD_SECONDS = 60.0;
static const double HELD_SHARE = 10.0;

struct forwarder {
    const relais_forwarder_options *options;
    relais_work work;
    relais_batch batch;
    relais_watch watch;
    relais_spool_entry *entries;
    size_t window;
    size_t left;       /* parcels that the last pass saw and could not deliver */
    unsigned failures; /* of the database, in a row */
    bool was_up;       /* said so in the log */
    relais_held_round held;
    double held_due;   /* a round begins even if nothing was delivered */
    double held_again; /* no page before this time */
    double notes_due;  /* the next look at what web servers tell */
    double alive_due;  /* somebody is told that all goes on */
};

typedef enum {
    PASS_IDLE,     /* nothing there, or nothing that can be delivered now */
    PASS_PROGRESS, /* look again at once */
    PASS_FAILED    /* err says why; wait, then connect again */
} pass_outcome;

/* ---- the database's comings and goings --------------------------------------------------- */

/* What the log calls it: the database gone, the database in the way, or the spool. */
static const char *event_of(const relais_error *why)
{
    if (why->code != RELAIS_ERR_TRANSIENT && why->code != RELAIS_ERR_DATABASE &&
        why->code != RELAIS_ERR_CONFIG)
        return "forward.failed";
    if (why->sqlstate[0] == '\0' || strncmp(why->sqlstate, "57P", 3) == 0)
        return "store.down";
    return "store.refuses";
}

/* Once for each outage, not for each try. */
static void log_down(struct forwarder *f, const relais_error *why)
{
    char text[1024];

    if (f->failures == 0)
        relais_log(RELAIS_LOG_ERROR, event_of(why), "text",
                   relais_error_format(why, text, sizeof text), NULL);
    f->failures++;
}

static void log_up(struct forwarder *f)
{
    if (f->failures > 0 || !f->was_up)
        relais_log(RELAIS_LOG_INFO, "store.up", NULL);
    f->failures = 0;
    f->was_up = true;
}

/* A dead connection is given up; a live one has its transaction ended and its catalogue
 * forgotten, since the refusal may come from a changed schema. */
static void recover(struct forwarder *f, const relais_error *why)
{
    relais_work *work = &f->work;

    if (!relais_pg_is_alive(work->store) ||
        PQtransactionStatus(work->store->conn) != PQTRANS_IDLE ||
        PQpipelineStatus(work->store->conn) != PQ_PIPELINE_OFF) {
        relais_store_close(work->store);
        work->store = NULL;
    } else if (why->code != RELAIS_ERR_TRANSIENT) {
        relais_store_forget(work->store);
    }
}

static bool connect_store(struct forwarder *f, relais_error *err)
{
    if (f->work.store != NULL)
        return true;
    if (!relais_store_open(f->options->conninfo, &f->work.store, err)) {
        f->work.store = NULL;
        return false;
    }
    return relais_ledger_check(f->work.store, err);
}

/* ---- signs of life -------------------------------------------------------------------------- */

static void show_life(struct forwarder *f)
{
    const relais_forwarder_options *options = f->options;
    double now = relais_clock();

    if (options->alive == NULL || now < f->alive_due)
        return;
    f->alive_due = now + options->alive_seconds;
    options->alive(options->alive_context, f->work.counts, f->was_up && f->failures == 0);
}

/* As relais_watch_wait, in pieces that are short enough. */
static void wait_alive(struct forwarder *f, double seconds, bool deaf)
{
    double end = relais_clock() + seconds, left = seconds;
    bool has_come = false;

    do {
        double piece = f->options->alive == NULL ? left : f->options->alive_seconds;
        show_life(f);
        has_come = relais_watch_wait(&f->watch, piece < left ? piece : left, deaf);
        left = end - relais_clock();
    } while (!has_come && left > 0);
}

/* ---- one pass ----------------------------------------------------------------------------- */

static void log_batch(const struct forwarder *f, const relais_forwarder_counts *before,
                      double seconds)
{
    const relais_forwarder_counts *now = f->work.counts;
    char delivered[24], duplicates[24], quarantined[24], held[24], took[24];

    snprintf(delivered, sizeof delivered, "%llu",
             (unsigned long long)(now->delivered - before->delivered));
    snprintf(duplicates, sizeof duplicates, "%llu",
             (unsigned long long)(now->duplicates - before->duplicates));
    snprintf(quarantined, sizeof quarantined, "%llu",
             (unsigned long long)(now->quarantined - before->quarantined));
    snprintf(held, sizeof held, "%llu", (unsigned long long)(now->held - before->held));
    snprintf(took, sizeof took, "%.3f", seconds);
    relais_log(RELAIS_LOG_INFO, "batch", "delivered", delivered, "duplicates", duplicates,
               "quarantined", quarantined, "held", held, "seconds", took, NULL);
}

static bool deliver_batch(struct forwarder *f, size_t count, size_t *next, size_t *removed,
                          relais_error *err)
{
    relais_forwarder_counts before = *f->work.counts;
    double start = relais_clock();
    size_t gone = 0;
    bool ok;

    if (!relais_batch_fill(&f->work, &f->batch, f->entries, count, next, err))
        return false;
    if (f->batch.count == 0)
        return true;
    show_life(f);
    ok = relais_batch_deliver(&f->work, &f->batch, &gone, err);
    *removed += gone;
    if (gone > 0)
        log_batch(f, &before, relais_clock() - start);
    return ok;
}

/* A list in which nothing could be delivered is made longer next time. */
static void adjust_window(struct forwarder *f, size_t count, size_t removed)
{
    size_t wanted = f->window;
    relais_spool_entry *grown;

    if (removed == 0 && count == f->window && f->window < WINDOW_LAST)
        wanted = f->window * 2;
    else if (removed > 0)
        wanted = WINDOW_FIRST;
    if (wanted == f->window)
        return;
    grown = reallocarray(f->entries, wanted, sizeof *grown);
    if (grown == NULL)
        return;
    f->entries = grown;
    f->window = wanted;
}

static pass_outcome deliver_spool(struct forwarder *f, relais_error *err)
{
    size_t count, total, next = 0, removed = 0;
    size_t window = f->window;

    if (!relais_spool_list(f->work.spool, f->entries, f->window, &count, &total, err))
        return PASS_FAILED;
    while (next < count && !relais_watch_is_stopping(&f->watch))
        if (!deliver_batch(f, count, &next, &removed, err))
            return PASS_FAILED;
    f->left = total - removed;
    adjust_window(f, count, removed);
    return removed > 0 || f->window > window ? PASS_PROGRESS : PASS_IDLE;
}

static bool is_held_due(const struct forwarder *f, double now)
{
    if (!f->options->once && now < f->held_again)
        return false;
    return f->held.is_open || f->work.has_delivered || now >= f->held_due;
}

static pass_outcome deliver_held(struct forwarder *f, relais_error *err)
{
    double start = relais_clock();
    size_t progress;

    if (!is_held_due(f, start))
        return PASS_IDLE;
    if (!f->held.is_open)
        f->work.has_delivered = false;
    if (!relais_settle_held(&f->work, &f->held, &progress, err))
        return PASS_FAILED;
    f->work.has_delivered = f->work.has_delivered || progress > 0;
    f->held_due = relais_clock() + HELD_SECONDS;
    f->held_again = relais_clock() + HELD_SHARE * (relais_clock() - start);
    if (f->options->once) /* until a whole round has delivered nothing */
        return f->held.is_open || f->work.has_delivered ? PASS_PROGRESS : PASS_IDLE;
    return progress > 0 ? PASS_PROGRESS : PASS_IDLE;
}

static bool take_notes(struct forwarder *f, relais_error *err)
{
    if (!f->options->once && relais_clock() < f->notes_due)
        return true;
    f->notes_due = relais_clock() + RELAIS_NOTES_SECONDS;
    return relais_notes_take(&f->work, err);
}

static pass_outcome make_pass(struct forwarder *f, relais_error *err)
{
    pass_outcome spool, held;

    relais_mappings_refresh(f->work.mappings);
    if (!connect_store(f, err) || !relais_mappings_bind(f->work.mappings, f->work.store, err))
        return PASS_FAILED;
    log_up(f);
    spool = deliver_spool(f, err);
    if (spool == PASS_FAILED)
        return PASS_FAILED;
    held = deliver_held(f, err);
    if (held == PASS_FAILED || !take_notes(f, err))
        return PASS_FAILED;
    return held == PASS_IDLE ? spool : held;
}

/* ---- the loop ------------------------------------------------------------------------------ */

/* What no waiting mends. The ledger's absence counts only before the first success: later it
 * is somebody at work on the database. */
static bool is_hopeless(const struct forwarder *f, const relais_error *why)
{
    return why->code == RELAIS_ERR_CONFIG && !f->was_up;
}

/* With `once`: all that can be delivered is; what is left is somebody's to mend. */
static bool finish_once(const struct forwarder *f, relais_error *err)
{
    const relais_binding *stopped = relais_mappings_stopped(f->work.mappings);

    if (f->left == 0)
        return true;
    if (stopped != NULL) {
        *err = stopped->why;
        return false;
    }
    return relais_error_set(err, RELAIS_ERR_CONFIG,
                            "%zu parcels stay in the spool: the log says why", f->left);
}

static double next_wait(const struct forwarder *f)
{
    double wait = f->options->scan_seconds;
    const relais_binding *stopped = relais_mappings_stopped(f->work.mappings);
    double now = relais_clock();

    if (stopped != NULL && stopped->again - now < wait)
        wait = stopped->again - now;
    if ((f->work.has_delivered || f->held.is_open) && f->held_again - now < wait)
        wait = f->held_again - now;
    return wait > 0 ? wait : 0;
}

static bool run_loop(struct forwarder *f, relais_error *err)
{
    while (!relais_watch_is_stopping(&f->watch)) {
        relais_error why = {0};
        show_life(f);
        switch (make_pass(f, &why)) {
        case PASS_PROGRESS:
            break;
        case PASS_IDLE:
            if (f->options->once)
                return finish_once(f, err);
            wait_alive(f, next_wait(f), false);
            break;
        case PASS_FAILED:
            if (is_hopeless(f, &why)) {
                *err = why;
                return false;
            }
            log_down(f, &why);
            recover(f, &why);
            wait_alive(f, relais_backoff_seconds(RELAIS_STORE_BACKOFF, f->failures), true);
            break;
        }
    }
    return true;
}

/* ---- beginning and end --------------------------------------------------------------------- */

static bool open_spool(struct forwarder *f, relais_error *err)
{
    size_t swept;
    char text[24];

    if (!relais_spool_create(f->options->spool, err) ||
        !relais_spool_open(f->options->spool, f->options->floor, &f->work.spool, err) ||
        !relais_spool_sweep(f->work.spool, f->options->sweep_seconds, &swept, err))
        return false;
    snprintf(text, sizeof text, "%zu", swept);
    if (swept > 0)
        relais_log(RELAIS_LOG_INFO, "spool.swept", "files", text, NULL);
    return true;
}

static bool create_arenas(struct forwarder *f, relais_error *err)
{
    f->work.batch = relais_arena_create(RELAIS_BATCH_MEMORY_MAX);
    f->work.settle = relais_arena_create(RELAIS_BATCH_MEMORY_MAX);
    f->work.scratch = relais_arena_create(RELAIS_SCRATCH_MEMORY_MAX);
    f->window = WINDOW_FIRST;
    f->entries = calloc(f->window, sizeof *f->entries);
    if (f->work.batch != NULL && f->work.settle != NULL && f->work.scratch != NULL &&
        f->entries != NULL)
        return true;
    return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
}

static void release(struct forwarder *f)
{
    relais_batch_free(&f->batch);
    relais_store_close(f->work.store);
    relais_mappings_close(f->work.mappings);
    relais_arena_destroy(f->work.batch);
    relais_arena_destroy(f->work.settle);
    relais_arena_destroy(f->work.scratch);
    relais_spool_close(f->work.spool);
    relais_params_free(&f->work.params);
    free(f->entries);
    free(f);
}

bool relais_forwarder_run(const relais_forwarder_options *options, relais_forwarder_counts *counts,
                          relais_error *err)
{
    struct forwarder *f = calloc(1, sizeof *f);
    bool ok;

    memset(counts, 0, sizeof *counts);
    if (f == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    f->options = options;
    f->work.counts = counts;
    f->work.secrets = options->secrets;
    relais_params_init(&f->work.params);
    ok = open_spool(f, err) && create_arenas(f, err) &&
         relais_batch_init(&f->batch, options->batch, err) &&
         relais_mappings_open(options->mappings, options->secrets, &f->work.mappings, err) &&
         relais_watch_open(&f->watch, f->work.spool, err);
    if (ok) {
        ok = run_loop(f, err);
        relais_watch_close(&f->watch);
    }
    release(f);
    return ok;
}
