/*
 * Statements over the schema link. See link.h.
 */
#include "store/link.h"

#include "store/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The columns of a pair, in the order of relais_link_pair; c is the proposal, p the two. */
#define PAIR                                                                                       \
    "SELECT coalesce(c.candidate_id, 0), c.score, c.reason,"                                       \
    "       to_char(c.found_at, 'YYYY-MM-DD'), c.decision, c.decided_by, coalesce(l.merge_id, 0)," \
    "       p.a, a.sex, a.age, a.place, to_char(a.month, 'YYYY-MM'), a.org_type, a.n,"             \
    "       p.b, b.sex, b.age, b.place, to_char(b.month, 'YYYY-MM'), b.org_type, b.n"

#define FIRST_RECORDING(side)                                                                      \
    " LEFT JOIN LATERAL (SELECT r.*, count(*) OVER () AS n FROM link.recording r"                  \
    "                     WHERE r.victim_id = p." side                                             \
    "                     ORDER BY r.month, r.identification_id LIMIT 1) " side " ON true"

#define AROUND                                                                                     \
    " LEFT JOIN link.candidate c ON c.victim_a = p.a AND c.victim_b = p.b"                         \
    " LEFT JOIN link.merge_log l ON least(l.kept, l.absorbed) = p.a"                               \
    "       AND greatest(l.kept, l.absorbed) = p.b AND l.undone_at IS NULL" FIRST_RECORDING("a")   \
        FIRST_RECORDING("b")

static const char open_sql[] =
    PAIR " FROM (SELECT o.victim_a AS a, o.victim_b AS b FROM link.open_candidate o"
         "        ORDER BY o.score DESC, o.candidate_id LIMIT $1::bigint) p" AROUND
         " ORDER BY c.score DESC, c.candidate_id";

static const char all_sql[] =
    PAIR " FROM (SELECT o.victim_a AS a, o.victim_b AS b FROM link.candidate o"
         "        ORDER BY o.score DESC, o.candidate_id LIMIT $1::bigint) p" AROUND
         " ORDER BY c.score DESC, c.candidate_id";

static const char by_id_sql[] =
    PAIR " FROM (SELECT o.victim_a AS a, o.victim_b AS b FROM link.candidate o"
         "        WHERE o.candidate_id = $1::bigint) p" AROUND;

static const char by_victims_sql[] = PAIR
    " FROM (SELECT least($1::uuid, $2::uuid) AS a, greatest($1::uuid, $2::uuid) AS b"
    "        WHERE $1::uuid <> $2::uuid"
    "          AND EXISTS (SELECT FROM link.recording r WHERE r.victim_id = $1::uuid)"
    "          AND EXISTS (SELECT FROM link.recording r WHERE r.victim_id = $2::uuid)) p" AROUND;

/* Of the whole person, as joined now; of two that are one already, by their own rows. */
static const char recordings_sql[] =
    "WITH side(name, victim, person) AS ("
    "  SELECT s.name, s.victim,"
    "         (SELECT r.person FROM link.recording r WHERE r.victim_id = s.victim LIMIT 1)"
    "    FROM (VALUES ('A', $1::uuid), ('B', $2::uuid)) AS s(name, victim))"
    " SELECT s.name, to_char(r.month, 'YYYY-MM'), r.org_type, r.place, r.sex, r.age, r.age_basis,"
    "        r.status, r.form, r.citizenship, r.origin_country, array_to_string(r.keys, ' ')"
    "   FROM side s JOIN link.recording r"
    "     ON CASE WHEN (SELECT count(DISTINCT o.person) FROM side o) = 1"
    "             THEN r.victim_id = s.victim ELSE r.person = s.person END"
    "  ORDER BY s.name, r.month, r.identification_id LIMIT 1000";

static const char decide_sql[] = "SELECT link.decide($1::bigint, $2, $3, $4)";
static const char merge_sql[] = "SELECT link.merge($1::uuid, $2::uuid, $3, $4)";
static const char unmerge_sql[] = "SELECT link.unmerge($1::bigint, $2, $3)";

/* ---- calling --------------------------------------------------------------------------------- */

static bool call(relais_store *store, const char *sql, const char *const *texts, size_t count,
                 PGresult **out, relais_error *err)
{
    relais_params params;
    bool ok;

    relais_params_init(&params);
    for (size_t i = 0; i < count; i++)
        relais_params_text(&params, texts[i]);
    ok = relais_pg_call(store, sql, &params, out, err);
    relais_params_free(&params);
    return ok;
}

/* Copies columns from `first` on into texts that lie one after the other. */
static bool copy_texts(const PGresult *rows, int row, int first, const char **texts, size_t count,
                       relais_arena *arena)
{
    for (size_t i = 0; i < count; i++) {
        texts[i] = relais_arena_text(arena, PQgetvalue(rows, row, first + (int)i));
        if (texts[i] == NULL)
            return false;
    }
    return true;
}

static bool copy_person(const PGresult *rows, int row, int first, relais_link_person *out,
                        relais_arena *arena)
{
    enum { TEXTS = 6 };
    const char *texts[TEXTS];

    if (!copy_texts(rows, row, first, texts, TEXTS, arena))
        return false;
    *out = (relais_link_person){texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], 0};
    out->recordings = strtoll(PQgetvalue(rows, row, first + TEXTS), NULL, 10);
    return true;
}

