/*
 * Rows of a form: fetched, and put aside where they could not be had. See telling.h.
 */
#include "sources/telling.h"

#include "sources/servertime.h"

#include <stdlib.h>
#include <string.h>

/* Rows put aside that are asked for again at once. */
enum { AGAIN_ROWS = 500 };

/* When so many rows of a page fail and none is had, it is the server that fails. */
enum { ALL_FAILED_ROWS = 20 };

enum { SECONDS_A_DAY = 86400 };

/* ---- events ------------------------------------------------------------------------------ */

void relais_telling_progress(relais_telling *t, uint64_t pulled, uint64_t files, bool is_end)
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
    relais_telling *t;
    uint64_t pulled, files;
} ticking;

static void tick(void *context, uint64_t pulled, uint64_t files)
{
    ticking *of = context;

    of->pulled = pulled;
    of->files = files;
    relais_telling_progress(of->t, pulled, files, false);
}

static void say_failed(relais_telling *t, const char *id, const relais_error *why)
{
    const relais_pull_events *events = &t->pull->options->events;

    t->pull->failed++;
    if (events->failed != NULL)
        events->failed(events->context, t->form, id, why);
}

/* ---- what was put aside ------------------------------------------------------------------ */

static bool is_too_old(const relais_pull *p, const json_t *entry)
{
    time_t since = relais_servertime_seconds(relais_json_text(entry, "since"));
    double days = difftime(relais_servertime_seconds(p->now), since) / SECONDS_A_DAY;

    return days > (double)p->options->source->patience;
}

static void give_up(relais_telling *t, const json_t *entry)
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
static bool keep_aside(relais_telling *t, const relais_result *result, json_t *into,
                       relais_error *err)
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

static bool keep_results(relais_telling *t, const relais_row *rows, const relais_result *results,
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

bool relais_telling_write(relais_telling *t, json_t *place, json_t *aside, relais_error *err)
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
bool relais_telling_run_rows(relais_telling *t, const relais_row *rows, size_t count,
                             bool may_all_fail, json_t *aside, relais_error *err)
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
bool relais_telling_run_aside(relais_telling *t, relais_error *err)
{
    relais_row rows[AGAIN_ROWS];
    size_t total = json_array_size(t->state.aside), done = 0;
    json_t *left = json_array();
    bool ok = left != NULL;

    while (ok && done < total) {
        size_t count = 0;
        for (; count < AGAIN_ROWS && done < total; count++, done++)
            fill_again(&rows[count], json_array_get(t->state.aside, done));
        ok = relais_telling_run_rows(t, rows, count, true, left, err);
    }
    if (ok && total > 0)
        ok = relais_telling_write(t, t->state.place, left, err);
    json_decref(left);
    return ok;
}
