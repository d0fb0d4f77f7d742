/*
 * A batch: as many parcels as one transaction takes, read, evaluated and delivered.
 */
#ifndef RELAIS_STORE_BATCH_H
#define RELAIS_STORE_BATCH_H

#include "store/work.h"

typedef struct relais_batch {
    relais_item *items;
    relais_item **fast; /* those that go together in one transaction */
    size_t capacity;    /* parcels a transaction */
    size_t count;
    size_t xml_bytes;
} relais_batch;

RELAIS_MUST_USE bool relais_batch_init(relais_batch *batch, size_t capacity, relais_error *err);
void relais_batch_free(relais_batch *batch);

/* Reads parcels from entries[*next] on until the batch is full, and moves *next past those
 * that were taken, are gone, or are left for later. */
RELAIS_MUST_USE bool relais_batch_fill(relais_work *work, relais_batch *batch,
                                       const relais_spool_entry *entries, size_t count,
                                       size_t *next, relais_error *err);

/* Delivers the batch: every item ends in the ledger, in quarantine, or (its form was stopped)
 * where it is; *removed counts the parcels that left new/. False when the database cannot
 * take it now; what was committed stays so. */
RELAIS_MUST_USE bool relais_batch_deliver(relais_work *work, relais_batch *batch, size_t *removed,
                                          relais_error *err);

#endif