static bool copy_pair(const PGresult *rows, int row, relais_link_pair *out, relais_arena *arena)
{
    enum { P_ID, P_TEXTS, TEXTS = 5, P_JOIN = P_TEXTS + TEXTS, P_A, P_B = P_A + 7 };
    const char *texts[TEXTS];

    out->id = strtoll(PQgetvalue(rows, row, P_ID), NULL, 10);
    out->join = strtoll(PQgetvalue(rows, row, P_JOIN), NULL, 10);
    if (!copy_texts(rows, row, P_TEXTS, texts, TEXTS, arena))
        return false;
    out->score = texts[0];
    out->reason = texts[1];
    out->found = texts[2];
    out->decision = texts[3];
    out->decided_by = texts[4];
    return copy_person(rows, row, P_A, &out->a, arena) &&
           copy_person(rows, row, P_B, &out->b, arena);
}

static bool copy_pairs(const PGresult *rows, relais_arena *arena, relais_link_pairs *out,
                       relais_error *err)
{
    int total = PQntuples(rows);

    out->count = (size_t)total;
    out->list = relais_arena_alloc(arena, ((size_t)total + 1) * sizeof *out->list);
    if (out->list == NULL)
        return relais_arena_error(arena, err);
    for (int i = 0; i < total; i++)
        if (!copy_pair(rows, i, &out->list[i], arena))
            return relais_arena_error(arena, err);
    return true;
}

static bool ask_pairs(relais_store *store, const char *sql, const char *const *texts, size_t count,
                      relais_arena *arena, relais_link_pairs *out, relais_error *err)
{
    PGresult *rows;
    bool ok;

    if (!call(store, sql, texts, count, &rows, err))
        return false;
    ok = copy_pairs(rows, arena, out, err);
    PQclear(rows);
    return ok;
}

/* ---- reading --------------------------------------------------------------------------------- */

bool relais_link_list(relais_store *store, bool all, size_t limit, relais_arena *arena,
                      relais_link_pairs *out, relais_error *err)
{
    char number[24];

    snprintf(number, sizeof number, "%zu", limit);
    return ask_pairs(store, all ? all_sql : open_sql, (const char *const[]){number}, 1, arena, out,
                     err);
}

bool relais_link_find(relais_store *store, const relais_link_name *name, relais_arena *arena,
                      relais_link_pair *out, relais_error *err)
{
    relais_link_pairs found;

    if (!(name->id != NULL
              ? ask_pairs(store, by_id_sql, &name->id, 1, arena, &found, err)
              : ask_pairs(store, by_victims_sql, name->victims, 2, arena, &found, err)))
        return false;
    if (found.count == 0)
        return relais_error_set(err, RELAIS_ERR_MISSING,
                                "there is no such pair; relais link list shows those to decide");
    *out = found.list[0];
    return true;
}

static bool copy_recording(const PGresult *rows, int row, relais_link_recording *out,
                           relais_arena *arena)
{
    const char **const members[] = {&out->side, &out->month,       &out->org_type,  &out->place,
                                    &out->sex,  &out->age,         &out->age_basis, &out->status,
                                    &out->form, &out->citizenship, &out->origin,    &out->keys};

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (!copy_texts(rows, row, (int)i, members[i], 1, arena))
            return false;
    return true;
}

bool relais_link_read(relais_store *store, const relais_link_pair *pair, relais_arena *arena,
                      relais_link_recordings *out, relais_error *err)
{
    const char *victims[] = {pair->a.victim, pair->b.victim};
    PGresult *rows;
    bool ok;

    if (!call(store, recordings_sql, victims, 2, &rows, err))
        return false;
    out->count = (size_t)PQntuples(rows);
    out->list = relais_arena_alloc(arena, (out->count + 1) * sizeof *out->list);
    ok = out->list != NULL;
    for (size_t i = 0; ok && i < out->count; i++)
        ok = copy_recording(rows, (int)i, &out->list[i], arena);
    PQclear(rows);
    return ok || relais_arena_error(arena, err);
}

/* ---- deciding -------------------------------------------------------------------------------- */

static bool call_decide(relais_store *store, long long id, const char *decision,
                        const relais_link_author *author, relais_error *err)
{
    char number[24];

    snprintf(number, sizeof number, "%lld", id);
    return call(store, decide_sql,
                (const char *const[]){number, decision, author->by, author->reason}, 4, NULL, err);
}

bool relais_link_decide(relais_store *store, const relais_link_pair *pair, const char *decision,
                        const relais_link_author *author, relais_error *err)
{
    if (pair->id != 0)
        return call_decide(store, pair->id, decision, author, err);
    if (strcmp(decision, "same") != 0)
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "nothing proposed this pair, so these are two people already; "
                                "only \"same\" can be decided of it");
    return call(store, merge_sql,
                (const char *const[]){pair->a.victim, pair->b.victim, author->by, author->reason},
                4, NULL, err);
}

bool relais_link_undo(relais_store *store, const relais_link_pair *pair,
                      const relais_link_author *author, relais_error *err)
{
    char number[24];

    if (pair->id != 0 && strcmp(pair->decision, "open") != 0)
        return call_decide(store, pair->id, "open", author, err);
    if (pair->join == 0)
        return relais_error_set(err, RELAIS_ERR_MISSING,
                                "nothing was decided of this pair, and nothing joins it directly");
    snprintf(number, sizeof number, "%lld", pair->join);
    return call(store, unmerge_sql, (const char *const[]){number, author->by, author->reason}, 3,
                NULL, err);
}
