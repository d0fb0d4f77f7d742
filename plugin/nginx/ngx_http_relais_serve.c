/*
 * Requests of `relais serve`: which route, which method, and the published forms.
 *
 * Forms, manifests and lists come from a snapshot that the context holds until the last byte
 * is out; media are sent from a descriptor of the very file that was hashed. nginx's own
 * filters make 304, ranges, gzip and sendfile of it.
 */
#include "ngx_http_relais.h"

#include <fcntl.h>

/* A thousand forms (RELAIS_FORMS_MAX) of at most a few KB of names and URLs. */
#define LISTING_MAX (16 * 1024 * 1024)

static const ngx_str_t no_cache = ngx_string("no-cache");

/* ---- the address that the phone used ---------------------------------------------------- */

static bool is_text(ngx_str_t value, const char *text)
{
    return value.len == ngx_strlen(text) &&
           ngx_strncasecmp(value.data, (u_char *)text, value.len) == 0;
}

static const char *scheme_of(ngx_http_request_t *r)
{
    ngx_str_t forwarded = ngx_http_relais_forwarded(r, "X-Forwarded-Proto");

    if (is_text(forwarded, "https"))
        return "https";
    if (is_text(forwarded, "http"))
        return "http";
#if (NGX_HTTP_SSL || NGX_COMPAT)
    if (r->connection->ssl != NULL)
        return "https";
#endif
    return "http";
}

static const char *base_url_of(ngx_http_request_t *r, const ngx_http_relais_loc_conf_t *conf)
{
    ngx_str_t host;
    const char *scheme;
    u_char *url, *end;

    if (conf->base_url.len > 0)
        return (const char *)conf->base_url.data;
    scheme = scheme_of(r);
    host = ngx_http_relais_host(r);
    url = ngx_pnalloc(r->pool, sizeof("https://") + host.len + conf->path.len);
    if (url == NULL)
        return NULL;
    end = ngx_sprintf(url, "%s://%V%V", scheme, &host, &conf->path);
    *end = '\0';
    return (const char *)url;
}

/* ---- in the thread: make the document --------------------------------------------------- */

static void use_bytes(ngx_http_relais_document_t *document, const char *bytes, size_t length)
{
    document->bytes = bytes;
    document->length = length;
}

static relais_reply use_rendered(ngx_http_relais_ctx_t *ctx)
{
    ngx_http_relais_document_t *document = &ctx->document;

    if (!relais_buffer_check(&document->rendered, "the listing", &ctx->error))
        return RELAIS_REPLY_BROKEN;
    use_bytes(document, document->rendered.data, document->rendered.length);
    relais_etag_of(document->bytes, document->length, document->etag);
    return RELAIS_REPLY_RECEIVED;
}

static bool is_what_was_hashed(int fd, const relais_media *media)
{
    struct stat now;

    return fstat(fd, &now) == 0 && S_ISREG(now.st_mode) && now.st_dev == media->device &&
           now.st_ino == media->inode && (uint64_t)now.st_size == media->size &&
           now.st_mtim.tv_sec == media->modified.tv_sec &&
           now.st_mtim.tv_nsec == media->modified.tv_nsec;
}

/* A file being replaced is busy: by the time the phone asks again it is published. */
static relais_reply open_media(ngx_http_relais_ctx_t *ctx, const relais_media *media)
{
    ngx_http_relais_document_t *document = &ctx->document;
    int fd = open(media->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        relais_error_system(&ctx->error, errno, media->path, "a media file cannot be opened");
        return RELAIS_REPLY_BUSY;
    }
    if (!is_what_was_hashed(fd, media)) {
        close(fd);
        relais_error_set(&ctx->error, RELAIS_ERR_CONFIG,
                         "a media file has changed since it was listed");
        relais_error_at(&ctx->error, media->path, 0);
        return RELAIS_REPLY_BUSY;
    }
    document->fd = fd;
    document->path = media->path;
    document->length = media->size;
    relais_etag_from_md5(media->md5, document->etag);
    return RELAIS_REPLY_RECEIVED;
}

