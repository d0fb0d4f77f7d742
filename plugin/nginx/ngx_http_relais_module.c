/*
 * Relais in nginx: directives, their checks, and the life of a worker.
 *
 *   location /openrosa/ {
 *       relais serve;                  # an OpenRosa server for ODK Collect, below this path
 *       relais_spool  /var/spool/relais;
 *       relais_forms  /srv/relais/forms;
 *   }
 *
 *   location = /submission {
 *       relais capture;                # a copy of every submission that the upstream accepts
 *       relais_spool  /var/spool/relais;
 *       proxy_pass    http://odk;      # or uwsgi_pass, scgi_pass...
 *   }
 *
 *   relais serve | capture | off       location
 *   relais_capture_statuses CODE...    the upstream's answers that commit the copy (201 202)
 *   relais_spool DIR                   where submissions go (made by the forwarder's user)
 *   relais_forms DIR                   the published forms and their media
 *   relais_base_url URL                address of the location as phones know it; default:
 *                                      X-Forwarded-Proto and -Host, or the connection's own
 *   relais_accept_length SIZE          what HEAD submission announces; default:
 *                                      client_max_body_size less 64k for what multipart adds
 *   relais_spool_floor SIZE            free space below which phones are asked to wait (256m)
 *   relais_thread_pool NAME            the pool for blocking work (default)
 *
 * A parcel's user is $remote_user: the name that auth_basic has checked, or, in a location
 * without authentication, what the phone claims; where it captures, the upstream has checked it.
 *
 * All but the first may stand in http, server and location. Relative paths begin at nginx's
 * prefix. In a location that serves, an error page inherited from outside is left out, for
 * no phone can show one, and a refused body is drained for at least five minutes, so
 * that the phone reads the answer and not a broken connection. A location that captures goes
 * on when the phone leaves (proxy_ignore_client_abort and its sisters are set on), or nobody would
 * know what the upstream has made of the submission.
 */
#include "ngx_http_relais.h"

#include <libxml/parser.h>

#define SPOOL_FLOOR (256 * 1024 * 1024)

/* A stall of half a minute is common in the field. */
#define LINGER_TIMEOUT 30000

/* ---- directives ------------------------------------------------------------------------- */

static char *set_mode(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    ngx_http_relais_loc_conf_t *conf = data;
    ngx_http_core_loc_conf_t *core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    ngx_str_t *value = cf->args->elts;

    (void)command;
    if (conf->mode != NGX_CONF_UNSET_UINT)
        return "is duplicate";
    conf->file = cf->conf_file->file.name;
    conf->line = cf->conf_file->line;
    if (ngx_strcmp(value[1].data, "off") == 0) {
        conf->mode = NGX_HTTP_RELAIS_OFF;
        return NGX_CONF_OK;
    }
    if (ngx_strcmp(value[1].data, "serve") == 0) {
        conf->mode = NGX_HTTP_RELAIS_SERVE;
        core->handler = ngx_http_relais_serve;
        return NGX_CONF_OK;
    }
    if (ngx_strcmp(value[1].data, "capture") == 0) {
        conf->mode = NGX_HTTP_RELAIS_CAPTURE;
        return NGX_CONF_OK;
    }
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown word \"%V\"; write \"relais serve\", \"relais capture\" or "
                       "\"relais off\"",
                       &value[1]);
    return NGX_CONF_ERROR;
}

static char *set_statuses(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    ngx_http_relais_loc_conf_t *conf = data;
    ngx_str_t *value = cf->args->elts;

    (void)command;
    if (conf->statuses != NULL)
        return "is duplicate";
    conf->statuses = ngx_array_create(cf->pool, cf->args->nelts, sizeof(ngx_uint_t));
    if (conf->statuses == NULL)
        return NGX_CONF_ERROR;
    for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
        ngx_int_t status = ngx_atoi(value[i].data, value[i].len);

        if (status < NGX_HTTP_OK || status >= NGX_HTTP_SPECIAL_RESPONSE)
            return "needs statuses from 200 to 299";
        *(ngx_uint_t *)ngx_array_push(conf->statuses) = (ngx_uint_t)status;
    }
    return NGX_CONF_OK;
}

static char *set_path(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    ngx_str_t *path = (ngx_str_t *)((char *)data + command->offset);
    char *result = ngx_conf_set_str_slot(cf, command, data);

    if (result != NGX_CONF_OK)
        return result;
    if (path->len == 0)
        return "needs a directory";
    return ngx_conf_full_name(cf->cycle, path, 0) == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}

