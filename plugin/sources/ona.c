/*
 * Ona, API version 1.
 *
 *   place: {"id": N, "edited": T, "recent": {ID: STAMP}}
 *
 * Records are told upwards from the last _id; an edit keeps it, and says when in _last_edited.
 * T is the server's clock at the beginning of the last search for edits, less the overlap.
 * _media_all_received tells that files are still to come.
 */
#include "sources/records.h"

#include "sources/servertime.h"

#include <stdlib.h>
#include <string.h>

static const relais_dialect dialect = {
    .top = "/api/v1/data/",
    .middle = "/",
    .list = ".json?page_size=500",
    .record = ".json",
};

/* A form being told. */
typedef struct memory {
    uint64_t last;      /* told up to here, in this pull */
    bool is_for_edits;  /* the second half of the walk */
    uint64_t edited_id; /* edits told up to this number */
    char until[RELAIS_TIME_TEXT_SIZE];
    json_t *recent;
    bool has_place; /* --since is not to move the stored place */
} memory;

static bool open_walk(relais_walk *walk, relais_error *err)
{
    memory *own = calloc(1, sizeof *own);

    walk->memory = own;
    if (own == NULL || (own->recent = json_object()) == NULL) {
        free(own);
        walk->memory = NULL;
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    }
    own->has_place = json_object_get(walk->place, "id") != NULL;
    own->last = walk->since[0] == '\0' ? relais_json_number(walk->place, "id") : 0;
    return true;
}

static bool close_walk(relais_walk *walk, bool is_whole, relais_error *err)
{
    memory *own = walk->memory;

    (void)is_whole;
    (void)err;
    json_decref(own->recent);
    free(own);
    walk->memory = NULL;
    return true;
}

/* ---- forms ------------------------------------------------------------------------------- */

static bool list_forms(relais_worker *worker, json_t *out, relais_error *err)
{
    relais_answer answer;
    json_t *forms = relais_worker_json(worker, "/api/v1/forms.json",
                                       relais_translate("the list of forms"), &answer, err);
    size_t i;
    json_t *form;

    if (forms == NULL)
        return false;
    json_array_foreach(forms, i, form)
    {
        char text[24];
        snprintf(text, sizeof text, "%llu", (unsigned long long)relais_json_number(form, "formid"));
        json_array_append_new(out, json_string(text));
    }
    json_decref(forms);
    return true;
}

/* ---- places ------------------------------------------------------------------------------ */

static json_t *place_of(const relais_walk *walk)
{
    const memory *own = walk->memory;
    json_t *place = json_copy((json_t *)walk->place);

    if (place != NULL && (walk->since[0] == '\0' || !own->has_place))
        json_object_set_new(place, "id", json_integer((json_int_t)own->last));
    return place;
}

/* The first answer of the pull says until when edits are told by it. */
static void set_until(const relais_walk *walk, const relais_answer *answer)
{
    const relais_site *site = relais_http_site(walk->worker->http);
    memory *own = walk->memory;
    struct timespec at = {.tv_sec = answer->date};
    char text[RELAIS_TIME_TEXT_SIZE];

    if (own->until[0] != '\0')
        return;
    if (answer->date == 0)
        clock_gettime(CLOCK_REALTIME, &at);
    relais_time_format(&at, text);
    relais_servertime_move(text, -60 * (long)site->source->overlap, own->until);
}

/* ---- what is new ------------------------------------------------------------------------- */

static const char *stamp_of(const json_t *record)
{
    return relais_json_text(record, "_uuid");
}

/* An edit may come between two pages: what is pulled now is not pulled again as edited. */
static void note_recent(memory *own, const json_t *record, relais_arena *arena)
{
    const char *id =
        relais_arena_format(arena, "%llu", (unsigned long long)relais_json_number(record, "_id"));
    char edited[RELAIS_TIME_TEXT_SIZE];

    if (id == NULL || !relais_servertime_read(relais_json_text(record, "_last_edited"), edited))
        return;
    if (strcmp(edited, own->until) >= 0)
        json_object_set_new(own->recent, id, json_string(stamp_of(record)));
}

