/*
 * The ledger's counts. See status.h.
 */
#include "store/status.h"

#include "store/connection.h"

#include <stdlib.h>
#include <string.h>

/* More forms than a country has would be a fault; the list is for people. */
enum { FORMS_MAX = 1000 };

/* A loose scan: one probe of the index (form_id, record_id) for each form that there is. */
#define WITH_FORMS                                                                                 \
    "WITH RECURSIVE form(id) AS ("                                                                 \
    "  (SELECT form_id FROM relais.submission ORDER BY form_id LIMIT 1)"                           \
    "  UNION ALL"                                                                                  \
    "  SELECT (SELECT s.form_id FROM relais.submission s WHERE s.form_id > form.id"                \
    "           ORDER BY s.form_id LIMIT 1)"                                                       \
    "    FROM form WHERE form.id IS NOT NULL)"

/* The condition of the index submission_open. */
#define IS_OPEN "state <> 'delivered' AND state <> 'superseded'"

static const char forms_sql[] =
    WITH_FORMS " SELECT f.id, to_char(l.at AT TIME ZONE 'UTC', " RELAIS_SQL_ISO_8601 ")"
               "   FROM form f LEFT JOIN LATERAL (SELECT s.delivered_at FROM relais.submission s"
               "        WHERE s.form_id = f.id AND s.delivered_at IS NOT NULL"
               "        ORDER BY s.delivered_at DESC LIMIT 1) l(at) ON true"
               "  WHERE f.id IS NOT NULL ORDER BY f.id LIMIT 1000";

/* What has no rows yet: what is partial has, but for an encrypted one that waits for its files. */
static const char open_sql[] =
    "SELECT form_id, state, count(*),"
    "       to_char(min(received_at) FILTER (WHERE state IN ('held', 'quarantined')"
    "                                           OR state = 'partial' AND delivered_at IS NULL)"
    "               AT TIME ZONE 'UTC', " RELAIS_SQL_ISO_8601 ")"
    "  FROM relais.submission WHERE " IS_OPEN " GROUP BY form_id, state";

/* What a version waits for is in its reason: a parent row ("exists in SCHEMA.TABLE"), or a code
 * that its list lacks ("« LIST »", of relais_rule_describe). A refusal that names neither waits
 * for a person, and is none of this. */
static const char waits_sql[] =
    "SELECT w.form_id, w.state, w.what, count(*), sum(w.files),"
    "       to_char(min(w.received_at) AT TIME ZONE 'UTC', " RELAIS_SQL_ISO_8601 ")"
    "  FROM (SELECT form_id, state, received_at, coalesce(cardinality(missing), 0) AS files,"
    "               CASE state WHEN 'partial' THEN 'file' ELSE coalesce("
    "                    substring(reason->>'rule' from '^exists in (?:[^.]*\\.)?(.+)$'),"
    "                    substring(reason->>'rule' from 'liste « (.+) »'), '') END AS what"
    "          FROM relais.submission"
    "         WHERE " IS_OPEN " AND state IN ('held', 'partial', 'quarantined')) w"
    " WHERE w.state <> 'quarantined' OR w.what <> ''"
    " GROUP BY w.form_id, w.state, w.what ORDER BY min(w.received_at), 1, 2, 3 LIMIT 1000";

static const char files_sql[] =
    "SELECT s.form_id, s.instance_id, m.name,"
    "       to_char(s.received_at AT TIME ZONE 'UTC', " RELAIS_SQL_ISO_8601 ")"
    "  FROM (SELECT form_id, instance_id, missing, received_at, sub_id FROM relais.submission"
    "         WHERE " IS_OPEN " AND state = 'partial'"
    "         ORDER BY received_at, sub_id LIMIT 100) s"
    " CROSS JOIN LATERAL unnest(s.missing) AS m(name)"
    " ORDER BY s.received_at, s.sub_id, m.name LIMIT 100";