static char *set_base_url(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    ngx_http_relais_loc_conf_t *conf = data;
    ngx_str_t *url = &conf->base_url;
    char *result = ngx_conf_set_str_slot(cf, command, data);

    if (result != NGX_CONF_OK)
        return result;
    if (ngx_strncasecmp(url->data, (u_char *)"http://", 7) != 0 &&
        ngx_strncasecmp(url->data, (u_char *)"https://", 8) != 0)
        return "needs a whole address, such as \"https://forms.example.org/openrosa\"";
    while (url->len > 0 && url->data[url->len - 1] == '/')
        url->len--;
    url->data[url->len] = '\0';
    return NGX_CONF_OK;
}

static char *set_accept_length(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    ngx_http_relais_loc_conf_t *conf = data;
    char *result = ngx_conf_set_off_slot(cf, command, data);

    return result == NGX_CONF_OK && conf->accept_length == 0 ? "must be above 0" : result;
}

#define PLACES   (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF)
#define ANYWHERE (PLACES | NGX_CONF_TAKE1)

#define SLOT(member) NGX_HTTP_LOC_CONF_OFFSET, offsetof(ngx_http_relais_loc_conf_t, member), NULL

static ngx_command_t commands[] = {
    {ngx_string("relais"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1, set_mode, SLOT(mode)},
    {ngx_string("relais_capture_statuses"), PLACES | NGX_CONF_1MORE, set_statuses, SLOT(statuses)},
    {ngx_string("relais_spool"), ANYWHERE, set_path, SLOT(spool_path)},
    {ngx_string("relais_forms"), ANYWHERE, set_path, SLOT(forms_path)},
    {ngx_string("relais_base_url"), ANYWHERE, set_base_url, SLOT(base_url)},
    {ngx_string("relais_accept_length"), ANYWHERE, set_accept_length, SLOT(accept_length)},
    {ngx_string("relais_spool_floor"), ANYWHERE, ngx_conf_set_off_slot, SLOT(floor)},
    {ngx_string("relais_thread_pool"), ANYWHERE, ngx_conf_set_str_slot, SLOT(pool_name)},
    ngx_null_command,
};

/* ---- checks ----------------------------------------------------------------------------- */

/* The end of each message below says where "relais serve" stands: when the configuration is
 * merged nginx itself can only name the last line of its file. */
#define AT          "; \"relais serve\" is in %V:%ui"
#define AT_CAPTURE  "; \"relais capture\" is in %V:%ui"
#define PLACE(conf) &(conf)->file, (conf)->line

static char *check_location(ngx_conf_t *cf, ngx_http_relais_loc_conf_t *conf,
                            const ngx_http_core_loc_conf_t *core)
{
#if (NGX_PCRE)
    bool is_regex = core->regex != NULL;
#else
    bool is_regex = false;
#endif

    if (!is_regex && !core->named && !core->exact_match)
        return NGX_CONF_OK;
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"relais serve\" has no place in location \"%V\": it answers many "
                       "addresses below a path; write it in a plain location such as "
                       "\"location /openrosa/\"" AT,
                       &core->name, PLACE(conf));
    return NGX_CONF_ERROR;
}

static char *check_directories(ngx_conf_t *cf, ngx_http_relais_loc_conf_t *conf)
{
    const char *missing = conf->spool_path.len == 0   ? "relais_spool"
                          : conf->forms_path.len == 0 ? "relais_forms"
                                                      : NULL;

    if (missing == NULL)
        return NGX_CONF_OK;
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"relais serve\" needs %s; add \"%s DIRECTORY;\" to the location" AT,
                       missing, missing, PLACE(conf));
    return NGX_CONF_ERROR;
}

