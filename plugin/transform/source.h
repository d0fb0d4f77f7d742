/*
 * The file of a mapping: its bytes, and the document in it that follows the grammar.
 */
#ifndef RELAIS_TRANSFORM_SOURCE_H
#define RELAIS_TRANSFORM_SOURCE_H

#include "base/arena.h"

#include <libxml/tree.h>

/* Reads the whole file. */
RELAIS_MUST_USE bool relais_source_load(const char *file, relais_arena *arena, const char **text,
                                        size_t *length, relais_error *err);

/* Parses, and validates by transforms/mapping.rng, which the library carries. The document is
 * freed with the arena. RELAIS_ERR_SYNTAX (not XML) or RELAIS_ERR_CONFIG (not a mapping). */
RELAIS_MUST_USE xmlDocPtr relais_source_parse(const char *file, const char *text, size_t length,
                                              relais_arena *arena, relais_error *err);

#endif
