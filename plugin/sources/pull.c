/*
 * Pulling: forms, pages, rows, and the order in which their traces are left. See source.h.
 *
 * The order is the promise: parcels are committed first, the place is written after them. A
 * kill between the two repeats a page, and the ledger knows its submissions already.
 */
#include "sources/source.h"

#include "sources/bookmark.h"
#include "sources/pool.h"
#include "sources/servertime.h"
#include "sources/words.h"

#include <stdlib.h>
#include <string.h>

/* A page's rows and their texts. */
#define PAGE_MEMORY_MAX ((size_t)128 * 1024 * 1024)

/* Rows put aside that are asked for again at once. */
enum { AGAIN_ROWS = 500 };

/* When so many rows of a page fail and none is had, it is the server that fails. */
enum { ALL_FAILED_ROWS = 20 };

enum { SECONDS_A_DAY = 86400 };

/* One source being pulled. */
typedef struct pull {
    const relais_pull_options *options;
    const relais_kind *kind;
    relais_site site;
    relais_spool *spool;
    relais_bookmark_directory directory;
    relais_pool *pool;
    relais_worker lister;
    relais_arena *page_arena;
    char since[RELAIS_TIME_TEXT_SIZE];
    char now[RELAIS_TIME_TEXT_SIZE];
    uint64_t failed;
} pull;

/* One form of it. */
typedef struct telling {
    pull *pull;
    const char *form;
    relais_bookmark state;
    relais_walk walk;
    relais_pull_counts counts;
} telling;

/* ---- events ------------------------------------------------------------------------------ */

static void say_progress(telling *t, uint64_t pulled, uint64_t files, bool is_end)
{
    const relais_pull_events *events = &t->pull->options->events;
    relais_pull_counts counts = t->counts;

    counts.pulled += pulled;
    counts.files += files;
    counts.total = t->walk.total;
    if (events->progress != NULL)
        events->progress(events->context, t->form, &counts, is_end);
}

/* The page's figures so far; the last call of a page is what is added to the form's. */
typedef struct ticking {
    telling *t;
    uint64_t pulled, files;
} ticking;

static void tick(void *context, uint64_t pulled, uint64_t files)
{
    ticking *of = context;

    of->pulled = pulled;
    of->files = files;
    say_progress(of->t, pulled, files, false);
}

static void say_failed(telling *t, const char *id, const relais_error *why)
{
    const relais_pull_events *events = &t->pull->options->events;

    t->pull->failed++;
    if (events->failed != NULL)
        events->failed(events->context, t->form, id, why);
}

static void say_deleted(telling *t, const relais_page *page)
{
    const relais_pull_events *events = &t->pull->options->events;

    t->counts.deleted += page->deleted_count;
    for (size_t i = 0; i < page->deleted_count && events->deleted != NULL; i++)
        events->deleted(events->context, t->form, page->deleted[i]);
}

/* ---- what was put aside ------------------------------------------------------------------ */

static bool is_too_old(const pull *p, const json_t *entry)
{
    time_t since = relais_servertime_seconds(relais_json_text(entry, "since"));
    double days = difftime(relais_servertime_seconds(p->now), since) / SECONDS_A_DAY;

    return days > (double)p->options->source->patience;
}

static void give_up(telling *t, const json_t *entry)
{
    const relais_pull_events *events = &t->pull->options->events;
    const json_t *files = json_object_get(entry, "files");
    size_t i;
    json_t *file;

    t->counts.given_up++;
    if (events->given_up == NULL)
        return;
    if (json_array_size(files) == 0)
        events->given_up(events->context, t->form, relais_json_text(entry, "id"), "");
    json_array_foreach(files, i, file) events->given_up(
        events->context, t->form, relais_json_text(entry, "id"), json_string_value(file));
}

/* Keeps what a row left, with the time of its first failure. */
static bool keep_aside(telling *t, const relais_result *result, json_t *into, relais_error *err)
{
    size_t i;
    json_t *entry;

    json_array_foreach(result->aside, i, entry)
    {
        const char *why = relais_json_text(entry, "why");
        if (relais_json_text(entry, "since")[0] == '\0')
            json_object_set_new(entry, "since", json_string(t->pull->now));
        if (strcmp(why, "failed") != 0 && is_too_old(t->pull, entry)) {
            give_up(t, entry);
            continue;
        }
        t->counts.waiting += strcmp(why, "files") == 0;
        t->counts.failed += strcmp(why, "failed") == 0;
        if (json_array_append(into, entry) != 0)
            return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    }
    if (json_array_size(into) > RELAIS_ASIDE_MAX)
        return relais_error_set(err, RELAIS_ERR_LIMIT,
                                "more than %d submissions wait to be asked for again; look at the "
                                "server, and at the messages above",
                                RELAIS_ASIDE_MAX);
    return true;
}

static bool keep_results(telling *t, const relais_row *rows, const relais_result *results,
                         size_t count, json_t *into, relais_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (results[i].why != NULL)
            say_failed(t, rows[i].id, results[i].why);
        if (!keep_aside(t, &results[i], into, err))
            return false;
    }
    return true;
}

