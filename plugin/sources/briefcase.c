/*
 * The Briefcase API: ODK Aggregate, and whatever else speaks it.
 *
 *   place: {"cursor": "..."}
 *
 * The list is ordered by last update, and a cursor of the server's own says where a page ends:
 * an XML document at Aggregate, a number at KoBo and Ona. The end is an empty list. Aggregate
 * lists a submission again when a file of it came late; KoBo and Ona list an edited one never
 * again, so their own kinds are the better ones for them. What is served is written anew from
 * tables, so its bytes are not the phone's.
 */
#include "sources/briefcase.h"

#include "sources/idset.h"
#include "sources/servertime.h"
#include "xform/xml.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_ROWS = 100 };

/* Forms are a few megabytes at most. */
enum { ROOT_NAME_MAX = 256 };

/* A form being told. */
typedef struct memory {
    relais_idset cursors;     /* those that this pull has been given */
    char root[ROOT_NAME_MAX]; /* name of the submission's root element */
} memory;

/* ---- forms ------------------------------------------------------------------------------- */

static xmlDocPtr ask_document(relais_worker *worker, const char *target, const char *root,
                              const char *what, relais_arena *arena, relais_error *err)
{
    relais_answer answer;

    if (!relais_http_fetch(worker->http, target, what, RELAIS_EXPECT_XML, &worker->answer, &answer,
                           err))
        return NULL;
    if (answer.status != 200) {
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "the server has nothing where %s should be (%ld); look at url, project "
                         "and forms",
                         what, answer.status);
        return NULL;
    }
    return relais_briefcase_parse(&worker->answer, root, what, arena, err);
}

static bool list_forms(relais_worker *worker, json_t *out, relais_error *err)
{
    xmlDocPtr doc = ask_document(worker, "/formList", "xforms",
                                 relais_translate("the list of forms"), worker->arena, err);
    xmlNodePtr form;

    if (doc == NULL)
        return false;
    for (form = xmlDocGetRootElement(doc)->children; form != NULL; form = form->next) {
        const char *id = relais_xml_text(relais_xml_child(form, "formID"), worker->arena);
        if (id != NULL && id[0] != '\0')
            json_array_append_new(out, json_string(id));
    }
    return true;
}

/* The address of a form's definition, as the list of forms says; NULL when it does not. */
static const char *find_definition(relais_worker *worker, xmlDocPtr list, const char *form)
{
    xmlNodePtr one = xmlDocGetRootElement(list)->children;

    for (; one != NULL; one = one->next) {
        const char *id = relais_xml_text(relais_xml_child(one, "formID"), worker->arena);
        if (id != NULL && strcmp(id, form) == 0)
            return relais_xml_text(relais_xml_child(one, "downloadUrl"), worker->arena);
    }
    return NULL;
}

/* html/head/model/instance/ROOT */
static const char *find_root(xmlDocPtr definition)
{
    static const char *const path[] = {"head", "model", "instance"};
    xmlNodePtr node = xmlDocGetRootElement(definition);

    for (size_t i = 0; i < sizeof path / sizeof path[0]; i++)
        node = node == NULL ? NULL : relais_xml_child(node, path[i]);
    for (node = node == NULL ? NULL : node->children; node != NULL; node = node->next)
        if (node->type == XML_ELEMENT_NODE)
            return (const char *)node->name;
    return NULL;
}

/* A key names the root element. Forms that are encrypted, and those made from spreadsheets, have
 * "data" there; so has one whose definition cannot be had. */
static bool read_root(relais_walk *walk, relais_error *err)
{
    relais_worker *worker = walk->worker;
    memory *own = walk->memory;
    xmlDocPtr list = ask_document(worker, "/formList", "xforms",
                                  relais_translate("the list of forms"), worker->arena, err);
    const char *target, *root;
    xmlDocPtr definition;

    snprintf(own->root, sizeof own->root, "data");
    if (list == NULL)
        return false;
    target = find_definition(worker, list, walk->form);
    if (target == NULL || target[0] == '\0')
        return true;
    definition = ask_document(worker, target, "html", relais_translate("a form's definition"),
                              worker->arena, err);
    if (definition == NULL)
        return false;
    root = find_root(definition);
    if (root != NULL && strlen(root) < sizeof own->root)
        snprintf(own->root, sizeof own->root, "%s", root);
    return true;
}

/* ---- walks ------------------------------------------------------------------------------- */

static bool close_walk(relais_walk *walk, bool is_whole, relais_error *err)
{
    memory *own = walk->memory;

    (void)is_whole;
    (void)err;
    relais_idset_free(&own->cursors);
    free(own);
    walk->memory = NULL;
    return true;
}

static bool open_walk(relais_walk *walk, relais_error *err)
{
    if (walk->since[0] != '\0')
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "the Briefcase API's lists have no dates, so --since cannot be "
                                "used with it; without it the pull goes on where it was");
    walk->memory = calloc(1, sizeof(memory));
    if (walk->memory == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    if (read_root(walk, err))
        return true;
    close_walk(walk, false, err);
    return false;
}

/* ---- pages ------------------------------------------------------------------------------- */

