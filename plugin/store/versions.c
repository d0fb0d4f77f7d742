/*
 * Statements over the versions of a record. See versions.h.
 */
#include "store/versions.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define RECEIVED_TEXT "to_char(s.received_at, " RELAIS_SQL_ISO_8601 ")"

static const char lock_sql[] =
    "SELECT pg_advisory_xact_lock(hashtextextended('relais.record:' || $1::text, 0))";

/* Follows edits both ways. A name may have no version: the one replaced has not come. */
const char relais_versions_read_sql[] =
    "WITH RECURSIVE member(instance_id) AS ("
    "  SELECT $2::text"
    "  UNION"
    "  SELECT x.instance_id FROM member m CROSS JOIN LATERAL ("
    "    SELECT s.deprecated_id AS instance_id FROM relais.submission s"
    "     WHERE s.form_id = $1 AND s.instance_id = m.instance_id AND s.deprecated_id IS NOT NULL"
    "    UNION ALL"
    "    SELECT s.instance_id FROM relais.submission s"
    "     WHERE s.form_id = $1 AND s.deprecated_id = m.instance_id) x"
    ") SELECT s.sub_id, m.instance_id, coalesce(s.deprecated_id, ''), s.record_id, s.state,"
    "         (SELECT true FROM relais.tombstone t"
    "           WHERE t.form_id = $1 AND t.record_id = m.instance_id LIMIT 1) IS NOT NULL,"
    "         coalesce(s.reason ->> 'class', ''), s.seal IS NOT NULL, coalesce(s.source, ''),"
    "         coalesce((SELECT max(c.choice_id) FROM relais.choice c"
    "                    WHERE c.sub_id = s.sub_id), 0),"
    "         EXISTS (SELECT FROM relais.choice c WHERE c.rivals @> ARRAY[s.sub_id]),"
    "         CASE WHEN s.delivered_at IS NULL THEN s.missing::text END"
    "    FROM member m LEFT JOIN LATERAL ("
    "         SELECT * FROM relais.submission s"
    "          WHERE s.form_id = $1 AND s.instance_id = m.instance_id) s ON true"
    "   ORDER BY s.received_at, s.sub_id LIMIT 1 + " RELAIS_SQL_NUMBER(RELAIS_CHAIN_MAX);

static const char add_sql[] =
    "INSERT INTO relais.submission (sub_id, form_id, instance_id, xml_sha256, record_id,"
    "       deprecated_id, form_version, state, received_at, source, submitted_by, device_id,"
    "       repairs, xml, mapping_sha256, seal)"
    " SELECT $1::uuid, $2, $3, decode($4, 'hex'), coalesce($5, $3), $5, $6, $7,"
    "        $8::timestamptz, $9, $10, $11, $12, u.xml, decode($13, 'hex'), $15"
    "   FROM unnest($14::bytea[]) AS u(xml)"
    " ON CONFLICT (form_id, instance_id, xml_sha256) DO NOTHING RETURNING 1";

const char relais_versions_open_sql[] =
    "SELECT s.form_version, " RECEIVED_TEXT ", s.submitted_by, s.device_id, s.xml,"
    "       s.seal"
    "  FROM relais.submission s WHERE s.sub_id = $1::uuid";

const char relais_versions_names_sql[] = "SELECT DISTINCT a.name FROM relais.attachment a"
                                         " WHERE a.sub_id = ANY ($1::text[]::uuid[])";

/* What an encrypted version replaces is known when it has been opened. */
const char relais_versions_replaces_sql[] =
    "UPDATE relais.submission s SET deprecated_id = $2"
    " WHERE s.sub_id = $1::uuid AND s.deprecated_id IS DISTINCT FROM $2";

const char relais_versions_update_sql[] =
    "UPDATE relais.submission s"
    "   SET state = u.state, record_id = u.record_id, missing = u.missing::text[],"
    "       unmapped = coalesce(u.unmapped::text[], s.unmapped), reason = u.reason::jsonb,"
    "       trace = u.trace::jsonb,"
    "       mapping_sha256 = coalesce(u.mapping, s.mapping_sha256),"
    "       delivered_at = CASE u.is_loaded WHEN 't' THEN now() ELSE s.delivered_at END"
    "  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],"
    "              $7::bytea[], $8::text[], $9::text[])"
    "       AS u(sub_id, state, record_id, missing, unmapped, reason, mapping, is_loaded, trace)"
    " WHERE s.sub_id = u.sub_id::uuid";

