/*
 * Statements over relais.submission. See ledger.h.
 */
#include "store/ledger.h"

#include "base/text.h"
#include "store/kept.h"

#include <stdio.h>
#include <string.h>

/* The unique constraint decides what is a duplicate; the rest of the verdict only says what
 * else is known of the record. XML travels in its own unnest, joined by position, so that it
 * passes through no intermediate table. Each look-up ends at its first row and is made once
 * for each submission: by LIMIT it cannot become a join that reads the whole ledger while
 * the planner's statistics still are those of a small one. */
const char relais_ledger_insert_sql[] =
    "WITH judged AS MATERIALIZED ("
    "  SELECT g.n, g.sub_id::uuid AS sub_id, s.state, s.missing IS NOT NULL AS lacking,"
    "         (SELECT true FROM relais.tombstone t"
    "           WHERE t.form_id = g.form_id AND t.record_id = g.instance_id LIMIT 1)"
    "         IS NOT NULL AS buried,"
    "         (SELECT true FROM relais.submission o"
    "           WHERE o.form_id = g.form_id AND o.instance_id = g.instance_id"
    "             AND o.sub_id <> g.sub_id::uuid LIMIT 1) IS NOT NULL"
    "         OR (SELECT true FROM relais.submission o"
    "              WHERE o.form_id = g.form_id AND o.deprecated_id = g.instance_id LIMIT 1)"
    "         IS NOT NULL AS chained"
    "    FROM unnest($1::text[], $2::text[], $3::text[])"
    "         WITH ORDINALITY AS g(sub_id, form_id, instance_id, n)"
    "    LEFT JOIN LATERAL (SELECT o.state, o.missing FROM relais.submission o"
    "                        WHERE o.sub_id = g.sub_id::uuid LIMIT 1) s ON true"
    "), inserted AS ("
    "  INSERT INTO relais.submission (sub_id, form_id, instance_id, record_id, xml_sha256,"
    "         form_version, state, received_at, delivered_at, source, submitted_by, device_id,"
    "         mapping_sha256, xml, repairs, unmapped, missing, seal, trace)"
    "  SELECT j.sub_id, u.form_id, u.instance_id, u.instance_id, u.xml_sha256,"
    "         u.form_version, CASE WHEN u.missing IS NULL THEN 'delivered' ELSE 'partial' END,"
    "         u.received_at::timestamptz, now(), u.source, u.submitted_by, u.device_id,"
    "         u.mapping_sha256, u.xml, u.repairs, u.unmapped::text[], u.missing::text[],"
    "         u.seal, u.trace::jsonb"
    "    FROM unnest($2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[],"
    "                $8::text[], $9::text[], $10::bytea[], $11::bytea[], $12::text[], $13::text[],"
    "                $14::text[], $15::text[], $16::text[])"
    "         WITH ORDINALITY AS u(form_id, instance_id, xml_sha256, form_version, received_at,"
    "                source, submitted_by, device_id, mapping_sha256, xml, repairs, unmapped,"
    "                missing, seal, trace, n)"
    "    JOIN judged j ON j.n = u.n"
    "   WHERE NOT j.buried AND NOT j.chained"
    "  ON CONFLICT (form_id, instance_id, xml_sha256) DO NOTHING"
    "  RETURNING sub_id"
    ") SELECT i.sub_id IS NOT NULL, j.state, j.lacking, j.buried, j.chained"
    "    FROM judged j LEFT JOIN inserted i ON i.sub_id = j.sub_id ORDER BY j.n";

/* Locks the rows first, so that two forwarders do not both add one file. */
const char relais_ledger_lock_sql[] =
    "SELECT FROM relais.submission s"
    " WHERE s.sub_id = ANY ($1::text[]::uuid[]) ORDER BY s.sub_id FOR UPDATE";

const char relais_ledger_files_sql[] =
    "SELECT a.sub_id, a.name, encode(a.sha256, 'hex') FROM relais.attachment a"
    " WHERE a.sub_id = ANY ($1::text[]::uuid[])";