static const char *list_target(const relais_walk *walk, relais_arena *arena, const char *cursor)
{
    const char *form = relais_encoded(arena, walk->form);
    const char *encoded = relais_encoded(arena, cursor);

    if (form == NULL || encoded == NULL)
        return NULL;
    return relais_arena_format(
        arena, "/view/submissionList?formId=%s&cursor=%s&numEntries=%d&includeIncomplete=true",
        form, encoded, PAGE_ROWS);
}

static bool take_ids(const relais_walk *walk, xmlNodePtr list, relais_page *page, relais_error *err)
{
    const memory *own = walk->memory;

    for (xmlNodePtr id = list == NULL ? NULL : list->children; id != NULL; id = id->next) {
        relais_row *row;
        if (id->type != XML_ELEMENT_NODE || strcmp((const char *)id->name, "id") != 0)
            continue;
        row = relais_page_add(page, err);
        if (row == NULL)
            return false;
        page->listed++;
        row->id = row->instance = relais_xml_text(id, page->arena);
        row->version = relais_arena_text(page->arena, own->root);
        if (row->id == NULL || row->version == NULL)
            return relais_arena_error(page->arena, err);
    }
    return true;
}

/* A cursor that was given before leads round in a circle. */
static void judge_cursor(const relais_walk *walk, const char *before, const char *after,
                         relais_page *page)
{
    memory *own = walk->memory;
    bool is_new = relais_idset_add(&own->cursors, after);

    page->is_last = page->listed == 0;
    if (page->is_last || (is_new && strcmp(before, after) != 0))
        return;
    relais_error_set(&page->fault, RELAIS_ERR_DATA,
                     "the server's list of submissions does not move on from its cursor; what it "
                     "told is kept, look at the server");
    page->is_last = true;
}

static bool take_page(relais_walk *walk, xmlDocPtr doc, relais_page *page, relais_error *err)
{
    xmlNodePtr top = xmlDocGetRootElement(doc);
    const char *before = relais_json_text(walk->place, "cursor");
    const char *after = relais_xml_text(relais_xml_child(top, "resumptionCursor"), page->arena);

    if (after == NULL)
        return relais_arena_error(page->arena, err);
    if (!take_ids(walk, relais_xml_child(top, "idList"), page, err))
        return false;
    judge_cursor(walk, before, after, page);
    page->next = json_pack("{s:s}", "cursor", page->listed == 0 ? before : after);
    return relais_page_has_next(page, err);
}

static bool tell_page(relais_walk *walk, relais_page *page, relais_error *err)
{
    const char *target = list_target(walk, page->arena, relais_json_text(walk->place, "cursor"));
    xmlDocPtr doc;
    bool ok;

    if (target == NULL)
        return relais_arena_error(page->arena, err);
    doc = ask_document(walk->worker, target, "idChunk", relais_translate("the list of submissions"),
                       page->arena, err);
    if (doc == NULL)
        return false;
    ok = take_page(walk, doc, page, err);
    return ok;
}

/* ---- a submission ------------------------------------------------------------------------ */

/* FORM[@version=null and @uiVersion=null]/ROOT[@key=ID] */
static const char *download_target(const relais_worker *worker, const relais_row *row)
{
    const char *key =
        relais_arena_format(worker->arena, "%s[@version=null and @uiVersion=null]/%s[@key=%s]",
                            worker->form, row->version, row->id);
    const char *encoded = key == NULL ? NULL : relais_encoded(worker->arena, key);

    return encoded == NULL
               ? NULL
               : relais_arena_format(worker->arena, "/view/downloadSubmission?formId=%s", encoded);
}

static bool deliver(relais_worker *worker, const relais_row *row, xmlDocPtr doc, relais_error *err)
{
    char received[RELAIS_TIME_TEXT_SIZE];
    relais_row own = *row;
    relais_offer *offers;
    const char *date;
    json_t *missing;
    size_t count;
    bool ok;

    if (!relais_briefcase_take(doc, worker->arena, &worker->xml, &date, &offers, &count, err))
        return false;
    relais_servertime_read(date, received);
    own.received = received;
    missing = json_array();
    ok = missing == NULL
             ? relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left")
             : relais_worker_deliver(worker, &own, row->id, offers, count, missing, err);
    json_decref(missing);
    return ok;
}

static bool fetch(relais_worker *worker, const relais_row *row, relais_error *err)
{
    const char *target = download_target(worker, row);
    relais_answer answer;
    xmlDocPtr doc;
    bool ok;

    if (target == NULL)
        return relais_arena_error(worker->arena, err);
    if (!relais_http_fetch(worker->http, target, relais_translate("a submission's XML"),
                           RELAIS_EXPECT_XML, &worker->answer, &answer, err))
        return false;
    if (answer.status != 200)
        return relais_worker_put_aside(worker, row, "gone", NULL, err);
    doc = relais_briefcase_parse(&worker->answer, "submission",
                                 relais_translate("a submission's XML"), worker->arena, err);
    if (doc == NULL)
        return false;
    ok = deliver(worker, row, doc, err);
    return ok;
}

const relais_kind relais_kind_briefcase = {
    .name = "briefcase",
    .source = "pull:briefcase",
    .auth = RELAIS_AUTH_PASSWORD,
    .list_forms = list_forms,
    .open = open_walk,
    .close = close_walk,
    .page = tell_page,
    .fetch = fetch,
};
