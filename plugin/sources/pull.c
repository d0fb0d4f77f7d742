/*
 * Pulling: forms, pages, rows, and the order in which their traces are left. See source.h.
 *
 * The order is the promise: parcels are committed first, the place is written after them. A
 * kill between the two repeats a page, and the ledger knows its submissions already.
 */
#include "sources/telling.h"

#include "sources/servertime.h"
#include "sources/words.h"

#include <string.h>

/* A page's rows and their texts. */
#define PAGE_MEMORY_MAX ((size_t)128 * 1024 * 1024)

/* ---- pages ------------------------------------------------------------------------------- */

static void say_deleted(relais_telling *t, const relais_page *page)
{
    const relais_pull_events *events = &t->pull->options->events;

    t->counts.deleted += page->deleted_count;
    for (size_t i = 0; i < page->deleted_count && events->deleted != NULL; i++)
        events->deleted(events->context, t->form, page->deleted[i]);
}

static bool run_page(relais_telling *t, relais_page *page, relais_error *err)
{
    json_t *aside;
    bool ok;

    t->counts.listed += page->listed;
    t->counts.known += page->known;
    t->counts.rejected += page->rejected;
    aside = json_copy(t->state.aside);
    if (aside == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    ok = relais_telling_run_rows(t, page->rows, page->count, false, aside, err) &&
         relais_telling_write(t, page->next, aside, err);
    json_decref(aside);
    if (!ok)
        return false;
    say_deleted(t, page);
    if (t->pull->kind->settled != NULL)
        t->pull->kind->settled(&t->walk, page);
    return true;
}

static bool run_pages(relais_telling *t, relais_error *err)
{
    bool is_last = false, ok = true;

    while (ok && !is_last) {
        relais_page page = {.arena = t->pull->page_arena};
        relais_arena_reset(page.arena);
        ok = !relais_site_is_stopped(&t->pull->site) && t->pull->kind->page(&t->walk, &page, err) &&
             run_page(t, &page, err);
        is_last = page.is_last;
        json_decref(page.next);
        if (ok && page.fault.code != RELAIS_ERR_NONE) {
            *err = page.fault;
            ok = false;
        }
    }
    return ok;
}

static bool run_walk(relais_telling *t, relais_error *err)
{
    const relais_kind *kind = t->pull->kind;
    bool compares = t->pull->options->judge != NULL;
    json_t *place = compares ? json_object() : json_incref(t->state.place);
    bool ok;

    if (place == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    t->pull->lister.form = t->form;
    t->walk = (relais_walk){.worker = &t->pull->lister,
                            .directory = &t->pull->directory,
                            .form = t->form,
                            .since = t->pull->since,
                            .place = place};
    ok = kind->open == NULL || kind->open(&t->walk, err);
    if (ok) {
        ok = compares ? relais_telling_compare(t, err)
                      : relais_telling_run_aside(t, err) && run_pages(t, err);
        if (kind->close != NULL)
            ok = kind->close(&t->walk, ok, err) && ok;
    }
    json_decref(place);
    return ok;
}

/* True, or false with the error that ended the form, or false without one when stopped. */
static bool run_form(relais_pull *p, const char *form, relais_error *err)
{
    relais_telling t = {.pull = p, .form = form};
    const relais_pull_events *events = &p->options->events;
    relais_error why = {0};
    bool ok = relais_bookmark_read(&p->directory, form, &t.state, &why) && run_walk(&t, &why);

    relais_telling_progress(&t, 0, 0, true);
    relais_bookmark_free(&t.state);
    if (!ok && why.code != RELAIS_ERR_NONE && events->stopped != NULL)
        events->stopped(events->context, form, &why);
    if (!ok && err->code == RELAIS_ERR_NONE)
        *err = why;
    return ok;
}

/* ---- forms ------------------------------------------------------------------------------- */

static bool list_words(const char *words, json_t *out)
{
    const char *word;
    size_t length;

    while (relais_words_next(&words, &word, &length))
        if (json_array_append_new(out, json_stringn(word, length)) != 0)
            return false;
    return true;
}

static bool list_forms(relais_pull *p, json_t *out, relais_error *err)
{
    const relais_pull_options *options = p->options;

    if (options->form != NULL)
        return json_array_append_new(out, json_string(options->form)) == 0 ||
               relais_error_set(err, RELAIS_ERR_CONFIG, "the form's id is not UTF-8");
    if (options->source->forms[0] != '\0')
        return list_words(options->source->forms, out) ||
               relais_error_set(err, RELAIS_ERR_CONFIG, "a form's id is not UTF-8");
    return p->kind->list_forms(&p->lister, out, err);
}

/* What is wrong with one form may leave the others whole; what is wrong with the server or the
 * disk does not. */
static bool is_forms_fault(const relais_error *why)
{
    return why->code == RELAIS_ERR_DATA || why->code == RELAIS_ERR_LIMIT ||
           why->code == RELAIS_ERR_DAMAGED || why->code == RELAIS_ERR_MISSING;
}

static bool run_forms(relais_pull *p, relais_error *err)
{
    json_t *forms = json_array();
    bool ok, goes_on;
    size_t i;
    json_t *form;

    if (forms == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    ok = goes_on = list_forms(p, forms, err);
    json_array_foreach(forms, i, form)
    {
        relais_error why = {0};
        if (!goes_on || relais_site_is_stopped(&p->site))
            break;
        if (run_form(p, json_string_value(form), &why))
            continue;
        goes_on = is_forms_fault(&why);
        if (ok)
            *err = why;
        ok = false;
    }
    json_decref(forms);
    return ok;
}

/* ---- a source ---------------------------------------------------------------------------- */

static bool read_since(relais_pull *p, relais_error *err)
{
    if (p->options->since == NULL || relais_servertime_read(p->options->since, p->since))
        return true;
    return relais_error_set(err, RELAIS_ERR_CONFIG,
                            "\"%s\" is no date; write 2026-03-02 or 2026-03-02T10:15:04Z",
                            p->options->since);
}

static bool open_pull(relais_pull *p, relais_error *err)
{
    const relais_pull_options *options = p->options;

    relais_time_now(p->now);
    if (!relais_source_check(options->source, err) || !read_since(p, err))
        return false;
    p->kind = relais_kind_find(options->source->kind);
    if (!relais_site_open(&p->site, options->source, p->kind->auth, options->stop, err) ||
        !relais_spool_open(options->spool, options->floor, &p->spool, err) ||
        !relais_bookmark_open(options->spool, options->source->name, &p->directory, err) ||
        !relais_pool_create(&p->site, p->kind, p->spool, p->directory.path, &p->pool, err) ||
        !relais_worker_open(&p->lister, &p->site, p->kind, p->spool, p->directory.path, err))
        return false;
    p->page_arena = relais_arena_create(PAGE_MEMORY_MAX);
    return p->page_arena != NULL || relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
}

bool relais_pull_run(const relais_pull_options *options, uint64_t *failed, relais_error *err)
{
    relais_pull p = {
        .options = options, .directory = {.fd = -1, .lock = -1}, .lister = {.body = {.fd = -1}}};
    bool ok = open_pull(&p, err) && run_forms(&p, err);

    relais_pool_destroy(p.pool);
    relais_worker_close(&p.lister);
    relais_arena_destroy(p.page_arena);
    relais_bookmark_close(&p.directory);
    relais_spool_close(p.spool);
    relais_site_close(&p.site);
    *failed = p.failed;
    return ok;
}
