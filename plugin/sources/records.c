/*
 * Records of KoBoToolbox and Ona. See records.h.
 */
#include "sources/records.h"

#include "sources/idset.h"
#include "sources/servertime.h"

#include <stdlib.h>
#include <string.h>

/* ---- lists ------------------------------------------------------------------------------- */

/* Only what is needed here: no answer passes by. */
static const char fields[] =
    "[\"_id\",\"_uuid\",\"_submission_time\",\"_submitted_by\",\"_attachments\",\"_last_edited\","
    "\"_total_media\",\"_media_count\",\"_media_all_received\"]";

static const char *list_target(const relais_walk *walk, const relais_dialect *dialect,
                               const json_t *query, relais_arena *arena)
{
    char *text = json_dumps(query, JSON_COMPACT);
    const char *form = relais_encoded(arena, walk->form);
    const char *filter = text == NULL ? NULL : relais_encoded(arena, text);
    const char *wanted = relais_encoded(arena, fields);
    const char *start;

    free(text);
    if (form == NULL || filter == NULL || wanted == NULL)
        return NULL;
    start = relais_arena_format(arena, "%s%s%s", dialect->top, form, dialect->list);
    if (start == NULL)
        return NULL;
    return relais_arena_format(arena,
                               "%s&query=%s&sort=%%7B%%22_id%%22%%3A1%%7D&fields=%s"
                               "&start=0&limit=%d",
                               start, filter, wanted, RELAIS_RECORDS_PAGE);
}

/* KoBo wraps the records and counts them, Ona gives them bare. */
static bool unwrap(json_t *document, json_t **records, uint64_t *total, relais_error *err)
{
    json_t *results = json_object_get(document, "results");

    *total = relais_json_number(document, "count");
    *records = json_incref(json_is_array(document) ? document : results);
    return json_is_array(*records) ||
           relais_error_set(err, RELAIS_ERR_DATA,
                            "the server's list of submissions is none; look whether url, kind and "
                            "forms are right");
}

bool relais_records_ask(relais_walk *walk, const relais_dialect *dialect, json_t *query,
                        relais_arena *arena, json_t **records, uint64_t *total,
                        relais_answer *answer, relais_error *err)
{
    const char *target = query == NULL ? NULL : list_target(walk, dialect, query, arena);
    json_t *document;
    bool ok;

    json_decref(query);
    *records = NULL;
    if (target == NULL)
        return relais_arena_error(arena, err);
    document = relais_worker_json(walk->worker, target, relais_translate("the list of submissions"),
                                  answer, err);
    if (document == NULL)
        return false;
    ok = unwrap(document, records, total, err);
    json_decref(document);
    if (!ok) {
        json_decref(*records);
        *records = NULL;
    }
    return ok;
}

json_t *relais_records_since(const relais_walk *walk, uint64_t after)
{
    json_t *query = json_pack("{s:{s:I}}", "_id", "$gt", (json_int_t)after);

    if (query != NULL && walk->since[0] != '\0')
        json_object_set_new(query, "_submission_time", json_pack("{s:s}", "$gte", walk->since));
    return query;
}

bool relais_records_check(const json_t *records, uint64_t after, uint64_t total,
                          relais_error *fault)
{
    size_t count = json_array_size(records), i;
    uint64_t must = total < RELAIS_RECORDS_PAGE ? total : RELAIS_RECORDS_PAGE;
    json_t *record;

    json_array_foreach(records, i, record)
    {
        uint64_t id = relais_json_number(record, "_id");
        if (id <= after)
            return relais_error_set(fault, RELAIS_ERR_DATA,
                                    "the server tells submissions again, or out of order; what it "
                                    "told before is kept, pull again");
        after = id;
    }
    return count >= must ||
           relais_error_set(fault, RELAIS_ERR_DATA,
                            "the server told only %zu of the %llu submissions that it counts; "
                            "nothing of this page is taken as done, pull again",
                            count, (unsigned long long)total);
}

