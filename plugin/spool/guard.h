/*
 * Who may look into the spool: the modes and owners of its directories against what spool.h
 * says of them. Parcels hold answers in the clear until they are delivered.
 */
#ifndef RELAIS_SPOOL_GUARD_H
#define RELAIS_SPOOL_GUARD_H

#include "base/error.h"

#include <sys/types.h>

/* A directory that is too open, or another user's. One of the shards' stands for all that are
 * as bad: `path` is then a pattern like DIR/0?/new. */
typedef struct relais_spool_gap {
    const char *path;
    unsigned mode, wanted; /* permissions as they are, and as they should be */
    uid_t owner;
    bool is_foreign; /* the owner is another user than the one who asks, and not root */
    bool is_grave;   /* somebody can read or change what he must not */
} relais_spool_gap;

/* Calls `found` for each gap. What is missing has none, nor what may not be looked at. */
typedef void relais_spool_gap_found(void *context, const relais_spool_gap *gap);
RELAIS_MUST_USE bool relais_spool_guard(const char *directory, relais_spool_gap_found *found,
                                        void *context, relais_error *err);

#endif
