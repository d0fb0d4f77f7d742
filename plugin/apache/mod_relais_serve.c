/*
 * Requests of `Relais serve`: which route, which method; the published forms; HEAD and POST
 * submission.
 *
 * A 201 is sent only after relais_intake_commit(): the phone may delete its copy then. No
 * database, no other process and no other request is waited for.
 *
 * A form's id may hold a slash, which phones write %2F and httpd refuses wherever
 * AllowEncodedSlashes is off. In a location that serves it stays as it is written.
 */
#include "mod_relais.h"

#include "openrosa/document.h"
#include "openrosa/intake.h"

#include <apr_portable.h>
#include <sys/stat.h>

/* ---- published documents ---------------------------------------------------------------- */

static apr_status_t close_document(void *document)
{
    relais_document_close(document);
    return APR_SUCCESS;
}

static relais_library library_of(request_rec *r)
{
    return (relais_library){.stores = mod_relais_stores(),
                            .directory = mod_relais_conf_of(r)->forms,
                            .tell = mod_relais_tell,
                            .context = r};
}

static const char *base_url(request_rec *r, relais_arena *arena)
{
    const mod_relais_conf *conf = mod_relais_conf_of(r);
    relais_address address = mod_relais_address(r);

    return conf->base_url != NULL ? conf->base_url : relais_base_url(&address, arena);
}

/* mod_deflate and mod_brotli write their name into the tag of what they have packed. */
static bool is_what_the_phone_has(request_rec *r, const char *etag)
{
    static const char *const suffixes[] = {"", "-gzip", "-br"};
    const char *has = apr_table_get(r->headers_in, "If-None-Match");
    size_t length = has == NULL ? 0 : strlen(has);

    for (size_t i = 0; has != NULL && i < sizeof suffixes / sizeof suffixes[0]; i++) {
        const char *packed =
            apr_psprintf(r->pool, "%.*s%s\"", (int)strlen(etag) - 1, etag, suffixes[i]);

        if (relais_etag_matches(has, length, packed))
            return true;
    }
    return false;
}

