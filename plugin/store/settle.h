/*
 * One submission in a transaction of its own, together with all versions of its record:
 * edits, conflicts, retries of what was held or quarantined, and refusals.
 */
#ifndef RELAIS_STORE_SETTLE_H
#define RELAIS_STORE_SETTLE_H

#include "store/versions.h"
#include "store/work.h"

/* Settles a parcel that the fast path left: verdict SETTLE or REFUSED. Afterwards the verdict
 * is DONE (the ledger has it, delivered, superseded, in conflict, held or as a duplicate),
 * BURIED, or REFUSED (to quarantine, its ledger row is written). False when it cannot be
 * done now. */
RELAIS_MUST_USE bool relais_settle_item(relais_work *work, relais_item *item, relais_error *err);

/* A version of the ledger that is to be evaluated again. */
typedef struct relais_asked {
    const char *sub_id, *form_id, *instance_id;
    const relais_seal_key *key;  /* opens what is sealed, or NULL */
    const relais_choice *choice; /* it is to become the current one; or NULL */
} relais_asked;

typedef enum {
    RELAIS_AGAIN_DONE,    /* its record's rows were written, or it is not the current version */
    RELAIS_AGAIN_REFUSED, /* *reason says why; nothing was changed */
    RELAIS_AGAIN_GONE,    /* it was erased */
    RELAIS_AGAIN_STOPPED, /* its form has no mapping that can be used now */
    RELAIS_AGAIN_SAME,    /* chosen: it was chosen before and is current; nothing was changed */
    RELAIS_AGAIN_BESIDE   /* chosen: an edit of it is known, which stands after it; the same */
} relais_again;

/* Evaluates it with the present mapping and writes its record's rows, in one transaction, safe
 * beside a forwarder. *reason belongs to work->settle. */
RELAIS_MUST_USE bool relais_settle_again(relais_work *work, const relais_asked *asked,
                                         relais_again *outcome, relais_reason *reason,
                                         relais_error *err);

/* A round over the held versions, oldest first, a page at a time. */
typedef struct relais_held_round {
    bool is_open; /* false: the next page begins a new round */
    char received[64];
    char sub_id[RELAIS_UUID_TEXT_SIZE];
} relais_held_round;

/* Tries one page of held versions again; *progress counts those that were delivered. */
RELAIS_MUST_USE bool relais_settle_held(relais_work *work, relais_held_round *round,
                                        size_t *progress, relais_error *err);

#endif
