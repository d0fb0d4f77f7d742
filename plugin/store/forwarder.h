/*
 * The one process that turns parcels into rows.
 */
#ifndef RELAIS_STORE_FORWARDER_H
#define RELAIS_STORE_FORWARDER_H

#include "base/error.h"
#include "transform/secrets.h"

#include <stddef.h>
#include <stdint.h>

typedef struct relais_forwarder_counts {
    uint64_t delivered;   /* parcels that are new in the ledger, also superseded or in conflict */
    uint64_t duplicates;  /* the same XML was there; new files were added to it */
    uint64_t quarantined; /* parcels moved to the quarantine */
    uint64_t held;        /* in the ledger, waiting for a row that they refer to */
    uint64_t buried;      /* removed, because their record was erased */
} relais_forwarder_counts;

/* Called between two steps about every `alive_seconds`, also while there is nothing to do and while
 * the database is away: when it is not, the forwarder hangs, most likely in a statement. */
typedef void relais_forwarder_alive(void *context, const relais_forwarder_counts *counts,
                                    bool has_store);

typedef struct relais_forwarder_options {
    const char *conninfo;
    const char *spool;             /* directory */
    const char *mappings;          /* directory of *.xml */
    const relais_secrets *secrets; /* keys and certificate of the mappings, or NULL */
    uint64_t floor;                /* as relais_spool_open */
    size_t batch;                  /* parcels a transaction, 1 .. 5000 */
    unsigned scan_seconds;         /* full scan even without inotify's word */
    unsigned sweep_seconds;        /* age at which a file in tmp/ is swept at start */
    relais_forwarder_alive *alive; /* or NULL */
    void *alive_context;
    double alive_seconds;
    bool once; /* deliver what is there, then return */
} relais_forwarder_options;

/* Runs until SIGTERM or SIGINT (finishing the transaction in hand), or until the spool is
 * empty with `once`. Logs by base/log. Database outages are waited out; false only for what
 * a person must mend (no spool, no mappings, schema missing). */
RELAIS_MUST_USE bool relais_forwarder_run(const relais_forwarder_options *options,
                                          relais_forwarder_counts *counts, relais_error *err);

#endif
