/*
 * Requests of `Relais capture`: submissions to another server behind this one.
 *
 * Before the upstream is asked the body is read and staged (fixups); the upstream gets it
 * from there (an input filter). Its 201 or 202 is held back, whole, until the parcel is
 * committed (an output filter), and goes out as a 503 when that fails: what the phone reads
 * as received is on disk. Any other answer passes as it comes, and the copy is dropped with
 * the request.
 *
 * An internal redirect or an error document inside httpd is the same submission: whatever
 * request answers in the end, it carries the state of the first one on.
 */
#include "mod_relais.h"

#include "openrosa/intake.h"
#include "spool/note.h"

#include <apr_portable.h>

/* An OpenRosaResponse has a few hundred bytes; what is larger is not held but refused. */
#define HOLD_MAX ((apr_off_t)256 * 1024)

static ap_filter_rec_t *replay_filter, *hold_filter;

/* One submission between its first byte and its answer. Goes with the request's pool, which
 * internal redirects share. */
typedef struct capture {
    const mod_relais_conf *conf;
    relais_spool *spool;
    relais_staged staged;
    relais_parcel_head head; /* of what is staged */
    mod_relais_body body;
    relais_error unread;  /* why Relais cannot read what was staged */
    relais_reply verdict; /* not RELAIS_REPLY_RECEIVED: the upstream is not asked */
    apr_bucket_brigade *replay;
    apr_bucket_brigade *held;
    apr_off_t held_length;
    enum { ASKING, HOLDING, PASSING, ANSWERED } state;
} capture;

static apr_status_t drop(void *data)
{
    capture *captured = data;

    if (captured->spool != NULL)
        relais_spool_abort(captured->spool, &captured->staged);
    return APR_SUCCESS;
}

/* ---- before the upstream ---------------------------------------------------------------- */

static relais_reply stage(request_rec *r, capture *captured, relais_error *err)
{
    relais_arena *arena = mod_relais_arena(r);
    relais_address address = mod_relais_address(r);
    relais_request request = {
        .content_type = apr_table_get(r->headers_in, "Content-Type"),
        .content_length = mod_relais_content_length(r),
        .segments = &captured->body.segment,
        .count = captured->body.count,
        .source = "capture",
        .user = mod_relais_user(r),
        .device = mod_relais_query(r, "deviceID"),
    };

    if (arena == NULL)
        return RELAIS_REPLY_BROKEN;
    request.host = relais_address_host(&address, arena);
    return relais_intake_capture(captured->spool, &request, arena, &captured->head,
                                 &captured->staged, &captured->unread, err);
}

/* The body once more from its start, for whoever reads it. */
static void rewind_body(request_rec *r, capture *captured)
{
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    const relais_segment *segment = &captured->body.segment;
    apr_file_t *file;
    apr_os_file_t fd = segment->fd;

    captured->replay = apr_brigade_create(r->pool, alloc);
    if (captured->body.count > 0 && segment->data != NULL)
        APR_BRIGADE_INSERT_TAIL(captured->replay,
                                apr_bucket_immortal_create(segment->data, segment->length, alloc));
    else if (captured->body.count > 0 &&
             apr_os_file_put(&file, &fd, APR_FOPEN_READ | APR_FOPEN_BINARY, r->pool) == APR_SUCCESS)
        apr_brigade_insert_file(captured->replay, file, 0, (apr_off_t)segment->length, r->pool);
    APR_BRIGADE_INSERT_TAIL(captured->replay, apr_bucket_eos_create(alloc));
}

static void attach(request_rec *r, capture *captured)
{
    ap_set_module_config(r->request_config, &relais_module, captured);
    ap_add_output_filter_handle(hold_filter, captured, r, r->connection);
    if (captured->verdict != RELAIS_REPLY_RECEIVED)
        return;
    rewind_body(r, captured);
    ap_add_input_filter_handle(replay_filter, captured, r, r->connection);
}

static capture *captured_before(const request_rec *r)
{
    capture *captured = NULL;

    for (r = r->prev; r != NULL && captured == NULL; r = r->prev)
        captured = ap_get_module_config(r->request_config, &relais_module);
    return captured;
}

/* The URL of an existing server's submission path may hold the token of an app user, and
 * other modules name it when they complain. Their lines are left out, and begin() and the
 * answer's filter say what went wrong; `LogLevel relais:debug` brings them back. */
