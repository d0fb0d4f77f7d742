/*
 * The threads that fetch: each with a connection of its own, all on the rows of one page.
 */
#ifndef RELAIS_SOURCES_POOL_H
#define RELAIS_SOURCES_POOL_H

#include "sources/kind.h"

/* More connections than this no server wants from one reader. */
#define RELAIS_CONNECTIONS_MAX 64

typedef struct relais_pool relais_pool;

/* What became of a row. */
typedef struct relais_result {
    json_t *aside;     /* an array: what of it must be asked for again */
    relais_error *why; /* why all of it, or a file of it, could not be had; or NULL */
} relais_result;

/* Called a few times a second, from the thread that runs the page. */
typedef void relais_pool_tick(void *context, uint64_t pulled, uint64_t files);

RELAIS_MUST_USE bool relais_pool_create(relais_site *site, const relais_kind *kind,
                                        relais_spool *spool, const char *directory,
                                        relais_pool **out, relais_error *err);
void relais_pool_destroy(relais_pool *pool);

/* Fetches the rows; results[i] is of rows[i] and freed by relais_results_free(). False with the
 * first error that ends the work, or without one when it was stopped; rows that are done by
 * then are done all the same. */
RELAIS_MUST_USE bool relais_pool_run(relais_pool *pool, const char *form, const relais_row *rows,
                                     size_t count, relais_result *results, relais_pool_tick *tick,
                                     void *context, relais_error *err);
void relais_results_free(relais_result *results, size_t count);

/* A worker for the thread that lists, with a connection of its own. */
RELAIS_MUST_USE bool relais_worker_open(relais_worker *worker, relais_site *site,
                                        const relais_kind *kind, relais_spool *spool,
                                        const char *directory, relais_error *err);
void relais_worker_close(relais_worker *worker);

#endif