/* Rows of an older mapping may have keys that the present one does not make. */
const char relais_versions_older_sql[] =
    "SELECT 1 FROM relais.submission s WHERE s.sub_id = ANY ($1::text[]::uuid[])"
    "   AND s.state IN ('delivered', 'partial') AND s.mapping_sha256 <> $2::bytea LIMIT 1";

const char relais_versions_held_sql[] =
    "SELECT s.sub_id, s.form_id, s.instance_id, s.received_at FROM relais.submission s"
    " WHERE s.state = 'held' AND (s.received_at, s.sub_id) > ($1::timestamptz, $2::uuid)"
    " ORDER BY s.received_at, s.sub_id LIMIT " RELAIS_SQL_NUMBER(RELAIS_HELD_PAGE);

static const char choose_sql[] = "INSERT INTO relais.choice (sub_id, rivals, chosen_by, reason)"
                                 " VALUES ($1::uuid, $2::text[]::uuid[], $3, $4)";

bool relais_versions_begin(relais_store *store, relais_params *params, const char *form_id,
                           relais_error *err)
{
    relais_params_reset(params);
    relais_params_text(params, form_id);
    return relais_pg_run(store, RELAIS_SQL_BEGIN, err) &&
           relais_pg_call(store, lock_sql, params, NULL, err);
}