/* A name is missing as long as neither this parcel nor an earlier one, of this version or of
 * another one of its record, has brought the file. */
const char relais_ledger_complete_sql[] =
    "UPDATE relais.submission s"
    "   SET missing = m.missing,"
    "       state = CASE WHEN s.state = 'partial' AND m.missing IS NULL THEN 'delivered'"
    "                    ELSE s.state END"
    "  FROM (SELECT o.sub_id, nullif(ARRAY(SELECT unnest(o.missing) INTERSECT"
    "                                      SELECT unnest(u.missing::text[])), '{}') AS missing"
    "          FROM unnest($1::text[], $2::text[]) AS u(sub_id, missing)"
    "          JOIN relais.submission o ON o.sub_id = u.sub_id::uuid) m"
    " WHERE s.sub_id = m.sub_id";

bool relais_ledger_check(relais_store *store, relais_error *err)
{
    static const char sql[] =
        "SELECT s.seal, a.seal FROM relais.submission s, relais.attachment a, relais.mapping,"
        "       relais.tombstone, relais.evaluated, relais.choice, relais.refusal, relais.incident"
        " LIMIT 0";
    relais_error why = {0};

    if (relais_pg_run(store, sql, &why))
        return true;
    if (why.code != RELAIS_ERR_DATABASE) {
        *err = why;
        return false;
    }
    return relais_error_set(err, RELAIS_ERR_CONFIG,
                            "the ledger cannot be used in this database (%s): let its owner run "
                            "`relais plan | psql`",
                            why.text);
}

bool relais_ledger_excuse(const relais_fault *fault, relais_error *err)
{
    static const struct {
        const char *constraint;
        relais_error_code code;
    } own[] = {
        {"submission_current", RELAIS_ERR_TRANSIENT},
        {"submission_pkey", RELAIS_ERR_TRANSIENT},
        {"attachment_pkey", RELAIS_ERR_TRANSIENT},
        {"submission_mapping_sha256_fkey", RELAIS_ERR_DATABASE},
    };

    if (err->code != RELAIS_ERR_DATA || strcmp(fault->schema, "relais") != 0)
        return false;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcmp(fault->constraint, own[i].constraint) == 0) {
            err->code = own[i].code;
            return true;
        }
    return false;
}

/* Other versions of the record that wait for a file of that name, in whichever form its accents
 * are written. */
const char relais_ledger_share_sql[] =
    "UPDATE relais.submission w"
    "   SET missing = m.missing,"
    "       state = CASE WHEN w.state = 'partial' AND m.missing IS NULL THEN 'delivered'"
    "                    ELSE w.state END"
    "  FROM (SELECT o.sub_id, nullif(ARRAY("
    "               SELECT x.name FROM unnest(o.missing) AS x(name)"
    "                WHERE NOT EXISTS ("
    "                      SELECT FROM relais.submission v JOIN relais.attachment a USING (sub_id)"
    "                       WHERE v.form_id = o.form_id AND v.record_id = o.record_id"
    "                         AND normalize(a.name)"
    "                             IN (normalize(x.name), normalize(x.name || '.enc')))),"
    "                 '{}') AS missing"
    "          FROM relais.submission s"
    "          JOIN relais.submission o ON o.form_id = s.form_id AND o.record_id = s.record_id"
    "           AND o.sub_id <> s.sub_id AND o.missing IS NOT NULL"
    "           AND o.delivered_at IS NOT NULL"
    "         WHERE s.sub_id = ANY ($1::text[]::uuid[])) m"
    " WHERE w.sub_id = m.sub_id";

/* A text[] literal, or NULL for an empty one. */
static const char *literal(relais_arena *arena, const char *const *texts, size_t count,
                           relais_params *params)
{
    char *text;

    if (count == 0)
        return NULL;
    text = relais_array_literal(arena, texts, count);
    if (text == NULL)
        params->failed = RELAIS_ERR_MEMORY;
    return text;
}

