/*
 * ODK Central: sessions, forms, and a submission with its versions and files.
 *
 * Central keeps the XML as it was received, so that a pulled submission is byte for byte the
 * one that was captured. A submission is known by the instanceID of its first version, and each
 * later version by its own below it.
 */
#include "sources/central.h"

#include "sources/servertime.h"

#include <stdlib.h>
#include <string.h>

/* ---- sessions ---------------------------------------------------------------------------- */

/* A session's token is 64 characters, and the answer some hundred bytes. */
enum { SESSION_MAX = 16 * 1024 };

static bool keep_session(relais_http *http, const relais_buffer *answer, relais_error *err)
{
    json_t *document =
        json_loadb(answer->data == NULL ? "" : answer->data, answer->length, 0, NULL);
    const char *token = json_string_value(json_object_get(document, "token"));
    bool ok = token != NULL && relais_site_keep_token(relais_http_site(http), token, strlen(token));

    if (token != NULL)
        explicit_bzero((char *)token, strlen(token));
    json_decref(document);
    return ok || relais_error_set(err, RELAIS_ERR_CONFIG,
                                  "the server opens no session; look whether url is ODK Central's");
}

static bool take_session(void *context, const char *bytes, size_t length, const char *media_type,
                         relais_error *err)
{
    relais_buffer *answer = context;

    (void)media_type;
    relais_buffer_append(answer, bytes, length);
    return relais_buffer_check(answer, "a session", err);
}

static void restart_session(void *context)
{
    relais_buffer_reset(context);
}

static void wipe(relais_buffer *buffer)
{
    if (buffer->data != NULL)
        explicit_bzero(buffer->data, buffer->capacity);
    relais_buffer_free(buffer);
}

static bool ask_session(relais_http *http, const char *post, relais_buffer *answer,
                        relais_error *err)
{
    const relais_ask ask = {
        .target = "/v1/sessions",
        .what = relais_translate("a session"),
        .post = post,
        .expect = RELAIS_EXPECT_JSON,
        .maximum = SESSION_MAX,
        .take = take_session,
        .restart = restart_session,
        .context = answer,
        .is_login = true,
    };
    relais_answer got;

    if (!relais_http_ask(http, &ask, &got, err))
        return false;
    return got.status == 200 ||
           relais_error_set(err, RELAIS_ERR_CONFIG,
                            "the server knows no sessions; look whether url is ODK Central's");
}

/* Called with the session's lock held. */
static bool log_in(relais_http *http, relais_error *err)
{
    const relais_credentials *credentials = &relais_http_site(http)->credentials;
    json_t *document =
        json_pack("{s:s s:s}", "email", credentials->user, "password", credentials->password);
    char *post = document == NULL ? NULL : json_dumps(document, JSON_COMPACT);
    relais_buffer answer;
    bool ok;

    json_decref(document);
    if (post == NULL)
        return relais_error_set(err, RELAIS_ERR_CONFIG, "user or password is not UTF-8");
    relais_buffer_init(&answer, SESSION_MAX);
    ok = ask_session(http, post, &answer, err) && keep_session(http, &answer, err);
    wipe(&answer);
    explicit_bzero(post, strlen(post));
    free(post);
    return ok;
}

/* ---- forms ------------------------------------------------------------------------------- */

const char *relais_central_form(const relais_worker *worker, relais_arena *arena)
{
    const char *form = relais_encoded(arena, worker->form);

    return form == NULL
               ? NULL
               : relais_arena_format(arena, "/v1/projects/%s/forms/%s", worker->project, form);
}

static bool list_forms(relais_worker *worker, json_t *out, relais_error *err)
{
    const char *target =
        relais_arena_format(worker->arena, "/v1/projects/%s/forms", worker->project);
    relais_answer answer;
    json_t *forms;
    size_t i;
    json_t *form;

    if (target == NULL)
        return relais_arena_error(worker->arena, err);
    forms = relais_worker_json(worker, target, relais_translate("the list of forms"), &answer, err);
    if (forms == NULL)
        return false;
    json_array_foreach(forms, i, form)
    {
        json_t *id = json_object_get(form, "xmlFormId");
        if (json_is_string(id))
            json_array_append(out, id);
    }
    json_decref(forms);
    return true;
}

