/*
 * Reading a request's body through httpd's input filters, which undo chunks and hold it
 * against LimitRequestBody: into memory while it is small, else into a scratch file of the
 * spool, so that a child's memory does not grow with what phones send.
 *
 * A body that is refused is read to its end all the same: phones send all before they read
 * an answer, and would see a broken connection. Of one that is too large the beginning is kept,
 * which says whose it is, and the office is told (spool/note.h).
 */
#include "mod_relais.h"

#include "openrosa/header.h"
#include "openrosa/intake.h"
#include "spool/scratch.h"

#include <unistd.h>

/* A submission without photos is a tenth of it. Every thread may have one. */
#define MEMORY_MAX ((size_t)64 * 1024)

/* As much at once from httpd; also the size of its own buckets. */
#define READ_SIZE ((apr_off_t)64 * 1024)

/* How long a refused body is read. A phone on a slow line sends 30 MB in five minutes at
 * 100 KB/s; each single read is limited by Timeout. */
#define DRAIN_SECONDS 300

/* A body as it comes. */
typedef struct intake {
    relais_spool *spool;
    char *memory; /* MEMORY_MAX: all of it, or what is not yet in the file */
    size_t used;
    int fd; /* -1 while it fits into memory */
    size_t length;
    apr_off_t limit; /* 0: none */
    bool is_lost;    /* the spool has failed: the rest is only read */
    bool is_too_large;
} intake;

/* ---- telling the office ----------------------------------------------------------------- */

/* The beginning of a body that is too large. */
typedef struct beginning {
    request_rec *r;
    relais_spool *spool;
    char *bytes; /* RELAIS_BEGINNING_MAX */
    size_t length;
    int64_t size; /* announced, or received so far */
    int64_t limit;
    bool is_told;
} beginning;

static void tell(beginning *seen)
{
    relais_arena *arena = mod_relais_arena(seen->r);
    relais_segment segment = {.data = seen->bytes, .length = seen->length, .fd = -1};
    relais_request request = {
        .content_type = apr_table_get(seen->r->headers_in, "Content-Type"),
        .content_length = -1,
        .segments = &segment,
        .count = seen->length > 0,
        .source = mod_relais_conf_of(seen->r)->mode == MOD_RELAIS_SERVE ? "serve" : "capture",
        .user = mod_relais_user(seen->r),
        .device = mod_relais_query(seen->r, "deviceID"),
    };
    relais_error err;

    if (seen->is_told || seen->spool == NULL || arena == NULL)
        return;
    seen->is_told = true;
    relais_error_clear(&err);
    if (!relais_intake_tell_refused(seen->spool, &request, seen->size, seen->limit, arena, &err))
        mod_relais_log(seen->r, APLOG_WARNING, "the office was not told of a refused submission",
                       &err);
}

static void look(beginning *seen, const char *bytes, size_t length)
{
    size_t room = RELAIS_BEGINNING_MAX - seen->length;
    size_t taken = length < room ? length : room;

    if (taken == 0)
        return; /* an empty bucket has no bytes to point at */
    memcpy(seen->bytes + seen->length, bytes, taken);
    seen->length += taken;
    if (seen->length == RELAIS_BEGINNING_MAX)
        tell(seen);
}

/* ---- reading ---------------------------------------------------------------------------- */

static apr_status_t close_scratch(void *data)
{
    intake *body = data;

    if (body->fd >= 0)
        close(body->fd);
    body->fd = -1;
    return APR_SUCCESS;
}

static bool flush(intake *body, relais_error *err)
{
    bool ok = body->fd >= 0 || relais_scratch_open(body->spool, &body->fd, err);

    ok = ok && relais_scratch_write(body->spool, body->fd, body->memory, body->used, err);
    body->used = 0;
    return ok;
}

static void keep(intake *body, const char *bytes, size_t length, relais_error *err)
{
    if (body->limit > 0 && (apr_off_t)(body->length + length) > body->limit)
        body->is_too_large = body->is_lost = true;
    while (length > 0 && !body->is_lost) {
        size_t size = MEMORY_MAX - body->used;

        if (size == 0) {
            body->is_lost = !flush(body, err);
            continue;
        }
        if (size > length)
            size = length;
        memcpy(body->memory + body->used, bytes, size);
        body->used += size;
        body->length += size;
        bytes += size;
        length -= size;
    }
}

