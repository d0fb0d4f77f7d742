/*
 * The devices of the ledger. See devices.h.
 */
#include "store/devices.h"

#include "store/connection.h"

#include <stdlib.h>

/* The first two walk the index (device_id, submitted_by, received_at) in its order; the third
 * reads what the index of open rows names. */
static const char devices_sql[] =
    "WITH heard AS ("
    "  SELECT device_id, submitted_by, received_at,"
    "         lag(received_at) OVER (PARTITION BY device_id, submitted_by ORDER BY received_at)"
    "           AS before"
    "    FROM relais.submission),"
    " device AS ("
    "  SELECT device_id, submitted_by, max(received_at) AS last, min(received_at) AS first,"
    "         count(*) AS submissions, max(received_at - before) AS silence,"
    "         to_timestamp((max(ARRAY[extract(epoch FROM received_at - before),"
    "                                 extract(epoch FROM before)])"
    "                         FILTER (WHERE before IS NOT NULL))[2]) AS silent_from"
    "    FROM heard GROUP BY device_id, submitted_by"
    "   ORDER BY max(received_at) DESC, 1, 2 LIMIT 10000),"
    " open AS ("
    "  SELECT device_id, submitted_by, count(*) FILTER (WHERE state = 'conflict') AS conflicts,"
    "         count(*) FILTER (WHERE state IN ('held', 'quarantined')"
    "                             OR state = 'partial' AND delivered_at IS NULL) AS waiting"
    "    FROM relais.submission WHERE state <> 'delivered' AND state <> 'superseded'"
    "   GROUP BY device_id, submitted_by)"
    " SELECT d.device_id, d.submitted_by,"
    "        to_char(d.last AT TIME ZONE 'UTC', " RELAIS_SQL_ISO_8601 "),"
    "        to_char(d.first AT TIME ZONE 'UTC', " RELAIS_SQL_ISO_8601 "),"
    "        to_char(d.silent_from AT TIME ZONE 'UTC', " RELAIS_SQL_ISO_8601 "),"
    "        floor(extract(epoch FROM d.silence) / 86400), d.submissions,"
    "        coalesce(o.conflicts, 0), coalesce(o.waiting, 0)"
    "   FROM device d LEFT JOIN open o USING (device_id, submitted_by)"
    "  ORDER BY d.last DESC, 1, 2";

static bool keep(const PGresult *result, int row, relais_device *out, relais_arena *arena)
{
    enum { DEVICE, USER, LAST, FIRST, SILENT_FROM, SILENT_DAYS, SUBMISSIONS, CONFLICTS, WAITING };

    out->device = relais_arena_text(arena, PQgetvalue(result, row, DEVICE));
    out->user = relais_arena_text(arena, PQgetvalue(result, row, USER));
    out->last_received = relais_arena_text(arena, PQgetvalue(result, row, LAST));
    out->first_received = relais_arena_text(arena, PQgetvalue(result, row, FIRST));
    out->silent_from = relais_arena_text(arena, PQgetvalue(result, row, SILENT_FROM));
    out->silent_days = strtoll(PQgetvalue(result, row, SILENT_DAYS), NULL, 10);
    out->submissions = strtoll(PQgetvalue(result, row, SUBMISSIONS), NULL, 10);
    out->conflicts = strtoll(PQgetvalue(result, row, CONFLICTS), NULL, 10);
    out->waiting = strtoll(PQgetvalue(result, row, WAITING), NULL, 10);
    return out->device != NULL && out->user != NULL && out->last_received != NULL &&
           out->first_received != NULL && out->silent_from != NULL;
}

static bool ask(relais_store *store, PGresult **out, relais_error *err)
{
    return relais_pg_run(store, "SET statement_timeout = '60s'", err) &&
           relais_pg_ask(store, devices_sql, out, err);
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