static const char *null_if_empty(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

bool relais_versions_add(relais_store *store, relais_params *params, const relais_item *item,
                         relais_state state, bool *is_new, relais_error *err)
{
    char xml_hex[2 * RELAIS_SHA256_SIZE + 1], mapping_hex[2 * RELAIS_SHA256_SIZE + 1];
    PGresult *rows;

    relais_hex(item->xml_sha256, RELAIS_SHA256_SIZE, xml_hex);
    if (item->binding != NULL)
        relais_hex(relais_mapping_sha256(item->binding->mapping), RELAIS_SHA256_SIZE, mapping_hex);
    relais_params_reset(params);
    relais_params_text(params, item->sub_id);
    relais_params_text(params, item->form_id);
    relais_params_text(params, item->instance_id);
    relais_params_text(params, xml_hex);
    relais_params_text(params, null_if_empty(item->deprecated_id));
    relais_params_text(params, item->version);
    relais_params_text(params, relais_state_word(state));
    relais_params_text(params, item->received);
    relais_params_text(params, item->source);
    relais_params_text(params, item->user);
    relais_params_text(params, item->device);
    relais_params_text(params, null_if_empty(item->repairs));
    relais_params_text(params, item->binding == NULL ? NULL : mapping_hex);
    relais_params_bytea_array(params);
    relais_params_add(params, params->count - 1, item->kept, item->kept_length);
    relais_params_text(params, relais_item_seal_id(item));
    if (!relais_pg_call(store, add_sql, params, &rows, err))
        return false;
    *is_new = PQntuples(rows) == 1;
    PQclear(rows);
    return true;
}

bool relais_versions_replaces(relais_store *store, relais_params *params, const char *sub_id,
                              const char *deprecated_id, relais_error *err)
{
    relais_params_reset(params);
    relais_params_text(params, sub_id);
    relais_params_text(params, deprecated_id);
    return relais_pg_call(store, relais_versions_replaces_sql, params, NULL, err);
}

/* The ways in that bring a server's own rendering; the others bring the phone's bytes. */
static bool is_copy(const char *source)
{
    return strcmp(source, "pull:briefcase") == 0 || strcmp(source, "import:briefcase") == 0;
}

/* The column that is there also for a name without a version. */
enum { V_BURIED = 5 };

static bool copy_version(relais_version *version, const PGresult *rows, int row,
                         relais_arena *arena)
{
    enum {
        V_SUB_ID,
        V_INSTANCE,
        V_DEPRECATED,
        V_RECORD,
        V_STATE,
        V_CLASS = V_BURIED + 1,
        V_SEALED,
        V_SOURCE,
        V_CHOICE,
        V_JUDGED,
        V_AWAITED
    };

    snprintf(version->sub_id, sizeof version->sub_id, "%s", PQgetvalue(rows, row, V_SUB_ID));
    version->instance = relais_arena_text(arena, PQgetvalue(rows, row, V_INSTANCE));
    version->deprecated = relais_arena_text(arena, PQgetvalue(rows, row, V_DEPRECATED));
    version->record = relais_arena_text(arena, PQgetvalue(rows, row, V_RECORD));
    version->ledger_state = relais_state_read(PQgetvalue(rows, row, V_STATE));
    if (!PQgetisnull(rows, row, V_AWAITED)) {
        version->awaited = relais_arena_text(arena, PQgetvalue(rows, row, V_AWAITED));
        if (version->awaited == NULL)
            return false;
        if (version->ledger_state == RELAIS_STATE_PARTIAL)
            version->ledger_state = RELAIS_STATE_HELD; /* it has no rows */
    }
    version->state = version->ledger_state;
    version->choice = strtoll(PQgetvalue(rows, row, V_CHOICE), NULL, 10);
    version->is_judged = PQgetvalue(rows, row, V_JUDGED)[0] == 't';
    version->reason_class = relais_arena_text(arena, PQgetvalue(rows, row, V_CLASS));
    version->is_copy = is_copy(PQgetvalue(rows, row, V_SOURCE));
    version->is_sealed = PQgetvalue(rows, row, V_SEALED)[0] == 't';
    return version->instance != NULL && version->deprecated != NULL && version->record != NULL &&
           version->reason_class != NULL;
}

static bool copy_versions(const PGresult *rows, relais_arena *arena, relais_version **out,
                          size_t *count, bool *is_buried, relais_error *err)
{
    int total = PQntuples(rows);

    *count = 0;
    *is_buried = false;
    if (total > RELAIS_CHAIN_MAX)
        return relais_error_set(err, RELAIS_ERR_LIMIT, "a record with more than %d versions",
                                RELAIS_CHAIN_MAX);
    *out = relais_arena_alloc(arena, (size_t)total * sizeof **out);
    if (*out == NULL)
        return relais_arena_error(arena, err);
    for (int i = 0; i < total; i++) {
        *is_buried = *is_buried || PQgetvalue(rows, i, V_BURIED)[0] == 't';
        if (PQgetisnull(rows, i, 0))
            continue; /* a name without a version */
        if (!copy_version(&(*out)[(*count)++], rows, i, arena))
            return relais_arena_error(arena, err);
    }
    return true;
}

bool relais_versions_read(relais_store *store, relais_params *params, const char *form_id,
                          const char *instance_id, relais_arena *arena, relais_version **out,
                          size_t *count, bool *is_buried, relais_error *err)
{
    PGresult *rows;
    bool ok;

    relais_params_reset(params);
    relais_params_text(params, form_id);
    relais_params_text(params, instance_id);
    if (!relais_pg_call(store, relais_versions_read_sql, params, &rows, err))
        return false;
    ok = copy_versions(rows, arena, out, count, is_buried, err);
    PQclear(rows);
    return ok;
}

bool relais_versions_open(relais_store *store, relais_params *params, const char *sub_id,
                          relais_arena *arena, relais_stored *out, relais_error *err)
{
    enum { O_VERSION, O_RECEIVED, O_USER, O_DEVICE, O_XML, O_SEAL };
    PGresult *rows;
    bool ok;

    relais_params_reset(params);
    relais_params_text(params, sub_id);
    if (!relais_pg_call_binary(store, relais_versions_open_sql, params, &rows, err))
        return false;
    ok = PQntuples(rows) == 1;
    if (ok) {
        memset(out, 0, sizeof *out);
        out->version = relais_arena_text(arena, PQgetvalue(rows, 0, O_VERSION));
        out->received = relais_arena_text(arena, PQgetvalue(rows, 0, O_RECEIVED));
        out->user = relais_arena_text(arena, PQgetvalue(rows, 0, O_USER));
        out->device = relais_arena_text(arena, PQgetvalue(rows, 0, O_DEVICE));
        out->xml_length = (size_t)PQgetlength(rows, 0, O_XML);
        if (!PQgetisnull(rows, 0, O_XML))
            out->xml = relais_arena_copy(arena, PQgetvalue(rows, 0, O_XML), out->xml_length);
        if (!PQgetisnull(rows, 0, O_SEAL))
            out->seal = relais_arena_text(arena, PQgetvalue(rows, 0, O_SEAL));
        ok = out->version != NULL && out->received != NULL && out->user != NULL &&
             out->device != NULL && (out->xml != NULL || PQgetisnull(rows, 0, O_XML)) &&
             (out->seal != NULL || PQgetisnull(rows, 0, O_SEAL));
        if (!ok)
            relais_arena_error(arena, err);
    } else {
        relais_error_set(err, RELAIS_ERR_MISSING, "a version vanished from the ledger");
    }
    PQclear(rows);
    return ok;
}

bool relais_versions_files(relais_store *store, relais_params *params,
                           const relais_version *versions, size_t count, relais_arena *arena,
                           const char ***names, size_t *name_count, relais_error *err)
{
    PGresult *rows;
    bool ok = true;

    relais_params_reset(params);
    relais_params_text_array(params);
    for (size_t i = 0; i < count; i++)
        relais_params_add_text(params, 0, versions[i].sub_id);
    if (!relais_pg_call(store, relais_versions_names_sql, params, &rows, err))
        return false;
    *name_count = (size_t)PQntuples(rows);
    *names = relais_arena_alloc(arena, *name_count * sizeof **names);
    for (size_t i = 0; i < *name_count && *names != NULL && ok; i++) {
        (*names)[i] = relais_arena_text(arena, PQgetvalue(rows, (int)i, 0));
        ok = (*names)[i] != NULL;
    }
    PQclear(rows);
    return (ok && *names != NULL) || relais_arena_error(arena, err);
}

static void add_update(relais_params *params, const relais_version_update *update)
{
    relais_params_add_text(params, 0, update->sub_id);
    relais_params_add_text(params, 1, relais_state_word(update->state));
    relais_params_add_text(params, 2, update->record);
    relais_params_add_text(params, 3, update->missing);
    relais_params_add_text(params, 4, update->unmapped);
    relais_params_add_text(params, 5, update->reason);
    relais_params_add(params, 6, update->mapping, update->mapping == NULL ? 0 : RELAIS_SHA256_SIZE);
    relais_params_add_text(params, 7, update->is_loaded ? "t" : "f");
    relais_params_add_text(params, 8, update->trace);
}

static bool update_some(relais_store *store, relais_params *params,
                        const relais_version_update *updates, size_t count, bool are_current,
                        relais_error *err)
{
    enum { MAPPING = 6, PARAMS = 9 };
    size_t taken = 0;

    relais_params_reset(params);
    for (size_t i = 0; i < PARAMS; i++) {
        if (i == MAPPING)
            relais_params_bytea_array(params);
        else
            relais_params_text_array(params);
    }
    for (size_t i = 0; i < count; i++) {
        if (relais_state_is_current(updates[i].state) != are_current)
            continue;
        add_update(params, &updates[i]);
        taken++;
    }
    return taken == 0 || relais_pg_call(store, relais_versions_update_sql, params, NULL, err);
}

/* The unique index on current versions is checked row by row. */
bool relais_versions_update(relais_store *store, relais_params *params,
                            const relais_version_update *updates, size_t count, relais_error *err)
{
    return update_some(store, params, updates, count, false, err) &&
           update_some(store, params, updates, count, true, err);
}

bool relais_versions_choose(relais_store *store, relais_params *params, const char *sub_id,
                            const char *const *rivals, size_t count, const relais_choice *choice,
                            relais_error *err)
{
    enum { RIVALS = 1 };

    relais_params_reset(params);
    relais_params_text(params, sub_id);
    relais_params_text_array(params);
    for (size_t i = 0; i < count; i++)
        relais_params_add_text(params, RIVALS, rivals[i]);
    relais_params_text(params, choice->by);
    relais_params_text(params, choice->reason == NULL ? "" : choice->reason);
    return relais_pg_call(store, choose_sql, params, NULL, err);
}

bool relais_versions_held(relais_store *store, relais_params *params, const char *after_received,
                          const char *after_sub_id, PGresult **rows, relais_error *err)
{
    relais_params_reset(params);
    relais_params_text(params, after_received);
    relais_params_text(params, after_sub_id);
    return relais_pg_call(store, relais_versions_held_sql, params, rows, err);
}
