/*
 * Erasing a person or a submission from the database, in one transaction.
 *
 * What it does is in transforms/schema (schema erasure): identity, keys, raw answers and files
 * go, tombstones and the anonymous rows stay. Copies that lie in the spool are the caller's to
 * remove, after this has committed: then no order of crashes brings anything back.
 */
#ifndef RELAIS_STORE_ERASE_H
#define RELAIS_STORE_ERASE_H

#include "base/arena.h"
#include "store/store.h"

/* A submission by its form and instanceID; texts belong to the arena. */
typedef struct relais_instance {
    const char *form;
    const char *id;
} relais_instance;

typedef struct relais_instances {
    relais_instance *list;
    size_t count;
} relais_instances;

typedef struct relais_erasure {
    relais_instances instances; /* every version of every submission concerned */
    long long people;
    long long recordings;
    long long identities;
    long long keys;
    long long attachments;
    long long versions; /* whose answers went now; those erased before do not count */
    long long wishes;   /* requests for erasure that this answers */
    long long cases;    /* criminal cases that name the person's card: they stay */
    long long others;   /* recordings of the card that are of another person: they stay */
} relais_erasure;

typedef struct relais_erasure_request {
    const char *card;           /* or NULL: only the instances */
    relais_instances instances; /* asked for, or found in the spool with the card */
    const char *reason;
    bool is_trial; /* nothing is changed; the outcome says what would be */
} relais_erasure_request;

RELAIS_MUST_USE bool relais_erasure_run(relais_store *store, const relais_erasure_request *request,
                                        relais_arena *arena, relais_erasure *out,
                                        relais_error *err);

/* The submissions that the ledger knows by one of these ids, whatever their forms. */
RELAIS_MUST_USE bool relais_erasure_find(relais_store *store, const char *const *ids, size_t count,
                                         relais_arena *arena, relais_instances *out,
                                         relais_error *err);

#endif