/* Settles what HEAD submission announces. */
static char *check_limit(ngx_conf_t *cf, ngx_http_relais_loc_conf_t *conf, off_t body_size)
{
    bool is_default = conf->accept_length == NGX_CONF_UNSET;
    relais_limit limit;
    bool fits = relais_limit_settle(is_default ? -1 : conf->accept_length, body_size, &limit);

    conf->limit = (off_t)limit.announced;
    conf->limit_mb = limit.megabytes;
    if (fits)
        return NGX_CONF_OK;
    if (is_default)
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "client_max_body_size is %O, but ODK Collect sends up to %d bytes "
                           "of files in one request, %O with what multipart adds; write "
                           "\"client_max_body_size 100m;\" in location \"%V\", or, for "
                           "less, also \"relais_accept_length SIZE;\"" AT,
                           body_size, RELAIS_COLLECT_LIMIT, (off_t)limit.needed, &conf->prefix,
                           PLACE(conf));
    else
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "relais_accept_length is %O and client_max_body_size is %O, but it "
                           "takes %O to let in that much with what multipart adds; write "
                           "\"client_max_body_size %Om;\" in location \"%V\", or a smaller "
                           "relais_accept_length" AT,
                           conf->accept_length, body_size, (off_t)limit.needed,
                           (off_t)relais_limit_megabytes(limit.needed), &conf->prefix, PLACE(conf));
    return NGX_CONF_ERROR;
}

/* ---- merging ---------------------------------------------------------------------------- */

static void *create_main_conf(ngx_conf_t *cf)
{
    ngx_http_relais_main_conf_t *conf = ngx_pcalloc(cf->pool, sizeof(*conf));

    if (conf == NULL ||
        ngx_array_init(&conf->spools, cf->pool, 4, sizeof(ngx_http_relais_spool_t *)) != NGX_OK ||
        ngx_array_init(&conf->forms, cf->pool, 4, sizeof(ngx_http_relais_forms_t *)) != NGX_OK)
        return NULL;
    return conf;
}

static void *create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_relais_loc_conf_t *conf = ngx_pcalloc(cf->pool, sizeof(*conf));

    if (conf == NULL)
        return NULL;
    conf->mode = NGX_CONF_UNSET_UINT;
    conf->accept_length = NGX_CONF_UNSET;
    conf->floor = NGX_CONF_UNSET;
    return conf;
}

/* `limit_except` and `if` are the same location for other requests; a location written
 * inside another is not, as with nginx's own content handlers. */
static void inherit_mode(ngx_http_relais_loc_conf_t *conf, const ngx_http_relais_loc_conf_t *parent,
                         ngx_http_core_loc_conf_t *core)
{
    if (conf->mode != NGX_CONF_UNSET_UINT)
        return;
    conf->mode = core->noname ? parent->mode : NGX_HTTP_RELAIS_OFF;
    conf->file = parent->file;
    conf->line = parent->line;
    if (conf->mode == NGX_HTTP_RELAIS_SERVE && core->lmt_excpt && core->handler == NULL)
        core->handler = ngx_http_relais_serve;
}

/* The prefix as it stands in URLs: percent-encoded, without a closing slash. */
static ngx_int_t set_prefix(ngx_conf_t *cf, ngx_http_relais_loc_conf_t *conf,
                            const ngx_http_core_loc_conf_t *core)
{
    ngx_str_t name = core->name;
    uintptr_t escaped;

    conf->prefix = core->name;
    while (name.len > 0 && name.data[name.len - 1] == '/')
        name.len--;
    escaped = ngx_escape_uri(NULL, name.data, name.len, NGX_ESCAPE_URI);
    conf->path.len = name.len + 2 * escaped;
    conf->path.data = ngx_pnalloc(cf->pool, conf->path.len + 1);
    if (conf->path.data == NULL)
        return NGX_ERROR;
    conf->path.data[conf->path.len] = '\0';
    if (escaped == 0)
        ngx_memcpy(conf->path.data, name.data, name.len);
    else
        ngx_escape_uri(conf->path.data, name.data, name.len, NGX_ESCAPE_URI);
    return NGX_OK;
}

/* See the head of this file. */
static void adapt_core(ngx_http_relais_loc_conf_t *conf, const ngx_http_relais_loc_conf_t *parent,
                       ngx_http_core_loc_conf_t *core)
{
    if (conf->mode == NGX_HTTP_RELAIS_SERVE) {
        if (core->error_pages == parent->error_pages)
            core->error_pages = NULL;
        core->lingering_time = ngx_max(core->lingering_time, NGX_HTTP_RELAIS_LINGER_TIME);
        core->lingering_timeout = ngx_max(core->lingering_timeout, LINGER_TIMEOUT);
    }
    conf->error_pages = core->error_pages;
}

