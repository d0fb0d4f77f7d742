/*
 * Counting notes. See notes.h.
 */
#include "store/notes.h"

#include "base/log.h"
#include "spool/note.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define A_DAY RELAIS_SQL_NUMBER(RELAIS_REFUSALS_A_DAY)
#define DAYS  RELAIS_SQL_NUMBER(RELAIS_REFUSALS_DAYS)

/* A web server's clock that is wrong makes no days that are never removed. */
static const char count_sql[] =
    "WITH note AS ("
    "  SELECT least(greatest($1::timestamptz, now() - interval '7 days'), now()) AS at,"
    "         $2::text AS source, $3::text AS form, $4::text AS version, $5::text AS instance,"
    "         $6::text AS who, $7::text AS device, $8::bigint AS size, $9::bigint AS size_limit,"
    "         $10::uuid AS id),"
    " dated AS (SELECT n.*, (n.at AT TIME ZONE 'UTC')::date AS day FROM note n),"
    " placed AS ("
    "  SELECT d.*, EXISTS (SELECT FROM relais.refusal r"
    "                       WHERE r.day = d.day AND r.source = d.source AND r.device_id = d.device"
    "                         AND r.submitted_by = d.who AND r.form_id = d.form"
    "                         AND r.instance_id = d.instance)"
    "              OR (SELECT count(*) FROM relais.refusal r WHERE r.day = d.day)"
    "                 < " A_DAY " AS fits FROM dated d)"
    " INSERT INTO relais.refusal AS r (day, source, device_id, submitted_by, form_id, instance_id,"
    "        form_version, size, size_limit, first_at, last_at, times, last_note)"
    " SELECT day, CASE WHEN fits THEN source ELSE 'autres' END,"
    "        CASE WHEN fits THEN device ELSE '' END, CASE WHEN fits THEN who ELSE '' END,"
    "        CASE WHEN fits THEN form ELSE '' END, CASE WHEN fits THEN instance ELSE '' END,"
    "        CASE WHEN fits THEN version ELSE '' END, size, size_limit, at, at, 1, id FROM placed"
    " ON CONFLICT (day, source, device_id, submitted_by, form_id, instance_id) DO UPDATE"
    "   SET times = r.times + 1, first_at = least(r.first_at, excluded.first_at),"
    "       last_at = greatest(r.last_at, excluded.last_at),"
    "       size = greatest(r.size, excluded.size), size_limit = excluded.size_limit,"
    "       form_version = excluded.form_version, last_note = excluded.last_note"
    " WHERE r.last_note <> excluded.last_note";

static const char forget_sql[] = "DELETE FROM relais.refusal WHERE day < current_date - " DAYS;

static void add_text(relais_params *params, relais_arena *arena, const char *text)
{
    relais_params_text(params, relais_safe_text(arena, text, strlen(text), RELAIS_NOTE_VALUE_MAX));
}

static void add_number(relais_params *params, relais_arena *arena, int64_t number)
{
    relais_params_text(params, number < 0 ? NULL : relais_arena_format(arena, "%" PRId64, number));
}

static bool count(relais_work *work, const relais_note *note, relais_error *err)
{
    relais_params *params = &work->params;

    relais_params_reset(params);
    relais_params_text(params, note->received);
    add_text(params, work->scratch, note->source);
    add_text(params, work->scratch, note->form);
    add_text(params, work->scratch, note->version);
    add_text(params, work->scratch, note->instance);
    add_text(params, work->scratch, note->user);
    add_text(params, work->scratch, note->device);
    add_number(params, work->scratch, note->size);
    add_number(params, work->scratch, note->limit);
    relais_params_text(params, note->id);
    return relais_pg_call(work->store, count_sql, params, NULL, err);
}

static void log_note(const relais_note *note)
{
    char size[24], limit[24] = "";

    snprintf(size, sizeof size, "%" PRId64, note->size);
    if (note->limit >= 0)
        snprintf(limit, sizeof limit, "%" PRId64, note->limit);
    relais_log(RELAIS_LOG_WARN, "submission.refused", "form", note->form, "instance",
               note->instance, "device", note->device, "size", size, "limit", limit, NULL);
}

/* What the disk does not give up, or not let go, stays; counted twice it is not. */
static void log_later(const relais_error *why)
{
    char text[1024];

    relais_log(RELAIS_LOG_ERROR, "note.later", "text", relais_error_format(why, text, sizeof text),
               NULL);
}

static void remove_note(relais_work *work, unsigned slot)
{
    relais_error why = {0};

    if (!relais_note_remove(work->spool, slot, &why))
        log_later(&why);
}

/* What the database does not take is none that a web server of ours has left. */
static bool take_note(relais_work *work, unsigned slot, const relais_note *note, relais_error *err)
{
    relais_error why = {0};

    if (count(work, note, &why)) {
        log_note(note);
    } else if (why.code == RELAIS_ERR_DATA) {
        relais_log(RELAIS_LOG_WARN, "note.damaged", "text", why.text, NULL);
    } else {
        *err = why;
        return false;
    }
    remove_note(work, slot);
    return true;
}

static bool take_slot(relais_work *work, unsigned slot, bool *is_taken, relais_error *err)
{
    relais_error why = {0};
    relais_note note;

    relais_arena_reset(work->scratch);
    switch (relais_note_read(work->spool, slot, work->scratch, &note, &why)) {
    case RELAIS_NOTE_READ:
        *is_taken = true;
        return take_note(work, slot, &note, err);
    case RELAIS_NOTE_DAMAGED:
        relais_log(RELAIS_LOG_WARN, "note.damaged", NULL);
        remove_note(work, slot);
        return true;
    case RELAIS_NOTE_FAILED:
        log_later(&why);
        return true;
    default:
        return true;
    }
}

bool relais_notes_take(relais_work *work, relais_error *err)
{
    bool is_taken = false;

    for (unsigned slot = 0; slot < RELAIS_NOTE_SLOTS; slot++)
        if (!take_slot(work, slot, &is_taken, err))
            return false;
    return !is_taken || relais_pg_run(work->store, forget_sql, err);
}
