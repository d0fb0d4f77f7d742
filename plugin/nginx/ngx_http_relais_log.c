/*
 * Log lines.
 *
 * The URL of an existing server's submission path may hold the token of an app user
 * (/v1/key/TOKEN/projects/1/submission), and nginx ends every line about a request with the
 * request's line and the upstream's URL. For captured requests this file ends it without them.
 * nginx's access log is the administrator's own affair: see plugin/README.md.
 */
#include "ngx_http_relais.h"

void ngx_http_relais_log(ngx_log_t *log, ngx_uint_t level, const char *what,
                         const relais_error *err)
{
    char text[sizeof(err->text) + sizeof(err->path) + 128];

    ngx_log_error(level, log, 0, "relais: %s: %s", what,
                  relais_error_format(err, text, sizeof(text)));
}

/* ---- the end of nginx's lines about a captured request ---------------------------------- */

/* What nginx itself would write; the same function for every request. */
static ngx_http_log_handler_pt full_place;

static bool has_secret_path(const ngx_http_request_t *r)
{
    const ngx_http_relais_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_relais_module);

    return conf->mode == NGX_HTTP_RELAIS_CAPTURE || ngx_http_relais_find_capture(r) != NULL;
}

static u_char *write_place(ngx_http_request_t *r, ngx_http_request_t *sr, u_char *out, size_t size)
{
    ngx_http_core_srv_conf_t *server;
    ngx_str_t *peer = NULL;
    u_char *end = out + size;

    if (!has_secret_path(r->main))
        return full_place(r, sr, out, size);
    server = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
    out = ngx_slprintf(out, end, ", server: %V, request: \"%V (path not logged)\"",
                       &server->server_name, &r->method_name);
    if (sr->upstream != NULL)
        peer = sr->upstream->peer.name;
    if (peer != NULL)
        out = ngx_slprintf(out, end, ", upstream: \"%V\"", peer);
    if (r->headers_in.host != NULL)
        out = ngx_slprintf(out, end, ", host: \"%V\"", &r->headers_in.host->value);
    return out;
}

/* First of all phases: whether the location captures is only known when a line is written. */
static ngx_int_t take_log(ngx_http_request_t *r)
{
    if (r->log_handler != write_place) {
        full_place = r->log_handler;
        r->log_handler = write_place;
    }
    return NGX_DECLINED;
}

ngx_int_t ngx_http_relais_init_log(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    ngx_http_handler_pt *handler = ngx_array_push(&core->phases[NGX_HTTP_POST_READ_PHASE].handlers);

    if (handler == NULL)
        return NGX_ERROR;
    *handler = take_log;
    return NGX_OK;
}
