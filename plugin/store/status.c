/*
 * The ledger's counts. See status.h.
 */
#include "store/status.h"

#include "store/connection.h"

#include <stdlib.h>
#include <string.h>

/* More forms than a country has would be a fault; the list is for people. */
enum { FORMS_MAX = 1000 };

#define ISO_8601 "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'"

/* A loose scan: one probe of the index (form_id, record_id) for each form that there is. */
static const char forms_sql[] =
    "WITH RECURSIVE form(id) AS ("
    "  (SELECT form_id FROM relais.submission ORDER BY form_id LIMIT 1)"
    "  UNION ALL"
    "  SELECT (SELECT s.form_id FROM relais.submission s WHERE s.form_id > form.id"
    "           ORDER BY s.form_id LIMIT 1)"
    "    FROM form WHERE form.id IS NOT NULL)"
    " SELECT f.id, to_char(l.at AT TIME ZONE 'UTC', " ISO_8601 ")"
    "   FROM form f LEFT JOIN LATERAL (SELECT s.delivered_at FROM relais.submission s"
    "        WHERE s.form_id = f.id AND s.delivered_at IS NOT NULL"
    "        ORDER BY s.delivered_at DESC LIMIT 1) l(at) ON true"
    "  WHERE f.id IS NOT NULL ORDER BY f.id LIMIT 1000";

/* The condition is that of the index submission_open. */
static const char open_sql[] =
    "SELECT form_id, state, count(*),"
    "       to_char(min(received_at) AT TIME ZONE 'UTC', " ISO_8601 ")"
    "  FROM relais.submission WHERE state <> 'delivered' AND state <> 'superseded'"
    " GROUP BY form_id, state";

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
    bool waits; /* its rows are not in the national tables yet */
} state_member;

static const state_member members[] = {
    {"partial", offsetof(relais_form_status, partial), false},
    {"held", offsetof(relais_form_status, held), true},
    {"quarantined", offsetof(relais_form_status, quarantined), true},
    {"conflict", offsetof(relais_form_status, conflict), false},
    {"erased", offsetof(relais_form_status, erased), false},
};

static bool add_open(relais_form_status *form, const char *state, const char *count,
                     const char *oldest, relais_arena *arena, relais_error *err)
{
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const char *kept = form->oldest_undelivered;
        if (strcmp(members[i].state, state) != 0)
            continue;
        *(long long *)((char *)form + members[i].offset) = strtoll(count, NULL, 10);
        if (!members[i].waits || (kept[0] != '\0' && strcmp(kept, oldest) <= 0))
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

/* 57014: the time was up. The connection is well, the count is not known. */
static bool count_received(relais_store *store, relais_form_status *form, relais_error *err)
{
    relais_error counting = {0};
    PGresult *result;

    if (ask(store, received_sql, form->form, &result, &counting)) {
        form->received = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
        PQclear(result);
        return true;
    }
    if (strcmp(counting.sqlstate, "57014") == 0)
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
         read_forms(store, arena, out, err) && read_open(store, arena, out, err);
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
