/*
 * Relais in Apache httpd: directives, hooks, and the life of a child.
 *
 *   <Location "/openrosa">
 *       Relais      serve              # an OpenRosa server for ODK Collect, below this path
 *       RelaisSpool /var/spool/relais
 *       RelaisForms /srv/relais/forms
 *   </Location>
 *
 *   Relais serve | capture | off       location
 *   RelaisSpool DIR                    where submissions go (made by the forwarder's user)
 *   RelaisForms DIR                    serve: the published forms and their media
 *   RelaisBaseURL URL                  serve: address of the location as phones know it;
 *                                      default: X-Forwarded-Proto and -Host, or the
 *                                      connection's own
 *   RelaisAcceptLength SIZE            serve: what HEAD submission announces; default:
 *                                      LimitRequestBody less 64k for what multipart adds,
 *                                      100 MB where there is none
 *   RelaisSpoolFloor SIZE              free space below which phones are asked to wait (256m)
 *   RelaisCaptureStatuses STATUS...    capture: an upstream's answers that mean "received";
 *                                      default: 201 202
 *
 * A parcel's user is the name that httpd has checked, or, in a location without
 * authentication, what the phone claims. All but the first may stand in a server too.
 * Relative paths begin at ServerRoot.
 */
#include "mod_relais.h"

#include "base/text.h"

#include <libxml/parser.h>

#define SPOOL_FLOOR (256 * 1024 * 1024)

/* A URL has at most 8 KB (LimitRequestLine), a parcel's head a dozen values of at most
 * 1 KB. */
#define ARENA_MAX (256 * 1024)

/* ---- configuration ---------------------------------------------------------------------- */

static void *create_conf(apr_pool_t *pool, char *directory)
{
    mod_relais_conf *conf = apr_pcalloc(pool, sizeof *conf);

    (void)directory;
    conf->mode = MOD_RELAIS_UNSET;
    conf->accept_length = -1;
    conf->floor = -1;
    return conf;
}

void *mod_relais_merge(apr_pool_t *pool, void *outer, void *inner)
{
    const mod_relais_conf *parent = outer;
    mod_relais_conf *conf = apr_pmemdup(pool, inner, sizeof *conf);

    if (conf->mode == MOD_RELAIS_UNSET) {
        conf->mode = parent->mode;
        conf->path = parent->path;
        conf->file = parent->file;
        conf->line = parent->line;
    }
    if (conf->spool == NULL)
        conf->spool = parent->spool;
    if (conf->forms == NULL)
        conf->forms = parent->forms;
    if (conf->base_url == NULL)
        conf->base_url = parent->base_url;
    if (conf->accept_length < 0)
        conf->accept_length = parent->accept_length;
    if (conf->floor < 0)
        conf->floor = parent->floor;
    if (conf->statuses == NULL)
        conf->statuses = parent->statuses;
    return conf;
}

/* The floor to be used. */
static uint64_t floor_of(const mod_relais_conf *conf)
{
    return conf->floor < 0 ? SPOOL_FLOOR : (uint64_t)conf->floor;
}

/* ---- directives ------------------------------------------------------------------------- */

static bool is_plain_location(const ap_directive_t *section)
{
    return section != NULL && strcasecmp(section->directive, "<Location") == 0 &&
           section->args[0] != '~' && !ap_is_matchexp(section->args);
}

/* The path as it stands in URLs: percent-encoded, without a closing slash. */
static const char *url_path(apr_pool_t *pool, const char *path)
{
    char *copy = apr_pstrdup(pool, path);
    size_t length = strlen(copy);

    while (length > 0 && copy[length - 1] == '/')
        copy[--length] = '\0';
    return length == 0 ? "" : ap_os_escape_path(pool, copy, 1);
}

static const char *set_mode(cmd_parms *command, void *data, const char *word)
{
    mod_relais_conf *conf = data;

    if (conf->mode != MOD_RELAIS_UNSET)
        return "Relais is duplicate: a location does one thing";
    conf->file = command->directive->filename;
    conf->line = command->directive->line_num;
    if (strcasecmp(word, "off") == 0) {
        conf->mode = MOD_RELAIS_OFF;
    } else if (strcasecmp(word, "capture") == 0) {
        conf->mode = MOD_RELAIS_CAPTURE;
    } else if (strcasecmp(word, "serve") == 0) {
        if (!is_plain_location(command->directive->parent))
            return "\"Relais serve\" has no place here: it answers many addresses below a path; "
                   "write it in a plain location such as <Location \"/openrosa\">";
        conf->mode = MOD_RELAIS_SERVE;
        conf->path = url_path(command->pool, command->path);
    } else {
        return apr_psprintf(command->pool,
                            "unknown word \"%s\"; write \"Relais serve\", \"Relais capture\" or "
                            "\"Relais off\"",
                            word);
    }
    return NULL;
}

