/*
 * What the kinds share of fetching: documents, the XML of a submission, its files, and the
 * parcel that is made of them. See kind.h.
 */
#include "sources/kind.h"

#include "base/text.h"
#include "openrosa/receive.h"
#include "sources/whole.h"

#include <string.h>
#include <strings.h>

/* ---- pages ------------------------------------------------------------------------------- */

relais_row *relais_page_add(relais_page *page, relais_error *err)
{
    relais_row *row;

    if (page->count == page->capacity) {
        size_t capacity = page->capacity == 0 ? 512 : 2 * page->capacity;
        relais_row *rows = relais_arena_alloc(page->arena, capacity * sizeof *rows);
        if (rows == NULL) {
            relais_arena_error(page->arena, err);
            return NULL;
        }
        if (page->count > 0)
            memcpy(rows, page->rows, page->count * sizeof *rows);
        page->rows = rows;
        page->capacity = capacity;
    }
    row = &page->rows[page->count++];
    *row = (relais_row){.id = "",
                        .instance = "",
                        .version = "",
                        .received = "",
                        .user = "",
                        .device = "",
                        .after = "",
                        .since = ""};
    return row;
}

bool relais_page_has_next(const relais_page *page, relais_error *err)
{
    return page->next != NULL || relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
}

bool relais_page_add_deleted(relais_page *page, const char *id, relais_error *err)
{
    /* Grown one by one: deletions are rare. */
    const char **longer =
        relais_arena_alloc(page->arena, (page->deleted_count + 1) * sizeof *longer);

    if (longer == NULL)
        return relais_arena_error(page->arena, err);
    if (page->deleted_count > 0)
        memcpy(longer, page->deleted, page->deleted_count * sizeof *longer);
    longer[page->deleted_count] = relais_arena_text(page->arena, id);
    if (longer[page->deleted_count] == NULL)
        return relais_arena_error(page->arena, err);
    page->deleted = longer;
    page->deleted_count++;
    return true;
}

bool relais_row_wants(const relais_row *row, const char *name)
{
    size_t i;
    json_t *one;

    if (row->wanted == NULL)
        return true;
    json_array_foreach(row->wanted, i,
                       one) if (json_is_string(one) &&
                                strcmp(json_string_value(one), name) == 0) return true;
    return false;
}

/* ---- documents --------------------------------------------------------------------------- */

const char *relais_json_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? "" : text;
}

uint64_t relais_json_number(const json_t *object, const char *name)
{
    json_int_t number = json_integer_value(json_object_get(object, name));

    return number < 0 ? 0 : (uint64_t)number;
}

const char *relais_encoded(relais_arena *arena, const char *text)
{
    relais_buffer out;
    const char *copy = NULL;

    relais_buffer_init(&out, 3 * strlen(text) + 1);
    relais_append_percent(&out, text, strlen(text));
    if (out.failed == RELAIS_ERR_NONE)
        copy = relais_arena_copy(arena, out.data == NULL ? "" : out.data, out.length);
    relais_buffer_free(&out);
    return copy;
}

static bool refuse_missing(const char *what, long status, relais_error *err)
{
    return relais_error_set(err, RELAIS_ERR_CONFIG,
                            "the server has nothing where %s should be (%ld); look at url, "
                            "project and forms",
                            what, status);
}

json_t *relais_worker_json(relais_worker *worker, const char *target, const char *what,
                           relais_answer *answer, relais_error *err)
{
    json_error_t fault;
    json_t *document;

    if (!relais_http_fetch(worker->http, target, what, RELAIS_EXPECT_JSON, &worker->answer, answer,
                           err))
        return NULL;
    if (answer->status != 200) {
        refuse_missing(what, answer->status, err);
        return NULL;
    }
    document = json_loadb(worker->answer.data == NULL ? "" : worker->answer.data,
                          worker->answer.length, 0, &fault);
    if (document == NULL)
        relais_error_set(err, RELAIS_ERR_DATA,
                         "the server's answer to %s is not JSON (at byte %d of %zu); look whether "
                         "url and kind are right",
                         what, fault.position, worker->answer.length);
    return document;
}

/* ---- a submission ------------------------------------------------------------------------ */

bool relais_worker_xml(relais_worker *worker, const char *target, bool *is_there, relais_error *err)
{
    relais_answer answer;

    *is_there = false;
    if (!relais_http_fetch(worker->http, target, relais_translate("a submission's XML"),
                           RELAIS_EXPECT_XML, &worker->xml, &answer, err))
        return false;
    if (answer.status != 200)
        return true;
    *is_there = true;
    return relais_xml_is_whole(worker->xml.data, worker->xml.length, err);
}

bool relais_worker_put_aside(relais_worker *worker, const relais_row *row, const char *why,
                             const json_t *missing, relais_error *err)
{
    json_t *entry = json_pack("{ss ss ss ss ss ss ss}", "id", row->id, "version", row->version,
                              "received", row->received, "user", row->user, "device", row->device,
                              "why", why, "since", row->since);

    if (entry != NULL && missing != NULL)
        json_object_set_new(entry, "files", json_deep_copy(missing));
    if (entry != NULL && json_array_append_new(worker->aside, entry) == 0)
        return true;
    return relais_error_set(err, RELAIS_ERR_DATA,
                            "a submission's name or user on the server is not UTF-8");
}

/* ---- files ------------------------------------------------------------------------------- */

/* A file on its way into the body. */
typedef struct arrival {
    relais_worker *worker;
    const relais_offer *offer;
    uint64_t start; /* of its part */
    bool has_begun;
    relais_digest_state md5;
    relais_error cutting;
} arrival;

