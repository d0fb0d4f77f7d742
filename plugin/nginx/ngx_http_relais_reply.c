/*
 * OpenRosaResponse documents: our own answers to submissions, and every error that nginx or
 * another module produces in a location that serves.
 *
 * Collect shows its user the message of such a document and nothing of an HTML page, so a
 * header filter gives each status of 400 and above its document and a body filter puts it in
 * the place of nginx's page. Other headers (WWW-Authenticate, Allow) stay as they are.
 */
#include "ngx_http_relais.h"

/* A message is a few hundred bytes. */
#define REPLY_MAX 8192

/* What a phone that is asked to wait should wait; 0 would make OkHttp send again at once. */
static const ngx_str_t retry_after = ngx_string("30");
static const ngx_str_t openrosa_version = ngx_string("1.0");

static ngx_http_output_header_filter_pt next_header_filter;
static ngx_http_output_body_filter_pt next_body_filter;

/* ---- headers ---------------------------------------------------------------------------- */

ngx_table_elt_t *ngx_http_relais_add_header(ngx_http_request_t *r, const char *name,
                                            const ngx_str_t *value)
{
    ngx_table_elt_t *header = ngx_list_push(&r->headers_out.headers);

    if (header == NULL)
        return NULL;
    ngx_memzero(header, sizeof(*header));
    header->hash = 1;
    header->key.data = (u_char *)name;
    header->key.len = ngx_strlen(name);
    header->value = *value;
    return header;
}

/* ---- the document ----------------------------------------------------------------------- */

static ngx_buf_t *render(ngx_http_request_t *r, const ngx_http_relais_ctx_t *ctx,
                         relais_reply reply)
{
    ngx_str_t accept = ngx_http_relais_header(r, "Accept-Language");
    relais_language language = relais_reply_language((const char *)accept.data, accept.len);
    relais_buffer text;
    ngx_buf_t *page;

    relais_buffer_init(&text, REPLY_MAX);
    relais_reply_render(reply, language, (unsigned)ctx->conf->limit_mb, &text);
    page = text.failed == RELAIS_ERR_NONE ? ngx_create_temp_buf(r->pool, text.length) : NULL;
    if (page != NULL) {
        page->last = ngx_cpymem(page->last, text.data, text.length);
        page->last_buf = r == r->main;
        page->last_in_chain = 1;
    }
    relais_buffer_free(&text);
    return page;
}

/* Makes the response's headers those of the document. */
static ngx_int_t prepare(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx, relais_reply reply)
{
    ctx->page = render(r, ctx, reply);
    if (ctx->page == NULL)
        return NGX_ERROR;
    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_etag(r);
    r->headers_out.content_length_n = ctx->page->last - ctx->page->pos;
    ngx_str_set(&r->headers_out.content_type, "text/xml");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    ngx_str_set(&r->headers_out.charset, "utf-8");
    if (r->headers_out.status == NGX_HTTP_SERVICE_UNAVAILABLE &&
        ngx_http_relais_add_header(r, "Retry-After", &retry_after) == NULL)
        return NGX_ERROR;
    return NGX_OK;
}

ngx_int_t ngx_http_relais_replace(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx,
                                  relais_reply reply, ngx_uint_t status)
{
    ngx_http_clean_header(r);
    r->err_status = 0;
    r->header_only = 0;
    r->headers_out.status = status;
    if (ngx_http_relais_add_header(r, "X-OpenRosa-Version", &openrosa_version) == NULL)
        return NGX_ERROR;
    ctx->has_version = true;
    return prepare(r, ctx, reply);
}

ngx_int_t ngx_http_relais_send_reply(ngx_http_request_t *r, relais_reply reply)
{
    ngx_http_relais_ctx_t *ctx = ngx_http_relais_get_ctx(r);
    ngx_chain_t out = {NULL, NULL};
    ngx_int_t rc;

    if (ctx == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    r->err_status = 0; /* an error_page's, which nginx would put in the place of ours */
    r->headers_out.status = relais_reply_status(reply);
    ctx->body = NGX_HTTP_RELAIS_BODY_OWN;
    if (prepare(r, ctx, reply) != NGX_OK)
        return NGX_ERROR;
    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only)
        return rc;
    out.buf = ctx->page;
    return ngx_http_output_filter(r, &out);
}

/* ---- filters ---------------------------------------------------------------------------- */

static ngx_int_t filter_header(ngx_http_request_t *r)
{
    ngx_http_relais_loc_conf_t *conf = ngx_http_get_module_loc_conf(r, ngx_http_relais_module);
    ngx_http_relais_ctx_t *ctx;

    if (conf->mode != NGX_HTTP_RELAIS_SERVE || r != r->main)
        return next_header_filter(r);
    ctx = ngx_http_relais_get_ctx(r);
    if (ctx == NULL)
        return NGX_ERROR;
    if (!ctx->has_version &&
        ngx_http_relais_add_header(r, "X-OpenRosa-Version", &openrosa_version) == NULL)
        return NGX_ERROR;
    ctx->has_version = true;
    if (r->headers_out.status >= NGX_HTTP_BAD_REQUEST &&
        ctx->body == NGX_HTTP_RELAIS_BODY_FOREIGN) {
        if (prepare(r, ctx, relais_reply_for_status((unsigned)r->headers_out.status)) != NGX_OK)
            return NGX_ERROR;
        ctx->body = NGX_HTTP_RELAIS_BODY_REPLACE;
    }
    return next_header_filter(r);
}

void ngx_http_relais_swallow(ngx_chain_t *in)
{
    for (; in != NULL; in = in->next) {
        in->buf->pos = in->buf->last;
        in->buf->file_pos = in->buf->file_last;
    }
}

static ngx_int_t filter_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_relais_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_relais_module);
    ngx_chain_t out = {NULL, NULL};

    if (ctx == NULL || r != r->main || in == NULL)
        return next_body_filter(r, in);
    switch (ctx->body) {
    case NGX_HTTP_RELAIS_BODY_FOREIGN:
    case NGX_HTTP_RELAIS_BODY_OWN:
        return next_body_filter(r, in);
    case NGX_HTTP_RELAIS_BODY_REPLACE:
        ngx_http_relais_swallow(in);
        ctx->body = NGX_HTTP_RELAIS_BODY_REPLACED;
        out.buf = ctx->page;
        return next_body_filter(r, &out);
    case NGX_HTTP_RELAIS_BODY_REPLACED:
        ngx_http_relais_swallow(in);
        return next_body_filter(r, NULL);
    }
    return NGX_ERROR;
}

ngx_int_t ngx_http_relais_init_filters(void)
{
    next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = filter_header;
    next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = filter_body;
    return NGX_OK;
}
