/*
 * One form file as the directory's watcher knows it: the state in which it was last judged,
 * and the judgement. Never changed once made, counted by its users, and shared between
 * snapshots while the file stays as it is.
 */
#ifndef RELAIS_OPENROSA_SLOT_H
#define RELAIS_OPENROSA_SLOT_H

#include "openrosa/published.h"

#include <stdatomic.h>

typedef struct relais_slot {
    atomic_uint users;
    relais_arena *arena;
    relais_listing listing;
    relais_published *good; /* of this state, or else of the last good one; NULL: never */
    const char *complaint;  /* why this state is not published, or NULL */
} relais_slot;

/* The slot that follows `before` (NULL: a file not seen so far) at `now`: `before` itself,
 * shared, while the file is unchanged or not yet settled. *out is NULL when there is nothing
 * to say about the file, yet or any more. False only without memory. */
RELAIS_MUST_USE bool relais_slot_take(const char *directory, const char *file, relais_slot *before,
                                      const struct timespec *now, relais_slot **out,
                                      relais_error *err);

/* NULL is allowed. */
relais_slot *relais_slot_share(relais_slot *slot);
void relais_slot_release(relais_slot *slot);

#endif
