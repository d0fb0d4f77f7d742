/*
 * Statements over conflicting versions, and choosing one. See conflict.h.
 */
#include "store/conflict.h"

#include "store/evaluated.h"
#include "store/settle.h"

#include <stdio.h>
#include <string.h>

/* The columns of a version, in the order of relais_rival; s is the version, c the last choice. */
#define RIVAL                                                                                      \
    "SELECT s.sub_id, s.form_id, s.record_id, s.instance_id, coalesce(s.deprecated_id, ''),"       \
    "       s.state, to_char(s.received_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), s.source,"          \
    "       s.submitted_by, s.device_id, s.form_version, coalesce(s.seal, ''),"                    \
    "       coalesce(to_char(c.chosen_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), ''),"                 \
    "       coalesce(c.chosen_by, ''), coalesce(c.reason, ''),"                                    \
    "       s.state = 'conflict' OR EXISTS"                                                        \
    "       (SELECT FROM relais.choice o WHERE o.rivals @> ARRAY[s.sub_id])"

#define LAST_CHOICE                                                                                \
    " LEFT JOIN LATERAL (SELECT * FROM relais.choice o WHERE o.sub_id = s.sub_id"                  \
    "                     ORDER BY o.choice_id DESC LIMIT 1) c ON true"

static const char list_sql[] = RIVAL
    "  FROM (SELECT o.form_id, o.record_id FROM relais.submission o"
    "         WHERE o.state = 'conflict' AND o.state <> 'delivered' AND o.state <> 'superseded'"
    "        UNION"
    "        SELECT o.form_id, o.record_id"
    "          FROM relais.choice d JOIN relais.submission o USING (sub_id)"
    "         WHERE $1 = 'all') r"
    "  JOIN relais.submission s USING (form_id, record_id)" LAST_CHOICE
    " WHERE s.state IN ('delivered', 'partial', 'held', 'conflict') OR c.sub_id IS NOT NULL"
    "    OR EXISTS (SELECT FROM relais.choice o WHERE o.rivals @> ARRAY[s.sub_id])"
    " ORDER BY s.form_id, s.record_id, s.received_at, s.sub_id LIMIT $2::bigint";

/* One line a record; those that conflict are few, where the ledger has no index of instances. */
static const char named_sql[] =
    "SELECT DISTINCT ON (r.form_id, r.record_id) r.sub_id"
    "  FROM (SELECT o.form_id, o.record_id, o.sub_id, true AS is_open"
    "          FROM relais.submission o"
    "         WHERE o.state = 'conflict' AND o.state <> 'delivered' AND o.state <> 'superseded'"
    "        UNION ALL"
    "        SELECT o.form_id, o.record_id, o.sub_id, false"
    "          FROM relais.choice d JOIN relais.submission o USING (sub_id)) r"
    "  JOIN relais.submission s USING (form_id, record_id)"
    " WHERE $1 IN (s.record_id, s.instance_id)"
    " ORDER BY r.form_id, r.record_id, r.is_open DESC, r.sub_id LIMIT 2";

static const char record_sql[] =
    RIVAL "  FROM relais.submission r"
          "  JOIN relais.submission s USING (form_id, record_id)" LAST_CHOICE
          " WHERE r.sub_id = $1::uuid AND s.state <> 'erased'"
          " ORDER BY s.received_at, s.sub_id LIMIT " RELAIS_SQL_NUMBER(RELAIS_CHAIN_MAX);

static const char files_sql[] =
    "WITH file AS (SELECT a.sub_id, a.name, a.sha256, a.size FROM relais.attachment a"
    "               WHERE a.sub_id IN ($1::uuid, $2::uuid))"
    " SELECT coalesce(x.name, y.name), coalesce(x.size::text, ''), coalesce(y.size::text, '')"
    "   FROM (SELECT * FROM file WHERE sub_id = $1::uuid) x"
    "   FULL JOIN (SELECT * FROM file WHERE sub_id = $2::uuid) y"
    "     ON x.name = y.name AND x.sha256 = y.sha256"
    "  WHERE x.name IS NULL OR y.name IS NULL ORDER BY 1 LIMIT 10000";