static const char *set_directory(cmd_parms *command, void *data, const char *path)
{
    const char **slot = (const char **)((char *)data + (size_t)command->info);
    char *full = path[0] == '\0' ? NULL : ap_server_root_relative(command->pool, path);

    if (full == NULL)
        return apr_pstrcat(command->pool, command->cmd->name, " needs a directory", NULL);
    *slot = full;
    return NULL;
}

static const char *set_base_url(cmd_parms *command, void *data, const char *url)
{
    mod_relais_conf *conf = data;
    char *copy = apr_pstrdup(command->pool, url);
    size_t length = strlen(copy);

    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
        return "RelaisBaseURL needs a whole address, such as "
               "\"https://forms.example.org/openrosa\"";
    while (length > 0 && copy[length - 1] == '/')
        copy[--length] = '\0';
    conf->base_url = copy;
    return NULL;
}

/* "100m"; the units are nginx's, so that one guide serves for both. */
static const char *set_size(cmd_parms *command, void *data, const char *text)
{
    static const struct unit {
        char letter;
        int64_t size;
    } units[] = {{'k', 1 << 10}, {'m', 1 << 20}, {'g', 1 << 30}};
    int64_t *slot = (int64_t *)((char *)data + (size_t)command->info);
    char *digits = apr_pstrdup(command->pool, text);
    size_t length = strlen(digits);
    int64_t unit = 1;
    uint64_t number;

    for (size_t i = 0; length > 0 && i < sizeof units / sizeof units[0]; i++) {
        if ((digits[length - 1] | 0x20) == units[i].letter)
            unit = units[i].size;
    }
    if (unit > 1)
        digits[length - 1] = '\0';
    if (!relais_parse_number(digits, (uint64_t)(INT64_MAX / unit), &number))
        return apr_psprintf(command->pool, "%s needs a size, such as 256m, not \"%s\"",
                            command->cmd->name, text);
    *slot = (int64_t)number * unit;
    return NULL;
}

static const char *set_accept_length(cmd_parms *command, void *data, const char *text)
{
    mod_relais_conf *conf = data;
    const char *mistake = set_size(command, data, text);

    return mistake == NULL && conf->accept_length == 0 ? "RelaisAcceptLength must be above 0"
                                                       : mistake;
}

static const char *add_status(cmd_parms *command, void *data, const char *text)
{
    mod_relais_conf *conf = data;
    apr_array_header_t *statuses = (apr_array_header_t *)conf->statuses;
    uint64_t status;

    if (!relais_parse_number(text, 299, &status) || status < 200)
        return apr_psprintf(command->pool,
                            "RelaisCaptureStatuses takes statuses of success (200 to 299), not "
                            "\"%s\": a phone keeps what is answered with another",
                            text);
    if (statuses == NULL)
        statuses = apr_array_make(command->pool, 4, sizeof(int));
    APR_ARRAY_PUSH(statuses, int) = (int)status;
    conf->statuses = statuses;
    return NULL;
}

#define ANYWHERE     (RSRC_CONF | ACCESS_CONF)
#define SLOT(member) ((void *)APR_OFFSETOF(mod_relais_conf, member))

static const command_rec commands[] = {
    AP_INIT_TAKE1("Relais", set_mode, NULL, ACCESS_CONF, "serve, capture or off"),
    AP_INIT_TAKE1("RelaisSpool", set_directory, SLOT(spool), ANYWHERE,
                  "the directory where submissions go"),
    AP_INIT_TAKE1("RelaisForms", set_directory, SLOT(forms), ANYWHERE,
                  "the directory of the published forms"),
    AP_INIT_TAKE1("RelaisBaseURL", set_base_url, NULL, ANYWHERE,
                  "the location's address as phones know it"),
    AP_INIT_TAKE1("RelaisAcceptLength", set_accept_length, SLOT(accept_length), ANYWHERE,
                  "what phones are told that they may send in one request"),
    AP_INIT_TAKE1("RelaisSpoolFloor", set_size, SLOT(floor), ANYWHERE,
                  "free space below which phones are asked to wait"),
    AP_INIT_ITERATE("RelaisCaptureStatuses", add_status, NULL, ANYWHERE,
                    "an upstream's answers that mean that it has taken a submission"),
    {.name = NULL},
};

/* ---- a child's life --------------------------------------------------------------------- */

/* Made by the parent at each (re)start: of const mod_relais_conf *. */
static apr_array_header_t *settled;

/* Never closed: threads may still be at work when a child is told to end at once, and the
 * kernel closes what it leaves. */
static relais_stores *stores;

relais_stores *mod_relais_stores(void)
{
    return stores;
}

relais_spool *mod_relais_spool(const mod_relais_conf *conf, relais_error *err)
{
    if (conf->spool != NULL)
        return relais_stores_spool(stores, conf->spool, floor_of(conf), err);
    relais_error_set(err, RELAIS_ERR_CONFIG, "there is no RelaisSpool for this request");
    return NULL;
}

