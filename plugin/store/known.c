/*
 * Looking ids up. See known.h.
 */
#include "store/known.h"

#include "store/connection.h"

const char relais_ledger_known_sql[] =
    "WITH form AS MATERIALIZED ("
    "  SELECT $1::text AS form_id WHERE $1::text IS NOT NULL"
    "  UNION SELECT m.form_id FROM relais.mapping m WHERE $1::text IS NULL"
    ") SELECT (SELECT true FROM form f CROSS JOIN LATERAL ("
    "            (SELECT 1 FROM relais.submission s"
    "              WHERE s.form_id = f.form_id AND s.instance_id = u.id LIMIT 1)"
    "            UNION ALL"
    "            (SELECT 1 FROM relais.tombstone t"
    "              WHERE t.form_id = f.form_id AND t.record_id = u.id LIMIT 1)) x LIMIT 1)"
    "         IS NOT NULL"
    "    FROM unnest($2::text[]) WITH ORDINALITY AS u(id, n) ORDER BY u.n";

bool relais_ledger_known(relais_store *store, const char *form_id, const char *const *ids,
                         size_t count, bool *known, relais_error *err)
{
    relais_params params;
    PGresult *rows = NULL;
    bool ok;

    relais_params_init(&params);
    relais_params_text(&params, form_id);
    relais_params_text_array(&params);
    for (size_t i = 0; i < count; i++)
        relais_params_add_text(&params, 1, ids[i]);
    ok = relais_pg_call(store, relais_ledger_known_sql, &params, &rows, err);
    if (ok && (size_t)PQntuples(rows) != count)
        ok = relais_error_set(err, RELAIS_ERR_DATABASE, "the ledger judged %d of %zu submissions",
                              PQntuples(rows), count);
    for (size_t i = 0; ok && i < count; i++)
        known[i] = PQgetvalue(rows, (int)i, 0)[0] == 't';
    PQclear(rows);
    relais_params_free(&params);
    return ok;
}
