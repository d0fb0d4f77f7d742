/*
 * What the form list needs of an XForm: the primary instance's id and version, and the title
 * (ODK XForms specification, "Primary instance"). The definition must be well-formed to its
 * last byte.
 */
#ifndef RELAIS_OPENROSA_DEFINITION_H
#define RELAIS_OPENROSA_DEFINITION_H

#include "base/arena.h"

typedef struct relais_definition {
    const char *id;
    const char *version; /* "" when it has none */
    const char *title;   /* the id when it has none: Collect demands a name */
} relais_definition;

/* Texts belong to the arena. RELAIS_ERR_SYNTAX or _CONFIG with `file` and the line. */
RELAIS_MUST_USE bool relais_definition_read(const char *bytes, size_t length, const char *file,
                                            relais_arena *arena, relais_definition *out,
                                            relais_error *err);

#endif
