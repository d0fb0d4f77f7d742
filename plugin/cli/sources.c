/*
 * Finding and reading forms and mappings. See sources.h.
 */
#include "cli/sources.h"

#include "cli/lint.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More is a directory of something else. */
enum { SOURCES_MAX = 4096 };

static bool add_source(relais_sources *sources, const char *file, bool is_form, bool is_named,
                       relais_arena *arena, relais_error *err)
{
    relais_source_file *one;

    if (sources->count == sources->capacity) {
        size_t capacity = sources->capacity == 0 ? 32 : sources->capacity * 2;
        relais_source_file *items = relais_arena_alloc(arena, capacity * sizeof *items);
        if (items == NULL)
            return relais_arena_error(arena, err);
        if (sources->count > 0)
            memcpy(items, sources->items, sources->count * sizeof *items);
        sources->items = items;
        sources->capacity = capacity;
    }
    one = &sources->items[sources->count];
    *one = (relais_source_file){.is_form = is_form, .is_named = is_named};
    one->file = relais_arena_text(arena, file);
    if (one->file == NULL)
        return relais_arena_error(arena, err);
    sources->count++;
    return true;
}

static int is_xml(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return entry->d_name[0] != '.' && length > 4 && strcmp(entry->d_name + length - 4, ".xml") == 0;
}

static bool add_entries(relais_sources *sources, const char *directory, struct dirent **entries,
                        int count, bool is_form, relais_arena *arena, relais_error *err)
{
    if (count > SOURCES_MAX) {
        relais_error_set(err, RELAIS_ERR_LIMIT, "more than %d files", SOURCES_MAX);
        relais_error_at(err, directory, 0);
        return false;
    }
    for (int i = 0; i < count; i++) {
        const char *file = relais_arena_format(arena, "%s/%s", directory, entries[i]->d_name);
        if (file == NULL)
            return relais_arena_error(arena, err);
        if (!add_source(sources, file, is_form, false, arena, err))
            return false;
    }
    return true;
}

static bool add_directory(relais_sources *sources, const char *directory, bool is_form,
                          relais_arena *arena, relais_error *err)
{
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_xml, alphasort);
    bool ok;

    if (count < 0)
        return relais_error_system(err, errno, directory, "the directory cannot be read");
    ok = add_entries(sources, directory, entries, count, is_form, arena, err);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    return ok;
}

/* ---- reading ------------------------------------------------------------------------------------
 */

static void read_source(relais_source_file *source, relais_arena *arena)
{
    bool ok = source->is_form ? relais_form_read(source->file, arena, &source->form, &source->fault)
                              : relais_mapping_read(source->file, &source->mapping, &source->fault);

    if (!ok)
        relais_error_at(&source->fault, source->file, 0);
}

/* Forms before mappings, so that a form's own faults are read first. */
static bool add_named(relais_sources *sources, const char *const *files, size_t count, bool forms,
                      relais_arena *arena, relais_error *err)
{
    for (size_t i = 0; i < count; i++) {
        relais_error unreadable = {0};
        relais_file_kind kind = RELAIS_FILE_OTHER;
        bool is_mapping =
            relais_file_kind_read(files[i], &kind, &unreadable) && kind == RELAIS_FILE_MAPPING;
        if (unreadable.code == RELAIS_ERR_NONE && kind == RELAIS_FILE_OTHER) {
            relais_error_set(err, RELAIS_ERR_CONFIG,
                             "the file is neither a form (root element html) nor a mapping (root "
                             "element mapping in urn:relais:mapping:1)");
            relais_error_at(err, files[i], 0);
            return false;
        }
        if (is_mapping != forms && !add_source(sources, files[i], forms, true, arena, err))
            return false;
    }
    return true;
}

static void choose_wanted(relais_sources *sources, bool has_named)
{
    for (size_t i = 0; i < sources->count; i++)
        sources->items[i].is_wanted = !has_named || sources->items[i].is_named;
    for (size_t i = 0; has_named && i < sources->count; i++) {
        const relais_source_file *form = &sources->items[i];
        const relais_source_file *mapping =
            form->is_form && form->is_named && form->fault.code == RELAIS_ERR_NONE
                ? relais_sources_mapping(sources, form->form.id)
                : NULL;
        if (mapping != NULL)
            sources->items[mapping - sources->items].is_wanted = true;
    }
}

bool relais_sources_read(relais_sources *sources, const relais_config *config,
                         const char *const *files, size_t count, relais_arena *arena,
                         relais_error *err)
{
    *sources = (relais_sources){0};
    if (!add_named(sources, files, count, true, arena, err) ||
        !add_directory(sources, config->forms_directory, true, arena, err) ||
        !add_named(sources, files, count, false, arena, err) ||
        !add_directory(sources, config->mappings_directory, false, arena, err))
        return false;
    for (size_t i = 0; i < sources->count; i++)
        read_source(&sources->items[i], arena);
    choose_wanted(sources, count > 0);
    return true;
}

void relais_sources_free(relais_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++)
        relais_mapping_free(sources->items[i].mapping);
}

/* ---- looking up
 * ----------------------------------------------------------------------------------- */

const char *relais_source_form(const relais_source_file *source)
{
    if (source->fault.code != RELAIS_ERR_NONE)
        return "";
    return source->is_form ? source->form.id : relais_mapping_form(source->mapping);
}

/* Named files stand before those of their directory, so the first one found is the right one. */
static const relais_source_file *find_source(const relais_sources *sources, const char *id,
                                             bool is_form)
{
    for (size_t i = 0; i < sources->count; i++) {
        const relais_source_file *one = &sources->items[i];
        if (one->is_form == is_form && one->fault.code == RELAIS_ERR_NONE &&
            strcmp(relais_source_form(one), id) == 0)
            return one;
    }
    return NULL;
}

const relais_source_file *relais_sources_form(const relais_sources *sources, const char *id)
{
    return find_source(sources, id, true);
}

const relais_source_file *relais_sources_mapping(const relais_sources *sources, const char *id)
{
    return find_source(sources, id, false);
}

const relais_source_file *relais_sources_twin(const relais_sources *sources,
                                              const relais_source_file *source)
{
    for (const relais_source_file *one = sources->items; one < source; one++)
        if (one->is_form == source->is_form && one->is_named == source->is_named &&
            one->fault.code == RELAIS_ERR_NONE && source->fault.code == RELAIS_ERR_NONE &&
            strcmp(relais_source_form(one), relais_source_form(source)) == 0)
            return one;
    return NULL;
}
