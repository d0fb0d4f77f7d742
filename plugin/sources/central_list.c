/*
 * What is new at ODK Central: its OData feed, page by page.
 *
 *   place: {"since": T, "recent": {ID: STAMP}, "walk": {...}}
 *
 * The feed tells the newest rows first, so a walk over all that changed since T must come to
 * its end before T moves; a walk that was broken off goes on from its token. updatedAt is null
 * until a row is edited or reviewed, so both times are asked for. T is the server's own clock
 * at the walk's first answer, less an overlap for transactions that were under way; rows of
 * the overlap that were seen are remembered in "recent" and not fetched again. The number of
 * rows that the server counts is compared with those that it told.
 */
#include "sources/central.h"

#include "sources/idset.h"
#include "sources/servertime.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_ROWS = 500, DELETED_PAGES = 200 };

/* ---- walks ------------------------------------------------------------------------------- */

bool relais_central_open(relais_walk *walk, relais_error *err)
{
    walk->memory = calloc(1, sizeof(relais_idset));
    return walk->memory != NULL || relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
}

bool relais_central_close(relais_walk *walk, bool is_whole, relais_error *err)
{
    (void)is_whole;
    (void)err;
    relais_idset_free(walk->memory);
    free(walk->memory);
    walk->memory = NULL;
    return true;
}

/* The walk that goes on, or a new one. A --since that differs begins anew. */
static json_t *take_walk(const relais_walk *walk)
{
    const json_t *stored = json_object_get(walk->place, "walk");
    const char *since =
        walk->since[0] != '\0' ? walk->since : relais_json_text(walk->place, "since");

    if (json_is_object(stored) && strcmp(relais_json_text(stored, "since"), since) == 0)
        return json_deep_copy(stored);
    return json_pack("{s:s s:s s:s s:i s:i s:{}}", "since", since, "until", "", "token", "",
                     "count", 0, "told", 0, "recent");
}

/* ---- the feed ---------------------------------------------------------------------------- */

static const char *feed_target(const relais_worker *worker, relais_arena *arena, const char *filter,
                               const char *token)
{
    const char *form = relais_central_form(worker, arena);
    const char *encoded = filter[0] == '\0' ? "" : relais_encoded(arena, filter);

    if (form == NULL || encoded == NULL)
        return NULL;
    return relais_arena_format(
        arena, "%s.svc/Submissions?%%24top=%d&%%24count=true&%%24select=__id%%2C__system%s%s%s%s",
        form, PAGE_ROWS, encoded[0] == '\0' ? "" : "&%24filter=", encoded,
        token[0] == '\0' ? "" : "&%24skiptoken=", token);
}

static const char *changed_filter(relais_arena *arena, const char *since)
{
    if (since[0] == '\0')
        return "";
    return relais_arena_format(arena, "__system/submissionDate gt %s or __system/updatedAt gt %s",
                               since, since);
}

/* The token of the link to the next page, as it stands there, encoded; "" at the end. The rest
 * of the link is the server's idea of its own address. */
static const char *next_token(const json_t *document, relais_arena *arena)
{
    static const char mark[] = "skiptoken=";
    const char *link = relais_json_text(document, "@odata.nextLink");
    const char *found = strstr(link, mark);

    if (found == NULL)
        return "";
    found += sizeof mark - 1;
    return relais_arena_copy(arena, found, strcspn(found, "& \t\r\n#"));
}

static json_t *ask_feed(relais_walk *walk, relais_arena *arena, const char *filter,
                        const char *token, relais_answer *answer, relais_error *err)
{
    const char *target = filter == NULL ? NULL : feed_target(walk->worker, arena, filter, token);
    json_t *document;

    if (target == NULL) {
        relais_arena_error(arena, err);
        return NULL;
    }
    document = relais_worker_json(walk->worker, target, relais_translate("the list of submissions"),
                                  answer, err);
    if (document == NULL || json_is_array(json_object_get(document, "value")))
        return document;
    relais_error_set(err, RELAIS_ERR_DATA,
                     "the server's list of submissions has no \"value\"; look whether url is ODK "
                     "Central's");
    json_decref(document);
    return NULL;
}

/* ---- rows -------------------------------------------------------------------------------- */

/* What a row of the feed says that matters here. */
typedef struct facts {
    const char *id;
    char submitted[RELAIS_TIME_TEXT_SIZE];
    char changed[RELAIS_TIME_TEXT_SIZE]; /* the later of both times */
    const json_t *system;
    uint64_t edits;
    const char *stamp;
} facts;

static bool read_facts(const json_t *value, relais_arena *arena, facts *out)
{
    char updated[RELAIS_TIME_TEXT_SIZE];

    out->id = relais_json_text(value, "__id");
    out->system = json_object_get(value, "__system");
    if (out->id[0] == '\0' || !json_is_object(out->system))
        return false;
    relais_servertime_read(relais_json_text(out->system, "submissionDate"), out->submitted);
    relais_servertime_read(relais_json_text(out->system, "updatedAt"), updated);
    memcpy(out->changed, strcmp(updated, out->submitted) > 0 ? updated : out->submitted,
           sizeof out->changed);
    out->edits = relais_json_number(out->system, "edits");
    /* Files that came late are not in it: those rows were put aside. */
    out->stamp = relais_arena_format(arena, "%s %llu", updated, (unsigned long long)out->edits);
    return out->stamp != NULL;
}

