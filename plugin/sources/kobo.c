/*
 * KoBoToolbox, API version 2.
 *
 *   place: {"id": N, "rechecked": TIME}         FORM.seen: number and hash of each record
 *
 * Records are told upwards from the last _id. An edit keeps _id and the time of submission and
 * changes _uuid, and no time says when: so every `recheck` minutes all records are told again,
 * without their answers, and compared with those that were seen. The same finds files that came
 * late, and records that are no longer there.
 */
#include "sources/records.h"

#include "sources/seen.h"
#include "sources/servertime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const relais_dialect dialect = {
    .top = "/api/v2/assets/",
    .middle = "/data/",
    .list = "/data/?format=json",
    .record = "/?format=json",
    .has_attachment_ids = true,
    .adds_declaration = true,
};

/* A form being told. */
typedef struct memory {
    relais_seen seen;
    uint64_t last; /* told up to here, in this pull */
    bool is_rechecking;
    uint64_t checked;                             /* compared up to here */
    bool has_place;                               /* --since is not to move the stored place */
    relais_seen_record told[RELAIS_RECORDS_PAGE]; /* of the page that is not settled yet */
    size_t told_count;
} memory;

static bool open_walk(relais_walk *walk, relais_error *err)
{
    memory *own = calloc(1, sizeof *own);

    walk->memory = own;
    if (own == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    own->has_place = json_object_get(walk->place, "id") != NULL;
    own->last = walk->since[0] == '\0' ? relais_json_number(walk->place, "id") : 0;
    if (relais_seen_read(&own->seen, walk->directory, walk->form, err))
        return true;
    free(own);
    walk->memory = NULL;
    return false;
}

static bool close_walk(relais_walk *walk, bool is_whole, relais_error *err)
{
    memory *own = walk->memory;
    bool ok = relais_seen_write(&own->seen, walk->directory, walk->form, err);

    (void)is_whole;
    relais_seen_free(&own->seen);
    free(own);
    walk->memory = NULL;
    return ok;
}

/* ---- places ------------------------------------------------------------------------------ */

static json_t *place_of(const relais_walk *walk, uint64_t id)
{
    json_t *place = json_copy((json_t *)walk->place);

    if (place != NULL)
        json_object_set_new(place, "id", json_integer((json_int_t)id));
    return place;
}

static bool is_recheck_due(const relais_walk *walk)
{
    const relais_site *site = relais_http_site(walk->worker->http);
    const char *before = relais_json_text(walk->place, "rechecked");
    char now[RELAIS_TIME_TEXT_SIZE];

    relais_time_now(now);
    return walk->since[0] == '\0' && before[0] != '\0' &&
           difftime(relais_servertime_seconds(now), relais_servertime_seconds(before)) >=
               60.0 * (double)site->source->recheck;
}

static void set_rechecked(json_t *place)
{
    char now[RELAIS_TIME_TEXT_SIZE];

    relais_time_now(now);
    json_object_set_new(place, "rechecked", json_string(now));
}

/* ---- what is new ------------------------------------------------------------------------- */

static bool take_new(relais_walk *walk, const json_t *records, relais_page *page, relais_error *err)
{
    memory *own = walk->memory;
    size_t i;
    json_t *record;

    own->told_count = 0;
    json_array_foreach(records, i, record)
    {
        own->told[own->told_count++] =
            (relais_seen_record){relais_json_number(record, "_id"), relais_records_hash(record)};
        page->listed++;
        if (!relais_records_add(walk, &dialect, record, page, err))
            return false;
        own->last = relais_json_number(record, "_id");
        if (own->told_count == RELAIS_RECORDS_PAGE)
            break;
    }
    return true;
}

/* After the last of the new ones: is it time to compare the old? */
static void end_new(relais_walk *walk, relais_page *page)
{
    memory *own = walk->memory;

    if (relais_json_text(walk->place, "rechecked")[0] == '\0')
        set_rechecked(page->next);
    own->is_rechecking = is_recheck_due(walk);
    page->is_last = !own->is_rechecking;
}

static bool tell_new(relais_walk *walk, relais_page *page, relais_error *err)
{
    memory *own = walk->memory;
    bool moves = walk->since[0] == '\0' || !own->has_place;
    relais_answer answer;
    json_t *records;
    uint64_t total;
    bool ok;

    if (!relais_records_ask(walk, &dialect, relais_records_since(walk, own->last), page->arena,
                            &records, &total, &answer, err))
        return false;
    walk->total = page->listed + total;
    ok = relais_records_check(records, own->last, total, err) && take_new(walk, records, page, err);
    if (ok) {
        page->next = moves ? place_of(walk, own->last) : json_copy((json_t *)walk->place);
        if (page->next != NULL && json_array_size(records) < RELAIS_RECORDS_PAGE)
            end_new(walk, page);
        ok = relais_page_has_next(page, err);
    }
    json_decref(records);
    return ok;
}

/* ---- what has changed -------------------------------------------------------------------- */

static bool note_gone(void *context, uint64_t id, relais_error *err)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, id);
    return relais_page_add_deleted(context, text, err);
}

