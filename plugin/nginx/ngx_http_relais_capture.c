/*
 * `relais capture`: a copy of every submission that the location's upstream accepts.
 *
 *   before the upstream is asked   a thread stages the copy (written and fsynced in tmp/); when
 *                                  that fails the phone is asked to come back and the
 *                                  upstream never hears of the submission
 *   201 or 202 from the upstream   the answer is kept back until a thread has committed the
 *                                  copy, then released as it came; 503 when that failed
 *   anything else                  passes as it comes; the copy goes with the request's pool
 *
 * Staging runs in the PRECONTENT phase, after all that may refuse a request, in the manner of
 * nginx's mirror module. The answer is kept back in the filters, and the commit starts at its
 * last buffer only: by then nginx has closed the upstream or put it away, and the request is
 * in the same state as one whose client reads slowly. A header filter could not wait: nginx
 * takes the header for sent whatever the filter returns.
 *
 * No 201 or 202 leaves a capturing location without a committed copy, whoever made it.
 */
#include "ngx_http_relais.h"

/* An upstream's answer to a submission is some hundred bytes; more than this is not one. */
#define HELD_MAX (256 * 1024)

/* One of the bits of r->buffered that nginx leaves to filters (image_filter's own). */
#define HELD_BUFFERED 0x08

static ngx_http_output_header_filter_pt next_header_filter;
static ngx_http_output_body_filter_pt next_body_filter;

/* ---- before the upstream ---------------------------------------------------------------- */

static void stage(ngx_http_relais_ctx_t *ctx, ngx_log_t *log)
{
    ngx_http_relais_capture_t *capture = &ctx->capture;

    (void)log;
    capture->spool = ngx_http_relais_open_spool(ctx->conf->spool, &ctx->error);
    if (capture->spool != NULL)
        ctx->reply =
            relais_intake_capture(capture->spool, &ctx->submission.request, ctx->arena,
                                  &capture->head, &capture->staged, &capture->unread, &ctx->error);
}

/* Fills the context for a thread and starts it. */
static ngx_int_t start_staging(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx)
{
    relais_request *request = &ctx->submission.request;
    relais_address address;

    if (ngx_http_relais_address(r, &address) != NGX_OK)
        return NGX_ERROR;
    request->source = "capture";
    request->host = relais_address_host(&address, ctx->arena);
    if (request->host == NULL || ngx_http_relais_describe(r, request) != NGX_OK)
        return NGX_ERROR;
    ctx->run = stage;
    return ngx_http_relais_start_task(r, ctx);
}

/* Afterwards, in a moment or at once, the phases go on where they stopped: in capture(). */
static void body_is_read(ngx_http_request_t *r)
{
    ngx_http_relais_ctx_t *ctx = ngx_http_relais_find_capture(r);

    ctx->capture.state = NGX_HTTP_RELAIS_STAGING;
    ctx->reply = RELAIS_REPLY_BUSY;
    r->write_event_handler = ngx_http_core_run_phases;
    if (start_staging(r, ctx) != NGX_OK)
        ngx_http_core_run_phases(r);
}

static ngx_int_t read_body(ngx_http_request_t *r)
{
    ngx_http_relais_ctx_t *ctx = ngx_http_relais_make_ctx(r);
    ngx_int_t rc;

    if (ctx == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    ctx->capture.state = NGX_HTTP_RELAIS_READING;
    relais_buffer_init(&ctx->capture.held, HELD_MAX);
    rc = ngx_http_read_client_request_body(r, body_is_read);
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE)
        return rc;
    ngx_http_finalize_request(r, NGX_DONE);
    return NGX_DONE;
}

static void log_failure(ngx_http_request_t *r, const ngx_http_relais_ctx_t *ctx)
{
    bool is_ours = relais_reply_status(ctx->reply) >= NGX_HTTP_INTERNAL_SERVER_ERROR;

    if (ctx->error.code != RELAIS_ERR_NONE)
        ngx_http_relais_log(r->connection->log, is_ours ? NGX_LOG_ERR : NGX_LOG_WARN,
                            "a submission was not captured", &ctx->error);
}

/* The result of staging: on to the upstream, or an answer of our own. */
static ngx_int_t finish_staging(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx)
{
    ngx_chain_t out = {NULL, NULL};
    ngx_int_t rc;

    if (ctx->reply == RELAIS_REPLY_RECEIVED) {
        ctx->capture.state = NGX_HTTP_RELAIS_STAGED;
        return NGX_DECLINED;
    }
    ctx->capture.state = NGX_HTTP_RELAIS_RELEASED;
    log_failure(r, ctx);
    rc = ngx_http_relais_replace(r, ctx, ctx->reply, relais_reply_status(ctx->reply));
    if (rc == NGX_OK)
        rc = ngx_http_send_header(r);
    if (rc == NGX_OK && !r->header_only) {
        out.buf = ctx->page;
        rc = ngx_http_output_filter(r, &out);
    }
    ngx_http_finalize_request(r, rc);
    return NGX_DONE;
}

