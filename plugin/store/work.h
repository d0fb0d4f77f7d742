/*
 * The forwarder's tools, handed from step to step, and the outcome of a step.
 */
#ifndef RELAIS_STORE_WORK_H
#define RELAIS_STORE_WORK_H

#include "store/connection.h"
#include "store/forwarder.h"
#include "store/item.h"
#include "store/rows.h"

/* A batch has at most 8 MB of XML; the rows made of it and their paths take a few times that.
 * One submission alone may use all of it. */
#define RELAIS_BATCH_MEMORY_MAX   ((size_t)48 * 1024 * 1024)
#define RELAIS_SCRATCH_MEMORY_MAX ((size_t)48 * 1024 * 1024)
#define RELAIS_BATCH_XML_MAX      ((size_t)8 * 1024 * 1024)

typedef struct relais_work {
    relais_spool *spool;
    relais_store *store; /* NULL while there is no connection */
    relais_mappings *mappings;
    const relais_secrets *secrets; /* or NULL */
    relais_params params;
    relais_rows_log log;
    relais_arena *batch;   /* the items in hand */
    relais_arena *settle;  /* the record in hand */
    relais_arena *scratch; /* the parcel or document in hand */
    relais_forwarder_counts *counts;
    bool has_delivered; /* since the last round over the held ones began */
} relais_work;

/* For a command that settles without a forwarder: memory, and the mappings of the directory bound
 * to the store. work->counts is the caller's. Also after false it is closed by relais_work_close,
 * which leaves the store open. */
RELAIS_MUST_USE bool relais_work_open(relais_work *work, relais_store *store, const char *mappings,
                                      const relais_secrets *secrets, relais_error *err);
void relais_work_close(relais_work *work);

#endif
