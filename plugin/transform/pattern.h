/*
 * The patterns of regex(): POSIX extended regular expressions that must fit the whole text,
 * as JavaRosa has it, with \d for a digit. Compiled when the mapping is read.
 */
#ifndef RELAIS_TRANSFORM_PATTERN_H
#define RELAIS_TRANSFORM_PATTERN_H

#include "base/arena.h"

typedef struct relais_pattern relais_pattern;

/* Puts a compiled pattern in front of *list, unless it is there already. RELAIS_ERR_CONFIG
 * when it is not a pattern or could take without bounds. */
RELAIS_MUST_USE bool relais_pattern_add(relais_pattern **list, const char *text,
                                        relais_arena *arena, relais_error *err);

/* NULL when it was never added. */
const relais_pattern *relais_pattern_find(const relais_pattern *list, const char *text);

/* True when the pattern fits the whole of `value`. */
bool relais_pattern_fits(const relais_pattern *pattern, const char *value);

#endif