static bool take_new(relais_walk *walk, const json_t *records, relais_page *page, relais_error *err)
{
    memory *own = walk->memory;
    size_t i;
    json_t *record;

    json_array_foreach(records, i, record)
    {
        page->listed++;
        note_recent(own, record, page->arena);
        if (!relais_records_add(walk, &dialect, record, page, err))
            return false;
        own->last = relais_json_number(record, "_id");
    }
    return true;
}

static bool tell_new(relais_walk *walk, relais_page *page, relais_error *err)
{
    memory *own = walk->memory;
    relais_answer answer;
    json_t *records;
    uint64_t total;
    bool ok;

    if (!relais_records_ask(walk, &dialect, relais_records_since(walk, own->last), page->arena,
                            &records, &total, &answer, err))
        return false;
    set_until(walk, &answer);
    ok = relais_records_check(records, own->last, 0, err) && take_new(walk, records, page, err);
    /* The list has no count: only an empty page is surely the last. */
    own->is_for_edits = json_array_size(records) == 0;
    json_decref(records);
    if (!ok)
        return false;
    page->next = place_of(walk);
    return relais_page_has_next(page, err);
}

/* ---- what was edited --------------------------------------------------------------------- */

static bool is_recent(const relais_walk *walk, const json_t *record, relais_arena *arena)
{
    const memory *own = walk->memory;
    const char *id =
        relais_arena_format(arena, "%llu", (unsigned long long)relais_json_number(record, "_id"));
    const json_t *before = json_object_get(walk->place, "recent");

    return id != NULL && (strcmp(relais_json_text(before, id), stamp_of(record)) == 0 ||
                          strcmp(relais_json_text(own->recent, id), stamp_of(record)) == 0);
}

static bool take_edited(relais_walk *walk, const json_t *records, relais_page *page,
                        relais_error *err)
{
    memory *own = walk->memory;
    size_t i;
    json_t *record;

    json_array_foreach(records, i, record)
    {
        bool is_known = is_recent(walk, record, page->arena);
        own->edited_id = relais_json_number(record, "_id");
        page->listed++;
        note_recent(own, record, page->arena);
        if (is_known)
            page->known++;
        else if (!relais_records_add(walk, &dialect, record, page, err))
            return false;
    }
    return true;
}

static bool end_edited(relais_walk *walk, relais_page *page)
{
    memory *own = walk->memory;

    page->is_last = true;
    return json_object_set_new(page->next, "edited", json_string(own->until)) == 0 &&
           json_object_set(page->next, "recent", own->recent) == 0;
}

static bool tell_edited(relais_walk *walk, relais_page *page, relais_error *err)
{
    memory *own = walk->memory;
    const char *since =
        walk->since[0] != '\0' ? walk->since : relais_json_text(walk->place, "edited");
    json_t *query = json_pack("{s:{s:s}, s:{s:I}}", "_last_edited", "$gte", since, "_id", "$gt",
                              (json_int_t)own->edited_id);
    relais_answer answer;
    json_t *records = NULL;
    uint64_t total;
    bool ok = true;

    /* What is told for the first time is told with its edits. */
    if (since[0] == '\0')
        json_decref(query);
    else
        ok = relais_records_ask(walk, &dialect, query, page->arena, &records, &total, &answer,
                                err) &&
             relais_records_check(records, own->edited_id, 0, err) &&
             take_edited(walk, records, page, err);
    if (ok) {
        page->next = place_of(walk);
        if (page->next != NULL && json_array_size(records) == 0 && walk->since[0] == '\0')
            ok = end_edited(walk, page);
        page->is_last = json_array_size(records) == 0;
    }
    json_decref(records);
    return ok && relais_page_has_next(page, err);
}

static bool tell_page(relais_walk *walk, relais_page *page, relais_error *err)
{
    const memory *own = walk->memory;

    return own->is_for_edits ? tell_edited(walk, page, err) : tell_new(walk, page, err);
}

static bool fetch(relais_worker *worker, const relais_row *row, relais_error *err)
{
    return relais_records_fetch(worker, &dialect, row, err);
}

const relais_kind relais_kind_ona = {
    .name = "ona",
    .source = "pull:ona",
    .auth = RELAIS_AUTH_TOKEN,
    .list_forms = list_forms,
    .open = open_walk,
    .close = close_walk,
    .page = tell_page,
    .fetch = fetch,
};
