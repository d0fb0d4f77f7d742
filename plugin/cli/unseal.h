/*
 * Opening sealed parcels of the quarantine for a person who holds the key: on the way back to
 * the forwarder, or in memory for a look.
 */
#ifndef RELAIS_CLI_UNSEAL_H
#define RELAIS_CLI_UNSEAL_H

#include "spool/quarantine.h"
#include "xform/seal.h"

/* A relais_spool_convert whose context is a relais_seal_key. */
bool relais_unseal_convert(void *key, const relais_segment *from, relais_spool_write *write,
                           void *to, relais_error *err);

/* True when the parcel says that it is sealed to this key. */
bool relais_unseal_fits(const relais_seal_key *key, const relais_parcel *sealed);

/* The file that the sealed parcel holds, in memory only: *fd is closed with the arena. */
RELAIS_MUST_USE bool relais_unseal_file(const relais_seal_key *key, const relais_parcel *sealed,
                                        relais_arena *arena, int *fd, relais_error *err);

#endif