/* ---- a version --------------------------------------------------------------------------- */

/* What a submission's list of attachments says: those there, as offers, and those not. */
static bool read_attachments(relais_worker *worker, const relais_row *row, const char *target,
                             const json_t *list, relais_offer **offers, size_t *count,
                             json_t *missing, relais_error *err)
{
    size_t i;
    json_t *one;

    *count = 0;
    *offers = relais_arena_alloc(worker->arena, (json_array_size(list) + 1) * sizeof **offers);
    if (*offers == NULL)
        return relais_arena_error(worker->arena, err);
    json_array_foreach(list, i, one)
    {
        const char *name = relais_json_text(one, "name");
        relais_offer *offer = &(*offers)[*count];
        const char *encoded;
        if (name[0] == '\0' || !relais_row_wants(row, name))
            continue;
        if (!json_is_true(json_object_get(one, "exists"))) {
            json_array_append(missing, json_object_get(one, "name"));
            continue;
        }
        encoded = relais_encoded(worker->arena, name);
        offer->name = relais_arena_text(worker->arena, name);
        offer->md5 = "";
        offer->target = encoded == NULL ? NULL
                                        : relais_arena_format(worker->arena, "%s/attachments/%s",
                                                              target, encoded);
        if (offer->name == NULL || offer->target == NULL)
            return relais_arena_error(worker->arena, err);
        (*count)++;
    }
    return true;
}

static bool list_attachments(relais_worker *worker, const relais_row *row, const char *target,
                             relais_offer **offers, size_t *count, json_t *missing,
                             relais_error *err)
{
    const char *list = relais_arena_format(worker->arena, "%s/attachments", target);
    relais_answer answer;
    json_t *document;
    bool ok;

    *offers = NULL;
    *count = 0;
    if (!row->has_files)
        return true;
    if (list == NULL)
        return relais_arena_error(worker->arena, err);
    document = relais_worker_json(
        worker, list, relais_translate("the list of a submission's files"), &answer, err);
    if (document == NULL)
        return false;
    ok = read_attachments(worker, row, target, document, offers, count, missing, err);
    json_decref(document);
    return ok;
}

/* One version, whose address is `target` and whose XML must say `instance`. */
static bool fetch_version(relais_worker *worker, const relais_row *row, const char *target,
                          const char *instance, json_t *missing, relais_error *err)
{
    const char *xml = relais_arena_format(worker->arena, "%s.xml", target);
    relais_offer *offers;
    size_t count;
    bool is_there;

    if (xml == NULL)
        return relais_arena_error(worker->arena, err);
    if (!list_attachments(worker, row, target, &offers, &count, missing, err))
        return false;
    if (row->wanted != NULL && count == 0) /* none of those waited for has come */
        return relais_worker_put_aside(worker, row, "files", missing, err);
    if (!relais_worker_xml(worker, xml, &is_there, err))
        return false;
    if (!is_there)
        return relais_worker_put_aside(worker, row, "gone", NULL, err);
    return relais_worker_deliver(worker, row, instance, offers, count, missing, err);
}

static bool fetch_named(relais_worker *worker, const relais_row *row, const char *root,
                        const char *version, relais_error *err)
{
    const char *encoded = relais_encoded(worker->arena, version);
    const char *target = encoded == NULL
                             ? NULL
                             : relais_arena_format(worker->arena, "%s/versions/%s", root, encoded);
    json_t *missing = json_array();
    bool ok;

    if (target == NULL || missing == NULL)
        ok = relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    else
        ok = fetch_version(worker, row, target, version, missing, err);
    json_decref(missing);
    return ok;
}

/* ---- a submission ------------------------------------------------------------------------ */

