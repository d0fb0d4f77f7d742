/*
 * A set of ids, kept as 64-bit hashes: enough to notice that a server tells rows again.
 */
#ifndef RELAIS_SOURCES_IDSET_H
#define RELAIS_SOURCES_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct relais_idset {
    uint64_t *slots;
    size_t capacity, count;
} relais_idset;

uint64_t relais_id_hash(const char *id);

/* True when the id was not in the set. Without memory it is taken for new. */
bool relais_idset_add(relais_idset *set, const char *id);
void relais_idset_free(relais_idset *set);

#endif
