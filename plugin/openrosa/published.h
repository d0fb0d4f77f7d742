/*
 * One form as it is published: its XML and media, read and hashed at one moment.
 *
 * A listing is what the directory says about a form's files without reading them; a form is
 * built from a listing, and only of files that are still as the listing has them when they
 * have been read to their end.
 */
#ifndef RELAIS_OPENROSA_PUBLISHED_H
#define RELAIS_OPENROSA_PUBLISHED_H

#include "base/arena.h"
#include "openrosa/forms.h"

/* Tells one state of a file from every other. */
typedef struct relais_file_state {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
    struct timespec changed;
} relais_file_state;

bool relais_file_state_equal(const relais_file_state *a, const relais_file_state *b);

typedef struct relais_listed_file {
    const char *name;
    relais_file_state state;
} relais_listed_file;

typedef struct relais_listing {
    relais_listed_file xml;      /* NAME.xml */
    const char *media_directory; /* DIRECTORY/NAME-media, which need not exist */
    relais_listed_file *media;   /* sorted by name */
    size_t media_count;
    const char *complaint; /* why a file cannot be listed; NULL when all can */
} relais_listing;

/* Looks at DIRECTORY/FILE and its media. RELAIS_ERR_MISSING when it is not (or no longer)
 * there or not a regular file. */
RELAIS_MUST_USE bool relais_listing_take(const char *directory, const char *file,
                                         relais_arena *arena, relais_listing *out,
                                         relais_error *err);

bool relais_listing_equal(const relais_listing *a, const relais_listing *b);

/* True when no file was written to for RELAIS_FORMS_SETTLE seconds before `now`. */
bool relais_listing_is_settled(const relais_listing *listing, const struct timespec *now);

/* False for names that editors and copying programs use for unfinished files. */
bool relais_is_form_file_name(const char *name);

typedef struct relais_published relais_published;

/* Reads and hashes what `before` (may be NULL) has not in the same state. RELAIS_ERR_TRANSIENT
 * when a file changed meanwhile: look again later. */
RELAIS_MUST_USE relais_published *relais_published_build(const char *directory,
                                                         const relais_listing *listing,
                                                         const relais_published *before,
                                                         relais_error *err);

/* Counted by its users. NULL is allowed. */
relais_published *relais_published_share(relais_published *published);
void relais_published_release(relais_published *published);

const relais_form_entry *relais_published_entry(const relais_published *published);

#endif
