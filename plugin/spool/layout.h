/*
 * What the files of this folder share: the open spool, names, and descriptors by shard.
 */
#ifndef RELAIS_SPOOL_LAYOUT_H
#define RELAIS_SPOOL_LAYOUT_H

#include "spool/spool.h"

#include <pthread.h>

#define RELAIS_PARCEL_SUFFIX ".parcel"

enum { RELAIS_PARCEL_MODE = 0640 };

/* A directory, open for its lifetime: readable where permission allows, else O_PATH. */
typedef struct relais_spool_dir {
    int fd;
    bool is_readable;
} relais_spool_dir;

/* What the file system had left at the last look, less what was written since. */
typedef struct relais_spool_space {
    pthread_mutex_t lock;
    uint64_t floor;
    uint64_t until; /* monotonic nanoseconds up to which the look is believed */
    uint64_t bytes; /* above the floor */
    uint64_t files;
} relais_spool_space;

struct relais_spool {
    char *directory;
    relais_spool_dir root;
    relais_spool_dir quarantine;
    relais_spool_dir tmp[RELAIS_SPOOL_SHARDS];
    relais_spool_dir new[RELAIS_SPOOL_SHARDS];
    relais_spool_space space;
};

/* Takes one file of `length` bytes off the room above the floor; RELAIS_ERR_FULL if it does
 * not fit. */
RELAIS_MUST_USE bool relais_space_take(relais_spool *spool, uint64_t length, relais_error *err);

/* The shard that the calling thread keeps to. */
int relais_spool_own_shard(void);

/* A fresh name: the present time and 128 random bits. */
RELAIS_MUST_USE bool relais_spool_name_make(char name[RELAIS_SPOOL_NAME_SIZE], relais_error *err);

/* True when the name is of the shape that relais_spool_name_make gives. */
bool relais_spool_name_is_own(const char *name);

/* True when the name can be that of a parcel handed in by a caller: no directory, not
 * hidden, ends in ".parcel", fits. */
bool relais_spool_name_is_parcel(const char *name);

/* A new file with the mode of parcels, open for writing; -1 on failure. RELAIS_ERR_FULL when
 * the disk is, as below. */
RELAIS_MUST_USE int relais_spool_file_create(const relais_spool_dir *dir, const char *name,
                                             relais_error *err);
RELAIS_MUST_USE bool relais_spool_file_write(int fd, const char *bytes, size_t length,
                                             relais_error *err);
RELAIS_MUST_USE bool relais_spool_file_sync(int fd, relais_error *err);

/* Makes a rename into `dir` durable. `name` is the file renamed, for where the directory
 * cannot be opened; it having been taken away again meanwhile is success. */
RELAIS_MUST_USE bool relais_spool_dir_sync(const relais_spool_dir *dir, const char *name,
                                           relais_error *err);

/* Fills `out` with the smallest entries of a directory that come after `after` (NULL: all),
 * as a heap to which more directories can be added; relais_spool_sort() ends it. */
typedef struct relais_spool_smallest {
    relais_spool_entry *entries;
    size_t maximum;
    size_t count;
    size_t total; /* of entries seen that come after */
    const relais_spool_entry *after;
} relais_spool_smallest;

void relais_spool_smallest_add(relais_spool_smallest *smallest, const relais_spool_entry *entry);
void relais_spool_smallest_sort(relais_spool_smallest *smallest);

/* Calls `visit` with the name of everything in a directory that is not hidden. */
typedef bool relais_spool_scan_visit(void *context, const char *name, relais_error *err);
RELAIS_MUST_USE bool relais_spool_dir_scan(const relais_spool_dir *dir,
                                           relais_spool_scan_visit *visit, void *context,
                                           relais_error *err);

#endif