static int compare_versions(const void *a, const void *b)
{
    const json_t *const *one = a, *const *other = b;

    return strcmp(relais_json_text(*one, "createdAt"), relais_json_text(*other, "createdAt"));
}

/* A version as a row of its own, so that what it lacks is put aside alone. */
static bool fetch_listed(relais_worker *worker, const relais_row *row, const char *root,
                         const json_t *version, relais_error *err)
{
    char made[RELAIS_TIME_TEXT_SIZE];
    relais_row own = *row;
    const char *user = relais_json_text(json_object_get(version, "submitter"), "displayName");

    relais_servertime_read(relais_json_text(version, "createdAt"), made);
    if (strcmp(made, row->after) <= 0 && row->after[0] != '\0')
        return true;
    own.version = relais_json_text(version, "instanceId");
    own.received = made;
    own.user = user[0] == '\0' ? row->user : user;
    own.device = relais_json_text(version, "deviceId");
    own.has_files = true;
    return fetch_named(worker, &own, root, own.version, err);
}

/* First versions first. */
static bool fetch_versions(relais_worker *worker, const relais_row *row, const char *root,
                           const json_t *list, relais_error *err)
{
    size_t count = json_array_size(list);
    const json_t **sorted = relais_arena_alloc(worker->arena, (count + 1) * sizeof *sorted);

    if (sorted == NULL)
        return relais_arena_error(worker->arena, err);
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get(list, i);
    qsort(sorted, count, sizeof *sorted, compare_versions);
    for (size_t i = 0; i < count; i++)
        if (!fetch_listed(worker, row, root, sorted[i], err))
            return false;
    return true;
}

static bool fetch_all(relais_worker *worker, const relais_row *row, const char *root,
                      relais_error *err)
{
    const char *target = relais_arena_format(worker->arena, "%s/versions", root);
    relais_buffer *answer = &worker->answer;
    relais_answer got;
    json_t *list;
    bool ok;

    if (target == NULL)
        return relais_arena_error(worker->arena, err);
    if (!relais_http_fetch(worker->http, target, relais_translate("a submission's versions"),
                           RELAIS_EXPECT_JSON, answer, &got, err))
        return false;
    if (got.status != 200)
        return relais_worker_put_aside(worker, row, "gone", NULL, err);
    list = json_loadb(answer->data == NULL ? "" : answer->data, answer->length, 0, NULL);
    if (json_is_array(list) && json_array_size(list) > 0)
        ok = fetch_versions(worker, row, root, list, err);
    else
        ok = relais_error_set(err, RELAIS_ERR_DATA, "a submission's list of versions is none");
    json_decref(list);
    return ok;
}

static bool fetch_root(relais_worker *worker, const relais_row *row, const char *root,
                       relais_error *err)
{
    json_t *missing = json_array();
    bool ok = missing == NULL ? relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left")
                              : fetch_version(worker, row, root, row->id, missing, err);

    json_decref(missing);
    return ok;
}

/* A row that failed may have been edited since. */
static bool fetch(relais_worker *worker, const relais_row *row, relais_error *err)
{
    const char *form = relais_central_form(worker, worker->arena);
    const char *id = relais_encoded(worker->arena, row->id);
    const char *root = form == NULL || id == NULL
                           ? NULL
                           : relais_arena_format(worker->arena, "%s/submissions/%s", form, id);

    if (root == NULL)
        return relais_arena_error(worker->arena, err);
    if (row->version[0] != '\0')
        return fetch_named(worker, row, root, row->version, err);
    if (row->edits > 0 || (row->is_again && row->wanted == NULL))
        return fetch_all(worker, row, root, err);
    return fetch_root(worker, row, root, err);
}

const relais_kind relais_kind_central = {
    .name = "central",
    .source = "pull:central",
    .auth = RELAIS_AUTH_SESSION,
    .has_project = true,
    .login = log_in,
    .list_forms = list_forms,
    .open = relais_central_open,
    .close = relais_central_close,
    .page = relais_central_page,
    .fetch = fetch,
};