static ngx_int_t settle_stores(ngx_conf_t *cf, ngx_http_relais_loc_conf_t *conf)
{
    conf->spool = ngx_http_relais_add_spool(cf, &conf->spool_path, (uint64_t)conf->floor);
    conf->pool = ngx_thread_pool_add(cf, conf->pool_name.len > 0 ? &conf->pool_name : NULL);
    return conf->spool == NULL || conf->pool == NULL ? NGX_ERROR : NGX_OK;
}

static char *settle_serve(ngx_conf_t *cf, ngx_http_relais_loc_conf_t *conf,
                          ngx_http_core_loc_conf_t *core)
{
    if (set_prefix(cf, conf, core) != NGX_OK || check_location(cf, conf, core) != NGX_CONF_OK ||
        check_directories(cf, conf) != NGX_CONF_OK ||
        check_limit(cf, conf, core->client_max_body_size) != NGX_CONF_OK)
        return NGX_CONF_ERROR;
    conf->body_max = core->client_max_body_size;
    core->client_max_body_size = 0; /* see ngx_http_relais_refused.c */
    conf->forms = ngx_http_relais_add_forms(cf, &conf->forms_path);
    return conf->forms == NULL || settle_stores(cf, conf) != NGX_OK ? NGX_CONF_ERROR : NGX_CONF_OK;
}

static bool ends_with(ngx_str_t text, const char *end)
{
    size_t length = ngx_strlen(end);

    return text.len >= length && ngx_memcmp(text.data + text.len - length, end, length) == 0;
}

/* Every module that asks an upstream has a flag of this name; where it stands in that module's
 * configuration is written in its command. They have merged theirs before this module, which is
 * a filter, merges its own. */
static void ignore_client_abort(ngx_conf_t *cf)
{
    void **confs = ((ngx_http_conf_ctx_t *)cf->ctx)->loc_conf;

    for (ngx_uint_t i = 0; cf->cycle->modules[i] != NULL; i++) {
        ngx_module_t *module = cf->cycle->modules[i];
        ngx_command_t *command = module->type == NGX_HTTP_MODULE ? module->commands : NULL;

        for (; command != NULL && command->name.len > 0; command++) {
            if (ends_with(command->name, "_ignore_client_abort") &&
                command->conf == NGX_HTTP_LOC_CONF_OFFSET && (command->type & NGX_CONF_FLAG))
                *(ngx_flag_t *)((char *)confs[module->ctx_index] + command->offset) = 1;
        }
    }
}

/* A location may hand requests on by other means than a handler, so nothing is refused. */
static void check_upstream(ngx_conf_t *cf, ngx_http_relais_loc_conf_t *conf,
                           const ngx_http_core_loc_conf_t *core)
{
    if (core->handler != NULL || core->noname)
        return;
    ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                       "location \"%V\" captures, but has no upstream that could accept a "
                       "submission; write proxy_pass, uwsgi_pass or scgi_pass beside "
                       "\"relais capture\"" AT_CAPTURE,
                       &core->name, PLACE(conf));
}

static char *settle_capture(ngx_conf_t *cf, ngx_http_relais_loc_conf_t *conf,
                            const ngx_http_core_loc_conf_t *core)
{
    ngx_http_relais_main_conf_t *main =
        ngx_http_conf_get_module_main_conf(cf, ngx_http_relais_module);

    if (conf->spool_path.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"relais capture\" needs relais_spool; add \"relais_spool "
                           "DIRECTORY;\" to the location" AT_CAPTURE,
                           PLACE(conf));
        return NGX_CONF_ERROR;
    }
    check_upstream(cf, conf, core);
    ignore_client_abort(cf);
    main->has_capture = true;
    return settle_stores(cf, conf) == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}

static ngx_int_t merge_statuses(ngx_conf_t *cf, ngx_http_relais_loc_conf_t *conf,
                                const ngx_http_relais_loc_conf_t *parent)
{
    static const ngx_uint_t defaults[] = {NGX_HTTP_CREATED, NGX_HTTP_ACCEPTED};
    ngx_uint_t *statuses;

    if (conf->statuses == NULL)
        conf->statuses = parent->statuses;
    if (conf->statuses != NULL)
        return NGX_OK;
    conf->statuses = ngx_array_create(cf->pool, 2, sizeof(ngx_uint_t));
    statuses = conf->statuses == NULL ? NULL : ngx_array_push_n(conf->statuses, 2);
    if (statuses == NULL)
        return NGX_ERROR;
    ngx_memcpy(statuses, defaults, sizeof(defaults));
    return NGX_OK;
}

