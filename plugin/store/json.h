/*
 * Texts to and from JSON, for the files of this folder.
 */
#ifndef RELAIS_STORE_JSON_H
#define RELAIS_STORE_JSON_H

#include "base/arena.h"

#include <jansson.h>
#include <stdint.h>

/* An array of texts, NULL as null; NULL without memory. */
json_t *relais_json_texts(const char *const *texts, size_t count);

/* The texts of an array, in the arena; false when it is no array of texts and nulls, or without
 * memory. `count` as expected, or SIZE_MAX for any; *found may be NULL. */
RELAIS_MUST_USE bool relais_json_read_texts(const json_t *array, size_t count, relais_arena *arena,
                                            const char ***out, size_t *found);

/* The compact text of a value, which is released; NULL without memory. */
char *relais_json_dump(json_t *value, relais_arena *arena);

#endif
