/*
 * Choosing versions of the ledger and settling each once more. See replay.h.
 */
#include "store/replay.h"

#include "base/text.h"
#include "store/settle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A page is read before its versions are settled, so that a ledger of a million needs no more
 * memory than one of a thousand. */
#define PAGE 1000

/* $1, $2: forms and the hashes of their mappings; $3 'all'; $4 form; $5, $6 instance. Waiting
 * ones are found by the index submission_open. */
#define CHOSEN                                                                                     \
    "  FROM unnest($1::text[], $2::bytea[]) AS m(form_id, sha256)"                                 \
    "  JOIN relais.submission s ON s.form_id = m.form_id"                                          \
    " WHERE s.xml IS NOT NULL"                                                                     \
    "   AND (s.state IN ('held', 'quarantined')"                                                   \
    "        OR s.state IN ('delivered', 'partial') AND s.delivered_at IS NOT NULL"                \
    "           AND ($3 = 'all' OR s.mapping_sha256 IS DISTINCT FROM m.sha256))"                   \
    "   AND ($4::text IS NULL OR s.form_id = $4)"                                                  \
    "   AND ($5::text IS NULL OR s.instance_id IN ($5, $6))"

static const char count_sql[] =
    "SELECT count(*), count(s.seal), count(*) FILTER (WHERE s.seal = $7),"
    "       coalesce((array_agg(s.seal ORDER BY s.received_at)"
    "                 FILTER (WHERE s.seal IS DISTINCT FROM $7 AND s.seal IS NOT NULL))[1], "
    "'')" CHOSEN;

static const char page_sql[] =
    "SELECT s.sub_id, s.form_id, s.instance_id, s.received_at, coalesce(s.seal, '')" CHOSEN
    "   AND (s.received_at, s.sub_id) > ($7::timestamptz, $8::uuid)"
    " ORDER BY s.received_at, s.sub_id LIMIT " RELAIS_SQL_NUMBER(PAGE);

typedef struct replay {
    const relais_replay_options *options;
    const relais_replay_listener *listener;
    relais_replay_counts *counts;
    relais_work work;
    relais_forwarder_counts ignored; /* what the work counts besides */
    relais_arena *arena;
    const char *instances[2]; /* with and without its prefix; NULL: any */
    size_t seen;
    char received[64], sub_id[RELAIS_UUID_TEXT_SIZE]; /* the last of the page before */
} replay;

#define UUID_PREFIX "uuid:"

static bool name_instances(replay *r, relais_error *err)
{
    const char *given = r->options->instance;

    if (given == NULL)
        return true;
    r->instances[0] = given;
    r->instances[1] = strncmp(given, UUID_PREFIX, strlen(UUID_PREFIX)) == 0
                          ? given + strlen(UUID_PREFIX)
                          : relais_arena_format(r->arena, UUID_PREFIX "%s", given);
    return r->instances[1] != NULL || relais_arena_error(r->arena, err);
}

/* The parameters that both statements begin with. */
static void add_choice(replay *r)
{
    relais_params *params = &r->work.params;
    const relais_replay_options *options = r->options;

    relais_params_reset(params);
    relais_params_text_array(params);
    relais_params_bytea_array(params);
    for (const relais_binding *one = relais_mappings_first(r->work.mappings); one != NULL;
         one = one->next) {
        if (one->mapping == NULL)
            continue;
        relais_params_add_text(params, 0, relais_mapping_form(one->mapping));
        relais_params_add(params, 1, relais_mapping_sha256(one->mapping), RELAIS_SHA256_SIZE);
    }
    relais_params_text(params, options->all || options->instance != NULL ? "all" : "");
    relais_params_text(params, options->form);
    relais_params_text(params, r->instances[0]);
    relais_params_text(params, r->instances[1]);
}

/* ---- what there is to do -------------------------------------------------------------------- */

static size_t number(const PGresult *rows, int field)
{
    return (size_t)strtoull(PQgetvalue(rows, 0, field), NULL, 10);
}