static bool is_same_file(apr_file_t *file, int fd)
{
    apr_os_file_t opened;
    struct stat a, b;

    return apr_os_file_get(&opened, file) == APR_SUCCESS && fstat(opened, &a) == 0 &&
           fstat(fd, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* APR closes a descriptor with the last bucket that needs it only when it has opened the
 * file itself. Not mapped into memory, where a file cut short would kill the child. */
static bool add_media(request_rec *r, const relais_document *document, apr_bucket_brigade *out)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    apr_int32_t flags =
        APR_FOPEN_READ | APR_FOPEN_BINARY | AP_SENDFILE_ENABLED(core->enable_sendfile);
    apr_bucket *bucket;
    apr_file_t *file;

    if (apr_file_open(&file, document->path, flags, APR_OS_DEFAULT, r->pool) != APR_SUCCESS ||
        !is_same_file(file, document->fd))
        return false;
    bucket = apr_brigade_insert_file(out, file, 0, (apr_off_t)document->length, r->pool);
    for (; bucket != APR_BRIGADE_SENTINEL(out); bucket = APR_BUCKET_NEXT(bucket)) {
        if (APR_BUCKET_IS_FILE(bucket))
            apr_bucket_file_enable_mmap(bucket, 0);
    }
    return true;
}

static void set_document_headers(request_rec *r, const relais_document *document)
{
    r->content_encoding = NULL; /* what mod_mime made of a name such as list.csv.gz */
    r->content_languages = NULL;
    apr_table_setn(r->headers_out, "ETag", apr_pstrdup(r->pool, document->etag));
    apr_table_setn(r->headers_out, "Cache-Control", "no-cache");
    if (document->fd < 0)
        ap_set_content_type(r, "text/xml; charset=utf-8");
    else if (r->content_type == NULL)
        ap_set_content_type(r, "application/octet-stream");
}

static int send_document(request_rec *r, const relais_document *document)
{
    apr_bucket_brigade *out;

    set_document_headers(r, document);
    if (is_what_the_phone_has(r, document->etag))
        return HTTP_NOT_MODIFIED;
    out = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    if (document->fd < 0)
        apr_brigade_write(out, NULL, NULL, document->bytes, document->length);
    else if (document->length > 0 && !add_media(r, document, out))
        return mod_relais_send_reply(r, RELAIS_REPLY_BUSY);
    if (document->fd >= 0)
        ap_set_accept_ranges(r);
    ap_set_content_length(r, (apr_off_t)document->length);
    APR_BRIGADE_INSERT_TAIL(out, apr_bucket_eos_create(r->connection->bucket_alloc));
    (void)ap_pass_brigade(r->output_filters, out);
    return OK;
}

static int serve_document(request_rec *r, const relais_route *route, relais_arena *arena)
{
    relais_document *document = apr_palloc(r->pool, sizeof *document);
    relais_library library = library_of(r);
    const char *form_id = mod_relais_query(r, "formID");
    const char *url = base_url(r, arena);
    relais_reply reply;
    relais_error err;

    if (url == NULL)
        return HTTP_INTERNAL_SERVER_ERROR;
    relais_error_clear(&err);
    relais_document_init(document);
    apr_pool_cleanup_register(r->pool, document, close_document, apr_pool_cleanup_null);
    reply = relais_document_find(document, &library, route, url, *form_id != '\0' ? form_id : NULL,
                                 &err);
    if (reply == RELAIS_REPLY_RECEIVED)
        return send_document(r, document);
    if (err.code != RELAIS_ERR_NONE)
        mod_relais_log(r, APLOG_WARNING, "not served", &err);
    return mod_relais_send_reply(r, reply);
}

/* ---- submissions ------------------------------------------------------------------------ */

/* 204 is the one status whose headers Collect reads. No Location: it would move the phone. */
static int announce(request_rec *r)
{
    relais_limit limit;

    (void)relais_limit_settle(mod_relais_conf_of(r)->accept_length,
                              mod_relais_body_limit(r->per_dir_config), &limit);
    apr_table_setn(r->headers_out, "X-OpenRosa-Accept-Content-Length",
                   apr_psprintf(r->pool, "%" APR_INT64_T_FMT, (apr_int64_t)limit.announced));
    r->status = HTTP_NO_CONTENT;
    r->content_type = NULL;
    return OK;
}

static relais_reply store(request_rec *r, relais_spool *spool, const mod_relais_body *body,
                          relais_arena *arena, relais_error *err)
{
    relais_library library = library_of(r);
    relais_request request = {
        .content_type = apr_table_get(r->headers_in, "Content-Type"),
        .content_length = mod_relais_content_length(r),
        .segments = &body->segment,
        .count = body->count,
        .source = "serve",
        .user = mod_relais_user(r),
        .device = mod_relais_query(r, "deviceID"),
    };
    relais_parcel_head head;
    relais_staged staged;
    relais_reply reply = relais_library_receive(&library, &request, arena, &head, err);

    if (reply == RELAIS_REPLY_RECEIVED)
        reply = relais_intake_stage(spool, &head, &request, &staged, err);
    if (reply == RELAIS_REPLY_RECEIVED)
        reply = relais_intake_commit(spool, &staged, err);
    return reply;
}

static int receive(request_rec *r, relais_arena *arena)
{
    mod_relais_body body;
    relais_spool *spool;
    relais_reply reply;
    relais_error err;
    bool is_dead;

    relais_error_clear(&err);
    spool = mod_relais_spool(mod_relais_conf_of(r), &err);
    reply = mod_relais_body_read(r, spool, &body, &is_dead, &err);
    if (is_dead)
        return AP_FILTER_ERROR;
    if (reply == RELAIS_REPLY_RECEIVED)
        reply = store(r, spool, &body, arena, &err);
    if (reply != RELAIS_REPLY_RECEIVED)
        mod_relais_log(r, relais_reply_status(reply) >= 500 ? APLOG_ERR : APLOG_WARNING,
                       "a submission was not taken", &err);
    return mod_relais_send_reply(r, reply);
}

static int serve_submission(request_rec *r, const relais_route *route, relais_arena *arena)
{
    (void)route;
    return r->method_number == M_POST ? receive(r, arena) : announce(r);
}

static int serve_nothing(request_rec *r, const relais_route *route, relais_arena *arena)
{
    (void)route;
    (void)arena;
    return mod_relais_send_reply(r, RELAIS_REPLY_NOT_FOUND);
}

/* ---- the routes ------------------------------------------------------------------------- */

enum { GET = 1, HEAD = 2, POST = 4, OTHER = 8 };

static int method_of(const request_rec *r)
{
    if (r->method_number == M_GET)
        return r->header_only ? HEAD : GET;
    return r->method_number == M_POST ? POST : OTHER;
}

static const struct route_rule {
    int methods;
    const char *allow;
    int (*serve)(request_rec *r, const relais_route *route, relais_arena *arena);
} rules[] = {
    [RELAIS_ROUTE_NONE] = {GET | HEAD | POST | OTHER, NULL, serve_nothing},
    [RELAIS_ROUTE_FORM_LIST] = {GET | HEAD, "GET, HEAD", serve_document},
    [RELAIS_ROUTE_FORM] = {GET | HEAD, "GET, HEAD", serve_document},
    [RELAIS_ROUTE_MANIFEST] = {GET | HEAD, "GET, HEAD", serve_document},
    [RELAIS_ROUTE_MEDIA] = {GET | HEAD, "GET, HEAD", serve_document},
    [RELAIS_ROUTE_SUBMISSION] = {HEAD | POST, "HEAD, POST", serve_submission},
};

/* The path below the location as the phone wrote it; where that does not begin as the
 * location does in our own URLs (other encoding, a rewrite), the path as httpd understood
 * it, encoded again. */
static bool path_below(request_rec *r, const char **rest, size_t *length)
{
    const char *location = mod_relais_conf_of(r)->path;
    const char *understood;

    if (relais_path_below(location, r->unparsed_uri, strcspn(r->unparsed_uri, "?#"), rest, length))
        return true;
    understood = ap_os_escape_path(r->pool, r->uri, 1);
    return relais_path_below(location, understood, strlen(understood), rest, length);
}

static int serve(request_rec *r)
{
    const mod_relais_conf *conf = mod_relais_conf_of(r);
    const struct route_rule *rule;
    relais_arena *arena;
    relais_route route;
    relais_error err;
    const char *rest;
    size_t length;

    if (conf->mode != MOD_RELAIS_SERVE || r->main != NULL)
        return DECLINED;
    arena = mod_relais_arena(r);
    if (arena == NULL)
        return HTTP_INTERNAL_SERVER_ERROR;
    relais_error_clear(&err);
    if (!path_below(r, &rest, &length))
        return mod_relais_send_reply(r, RELAIS_REPLY_NOT_FOUND);
    if (!relais_route_parse(rest, length, arena, &route, &err))
        return mod_relais_send_reply(r, RELAIS_REPLY_BAD_REQUEST);
    rule = &rules[route.kind];
    if (method_of(r) & rule->methods)
        return rule->serve(r, &route, arena);
    apr_table_setn(r->headers_out, "Allow", rule->allow);
    return mod_relais_send_reply(r, RELAIS_REPLY_METHOD);
}

/* ---- paths ------------------------------------------------------------------------------ */

/* DONE keeps httpd from decoding again. Only where it would refuse the path: all others go
 * httpd's own way. */
static int keep_encoded_slashes(request_rec *r)
{
    int status;

    if (mod_relais_conf_of(r)->mode != MOD_RELAIS_SERVE || r->parsed_uri.path == NULL ||
        ap_strcasestr(r->parsed_uri.path, "%2f") == NULL)
        return DECLINED;
    status = ap_unescape_url_ex(r->parsed_uri.path,
                                AP_UNESCAPE_URL_KEEP_SLASHES | AP_UNESCAPE_URL_KEEP_UNRESERVED);
    return status == OK ? DONE : status;
}

/* No file of the document root is meant, nor what <Directory> and .htaccess say about it. */
static int map_to_nothing(request_rec *r)
{
    return mod_relais_conf_of(r)->mode == MOD_RELAIS_SERVE ? OK : DECLINED;
}

void mod_relais_serve_hooks(void)
{
    ap_hook_pre_translate_name(keep_encoded_slashes, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_map_to_storage(map_to_nothing, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_handler(serve, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
