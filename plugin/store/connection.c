/*
 * Connecting, preparing, calling. See connection.h and store.h.
 */
#include "store/connection.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Statements are the row shapes of the mappings and some twenty of the ledger. */
enum { PREPARED_MAX = 8192 };

static atomic_ullong generations;

/* What conninfo may override: a server that vanishes without a word is noticed in a minute,
 * not after TCP's own two hours. */
static const char *const defaults[][2] = {
    {"connect_timeout", "10"},     {"keepalives_idle", "20"},
    {"keepalives_interval", "10"}, {"keepalives_count", "3"},
    {"tcp_user_timeout", "60000"}, {"fallback_application_name", "relais"},
};

/* work_mem: the ledger's insert joins a batch with its verdicts, and a batch has 8 MB.
 * jit: compiling costs more than any of these short statements. lock_timeout: a table that
 * somebody keeps locked is a reason to try again, not to hang. */
static const char session_sql[] =
    "SET client_encoding = 'UTF8'; SET TIME ZONE 'UTC'; SET DateStyle = 'ISO, YMD';"
    "SET standard_conforming_strings = on; SET client_min_messages = warning;"
    "SET jit = off; SET work_mem = '32MB'; SET lock_timeout = '30s';"
    "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0";

/* What watches this end of a connection watches the server's too: a session whose client vanished
 * in the middle of a transaction locks the rows of its batch until the server has noticed, and as
 * servers come that takes two hours. Over a unix socket there is nothing to watch. */
static const char watch_sql[] = "SELECT set_config('tcp_keepalives_idle', $1, false),"
                                "       set_config('tcp_keepalives_interval', $2, false),"
                                "       set_config('tcp_keepalives_count', $3, false),"
                                "       set_config('tcp_user_timeout', $4, false)";

static const char *const watched[] = {"keepalives_idle", "keepalives_interval", "keepalives_count",
                                      "tcp_user_timeout"};

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

static bool set_connect_error(const PGconn *conn, const char *const *keys,
                              const char *const *values, relais_error *err)
{
    const char *text = conn == NULL ? "no memory left" : PQerrorMessage(conn);
    int length = (int)strcspn(text, "\n");

    switch (PQpingParams(keys, values, 1)) {
    case PQPING_OK:
        return relais_error_set(err, RELAIS_ERR_DATABASE,
                                "the database refuses the connection: %.*s", length, text);
    case PQPING_NO_ATTEMPT:
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "the database's conninfo cannot be used: %.*s", length, text);
    default:
        return relais_error_set(err, RELAIS_ERR_TRANSIENT, "the database cannot be reached: %.*s",
                                length, text);
    }
}

static bool connect_server(const char *conninfo, PGconn **out, relais_error *err)
{
    enum { DEFAULTS = sizeof defaults / sizeof defaults[0] };
    const char *keys[DEFAULTS + 2] = {0};
    const char *values[DEFAULTS + 2] = {0};

    for (size_t i = 0; i < DEFAULTS; i++) {
        keys[i] = defaults[i][0];
        values[i] = defaults[i][1];
    }
    keys[DEFAULTS] = "dbname"; /* a conninfo in dbname overrides what stands before it */
    values[DEFAULTS] = conninfo;
    *out = PQconnectdbParams(keys, values, 1);
    if (PQstatus(*out) == CONNECTION_OK)
        return true;
    return set_connect_error(*out, keys, values, err);
}

/* A number of the conninfo; "0" is the system's own value, for libpq as for the server. */
static const char *find_number(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val == NULL || options->val[0] == '-' ? "0" : options->val;
    return "0";
}

static bool watch_server(relais_store *store, relais_error *err)
{
    PQconninfoOption *options = PQconninfo(store->conn);
    relais_params params;
    PGresult *rows;
    bool ok;

    if (options == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    relais_params_init(&params);
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++)
        relais_params_text(&params, find_number(options, watched[i]));
    ok = relais_pg_call(store, watch_sql, &params, &rows, err);
    PQclear(rows);
    relais_params_free(&params);
    PQconninfoFree(options);
    return ok;
}

