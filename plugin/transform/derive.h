/*
 * What a run notes when its rows are to be kept: ids that it makes from the record's name, and
 * codes that their lists have not yet.
 *
 * A record is named after the first version of its chain of edits, which may be the last to
 * arrive. Rows that were made under one name then belong to another: they can be renamed
 * without the answers that they came from, when it is known which ids were made of the name
 * and of what else.
 */
#ifndef RELAIS_TRANSFORM_DERIVE_H
#define RELAIS_TRANSFORM_DERIVE_H

#include "transform/mapping.h"

/* What a run notes while it makes ids. Zeroed, with `record` and `arena`, before it begins. */
typedef struct relais_derivation {
    const char *record;
    relais_arena *arena;
    relais_derived *list;
    size_t count, room;
    void *known; /* a tree of the record's name and the ids made of it */
    relais_awaited *awaited;
    size_t awaited_count, awaited_room;
} relais_derivation;

/* Keeps the id when one of its parts is the record's name or an id that was made of it. */
RELAIS_MUST_USE bool relais_derivation_note(relais_derivation *derivation, const char *const *parts,
                                            size_t count, const char *id, relais_error *err);

/* Keeps a code that its list has not yet. */
RELAIS_MUST_USE bool relais_derivation_await(relais_derivation *derivation, const char *list,
                                             const char *value, relais_error *err);

/* Hands over what was noted, and ends the noting. */
void relais_derivation_finish(relais_derivation *derivation, relais_output *out);

#endif
