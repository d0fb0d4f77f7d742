/*
 * Pairs of people who may be one, for whoever decides: the functions and masked views of the
 * schema link. Nothing here names a person, a card, an organisation or a day.
 */
#ifndef RELAIS_STORE_LINK_H
#define RELAIS_STORE_LINK_H

#include "base/arena.h"
#include "store/store.h"

/* What a list says of one of the two: of its first recording. Texts are "" when unknown. */
typedef struct relais_link_person {
    const char *victim; /* id of its row */
    const char *sex, *age, *place, *month, *org_type;
    long long recordings;
} relais_link_person;

typedef struct relais_link_pair {
    long long id; /* 0: was never proposed */
    const char *score, *reason, *found, *decision, *decided_by;
    long long join; /* the join in force between the two, or 0 */
    relais_link_person a, b;
} relais_link_pair;

typedef struct relais_link_pairs {
    relais_link_pair *list;
    size_t count;
} relais_link_pairs;

/* One recording of one of the two people, whichever of its cards it is of. */
typedef struct relais_link_recording {
    const char *side; /* "A" or "B" */
    const char *month, *org_type, *place, *sex, *age, *age_basis, *status, *form, *citizenship,
        *origin, *keys;
} relais_link_recording;

typedef struct relais_link_recordings {
    relais_link_recording *list;
    size_t count;
} relais_link_recordings;

/* Names a pair: by number, or by its two people. */
typedef struct relais_link_name {
    const char *id;         /* digits, or NULL */
    const char *victims[2]; /* UUIDs, when id is NULL */
} relais_link_name;

/* Who decides and why; `reason` may be NULL. */
typedef struct relais_link_author {
    const char *by, *reason;
} relais_link_author;

/* The likeliest first. Those to be decided, or all. */
RELAIS_MUST_USE bool relais_link_list(relais_store *store, bool all, size_t limit,
                                      relais_arena *arena, relais_link_pairs *out,
                                      relais_error *err);

/* RELAIS_ERR_MISSING when there is no such pair. */
RELAIS_MUST_USE bool relais_link_find(relais_store *store, const relais_link_name *name,
                                      relais_arena *arena, relais_link_pair *out,
                                      relais_error *err);

RELAIS_MUST_USE bool relais_link_read(relais_store *store, const relais_link_pair *pair,
                                      relais_arena *arena, relais_link_recordings *out,
                                      relais_error *err);

/* `decision` is same, different or new_episode. RELAIS_ERR_CONFIG for another decision than
 * same on a pair that was never proposed. */
RELAIS_MUST_USE bool relais_link_decide(relais_store *store, const relais_link_pair *pair,
                                        const char *decision, const relais_link_author *author,
                                        relais_error *err);

/* Takes back the decision, or the join that was made without one. */
RELAIS_MUST_USE bool relais_link_undo(relais_store *store, const relais_link_pair *pair,
                                      const relais_link_author *author, relais_error *err);

#endif