static int keep_path_secret(request_rec *r)
{
    int own = ap_get_request_module_loglevel(r, relais_module.module_index);
    struct ap_logconf *log;

    if (r->main != NULL || own >= APLOG_DEBUG ||
        (mod_relais_conf_of(r)->mode != MOD_RELAIS_CAPTURE && captured_before(r) == NULL))
        return DECLINED;
    log = ap_new_log_config(r->pool, ap_get_request_logconf(r));
    log->level = APLOG_CRIT;
    ap_reset_module_loglevels(log, APLOG_CRIT);
    ap_set_module_loglevel(r->pool, log, relais_module.module_index, own);
    r->log = log;
    return OK;
}

static int begin(request_rec *r)
{
    const mod_relais_conf *conf = mod_relais_conf_of(r);
    capture *captured;
    relais_error err;
    bool is_dead;

    if (r->main != NULL)
        return DECLINED;
    captured = captured_before(r);
    if (captured != NULL) {
        attach(r, captured);
        return DECLINED;
    }
    if (conf->mode != MOD_RELAIS_CAPTURE || r->method_number != M_POST)
        return DECLINED;
    captured = apr_pcalloc(r->pool, sizeof *captured);
    captured->conf = conf;
    captured->staged.shard = -1;
    relais_error_clear(&captured->unread);
    apr_pool_cleanup_register(r->pool, captured, drop, apr_pool_cleanup_null);
    relais_error_clear(&err);
    captured->spool = mod_relais_spool(conf, &err);
    captured->verdict = mod_relais_body_read(r, captured->spool, &captured->body, &is_dead, &err);
    if (is_dead)
        return AP_FILTER_ERROR;
    if (captured->verdict == RELAIS_REPLY_RECEIVED)
        captured->verdict = stage(r, captured, &err);
    if (captured->verdict != RELAIS_REPLY_RECEIVED)
        mod_relais_log(r, relais_reply_status(captured->verdict) >= 500 ? APLOG_ERR : APLOG_WARNING,
                       "a submission was not captured", &err);
    attach(r, captured);
    return DECLINED;
}

/* In the place of the upstream, when it is not to be asked: before mod_proxy, which is among
 * the first. */
static int refuse(request_rec *r)
{
    capture *captured =
        r->main != NULL ? NULL : ap_get_module_config(r->request_config, &relais_module);

    return captured == NULL || captured->verdict == RELAIS_REPLY_RECEIVED
               ? DECLINED
               : mod_relais_send_reply(r, captured->verdict);
}

/* ---- the body, to the upstream ---------------------------------------------------------- */

static void move_until(apr_bucket_brigade *from, const apr_bucket *end, apr_bucket_brigade *to)
{
    while (!APR_BRIGADE_EMPTY(from) && APR_BRIGADE_FIRST(from) != end) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(from);

        APR_BUCKET_REMOVE(bucket);
        APR_BRIGADE_INSERT_TAIL(to, bucket);
    }
}

static apr_status_t copy_until(apr_bucket_brigade *from, const apr_bucket *end,
                               apr_bucket_brigade *to)
{
    for (apr_bucket *bucket = APR_BRIGADE_FIRST(from);
         bucket != end && bucket != APR_BRIGADE_SENTINEL(from); bucket = APR_BUCKET_NEXT(bucket)) {
        apr_bucket *copy;
        apr_status_t rv = apr_bucket_copy(bucket, &copy);

        if (rv != APR_SUCCESS)
            return rv;
        APR_BRIGADE_INSERT_TAIL(to, copy);
    }
    return APR_SUCCESS;
}

static apr_status_t read_bytes(capture *captured, apr_bucket_brigade *out, ap_input_mode_t mode,
                               apr_off_t size)
{
    apr_bucket *end;
    apr_status_t rv = apr_brigade_partition(captured->replay, size, &end);

    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
        return rv;
    if (mode == AP_MODE_SPECULATIVE)
        return copy_until(captured->replay, end, out);
    move_until(captured->replay, end, out);
    if (!APR_BRIGADE_EMPTY(captured->replay) &&
        APR_BUCKET_IS_EOS(APR_BRIGADE_FIRST(captured->replay)))
        move_until(captured->replay, APR_BRIGADE_SENTINEL(captured->replay), out);
    return APR_SUCCESS;
}

