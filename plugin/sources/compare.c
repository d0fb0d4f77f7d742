/*
 * Comparing a form with what is here: the server's list is told from its beginning, whoever
 * asked judges each page, and what is lacking is fetched if that is wanted. The stored place is
 * not moved: a comparison takes nothing from the next pull. See telling.h.
 */
#include "sources/telling.h"

#include <stdlib.h>
#include <string.h>

enum { DAY_LENGTH = 10 };

/* The page's rows as the judge wants them; all belongs to the page's arena. */
typedef struct question {
    const char **ids, **days;
    bool *lacks;
} question;

static bool ask(relais_telling *t, relais_page *page, question *q, relais_error *err)
{
    const relais_pull_options *options = t->pull->options;
    relais_arena *arena = page->arena;

    q->ids = relais_arena_alloc(arena, (page->count + 1) * sizeof *q->ids);
    q->days = relais_arena_alloc(arena, (page->count + 1) * sizeof *q->days);
    q->lacks = relais_arena_alloc(arena, page->count + 1);
    if (q->ids == NULL || q->days == NULL || q->lacks == NULL)
        return relais_arena_error(arena, err);
    for (size_t i = 0; i < page->count; i++) {
        const char *received = page->rows[i].received;
        q->ids[i] = page->rows[i].instance;
        q->days[i] = relais_arena_copy(arena, received, strnlen(received, DAY_LENGTH));
        if (q->days[i] == NULL)
            return relais_arena_error(arena, err);
    }
    return page->count == 0 || options->judge(options->events.context, t->form, q->ids, q->days,
                                              page->count, q->lacks, err);
}

/* Fetches the rows that are lacking. */
static bool fill(relais_telling *t, relais_page *page, const question *q, relais_error *err)
{
    json_t *aside;
    size_t left = 0;
    bool ok;

    for (size_t i = 0; i < page->count; i++)
        if (q->lacks[i])
            page->rows[left++] = page->rows[i];
    if (left == 0)
        return true;
    aside = json_copy(t->state.aside);
    if (aside == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    ok = relais_telling_run_rows(t, page->rows, left, false, aside, err) &&
         relais_telling_write(t, t->state.place, aside, err);
    json_decref(aside);
    return ok;
}

static bool compare_page(relais_telling *t, relais_page *page, relais_error *err)
{
    question q;

    t->counts.listed += page->listed;
    if (!ask(t, page, &q, err))
        return false;
    relais_telling_progress(t, 0, 0, false);
    return !t->pull->options->fills || fill(t, page, &q, err);
}

bool relais_telling_compare(relais_telling *t, relais_error *err)
{
    json_t *place = json_object();
    bool is_last = false, ok = place != NULL;

    if (!ok)
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    while (ok && !is_last) {
        relais_page page = {.arena = t->pull->page_arena};
        relais_arena_reset(page.arena);
        t->walk.place = place;
        ok = !relais_site_is_stopped(&t->pull->site) && t->pull->kind->page(&t->walk, &page, err) &&
             compare_page(t, &page, err);
        is_last = page.is_last;
        if (ok && page.fault.code != RELAIS_ERR_NONE) {
            *err = page.fault;
            ok = false;
        }
        json_decref(place);
        place = page.next;
    }
    json_decref(place);
    t->walk.place = t->state.place;
    return ok;
}
