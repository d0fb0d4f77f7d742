/*
 * The spools and form directories that one process has open: each opened when it is first
 * there, and shared by all that name it.
 *
 * A directory that is not there when the web server starts, or that is taken away and comes
 * back before it was ever opened, must not stop the server: it is tried again with every
 * request that needs it, and until then phones are asked to come back.
 *
 * Thread-safe. There are as many stores as the configuration names; none is ever forgotten.
 */
#ifndef RELAIS_OPENROSA_STORES_H
#define RELAIS_OPENROSA_STORES_H

#include "openrosa/forms.h"
#include "spool/spool.h"

typedef struct relais_stores relais_stores;

/* Where a store's troubles are said: a line for the web server's log. */
typedef void relais_tell(void *context, bool is_error, const char *text);

/* NULL without memory. */
RELAIS_MUST_USE relais_stores *relais_stores_create(void);

/* When nobody uses a store any more. NULL is allowed. */
void relais_stores_close(relais_stores *stores);

/* Blocking. NULL with err set while the spool cannot be opened. */
relais_spool *relais_stores_spool(relais_stores *stores, const char *directory, uint64_t floor,
                                  relais_error *err);

/* Blocking. The present snapshot, for relais_snapshot_release(); new complaints about it and
 * troubles with the directory are told. NULL while there is none. `force` as for
 * relais_forms_acquire(). */
relais_snapshot *relais_stores_forms(relais_stores *stores, const char *directory, bool force,
                                     relais_tell *tell, void *context);

#endif
