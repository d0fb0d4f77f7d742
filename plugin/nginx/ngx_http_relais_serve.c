/*
 * Requests of `relais serve`: which route, which method, and the published forms.
 *
 * Forms, manifests and lists come from a snapshot that the context holds until the last byte
 * is out; media are sent from a descriptor of the very file that was hashed. nginx's own
 * filters make 304, ranges, gzip and sendfile of it.
 */
#include "ngx_http_relais.h"

static const ngx_str_t no_cache = ngx_string("no-cache");

static const char *base_url_of(ngx_http_request_t *r, const ngx_http_relais_ctx_t *ctx)
{
    relais_address address;

    if (ctx->conf->base_url.len > 0)
        return (const char *)ctx->conf->base_url.data;
    if (ngx_http_relais_address(r, &address) != NGX_OK)
        return NULL;
    address.path = (const char *)ctx->conf->path.data;
    return relais_base_url(&address, ctx->arena);
}

/* In the thread. */
static void find_document(ngx_http_relais_ctx_t *ctx, ngx_log_t *log)
{
    relais_library library = ngx_http_relais_library(ctx->conf->forms, log);

    ctx->reply = relais_document_find(&ctx->document, &library, &ctx->route, ctx->base_url,
                                      ctx->form_filter, &ctx->error);
}

/* ---- in the event loop: send it --------------------------------------------------------- */

/* nginx's default_type is text/plain, which tells a phone nothing true about a file. */
static ngx_int_t set_media_type(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (ngx_http_set_content_type(r) != NGX_OK)
        return NGX_ERROR;
    if (r->headers_out.content_type.data == core->default_type.data) {
        ngx_str_set(&r->headers_out.content_type, "application/octet-stream");
        r->headers_out.content_type_len = r->headers_out.content_type.len;
    }
    return NGX_OK;
}

static void set_xml_type(ngx_http_request_t *r)
{
    ngx_str_set(&r->headers_out.content_type, "text/xml");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    ngx_str_set(&r->headers_out.charset, "utf-8");
}

static ngx_int_t set_document_headers(ngx_http_request_t *r, const relais_document *document)
{
    ngx_str_t etag = {ngx_strlen(document->etag), (u_char *)document->etag};

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = (off_t)document->length;
    r->headers_out.etag = ngx_http_relais_add_header(r, "ETag", &etag);
    if (r->headers_out.etag == NULL ||
        ngx_http_relais_add_header(r, "Cache-Control", &no_cache) == NULL)
        return NGX_ERROR;
    if (document->fd < 0) {
        set_xml_type(r);
        return NGX_OK;
    }
    r->allow_ranges = 1;
    return set_media_type(r);
}

static ngx_buf_t *document_buf(ngx_http_request_t *r, const relais_document *document)
{
    ngx_buf_t *buf = ngx_calloc_buf(r->pool);

    if (buf == NULL)
        return NULL;
    buf->last_buf = r == r->main;
    buf->last_in_chain = 1;
    if (document->length == 0)
        return buf;
    if (document->fd < 0) {
        buf->pos = buf->start = (u_char *)document->bytes;
        buf->last = buf->end = buf->pos + document->length;
        buf->memory = 1;
        return buf;
    }
    buf->file = ngx_pcalloc(r->pool, sizeof(ngx_file_t));
    if (buf->file == NULL)
        return NULL;
    buf->in_file = 1;
    buf->file_last = (off_t)document->length;
    buf->file->fd = document->fd;
    buf->file->name.data = (u_char *)document->path;
    buf->file->name.len = ngx_strlen(document->path);
    buf->file->log = r->connection->log;
    return buf;
}

static ngx_int_t send_document(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx)
{
    ngx_chain_t out = {NULL, NULL};
    ngx_int_t rc;

    if (ctx->reply != RELAIS_REPLY_RECEIVED) {
        if (ctx->error.code != RELAIS_ERR_NONE)
            ngx_http_relais_log(r->connection->log, NGX_LOG_WARN, "not served", &ctx->error);
        return ngx_http_relais_send_reply(r, ctx->reply);
    }
    out.buf = document_buf(r, &ctx->document);
    if (out.buf == NULL || set_document_headers(r, &ctx->document) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only)
        return rc;
    return ngx_http_output_filter(r, &out);
}

/* ---- the routes ------------------------------------------------------------------------- */

/* Sends a refusal to a request whose body nobody wants. */
static ngx_int_t refuse(ngx_http_request_t *r, relais_reply reply)
{
    ngx_int_t rc = ngx_http_discard_request_body(r);

    return rc == NGX_OK ? ngx_http_relais_send_reply(r, reply) : rc;
}

