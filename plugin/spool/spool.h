/*
 * The spool: a directory in which every way in leaves its parcels and from which one
 * forwarder takes them.
 *
 *   DIR/00 .. DIR/0f      shards; a writing thread keeps to one, because renaming and
 *                         fsyncing in one shared directory serialises on its inode
 *     SHARD/tmp/          being written; swept at start
 *     SHARD/new/          committed: whole, fsynced, acknowledged
 *   DIR/quarantine/       parcels that need a person, each with NAME.reason beside it
 *
 * A file's name is its time of arrival and 128 random bits:
 * "20260302T101504.123456Z-<32 hex>.parcel": sorting names sorts arrivals, and nobody who
 * cannot list a directory can guess one. The web user may create and rename in tmp/ and new/
 * but not list: those are 2730 (owner: the forwarder; group: the web user's), DIR and SHARD
 * 2710, quarantine/ 2700, parcels 0640.
 *
 * Guarantee of commit: when it returns true the parcel survives power loss. The file was
 * fsynced before the rename. After it the directory is fsynced; where the process may not
 * open the directory for reading (the web user), the renamed file is fsynced again, which
 * ext4, XFS and btrfs document or implement as committing the rename; opening a spool on
 * another file system without read permission is therefore refused.
 */
#ifndef RELAIS_SPOOL_SPOOL_H
#define RELAIS_SPOOL_SPOOL_H

#include "spool/parcel.h"

#include <sys/types.h>

#define RELAIS_SPOOL_SHARDS                                                                        \
    16 /* measured: 7,500 durable writes/s with 32 threads, see tests/bench */
#define RELAIS_SPOOL_NAME_SIZE 72 /* longest file name and NUL */

typedef struct relais_spool relais_spool;

/* Makes missing directories, with their modes. Existing ones are left as they are. Run by
 * root, what is made below DIR gets DIR's owner and group. */
RELAIS_MUST_USE bool relais_spool_create(const char *directory, relais_error *err);

/* Opens an existing spool. `floor` is the number of bytes that must stay free on the file
 * system (and 1 % of the inodes must). Safe to use from many threads once open.
 * Works without read permission on the shards' directories. */
RELAIS_MUST_USE bool relais_spool_open(const char *directory, uint64_t floor, relais_spool **out,
                                       relais_error *err);
void relais_spool_close(relais_spool *spool);

/* ---- writing: any number of threads and processes ------------------------------------ */

/* A run of bytes of a body: in memory, or a range of an open file. */
typedef struct relais_segment {
    const void *data; /* NULL: take it from the file */
    size_t length;
    int fd;
    off_t offset;
} relais_segment;

/* A parcel that is written and fsynced in tmp/ but not yet committed. A plain value: it can
 * be kept over an event loop, and committed or aborted by another thread. */
typedef struct relais_staged {
    int shard; /* -1: nothing staged */
    char name[RELAIS_SPOOL_NAME_SIZE];
} relais_staged;

/* Writes head and segments to tmp/ and fsyncs. `head->received` may be "": it becomes now.
 * RELAIS_ERR_FULL below the floor or when the disk or a quota is full, RELAIS_ERR_DAMAGED when
 * the segments are not head->length bytes, RELAIS_ERR_SYSTEM otherwise; nothing stays behind. */
RELAIS_MUST_USE bool relais_spool_stage(relais_spool *spool, const relais_parcel_head *head,
                                        const relais_segment *segments, size_t count,
                                        relais_staged *out, relais_error *err);

/* Moves a staged parcel to new/ and makes the move durable. On failure the parcel is gone
 * from both or still in tmp/, and was not acknowledged: the phone sends again. */
RELAIS_MUST_USE bool relais_spool_commit(relais_spool *spool, relais_staged *staged,
                                         relais_error *err);

/* Removes a staged parcel; harmless when nothing is staged. */
void relais_spool_abort(relais_spool *spool, relais_staged *staged);

/* Removes files in tmp/, and in quarantine/ reasons without a parcel, that have not been written
 * to for `seconds`; counts them. Needs read permission on the directories, so it is the
 * forwarder's work. */
RELAIS_MUST_USE bool relais_spool_sweep(relais_spool *spool, unsigned seconds, size_t *swept,
                                        relais_error *err);

/* ---- reading: the forwarder and the commands ------------------------------------------ */

/* Names one committed parcel. Copyable. */
typedef struct relais_spool_entry {
    int shard;
    char name[RELAIS_SPOOL_NAME_SIZE];
} relais_spool_entry;

/* Fills `out` with the oldest committed parcels, at most `maximum`, in order of arrival;
 * *total counts all that are there. Memory does not grow with the backlog. Names that are
 * not of the spool's shape (a file copied in by hand) are taken too, after the others; one too
 * long for an entry is renamed first. Hidden files are not parcels. */
RELAIS_MUST_USE bool relais_spool_list(relais_spool *spool, relais_spool_entry *out, size_t maximum,
                                       size_t *count, size_t *total, relais_error *err);

/* Opens a committed parcel, as relais_parcel_open. RELAIS_ERR_MISSING when it is gone. */
RELAIS_MUST_USE bool relais_spool_parcel(relais_spool *spool, const relais_spool_entry *entry,
                                         relais_arena *arena, relais_parcel *out,
                                         relais_error *err);

/* Removes a delivered parcel. Not being there any more is success. */
RELAIS_MUST_USE bool relais_spool_remove(relais_spool *spool, const relais_spool_entry *entry,
                                         relais_error *err);

/* The path of a shard's new/, for inotify; false past the last shard or when it does not
 * fit. */
bool relais_spool_watch_path(const relais_spool *spool, int shard, char *path, size_t size);

#endif