static relais_reply make_document(ngx_http_relais_ctx_t *ctx)
{
    ngx_http_relais_document_t *document = &ctx->document;
    const relais_form_entry *form;
    const relais_media *media;

    if (ctx->route.kind == RELAIS_ROUTE_FORM_LIST) {
        relais_form_list_render(document->snapshot, document->base_url, document->form_filter,
                                &document->rendered);
        return use_rendered(ctx);
    }
    form = relais_snapshot_find(document->snapshot, ctx->route.form_id, ctx->route.version);
    if (form == NULL)
        return RELAIS_REPLY_NOT_FOUND;
    if (ctx->route.kind == RELAIS_ROUTE_MANIFEST) {
        relais_manifest_render(form, document->base_url, &document->rendered);
        return use_rendered(ctx);
    }
    if (ctx->route.kind == RELAIS_ROUTE_MEDIA) {
        media = relais_form_media(form, ctx->route.filename);
        return media == NULL ? RELAIS_REPLY_NOT_FOUND : open_media(ctx, media);
    }
    use_bytes(document, form->xml, form->xml_length);
    relais_etag_from_md5(form->md5, document->etag);
    return RELAIS_REPLY_RECEIVED;
}

/* What is not in the present snapshot may have come since, and another worker may have
 * listed it already: then the directory is looked at again before the phone is refused. */
static void find_document(ngx_http_relais_ctx_t *ctx, ngx_log_t *log)
{
    relais_buffer_init(&ctx->document.rendered, LISTING_MAX);
    for (int attempt = 0; attempt < 2; attempt++) {
        if (ctx->document.snapshot != NULL)
            relais_snapshot_release(ctx->document.snapshot);
        relais_error_clear(&ctx->error);
        ctx->document.snapshot = ngx_http_relais_acquire_forms(ctx->conf->forms, attempt > 0, log);
        ctx->reply = ctx->document.snapshot == NULL ? RELAIS_REPLY_BUSY : make_document(ctx);
        if (ctx->reply == RELAIS_REPLY_RECEIVED)
            return;
    }
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

static ngx_int_t set_document_headers(ngx_http_request_t *r,
                                      const ngx_http_relais_document_t *document)
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

static ngx_buf_t *document_buf(ngx_http_request_t *r, const ngx_http_relais_document_t *document)
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
    ctx->document.base_url = base_url_of(r, ctx->conf);
    if (ctx->document.base_url == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    ctx->document.form_filter = ngx_http_relais_argument(r, "formID");
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

static bool starts_with(ngx_str_t text, ngx_str_t prefix)
{
    return text.len >= prefix.len && ngx_memcmp(text.data, prefix.data, prefix.len) == 0;
}

/* The path as the phone wrote it, since a form's id may hold an encoded slash; where that
 * does not begin as the location does in our own URLs (other encoding, a rewrite), the path
 * as nginx understood it, encoded again. */
static ngx_int_t written_path(ngx_http_request_t *r, ngx_str_t prefix, ngx_str_t *path)
{
    uintptr_t escaped;

    *path = r->unparsed_uri;
    path->len = 0;
    while (path->len < r->unparsed_uri.len && path->data[path->len] != '?' &&
           path->data[path->len] != '#')
        path->len++;
    if (r->valid_unparsed_uri && starts_with(*path, prefix))
        return NGX_OK;
    escaped = ngx_escape_uri(NULL, r->uri.data, r->uri.len, NGX_ESCAPE_URI);
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

/* What follows the location's prefix. Collect strips one slash of a server's address at
 * most, so there may be more of them. */
static ngx_int_t rest_of_path(ngx_http_request_t *r, const ngx_http_relais_loc_conf_t *conf,
                              ngx_str_t *rest)
{
    ngx_str_t path;
    size_t start;

    if (written_path(r, conf->path, &path) != NGX_OK)
        return NGX_ERROR;
    start = starts_with(path, conf->path) ? conf->path.len : path.len;
    ngx_str_null(rest);
    if (start == path.len || path.data[start] != '/')
        return NGX_OK;
    while (start < path.len && path.data[start] == '/')
        start++;
    rest->data = path.data + start;
    rest->len = path.len - start;
    return NGX_OK;
}

ngx_int_t ngx_http_relais_serve(ngx_http_request_t *r)
{
    ngx_http_relais_ctx_t *ctx = ngx_http_relais_get_ctx(r);
    const struct route_rule *rule;
    ngx_str_t rest;

    if (ctx == NULL || rest_of_path(r, ctx->conf, &rest) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (!relais_route_parse((const char *)rest.data, rest.len, ctx->arena, &ctx->route,
                            &ctx->error))
        return refuse(r, RELAIS_REPLY_BAD_REQUEST);
    rule = &rules[ctx->route.kind];
    if (r->method & rule->methods)
        return rule->serve(r, ctx);
    if (ngx_http_relais_add_header(r, "Allow", &rule->allow) == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    return refuse(r, RELAIS_REPLY_METHOD);
}
