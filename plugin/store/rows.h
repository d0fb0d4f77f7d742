/*
 * Rows into the national tables, through a pipeline: statement by statement, in the order
 * of the mapping's shapes, each with the values of all submissions of a batch.
 */
#ifndef RELAIS_STORE_ROWS_H
#define RELAIS_STORE_ROWS_H

#include "store/statements.h"

/* Remembers which shape each queued statement served, to say where a refusal came from. */
typedef struct relais_rows_log {
    struct {
        const relais_statements *statements;
        size_t shape;
    } sent[RELAIS_PIPELINE_MAX];
    size_t count;
} relais_rows_log;

/* Queues the INSERTs of all outputs, which are of one mapping. `versions` are the sub_ids of
 * the record's versions, none for fresh submissions. */
RELAIS_MUST_USE bool relais_rows_insert(relais_store *store, relais_params *params,
                                        const relais_statements *statements,
                                        const relais_output *const *outputs, size_t count,
                                        const char *const *versions, size_t version_count,
                                        relais_rows_log *log, relais_error *err);

/* What an edit takes away. */
typedef struct relais_rows_change {
    const relais_output *const *before; /* what the versions that were current made */
    size_t before_count;
    const relais_output *after; /* what the current one makes; NULL when none can be current */
    const char *const *versions;
    size_t version_count;
    bool is_sweeping; /* some version's rows cannot be made again: find them by sub_id */
} relais_rows_change;

/* Prepares the statements that relais_rows_remove will queue; before the pipeline begins. */
RELAIS_MUST_USE bool relais_rows_prepare_removal(relais_store *store,
                                                 const relais_statements *statements,
                                                 relais_error *err);

/* Queues the DELETEs, children before parents. */
RELAIS_MUST_USE bool relais_rows_remove(relais_store *store, relais_params *params,
                                        const relais_statements *statements,
                                        const relais_rows_change *change, relais_rows_log *log,
                                        relais_error *err);

#endif