/* ---- reading -------------------------------------------------------------------------------- */

static bool copy_texts(const PGresult *rows, int row, const char **texts, size_t count,
                       relais_arena *arena)
{
    for (size_t i = 0; i < count; i++) {
        texts[i] = relais_arena_text(arena, PQgetvalue(rows, row, (int)i));
        if (texts[i] == NULL)
            return false;
    }
    return true;
}

static bool copy_rival(const PGresult *rows, int row, relais_rival *out, relais_arena *arena)
{
    enum { TEXTS = 15 };
    const char *t[TEXTS];

    if (!copy_texts(rows, row, t, TEXTS, arena))
        return false;
    *out = (relais_rival){t[0], t[1], t[2],  t[3],  t[4],  t[5],  t[6],  t[7],
                          t[8], t[9], t[10], t[11], t[12], t[13], t[14], false};
    out->is_beside = PQgetvalue(rows, row, TEXTS)[0] == 't';
    return true;
}

static bool copy_rivals(const PGresult *rows, relais_arena *arena, relais_rivals *out,
                        relais_error *err)
{
    size_t total = (size_t)PQntuples(rows);

    out->count = 0;
    out->list = relais_arena_alloc(arena, (total + 1) * sizeof *out->list);
    if (out->list == NULL)
        return relais_arena_error(arena, err);
    for (int i = 0; i < (int)total; i++)
        if (!copy_rival(rows, i, &out->list[out->count++], arena))
            return relais_arena_error(arena, err);
    return true;
}

static bool call(relais_store *store, const char *sql, const char *one, const char *other,
                 PGresult **rows, relais_error *err)
{
    relais_params params;
    bool ok;

    relais_params_init(&params);
    relais_params_text(&params, one);
    if (other != NULL)
        relais_params_text(&params, other);
    ok = relais_pg_call(store, sql, &params, rows, err);
    relais_params_free(&params);
    return ok;
}

bool relais_conflict_list(relais_store *store, bool all, size_t limit, relais_arena *arena,
                          relais_rivals *out, relais_error *err)
{
    char most[32];
    PGresult *rows;
    bool ok;

    snprintf(most, sizeof most, "%zu", limit);
    if (!call(store, list_sql, all ? "all" : "", most, &rows, err))
        return false;
    ok = copy_rivals(rows, arena, out, err);
    PQclear(rows);
    return ok;
}

bool relais_conflict_named(relais_store *store, const char *name, relais_arena *arena,
                           const char **sub_id, relais_error *err)
{
    PGresult *rows;
    bool ok;

    if (!call(store, named_sql, name, NULL, &rows, err))
        return false;
    ok = PQntuples(rows) == 1;
    if (ok)
        *sub_id = relais_arena_text(arena, PQgetvalue(rows, 0, 0));
    else if (PQntuples(rows) == 0)
        relais_error_set(err, RELAIS_ERR_MISSING,
                         "%s is in no conflict; relais conflict list --all names them", name);
    else
        relais_error_set(err, RELAIS_ERR_MISSING,
                         "%s is in conflict more than once; name a version by its id", name);
    PQclear(rows);
    return ok && (*sub_id != NULL || relais_arena_error(arena, err));
}

bool relais_conflict_record(relais_store *store, const char *sub_id, relais_arena *arena,
                            relais_rivals *out, relais_error *err)
{
    PGresult *rows;
    bool ok;

    if (!call(store, record_sql, sub_id, NULL, &rows, err))
        return false;
    ok = copy_rivals(rows, arena, out, err);
    PQclear(rows);
    if (!ok || out->count > 0)
        return ok;
    return relais_error_set(err, RELAIS_ERR_MISSING,
                            "the ledger has no version %s; relais conflict list names them",
                            sub_id);
}