static apr_status_t replay(ap_filter_t *f, apr_bucket_brigade *out, ap_input_mode_t mode,
                           apr_read_type_e block, apr_off_t size)
{
    capture *captured = f->ctx;

    if (mode == AP_MODE_INIT)
        return APR_SUCCESS;
    if (mode == AP_MODE_EATCRLF)
        return ap_get_brigade(f->next, out, mode, block, size);
    if (APR_BRIGADE_EMPTY(captured->replay)) {
        APR_BRIGADE_INSERT_TAIL(out, apr_bucket_eos_create(f->c->bucket_alloc));
        return APR_SUCCESS;
    }
    switch (mode) {
    case AP_MODE_GETLINE:
        return apr_brigade_split_line(out, captured->replay, block, HUGE_STRING_LEN);
    case AP_MODE_EXHAUSTIVE:
        move_until(captured->replay, APR_BRIGADE_SENTINEL(captured->replay), out);
        return APR_SUCCESS;
    default:
        return read_bytes(captured, out, mode, size);
    }
}

/* ---- the upstream's answer -------------------------------------------------------------- */

static bool is_acceptance(const capture *captured, int status)
{
    const apr_array_header_t *statuses = captured->conf->statuses;

    if (statuses == NULL)
        return status == HTTP_CREATED || status == HTTP_ACCEPTED;
    for (int i = 0; i < statuses->nelts; i++) {
        if (APR_ARRAY_IDX(statuses, i, int) == status)
            return true;
    }
    return false;
}

/* In the place of the answer that was held. What the upstream said about it must not remain. */
static apr_status_t replace(ap_filter_t *f, capture *captured, relais_reply reply, int status)
{
    captured->state = ANSWERED;
    apr_brigade_cleanup(captured->held);
    apr_table_clear(f->r->headers_out);
    apr_table_clear(f->r->err_headers_out);
    return ap_pass_brigade(f->next, mod_relais_render_reply(f->r, reply, status));
}

static apr_status_t fail(ap_filter_t *f, capture *captured, int status, const char *why)
{
    relais_error err;

    relais_error_clear(&err);
    relais_error_set(&err, RELAIS_ERR_TRANSIENT, "%s", why);
    mod_relais_log(f->r, APLOG_ERR, "a submission was not captured", &err);
    return replace(f, captured, RELAIS_REPLY_BUSY, status);
}

static bool is_cut(const request_rec *r, const capture *captured)
{
    const char *announced = apr_table_get(r->headers_out, "Content-Length");
    apr_off_t length;

    return announced != NULL && ap_parse_strict_length(&length, announced) &&
           length != captured->held_length;
}

static apr_status_t release(ap_filter_t *f, capture *captured)
{
    relais_reply reply;
    relais_error err;

    if (captured->verdict != RELAIS_REPLY_RECEIVED) /* somebody has answered in our place */
        return replace(f, captured, captured->verdict, (int)relais_reply_status(captured->verdict));
    if (is_cut(f->r, captured))
        return fail(f, captured, HTTP_BAD_GATEWAY, "the upstream's answer was cut");
    relais_error_clear(&err);
    reply = relais_intake_commit(captured->spool, &captured->staged, &err);
    if (reply != RELAIS_REPLY_RECEIVED) {
        mod_relais_log(f->r, APLOG_ERR, "a submission was not captured", &err);
        return replace(f, captured, reply, (int)relais_reply_status(reply));
    }
    if (captured->unread.code != RELAIS_ERR_NONE)
        mod_relais_log(f->r, APLOG_WARNING,
                       "a submission that the upstream accepted cannot be read and will be put "
                       "into quarantine",
                       &captured->unread);
    captured->state = PASSING;
    ap_remove_output_filter(f);
    return ap_pass_brigade(f->next, captured->held);
}

/* Copies, so that nothing of the upstream's connection is needed any more. */
static apr_status_t hold_bucket(capture *captured, apr_bucket *bucket)
{
    const char *bytes;
    apr_size_t length;
    apr_status_t rv = apr_bucket_read(bucket, &bytes, &length, APR_BLOCK_READ);

    if (rv != APR_SUCCESS)
        return rv;
    captured->held_length += (apr_off_t)length;
    return captured->held_length > HOLD_MAX
               ? APR_ENOSPC
               : apr_brigade_write(captured->held, NULL, NULL, bytes, length);
}