/* What an edit needs to find the rows of a submission that cannot be read again. */
static const char *trace(relais_arena *arena, const relais_item *item, relais_params *params)
{
    char *text;

    if (item->seal == NULL)
        return NULL;
    text = relais_trace_json(&item->binding->statements, &item->output, arena);
    if (text == NULL)
        params->failed = RELAIS_ERR_MEMORY;
    return text;
}

static const char *null_if_empty(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

/* The parameters of relais_ledger_insert_sql, counted from 0. */
enum {
    P_SUB_ID,
    P_FORM,
    P_INSTANCE,
    P_XML_SHA256,
    P_VERSION,
    P_RECEIVED,
    P_SOURCE,
    P_USER,
    P_DEVICE,
    P_MAPPING,
    P_XML,
    P_REPAIRS,
    P_UNMAPPED,
    P_MISSING,
    P_SEAL,
    P_TRACE,
    P_COUNT
};

static void add_item(relais_params *params, const relais_item *item, relais_arena *arena)
{
    relais_params_add_text(params, P_SUB_ID, item->sub_id);
    relais_params_add_text(params, P_FORM, item->form_id);
    relais_params_add_text(params, P_INSTANCE, item->instance_id);
    relais_params_add(params, P_XML_SHA256, item->xml_sha256, sizeof item->xml_sha256);
    relais_params_add_text(params, P_VERSION, item->version);
    relais_params_add_text(params, P_RECEIVED, item->received);
    relais_params_add_text(params, P_SOURCE, item->source);
    relais_params_add_text(params, P_USER, item->user);
    relais_params_add_text(params, P_DEVICE, item->device);
    relais_params_add(params, P_MAPPING, relais_mapping_sha256(item->binding->mapping),
                      RELAIS_SHA256_SIZE);
    relais_params_add(params, P_XML, item->kept, item->kept_length);
    relais_params_add_text(params, P_REPAIRS, null_if_empty(item->repairs));
    relais_params_add_text(
        params, P_UNMAPPED,
        literal(arena, item->output.unmapped, item->output.unmapped_count, params));
    relais_params_add_text(params, P_MISSING,
                           literal(arena, item->missing, item->missing_count, params));
    relais_params_add_text(params, P_SEAL, relais_item_seal_id(item));
    relais_params_add_text(params, P_TRACE, trace(arena, item, params));
}

void relais_ledger_insert_params(relais_params *params, relais_item *const *items, size_t count,
                                 relais_arena *arena)
{
    relais_params_reset(params);
    for (size_t i = 0; i < P_COUNT; i++) {
        if (i == P_XML_SHA256 || i == P_MAPPING || i == P_XML)
            relais_params_bytea_array(params);
        else
            relais_params_text_array(params);
    }
    for (size_t i = 0; i < count; i++)
        add_item(params, items[i], arena);
}

static bool is_true(const PGresult *rows, int row, int field)
{
    return PQgetvalue(rows, row, field)[0] == 't';
}

/* As PostgreSQL calls it when a transaction only has to be tried again. */
static bool set_raced(relais_error *err)
{
    snprintf(err->sqlstate, sizeof err->sqlstate, "40001");
    return relais_error_set(err, RELAIS_ERR_TRANSIENT,
                            "another forwarder delivered the same submission meanwhile");
}

/* A row that is neither new nor visible was committed by another forwarder since the
 * statement's snapshot; the next try sees it. */
static bool read_verdict(const PGresult *rows, int row, relais_item *item, relais_error *err)
{
    enum { V_FRESH, V_STATE, V_LACKING, V_BURIED, V_CHAINED };
    bool has_state = !PQgetisnull(rows, row, V_STATE);
    relais_state state =
        has_state ? relais_state_read(PQgetvalue(rows, row, V_STATE)) : RELAIS_STATE_COUNT;

    if (is_true(rows, row, V_FRESH))
        item->verdict = RELAIS_VERDICT_FRESH;
    else if (is_true(rows, row, V_BURIED) || state == RELAIS_STATE_ERASED)
        item->verdict = RELAIS_VERDICT_BURIED;
    else if (state == RELAIS_STATE_HELD || state == RELAIS_STATE_QUARANTINED)
        item->verdict = RELAIS_VERDICT_SETTLE;
    else if (has_state)
        item->verdict = RELAIS_VERDICT_DUPLICATE;
    else if (is_true(rows, row, V_CHAINED))
        item->verdict = RELAIS_VERDICT_SETTLE;
    else
        return set_raced(err);
    item->is_partial = is_true(rows, row, V_LACKING);
    return true;
}

bool relais_ledger_insert_verdicts(const PGresult *result, relais_item *const *items, size_t count,
                                   relais_error *err)
{
    if ((size_t)PQntuples(result) != count)
        return relais_error_set(err, RELAIS_ERR_DATABASE, "the ledger judged %d of %zu submissions",
                                PQntuples(result), count);
    for (size_t i = 0; i < count; i++)
        if (!read_verdict(result, (int)i, items[i], err))
            return false;
    return true;
}

static void list_sub_ids(relais_params *params, relais_item *const *items, size_t count)
{
    relais_params_reset(params);
    relais_params_text_array(params);
    for (size_t i = 0; i < count; i++)
        relais_params_add_text(params, 0, items[i]->sub_id);
}

static relais_item *find_item(relais_item *const *items, size_t count, const char *sub_id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(items[i]->sub_id, sub_id) == 0)
            return items[i];
    return NULL;
}

