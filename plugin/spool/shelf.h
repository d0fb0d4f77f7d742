/*
 * Steps that putting aside and giving back share, whether a parcel moves as it is
 * (quarantine.c) or another takes its place (sealed.c).
 */
#ifndef RELAIS_SPOOL_SHELF_H
#define RELAIS_SPOOL_SHELF_H

#include "spool/layout.h"
#include "spool/quarantine.h"

RELAIS_MUST_USE bool relais_shelf_check_entry(const relais_spool_entry *entry, relais_error *err);

/* Says that it is not there; false. */
bool relais_shelf_no_such(const char *name, relais_error *err);

/* The shard that a parcel goes back to. */
int relais_shelf_shard(const char *name);

/* The reason is durable under its name when this returns true. */
RELAIS_MUST_USE bool relais_shelf_write_reason(const relais_spool_dir *dir, const char *name,
                                               const relais_reason *reason, relais_error *err);
RELAIS_MUST_USE bool relais_shelf_remove_reason(int dirfd, const char *name, relais_error *err);

/* Not being there any more is success. */
RELAIS_MUST_USE bool relais_shelf_remove(int dirfd, const char *name, relais_error *err);

/* The directory that gained the file first: a crash between the two leaves it in both. */
RELAIS_MUST_USE bool relais_shelf_sync_both(const relais_spool_dir *gained,
                                            const relais_spool_dir *lost, const char *name,
                                            relais_error *err);

#endif
