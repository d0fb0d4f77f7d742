/*
 * OpenRosaResponse documents: our own answers to submissions, and every error that httpd or
 * another module produces in a location that serves.
 *
 * Collect shows its user the message of such a document and nothing of an HTML page. So each
 * error gets a filter that puts the document in the place of httpd's page, and ErrorDocument
 * is not followed there. Other headers (WWW-Authenticate, Allow) stay as they are.
 */
#include "mod_relais.h"

/* A message is a few hundred bytes. */
#define REPLY_MAX 8192

/* What a phone that is asked to wait should wait; 0 would make OkHttp send again at once. */
#define RETRY_AFTER "30"

static ap_filter_rec_t *error_filter;

/* ---- the document ----------------------------------------------------------------------- */

static unsigned limit_megabytes(const request_rec *r)
{
    const mod_relais_conf *conf = mod_relais_conf_of(r);
    relais_limit limit;

    (void)relais_limit_settle(conf->accept_length, mod_relais_body_limit(r->per_dir_config),
                              &limit);
    return limit.megabytes;
}

/* Without memory the document is empty; the status alone says as much. */
static void write_document(request_rec *r, relais_reply reply, apr_bucket_brigade *out)
{
    const char *accept = apr_table_get(r->headers_in, "Accept-Language");
    relais_language language = relais_reply_language(accept, accept == NULL ? 0 : strlen(accept));
    relais_buffer text;

    relais_buffer_init(&text, REPLY_MAX);
    relais_reply_render(reply, language, limit_megabytes(r), &text);
    if (text.failed != RELAIS_ERR_NONE)
        relais_buffer_reset(&text);
    apr_brigade_write(out, NULL, NULL, text.data, text.length);
    ap_set_content_length(r, (apr_off_t)text.length);
    relais_buffer_free(&text);
}

apr_bucket_brigade *mod_relais_render_reply(request_rec *r, relais_reply reply, int status)
{
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    apr_bucket_brigade *out = apr_brigade_create(r->pool, alloc);

    r->status = status;
    r->status_line = NULL;
    r->content_encoding = NULL;
    r->content_languages = NULL;
    apr_table_unset(r->headers_out, "Content-Encoding");
    apr_table_unset(r->headers_out, "Last-Modified");
    apr_table_unset(r->headers_out, "ETag");
    apr_table_setn(r->err_headers_out, "X-OpenRosa-Version", "1.0");
    apr_table_unset(r->headers_out, "X-OpenRosa-Version");
    if (status == HTTP_SERVICE_UNAVAILABLE)
        apr_table_setn(r->err_headers_out, "Retry-After", RETRY_AFTER);
    ap_set_content_type(r, "text/xml; charset=utf-8");
    write_document(r, reply, out);
    APR_BRIGADE_INSERT_TAIL(out, apr_bucket_eos_create(alloc));
    return out;
}

int mod_relais_send_reply(request_rec *r, relais_reply reply)
{
    apr_bucket_brigade *out = mod_relais_render_reply(r, reply, (int)relais_reply_status(reply));

    /* A phone that is gone is not an error of the server. */
    (void)ap_pass_brigade(r->output_filters, out);
    return OK;
}

/* ---- errors of httpd itself ------------------------------------------------------------- */

static apr_status_t speak(ap_filter_t *f, apr_bucket_brigade *page)
{
    request_rec *r = f->r;
    bool *is_done = f->ctx;

    if (!*is_done && !ap_is_HTTP_ERROR(r->status)) {
        ap_remove_output_filter(f);
        return ap_pass_brigade(f->next, page);
    }
    apr_brigade_cleanup(page);
    if (*is_done)
        return APR_SUCCESS;
    *is_done = true;
    return ap_pass_brigade(
        f->next,
        mod_relais_render_reply(r, relais_reply_for_status((unsigned)r->status), r->status));
}

static void insert_error_filter(request_rec *r)
{
    if (r->main == NULL && mod_relais_conf_of(r)->mode == MOD_RELAIS_SERVE)
        ap_add_output_filter_handle(error_filter, apr_pcalloc(r->pool, sizeof(bool)), r,
                                    r->connection);
}

/* An empty text of httpd's own takes the place of every ErrorDocument. */
static void forget_error_documents(request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);

    if (core->response_code_exprs == NULL)
        return;
    for (int status = HTTP_BAD_REQUEST; status < 600; status++) {
        if (ap_index_of_response(status) != ap_index_of_response(HTTP_INTERNAL_SERVER_ERROR) ||
            status == HTTP_INTERNAL_SERVER_ERROR)
            ap_custom_response(r, status, "");
    }
}

static int prepare_answer(request_rec *r)
{
    if (mod_relais_conf_of(r)->mode != MOD_RELAIS_SERVE)
        return DECLINED;
    apr_table_setn(r->err_headers_out, "X-OpenRosa-Version", "1.0");
    forget_error_documents(r);
    return OK;
}

void mod_relais_reply_hooks(void)
{
    error_filter = ap_register_output_filter("RELAIS_ERROR", speak, NULL, AP_FTYPE_RESOURCE);
    ap_hook_header_parser(prepare_answer, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_insert_error_filter(insert_error_filter, NULL, NULL, APR_HOOK_LAST);
}
