/*
 * HEAD and POST submission.
 *
 * A 201 is sent only after relais_spool_commit() has returned true: the phone may delete its
 * copy then. No database, no other process and no other request is waited for. nginx has the
 * whole body, in memory or in its temporary file, before the one task of a submission runs:
 * judge it, write it to the spool, commit it.
 */
#include "ngx_http_relais.h"

/* ---- HEAD ------------------------------------------------------------------------------- */

/* 204 is the one status whose headers Collect reads. No Location: it would move the phone. */
static ngx_int_t announce(ngx_http_request_t *r, const ngx_http_relais_ctx_t *ctx)
{
    ngx_int_t rc = ngx_http_discard_request_body(r);
    ngx_str_t limit;

    if (rc != NGX_OK)
        return rc;
    limit.data = ngx_pnalloc(r->pool, NGX_OFF_T_LEN);
    if (limit.data == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    limit.len = (size_t)(ngx_sprintf(limit.data, "%O", ctx->conf->limit) - limit.data);
    if (ngx_http_relais_add_header(r, "X-OpenRosa-Accept-Content-Length", &limit) == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;
    return ngx_http_send_header(r);
}

/* ---- POST, in the thread ---------------------------------------------------------------- */

static relais_reply store(ngx_http_relais_ctx_t *ctx, relais_spool *spool,
                          const relais_parcel_head *head)
{
    relais_staged staged;
    relais_reply reply =
        relais_intake_stage(spool, head, &ctx->submission.request, &staged, &ctx->error);

    return reply == RELAIS_REPLY_RECEIVED ? relais_intake_commit(spool, &staged, &ctx->error)
                                          : reply;
}

static void receive(ngx_http_relais_ctx_t *ctx, ngx_log_t *log)
{
    relais_library library = ngx_http_relais_library(ctx->conf->forms, log);
    relais_parcel_head head;
    relais_spool *spool;

    ctx->reply =
        relais_library_receive(&library, &ctx->submission.request, ctx->arena, &head, &ctx->error);
    if (ctx->reply != RELAIS_REPLY_RECEIVED)
        return;
    spool = ngx_http_relais_open_spool(ctx->conf->spool, &ctx->error);
    ctx->reply = spool == NULL ? RELAIS_REPLY_BUSY : store(ctx, spool, &head);
}

/* ---- POST, in the event loop ------------------------------------------------------------ */

static ngx_int_t answer(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx)
{
    bool is_ours = relais_reply_status(ctx->reply) >= NGX_HTTP_INTERNAL_SERVER_ERROR;

    if (ctx->reply != RELAIS_REPLY_RECEIVED)
        ngx_http_relais_log(r->connection->log, is_ours ? NGX_LOG_ERR : NGX_LOG_WARN,
                            "a submission was not taken", &ctx->error);
    return ngx_http_relais_send_reply(r, ctx->reply);
}

static ngx_int_t refuse_size(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx)
{
    ctx->reply = RELAIS_REPLY_TOO_LARGE;
    relais_error_set(&ctx->error, RELAIS_ERR_LIMIT,
                     "the body is larger than client_max_body_size, %lld",
                     (long long)ctx->conf->body_max);
    return answer(r, ctx);
}

/* A client that asks is told before it sends. */
static ngx_int_t refuse_unread(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx)
{
    ngx_int_t rc;

    r->expect_tested = 1;
    ngx_http_relais_tell_refused(r, NULL, NULL, r->headers_in.content_length_n,
                                 ctx->conf->body_max);
    rc = ngx_http_discard_request_body(r);
    return rc == NGX_OK ? refuse_size(r, ctx) : rc;
}

static void body_is_read(ngx_http_request_t *r)
{
    ngx_http_relais_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_relais_module);

    if (ctx->beginning.is_too_large) {
        ngx_http_finalize_request(r, refuse_size(r, ctx));
        return;
    }
    ctx->submission.request.source = "serve";
    if (ngx_http_relais_describe(r, &ctx->submission.request) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }
    ctx->run = receive;
    ctx->finish = answer;
    if (ngx_http_relais_post_task(r, ctx) != NGX_OK)
        ngx_http_finalize_request(r, ngx_http_relais_send_reply(r, RELAIS_REPLY_BUSY));
}

ngx_int_t ngx_http_relais_serve_submission(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx)
{
    ngx_int_t rc;

    if (r->method == NGX_HTTP_HEAD)
        return announce(r, ctx);
    if (ngx_http_relais_is_too_large(r) && r->headers_in.expect != NULL)
        return refuse_unread(r, ctx);
    rc = ngx_http_read_client_request_body(r, body_is_read);
    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}
