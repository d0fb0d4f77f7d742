/*
 * The forms and mappings that a check looks at: those of the configured directories, and
 * those that were named. A named file takes the place of one of the same form id in the
 * directory, so that a draft can be checked before it is put there.
 */
#ifndef RELAIS_CLI_SOURCES_H
#define RELAIS_CLI_SOURCES_H

#include "cli/config.h"
#include "transform/mapping.h"
#include "xform/form.h"

/* Forms are read whole; a country has some dozens. */
#define RELAIS_SOURCES_MEMORY_MAX ((size_t)256 * 1024 * 1024)

typedef struct relais_source_file {
    const char *file;
    bool is_form;
    bool is_named;
    bool is_wanted;     /* to be checked; else only looked up */
    relais_error fault; /* why it could not be read */
    relais_form form;   /* of a form */
    relais_mapping *mapping;
} relais_source_file;

typedef struct relais_sources {
    relais_source_file *items; /* forms first, each by file name */
    size_t count;
    size_t capacity;
} relais_sources;

/* No files: everything in the directories is wanted. Else the named ones, and the mappings of
 * the named forms. */
RELAIS_MUST_USE bool relais_sources_read(relais_sources *sources, const relais_config *config,
                                         const char *const *files, size_t count,
                                         relais_arena *arena, relais_error *err);
void relais_sources_free(relais_sources *sources);

/* The readable form or mapping of a form id, named ones first; NULL when there is none. A form
 * that cannot be read has no id. */
const relais_source_file *relais_sources_form(const relais_sources *sources, const char *id);
const relais_source_file *relais_sources_mapping(const relais_sources *sources, const char *id);

/* The form id that a readable source is for. */
const char *relais_source_form(const relais_source_file *source);

/* An earlier source of the same kind and form id, both or neither of them named; or NULL. */
const relais_source_file *relais_sources_twin(const relais_sources *sources,
                                              const relais_source_file *source);

#endif
