/*
 * What the spool and the quarantine still hold of somebody: parcels found by their
 * submission's id, by the one that it corrects, or by the card in its answers.
 *
 * A form says whose it is in the group "card" below its root: an answer there that is the
 * card's code makes it that person's. A case, which names cards elsewhere, is not.
 *
 * A sealed parcel tells its submission's id in its head; its answers are read in memory, and
 * only with the key.
 */
#ifndef RELAIS_CLI_REMAINS_H
#define RELAIS_CLI_REMAINS_H

#include "spool/quarantine.h"
#include "store/erase.h"
#include "xform/seal.h"

/* The names of a hundred thousand parcels, and one submission at a time beside them. */
#define RELAIS_REMAINS_MEMORY_MAX ((size_t)64 * 1024 * 1024)
#define RELAIS_REMAINS_PARCEL_MAX ((size_t)128 * 1024 * 1024)

typedef struct relais_sought {
    const char *card;           /* or NULL */
    relais_instances instances; /* a form of NULL stands for any */
    const relais_seal_key *key; /* opens what is sealed, or NULL */
} relais_sought;

typedef struct relais_remain {
    const char *quarantined;  /* its name there, or NULL: it waits */
    relais_spool_entry entry; /* of one that waits */
    relais_instance instance; /* id "" when the submission has none */
    const struct relais_remain *next;
} relais_remain;

typedef struct relais_remains {
    const relais_remain *first;
    size_t waiting;
    size_t quarantined;
    size_t unclear; /* cannot be read, so that nobody can say whose they are */
    size_t sealed;  /* the key that opens them was not given: the same */
} relais_remains;

/* Reads every parcel of the spool. */
RELAIS_MUST_USE bool relais_remains_find(relais_spool *spool, const relais_sought *sought,
                                         relais_arena *arena, relais_remains *out,
                                         relais_error *err);

/* Removes them for good; one that is gone already is no error. */
RELAIS_MUST_USE bool relais_remains_remove(relais_spool *spool, const relais_remains *remains,
                                           relais_error *err);

#endif
