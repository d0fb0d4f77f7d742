/*
 * Statements over relais.evaluated. See evaluated.h.
 */
#include "store/evaluated.h"

#include "base/text.h"

const char relais_evaluated_read_sql[] =
    "SELECT e.body, encode(e.mapping_sha256, 'hex') FROM relais.evaluated e"
    " WHERE e.sub_id = $1::uuid";

const char relais_evaluated_write_sql[] =
    "INSERT INTO relais.evaluated AS e (sub_id, mapping_sha256, body)"
    " SELECT $1::uuid, decode($2, 'hex'), $3::jsonb"
    " ON CONFLICT (sub_id) DO UPDATE"
    "    SET mapping_sha256 = excluded.mapping_sha256, body = excluded.body";

const char relais_evaluated_remove_sql[] =
    "DELETE FROM relais.evaluated e WHERE e.sub_id = ANY ($1::text[]::uuid[])";

const char relais_evaluated_trace_sql[] =
    "SELECT s.trace FROM relais.submission s WHERE s.sub_id = $1::uuid AND s.trace IS NOT NULL";

/* Calls a statement with the version as its parameter. */
static bool ask(relais_store *store, relais_params *params, const char *sql, const char *sub_id,
                PGresult **rows, relais_error *err)
{
    relais_params_reset(params);
    relais_params_text(params, sub_id);
    return relais_pg_call(store, sql, params, rows, err);
}

bool relais_evaluated_read(relais_store *store, relais_params *params, const char *sub_id,
                           relais_arena *arena, const char **json,
                           uint8_t mapping[RELAIS_SHA256_SIZE], relais_error *err)
{
    enum { E_BODY, E_MAPPING };
    PGresult *rows;
    bool ok = true;

    *json = NULL;
    if (!ask(store, params, relais_evaluated_read_sql, sub_id, &rows, err))
        return false;
    if (PQntuples(rows) == 1) {
        *json = relais_arena_text(arena, PQgetvalue(rows, 0, E_BODY));
        ok = *json != NULL
                 ? relais_unhex(PQgetvalue(rows, 0, E_MAPPING), mapping, RELAIS_SHA256_SIZE)
                 : relais_arena_error(arena, err);
    }
    PQclear(rows);
    return ok;
}

bool relais_evaluated_write(relais_store *store, relais_params *params, const char *sub_id,
                            const uint8_t *mapping, const char *json, relais_error *err)
{
    char hex[2 * RELAIS_SHA256_SIZE + 1];

    relais_hex(mapping, RELAIS_SHA256_SIZE, hex);
    relais_params_reset(params);
    relais_params_text(params, sub_id);
    relais_params_text(params, hex);
    relais_params_text(params, json);
    return relais_pg_call(store, relais_evaluated_write_sql, params, NULL, err);
}

bool relais_evaluated_remove(relais_store *store, relais_params *params, const char *const *sub_ids,
                             size_t count, relais_error *err)
{
    relais_params_reset(params);
    relais_params_text_array(params);
    for (size_t i = 0; i < count; i++)
        relais_params_add_text(params, 0, sub_ids[i]);
    return count == 0 || relais_pg_call(store, relais_evaluated_remove_sql, params, NULL, err);
}

bool relais_evaluated_trace(relais_store *store, relais_params *params, const char *sub_id,
                            relais_arena *arena, const char **json, relais_error *err)
{
    PGresult *rows;
    bool ok = true;

    *json = NULL;
    if (!ask(store, params, relais_evaluated_trace_sql, sub_id, &rows, err))
        return false;
    if (PQntuples(rows) == 1) {
        *json = relais_arena_text(arena, PQgetvalue(rows, 0, 0));
        ok = *json != NULL || relais_arena_error(arena, err);
    }
    PQclear(rows);
    return ok;
}
