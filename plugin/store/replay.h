/*
 * Versions of the ledger evaluated again with the present mappings: after a mapping was changed,
 * or for what waits and cannot be tried again without a key.
 */
#ifndef RELAIS_STORE_REPLAY_H
#define RELAIS_STORE_REPLAY_H

#include "spool/quarantine.h"
#include "store/store.h"
#include "transform/secrets.h"

typedef struct relais_replay_options {
    const char *mappings;          /* directory */
    const relais_secrets *secrets; /* of the mappings, or NULL */
    const relais_seal_key *key;    /* opens what is sealed, or NULL */
    const char *form, *instance;   /* only these, or NULL; an instanceID with or without uuid: */
    bool all; /* every current version, not only those of another mapping and those that wait */
} relais_replay_options;

typedef struct relais_replay_counts {
    size_t found;   /* versions that are to be evaluated again */
    size_t done;    /* their rows are those of the present mapping, or they are not current */
    size_t refused; /* stay as they were: the mapping or the database refuses them */
    size_t sealed;  /* stay as they were: sealed, and no key, or another key, was given */
    size_t stopped; /* stay as they were: their form's mapping cannot be used */
    char seal[RELAIS_SEAL_KEY_ID_SIZE]; /* what the first of the sealed ones is sealed for */
} relais_replay_counts;

/* Hears of each version that was refused, and of how far the work is. */
typedef struct relais_replay_listener {
    void (*progress)(void *data, size_t done, size_t total);
    void (*refused)(void *data, const char *form, const char *instance,
                    const relais_reason *reason);
    void *data;
} relais_replay_listener;

/* Each version in a transaction of its own, in the order received; safe beside a forwarder, and
 * safe to be broken off and begun again. RELAIS_ERR_CONFIG, with nothing changed, when the key
 * opens none of those that are sealed. */
RELAIS_MUST_USE bool relais_replay_run(relais_store *store, const relais_replay_options *options,
                                       const relais_replay_listener *listener,
                                       relais_replay_counts *counts, relais_error *err);

#endif
