/*
 * The devices of the ledger. See devices.h.
 */
#include "store/devices.h"

#include "store/connection.h"

#include <stdlib.h>

#define ISO_8601 "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'"

static const char devices_sql[] =
    "SELECT device_id, submitted_by,"
    "       to_char(max(received_at) AT TIME ZONE 'UTC', " ISO_8601 "),"
    "       to_char(min(received_at) AT TIME ZONE 'UTC', " ISO_8601 "),"
    "       count(*), count(*) FILTER (WHERE state = 'conflict'),"
    "       count(*) FILTER (WHERE state IN ('held', 'quarantined'))"
    "  FROM relais.submission GROUP BY device_id, submitted_by"
    " ORDER BY max(received_at) DESC, 1, 2 LIMIT 10000";

static bool keep(const PGresult *result, int row, relais_device *out, relais_arena *arena)
{
    enum { DEVICE, USER, LAST, FIRST, SUBMISSIONS, CONFLICTS, WAITING };

    out->device = relais_arena_text(arena, PQgetvalue(result, row, DEVICE));
    out->user = relais_arena_text(arena, PQgetvalue(result, row, USER));
    out->last_received = relais_arena_text(arena, PQgetvalue(result, row, LAST));
    out->first_received = relais_arena_text(arena, PQgetvalue(result, row, FIRST));
    out->submissions = strtoll(PQgetvalue(result, row, SUBMISSIONS), NULL, 10);
    out->conflicts = strtoll(PQgetvalue(result, row, CONFLICTS), NULL, 10);
    out->waiting = strtoll(PQgetvalue(result, row, WAITING), NULL, 10);
    return out->device != NULL && out->user != NULL && out->last_received != NULL &&
           out->first_received != NULL;
}

static bool ask(relais_store *store, PGresult **out, relais_error *err)
{
    relais_params params;
    bool ok;

    relais_params_init(&params);
    ok = relais_pg_run(store, "SET statement_timeout = '60s'", err) &&
         relais_pg_call(store, devices_sql, &params, out, err);
    relais_params_free(&params);
    return ok;
}

bool relais_devices_read(relais_store *store, relais_arena *arena, relais_devices *out,
                         relais_error *err)
{
    PGresult *result;
    size_t rows;

    *out = (relais_devices){0};
    if (!ask(store, &result, err))
        return false;
    rows = (size_t)PQntuples(result);
    out->items = relais_arena_alloc(arena, (rows + 1) * sizeof *out->items);
    while (out->items != NULL && out->count < rows &&
           keep(result, (int)out->count, &out->items[out->count], arena))
        out->count++;
    PQclear(result);
    return (out->items != NULL && out->count == rows) || relais_arena_error(arena, err);
}
