/*
 * A file without a name on the spool's file system: where a body goes that is too large for
 * memory, until it is a parcel. It is gone with its descriptor, whatever happens, and copying
 * it into the parcel stays inside one file system.
 */
#ifndef RELAIS_SPOOL_SCRATCH_H
#define RELAIS_SPOOL_SCRATCH_H

#include "spool/spool.h"

/* A new, empty one. The descriptor is the caller's to close. */
RELAIS_MUST_USE bool relais_scratch_open(relais_spool *spool, int *fd, relais_error *err);

/* Appends. RELAIS_ERR_FULL when the spool has no room above its floor. */
RELAIS_MUST_USE bool relais_scratch_write(relais_spool *spool, int fd, const void *bytes,
                                          size_t length, relais_error *err);

#endif