/* True at the end of the body. */
static bool keep_brigade(intake *body, apr_bucket_brigade *brigade, apr_status_t *rv,
                         relais_error *err)
{
    for (apr_bucket *bucket = APR_BRIGADE_FIRST(brigade); bucket != APR_BRIGADE_SENTINEL(brigade);
         bucket = APR_BUCKET_NEXT(bucket)) {
        const char *bytes;
        apr_size_t length;

        if (APR_BUCKET_IS_EOS(bucket))
            return true;
        if (APR_BUCKET_IS_METADATA(bucket))
            continue;
        *rv = apr_bucket_read(bucket, &bytes, &length, APR_BLOCK_READ);
        if (*rv != APR_SUCCESS)
            return true;
        keep(body, bytes, length, err);
    }
    return false;
}

static apr_status_t read_all(request_rec *r, intake *body, relais_error *err)
{
    apr_bucket_brigade *brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    apr_time_t end = apr_time_now() + apr_time_from_sec(DRAIN_SECONDS);
    apr_status_t rv;
    bool is_over;

    do {
        rv =
            ap_get_brigade(r->input_filters, brigade, AP_MODE_READBYTES, APR_BLOCK_READ, READ_SIZE);
        is_over = rv != APR_SUCCESS || keep_brigade(body, brigade, &rv, err);
        apr_brigade_cleanup(brigade);
        is_over = is_over || (body->is_too_large && apr_time_now() > end);
    } while (!is_over);
    apr_brigade_destroy(brigade);
    return rv;
}

/* ---- what is too large ------------------------------------------------------------------ */

/* The bytes that came, or 0 when no more do. */
static int64_t look_at_brigade(apr_bucket_brigade *brigade, beginning *seen)
{
    int64_t size = 0;

    for (apr_bucket *bucket = APR_BRIGADE_FIRST(brigade); bucket != APR_BRIGADE_SENTINEL(brigade);
         bucket = APR_BUCKET_NEXT(bucket)) {
        const char *bytes;
        apr_size_t length;

        if (apr_bucket_read(bucket, &bytes, &length, APR_BLOCK_READ) != APR_SUCCESS)
            return 0;
        look(seen, bytes, length);
        size += (int64_t)length;
    }
    return size;
}

/* httpd would refuse such a body before it reads any of it, and then wait no more than half a
 * minute for the phone to end; and for a proxied request it knows no limit at all. */
static void drain(request_rec *r, beginning *seen)
{
    int64_t left = mod_relais_content_length(r);
    apr_time_t end = apr_time_now() + apr_time_from_sec(DRAIN_SECONDS);
    apr_bucket_brigade *brigade;
    bool has_interim = apr_table_get(r->headers_in, "Expect") != NULL;

    if (has_interim || r->proto_num >= HTTP_VERSION(2, 0))
        return;
    brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    while (left > 0 && apr_time_now() < end) {
        int64_t size;

        if (ap_get_brigade(r->connection->input_filters, brigade, AP_MODE_READBYTES, APR_BLOCK_READ,
                           left < READ_SIZE ? left : READ_SIZE) != APR_SUCCESS)
            break;
        size = look_at_brigade(brigade, seen);
        if (size == 0)
            break;
        left -= size;
        apr_brigade_cleanup(brigade);
    }
    apr_brigade_destroy(brigade);
}

static void refuse_announced(request_rec *r, const intake *coming)
{
    beginning seen = {.r = r,
                      .spool = coming->spool,
                      .bytes = apr_palloc(r->pool, RELAIS_BEGINNING_MAX),
                      .size = mod_relais_content_length(r),
                      .limit = coming->limit};

    drain(r, &seen);
    tell(&seen);
}

/* Of a body without announced length that grew too large: what is in memory is its beginning,
 * unless that went into a file. */
static void refuse_grown(request_rec *r, const intake *coming)
{
    beginning seen = {.r = r,
                      .spool = coming->spool,
                      .bytes = coming->memory,
                      .length = coming->used,
                      .size = (int64_t)coming->length,
                      .limit = coming->limit};

    if (coming->fd >= 0) {
        ssize_t n;

        seen.bytes = apr_palloc(r->pool, RELAIS_BEGINNING_MAX);
        n = pread(coming->fd, seen.bytes, RELAIS_BEGINNING_MAX, 0);
        seen.length = n > 0 ? (size_t)n : 0;
    }
    tell(&seen);
}

