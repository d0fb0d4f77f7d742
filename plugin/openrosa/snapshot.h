/*
 * How a snapshot is put together of slots.
 */
#ifndef RELAIS_OPENROSA_SNAPSHOT_H
#define RELAIS_OPENROSA_SNAPSHOT_H

#include "openrosa/slot.h"

/* Form files of a directory, sorted by name; each slot is one reference. */
typedef struct relais_slots {
    relais_slot *slots[RELAIS_FORMS_MAX];
    size_t count;
    bool has_more; /* than RELAIS_FORMS_MAX */
} relais_slots;

void relais_slots_release(relais_slots *slots);

/* Takes the references over, also on failure. Complaints that `before` (may be NULL) did not
 * have are fresh. */
RELAIS_MUST_USE relais_snapshot *
relais_snapshot_create(relais_slots *slots, const relais_snapshot *before, relais_error *err);

relais_snapshot *relais_snapshot_share(relais_snapshot *snapshot);

/* The slot of a file name, or NULL. */
relais_slot *relais_snapshot_slot(const relais_snapshot *snapshot, const char *file);

/* True when the snapshot is made of exactly these. */
bool relais_snapshot_is_made_of(const relais_snapshot *snapshot, const relais_slots *slots);

#endif
