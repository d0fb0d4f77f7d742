/*
 * Threads over the rows of a page. See pool.h.
 */
#include "sources/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A row's texts: names of files and addresses, at most RELAIS_FILES_MAX of them. */
#define ROW_MEMORY_MAX ((size_t)32 * 1024 * 1024)

/* The longest XML that the forwarder reads. */
#define XML_MAX ((size_t)8 * 1024 * 1024)

enum { TICK_NANOSECONDS = 200 * 1000 * 1000 };

typedef struct member {
    relais_pool *pool;
    relais_worker worker;
    pthread_t thread;
} member;

struct relais_pool {
    member members[RELAIS_CONNECTIONS_MAX];
    size_t opened, started;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t work, rest;
    const char *form;
    const relais_row *rows;
    relais_result *results;
    size_t count, next, busy;
    uint64_t pulled, files; /* of this page */
    bool is_ended;          /* by an error: no further row is begun */
    bool is_closing;
    relais_error end;
};

/* ---- workers ----------------------------------------------------------------------------- */

bool relais_worker_open(relais_worker *worker, relais_site *site, const relais_kind *kind,
                        relais_spool *spool, const char *directory, relais_error *err)
{
    memset(worker, 0, sizeof *worker);
    worker->spool = spool;
    worker->kind = kind;
    worker->source = kind->source;
    worker->project = site->source->project;
    relais_bundle_init(&worker->body, directory);
    relais_buffer_init(&worker->answer, RELAIS_LIST_MAX);
    relais_buffer_init(&worker->xml, XML_MAX);
    worker->http = relais_http_create(site, kind->login);
    worker->arena = relais_arena_create(ROW_MEMORY_MAX);
    if (worker->http != NULL && worker->arena != NULL)
        return true;
    relais_worker_close(worker);
    return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for a connection");
}

void relais_worker_close(relais_worker *worker)
{
    relais_http_destroy(worker->http);
    relais_arena_destroy(worker->arena);
    relais_bundle_free(&worker->body);
    relais_buffer_free(&worker->answer);
    relais_buffer_free(&worker->xml);
}

/* ---- one row ----------------------------------------------------------------------------- */

/* What one row alone may be at fault for. */
static bool is_rows_fault(const relais_error *why)
{
    switch (why->code) {
    case RELAIS_ERR_DATA:
    case RELAIS_ERR_LIMIT:
    case RELAIS_ERR_SYNTAX:
    case RELAIS_ERR_MISSING:
        return true;
    default:
        return false;
    }
}

static relais_error *keep_error(const relais_error *why)
{
    relais_error *copy = malloc(sizeof *copy);

    if (copy != NULL)
        *copy = *why;
    return copy;
}

