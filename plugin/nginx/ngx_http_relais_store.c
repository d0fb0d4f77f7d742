/*
 * The spools and form directories that a worker has open.
 *
 * A directory that is not there when nginx starts, or that is taken away and comes back
 * before it was ever opened, must not stop the web server: it is tried again with every
 * request that needs it, and until then phones are asked to come back.
 */
#include "ngx_http_relais.h"

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
    pthread_mutex_init(&spool->lock, NULL);
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
    pthread_mutex_init(&forms->lock, NULL);
    *added = forms;
    return forms;
}

relais_spool *ngx_http_relais_open_spool(ngx_http_relais_spool_t *spool, relais_error *err)
{
    relais_spool *open;

    pthread_mutex_lock(&spool->lock);
    if (spool->open == NULL &&
        !relais_spool_open(spool->directory, spool->floor, &spool->open, err))
        spool->open = NULL;
    open = spool->open;
    pthread_mutex_unlock(&spool->lock);
    return open;
}

static relais_forms *open_forms(ngx_http_relais_forms_t *forms, ngx_log_t *log)
{
    relais_forms *open;
    relais_error err;

    relais_error_clear(&err);
    pthread_mutex_lock(&forms->lock);
    if (forms->open == NULL && !relais_forms_open(forms->directory, &forms->open, &err))
        forms->open = NULL;
    open = forms->open;
    pthread_mutex_unlock(&forms->lock);
    if (open == NULL)
        ngx_http_relais_log(log, NGX_LOG_ERR, "the forms cannot be opened", &err);
    return open;
}

static void log_complaints(const relais_snapshot *snapshot, ngx_log_t *log)
{
    size_t count = relais_snapshot_complaints(snapshot);

    for (size_t i = 0; i < count; i++) {
        bool is_fresh;
        const char *text = relais_snapshot_complaint(snapshot, i, &is_fresh);

        if (is_fresh)
            ngx_log_error(NGX_LOG_WARN, log, 0, "relais: %s", text);
    }
}

/* Each snapshot's complaints are logged once. A reference to the last one logged is kept, so
 * that a later snapshot cannot have its address. */
static void tell_complaints(ngx_http_relais_forms_t *forms, relais_snapshot *snapshot,
                            ngx_log_t *log)
{
    relais_snapshot *told = NULL;

    pthread_mutex_lock(&forms->lock);
    if (forms->told != snapshot) {
        relais_error err;

        relais_error_clear(&err);
        told = forms->told;
        forms->told = relais_forms_acquire(forms->open, false, &err);
        log_complaints(snapshot, log);
    }
    pthread_mutex_unlock(&forms->lock);
    if (told != NULL)
        relais_snapshot_release(told);
}

relais_snapshot *ngx_http_relais_acquire_forms(ngx_http_relais_forms_t *forms, bool force,
                                               ngx_log_t *log)
{
    relais_forms *open = open_forms(forms, log);
    relais_snapshot *snapshot;
    relais_error err;

    if (open == NULL)
        return NULL;
    relais_error_clear(&err);
    snapshot = relais_forms_acquire(open, force, &err);
    if (err.code != RELAIS_ERR_NONE)
        ngx_http_relais_log(log, NGX_LOG_ERR, "the forms cannot be read", &err);
    if (snapshot != NULL)
        tell_complaints(forms, snapshot, log);
    return snapshot;
}

/* Says at start what phones would otherwise be the first to meet. */
void ngx_http_relais_open_stores(ngx_http_relais_main_conf_t *conf, ngx_log_t *log)
{
    ngx_http_relais_spool_t **spools = conf->spools.elts;
    ngx_http_relais_forms_t **forms = conf->forms.elts;

    for (ngx_uint_t i = 0; i < conf->spools.nelts; i++) {
        relais_error err;

        relais_error_clear(&err);
        if (ngx_http_relais_open_spool(spools[i], &err) == NULL)
            ngx_http_relais_log(log, NGX_LOG_ERR, "the spool cannot be opened", &err);
    }
    for (ngx_uint_t i = 0; i < conf->forms.nelts; i++)
        (void)open_forms(forms[i], log);
}

/* The thread pools have been joined before: the core's modules leave first. */
void ngx_http_relais_close_stores(ngx_http_relais_main_conf_t *conf)
{
    ngx_http_relais_spool_t **spools = conf->spools.elts;
    ngx_http_relais_forms_t **forms = conf->forms.elts;

    for (ngx_uint_t i = 0; i < conf->spools.nelts; i++) {
        relais_spool_close(spools[i]->open);
        spools[i]->open = NULL;
    }
    for (ngx_uint_t i = 0; i < conf->forms.nelts; i++) {
        if (forms[i]->told != NULL)
            relais_snapshot_release(forms[i]->told);
        relais_forms_close(forms[i]->open);
        forms[i]->told = NULL;
        forms[i]->open = NULL;
    }
}
