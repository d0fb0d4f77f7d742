/*
 * "Did you mean ...?": the known word that is nearest to a misspelt one.
 */
#ifndef RELAIS_TRANSFORM_NEAREST_H
#define RELAIS_TRANSFORM_NEAREST_H

#include <stddef.h>

typedef struct relais_nearest {
    const char *word;
    const char *best; /* NULL while nothing is near enough to be meant */
    size_t distance;
} relais_nearest;

void relais_nearest_init(relais_nearest *nearest, const char *word);

/* Takes a known word into account; `known` must outlive `nearest`. */
void relais_nearest_consider(relais_nearest *nearest, const char *known);

#endif
