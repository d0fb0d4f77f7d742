/*
 * Reading reports. See reports.h.
 */
#include "store/reports.h"

#include "store/connection.h"

#include <stdlib.h>
#include <string.h>

static const char refused_sql[] =
    "SELECT device_id, submitted_by, form_id, instance_id, coalesce(max(size), -1),"
    "       coalesce((array_agg(size_limit ORDER BY last_at DESC))[1], -1), sum(times),"
    "       to_char(min(first_at) AT TIME ZONE 'UTC', " RELAIS_SQL_ISO_8601 "),"
    "       to_char(max(last_at) AT TIME ZONE 'UTC', " RELAIS_SQL_ISO_8601 "),"
    "       bool_or(source = 'autres')"
    "  FROM relais.refusal WHERE day > current_date - 31"
    " GROUP BY source = 'autres', device_id, submitted_by, form_id, instance_id"
    " ORDER BY max(last_at) DESC, 1, 2, 3, 4 LIMIT 100";

static const char today_sql[] =
    "SELECT count(DISTINCT (device_id, submitted_by, form_id, instance_id)) FROM relais.refusal"
    " WHERE day >= current_date - 2 AND last_at > now() - interval '1 day'";

static const char incidents_sql[] =
    "SELECT kind, parcel, to_char(found_at AT TIME ZONE 'UTC', " RELAIS_SQL_ISO_8601 "),"
    "       form_id, instance_id, device_id, submitted_by, is_sealed"
    "  FROM relais.incident WHERE found_at > now() - interval '30 days'"
    " ORDER BY found_at DESC, incident_id DESC LIMIT 100";

static const char unmapped_sql[] =
    "SELECT s.form_id, p.path, count(*) FROM relais.submission s, unnest(s.unmapped) AS p(path)"
    " WHERE cardinality(s.unmapped) > 0 AND s.state <> 'superseded' AND s.state <> 'erased'"
    " GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 100";

static const char *text(const PGresult *rows, int row, int column, relais_arena *arena)
{
    return relais_arena_text(arena, PQgetvalue(rows, row, column));
}

static long long number(const PGresult *rows, int row, int column)
{
    return strtoll(PQgetvalue(rows, row, column), NULL, 10);
}

static bool flag(const PGresult *rows, int row, int column)
{
    return strcmp(PQgetvalue(rows, row, column), "t") == 0;
}

static bool keep_refused(const PGresult *rows, int row, void *item, relais_arena *arena)
{
    enum { DEVICE, USER, FORM, INSTANCE, SIZE, LIMIT, TIMES, FIRST, LAST, REST };
    relais_refused *out = item;

    *out = (relais_refused){.device = text(rows, row, DEVICE, arena),
                            .user = text(rows, row, USER, arena),
                            .form = text(rows, row, FORM, arena),
                            .instance = text(rows, row, INSTANCE, arena),
                            .size = number(rows, row, SIZE),
                            .limit = number(rows, row, LIMIT),
                            .times = number(rows, row, TIMES),
                            .first = text(rows, row, FIRST, arena),
                            .last = text(rows, row, LAST, arena),
                            .is_rest = flag(rows, row, REST)};
    return out->device != NULL && out->user != NULL && out->form != NULL && out->instance != NULL &&
           out->first != NULL && out->last != NULL;
}

static bool keep_incident(const PGresult *rows, int row, void *item, relais_arena *arena)
{
    enum { KIND, PARCEL, FOUND, FORM, INSTANCE, DEVICE, USER, SEALED };
    relais_incident *out = item;

    *out = (relais_incident){.kind = text(rows, row, KIND, arena),
                             .parcel = text(rows, row, PARCEL, arena),
                             .found = text(rows, row, FOUND, arena),
                             .form = text(rows, row, FORM, arena),
                             .instance = text(rows, row, INSTANCE, arena),
                             .device = text(rows, row, DEVICE, arena),
                             .user = text(rows, row, USER, arena),
                             .is_sealed = flag(rows, row, SEALED)};
    return out->kind != NULL && out->parcel != NULL && out->found != NULL && out->form != NULL &&
           out->instance != NULL && out->device != NULL && out->user != NULL;
}

static bool keep_unmapped(const PGresult *rows, int row, void *item, relais_arena *arena)
{
    enum { FORM, PATH, SUBMISSIONS };
    relais_unmapped *out = item;

    *out = (relais_unmapped){text(rows, row, FORM, arena), text(rows, row, PATH, arena),
                             number(rows, row, SUBMISSIONS)};
    return out->form != NULL && out->path != NULL;
}

typedef bool keep_row(const PGresult *rows, int row, void *item, relais_arena *arena);

/* The rows of a statement as an array in the arena; NULL with err set. */
static void *read_list(relais_store *store, const char *sql, size_t size, keep_row *keep,
                       relais_arena *arena, size_t *count, relais_error *err)
{
    PGresult *rows;
    char *items;
    size_t total;

    if (!relais_pg_ask(store, sql, &rows, err))
        return NULL;
    total = (size_t)PQntuples(rows);
    items = relais_arena_alloc(arena, (total + 1) * size);
    while (items != NULL && *count < total && keep(rows, (int)*count, items + *count * size, arena))
        ++*count;
    PQclear(rows);
    if (items != NULL && *count == total)
        return items;
    relais_arena_error(arena, err);
    return NULL;
}

static bool read_today(relais_store *store, relais_reports *out, relais_error *err)
{
    PGresult *rows;

    if (!relais_pg_ask(store, today_sql, &rows, err))
        return false;
    out->refused_today = number(rows, 0, 0);
    PQclear(rows);
    return true;
}

bool relais_reports_read(relais_store *store, relais_arena *arena, relais_reports *out,
                         relais_error *err)
{
    *out = (relais_reports){0};
    out->refused = read_list(store, refused_sql, sizeof *out->refused, keep_refused, arena,
                             &out->refused_count, err);
    if (out->refused == NULL || !read_today(store, out, err))
        return false;
    out->incidents = read_list(store, incidents_sql, sizeof *out->incidents, keep_incident, arena,
                               &out->incident_count, err);
    if (out->incidents == NULL)
        return false;
    out->unmapped = read_list(store, unmapped_sql, sizeof *out->unmapped, keep_unmapped, arena,
                              &out->unmapped_count, err);
    return out->unmapped != NULL;
}
