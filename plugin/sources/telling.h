/*
 * What the engine's files share: a source being pulled, and one of its forms. pull.c goes
 * through forms and pages, compare.c lists a form for a comparison, both on the rows of telling.c.
 */
#ifndef RELAIS_SOURCES_TELLING_H
#define RELAIS_SOURCES_TELLING_H

#include "base/text.h"
#include "sources/pool.h"

/* One source being pulled. */
typedef struct relais_pull {
    const relais_pull_options *options;
    const relais_kind *kind;
    relais_site site;
    relais_spool *spool;
    relais_bookmark_directory directory;
    relais_pool *pool;
    relais_worker lister;
    relais_arena *page_arena;
    char since[RELAIS_TIME_TEXT_SIZE];
    char now[RELAIS_TIME_TEXT_SIZE];
    uint64_t failed;
} relais_pull;

/* One form of it. */
typedef struct relais_telling {
    relais_pull *pull;
    const char *form;
    relais_bookmark state;
    relais_walk walk;
    relais_pull_counts counts;
} relais_telling;

void relais_telling_progress(relais_telling *t, uint64_t pulled, uint64_t files, bool is_end);

/* Fetches rows and adds what they leave behind to `aside`. */
RELAIS_MUST_USE bool relais_telling_run_rows(relais_telling *t, const relais_row *rows,
                                             size_t count, bool may_all_fail, json_t *aside,
                                             relais_error *err);

/* Asks again for everything that was put aside; what is still not to be had stays. */
RELAIS_MUST_USE bool relais_telling_run_aside(relais_telling *t, relais_error *err);

/* Writes place and rows put aside, and makes them those of `t`. */
RELAIS_MUST_USE bool relais_telling_write(relais_telling *t, json_t *place, json_t *aside,
                                          relais_error *err);

/* compare.c: lists a form from its beginning and has it judged. */
RELAIS_MUST_USE bool relais_telling_compare(relais_telling *t, relais_error *err);

#endif