static apr_status_t hold_brigade(ap_filter_t *f, capture *captured, apr_bucket_brigade *brigade)
{
    apr_status_t rv;

    for (apr_bucket *bucket = APR_BRIGADE_FIRST(brigade); bucket != APR_BRIGADE_SENTINEL(brigade);
         bucket = APR_BUCKET_NEXT(bucket)) {
        if (AP_BUCKET_IS_ERROR(bucket))
            return fail(f, captured, HTTP_BAD_GATEWAY, "the upstream failed inside its answer");
        if (APR_BUCKET_IS_EOS(bucket)) {
            APR_BRIGADE_INSERT_TAIL(captured->held, apr_bucket_eos_create(f->c->bucket_alloc));
            return release(f, captured);
        }
        if (APR_BUCKET_IS_METADATA(bucket))
            continue;
        rv = hold_bucket(captured, bucket);
        if (rv == APR_ENOSPC)
            return fail(f, captured, HTTP_SERVICE_UNAVAILABLE,
                        "the upstream's answer is too long to be held");
        if (rv != APR_SUCCESS)
            return fail(f, captured, HTTP_BAD_GATEWAY, "the upstream's answer cannot be read");
    }
    return APR_SUCCESS;
}

/* The upstream finds it too large: the office hears of it, since nobody else does. */
static void tell_refused(const request_rec *r, const capture *captured)
{
    relais_error err;
    bool is_left;

    relais_error_clear(&err);
    if (!relais_note_leave(captured->spool, &captured->head, (int64_t)captured->head.length, -1,
                           &is_left, &err))
        mod_relais_log(r, APLOG_WARNING, "the office was not told of a refused submission", &err);
}

static apr_status_t hold(ap_filter_t *f, apr_bucket_brigade *brigade)
{
    capture *captured = f->ctx;
    apr_status_t rv = APR_SUCCESS;

    if (captured->state == ASKING && f->r->status == HTTP_REQUEST_ENTITY_TOO_LARGE &&
        captured->verdict == RELAIS_REPLY_RECEIVED)
        tell_refused(f->r, captured);
    if (captured->state == ASKING && is_acceptance(captured, f->r->status)) {
        captured->state = HOLDING;
        captured->held = apr_brigade_create(f->r->pool, f->c->bucket_alloc);
        captured->held_length = 0;
    }
    if (captured->state == HOLDING)
        rv = hold_brigade(f, captured, brigade);
    else if (captured->state != ANSWERED) {
        captured->state = PASSING;
        ap_remove_output_filter(f);
        return ap_pass_brigade(f->next, brigade);
    }
    apr_brigade_cleanup(brigade);
    return rv;
}

/* ---- the log ---------------------------------------------------------------------------- */

/* The reason that mod_proxy noted for its page, or NULL. */
static const char *noted_reason(const request_rec *r)
{
    static const char opening[] = "<strong>";
    const char *notes = apr_table_get(r->notes, "error-notes");
    const char *reason = notes == NULL ? NULL : strstr(notes, opening);

    return reason == NULL ? NULL
                          : apr_pstrmemdup(r->pool, reason + sizeof opening - 1,
                                           strcspn(reason + sizeof opening - 1, "<"));
}

/* What httpd itself answers instead of the upstream is said here, without the path that
 * mod_proxy named in its own line. */
static int log_silence(request_rec *r)
{
    const capture *captured = NULL;
    const char *reason = NULL;
    relais_error err;

    for (; r != NULL; r = r->next) {
        const capture *here = ap_get_module_config(r->request_config, &relais_module);

        captured = here != NULL ? here : captured;
        reason = noted_reason(r) != NULL ? noted_reason(r) : reason;
        if (r->next == NULL)
            break;
    }
    if (captured == NULL || captured->state != ASKING || !ap_is_HTTP_SERVER_ERROR(r->status) ||
        captured->verdict != RELAIS_REPLY_RECEIVED)
        return DECLINED;
    relais_error_clear(&err);
    relais_error_set(&err, RELAIS_ERR_TRANSIENT, "httpd answers %d%s%s", r->status,
                     reason == NULL ? "" : ": ", reason == NULL ? "" : reason);
    mod_relais_log(r, APLOG_ERR, "no answer of the upstream to a submission", &err);
    return DECLINED;
}

/* The replay stands next to httpd's own filters, below all that may change a body on its way;
 * the hold above all that may change an answer, where the upstream's own status and length
 * are to be seen. */
void mod_relais_capture_hooks(void)
{
    replay_filter = ap_register_input_filter("RELAIS_REPLAY", replay, NULL, AP_FTYPE_PROTOCOL - 1);
    hold_filter = ap_register_output_filter("RELAIS_HOLD", hold, NULL, AP_FTYPE_RESOURCE);
    ap_hook_header_parser(keep_path_secret, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_fixups(begin, NULL, NULL, APR_HOOK_LAST);
    ap_hook_handler(refuse, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_log_transaction(log_silence, NULL, NULL, APR_HOOK_MIDDLE);
}
