/*
 * HEAD and POST submission.
 *
 * A 201 is sent only after relais_spool_commit() has returned true: the phone may delete its
 * copy then. No database, no other process and no other request is waited for. nginx has the
 * whole body, in memory or in its temporary file, before the one task of a submission runs:
 * judge it, write it to the spool, commit it.
 */
#include "ngx_http_relais.h"

#include "openrosa/receive.h"

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

static bool is_in_snapshot(ngx_http_relais_ctx_t *ctx, const char *form_id, bool force,
                           ngx_log_t *log)
{
    relais_snapshot *snapshot = ngx_http_relais_acquire_forms(ctx->conf->forms, force, log);
    bool is_known;

    if (snapshot == NULL) {
        ctx->submission.forms_missing = true;
        return false;
    }
    is_known = relais_snapshot_find(snapshot, form_id, NULL) != NULL;
    relais_snapshot_release(snapshot);
    return is_known;
}

struct known_form {
    ngx_http_relais_ctx_t *ctx;
    ngx_log_t *log;
};

static bool is_known_form(void *context, const char *form_id)
{
    const struct known_form *known = context;

    return is_in_snapshot(known->ctx, form_id, false, known->log) ||
           is_in_snapshot(known->ctx, form_id, true, known->log);
}

static relais_reply judge(ngx_http_relais_ctx_t *ctx, relais_parcel_head *head, ngx_log_t *log)
{
    ngx_http_relais_submission_t *submission = &ctx->submission;
    struct known_form known = {ctx, log};
    relais_request request = {
        .content_type = submission->content_type,
        .content_length = submission->content_length,
        .segments = submission->segments,
        .count = submission->count,
        .source = "serve",
        .user = submission->user,
        .device = submission->device,
    };
    relais_reply reply =
        relais_receive(&request, is_known_form, &known, ctx->arena, head, &ctx->error);

    return submission->forms_missing && reply == RELAIS_REPLY_UNKNOWN_FORM ? RELAIS_REPLY_BUSY
                                                                           : reply;
}

static relais_reply reply_for_spool(const relais_error *err)
{
    bool is_full = err->code == RELAIS_ERR_FULL ||
                   (err->code == RELAIS_ERR_SYSTEM && (err->sys == ENOSPC || err->sys == EDQUOT));

    return is_full ? RELAIS_REPLY_FULL : RELAIS_REPLY_BUSY;
}

static relais_reply store(ngx_http_relais_ctx_t *ctx, relais_spool *spool,
                          const relais_parcel_head *head)
{
    ngx_http_relais_submission_t *submission = &ctx->submission;
    relais_staged staged;

    if (!relais_spool_stage(spool, head, submission->segments, submission->count, &staged,
                            &ctx->error))
        return reply_for_spool(&ctx->error);
    if (!relais_spool_commit(spool, &staged, &ctx->error)) {
        relais_spool_abort(spool, &staged);
        return reply_for_spool(&ctx->error);
    }
    return RELAIS_REPLY_RECEIVED;
}

static void receive(ngx_http_relais_ctx_t *ctx, ngx_log_t *log)
{
    relais_parcel_head head;
    relais_spool *spool;

    relais_parcel_head_init(&head);
    ctx->reply = judge(ctx, &head, log);
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

static ngx_int_t collect_segments(ngx_http_request_t *r, ngx_http_relais_submission_t *submission)
{
    ngx_chain_t *body = r->request_body == NULL ? NULL : r->request_body->bufs;
    size_t count = 0;

    for (ngx_chain_t *link = body; link != NULL; link = link->next)
        count++;
    submission->segments = ngx_pcalloc(r->pool, (count + 1) * sizeof(relais_segment));
    if (submission->segments == NULL)
        return NGX_ERROR;
    for (ngx_chain_t *link = body; link != NULL; link = link->next) {
        relais_segment *segment = &submission->segments[submission->count];
        ngx_buf_t *buf = link->buf;

        if (ngx_buf_size(buf) == 0)
            continue;
        segment->length = (size_t)ngx_buf_size(buf);
        segment->fd = -1;
        if (ngx_buf_in_memory(buf)) {
            segment->data = buf->pos;
        } else {
            segment->fd = buf->file->fd;
            segment->offset = buf->file_pos;
        }
        submission->count++;
    }
    return NGX_OK;
}

static const char *user_of(ngx_http_request_t *r)
{
    ngx_http_relais_main_conf_t *conf = ngx_http_get_module_main_conf(r, ngx_http_relais_module);
    ngx_http_variable_value_t *value = ngx_http_get_indexed_variable(r, (ngx_uint_t)conf->user);
    ngx_str_t name;

    if (value == NULL || value->not_found)
        return "";
    name.data = value->data;
    name.len = value->len;
    return ngx_http_relais_text(r, &name);
}

static ngx_int_t describe(ngx_http_request_t *r, ngx_http_relais_submission_t *submission)
{
    ngx_table_elt_t *type = r->headers_in.content_type;

    submission->content_length = r->headers_in.chunked ? -1 : r->headers_in.content_length_n;
    submission->user = user_of(r);
    submission->device = ngx_http_relais_argument(r, "deviceID");
    if (submission->device == NULL)
        submission->device = "";
    if (type != NULL) {
        submission->content_type = ngx_http_relais_text(r, &type->value);
        if (submission->content_type == NULL)
            return NGX_ERROR;
    }
    return submission->user == NULL ? NGX_ERROR : collect_segments(r, submission);
}

static void body_is_read(ngx_http_request_t *r)
{
    ngx_http_relais_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_relais_module);

    if (describe(r, &ctx->submission) != NGX_OK) {
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
    rc = ngx_http_read_client_request_body(r, body_is_read);
    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}