/* Requests whose body nginx has thrown away cannot be accepted by anybody. */
static bool is_to_be_captured(const ngx_http_request_t *r)
{
    const ngx_http_relais_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_relais_module);

    return conf->mode == NGX_HTTP_RELAIS_CAPTURE && r == r->main && r->method == NGX_HTTP_POST &&
           !r->discard_body;
}

static ngx_int_t capture(ngx_http_request_t *r)
{
    ngx_http_relais_ctx_t *ctx;

    if (!is_to_be_captured(r))
        return NGX_DECLINED;
    ctx = ngx_http_relais_find_capture(r);
    if (ctx == NULL)
        return read_body(r);
    switch (ctx->capture.state) {
    case NGX_HTTP_RELAIS_READING:
        return NGX_DONE;
    case NGX_HTTP_RELAIS_STAGING:
        return ctx->is_running ? NGX_DONE : finish_staging(r, ctx);
    default:
        return NGX_DECLINED;
    }
}

/* ---- the answer's header ---------------------------------------------------------------- */

static bool is_acceptance(const ngx_http_relais_loc_conf_t *conf, ngx_uint_t status)
{
    const ngx_uint_t *statuses = conf->statuses->elts;

    for (ngx_uint_t i = 0; i < conf->statuses->nelts; i++) {
        if (statuses[i] == status)
            return true;
    }
    return false;
}

/* An acceptance that no upstream has given to a staged submission, by `return 201` say. */
static ngx_int_t refuse_to_pass(ngx_http_request_t *r)
{
    ngx_http_relais_ctx_t *ctx = ngx_http_relais_get_ctx(r);

    if (ctx == NULL)
        return NGX_ERROR;
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "relais: an answer of %ui was not sent, because there is no copy of what it "
                  "accepts; let an upstream answer in this location",
                  r->headers_out.status);
    if (ngx_http_relais_replace(r, ctx, RELAIS_REPLY_BUSY, NGX_HTTP_SERVICE_UNAVAILABLE) != NGX_OK)
        return NGX_ERROR;
    ctx->body = NGX_HTTP_RELAIS_BODY_REPLACE;
    return next_header_filter(r);
}

/* By nginx itself, before anything was read. */
static void tell_unread(ngx_http_request_t *r)
{
    const ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_http_relais_tell_refused(r, NULL, NULL, r->headers_in.content_length_n,
                                 core->client_max_body_size);
}

static ngx_int_t filter_uncaptured(ngx_http_request_t *r)
{
    const ngx_http_relais_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_relais_module);

    if (conf->mode == NGX_HTTP_RELAIS_CAPTURE && r->method == NGX_HTTP_POST &&
        r->headers_out.status == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE)
        tell_unread(r);
    if (conf->mode == NGX_HTTP_RELAIS_CAPTURE && r->method == NGX_HTTP_POST &&
        is_acceptance(conf, r->headers_out.status))
        return refuse_to_pass(r);
    return next_header_filter(r);
}

static ngx_int_t filter_header(ngx_http_request_t *r)
{
    ngx_http_relais_ctx_t *ctx;

    if (r != r->main)
        return next_header_filter(r);
    ctx = ngx_http_relais_find_capture(r);
    if (ctx == NULL)
        return filter_uncaptured(r);
    ngx_http_set_ctx(r, ctx, ngx_http_relais_module);
    if (ctx->capture.state == NGX_HTTP_RELAIS_RELEASED)
        return next_header_filter(r);
    if (ctx->capture.state < NGX_HTTP_RELAIS_STAGED)
        return filter_uncaptured(r);
    relais_buffer_reset(&ctx->capture.held);
    if (r->headers_out.status == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE)
        ngx_http_relais_tell_refused(r, NULL, &ctx->capture.head, (int64_t)ctx->capture.head.length,
                                     -1);
    if (!is_acceptance(ctx->conf, r->headers_out.status)) {
        ctx->capture.state = NGX_HTTP_RELAIS_RELEASED;
        return next_header_filter(r);
    }
    ctx->capture.state = NGX_HTTP_RELAIS_HOLDING;
    r->filter_need_in_memory = 1;
    return NGX_OK;
}

/* ---- the answer's body ------------------------------------------------------------------ */

static ngx_int_t release_ours(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx, relais_reply reply,
                              ngx_uint_t status)
{
    ngx_chain_t out = {NULL, NULL};
    ngx_int_t rc;

    ctx->capture.state = NGX_HTTP_RELAIS_RELEASED;
    if (ngx_http_relais_replace(r, ctx, reply, status) != NGX_OK)
        return NGX_ERROR;
    rc = next_header_filter(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only)
        return rc;
    out.buf = ctx->page;
    ctx->body = NGX_HTTP_RELAIS_BODY_OWN;
    rc = next_body_filter(r, &out);
    ctx->body = NGX_HTTP_RELAIS_BODY_REPLACED;
    return rc;
}