static ngx_int_t serve_nothing(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx)
{
    (void)ctx;
    return refuse(r, RELAIS_REPLY_NOT_FOUND);
}

static ngx_int_t serve_document(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx)
{
    ngx_int_t rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK)
        return rc;
    ctx->base_url = base_url_of(r, ctx);
    if (ctx->base_url == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    ctx->form_filter = ngx_http_relais_argument(r, "formID");
    ctx->run = find_document;
    ctx->finish = send_document;
    if (ngx_http_relais_post_task(r, ctx) != NGX_OK)
        return ngx_http_relais_send_reply(r, RELAIS_REPLY_BUSY);
    r->main->count++;
    return NGX_DONE;
}

#define ANY_METHOD ((ngx_uint_t)-1)

static const struct route_rule {
    ngx_uint_t methods;
    ngx_str_t allow;
    ngx_int_t (*serve)(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx);
} rules[] = {
    [RELAIS_ROUTE_NONE] = {ANY_METHOD, ngx_null_string, serve_nothing},
    [RELAIS_ROUTE_FORM_LIST] = {NGX_HTTP_GET | NGX_HTTP_HEAD, ngx_string("GET, HEAD"),
                                serve_document},
    [RELAIS_ROUTE_FORM] = {NGX_HTTP_GET | NGX_HTTP_HEAD, ngx_string("GET, HEAD"), serve_document},
    [RELAIS_ROUTE_MANIFEST] = {NGX_HTTP_GET | NGX_HTTP_HEAD, ngx_string("GET, HEAD"),
                               serve_document},
    [RELAIS_ROUTE_MEDIA] = {NGX_HTTP_GET | NGX_HTTP_HEAD, ngx_string("GET, HEAD"), serve_document},
    [RELAIS_ROUTE_SUBMISSION] = {NGX_HTTP_HEAD | NGX_HTTP_POST, ngx_string("HEAD, POST"),
                                 ngx_http_relais_serve_submission},
};

static size_t path_length(ngx_str_t uri)
{
    size_t length = 0;

    while (length < uri.len && uri.data[length] != '?' && uri.data[length] != '#')
        length++;
    return length;
}

static ngx_int_t encode_path(ngx_http_request_t *r, ngx_str_t *path)
{
    uintptr_t escaped = ngx_escape_uri(NULL, r->uri.data, r->uri.len, NGX_ESCAPE_URI);

    *path = r->uri;
    if (escaped == 0)
        return NGX_OK;
    path->len += 2 * escaped;
    path->data = ngx_pnalloc(r->pool, path->len);
    if (path->data == NULL)
        return NGX_ERROR;
    ngx_escape_uri(path->data, r->uri.data, r->uri.len, NGX_ESCAPE_URI);
    return NGX_OK;
}

/* The path below the location as the phone wrote it, since a form's id may hold an encoded
 * slash; where that does not begin as the location does in our own URLs (other encoding, a
 * rewrite), the path as nginx understood it, encoded again. */
static ngx_int_t path_below(ngx_http_request_t *r, const ngx_http_relais_loc_conf_t *conf,
                            const char **rest, size_t *length)
{
    const char *location = (const char *)conf->path.data;
    ngx_str_t path;

    if (r->valid_unparsed_uri && relais_path_below(location, (const char *)r->unparsed_uri.data,
                                                   path_length(r->unparsed_uri), rest, length))
        return NGX_OK;
    if (encode_path(r, &path) != NGX_OK)
        return NGX_ERROR;
    if (!relais_path_below(location, (const char *)path.data, path.len, rest, length)) {
        *rest = "";
        *length = 0;
    }
    return NGX_OK;
}

ngx_int_t ngx_http_relais_serve(ngx_http_request_t *r)
{
    ngx_http_relais_ctx_t *ctx = ngx_http_relais_get_ctx(r);
    const struct route_rule *rule;
    const char *rest;
    size_t length;

    if (ctx == NULL || path_below(r, ctx->conf, &rest, &length) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (!relais_route_parse(rest, length, ctx->arena, &ctx->route, &ctx->error))
        return refuse(r, RELAIS_REPLY_BAD_REQUEST);
    rule = &rules[ctx->route.kind];
    if (r->method & rule->methods)
        return rule->serve(r, ctx);
    if (ngx_http_relais_add_header(r, "Allow", &rule->allow) == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    return refuse(r, RELAIS_REPLY_METHOD);
}