/* Seen with this very stamp, or only reviewed since. */
static bool is_known(const relais_walk *walk, const facts *row, const char *since)
{
    const char *recent = relais_json_text(json_object_get(walk->place, "recent"), row->id);

    if (walk->since[0] == '\0' && strcmp(recent, row->stamp) == 0)
        return true;
    return since[0] != '\0' && row->edits == 0 && strcmp(row->submitted, since) <= 0;
}

static bool add_row(relais_page *page, const facts *from, const char *since, relais_error *err)
{
    relais_row *row = relais_page_add(page, err);
    relais_arena *arena = page->arena;

    if (row == NULL)
        return false;
    row->id = row->instance = relais_arena_text(arena, from->id);
    row->received = relais_arena_text(arena, from->submitted);
    row->user = relais_arena_text(arena, relais_json_text(from->system, "submitterName"));
    row->device = relais_arena_text(arena, relais_json_text(from->system, "deviceId"));
    row->after = relais_arena_text(arena, since);
    row->edits = from->edits;
    row->has_files = relais_json_number(from->system, "attachmentsExpected") > 0;
    return (row->id != NULL && row->received != NULL && row->user != NULL && row->device != NULL &&
            row->after != NULL) ||
           relais_arena_error(arena, err);
}

static bool refuse_row(relais_error *err)
{
    return relais_error_set(err, RELAIS_ERR_DATA,
                            "a row of the server's list of submissions has no __id and __system; "
                            "look whether url is ODK Central's");
}

/* *fresh counts the rows that this walk had not told before. */
static bool take_rows(relais_walk *walk, json_t *going, const json_t *document, relais_page *page,
                      size_t *fresh, relais_error *err)
{
    const json_t *values = json_object_get(document, "value");
    const char *since = relais_json_text(going, "since");
    const char *until = relais_json_text(going, "until");
    json_t *recent = json_object_get(going, "recent");
    size_t i;
    json_t *value;

    *fresh = 0;
    json_array_foreach(values, i, value)
    {
        facts row;
        if (!read_facts(value, page->arena, &row))
            return refuse_row(err);
        if (!relais_idset_add(walk->memory, row.id))
            continue;
        (*fresh)++;
        page->listed++;
        page->rejected += strcmp(relais_json_text(row.system, "reviewState"), "rejected") == 0;
        if (strcmp(row.changed, until) >= 0)
            json_object_set_new(recent, row.id, json_string(row.stamp));
        if (is_known(walk, &row, since))
            page->known++;
        else if (!add_row(page, &row, since, err))
            return false;
    }
    return true;
}

/* ---- deletions --------------------------------------------------------------------------- */

static bool take_deleted(relais_walk *walk, json_t *recent, const json_t *document,
                         relais_page *page, relais_error *err)
{
    const json_t *before = json_object_get(walk->place, "recent");
    size_t i;
    json_t *value;

    json_array_foreach(json_object_get(document, "value"), i, value)
    {
        const char *id = relais_json_text(value, "__id");
        const char *at = relais_json_text(json_object_get(value, "__system"), "deletedAt");
        const char *key = relais_arena_format(page->arena, "-%s", id);
        if (key == NULL)
            return relais_arena_error(page->arena, err);
        json_object_set_new(recent, key, json_string(at));
        if (strcmp(relais_json_text(before, key), at) != 0 &&
            !relais_page_add_deleted(page, id, err))
            return false;
    }
    return true;
}

/* Rows deleted since T are told only when the filter names deletedAt. */
static bool ask_deleted(relais_walk *walk, const char *since, json_t *recent, relais_page *page,
                        relais_error *err)
{
    const char *filter = relais_arena_format(page->arena, "__system/deletedAt gt %s", since);
    const char *token = "";
    bool ok = true;

    for (int pages = 0; ok && pages < DELETED_PAGES && (pages == 0 || token[0] != '\0'); pages++) {
        relais_answer answer;
        json_t *document = ask_feed(walk, page->arena, filter, token, &answer, err);
        if (document == NULL)
            return false;
        ok = take_deleted(walk, recent, document, page, err);
        token = next_token(document, page->arena);
        json_decref(document);
        if (token == NULL)
            return relais_arena_error(page->arena, err);
    }
    return ok;
}

/* ---- places ------------------------------------------------------------------------------ */

static void set_text(json_t *object, const char *name, const char *text)
{
    json_object_set_new(object, name, json_string(text));
}

