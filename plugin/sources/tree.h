/*
 * The files below a folder, or in a zip of one, as a flat list that can be read one by one.
 *
 * Names come from phones' storage and strangers' archives, so they are only ever shown and
 * compared: nothing is unpacked, and no name of an archive becomes a path on disk. What may
 * not be taken (a symbolic link, an encrypted or over-long entry, a name that leads out, an
 * entry that unpacks to far more than it holds) stays in the list with its fault.
 */
#ifndef RELAIS_SOURCES_TREE_H
#define RELAIS_SOURCES_TREE_H

#include "base/arena.h"

#include <stdint.h>

/* Limits, each with its reason. */
#define RELAIS_TREE_ENTRIES_MAX 1000000 /* ten years of a busy district, on one stick */
#define RELAIS_TREE_PATH_MAX    4096    /* Linux's own */
#define RELAIS_TREE_NAME_MAX    255     /* of one file: what every file system of phones takes */
#define RELAIS_TREE_DEPTH_MAX   32      /* Collect's storage is 8 deep on Android */
#define RELAIS_TREE_FILE_MAX    1000000000u /* bytes; PostgreSQL's largest value is 1 GB */
#define RELAIS_TREE_MEMORY_MAX  ((size_t)1024 * 1024 * 1024) /* a million names of a kilobyte */

/* Beyond this an entry of a zip that grows more than RATIO-fold is refused: XML, the densest
 * thing that phones keep, packs some twenty-fold, deflate at its most a thousand-fold. */
#define RELAIS_TREE_RATIO_FROM 1000000u
#define RELAIS_TREE_RATIO_MAX  200u

typedef struct relais_tree_entry {
    const char *path;  /* from the root, '/' between names, UTF-8 where the source is */
    const char *fault; /* why it cannot be taken, translated; NULL */
    uint64_t size;     /* bytes, as the source says */
    uint64_t index;    /* the source's own */
} relais_tree_entry;

typedef struct relais_tree relais_tree;

/* Opens a folder or a zip file and lists it, sorted by folder and name. Freed by
 * relais_tree_close. RELAIS_ERR_MISSING, _SYSTEM; RELAIS_ERR_DAMAGED for a zip that is cut;
 * RELAIS_ERR_LIMIT for more entries than above, or for a zip whose entries share their bytes. */
RELAIS_MUST_USE bool relais_tree_open(const char *path, relais_tree **out, relais_error *err);
void relais_tree_close(relais_tree *tree);

const relais_tree_entry *relais_tree_entries(const relais_tree *tree, size_t *count);

/* Takes an entry's bytes as they come; false stops. */
typedef bool relais_tree_take(void *context, const char *bytes, size_t length, relais_error *err);

/* Reads one entry to its end. False with what `take` said, or with RELAIS_ERR_DAMAGED when the
 * entry cannot be read whole (a checksum, a bad block): then what was taken is of no use. */
RELAIS_MUST_USE bool relais_tree_read(relais_tree *tree, const relais_tree_entry *entry,
                                      relais_tree_take *take, void *context, relais_error *err);

#endif
