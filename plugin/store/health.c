/*
 * One question to the server about itself. See health.h.
 */
#include "store/health.h"

#include "store/connection.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* to_regclass gives NULL for what is not there, and has_table_privilege then NULL as well. */
static const char health_sql[] =
    "SELECT current_setting('server_version_num'),"
    "       inet_server_addr() IS NULL OR inet_client_addr() << '127.0.0.0/8'"
    "         OR inet_client_addr() = '::1',"
    "       coalesce((SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid()), false),"
    "       current_setting('fsync') = 'on' AND current_setting('synchronous_commit') <> 'off',"
    "       current_setting('log_error_verbosity') = 'terse'"
    "         AND current_setting('log_min_error_statement') IN ('log', 'fatal', 'panic')"
    "         AND current_setting('log_parameter_max_length') = '0'"
    "         AND current_setting('log_parameter_max_length_on_error') = '0',"
    "       pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',"
    "       to_regclass('relais.submission') IS NOT NULL,"
    "       coalesce(has_table_privilege(to_regclass('relais.submission'), 'INSERT'), false),"
    "       coalesce(has_table_privilege(to_regclass('identity.person'), 'SELECT'), false),"
    "       extract(epoch FROM clock_timestamp())";

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool is_true(const PGresult *rows, int column)
{
    return PQgetvalue(rows, 0, column)[0] == 't';
}

bool relais_store_health_read(relais_store *store, relais_store_health *out, relais_error *err)
{
    enum {
        H_VERSION,
        H_LOCAL,
        H_ENCRYPTED,
        H_DURABLE,
        H_DISCREET,
        H_READ_ONLY,
        H_LEDGER,
        H_WRITE,
        H_IDENTITY,
        H_CLOCK
    };
    relais_params params;
    PGresult *rows;
    double before = seconds_now(), after;
    bool ok;

    relais_params_init(&params);
    ok = relais_pg_call(store, health_sql, &params, &rows, err);
    relais_params_free(&params);
    if (!ok)
        return false;
    after = seconds_now();
    *out = (relais_store_health){
        .version = (int)strtol(PQgetvalue(rows, 0, H_VERSION), NULL, 10),
        .is_local = is_true(rows, H_LOCAL),
        .is_encrypted = is_true(rows, H_ENCRYPTED),
        .is_durable = is_true(rows, H_DURABLE),
        .is_discreet = is_true(rows, H_DISCREET),
        .is_read_only = is_true(rows, H_READ_ONLY),
        .has_ledger = is_true(rows, H_LEDGER),
        .may_write = is_true(rows, H_WRITE),
        .may_read_identity = is_true(rows, H_IDENTITY),
        .skew = strtod(PQgetvalue(rows, 0, H_CLOCK), NULL) - (before + after) / 2,
    };
    PQclear(rows);
    return true;
}