bool relais_store_open(const char *conninfo, relais_store **out, relais_error *err)
{
    relais_store *store = calloc(1, sizeof *store);

    if (store == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    store->generation = atomic_fetch_add(&generations, 1) + 1;
    if (!connect_server(conninfo, &store->conn, err))
        goto fail;
    PQsetNoticeReceiver(store->conn, ignore_notice, NULL);
    if (!relais_pg_run(store, session_sql, err) || !watch_server(store, err))
        goto fail;
    store->catalogue = relais_catalogue_create(store);
    if (store->catalogue == NULL) {
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
        goto fail;
    }
    store->target = relais_catalogue_target(store->catalogue);
    *out = store;
    return true;

fail:
    relais_store_close(store);
    return false;
}

void relais_store_close(relais_store *store)
{
    if (store == NULL)
        return;
    relais_catalogue_destroy(store->catalogue);
    for (size_t i = 0; i < store->prepared_count; i++)
        free(store->prepared[i]);
    free(store->prepared);
    PQfinish(store->conn);
    free(store);
}

const relais_target *relais_store_target(relais_store *store)
{
    return &store->target;
}

void relais_store_forget(relais_store *store)
{
    relais_catalogue_forget(store->catalogue);
    store->generation = atomic_fetch_add(&generations, 1) + 1;
}

bool relais_pg_is_alive(const relais_store *store)
{
    return store != NULL && PQstatus(store->conn) == CONNECTION_OK;
}

static bool is_success(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* Takes the result: hands it to the caller, or clears it and says why it failed. */
static bool take_result(relais_store *store, PGresult *result, PGresult **out, relais_error *err)
{
    if (out != NULL)
        *out = NULL;
    if (!is_success(result)) {
        relais_fault_set(store->conn, result, &store->fault, err);
        PQclear(result);
        return false;
    }
    if (out != NULL)
        *out = result;
    else
        PQclear(result);
    return true;
}

bool relais_pg_run(relais_store *store, const char *sql, relais_error *err)
{
    return take_result(store, PQexec(store->conn, sql), NULL, err);
}

void relais_pg_rollback(relais_store *store)
{
    if (relais_pg_is_alive(store) && PQtransactionStatus(store->conn) != PQTRANS_IDLE)
        PQclear(PQexec(store->conn, "ROLLBACK"));
}

static uint64_t hash_text(const char *text)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash;
}

static const relais_prepared *find_prepared(const relais_store *store, const char *sql,
                                            uint64_t hash)
{
    for (size_t i = 0; i < store->prepared_count; i++)
        if (store->prepared[i]->hash == hash && strcmp(store->prepared[i]->sql, sql) == 0)
            return store->prepared[i];
    return NULL;
}

/* Makes the entry that remembers a statement; its name is its number. */
static const relais_prepared *add_prepared(relais_store *store, const char *sql, uint64_t hash,
                                           relais_error *err)
{
    size_t size = strlen(sql) + 1;
    relais_prepared **grown, *one;

    if (store->prepared_count >= PREPARED_MAX) {
        relais_error_set(err, RELAIS_ERR_LIMIT, "more than %d different statements", PREPARED_MAX);
        return NULL;
    }
    grown = reallocarray(store->prepared, store->prepared_count + 1, sizeof(relais_prepared *));
    if (grown != NULL)
        store->prepared = grown;
    one = grown == NULL ? NULL : malloc(sizeof *one + size);
    if (one == NULL) {
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
        return NULL;
    }
    one->hash = hash;
    snprintf(one->name, sizeof one->name, "relais%zu", store->prepared_count);
    memcpy(one->sql, sql, size);
    store->prepared[store->prepared_count++] = one;
    return one;
}

bool relais_pg_prepare(relais_store *store, const char *sql, const char **name, relais_error *err)
{
    uint64_t hash = hash_text(sql);
    const relais_prepared *one = find_prepared(store, sql, hash);

    if (one == NULL) {
        one = add_prepared(store, sql, hash, err);
        if (one == NULL)
            return false;
        if (!take_result(store, PQprepare(store->conn, one->name, sql, 0, NULL), NULL, err)) {
            free(store->prepared[--store->prepared_count]);
            return false;
        }
    }
    *name = one->name;
    return true;
}

static bool call(relais_store *store, const char *sql, relais_params *params, int format,
                 PGresult **out, relais_error *err)
{
    const char *name;

    if (out != NULL)
        *out = NULL;
    if (!relais_pg_prepare(store, sql, &name, err) || !relais_params_seal(params, err))
        return false;
    return take_result(store,
                       PQexecPrepared(store->conn, name, (int)params->count, params->values,
                                      params->lengths, params->formats, format),
                       out, err);
}

bool relais_pg_call(relais_store *store, const char *sql, relais_params *params, PGresult **out,
                    relais_error *err)
{
    return call(store, sql, params, 0, out, err);
}

bool relais_pg_ask(relais_store *store, const char *sql, PGresult **out, relais_error *err)
{
    relais_params params;
    bool ok;

    relais_params_init(&params);
    ok = relais_pg_call(store, sql, &params, out, err);
    relais_params_free(&params);
    return ok;
}

bool relais_pg_call_binary(relais_store *store, const char *sql, relais_params *params,
                           PGresult **out, relais_error *err)
{
    return call(store, sql, params, 1, out, err);
}

bool relais_pipe_begin(relais_store *store, relais_error *err)
{
    store->queued = 0;
    if (PQenterPipelineMode(store->conn) == 1)
        return true;
    return relais_fault_set(store->conn, NULL, &store->fault, err);
}

bool relais_pipe_queue(relais_store *store, const char *name, relais_params *params,
                       relais_error *err)
{
    if (store->queued >= RELAIS_PIPELINE_MAX)
        return relais_error_set(err, RELAIS_ERR_LIMIT, "more than %d statements in one batch",
                                RELAIS_PIPELINE_MAX);
    if (!relais_params_seal(params, err))
        return false;
    if (PQsendQueryPrepared(store->conn, name, (int)params->count, params->values, params->lengths,
                            params->formats, 0) != 1)
        return relais_fault_set(store->conn, NULL, &store->fault, err);
    store->queued++;
    return true;
}

/* The next statement's result; between two of them libpq returns one NULL. */
static PGresult *next_result(relais_store *store)
{
    PGresult *result = PQgetResult(store->conn);

    if (result == NULL && relais_pg_is_alive(store))
        result = PQgetResult(store->conn);
    return result;
}

static void drain_to_sync(relais_store *store)
{
    for (unsigned tries = 0; tries < 2 * RELAIS_PIPELINE_MAX && relais_pg_is_alive(store);
         tries++) {
        PGresult *result = PQgetResult(store->conn);
        bool is_sync = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        PQclear(result);
        if (is_sync)
            break;
    }
    if (relais_pg_is_alive(store))
        PQexitPipelineMode(store->conn);
}

bool relais_pipe_collect(relais_store *store, PGresult **results, size_t capacity, size_t *failed,
                         relais_error *err)
{
    bool ok = true;

    *failed = 0;
    for (size_t i = 0; i < capacity; i++)
        results[i] = NULL;
    if (PQpipelineSync(store->conn) != 1)
        return relais_fault_set(store->conn, NULL, &store->fault, err);
    for (size_t i = 0; i < store->queued && ok; i++) {
        PGresult *result = next_result(store);
        ok = is_success(result);
        if (!ok) {
            *failed = i;
            relais_fault_set(store->conn, result, &store->fault, err);
        }
        if (ok && i < capacity)
            results[i] = result;
        else
            PQclear(result);
    }
    drain_to_sync(store);
    return ok;
}

void relais_sql_identifier(relais_buffer *sql, const char *name)
{
    relais_buffer_append_char(sql, '"');
    for (; *name != '\0'; name++) {
        if (*name == '"')
            relais_buffer_append_char(sql, '"');
        relais_buffer_append_char(sql, *name);
    }
    relais_buffer_append_char(sql, '"');
}

void relais_sql_table(relais_buffer *sql, const char *dotted)
{
    const char *dot = strchr(dotted, '.');
    char schema[RELAIS_IDENTIFIER_SIZE];

    if (dot != NULL && (size_t)(dot - dotted) < sizeof schema) {
        memcpy(schema, dotted, (size_t)(dot - dotted));
        schema[dot - dotted] = '\0';
        relais_sql_identifier(sql, schema);
        relais_buffer_append_char(sql, '.');
        dotted = dot + 1;
    }
    relais_sql_identifier(sql, dotted);
}