static char *merge_loc_conf(ngx_conf_t *cf, void *outer, void *inner)
{
    ngx_http_relais_loc_conf_t *parent = outer, *conf = inner;
    ngx_http_core_loc_conf_t *core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    inherit_mode(conf, parent, core);
    ngx_conf_merge_str_value(conf->spool_path, parent->spool_path, "");
    ngx_conf_merge_str_value(conf->forms_path, parent->forms_path, "");
    ngx_conf_merge_str_value(conf->base_url, parent->base_url, "");
    ngx_conf_merge_str_value(conf->pool_name, parent->pool_name, "");
    ngx_conf_merge_value(conf->floor, parent->floor, SPOOL_FLOOR);
    if (conf->accept_length == NGX_CONF_UNSET)
        conf->accept_length = parent->accept_length;
    if (merge_statuses(cf, conf, parent) != NGX_OK)
        return NGX_CONF_ERROR;
    adapt_core(conf, parent, core);
    switch (conf->mode) {
    case NGX_HTTP_RELAIS_SERVE:
        return settle_serve(cf, conf, core);
    case NGX_HTTP_RELAIS_CAPTURE:
        return settle_capture(cf, conf, core);
    default:
        return NGX_CONF_OK;
    }
}

static ngx_int_t after_configuration(ngx_conf_t *cf)
{
    ngx_http_relais_main_conf_t *conf =
        ngx_http_conf_get_module_main_conf(cf, ngx_http_relais_module);
    ngx_str_t user = ngx_string("remote_user");

    conf->user = ngx_http_get_variable_index(cf, &user);
    if (conf->user == NGX_ERROR)
        return NGX_ERROR;
    ngx_http_relais_init_refused();
    if (ngx_http_relais_init_filters() != NGX_OK)
        return NGX_ERROR;
    if (!conf->has_capture)
        return NGX_OK;
    return ngx_http_relais_init_log(cf) == NGX_OK ? ngx_http_relais_init_capture(cf) : NGX_ERROR;
}

/* ---- a worker's life -------------------------------------------------------------------- */

static ngx_http_relais_main_conf_t *worker_conf(ngx_cycle_t *cycle)
{
    bool is_worker = ngx_process == NGX_PROCESS_WORKER || ngx_process == NGX_PROCESS_SINGLE;

    return is_worker && ngx_get_conf(cycle->conf_ctx, ngx_http_module) != NULL
               ? ngx_http_cycle_get_module_main_conf(cycle, ngx_http_relais_module)
               : NULL;
}

/* libxml2's globals are made here, before any thread can be the first to need them. */
static ngx_int_t init_worker(ngx_cycle_t *cycle)
{
    ngx_http_relais_main_conf_t *conf = worker_conf(cycle);

    if (conf == NULL)
        return NGX_OK;
    xmlInitParser();
    return ngx_http_relais_open_stores(conf, cycle->log) ? NGX_OK : NGX_ERROR;
}

static void exit_worker(ngx_cycle_t *cycle)
{
    if (worker_conf(cycle) != NULL)
        ngx_http_relais_close_stores();
}

/* ---- what nginx loads ------------------------------------------------------------------- */

static ngx_http_module_t module_context = {
    .postconfiguration = after_configuration,
    .create_main_conf = create_main_conf,
    .create_loc_conf = create_loc_conf,
    .merge_loc_conf = merge_loc_conf,
};

ngx_module_t ngx_http_relais_module = {
    NGX_MODULE_V1,
    &module_context,
    commands,
    NGX_HTTP_MODULE,
    NULL /* init master */,
    NULL /* init module */,
    init_worker,
    NULL,
    NULL,
    exit_worker,
    NULL /* exit master */,
    NGX_MODULE_V1_PADDING,
};

/* nginx's own makefile would generate these three. The order puts the filters where
 * HTTP_AUX_FILTER modules go: after content and before gzip and ranges. */
#define EXPORTED __attribute__((visibility("default")))

extern EXPORTED ngx_module_t *ngx_modules[];
extern EXPORTED char *ngx_module_names[];
extern EXPORTED char *ngx_module_order[];

ngx_module_t *ngx_modules[] = {&ngx_http_relais_module, NULL};
char *ngx_module_names[] = {"ngx_http_relais_module", NULL};
char *ngx_module_order[] = {"ngx_http_relais_module", "ngx_http_copy_filter_module", NULL};
