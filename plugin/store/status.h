/*
 * What the ledger holds, by form: for people who ask whether all is well.
 *
 * The counts of what is not delivered come from an index of exactly those rows. Counting what
 * was received walks one index of the form; where that takes longer than RELAIS_COUNT_SECONDS
 * the count is left out, and the rest stands.
 */
#ifndef RELAIS_STORE_STATUS_H
#define RELAIS_STORE_STATUS_H

#include "base/arena.h"
#include "store/store.h"

#define RELAIS_COUNT_SECONDS 5

typedef struct relais_form_status {
    const char *form;
    long long received; /* versions in the ledger; -1: not counted */
    long long partial;  /* delivered, but files that its answers name have not come */
    long long held;
    long long quarantined;
    long long conflict;
    long long erased;
    const char *oldest_undelivered; /* received, ISO 8601; "" when nothing waits */
    const char *last_delivered;     /* ISO 8601; "" when nothing was delivered */
} relais_form_status;

typedef struct relais_ledger_status {
    relais_form_status *forms; /* by form id */
    size_t count;
    const char *last_delivered; /* of all forms */
} relais_ledger_status;

RELAIS_MUST_USE bool relais_ledger_status_read(relais_store *store, relais_arena *arena,
                                               relais_ledger_status *out, relais_error *err);

/* Received less what is partial, held, quarantined, in conflict or erased; -1: not counted. */
long long relais_form_status_delivered(const relais_form_status *form);

#endif