/* The bytes belong to the context, which lives as long as the request. */
static ngx_buf_t *held_buf(ngx_http_request_t *r, const relais_buffer *held)
{
    ngx_buf_t *buf = ngx_calloc_buf(r->pool);

    if (buf == NULL)
        return NULL;
    buf->last_buf = 1;
    buf->last_in_chain = 1;
    if (held->length == 0)
        return buf;
    buf->pos = buf->start = (u_char *)held->data;
    buf->last = buf->end = buf->pos + held->length;
    buf->memory = 1;
    return buf;
}

static ngx_int_t release_theirs(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx)
{
    ngx_chain_t out = {NULL, NULL};
    ngx_int_t rc;

    ctx->capture.state = NGX_HTTP_RELAIS_RELEASED;
    if (ctx->capture.unread.code != RELAIS_ERR_NONE)
        ngx_http_relais_log(r->connection->log, NGX_LOG_WARN,
                            "a submission that the upstream accepted cannot be read and will "
                            "be put into quarantine",
                            &ctx->capture.unread);
    out.buf = held_buf(r, &ctx->capture.held);
    if (out.buf == NULL)
        return NGX_ERROR;
    rc = next_header_filter(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only)
        return rc;
    return next_body_filter(r, &out);
}

static void commit(ngx_http_relais_ctx_t *ctx, ngx_log_t *log)
{
    (void)log;
    ctx->reply = relais_intake_commit(ctx->capture.spool, &ctx->capture.staged, &ctx->error);
}

static ngx_int_t finish_commit(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx)
{
    r->buffered &= ~HELD_BUFFERED;
    if (ctx->reply == RELAIS_REPLY_RECEIVED)
        return release_theirs(r, ctx);
    log_failure(r, ctx);
    return release_ours(r, ctx, ctx->reply, relais_reply_status(ctx->reply));
}

/* The whole answer is here. */
static ngx_int_t start_commit(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx)
{
    ctx->reply = RELAIS_REPLY_BUSY;
    if (!relais_buffer_check(&ctx->capture.held, "the upstream's answer", &ctx->error))
        return finish_commit(r, ctx);
    ctx->capture.state = NGX_HTTP_RELAIS_COMMITTING;
    ctx->run = commit;
    if (ngx_http_relais_start_task(r, ctx) != NGX_OK)
        return finish_commit(r, ctx);
    r->buffered |= HELD_BUFFERED;
    return NGX_AGAIN;
}

/* nginx flushes without a last buffer when it gives an answer up. */
static bool has_lost_upstream(const ngx_http_request_t *r)
{
    return r->upstream != NULL && r->upstream->cleanup == NULL;
}

static ngx_int_t give_up(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx)
{
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "relais: the upstream ended within an answer of %ui; it is not passed on",
                  r->headers_out.status);
    return release_ours(r, ctx, RELAIS_REPLY_BUSY, NGX_HTTP_BAD_GATEWAY);
}

static ngx_int_t hold(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx, ngx_chain_t *in)
{
    bool has_flush = false, has_last = false;

    for (; in != NULL; in = in->next) {
        ngx_buf_t *buf = in->buf;

        if (ngx_buf_in_memory(buf)) {
            relais_buffer_append(&ctx->capture.held, buf->pos, (size_t)(buf->last - buf->pos));
            buf->pos = buf->last;
        }
        has_flush = has_flush || buf->flush;
        has_last = has_last || buf->last_buf;
    }
    if (has_last)
        return start_commit(r, ctx);
    return has_flush && has_lost_upstream(r) ? give_up(r, ctx) : NGX_OK;
}

static ngx_int_t filter_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_relais_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_relais_module);

    if (ctx == NULL || r != r->main)
        return next_body_filter(r, in);
    switch (ctx->capture.state) {
    case NGX_HTTP_RELAIS_HOLDING:
        return hold(r, ctx, in);
    case NGX_HTTP_RELAIS_COMMITTING:
        ngx_http_relais_swallow(in);
        return ctx->is_running ? NGX_AGAIN : finish_commit(r, ctx);
    default:
        return next_body_filter(r, in);
    }
}

/* ---- nginx's phases and filters --------------------------------------------------------- */

ngx_int_t ngx_http_relais_init_capture(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    ngx_http_handler_pt *handler =
        ngx_array_push(&core->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);

    if (handler == NULL)
        return NGX_ERROR;
    *handler = capture;
    next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = filter_header;
    next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = filter_body;
    return NGX_OK;
}
