/*
 * The central PostgreSQL store: connection, catalogue, and what the mapping engine asks of
 * the database. Only store/ knows libpq.
 */
#ifndef RELAIS_STORE_STORE_H
#define RELAIS_STORE_STORE_H

#include "base/error.h"
#include "transform/target.h"

typedef struct relais_store relais_store;

/* Connects by libpq's own rules (conninfo, service file, PG* environment, password file).
 * application_name is "relais"; client encoding UTF8; time zone UTC; synchronous_commit is
 * left on. RELAIS_ERR_TRANSIENT when the server cannot be reached now, RELAIS_ERR_DATABASE
 * when it refuses for good. */
RELAIS_MUST_USE bool relais_store_open(const char *conninfo, relais_store **out, relais_error *err);
void relais_store_close(relais_store *store);

/* The engine's questions, answered from the catalogue and from code lists that are cached
 * for the connection; a value that is not found is asked again once, so that a list mended
 * in the database is seen. Valid as long as the store. */
const relais_target *relais_store_target(relais_store *store);

/* Forgets cached tables and lists (after a schema change, before a replay). */
void relais_store_forget(relais_store *store);

#endif
