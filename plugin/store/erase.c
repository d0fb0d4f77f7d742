/*
 * Calling the functions of the schema erasure. See erase.h.
 */
#include "store/erase.h"

#include "base/uuid.h"
#include "store/connection.h"

#include <stdlib.h>
#include <string.h>

static const char erase_sql[] = "SELECT what, form_id, instance_id, n"
                                "  FROM erasure.erase($1, $2::uuid, $3::text[], $4::text[], $5)";

static const char find_sql[] = "SELECT form_id, instance_id FROM erasure.forms_of($1::text[])";

static const struct {
    const char *name;
    size_t offset;
} counts[] = {
    {"people", offsetof(relais_erasure, people)},
    {"recordings", offsetof(relais_erasure, recordings)},
    {"identities", offsetof(relais_erasure, identities)},
    {"keys", offsetof(relais_erasure, keys)},
    {"attachments", offsetof(relais_erasure, attachments)},
    {"versions", offsetof(relais_erasure, versions)},
    {"wishes", offsetof(relais_erasure, wishes)},
    {"cases", offsetof(relais_erasure, cases)},
    {"others", offsetof(relais_erasure, others)},
};

static void read_count(const PGresult *rows, int row, relais_erasure *out)
{
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (strcmp(counts[i].name, PQgetvalue(rows, row, 0)) == 0)
            *(long long *)((char *)out + counts[i].offset) =
                strtoll(PQgetvalue(rows, row, 3), NULL, 10);
}

/* The rows that name an instance, whose form stands in column `form` and id in the next. */
static bool read_instances(const PGresult *rows, int form, relais_arena *arena,
                           relais_instances *out, relais_error *err)
{
    size_t total = (size_t)PQntuples(rows);
    relais_instance *list = relais_arena_alloc(arena, (total + 1) * sizeof *list);

    *out = (relais_instances){list, 0};
    if (list == NULL)
        return relais_arena_error(arena, err);
    for (int i = 0; i < (int)total; i++) {
        relais_instance *one = &list[out->count];
        if (PQgetisnull(rows, i, form))
            continue;
        one->form = relais_arena_text(arena, PQgetvalue(rows, i, form));
        one->id = relais_arena_text(arena, PQgetvalue(rows, i, form + 1));
        if (one->form == NULL || one->id == NULL)
            return relais_arena_error(arena, err);
        out->count++;
    }
    return true;
}

/* The row of a card's person has the id that every mapping gives it, also once it has lost
 * its code. */
static void add_request(relais_params *params, const relais_erasure_request *request)
{
    char person[RELAIS_UUID_TEXT_SIZE];

    relais_params_text(params, request->card);
    if (request->card != NULL)
        relais_uuid5((const char *const[]){"tip.victim", request->card}, 2, person);
    relais_params_text(params, request->card == NULL ? NULL : person);
    relais_params_text_array(params);
    relais_params_text_array(params);
    for (size_t i = 0; i < request->instances.count; i++) {
        relais_params_add_text(params, 2, request->instances.list[i].form);
        relais_params_add_text(params, 3, request->instances.list[i].id);
    }
    relais_params_text(params, request->reason);
}

static bool call_erase(relais_store *store, const relais_erasure_request *request,
                       relais_arena *arena, relais_erasure *out, relais_error *err)
{
    relais_params params;
    PGresult *rows = NULL;
    bool ok;

    relais_params_init(&params);
    add_request(&params, request);
    ok = relais_pg_call(store, erase_sql, &params, &rows, err) &&
         read_instances(rows, 1, arena, &out->instances, err);
    for (int i = 0; ok && i < PQntuples(rows); i++)
        read_count(rows, i, out);
    PQclear(rows);
    relais_params_free(&params);
    return ok;
}

bool relais_erasure_run(relais_store *store, const relais_erasure_request *request,
                        relais_arena *arena, relais_erasure *out, relais_error *err)
{
    bool ok;

    *out = (relais_erasure){0};
    ok = relais_pg_run(store, RELAIS_SQL_BEGIN, err) &&
         call_erase(store, request, arena, out, err) &&
         (request->is_trial || relais_pg_run(store, RELAIS_SQL_COMMIT, err));
    relais_pg_rollback(store); /* nothing after a commit */
    return ok;
}

bool relais_erasure_find(relais_store *store, const char *const *ids, size_t count,
                         relais_arena *arena, relais_instances *out, relais_error *err)
{
    relais_params params;
    PGresult *rows = NULL;
    bool ok;

    relais_params_init(&params);
    relais_params_text_array(&params);
    for (size_t i = 0; i < count; i++)
        relais_params_add_text(&params, 0, ids[i]);
    ok = relais_pg_call(store, find_sql, &params, &rows, err) &&
         read_instances(rows, 0, arena, out, err);
    PQclear(rows);
    relais_params_free(&params);
    return ok;
}
