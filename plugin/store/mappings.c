/*
 * Loading, binding and refreshing mappings. See mappings.h.
 */
#include "store/mappings.h"

#include "base/log.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Statements of the widest national mapping take some 30 KB. */
#define BINDING_MEMORY_MAX ((size_t)8 * 1024 * 1024)

struct relais_mappings {
    char *directory;
    const relais_secrets *secrets; /* or NULL */
    relais_binding *first;
};

static const char register_sql[] =
    "INSERT INTO relais.mapping (mapping_sha256, form_id, body)"
    " SELECT decode($1, 'hex'), $2, $3 ON CONFLICT (mapping_sha256) DO NOTHING";

static void free_binding(relais_binding *binding)
{
    if (binding == NULL)
        return;
    relais_mapping_free(binding->mapping);
    relais_arena_destroy(binding->arena);
    free(binding->path);
    free(binding);
}

static relais_binding *create_binding(const char *path)
{
    relais_binding *binding = calloc(1, sizeof *binding);

    if (binding == NULL)
        return NULL;
    binding->path = strdup(path);
    binding->arena = relais_arena_create(BINDING_MEMORY_MAX);
    if (binding->path != NULL && binding->arena != NULL)
        return binding;
    free_binding(binding);
    return NULL;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void log_file(const char *event, const relais_binding *binding, const relais_error *err)
{
    char text[1024] = "";

    if (err != NULL)
        relais_error_format(err, text, sizeof text);
    relais_log(err == NULL ? RELAIS_LOG_INFO : RELAIS_LOG_ERROR, event, "file", binding->path,
               "form", binding->mapping == NULL ? NULL : relais_mapping_form(binding->mapping),
               "text", err == NULL ? NULL : text, NULL);
}

static relais_binding *find_form(const relais_mappings *mappings, const char *form_id)
{
    relais_binding *binding = mappings->first;

    while (binding != NULL && (binding->mapping == NULL ||
                               strcmp(relais_mapping_form(binding->mapping), form_id) != 0))
        binding = binding->next;
    return binding;
}

/* Reads the file into the binding; what was read before stays when that fails. */
static void read_file(relais_mappings *mappings, relais_binding *binding, const struct stat *stamp)
{
    relais_error err = {0};
    relais_mapping *mapping = NULL;
    const relais_binding *other;

    binding->stamp = *stamp;
    if (relais_mapping_read(binding->path, &mapping, &err)) {
        other = find_form(mappings, relais_mapping_form(mapping));
        if (other != NULL && other != binding)
            relais_error_set(&err, RELAIS_ERR_CONFIG,
                             "%s maps the form %s already; keep one of the two files", other->path,
                             relais_mapping_form(mapping));
    }
    binding->is_broken = err.code != RELAIS_ERR_NONE;
    if (binding->is_broken) {
        log_file("mapping.unreadable", binding, &err);
        relais_mapping_free(mapping);
        return;
    }
    relais_mapping_free(binding->mapping);
    binding->mapping = mapping;
    binding->generation = 0;
    binding->failures = 0;
    binding->again = 0;
    log_file("mapping.read", binding, NULL);
}

static relais_binding *find_path(const relais_mappings *mappings, const char *path)
{
    relais_binding *binding = mappings->first;

    while (binding != NULL && strcmp(binding->path, path) != 0)
        binding = binding->next;
    return binding;
}

static void see_file(relais_mappings *mappings, const char *path)
{
    relais_binding *binding = find_path(mappings, path);
    struct stat stamp;

    if (stat(path, &stamp) != 0 || !S_ISREG(stamp.st_mode))
        return;
    if (binding == NULL) {
        binding = create_binding(path);
        if (binding == NULL)
            return; /* seen again at the next refresh */
        binding->next = mappings->first;
        mappings->first = binding;
        read_file(mappings, binding, &stamp);
    } else if (!is_same_file(&binding->stamp, &stamp)) {
        read_file(mappings, binding, &stamp);
    }
    binding->is_seen = true;
}

static void remove_unseen(relais_mappings *mappings)
{
    relais_binding **link = &mappings->first;

    while (*link != NULL) {
        relais_binding *binding = *link;
        if (binding->is_seen) {
            link = &binding->next;
            continue;
        }
        log_file("mapping.removed", binding, NULL);
        *link = binding->next;
        free_binding(binding);
    }
}

static bool is_mapping_name(const char *name)
{
    const char *dot = strrchr(name, '.');

    return name[0] != '.' && dot != NULL && strcmp(dot, ".xml") == 0;
}

static bool scan(relais_mappings *mappings, relais_error *err)
{
    struct dirent *dirent;
    char path[4096];
    DIR *dir = opendir(mappings->directory);

    if (dir == NULL)
        return relais_error_system(err, errno, mappings->directory,
                                   "the directory of mappings cannot be read");
    for (relais_binding *binding = mappings->first; binding != NULL; binding = binding->next)
        binding->is_seen = false;
    while ((dirent = readdir(dir)) != NULL) {
        int length = snprintf(path, sizeof path, "%s/%s", mappings->directory, dirent->d_name);
        if (is_mapping_name(dirent->d_name) && length > 0 && (size_t)length < sizeof path)
            see_file(mappings, path);
    }
    closedir(dir);
    remove_unseen(mappings);
    return true;
}

bool relais_mappings_open(const char *directory, const relais_secrets *secrets,
                          relais_mappings **out, relais_error *err)
{
    relais_mappings *mappings = calloc(1, sizeof *mappings);

    if (mappings == NULL || (mappings->directory = strdup(directory)) == NULL) {
        free(mappings);
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    }
    mappings->secrets = secrets;
    if (!scan(mappings, err)) {
        relais_mappings_close(mappings);
        return false;
    }
    for (relais_binding *one = mappings->first; one != NULL; one = one->next) {
        if (one->mapping == NULL)
            continue;
        *out = mappings;
        return true;
    }
    relais_error_set(err, RELAIS_ERR_CONFIG,
                     "no mapping can be used: put one NAME.xml a form there, and let "
                     "`relais check` say what is wrong with those that are there");
    relais_error_at(err, directory, 0);
    relais_mappings_close(mappings);
    return false;
}

void relais_mappings_close(relais_mappings *mappings)
{
    if (mappings == NULL)
        return;
    while (mappings->first != NULL) {
        relais_binding *binding = mappings->first;
        mappings->first = binding->next;
        free_binding(binding);
    }
    free(mappings->directory);
    free(mappings);
}

const relais_seal *relais_mappings_seal(const relais_mappings *mappings)
{
    return mappings->secrets == NULL ? NULL : mappings->secrets->seal;
}

const relais_form_keys *relais_mappings_form_keys(const relais_mappings *mappings)
{
    return mappings->secrets == NULL ? NULL : mappings->secrets->form_keys;
}

void relais_mappings_refresh(relais_mappings *mappings)
{
    relais_error err = {0};
    char text[1024];

    if (!scan(mappings, &err))
        relais_log(RELAIS_LOG_ERROR, "mapping.directory", "text",
                   relais_error_format(&err, text, sizeof text), NULL);
}

static bool register_mapping(const relais_mapping *mapping, relais_store *store, relais_error *err)
{
    char hex[2 * RELAIS_SHA256_SIZE + 1];
    relais_params params;
    size_t length;
    bool ok;

    relais_hex(relais_mapping_sha256(mapping), RELAIS_SHA256_SIZE, hex);
    relais_params_init(&params);
    relais_params_text(&params, hex);
    relais_params_text(&params, relais_mapping_form(mapping));
    relais_params_text(&params, relais_mapping_text(mapping, &length));
    ok = relais_pg_call(store, register_sql, &params, NULL, err);
    relais_params_free(&params);
    return ok;
}

/* Statements are prepared now, so that a batch only has to send values. */
static bool prepare_inserts(const relais_statements *statements, relais_store *store,
                            relais_error *err)
{
    const char *name;

    for (size_t i = 0; i < statements->count; i++)
        if (!relais_pg_prepare(store, statements->shapes[i].insert, &name, err))
            return false;
    return true;
}

static bool bind(relais_binding *binding, const relais_secrets *secrets, relais_store *store,
                 relais_error *err)
{
    relais_arena_reset(binding->arena);
    return relais_mapping_bind(binding->mapping, relais_store_target(store), secrets, err) &&
           relais_statements_make(binding->mapping, binding->arena, &binding->statements, err) &&
           register_mapping(binding->mapping, store, err) &&
           prepare_inserts(&binding->statements, store, err);
}

bool relais_mappings_bind(relais_mappings *mappings, relais_store *store, relais_error *err)
{
    for (relais_binding *one = mappings->first; one != NULL; one = one->next) {
        relais_error why = {0};
        if (one->mapping == NULL || one->generation == store->generation ||
            (one->failures > 0 && relais_clock() < one->again))
            continue;
        one->generation = 0;
        if (bind(one, mappings->secrets, store, &why)) {
            one->generation = store->generation;
        } else if (why.code == RELAIS_ERR_TRANSIENT || why.code == RELAIS_ERR_MEMORY) {
            *err = why;
            return false;
        } else {
            relais_binding_stop(one, &why);
        }
    }
    return true;
}

relais_binding *relais_mappings_find(const relais_mappings *mappings, const char *form_id,
                                     bool *unsure)
{
    *unsure = false;
    for (const relais_binding *one = mappings->first; one != NULL; one = one->next)
        *unsure = *unsure || one->mapping == NULL;
    return find_form(mappings, form_id);
}

void relais_binding_stop(relais_binding *binding, const relais_error *why)
{
    bool is_news = binding->failures == 0 || strcmp(binding->why.text, why->text) != 0;
    char text[1024];

    binding->failures++;
    binding->again =
        relais_clock() + relais_backoff_seconds(RELAIS_STORE_BACKOFF, binding->failures);
    binding->generation = 0;
    binding->why = *why;
    if (is_news)
        relais_log(RELAIS_LOG_ERROR, "form.stopped", "form", relais_mapping_form(binding->mapping),
                   "file", binding->path, "text", relais_error_format(why, text, sizeof text),
                   NULL);
}

void relais_binding_resume(relais_binding *binding)
{
    if (binding->failures > 0)
        relais_log(RELAIS_LOG_INFO, "form.resumed", "form", relais_mapping_form(binding->mapping),
                   NULL);
    binding->failures = 0;
}

bool relais_binding_is_stopped(const relais_binding *binding)
{
    return binding->generation == 0;
}

const relais_binding *relais_mappings_first(const relais_mappings *mappings)
{
    return mappings->first;
}

const relais_binding *relais_mappings_stopped(const relais_mappings *mappings)
{
    const relais_binding *binding = mappings->first;

    while (binding != NULL && (binding->mapping == NULL || !relais_binding_is_stopped(binding)))
        binding = binding->next;
    return binding;
}