/* ---- records ----------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* The name that the phone gave: the answers name it so. */
static const char *file_name(const json_t *attachment)
{
    static const char *const members[] = {"media_file_basename", "name", "filename"};

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const char *name = base_name(relais_json_text(attachment, members[i]));
        if (name[0] != '\0')
            return name;
    }
    return "";
}

/* An attachment's id: a text in new KoBo, a number elsewhere. */
static const char *attachment_id(const json_t *attachment, relais_arena *arena)
{
    const char *uid = relais_json_text(attachment, "uid");

    return uid[0] != '\0'
               ? relais_encoded(arena, uid)
               : relais_arena_format(arena, "%llu",
                                     (unsigned long long)relais_json_number(attachment, "id"));
}

/* A record's address without its ending; NULL without memory. */
static const char *record_target(const char *form, const relais_dialect *dialect, const char *id,
                                 const char *ending, relais_arena *arena)
{
    const char *encoded = relais_encoded(arena, form);

    return encoded == NULL ? NULL
                           : relais_arena_format(arena, "%s%s%s%s%s", dialect->top, encoded,
                                                 dialect->middle, id, ending);
}

static bool fill_offer(const char *form, const relais_dialect *dialect, const char *id,
                       const json_t *attachment, relais_arena *arena, relais_offer *out)
{
    const char *record = record_target(form, dialect, id, "", arena);
    const char *own = attachment_id(attachment, arena);

    out->md5 = "";
    out->name = relais_arena_text(arena, file_name(attachment));
    if (record == NULL || own == NULL || out->name == NULL)
        return false;
    out->target = dialect->has_attachment_ids
                      ? relais_arena_format(arena, "%s/attachments/%s/", record, own)
                      : relais_arena_text(arena, relais_json_text(attachment, "download_url"));
    return out->target != NULL;
}

static bool fill_offers(const char *form, const relais_dialect *dialect, const json_t *record,
                        relais_arena *arena, relais_row *row, relais_error *err)
{
    const json_t *attachments = json_object_get(record, "_attachments");
    relais_offer *offers =
        relais_arena_alloc(arena, (json_array_size(attachments) + 1) * sizeof *offers);
    size_t i;
    json_t *one;

    if (offers == NULL)
        return relais_arena_error(arena, err);
    row->offers = offers;
    row->offer_count = 0;
    json_array_foreach(attachments, i, one)
    {
        relais_offer *offer = &offers[row->offer_count];
        if (json_is_true(json_object_get(one, "is_deleted")))
            continue;
        if (!fill_offer(form, dialect, row->id, one, arena, offer))
            return relais_arena_error(arena, err);
        if (offer->name[0] != '\0' && offer->target[0] != '\0')
            row->offer_count++;
    }
    return true;
}

static bool fill_row(const char *form, const relais_dialect *dialect, const json_t *record,
                     relais_arena *arena, relais_row *row, relais_error *err)
{
    char received[RELAIS_TIME_TEXT_SIZE];
    const json_t *whole = json_object_get(record, "_media_all_received");

    relais_servertime_read(relais_json_text(record, "_submission_time"), received);
    row->id =
        relais_arena_format(arena, "%llu", (unsigned long long)relais_json_number(record, "_id"));
    row->instance = relais_arena_format(arena, "uuid:%s", relais_json_text(record, "_uuid"));
    row->received = relais_arena_text(arena, received);
    row->user = relais_arena_text(arena, relais_json_text(record, "_submitted_by"));
    row->has_files = whole != NULL && json_is_false(whole);
    if (row->id == NULL || row->instance == NULL || row->received == NULL || row->user == NULL)
        return relais_arena_error(arena, err);
    return fill_offers(form, dialect, record, arena, row, err);
}

bool relais_records_add(const relais_walk *walk, const relais_dialect *dialect,
                        const json_t *record, relais_page *page, relais_error *err)
{
    relais_row *row = relais_page_add(page, err);

    return row != NULL && fill_row(walk->form, dialect, record, page->arena, row, err);
}