/* A server that fails at everything must not fill the state with everything. */
static bool check_failures(const relais_result *results, size_t count, relais_error *err)
{
    size_t failed = 0;

    for (size_t i = 0; i < count; i++)
        failed += results[i].why != NULL;
    if (failed < count || count < ALL_FAILED_ROWS)
        return true;
    *err = *results[0].why;
    return false;
}

/* ---- rows -------------------------------------------------------------------------------- */

static bool write_state(telling *t, json_t *place, json_t *aside, relais_error *err)
{
    relais_bookmark next = {place, aside};

    if (!relais_bookmark_write(&t->pull->directory, t->form, &next, err))
        return false;
    json_incref(place);
    json_incref(aside);
    relais_bookmark_free(&t->state);
    t->state = next;
    t->walk.place = place;
    return true;
}

/* Fetches rows and adds what they leave behind to `aside`. */
static bool run_rows(telling *t, const relais_row *rows, size_t count, bool may_all_fail,
                     json_t *aside, relais_error *err)
{
    relais_result *results;
    ticking of = {.t = t};
    bool ok;

    if (count == 0)
        return true;
    results = calloc(count, sizeof *results);
    if (results == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    ok = relais_pool_run(t->pull->pool, t->form, rows, count, results, tick, &of, err);
    t->counts.pulled += of.pulled;
    t->counts.files += of.files;
    ok = ok && (may_all_fail || check_failures(results, count, err)) &&
         keep_results(t, rows, results, count, aside, err);
    relais_results_free(results, count);
    free(results);
    return ok;
}

static void fill_again(relais_row *row, const json_t *entry)
{
    const json_t *files = json_object_get(entry, "files");

    *row = (relais_row){
        .id = relais_json_text(entry, "id"),
        .version = relais_json_text(entry, "version"),
        .received = relais_json_text(entry, "received"),
        .user = relais_json_text(entry, "user"),
        .device = relais_json_text(entry, "device"),
        .after = "",
        .since = relais_json_text(entry, "since"),
        .has_files = true,
        .is_again = true,
        .wanted = json_array_size(files) > 0 ? files : NULL,
    };
}

/* Asks again for everything that was put aside; what is still not to be had stays. */
static bool run_aside(telling *t, relais_error *err)
{
    relais_row rows[AGAIN_ROWS];
    size_t total = json_array_size(t->state.aside), done = 0;
    json_t *left = json_array();
    bool ok = left != NULL;

    while (ok && done < total) {
        size_t count = 0;
        for (; count < AGAIN_ROWS && done < total; count++, done++)
            fill_again(&rows[count], json_array_get(t->state.aside, done));
        ok = run_rows(t, rows, count, true, left, err);
    }
    if (ok && total > 0)
        ok = write_state(t, t->state.place, left, err);
    json_decref(left);
    return ok;
}

/* ---- pages ------------------------------------------------------------------------------- */

static bool run_page(telling *t, relais_page *page, relais_error *err)
{
    json_t *aside;
    bool ok;

    t->counts.listed += page->listed;
    t->counts.known += page->known;
    t->counts.rejected += page->rejected;
    aside = json_copy(t->state.aside);
    if (aside == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    ok = run_rows(t, page->rows, page->count, false, aside, err) &&
         write_state(t, page->next, aside, err);
    json_decref(aside);
    if (!ok)
        return false;
    say_deleted(t, page);
    if (t->pull->kind->settled != NULL)
        t->pull->kind->settled(&t->walk, page);
    return true;
}

static bool run_pages(telling *t, relais_error *err)
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

static bool run_walk(telling *t, relais_error *err)
{
    const relais_kind *kind = t->pull->kind;
    bool ok;

    t->pull->lister.form = t->form;
    t->walk = (relais_walk){.worker = &t->pull->lister,
                            .directory = &t->pull->directory,
                            .form = t->form,
                            .since = t->pull->since,
                            .place = t->state.place};
    if (kind->open != NULL && !kind->open(&t->walk, err))
        return false;
    ok = run_aside(t, err) && run_pages(t, err);
    if (kind->close != NULL)
        ok = kind->close(&t->walk, ok, err) && ok;
    return ok;
}

/* True, or false with the error that ended the form, or false without one when stopped. */
static bool run_form(pull *p, const char *form, relais_error *err)
{
    telling t = {.pull = p, .form = form};
    const relais_pull_events *events = &p->options->events;
    relais_error why = {0};
    bool ok = relais_bookmark_read(&p->directory, form, &t.state, &why) && run_walk(&t, &why);

    say_progress(&t, 0, 0, true);
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

static bool list_forms(pull *p, json_t *out, relais_error *err)
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

static bool run_forms(pull *p, relais_error *err)
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

static bool read_since(pull *p, relais_error *err)
{
    if (p->options->since == NULL || relais_servertime_read(p->options->since, p->since))
        return true;
    return relais_error_set(err, RELAIS_ERR_CONFIG,
                            "\"%s\" is no date; write 2026-03-02 or 2026-03-02T10:15:04Z",
                            p->options->since);
}

static bool open_pull(pull *p, relais_error *err)
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
    pull p = {
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
