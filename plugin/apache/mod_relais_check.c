/*
 * The configuration held against itself and against httpd's own limits, when httpd starts
 * and for `apachectl configtest`: what phones would otherwise be the first to meet.
 *
 * httpd merges the sections of a request when it comes. Here each location is seen as a
 * request to its own path will see it: the server's settings, then every plain <Location>
 * that holds the path, in their order. What <If>, patterns and other modules add is not seen.
 */
#include "mod_relais.h"

#include <sys/stat.h>

APLOG_USE_MODULE(relais);

/* The end of each message says where "Relais serve" stands. */
#define AT          "; \"Relais %s\" is in %s:%d"
#define PLACE(conf) word_of(conf), (conf)->file, (conf)->line

static const char *word_of(const mod_relais_conf *conf)
{
    return conf->mode == MOD_RELAIS_SERVE ? "serve" : "capture";
}

int64_t mod_relais_body_limit(ap_conf_vector_t *configuration)
{
    const core_dir_config *core = ap_get_core_module_config(configuration);

    return core->limit_req_body < 0 ? 0 : core->limit_req_body;
}

/* What a location amounts to. */
typedef struct view {
    const mod_relais_conf *conf;
    int64_t body_limit; /* -1: not set */
    const char *name;
} view;

static bool holds(const core_dir_config *section, const char *path)
{
    size_t length = strlen(section->d);

    if (section->r != NULL || section->d_is_fnmatch)
        return false;
    while (length > 0 && section->d[length - 1] == '/')
        length--;
    return strncmp(section->d, path, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static void add(apr_pool_t *pool, ap_conf_vector_t *section, view *out)
{
    const core_dir_config *core = ap_get_core_module_config(section);
    void *conf = ap_get_module_config(section, &relais_module);

    if (conf != NULL) /* there is none where no directive of ours stands */
        out->conf = mod_relais_merge(pool, (void *)out->conf, conf);
    if (core->limit_req_body >= 0)
        out->body_limit = core->limit_req_body;
}

static view view_of(apr_pool_t *pool, const server_rec *server, ap_conf_vector_t *own)
{
    const core_server_config *core = ap_get_core_module_config(server->module_config);
    const core_dir_config *location = ap_get_core_module_config(own);
    view out = {.conf = ap_get_module_config(server->lookup_defaults, &relais_module),
                .body_limit = mod_relais_body_limit(server->lookup_defaults),
                .name = location->d};

    for (int i = 0; i < core->sec_url->nelts; i++) {
        ap_conf_vector_t *section = APR_ARRAY_IDX(core->sec_url, i, ap_conf_vector_t *);

        if (section == own || holds(ap_get_core_module_config(section), location->d))
            add(pool, section, &out);
    }
    return out;
}

/* ---- the checks ------------------------------------------------------------------------- */

static bool complain(server_rec *server, const char *text)
{
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, server, "relais: %s", text);
    return false;
}

static bool check_directories(apr_pool_t *pool, server_rec *server, const mod_relais_conf *conf)
{
    bool needs_forms = conf->mode == MOD_RELAIS_SERVE && conf->forms == NULL;
    const char *missing = conf->spool == NULL ? "RelaisSpool" : needs_forms ? "RelaisForms" : NULL;

    return missing == NULL ||
           complain(server, apr_psprintf(pool,
                                         "\"Relais %s\" needs %s; add \"%s DIRECTORY\" to the "
                                         "location" AT,
                                         word_of(conf), missing, missing, PLACE(conf)));
}

/* A directory may come later, but not in the place of a file. */
static bool check_directory(apr_pool_t *pool, server_rec *server, const mod_relais_conf *conf,
                            const char *directive, const char *path)
{
    struct stat found;

    if (stat(path, &found) != 0) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_WARNING, APR_FROM_OS_ERROR(errno), server,
                     "relais: %s names %s, which cannot be seen now; phones are asked to wait "
                     "until it is there" AT,
                     directive, path, PLACE(conf));
        return true;
    }
    return S_ISDIR(found.st_mode) ||
           complain(server, apr_psprintf(pool, "%s names %s, which is not a directory; name one" AT,
                                         directive, path, PLACE(conf)));
}

static bool check_limit(apr_pool_t *pool, server_rec *server, const view *seen)
{
    const mod_relais_conf *conf = seen->conf;
    relais_limit limit;

    if (relais_limit_settle(conf->accept_length, seen->body_limit, &limit))
        return true;
    if (conf->accept_length < 0)
        return complain(
            server, apr_psprintf(pool,
                                 "LimitRequestBody is %" APR_INT64_T_FMT
                                 ", but ODK Collect sends up to %d bytes of files in one request, "
                                 "%" APR_INT64_T_FMT " with what multipart adds; write "
                                 "\"LimitRequestBody 104857600\" in <Location \"%s\">, or, for "
                                 "less, also \"RelaisAcceptLength SIZE\"" AT,
                                 (apr_int64_t)seen->body_limit, RELAIS_COLLECT_LIMIT,
                                 (apr_int64_t)limit.needed, seen->name, PLACE(conf)));
    return complain(
        server,
        apr_psprintf(
            pool,
            "RelaisAcceptLength is %" APR_INT64_T_FMT " and LimitRequestBody is %" APR_INT64_T_FMT
            ", but it takes %" APR_INT64_T_FMT
            " to let in that much with what multipart adds; write \"LimitRequestBody "
            "%" APR_INT64_T_FMT "\" in <Location \"%s\">, or a smaller RelaisAcceptLength" AT,
            (apr_int64_t)conf->accept_length, (apr_int64_t)seen->body_limit,
            (apr_int64_t)limit.needed, (apr_int64_t)relais_limit_megabytes(limit.needed) * 1048576,
            seen->name, PLACE(conf)));
}

static bool check_location(apr_pool_t *pool, server_rec *server, const view *seen)
{
    const mod_relais_conf *conf = seen->conf;

    if (!check_directories(pool, server, conf) ||
        !check_directory(pool, server, conf, "RelaisSpool", conf->spool))
        return false;
    return conf->mode == MOD_RELAIS_CAPTURE ||
           (check_directory(pool, server, conf, "RelaisForms", conf->forms) &&
            check_limit(pool, server, seen));
}

/* Sections of the main server are seen again in each virtual host, with its own settings. */
static bool check_server(apr_pool_t *pool, server_rec *server, apr_array_header_t *settled)
{
    const core_server_config *core = ap_get_core_module_config(server->module_config);

    for (int i = 0; i < core->sec_url->nelts; i++) {
        ap_conf_vector_t *section = APR_ARRAY_IDX(core->sec_url, i, ap_conf_vector_t *);
        const mod_relais_conf *own = ap_get_module_config(section, &relais_module);
        view seen;

        if (own == NULL || (own->mode != MOD_RELAIS_SERVE && own->mode != MOD_RELAIS_CAPTURE))
            continue;
        seen = view_of(pool, server, section);
        if (seen.conf->mode != own->mode)
            continue; /* another section has the last word */
        if (!check_location(pool, server, &seen))
            return false;
        APR_ARRAY_PUSH(settled, const mod_relais_conf *) = seen.conf;
    }
    return true;
}

int mod_relais_check(apr_pool_t *pool, server_rec *servers, apr_array_header_t *settled)
{
    for (server_rec *server = servers; server != NULL; server = server->next) {
        if (!check_server(pool, server, settled))
            return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}
