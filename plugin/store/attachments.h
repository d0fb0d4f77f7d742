/*
 * Files of submissions into relais.attachment, streamed: a file of 500 MB passes through
 * 256 KB of memory. Where the submission is sealed they are too, by way of a file without a name
 * on the spool's disk.
 */
#ifndef RELAIS_STORE_ATTACHMENTS_H
#define RELAIS_STORE_ATTACHMENTS_H

#include "store/connection.h"
#include "store/item.h"

/* Copies every file of the items that is not marked stored, in one COPY, inside the open
 * transaction. The parcels are opened again by their entries; `scratch` is emptied. */
RELAIS_MUST_USE bool relais_attachments_copy(relais_store *store, relais_spool *spool,
                                             relais_item *const *items, size_t count,
                                             relais_arena *scratch, relais_error *err);

#endif