static bool take_file(void *context, const char *bytes, size_t length, const char *media_type,
                      relais_error *err)
{
    arrival *file = context;

    if (file->cutting.code != RELAIS_ERR_NONE) {
        *err = file->cutting;
        return false;
    }
    if (!file->has_begun &&
        !relais_bundle_add_file(&file->worker->body, file->offer->name, media_type, err))
        return false;
    file->has_begun = true;
    relais_md5_add(&file->md5, bytes, length);
    return relais_bundle_append(&file->worker->body, bytes, length, err);
}

static void restart_file(void *context)
{
    arrival *file = context;

    file->has_begun = false;
    relais_md5_begin(&file->md5);
    if (!relais_bundle_cut(&file->worker->body, file->start, &file->cutting))
        return;
}

static bool is_page_name(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot != NULL && (strcasecmp(dot, ".html") == 0 || strcasecmp(dot, ".htm") == 0);
}

static bool check_md5(arrival *file, relais_error *err)
{
    uint8_t md5[RELAIS_MD5_SIZE];
    char hex[2 * RELAIS_MD5_SIZE + 1];

    relais_md5_end(&file->md5, md5);
    relais_hex(md5, sizeof md5, hex);
    if (file->offer->md5[0] == '\0' || strcasecmp(hex, file->offer->md5) == 0)
        return true;
    return relais_error_set(err, RELAIS_ERR_DATA,
                            "a file of a submission is not what the server's list says (MD5 %s)",
                            hex);
}

/* True also when it is not there: then *is_there is false and nothing of it is in the body. */
static bool fetch_file(relais_worker *worker, const relais_offer *offer, bool *is_there,
                       relais_error *err)
{
    arrival file = {.worker = worker, .offer = offer, .start = worker->body.length};
    const relais_ask ask = {
        .target = offer->target,
        .what = relais_translate("a submission's file"),
        .expect = is_page_name(offer->name) ? RELAIS_EXPECT_PAGE : RELAIS_EXPECT_FILE,
        .maximum = RELAIS_FILE_MAX,
        .take = take_file,
        .restart = restart_file,
        .context = &file,
    };
    relais_answer answer;

    *is_there = false;
    if (!relais_http_ask(worker->http, &ask, &answer, err))
        return false;
    if (answer.status != 200)
        return true;
    *is_there = true;
    if (!file.has_begun && !relais_bundle_add_file(&worker->body, offer->name, "", err))
        return false;
    return check_md5(&file, err);
}

/* What one file alone may be at fault for; the submission goes without it, and it is asked for
 * again later. */
static bool is_files_fault(const relais_error *why)
{
    return why->code == RELAIS_ERR_DATA || why->code == RELAIS_ERR_LIMIT;
}

static bool add_file(relais_worker *worker, const relais_offer *offer, json_t *missing,
                     relais_error *err)
{
    uint64_t start = worker->body.length;
    relais_error why = {0};
    bool is_there;

    if (fetch_file(worker, offer, &is_there, &why)) {
        worker->files += is_there;
        return is_there || json_array_append_new(missing, json_string(offer->name)) == 0 ||
               relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    }
    if (!is_files_fault(&why)) {
        *err = why;
        return false;
    }
    if (worker->remark.code == RELAIS_ERR_NONE)
        worker->remark = why;
    return relais_bundle_cut(&worker->body, start, err) &&
           (json_array_append_new(missing, json_string(offer->name)) == 0 ||
            relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left"));
}

/* ---- the parcel -------------------------------------------------------------------------- */

static bool check_instance(const relais_parcel_head *head, const char *instance, relais_error *err)
{
    if (instance[0] == '\0' || head->instance[0] == '\0' || strcmp(head->instance, instance) == 0)
        return true;
    return relais_error_set(err, RELAIS_ERR_DATA,
                            "the server gave another submission than the one that was asked for");
}

static bool commit(relais_worker *worker, const relais_row *row, const char *instance,
                   const relais_segment *segment, relais_error *err)
{
    const relais_request request = {
        .content_type = worker->body.content_type,
        .content_length = (int64_t)segment->length,
        .segments = segment,
        .count = 1,
        .source = worker->source,
        .user = row->user,
        .device = row->device,
    };
    relais_parcel_head head;
    relais_staged staged = {.shard = -1};

    if (relais_receive(&request, NULL, NULL, worker->arena, &head, err) != RELAIS_REPLY_RECEIVED ||
        !check_instance(&head, instance, err))
        return false;
    head.received = row->received;
    if (!relais_spool_stage(worker->spool, &head, segment, 1, &staged, err))
        return false;
    if (!relais_spool_commit(worker->spool, &staged, err)) {
        relais_spool_abort(worker->spool, &staged);
        return false;
    }
    worker->pulled++;
    return true;
}

bool relais_worker_deliver(relais_worker *worker, const relais_row *row, const char *instance,
                           const relais_offer *offers, size_t count, json_t *missing,
                           relais_error *err)
{
    relais_segment segment;

    if (count > RELAIS_FILES_MAX)
        return relais_error_set(err, RELAIS_ERR_LIMIT, "a submission with more than %d files",
                                RELAIS_FILES_MAX);
    relais_bundle_begin(&worker->body);
    if (!relais_bundle_add_xml(&worker->body, err) ||
        !relais_bundle_append(&worker->body, worker->xml.data, worker->xml.length, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!add_file(worker, &offers[i], missing, err))
            return false;
    if (!relais_bundle_end(&worker->body, &segment, err) ||
        !commit(worker, row, instance, &segment, err))
        return false;
    return json_array_size(missing) == 0 ||
           relais_worker_put_aside(worker, row, "files", missing, err);
}