/* With the first answer: the time up to which everything is told once the walk is over. */
static void set_until(const relais_walk *walk, json_t *going, const relais_answer *answer)
{
    const relais_site *site = relais_http_site(walk->worker->http);
    struct timespec at = {.tv_sec = answer->date};
    char text[RELAIS_TIME_TEXT_SIZE], until[RELAIS_TIME_TEXT_SIZE];

    if (relais_json_text(going, "until")[0] != '\0')
        return;
    if (answer->date == 0)
        clock_gettime(CLOCK_REALTIME, &at);
    relais_time_format(&at, text);
    relais_servertime_move(text, -60 * (long)site->source->overlap, until);
    set_text(going, "until", until);
}

/* A walk that began later than the place must not move it: what lies between was not told. */
static json_t *place_after(const relais_walk *walk, const json_t *going)
{
    const char *before = relais_json_text(walk->place, "since");
    const char *since = relais_json_text(going, "since");
    bool moves = before[0] == '\0' || strcmp(since, before) <= 0;

    if (moves)
        return json_pack("{s:s s:O}", "since", relais_json_text(going, "until"), "recent",
                         json_object_get(going, "recent"));
    return json_deep_copy(walk->place);
}

static json_t *place_within(const relais_walk *walk, json_t *going)
{
    json_t *place = json_deep_copy(walk->place);

    if (place != NULL)
        json_object_set(place, "walk", going);
    return place;
}

/* The stored place without a walk: whatever went wrong, the next pull begins its walk anew. */
static void begin_anew(const relais_walk *walk, relais_page *page)
{
    page->next = json_deep_copy(walk->place);
    json_object_del(page->next, "walk");
    page->is_last = true;
}

static bool has_place(const relais_page *page, relais_error *err)
{
    return relais_page_has_next(page, err);
}

/* ---- a page ------------------------------------------------------------------------------ */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void note_count(relais_walk *walk, json_t *going, const json_t *document, size_t fresh)
{
    uint64_t count = relais_json_number(document, "@odata.count");
    uint64_t first = relais_json_number(going, "count");
    uint64_t told = relais_json_number(going, "told") + fresh;

    if (relais_json_text(going, "token")[0] != '\0')
        count = least(count, first);
    json_object_set_new(going, "count", json_integer((json_int_t)count));
    json_object_set_new(going, "told", json_integer((json_int_t)told));
    walk->total = count;
}

/* The end of the feed: was everything told? */
static bool finish_walk(relais_walk *walk, json_t *going, relais_page *page, relais_error *err)
{
    uint64_t told = relais_json_number(going, "told"), count = relais_json_number(going, "count");
    const char *since = relais_json_text(going, "since");

    if (told < count) {
        relais_error_set(&page->fault, RELAIS_ERR_DATA,
                         "the server told only %llu of the %llu submissions that it counts; "
                         "nothing is taken as done, pull again",
                         (unsigned long long)told, (unsigned long long)count);
        begin_anew(walk, page);
        return has_place(page, err);
    }
    if (since[0] != '\0' && !ask_deleted(walk, since, json_object_get(going, "recent"), page, err))
        return false;
    page->is_last = true;
    page->next = place_after(walk, going);
    return has_place(page, err);
}

static bool judge_page(relais_walk *walk, json_t *going, const json_t *document, size_t fresh,
                       relais_page *page, relais_error *err)
{
    size_t rows = json_array_size(json_object_get(document, "value"));
    const char *before = relais_json_text(going, "token");
    const char *token = next_token(document, page->arena);

    if (token == NULL)
        return relais_arena_error(page->arena, err);
    if ((rows > 0 && fresh == 0) || (token[0] != '\0' && strcmp(token, before) == 0)) {
        relais_error_set(&page->fault, RELAIS_ERR_DATA,
                         "the server tells the same page of submissions again and again; nothing "
                         "is taken as done, pull again");
        begin_anew(walk, page);
        return has_place(page, err);
    }
    note_count(walk, going, document, fresh);
    if (token[0] == '\0')
        return finish_walk(walk, going, page, err);
    set_text(going, "token", token);
    page->next = place_within(walk, going);
    return has_place(page, err);
}

static bool tell_page(relais_walk *walk, json_t *going, relais_page *page, relais_error *err)
{
    const char *token = relais_json_text(going, "token");
    relais_answer answer;
    size_t fresh;
    json_t *document =
        ask_feed(walk, page->arena, changed_filter(page->arena, relais_json_text(going, "since")),
                 token, &answer, err);
    bool ok;

    if (document == NULL) {
        if (token[0] == '\0' || err->code != RELAIS_ERR_DATA)
            return false;
        page->fault = *err; /* perhaps the token has grown old */
        relais_error_clear(err);
        begin_anew(walk, page);
        return has_place(page, err);
    }
    set_until(walk, going, &answer);
    ok = take_rows(walk, going, document, page, &fresh, err) &&
         judge_page(walk, going, document, fresh, page, err);
    json_decref(document);
    return ok;
}

bool relais_central_page(relais_walk *walk, relais_page *page, relais_error *err)
{
    json_t *going = take_walk(walk);
    bool ok = going == NULL ? relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left")
                            : tell_page(walk, going, page, err);

    json_decref(going);
    return ok;
}
