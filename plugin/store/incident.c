/*
 * Recording incidents. See incident.h.
 */
#include "store/incident.h"

#include "base/log.h"

/* The item has no instanceID of its own and no id in the ledger where that keeps nothing of it. */
static const char record_sql[] =
    "INSERT INTO relais.incident (kind, parcel, received_at, source, form_id, instance_id, sub_id,"
    "                             device_id, submitted_by, is_sealed)"
    " VALUES ('plaintext', $1, nullif($2, '')::timestamptz, $3, $4, $5, nullif($6, '')::uuid, $7,"
    "         $8, $9::boolean)"
    " ON CONFLICT (kind, parcel) DO NOTHING RETURNING incident_id";

static void log_incident(const relais_item *item)
{
    relais_log(RELAIS_LOG_ERROR, "incident.plaintext", "parcel", item->entry.name, "form",
               item->form_id, "submission", relais_item_id(item), "device", item->device, "text",
               item->seal != NULL
                   ? relais_translate("a submission came in the clear although its form is "
                                      "encrypted; it is sealed in quarantine")
                   : relais_translate("a submission came in the clear although its form is "
                                      "encrypted; it lies UNSEALED in quarantine, because no "
                                      "certificate is configured: [seal] certificate"),
               NULL);
}

static const char *text_of(const char *text)
{
    return text == NULL ? "" : text;
}

bool relais_incident_record(relais_work *work, const relais_item *item, relais_error *err)
{
    relais_params *params = &work->params;
    relais_error why = {0};
    PGresult *rows = NULL;
    bool is_known;

    relais_params_reset(params);
    relais_params_text(params, item->entry.name);
    relais_params_text(params, text_of(item->received));
    relais_params_text(params, text_of(item->source));
    relais_params_text(params, text_of(item->form_id));
    relais_params_text(params, text_of(item->instance_id));
    relais_params_text(params, item->is_parsed ? item->sub_id : "");
    relais_params_text(params, text_of(item->device));
    relais_params_text(params, text_of(item->user));
    relais_params_text(params, item->seal != NULL ? "true" : "false");
    /* A head written by hand may hold a time that is none: the log has the incident all the same.
     */
    if (!relais_pg_call(work->store, record_sql, params, &rows, &why) &&
        why.code != RELAIS_ERR_DATA) {
        *err = why;
        return false;
    }
    is_known = rows != NULL && PQntuples(rows) == 0;
    PQclear(rows);
    if (!is_known)
        log_incident(item);
    return true;
}