bool relais_conflict_open(relais_store *store, const char *sub_id, relais_arena *arena,
                          relais_rival_answers *out, relais_error *err)
{
    uint8_t mapping[RELAIS_SHA256_SIZE];
    relais_stored stored;
    relais_params params;
    bool ok;

    relais_params_init(&params);
    ok = relais_versions_open(store, &params, sub_id, arena, &stored, err) &&
         relais_evaluated_read(store, &params, sub_id, arena, &out->rows, mapping, err);
    relais_params_free(&params);
    out->xml = stored.xml;
    out->xml_length = stored.xml_length;
    return ok;
}

bool relais_conflict_files(relais_store *store, const char *one, const char *other,
                           relais_arena *arena, relais_rival_files *out, relais_error *err)
{
    enum { F_NAME, F_ONE, F_OTHER, TEXTS };
    PGresult *rows;
    bool ok;

    out->count = 0;
    if (!call(store, files_sql, one, other, &rows, err))
        return false;
    out->list = relais_arena_alloc(arena, ((size_t)PQntuples(rows) + 1) * sizeof *out->list);
    ok = out->list != NULL;
    for (int i = 0; ok && i < PQntuples(rows); i++) {
        const char *t[TEXTS];
        ok = copy_texts(rows, i, t, TEXTS, arena);
        out->list[out->count++] = (relais_rival_file){t[F_NAME], t[F_ONE], t[F_OTHER]};
    }
    PQclear(rows);
    return ok || relais_arena_error(arena, err);
}

/* ---- choosing ------------------------------------------------------------------------------- */

static bool copy_reason(relais_reason *reason, relais_arena *arena)
{
    const char **texts[] = {&reason->class_word, &reason->form, &reason->path,
                            &reason->column,     &reason->rule, &reason->text};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = relais_arena_text(arena, *texts[i] == NULL ? "" : *texts[i]);
        if (*texts[i] == NULL)
            return false;
    }
    return true;
}

static const relais_choice_outcome outcomes[] = {
    [RELAIS_AGAIN_DONE] = RELAIS_CHOICE_DONE, [RELAIS_AGAIN_REFUSED] = RELAIS_CHOICE_REFUSED,
    [RELAIS_AGAIN_GONE] = RELAIS_CHOICE_GONE, [RELAIS_AGAIN_STOPPED] = RELAIS_CHOICE_STOPPED,
    [RELAIS_AGAIN_SAME] = RELAIS_CHOICE_SAME, [RELAIS_AGAIN_BESIDE] = RELAIS_CHOICE_BESIDE,
};

static bool settle_choice(relais_work *work, const relais_conflict_choice *choice,
                          const relais_rivals *record, relais_arena *arena,
                          relais_choice_outcome *outcome, relais_reason *reason, relais_error *err)
{
    const relais_choice author = {choice->by, choice->reason};
    relais_again again;
    const relais_rival *chosen = &record->list[0];
    relais_asked asked = {.key = choice->key, .choice = &author};

    for (size_t i = 0; i < record->count; i++)
        if (strcasecmp(record->list[i].sub_id, choice->sub_id) == 0)
            chosen = &record->list[i];
    asked.sub_id = chosen->sub_id;
    asked.form_id = chosen->form;
    asked.instance_id = chosen->instance;
    if (!relais_settle_again(work, &asked, &again, reason, err))
        return false;
    *outcome = outcomes[again];
    return again != RELAIS_AGAIN_REFUSED || copy_reason(reason, arena) ||
           relais_arena_error(arena, err);
}

bool relais_conflict_choose(relais_store *store, const relais_conflict_choice *choice,
                            relais_arena *arena, relais_choice_outcome *outcome,
                            relais_reason *reason, relais_error *err)
{
    relais_forwarder_counts ignored = {0};
    relais_work work = {.counts = &ignored};
    relais_rivals record;
    bool ok;

    relais_reason_init(reason);
    ok = relais_work_open(&work, store, choice->mappings, choice->secrets, err) &&
         relais_conflict_record(store, choice->sub_id, arena, &record, err) &&
         settle_choice(&work, choice, &record, arena, outcome, reason, err);
    relais_work_close(&work);
    return ok;
}
