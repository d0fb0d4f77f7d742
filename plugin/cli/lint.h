/*
 * A form's own sanity: faults that stock tools accept and that cost data in the field.
 */
#ifndef RELAIS_CLI_LINT_H
#define RELAIS_CLI_LINT_H

#include "base/arena.h"
#include "transform/check.h"

/* Reports what is wrong with the form in `file`; false only when it cannot be read at all. */
RELAIS_MUST_USE bool relais_form_lint(const char *file, relais_arena *arena,
                                      relais_finding_visit *visit, void *context,
                                      relais_error *err);

/* What a file's root element says it is. */
typedef enum { RELAIS_FILE_FORM, RELAIS_FILE_MAPPING, RELAIS_FILE_OTHER } relais_file_kind;

RELAIS_MUST_USE bool relais_file_kind_read(const char *file, relais_file_kind *out,
                                           relais_error *err);

#endif