static void mark_stored(relais_item *item, const char *name, const char *sha256_hex)
{
    uint8_t sha256[RELAIS_SHA256_SIZE];

    if (!relais_unhex(sha256_hex, sha256, sizeof sha256))
        return;
    for (size_t i = 0; i < item->file_count; i++)
        if (strcmp(item->files[i].name, name) == 0 &&
            memcmp(item->files[i].sha256, sha256, sizeof sha256) == 0)
            item->files[i].stored = true;
}

/* A name that the ledger already has a file for is no longer missing. */
static void drop_missing(relais_item *item, const char *stored)
{
    size_t kept = 0;

    for (size_t i = 0; i < item->missing_count; i++)
        if (!relais_filename_equal(item->missing[i], strlen(item->missing[i]), stored,
                                   strlen(stored)))
            item->missing[kept++] = item->missing[i];
    item->missing_count = kept;
}

bool relais_ledger_compare_files(relais_store *store, relais_params *params,
                                 relais_item *const *items, size_t count, relais_error *err)
{
    PGresult *rows;

    list_sub_ids(params, items, count);
    if (!relais_pg_call(store, relais_ledger_lock_sql, params, NULL, err))
        return false;
    list_sub_ids(params, items, count);
    if (!relais_pg_call(store, relais_ledger_files_sql, params, &rows, err))
        return false;
    for (int i = 0; i < PQntuples(rows); i++) {
        relais_item *item = find_item(items, count, PQgetvalue(rows, i, 0));
        if (item == NULL)
            continue;
        mark_stored(item, PQgetvalue(rows, i, 1), PQgetvalue(rows, i, 2));
        drop_missing(item, PQgetvalue(rows, i, 1));
    }
    PQclear(rows);
    return true;
}

bool relais_ledger_complete(relais_store *store, relais_params *params, relais_item *const *items,
                            size_t count, relais_arena *arena, relais_error *err)
{
    relais_params_reset(params);
    relais_params_text_array(params);
    relais_params_text_array(params);
    for (size_t i = 0; i < count; i++) {
        if (!items[i]->is_partial || !items[i]->is_mapped)
            continue;
        relais_params_add_text(params, 0, items[i]->sub_id);
        relais_params_add_text(params, 1,
                               literal(arena, items[i]->missing, items[i]->missing_count, params));
    }
    return params->list[0].elements == 0 ||
           relais_pg_call(store, relais_ledger_complete_sql, params, NULL, err);
}

bool relais_ledger_share_files(relais_store *store, relais_params *params,
                               relais_item *const *items, size_t count, relais_error *err)
{
    list_sub_ids(params, items, count);
    return relais_pg_call(store, relais_ledger_share_sql, params, NULL, err);
}
