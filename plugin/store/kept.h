/*
 * What the ledger keeps of a sealed version beside its sealed bytes, which the forwarder cannot
 * read again: as JSON, holding nothing that the national rows do not hold.
 *
 *   an evaluation  the rows of a version that waits, for loading them later, also under another
 *                  record's name: table relais.evaluated
 *   a trace        of rows that stand, the keys by which a correction finds those that do not
 *                  name the submission: column relais.submission.trace
 *
 * Both name tables and columns, so that a mapping that changed meanwhile is noticed.
 */
#ifndef RELAIS_STORE_KEPT_H
#define RELAIS_STORE_KEPT_H

#include "store/statements.h"

/* An evaluation. */
typedef struct relais_kept {
    const char *record; /* the name that it was made under */
    bool is_portable;   /* it may be given another name */
    uint8_t mapping[RELAIS_SHA256_SIZE];
    relais_output output;
} relais_kept;

/* The JSON of an evaluation; NULL without memory. `mapping` is not part of it. */
char *relais_kept_json(const relais_mapping *mapping, const relais_kept *kept, relais_arena *arena);

/* Reads it for the present mapping. *fits is false when that has no longer a row like one of
 * those kept: then *out is of no use. RELAIS_ERR_DATABASE when it is no evaluation. */
RELAIS_MUST_USE bool relais_kept_read(const relais_mapping *mapping, const char *json,
                                      relais_arena *arena, relais_kept *out, bool *fits,
                                      relais_error *err);

/* The JSON of the trace that an output leaves; NULL without memory. */
char *relais_trace_json(const relais_statements *statements, const relais_output *output,
                        relais_arena *arena);

/* Reads it as an output that relais_rows_remove takes for what stood before. What the present
 * mapping does not make any more is left out. */
RELAIS_MUST_USE bool relais_trace_read(const relais_statements *statements, const char *json,
                                       relais_arena *arena, relais_output *out, relais_error *err);

#endif
