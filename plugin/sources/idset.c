/*
 * Open addressing over hashes. See idset.h.
 */
#include "sources/idset.h"

#include <stdlib.h>

/* FNV-1a; 0 marks an empty slot. */
uint64_t relais_id_hash(const char *id)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *id != '\0'; id++)
        hash = (hash ^ (unsigned char)*id) * UINT64_C(1099511628211);
    return hash == 0 ? 1 : hash;
}

/* The slot of a hash, or the empty one where it belongs. */
static size_t find_slot(const uint64_t *slots, size_t capacity, uint64_t hash)
{
    size_t at = (size_t)hash & (capacity - 1);

    while (slots[at] != 0 && slots[at] != hash)
        at = (at + 1) & (capacity - 1);
    return at;
}

static bool grow(relais_idset *set)
{
    size_t capacity = set->capacity == 0 ? 1024 : 2 * set->capacity;
    uint64_t *slots = calloc(capacity, sizeof *slots);

    if (slots == NULL)
        return false;
    for (size_t i = 0; i < set->capacity; i++)
        if (set->slots[i] != 0)
            slots[find_slot(slots, capacity, set->slots[i])] = set->slots[i];
    free(set->slots);
    set->slots = slots;
    set->capacity = capacity;
    return true;
}

bool relais_idset_add(relais_idset *set, const char *id)
{
    uint64_t hash = relais_id_hash(id);
    size_t at;

    if (2 * (set->count + 1) > set->capacity && !grow(set))
        return true;
    at = find_slot(set->slots, set->capacity, hash);
    if (set->slots[at] == hash)
        return false;
    set->slots[at] = hash;
    set->count++;
    return true;
}

void relais_idset_free(relais_idset *set)
{
    free(set->slots);
    *set = (relais_idset){0};
}
