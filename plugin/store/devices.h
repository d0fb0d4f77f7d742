/*
 * Who sends: each device and user that the ledger knows, with when it was last heard, and the
 * longest silence before. A phone that sends nothing more is seen from here or not at all.
 *
 * Walks one index of every submission and reads the rows of those that are open: asked for by
 * name, and never on the way of something else.
 */
#ifndef RELAIS_STORE_DEVICES_H
#define RELAIS_STORE_DEVICES_H

#include "base/arena.h"
#include "store/store.h"

#define RELAIS_DEVICES_SECONDS 60    /* then it gives up: RELAIS_ERR_TRANSIENT or _DATA */
#define RELAIS_DEVICES_MAX     10000 /* the last heard ones; a country has some thousand phones */

typedef struct relais_device {
    const char *device; /* as the client names itself; "" when it does not */
    const char *user;   /* whom the web server knew; "" for nobody */
    const char *last_received;
    const char *first_received;
    const char *silent_from; /* the longest time between two submissions; "" for one alone */
    long long silent_days;   /* whole days of it */
    long long submissions;   /* versions in the ledger */
    long long conflicts;
    long long waiting; /* held, quarantined, or encrypted and without its files */
} relais_device;

typedef struct relais_devices {
    relais_device *items; /* the last heard first */
    size_t count;
} relais_devices;

RELAIS_MUST_USE bool relais_devices_read(relais_store *store, relais_arena *arena,
                                         relais_devices *out, relais_error *err);

#endif
