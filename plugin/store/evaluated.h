/*
 * relais.evaluated: the rows of sealed versions that may have to be loaded later. Inside a
 * transaction that holds the form's lock.
 */
#ifndef RELAIS_STORE_EVALUATED_H
#define RELAIS_STORE_EVALUATED_H

#include "store/connection.h"
#include "store/kept.h"

extern const char relais_evaluated_read_sql[];
extern const char relais_evaluated_write_sql[];
extern const char relais_evaluated_remove_sql[];
extern const char relais_evaluated_trace_sql[];

/* *json is NULL when nothing is kept of the version. */
RELAIS_MUST_USE bool relais_evaluated_read(relais_store *store, relais_params *params,
                                           const char *sub_id, relais_arena *arena,
                                           const char **json, uint8_t mapping[RELAIS_SHA256_SIZE],
                                           relais_error *err);

RELAIS_MUST_USE bool relais_evaluated_write(relais_store *store, relais_params *params,
                                            const char *sub_id, const uint8_t *mapping,
                                            const char *json, relais_error *err);

RELAIS_MUST_USE bool relais_evaluated_remove(relais_store *store, relais_params *params,
                                             const char *const *sub_ids, size_t count,
                                             relais_error *err);

/* The trace of a version whose rows stand; *json is NULL when there is none. */
RELAIS_MUST_USE bool relais_evaluated_trace(relais_store *store, relais_params *params,
                                            const char *sub_id, relais_arena *arena,
                                            const char **json, relais_error *err);

#endif
