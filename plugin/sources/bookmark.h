/*
 * How far a form of a source has been pulled: DIR/sources/NAME/FORM.json in the spool.
 *
 *   {"format": 1, "form": "...", "place": {...}, "aside": [{"id": "...", "why": "files", ...}]}
 *
 * "place" is the kind's own. "aside" are submissions that must be asked for again: they could
 * not be had, or files of theirs had not come. The file is written whole beside the old one
 * and renamed, so that a kill leaves one or the other.
 */
#ifndef RELAIS_SOURCES_BOOKMARK_H
#define RELAIS_SOURCES_BOOKMARK_H

#include "base/error.h"

#include <jansson.h>

/* A source whose submissions fail by the thousand needs a person. */
#define RELAIS_ASIDE_MAX 20000

typedef struct relais_bookmark_directory {
    char *path; /* DIR/sources/NAME */
    int fd;
    int lock;
} relais_bookmark_directory;

/* Makes the directory (mode 0700, of the spool's owner) and takes its lock: RELAIS_ERR_TRANSIENT
 * while another pull of the same source runs. */
RELAIS_MUST_USE bool relais_bookmark_open(const char *spool, const char *name,
                                          relais_bookmark_directory *out, relais_error *err);
void relais_bookmark_close(relais_bookmark_directory *directory);

typedef struct relais_bookmark {
    json_t *place; /* an object */
    json_t *aside; /* an array */
} relais_bookmark;

/* A form that was never pulled has an empty place. RELAIS_ERR_DAMAGED names the file. */
RELAIS_MUST_USE bool relais_bookmark_read(const relais_bookmark_directory *directory,
                                          const char *form, relais_bookmark *out,
                                          relais_error *err);
RELAIS_MUST_USE bool relais_bookmark_write(const relais_bookmark_directory *directory,
                                           const char *form, const relais_bookmark *state,
                                           relais_error *err);
void relais_bookmark_free(relais_bookmark *state);

/* The same care for another file of the form: NAME/FORM.SUFFIX. An absent one has no bytes. */
RELAIS_MUST_USE bool relais_bookmark_read_file(const relais_bookmark_directory *directory,
                                               const char *form, const char *suffix, size_t maximum,
                                               char **bytes, size_t *length, relais_error *err);
RELAIS_MUST_USE bool relais_bookmark_write_file(const relais_bookmark_directory *directory,
                                                const char *form, const char *suffix,
                                                const void *bytes, size_t length,
                                                relais_error *err);

#endif
