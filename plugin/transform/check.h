/*
 * Checking a mapping before it runs: against its form, and against the database.
 *
 * Against the form: every path that an expression reads exists there; every answer of the
 * form is read by something or ignored with a reason; a column filled from a select_multiple
 * or a repeat is inside a row that takes one value at a time.
 * Against the database: every table and column exists; every column that must have a value
 * gets one; the form's type can become the column's type; identifiers fit in 63 bytes.
 */
#ifndef RELAIS_TRANSFORM_CHECK_H
#define RELAIS_TRANSFORM_CHECK_H

#include "transform/mapping.h"
#include "xform/form.h"

typedef enum { RELAIS_FINDING_ERROR, RELAIS_FINDING_WARNING } relais_severity;

typedef struct relais_finding {
    relais_severity severity;
    const char *file; /* of the mapping or the form */
    long line;
    const char *text; /* what is wrong and what was expected */
} relais_finding;

typedef void relais_finding_visit(void *context, const relais_finding *finding);

/* Reports all findings, in order of line; false only when the check itself failed. `target`
 * may be NULL: then nothing is asked of the database. */
RELAIS_MUST_USE bool relais_mapping_check(relais_mapping *mapping, const relais_form *form,
                                          const relais_target *target, relais_finding_visit *visit,
                                          void *context, relais_error *err);

#endif