/* False with the error that ends the work, or without one when it was stopped. */
static bool fetch_row(relais_worker *worker, const relais_row *row, relais_result *result,
                      relais_error *err)
{
    relais_error why = {0};
    bool ok;

    relais_arena_reset(worker->arena);
    relais_error_clear(&worker->remark);
    worker->pulled = worker->files = 0;
    worker->aside = json_array();
    if (worker->aside == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    result->aside = worker->aside;
    ok = worker->kind->fetch(worker, row, &why);
    if (!ok && is_rows_fault(&why)) {
        json_array_clear(worker->aside);
        worker->remark = why;
        relais_error_clear(&why);
        ok = relais_worker_put_aside(worker, row, "failed", row->wanted, &why);
    }
    if (!ok) {
        *err = why;
        return false;
    }
    if (worker->remark.code != RELAIS_ERR_NONE)
        result->why = keep_error(&worker->remark);
    return true;
}

/* ---- threads ----------------------------------------------------------------------------- */

/* Waits for a row, with the lock held; NULL at the end of all work. */
static const relais_row *take_row(relais_pool *pool)
{
    while (!pool->is_closing && (pool->is_ended || pool->next >= pool->count))
        pthread_cond_wait(&pool->work, &pool->lock);
    return pool->is_closing ? NULL : &pool->rows[pool->next++];
}

static void finish_row(relais_pool *pool, const relais_worker *worker, bool ok,
                       const relais_error *why)
{
    pool->pulled += worker->pulled;
    pool->files += worker->files;
    pool->busy--;
    if (!ok && !pool->is_ended) {
        pool->is_ended = true;
        pool->end = *why;
    }
    if (pool->busy == 0 && (pool->is_ended || pool->next >= pool->count))
        pthread_cond_signal(&pool->rest);
}

static void *run_member(void *context)
{
    member *own = context;
    relais_pool *pool = own->pool;
    const relais_row *row;

    pthread_mutex_lock(&pool->lock);
    while ((row = take_row(pool)) != NULL) {
        relais_result *result = &pool->results[row - pool->rows];
        relais_error why = {0};
        bool ok;
        own->worker.form = pool->form;
        pool->busy++;
        pthread_mutex_unlock(&pool->lock);
        ok = fetch_row(&own->worker, row, result, &why);
        pthread_mutex_lock(&pool->lock);
        finish_row(pool, &own->worker, ok, &why);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static bool open_members(relais_pool *pool, relais_site *site, const relais_kind *kind,
                         relais_spool *spool, const char *directory, relais_error *err)
{
    for (size_t i = 0; i < site->source->connections; i++) {
        member *one = &pool->members[i];
        one->pool = pool;
        if (!relais_worker_open(&one->worker, site, kind, spool, directory, err))
            return false;
        pool->opened++;
    }
    for (size_t i = 0; i < pool->opened; i++) {
        int sys = pthread_create(&pool->members[i].thread, NULL, run_member, &pool->members[i]);
        if (sys != 0)
            return relais_error_system(err, sys, NULL, "a thread cannot be started");
        pool->started++;
    }
    return true;
}

bool relais_pool_create(relais_site *site, const relais_kind *kind, relais_spool *spool,
                        const char *directory, relais_pool **out, relais_error *err)
{
    relais_pool *pool = calloc(1, sizeof *pool);
    pthread_condattr_t monotonic;

    if (pool == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->rest, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (open_members(pool, site, kind, spool, directory, err)) {
        *out = pool;
        return true;
    }
    relais_pool_destroy(pool);
    return false;
}

void relais_pool_destroy(relais_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->is_closing = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->started; i++)
        pthread_join(pool->members[i].thread, NULL);
    for (size_t i = 0; i < pool->opened; i++)
        relais_worker_close(&pool->members[i].worker);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->rest);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

/* ---- a page ------------------------------------------------------------------------------ */

static struct timespec next_tick(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += TICK_NANOSECONDS;
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    return at;
}

static bool is_resting(const relais_pool *pool)
{
    return pool->busy == 0 && (pool->is_ended || pool->next >= pool->count);
}

/* With the lock held; the tick is called without it. */
static void wait_for_rest(relais_pool *pool, relais_pool_tick *tick, void *context)
{
    while (!is_resting(pool)) {
        struct timespec until = next_tick();
        if (pthread_cond_timedwait(&pool->rest, &pool->lock, &until) == ETIMEDOUT) {
            uint64_t pulled = pool->pulled, files = pool->files;
            pthread_mutex_unlock(&pool->lock);
            tick(context, pulled, files);
            pthread_mutex_lock(&pool->lock);
        }
    }
}

bool relais_pool_run(relais_pool *pool, const char *form, const relais_row *rows, size_t count,
                     relais_result *results, relais_pool_tick *tick, void *context,
                     relais_error *err)
{
    uint64_t pulled, files;
    bool ok;

    memset(results, 0, count * sizeof *results);
    pthread_mutex_lock(&pool->lock);
    pool->form = form;
    pool->rows = rows;
    pool->results = results;
    pool->next = pool->busy = 0;
    pool->pulled = pool->files = 0;
    pool->is_ended = false;
    relais_error_clear(&pool->end);
    pool->count = count;
    pthread_cond_broadcast(&pool->work);
    wait_for_rest(pool, tick, context);
    pool->count = pool->next = 0;
    ok = !pool->is_ended;
    pulled = pool->pulled;
    files = pool->files;
    if (!ok && pool->end.code != RELAIS_ERR_NONE)
        *err = pool->end;
    pthread_mutex_unlock(&pool->lock);
    tick(context, pulled, files);
    return ok;
}

void relais_results_free(relais_result *results, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_decref(results[i].aside);
        free(results[i].why);
    }
}
