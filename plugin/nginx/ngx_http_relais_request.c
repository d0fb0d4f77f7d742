/*
 * What a request says: its headers, its query, its user and its body. Texts are copied where
 * a NUL must end them; the body stays where nginx has it.
 */
#include "ngx_http_relais.h"

#include "base/text.h"

/* ---- headers and query ------------------------------------------------------------------ */

ngx_str_t ngx_http_relais_header(const ngx_http_request_t *r, const char *name)
{
    ngx_str_t none = ngx_null_string;
    size_t length = ngx_strlen(name);

    for (const ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL;
         part = part->next) {
        ngx_table_elt_t *header = part->elts;

        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (header[i].key.len == length &&
                ngx_strncasecmp(header[i].key.data, (u_char *)name, length) == 0)
                return header[i].value;
        }
    }
    return none;
}

/* NULL when the header is not there. */
static ngx_int_t header_text(ngx_http_request_t *r, const char *name, const char **out)
{
    ngx_str_t value = ngx_http_relais_header(r, name);

    *out = value.data == NULL ? NULL : ngx_http_relais_text(r, &value);
    return value.data == NULL || *out != NULL ? NGX_OK : NGX_ERROR;
}

static const char *scheme_of(const ngx_http_request_t *r)
{
#if (NGX_HTTP_SSL || NGX_COMPAT)
    if (r->connection->ssl != NULL)
        return "https";
#endif
    return "http";
}

ngx_int_t ngx_http_relais_address(ngx_http_request_t *r, relais_address *out)
{
    ngx_http_core_srv_conf_t *server = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    ngx_memzero(out, sizeof(*out));
    out->scheme = scheme_of(r);
    out->server_name = ngx_http_relais_text(r, &server->server_name);
    if (out->server_name == NULL ||
        header_text(r, "X-Forwarded-Proto", &out->forwarded_proto) != NGX_OK ||
        header_text(r, "X-Forwarded-Host", &out->forwarded_host) != NGX_OK)
        return NGX_ERROR;
    if (r->headers_in.host != NULL)
        out->host = ngx_http_relais_text(r, &r->headers_in.host->value);
    return r->headers_in.host == NULL || out->host != NULL ? NGX_OK : NGX_ERROR;
}

char *ngx_http_relais_text(ngx_http_request_t *r, const ngx_str_t *text)
{
    char *copy = ngx_pnalloc(r->pool, text->len + 1);

    if (copy == NULL)
        return NULL;
    ngx_memcpy(copy, text->data, text->len);
    copy[text->len] = '\0';
    return copy;
}

const char *ngx_http_relais_argument(ngx_http_request_t *r, const char *name)
{
    ngx_str_t value;
    char *text;

    if (ngx_http_arg(r, (u_char *)name, ngx_strlen(name), &value) != NGX_OK)
        return NULL;
    text = ngx_http_relais_text(r, &value);
    if (text != NULL)
        text[relais_percent_decode(text, value.len)] = '\0';
    return text;
}

/* ---- user and body ---------------------------------------------------------------------- */

static ngx_int_t collect_segments(ngx_http_request_t *r, relais_request *request)
{
    ngx_chain_t *body = r->request_body == NULL ? NULL : r->request_body->bufs;
    relais_segment *segments;
    size_t count = 0;

    for (ngx_chain_t *link = body; link != NULL; link = link->next)
        count++;
    segments = ngx_pcalloc(r->pool, (count + 1) * sizeof(relais_segment));
    if (segments == NULL)
        return NGX_ERROR;
    request->segments = segments;
    for (ngx_chain_t *link = body; link != NULL; link = link->next) {
        relais_segment *segment = &segments[request->count];
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
        request->count++;
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

ngx_int_t ngx_http_relais_describe(ngx_http_request_t *r, relais_request *request)
{
    ngx_table_elt_t *type = r->headers_in.content_type;

    request->content_length = r->headers_in.chunked ? -1 : r->headers_in.content_length_n;
    request->user = user_of(r);
    request->device = ngx_http_relais_argument(r, "deviceID");
    if (type != NULL) {
        request->content_type = ngx_http_relais_text(r, &type->value);
        if (request->content_type == NULL)
            return NGX_ERROR;
    }
    return request->user == NULL ? NGX_ERROR : collect_segments(r, request);
}