/* Each form's own stretch of the index (form_id, delivered_at). */
static const char heard_sql[] = WITH_FORMS
    " SELECT count(DISTINCT s.device_id) FILTER (WHERE s.received_at > now() - interval '1 day'),"
    "        count(DISTINCT s.device_id) FILTER (WHERE s.received_at > now() - interval '7 days'),"
    "        count(DISTINCT s.device_id) FILTER (WHERE s.received_at > now() - interval '30 days')"
    "   FROM form f CROSS JOIN LATERAL (SELECT d.device_id, d.received_at"
    "          FROM relais.submission d WHERE d.form_id = f.id AND d.device_id <> ''"
    "           AND d.delivered_at > now() - interval '30 days' OFFSET 0) s";

static const char received_sql[] = "SELECT count(*) FROM relais.submission WHERE form_id = $1";

static bool ask(relais_store *store, const char *sql, const char *parameter, PGresult **out,
                relais_error *err)
{
    relais_params params;
    bool ok;

    relais_params_init(&params);
    if (parameter != NULL)
        relais_params_text(&params, parameter);
    ok = relais_pg_call(store, sql, &params, out, err);
    relais_params_free(&params);
    return ok;
}

static bool read_forms(relais_store *store, relais_arena *arena, relais_ledger_status *out,
                       relais_error *err)
{
    PGresult *result;
    int rows;

    if (!ask(store, forms_sql, NULL, &result, err))
        return false;
    rows = PQntuples(result) < FORMS_MAX ? PQntuples(result) : FORMS_MAX;
    out->forms = relais_arena_alloc(arena, (size_t)(rows + 1) * sizeof *out->forms);
    for (int i = 0; out->forms != NULL && i < rows; i++) {
        relais_form_status *form = &out->forms[i];
        form->received = -1;
        form->oldest_undelivered = "";
        form->form = relais_arena_text(arena, PQgetvalue(result, i, 0));
        form->last_delivered = relais_arena_text(arena, PQgetvalue(result, i, 1));
        if (form->form == NULL || form->last_delivered == NULL)
            break;
        if (strcmp(form->last_delivered, out->last_delivered) > 0)
            out->last_delivered = form->last_delivered;
        out->count++;
    }
    PQclear(result);
    return (out->forms != NULL && out->count == (size_t)rows) || relais_arena_error(arena, err);
}

static relais_form_status *find_form(relais_ledger_status *status, const char *form)
{
    for (size_t i = 0; i < status->count; i++)
        if (strcmp(status->forms[i].form, form) == 0)
            return &status->forms[i];
    return NULL;
}

typedef struct state_member {
    const char *state;
    size_t offset;
} state_member;

static const state_member members[] = {
    {"partial", offsetof(relais_form_status, partial)},
    {"held", offsetof(relais_form_status, held)},
    {"quarantined", offsetof(relais_form_status, quarantined)},
    {"conflict", offsetof(relais_form_status, conflict)},
    {"erased", offsetof(relais_form_status, erased)},
};

static bool add_open(relais_form_status *form, const char *state, const char *count,
                     const char *oldest, relais_arena *arena, relais_error *err)
{
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const char *kept = form->oldest_undelivered;
        if (strcmp(members[i].state, state) != 0)
            continue;
        *(long long *)((char *)form + members[i].offset) = strtoll(count, NULL, 10);
        if (oldest[0] == '\0' || (kept[0] != '\0' && strcmp(kept, oldest) <= 0))
            continue;
        form->oldest_undelivered = relais_arena_text(arena, oldest);
        if (form->oldest_undelivered == NULL) {
            form->oldest_undelivered = "";
            return relais_arena_error(arena, err);
        }
    }
    return true;
}

static bool read_open(relais_store *store, relais_arena *arena, relais_ledger_status *out,
                      relais_error *err)
{
    PGresult *result;
    bool ok = true;

    if (!ask(store, open_sql, NULL, &result, err))
        return false;
    for (int i = 0; ok && i < PQntuples(result); i++) {
        relais_form_status *form = find_form(out, PQgetvalue(result, i, 0));
        if (form != NULL)
            ok = add_open(form, PQgetvalue(result, i, 1), PQgetvalue(result, i, 2),
                          PQgetvalue(result, i, 3), arena, err);
    }
    PQclear(result);
    return ok;
}

/* The texts of one row in the arena, in the order of `fields`; false without memory. */
static bool keep_texts(const PGresult *result, int row, const char **const *fields,
                       const int *columns, size_t count, relais_arena *arena)
{
    for (size_t i = 0; i < count; i++) {
        *fields[i] = relais_arena_text(arena, PQgetvalue(result, row, columns[i]));
        if (*fields[i] == NULL)
            return false;
    }
    return true;
}

