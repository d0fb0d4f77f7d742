/*
 * The spools and form directories that the configuration names, and what this worker has open
 * of them.
 */
#include "ngx_http_relais.h"

/* This worker's; NULL in the master. */
static relais_stores *stores;

/* The configuration lives as long as the process that uses it: `directory` is not copied. */
ngx_http_relais_spool_t *ngx_http_relais_add_spool(ngx_conf_t *cf, const ngx_str_t *directory,
                                                   uint64_t floor)
{
    ngx_http_relais_main_conf_t *conf =
        ngx_http_conf_get_module_main_conf(cf, ngx_http_relais_module);
    ngx_http_relais_spool_t **known = conf->spools.elts, **added, *spool;

    for (ngx_uint_t i = 0; i < conf->spools.nelts; i++) {
        if (known[i]->floor == floor &&
            ngx_strcmp(known[i]->directory, (char *)directory->data) == 0)
            return known[i];
    }
    added = ngx_array_push(&conf->spools);
    spool = ngx_pcalloc(cf->pool, sizeof(*spool));
    if (added == NULL || spool == NULL)
        return NULL;
    spool->directory = (const char *)directory->data;
    spool->floor = floor;
    *added = spool;
    return spool;
}

ngx_http_relais_forms_t *ngx_http_relais_add_forms(ngx_conf_t *cf, const ngx_str_t *directory)
{
    ngx_http_relais_main_conf_t *conf =
        ngx_http_conf_get_module_main_conf(cf, ngx_http_relais_module);
    ngx_http_relais_forms_t **known = conf->forms.elts, **added, *forms;

    for (ngx_uint_t i = 0; i < conf->forms.nelts; i++) {
        if (ngx_strcmp(known[i]->directory, (char *)directory->data) == 0)
            return known[i];
    }
    added = ngx_array_push(&conf->forms);
    forms = ngx_pcalloc(cf->pool, sizeof(*forms));
    if (added == NULL || forms == NULL)
        return NULL;
    forms->directory = (const char *)directory->data;
    *added = forms;
    return forms;
}

relais_spool *ngx_http_relais_open_spool(const ngx_http_relais_spool_t *spool, relais_error *err)
{
    return relais_stores_spool(stores, spool->directory, spool->floor, err);
}

static void tell(void *log, bool is_error, const char *text)
{
    ngx_uint_t level = is_error ? NGX_LOG_ERR : NGX_LOG_WARN;

    ngx_log_error(level, (ngx_log_t *)log, 0, "relais: %s", text);
}

relais_library ngx_http_relais_library(const ngx_http_relais_forms_t *forms, ngx_log_t *log)
{
    return (relais_library){
        .stores = stores, .directory = forms->directory, .tell = tell, .context = log};
}

static void open_spool(const ngx_http_relais_spool_t *spool, ngx_log_t *log)
{
    relais_error err;

    relais_error_clear(&err);
    if (ngx_http_relais_open_spool(spool, &err) == NULL)
        ngx_http_relais_log(log, NGX_LOG_ERR, "the spool cannot be opened", &err);
}

static void open_forms(const ngx_http_relais_forms_t *forms, ngx_log_t *log)
{
    relais_library library = ngx_http_relais_library(forms, log);
    relais_snapshot *snapshot = relais_library_acquire(&library, false);

    if (snapshot != NULL)
        relais_snapshot_release(snapshot);
}

/* Says at start what phones would otherwise be the first to meet. */
bool ngx_http_relais_open_stores(ngx_http_relais_main_conf_t *conf, ngx_log_t *log)
{
    ngx_http_relais_spool_t **spools = conf->spools.elts;
    ngx_http_relais_forms_t **forms = conf->forms.elts;

    stores = relais_stores_create();
    for (ngx_uint_t i = 0; stores != NULL && i < conf->spools.nelts; i++)
        open_spool(spools[i], log);
    for (ngx_uint_t i = 0; stores != NULL && i < conf->forms.nelts; i++)
        open_forms(forms[i], log);
    return stores != NULL;
}

/* The thread pools have been joined before: the core's modules leave first. */
void ngx_http_relais_close_stores(void)
{
    relais_stores_close(stores);
    stores = NULL;
}
