/*
 * Why one submission was refused, in terms of its form: from the database's constraint and
 * column names back to the path of the answer. Never the answer itself.
 */
#ifndef RELAIS_STORE_REFUSAL_H
#define RELAIS_STORE_REFUSAL_H

#include "spool/quarantine.h"
#include "store/rows.h"

typedef struct relais_refusal {
    relais_reason reason;
    bool is_held; /* it only refers to a row that may still come */
    /* Array literal of the files without which it cannot be opened; NULL: none. */
    const char *missing;
} relais_refusal;

#define RELAIS_NO_SHAPE SIZE_MAX

/* What was being done when the database refused. */
typedef struct relais_attempt {
    const char *form_id;
    const relais_statements *statements; /* of the submission's mapping */
    size_t shape; /* whose statement was refused; RELAIS_NO_SHAPE when it was none of them */
    const relais_output *output; /* of the submission that stands alone */
} relais_attempt;

/* Asks the catalogue about the constraint; outside of a failed transaction. */
RELAIS_MUST_USE bool relais_refusal_explain(relais_store *store, relais_params *params,
                                            const relais_fault *fault, const relais_error *why,
                                            const relais_attempt *attempt, relais_arena *arena,
                                            relais_refusal *out, relais_error *err);

/* The reason as the ledger's JSON; NULL without memory. */
RELAIS_MUST_USE char *relais_reason_json(const relais_reason *reason, relais_arena *arena);

#endif
