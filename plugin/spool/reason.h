/*
 * The text of a .reason file.
 */
#ifndef RELAIS_SPOOL_REASON_H
#define RELAIS_SPOOL_REASON_H

#include "spool/quarantine.h"

/* Texts come from forms and databases; a longer one is cut at a character, never refused. */
#define RELAIS_REASON_VALUE_MAX 1024
#define RELAIS_REASON_MAX       (32 * 1024)

void relais_reason_write(const relais_reason *reason, relais_buffer *out);

/* Unknown keys are ignored. RELAIS_ERR_DAMAGED for anything that is not a reason. */
RELAIS_MUST_USE bool relais_reason_read(const char *bytes, size_t length, relais_arena *arena,
                                        relais_reason *out, relais_error *err);

#endif