uint64_t relais_records_hash(const json_t *record)
{
    uint64_t hash = relais_id_hash(relais_json_text(record, "_uuid"));
    size_t i;
    json_t *one;

    json_array_foreach(json_object_get(record, "_attachments"), i, one)
    {
        if (json_is_true(json_object_get(one, "is_deleted")))
            continue;
        hash = hash * 31 + relais_id_hash(relais_json_text(one, "uid"));
        hash = hash * 31 + relais_json_number(one, "id");
    }
    return hash;
}

/* ---- a submission ------------------------------------------------------------------------ */

/* A row that was put aside is asked for anew: it may have been edited, and files have come. */
static bool read_again(relais_worker *worker, const relais_dialect *dialect, relais_row *row,
                       bool *is_there, relais_error *err)
{
    const char *target =
        record_target(worker->form, dialect, row->id, dialect->record, worker->arena);
    relais_buffer *bytes = &worker->answer;
    relais_answer answer;
    json_t *record;
    bool ok;

    *is_there = false;
    if (target == NULL)
        return relais_arena_error(worker->arena, err);
    if (!relais_http_fetch(worker->http, target, relais_translate("a submission's record"),
                           RELAIS_EXPECT_JSON, bytes, &answer, err))
        return false;
    if (answer.status != 200)
        return true;
    record = json_loadb(bytes->data == NULL ? "" : bytes->data, bytes->length, 0, NULL);
    *is_there = true;
    ok = json_is_object(record)
             ? fill_row(worker->form, dialect, record, worker->arena, row, err)
             : relais_error_set(err, RELAIS_ERR_DATA, "a submission's record is not JSON");
    json_decref(record);
    return ok;
}

/* How many files a row had when it was put aside: its second "name"; see put_waiting(). */
static size_t files_before(const relais_row *row)
{
    const char *count = json_string_value(json_array_get(row->wanted, 1));

    return count == NULL ? 0 : strtoul(count, NULL, 10);
}

/* Ona says that files are to come, and not which: "*" stands for their names. */
static bool put_waiting(relais_worker *worker, const relais_row *row, relais_error *err)
{
    char count[24];
    json_t *names;
    bool ok;

    snprintf(count, sizeof count, "%zu", row->offer_count);
    names = json_pack("[s, s]", "*", count);
    ok = names == NULL ? relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left")
                       : relais_worker_put_aside(worker, row, "files", names, err);
    json_decref(names);
    return ok;
}

/* KoBo writes <?xml version="1.0" encoding="utf-8"?> before XML that came without (Enketo's);
 * no phone writes exactly that. */
static void strip_declaration(relais_buffer *xml)
{
    static const char added[] = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";
    const size_t length = sizeof added - 1;

    if (xml->length <= length || memcmp(xml->data, added, length) != 0)
        return;
    xml->length -= length;
    memmove(xml->data, xml->data + length, xml->length + 1);
}

static bool deliver(relais_worker *worker, const relais_dialect *dialect, const relais_row *row,
                    relais_error *err)
{
    json_t *missing = json_array();
    bool ok;

    if (missing == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    if (dialect->adds_declaration)
        strip_declaration(&worker->xml);
    ok = relais_worker_deliver(worker, row, "", row->offers, row->offer_count, missing, err);
    if (ok && row->has_files && json_array_size(missing) == 0)
        ok = put_waiting(worker, row, err);
    json_decref(missing);
    return ok;
}

bool relais_records_fetch(relais_worker *worker, const relais_dialect *dialect,
                          const relais_row *row, relais_error *err)
{
    const char *target = record_target(worker->form, dialect, row->id, ".xml", worker->arena);
    relais_row own = *row;
    bool is_there = true;

    if (target == NULL)
        return relais_arena_error(worker->arena, err);
    if (row->is_again && !read_again(worker, dialect, &own, &is_there, err))
        return false;
    if (is_there && row->wanted != NULL && own.has_files && own.offer_count <= files_before(row))
        return relais_worker_put_aside(worker, row, "files", row->wanted, err);
    if (is_there && !relais_worker_xml(worker, target, &is_there, err))
        return false;
    if (!is_there)
        return relais_worker_put_aside(worker, row, "gone", NULL, err);
    return deliver(worker, dialect, &own, err);
}