/* Of chunks httpd counts itself and gives the answer, and does not say which: it is this one
 * when the next read would have gone beyond the limit. */
static bool is_httpds_refusal(apr_status_t rv, const intake *coming)
{
    int status = ap_map_http_request_error(rv, HTTP_BAD_REQUEST);

    return rv != APR_SUCCESS && coming->limit > 0 &&
           (status == HTTP_REQUEST_ENTITY_TOO_LARGE ||
            (status == AP_FILTER_ERROR && (apr_off_t)coming->length + READ_SIZE > coming->limit));
}

static relais_reply refuse(const intake *body, relais_error *err)
{
    relais_error_clear(err);
    relais_error_set(err, RELAIS_ERR_LIMIT,
                     "the body is larger than LimitRequestBody, %" APR_OFF_T_FMT, body->limit);
    return RELAIS_REPLY_TOO_LARGE;
}

static relais_reply explain(apr_status_t rv, bool *is_dead, relais_error *err)
{
    int status = ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
    relais_reply reply = RELAIS_REPLY_CUT;

    *is_dead = status == AP_FILTER_ERROR;
    if (status != HTTP_BAD_REQUEST && !*is_dead)
        reply = relais_reply_for_status((unsigned)status);
    relais_error_clear(err);
    relais_error_set(err, RELAIS_ERR_SYNTAX, "the body could not be read to its end (status %d)",
                     status);
    return reply;
}

/* mod_http2 may give a body that was broken off for a whole one (RST_STREAM). Where no length is
 * announced only a multipart tells its own end. */
static bool may_be_cut(const request_rec *r)
{
    const char *type = apr_table_get(r->headers_in, "Content-Type");

    return r->proto_num >= HTTP_VERSION(2, 0) && mod_relais_content_length(r) < 0 &&
           (type == NULL || !relais_media_type_is(type, "multipart/form-data"));
}

/* ---- all of it -------------------------------------------------------------------------- */

static relais_reply finish(intake *body, mod_relais_body *out, relais_error *err)
{
    bool is_file = body->fd >= 0;

    if (!body->is_lost && is_file && body->used > 0)
        body->is_lost = !flush(body, err);
    if (body->is_lost)
        return err->code == RELAIS_ERR_FULL ? RELAIS_REPLY_FULL : RELAIS_REPLY_BUSY;
    out->segment.data = is_file ? NULL : body->memory;
    out->segment.fd = body->fd;
    out->segment.length = body->length;
    out->count = body->length > 0;
    return RELAIS_REPLY_RECEIVED;
}

relais_reply mod_relais_body_read(request_rec *r, relais_spool *spool, mod_relais_body *body,
                                  bool *is_dead, relais_error *err)
{
    intake *coming = apr_pcalloc(r->pool, sizeof *coming);
    apr_status_t rv;

    *is_dead = false;
    memset(body, 0, sizeof *body);
    coming->spool = spool;
    coming->is_lost = spool == NULL;
    coming->limit = ap_get_limit_req_body(r);
    coming->fd = -1;
    coming->memory = apr_palloc(r->pool, MEMORY_MAX);
    apr_pool_cleanup_register(r->pool, coming, close_scratch, apr_pool_cleanup_null);
    if (coming->limit > 0 && mod_relais_content_length(r) > coming->limit) {
        refuse_announced(r, coming);
        return refuse(coming, err);
    }
    rv = read_all(r, coming, err);
    if (coming->is_too_large || is_httpds_refusal(rv, coming))
        refuse_grown(r, coming);
    if (rv == APR_SUCCESS && coming->is_too_large)
        return refuse(coming, err);
    if (rv != APR_SUCCESS)
        return explain(rv, is_dead, err);
    if (may_be_cut(r)) {
        relais_error_set(err, RELAIS_ERR_SYNTAX,
                         "over HTTP/2 a body that is no multipart needs a Content-Length");
        return RELAIS_REPLY_CUT;
    }
    return finish(coming, body, err);
}
