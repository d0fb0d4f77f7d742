/*
 * What a server's records looked like when they were pulled: a number and a hash each, 16
 * bytes. Where a server cannot list what was edited, all its records are told again now and
 * then and compared with this table.
 */
#ifndef RELAIS_SOURCES_SEEN_H
#define RELAIS_SOURCES_SEEN_H

#include "sources/bookmark.h"

#include <stdint.h>

typedef struct relais_seen_record {
    uint64_t id;
    uint64_t hash;
} relais_seen_record;

typedef struct relais_seen {
    relais_seen_record *records; /* ascending by id */
    size_t count, capacity;
    bool is_changed;
} relais_seen;

/* A file that is absent or cannot be used is an empty table: records are pulled again then, and
 * recognised. */
RELAIS_MUST_USE bool relais_seen_read(relais_seen *seen, const relais_bookmark_directory *directory,
                                      const char *form, relais_error *err);
RELAIS_MUST_USE bool relais_seen_write(relais_seen *seen,
                                       const relais_bookmark_directory *directory, const char *form,
                                       relais_error *err);
void relais_seen_free(relais_seen *seen);

bool relais_seen_has(const relais_seen *seen, uint64_t id, uint64_t hash);
RELAIS_MUST_USE bool relais_seen_set(relais_seen *seen, uint64_t id, uint64_t hash,
                                     relais_error *err);

/* Takes out every record from `first` to `last` that `keep`, ascending, does not name, and calls
 * for each. */
typedef bool relais_seen_gone(void *context, uint64_t id, relais_error *err);
RELAIS_MUST_USE bool relais_seen_keep(relais_seen *seen, uint64_t first, uint64_t last,
                                      const uint64_t *keep, size_t count, relais_seen_gone *gone,
                                      void *context, relais_error *err);

#endif