/* Compares a page of records with what was seen of the same range of numbers. */
static bool compare(relais_walk *walk, const json_t *records, bool is_end, relais_page *page,
                    relais_error *err)
{
    memory *own = walk->memory;
    uint64_t ids[RELAIS_RECORDS_PAGE], first = own->checked + 1;
    size_t count = 0, i;
    json_t *record;

    own->told_count = 0;
    json_array_foreach(records, i, record)
    {
        uint64_t id = relais_json_number(record, "_id"), hash = relais_records_hash(record);
        if (count == RELAIS_RECORDS_PAGE || id > own->last)
            break;
        ids[count++] = own->checked = id;
        if (relais_seen_has(&own->seen, id, hash)) {
            page->known++;
            continue;
        }
        own->told[own->told_count++] = (relais_seen_record){id, hash};
        if (!relais_records_add(walk, &dialect, record, page, err))
            return false;
    }
    page->listed += count;
    return relais_seen_keep(&own->seen, first, is_end ? own->last : own->checked, ids, count,
                            note_gone, page, err);
}

static bool tell_changed(relais_walk *walk, relais_page *page, relais_error *err)
{
    memory *own = walk->memory;
    json_t *query = json_pack("{s:{s:I, s:I}}", "_id", "$gt", (json_int_t)own->checked, "$lte",
                              (json_int_t)own->last);
    relais_answer answer;
    json_t *records;
    uint64_t total;
    bool ok, is_end;

    if (!relais_records_ask(walk, &dialect, query, page->arena, &records, &total, &answer, err))
        return false;
    is_end = json_array_size(records) < RELAIS_RECORDS_PAGE;
    ok = relais_records_check(records, own->checked, total, err) &&
         compare(walk, records, is_end, page, err);
    if (ok) {
        page->next = json_copy((json_t *)walk->place);
        if (page->next != NULL && is_end)
            set_rechecked(page->next);
        page->is_last = is_end;
        ok = relais_page_has_next(page, err);
    }
    json_decref(records);
    return ok;
}

static bool tell_page(relais_walk *walk, relais_page *page, relais_error *err)
{
    const memory *own = walk->memory;

    return own->is_rechecking ? tell_changed(walk, page, err) : tell_new(walk, page, err);
}

/* What could not be remembered is compared again. */
static void settle_page(relais_walk *walk, const relais_page *page)
{
    memory *own = walk->memory;
    relais_error ignored = {0};

    (void)page;
    for (size_t i = 0; i < own->told_count; i++)
        if (!relais_seen_set(&own->seen, own->told[i].id, own->told[i].hash, &ignored))
            break;
    own->told_count = 0;
}

static bool fetch(relais_worker *worker, const relais_row *row, relais_error *err)
{
    return relais_records_fetch(worker, &dialect, row, err);
}

const relais_kind relais_kind_kobo = {
    .name = "kobo",
    .source = "pull:kobo",
    .auth = RELAIS_AUTH_TOKEN,
    .needs_forms = true,
    .open = open_walk,
    .close = close_walk,
    .page = tell_page,
    .settled = settle_page,
    .fetch = fetch,
};