static bool survey(replay *r, relais_error *err)
{
    enum { S_ALL, S_SEALED, S_OWN, S_OTHER };
    const relais_seal_key *key = r->options->key;
    size_t sealed, own;
    PGresult *rows;

    add_choice(r);
    relais_params_text(&r->work.params, key == NULL ? NULL : relais_seal_key_id_of(key));
    if (!relais_pg_call(r->work.store, count_sql, &r->work.params, &rows, err))
        return false;
    r->counts->found = number(rows, S_ALL);
    sealed = number(rows, S_SEALED);
    own = number(rows, S_OWN);
    snprintf(r->counts->seal, sizeof r->counts->seal, "%s", PQgetvalue(rows, 0, S_OTHER));
    PQclear(rows);
    if (key == NULL || sealed == 0 || own > 0)
        return true;
    return relais_error_set(err, RELAIS_ERR_CONFIG,
                            "this key (%.16s...) opens nothing that is to be replayed: that is "
                            "sealed for the key %.16s...; nothing was changed",
                            relais_seal_key_id_of(key), r->counts->seal);
}

/* ---- doing it ------------------------------------------------------------------------------- */

static bool replay_version(replay *r, const relais_asked *asked, relais_error *err)
{
    relais_replay_counts *counts = r->counts;
    relais_reason reason;
    relais_again outcome;

    if (!relais_settle_again(&r->work, asked, &outcome, &reason, err))
        return false;
    switch (outcome) {
    case RELAIS_AGAIN_DONE:
    case RELAIS_AGAIN_GONE:
    case RELAIS_AGAIN_SAME: /* this and the next are answers to a choice */
    case RELAIS_AGAIN_BESIDE:
        counts->done++;
        break;
    case RELAIS_AGAIN_REFUSED:
        counts->refused++;
        r->listener->refused(r->listener->data, asked->form_id, asked->instance_id, &reason);
        break;
    case RELAIS_AGAIN_STOPPED:
        counts->stopped++;
        break;
    }
    return true;
}

static bool is_open_to(const replay *r, const char *seal)
{
    const relais_seal_key *key = r->options->key;

    return seal[0] == '\0' || (key != NULL && strcmp(relais_seal_key_id_of(key), seal) == 0);
}

static bool replay_page(replay *r, const PGresult *rows, relais_error *err)
{
    enum { P_SUB_ID, P_FORM, P_INSTANCE, P_RECEIVED, P_SEAL };

    for (int i = 0; i < PQntuples(rows); i++) {
        const relais_asked asked = {PQgetvalue(rows, i, P_SUB_ID), PQgetvalue(rows, i, P_FORM),
                                    PQgetvalue(rows, i, P_INSTANCE), r->options->key, NULL};
        if (!is_open_to(r, PQgetvalue(rows, i, P_SEAL)))
            r->counts->sealed++;
        else if (!replay_version(r, &asked, err))
            return false;
        r->listener->progress(r->listener->data, ++r->seen, r->counts->found);
        snprintf(r->received, sizeof r->received, "%s", PQgetvalue(rows, i, P_RECEIVED));
        snprintf(r->sub_id, sizeof r->sub_id, "%s", asked.sub_id);
    }
    return true;
}

static bool replay_all(replay *r, relais_error *err)
{
    PGresult *rows;
    int count;
    bool ok;

    snprintf(r->received, sizeof r->received, "-infinity");
    snprintf(r->sub_id, sizeof r->sub_id, "00000000-0000-0000-0000-000000000000");
    do {
        add_choice(r);
        relais_params_text(&r->work.params, r->received);
        relais_params_text(&r->work.params, r->sub_id);
        if (!relais_pg_call(r->work.store, page_sql, &r->work.params, &rows, err))
            return false;
        count = PQntuples(rows);
        ok = replay_page(r, rows, err);
        PQclear(rows);
    } while (ok && count > 0);
    return ok;
}

/* ---- beginning and end ---------------------------------------------------------------------- */

bool relais_replay_run(relais_store *store, const relais_replay_options *options,
                       const relais_replay_listener *listener, relais_replay_counts *counts,
                       relais_error *err)
{
    replay r = {.options = options, .listener = listener, .counts = counts};
    bool ok;

    memset(counts, 0, sizeof *counts);
    r.arena = relais_arena_create(RELAIS_SCRATCH_MEMORY_MAX);
    r.work.counts = &r.ignored;
    ok = r.arena != NULL || relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    ok = ok && relais_work_open(&r.work, store, options->mappings, options->secrets, err) &&
         name_instances(&r, err) && survey(&r, err) && replay_all(&r, err);
    relais_work_close(&r.work);
    relais_arena_destroy(r.arena);
    return ok;
}