static bool keep_wait(const PGresult *result, int row, relais_wait *out, relais_arena *arena)
{
    enum { COUNT = 3, FILES, OLDEST };
    const char **const fields[] = {&out->form, &out->state, &out->what, &out->oldest};
    static const int columns[] = {0, 1, 2, OLDEST};

    out->count = strtoll(PQgetvalue(result, row, COUNT), NULL, 10);
    out->files = strtoll(PQgetvalue(result, row, FILES), NULL, 10);
    return keep_texts(result, row, fields, columns, 4, arena);
}

static bool read_waits(relais_store *store, relais_arena *arena, relais_ledger_status *out,
                       relais_error *err)
{
    PGresult *result;
    size_t rows;

    if (!ask(store, waits_sql, NULL, &result, err))
        return false;
    rows = (size_t)PQntuples(result);
    out->waits = relais_arena_alloc(arena, (rows + 1) * sizeof *out->waits);
    while (out->waits != NULL && out->wait_count < rows &&
           keep_wait(result, (int)out->wait_count, &out->waits[out->wait_count], arena))
        out->wait_count++;
    PQclear(result);
    return (out->waits != NULL && out->wait_count == rows) || relais_arena_error(arena, err);
}

static bool keep_file(const PGresult *result, int row, relais_missing_file *out,
                      relais_arena *arena)
{
    const char **const fields[] = {&out->form, &out->instance, &out->name, &out->received};
    static const int columns[] = {0, 1, 2, 3};

    return keep_texts(result, row, fields, columns, 4, arena);
}

static bool read_files(relais_store *store, relais_arena *arena, relais_ledger_status *out,
                       relais_error *err)
{
    PGresult *result;
    size_t rows;

    if (!ask(store, files_sql, NULL, &result, err))
        return false;
    rows = (size_t)PQntuples(result);
    out->files = relais_arena_alloc(arena, (rows + 1) * sizeof *out->files);
    while (out->files != NULL && out->file_count < rows &&
           keep_file(result, (int)out->file_count, &out->files[out->file_count], arena))
        out->file_count++;
    PQclear(result);
    return (out->files != NULL && out->file_count == rows) || relais_arena_error(arena, err);
}

/* 57014: the time was up. The connection is well, the count is not known. */
static bool is_late(const relais_error *err)
{
    return strcmp(err->sqlstate, "57014") == 0;
}

bool relais_heard_read(relais_store *store, relais_heard *out, relais_error *err)
{
    relais_error counting = {0};
    PGresult *result;

    *out = (relais_heard){-1, -1, -1};
    if (ask(store, heard_sql, NULL, &result, &counting)) {
        out->day = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
        out->week = strtoll(PQgetvalue(result, 0, 1), NULL, 10);
        out->month = strtoll(PQgetvalue(result, 0, 2), NULL, 10);
        PQclear(result);
        return true;
    }
    if (is_late(&counting))
        return true;
    *err = counting;
    return false;
}

static bool count_received(relais_store *store, relais_form_status *form, relais_error *err)
{
    relais_error counting = {0};
    PGresult *result;

    if (ask(store, received_sql, form->form, &result, &counting)) {
        form->received = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
        PQclear(result);
        return true;
    }
    if (is_late(&counting))
        return true;
    *err = counting;
    return false;
}

bool relais_ledger_status_read(relais_store *store, relais_arena *arena, relais_ledger_status *out,
                               relais_error *err)
{
    bool ok;

    *out = (relais_ledger_status){.last_delivered = ""};
    ok = relais_pg_run(store, "SET statement_timeout = '5s'", err) &&
         read_forms(store, arena, out, err) && read_open(store, arena, out, err) &&
         read_waits(store, arena, out, err) && read_files(store, arena, out, err);
    for (size_t i = 0; ok && i < out->count; i++)
        ok = count_received(store, &out->forms[i], err);
    return ok;
}

long long relais_form_status_delivered(const relais_form_status *form)
{
    if (form->received < 0)
        return -1;
    return form->received - form->partial - form->held - form->quarantined - form->conflict -
           form->erased;
}
