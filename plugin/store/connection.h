/*
 * The connection: prepared statements, single calls, and pipelines of calls.
 *
 * A statement is prepared once a connection, the first time its text is used. Nothing here
 * reconnects: after RELAIS_ERR_TRANSIENT with a dead connection the caller closes the store
 * and opens another one.
 */
#ifndef RELAIS_STORE_CONNECTION_H
#define RELAIS_STORE_CONNECTION_H

#include "base/backoff.h"
#include "store/catalogue.h"
#include "store/fault.h"
#include "store/params.h"
#include "store/store.h"

#include <libpq-fe.h>

/* The most statements that one pipeline carries: the row shapes of a batch's forms. */
#define RELAIS_PIPELINE_MAX 1024

/* A restarted PostgreSQL answers within a second or two; after half a minute's waits nothing is
 * gained by asking more often. */
#define RELAIS_STORE_BACKOFF ((relais_backoff){.first = 0.2, .most = 30})

/* A number of C as SQL has it, so that it stands in one place: a macro of digits alone. */
#define RELAIS_SQL_DIGITS(number) #number
#define RELAIS_SQL_NUMBER(number) RELAIS_SQL_DIGITS(number)

/* For to_char, of an instant in UTC: ISO 8601 with milliseconds, as heads of parcels have it. */
#define RELAIS_SQL_ISO_8601 "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'"

typedef struct relais_prepared {
    uint64_t hash;
    char name[16]; /* on the server */
    char sql[];
} relais_prepared;

struct relais_store {
    PGconn *conn;
    relais_fault fault; /* of the last refusal */
    relais_catalogue *catalogue;
    relais_target target;
    relais_prepared **prepared;
    size_t prepared_count;
    size_t queued;       /* statements sent in the open pipeline */
    uint64_t generation; /* changes when tables that were handed out become invalid */
};

/* True while the connection may still be used. */
bool relais_pg_is_alive(const relais_store *store);

/* Runs statements without parameters and forgets their results. */
RELAIS_MUST_USE bool relais_pg_run(relais_store *store, const char *sql, relais_error *err);

/* Ends whatever transaction is open; for use after an error, so it reports none itself. */
void relais_pg_rollback(relais_store *store);

/* Prepares `sql` unless that was done, and gives its name on the server. */
RELAIS_MUST_USE bool relais_pg_prepare(relais_store *store, const char *sql, const char **name,
                                       relais_error *err);

/* Calls one statement (prepared by its text) and returns its result in text format, which
 * the caller clears; `out` may be NULL. Not inside a pipeline. */
RELAIS_MUST_USE bool relais_pg_call(relais_store *store, const char *sql, relais_params *params,
                                    PGresult **out, relais_error *err);

/* The same of a statement without parameters. */
RELAIS_MUST_USE bool relais_pg_ask(relais_store *store, const char *sql, PGresult **out,
                                   relais_error *err);

/* The same with the result in binary format, for statements that return bytea. */
RELAIS_MUST_USE bool relais_pg_call_binary(relais_store *store, const char *sql,
                                           relais_params *params, PGresult **out,
                                           relais_error *err);

/* A pipeline: begin, queue any number of prepared statements, collect. Collecting ends the
 * pipeline, also after an error. results[i] belongs to the i-th statement and is the
 * caller's to clear (NULL where none came). *failed is the statement that was refused. */
RELAIS_MUST_USE bool relais_pipe_begin(relais_store *store, relais_error *err);
RELAIS_MUST_USE bool relais_pipe_queue(relais_store *store, const char *name, relais_params *params,
                                       relais_error *err);
RELAIS_MUST_USE bool relais_pipe_collect(relais_store *store, PGresult **results, size_t capacity,
                                         size_t *failed, relais_error *err);

/* Names for statements without parameters that may be queued in a pipeline. */
#define RELAIS_SQL_BEGIN  "BEGIN"
#define RELAIS_SQL_COMMIT "COMMIT"

/* Appends "name" quoted, or a dotted name quoted part by part. */
void relais_sql_identifier(relais_buffer *sql, const char *name);
void relais_sql_table(relais_buffer *sql, const char *dotted);

#endif