static int check_configuration(apr_pool_t *pool, apr_pool_t *log, apr_pool_t *temporary,
                               server_rec *servers)
{
    (void)log;
    (void)temporary;
    settled = apr_array_make(pool, 4, sizeof(const mod_relais_conf *));
    return mod_relais_check(pool, servers, settled);
}

static void tell_server(void *server, bool is_error, const char *text)
{
    ap_log_error(APLOG_MARK, is_error ? APLOG_ERR : APLOG_WARNING, 0, (server_rec *)server,
                 "relais: %s", text);
}

/* Says at start what phones would otherwise be the first to meet. */
static void open_stores(server_rec *server)
{
    for (int i = 0; i < settled->nelts; i++) {
        const mod_relais_conf *conf = APR_ARRAY_IDX(settled, i, const mod_relais_conf *);
        char text[1024];
        relais_error err;

        relais_error_clear(&err);
        if (mod_relais_spool(conf, &err) == NULL)
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, server, "relais: the spool cannot be opened: %s",
                         relais_error_format(&err, text, sizeof text));
        if (conf->mode == MOD_RELAIS_SERVE) {
            relais_snapshot *snapshot =
                relais_stores_forms(stores, conf->forms, false, tell_server, server);
            if (snapshot != NULL)
                relais_snapshot_release(snapshot);
        }
    }
}

/* libxml2's globals are made here, before any thread can be the first to need them. */
static void init_child(apr_pool_t *pool, server_rec *server)
{
    (void)pool;
    stores = relais_stores_create();
    if (stores == NULL)
        exit(APEXIT_CHILDFATAL);
    if (settled->nelts > 0) {
        xmlInitParser();
        open_stores(server);
    }
}

/* ---- requests --------------------------------------------------------------------------- */

void mod_relais_tell(void *request, bool is_error, const char *text)
{
    ap_log_rerror(APLOG_MARK, is_error ? APLOG_ERR : APLOG_WARNING, 0, (request_rec *)request,
                  "relais: %s", text);
}

void mod_relais_log(const request_rec *r, int level, const char *what, const relais_error *err)
{
    char text[sizeof err->text + sizeof err->path + 128];

    ap_log_rerror(APLOG_MARK, level, 0, r, "relais: %s: %s", what,
                  relais_error_format(err, text, sizeof text));
}

static apr_status_t destroy_arena(void *arena)
{
    relais_arena_destroy(arena);
    return APR_SUCCESS;
}

relais_arena *mod_relais_arena(request_rec *r)
{
    relais_arena *arena = relais_arena_create(ARENA_MAX);

    if (arena != NULL)
        apr_pool_cleanup_register(r->pool, arena, destroy_arena, apr_pool_cleanup_null);
    return arena;
}

const char *mod_relais_query(request_rec *r, const char *name)
{
    size_t length = strlen(name);

    for (const char *next = r->args; next != NULL && *next != '\0';) {
        size_t size = strcspn(next, "&");

        if (size > length && next[length] == '=' && strncasecmp(next, name, length) == 0) {
            char *value = apr_pstrmemdup(r->pool, next + length + 1, size - length - 1);

            value[relais_percent_decode(value, size - length - 1)] = '\0';
            return value;
        }
        next += size + (next[size] == '&');
    }
    return "";
}

const char *mod_relais_user(request_rec *r)
{
    const char *user = r->user, *password;

    if (user == NULL && ap_get_basic_auth_components(r, &user, &password) != APR_SUCCESS)
        user = NULL;
    return user == NULL ? "" : user;
}

relais_address mod_relais_address(request_rec *r)
{
    return (relais_address){
        .forwarded_proto = apr_table_get(r->headers_in, "X-Forwarded-Proto"),
        .forwarded_host = apr_table_get(r->headers_in, "X-Forwarded-Host"),
        .host = apr_table_get(r->headers_in, "Host"),
        .scheme = ap_http_scheme(r),
        .server_name = ap_get_server_name_for_url(r),
        .path = mod_relais_conf_of(r)->path,
    };
}

int64_t mod_relais_content_length(const request_rec *r)
{
    const char *text = apr_table_get(r->headers_in, "Content-Length");
    apr_off_t length;

    if (text == NULL || apr_table_get(r->headers_in, "Transfer-Encoding") != NULL ||
        !ap_parse_strict_length(&length, text))
        return -1;
    return length;
}

/* ---- what httpd loads ------------------------------------------------------------------- */

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_check_config(check_configuration, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(init_child, NULL, NULL, APR_HOOK_MIDDLE);
    mod_relais_reply_hooks();
    mod_relais_serve_hooks();
    mod_relais_capture_hooks();
}

AP_DECLARE_MODULE(relais) = {
    STANDARD20_MODULE_STUFF, create_conf, mod_relais_merge, NULL, NULL, commands, register_hooks, 0,
};
