/*
 * Quarantine: putting parcels aside with their reason, and what a person does with them.
 * See quarantine.h.
 *
 * Every operation is a short row of renames and unlinks in an order in which stopping
 * anywhere loses nothing and repeating the whole finishes it:
 *   put     reason durable, then the parcel moves, then both directories are synced
 *   replay  the parcel moves, then the reason goes
 *   drop    the reason goes, then the parcel
 */
#include "spool/layout.h"
#include "spool/reason.h"
#include "spool/shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "." + the name + ".reason.part" */
enum { REASON_NAME_SIZE = RELAIS_SPOOL_NAME_SIZE + 16 };

/* Names read at a time while walking; bounds the memory, not the number of parcels. */
enum { WALK_BATCH = 512 };

static void reason_name(const char *name, char out[REASON_NAME_SIZE])
{
    snprintf(out, REASON_NAME_SIZE, "%s.reason", name);
}

static void reason_part_name(const char *name, char out[REASON_NAME_SIZE])
{
    snprintf(out, REASON_NAME_SIZE, ".%s.reason.part", name);
}

static bool check_name(const char *name, relais_error *err)
{
    return relais_spool_name_is_parcel(name) ||
           relais_error_set(err, RELAIS_ERR_MISSING,
                            "this is not the name of a quarantined parcel; take it from the list, "
                            "without directories");
}

bool relais_shelf_no_such(const char *name, relais_error *err)
{
    relais_error_set(err, RELAIS_ERR_MISSING, "there is no such parcel in quarantine");
    relais_error_at(err, name, 0);
    return false;
}

/* ---- files in the directory ----------------------------------------------------------- */

static bool write_all(int fd, const char *bytes, size_t length, const char *name, relais_error *err)
{
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return relais_error_system(err, n < 0 ? errno : ENOSPC, name,
                                       "the reason cannot be written");
        bytes += n;
        length -= (size_t)n;
    }
    return fsync(fd) == 0 ||
           relais_error_system(err, errno, name, "the reason cannot be made durable");
}

/* The reason appears under its name whole or not at all. */
static bool write_reason_file(int dirfd, const char *name, const relais_buffer *text,
                              relais_error *err)
{
    char part[REASON_NAME_SIZE], whole[REASON_NAME_SIZE];
    bool ok;
    int fd;

    reason_part_name(name, part);
    reason_name(name, whole);
    fd = openat(dirfd, part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (fd < 0)
        return relais_error_system(err, errno, part, "the reason cannot be written");
    ok = write_all(fd, text->data, text->length, part, err);
    close(fd);
    if (ok && renameat(dirfd, part, dirfd, whole) != 0)
        ok = relais_error_system(err, errno, whole, "the reason cannot be put in its place");
    if (!ok)
        unlinkat(dirfd, part, 0);
    return ok;
}

bool relais_shelf_write_reason(const relais_spool_dir *dir, const char *name,
                               const relais_reason *reason, relais_error *err)
{
    relais_buffer text;
    bool ok;

    relais_buffer_init(&text, RELAIS_REASON_MAX);
    relais_reason_write(reason, &text);
    ok = relais_buffer_check(&text, "the reason", err) &&
         write_reason_file(dir->fd, name, &text, err) && relais_spool_dir_sync(dir, name, err);
    relais_buffer_free(&text);
    return ok;
}

static bool read_reason_bytes(int fd, char *bytes, size_t size, size_t *length)
{
    *length = 0;
    while (*length < size) {
        ssize_t n = read(fd, bytes + *length, size - *length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0)
            return true;
        *length += (size_t)n;
    }
    return false; /* longer than any reason we write */
}

static bool read_reason(int dirfd, const char *name, relais_arena *arena, relais_reason *out)
{
    char file[REASON_NAME_SIZE], bytes[RELAIS_REASON_MAX];
    size_t length;
    bool ok;
    int fd;

    reason_name(name, file);
    fd = openat(dirfd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    ok = read_reason_bytes(fd, bytes, sizeof bytes, &length) &&
         relais_reason_read(bytes, length, arena, out, NULL);
    close(fd);
    return ok;
}

bool relais_shelf_remove(int dirfd, const char *name, relais_error *err)
{
    return unlinkat(dirfd, name, 0) == 0 || errno == ENOENT ||
           relais_error_system(err, errno, name, "the file cannot be removed from the spool");
}

bool relais_shelf_remove_reason(int dirfd, const char *name, relais_error *err)
{
    char file[REASON_NAME_SIZE];

    reason_name(name, file);
    return relais_shelf_remove(dirfd, file, err);
}

/* ---- moving a parcel between two directories -------------------------------------------- */

typedef enum { PLACE_ABSENT, PLACE_TAKEN, PLACE_SAME, PLACE_UNKNOWN } place;

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* What stands at dirfd/name, seen from a parcel with the given stat (NULL: it is gone). */
static place look_at(int dirfd, const char *name, const struct stat *self, relais_error *err)
{
    struct stat st;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT)
            return PLACE_ABSENT;
        relais_error_system(err, errno, name, "the spool cannot be examined");
        return PLACE_UNKNOWN;
    }
    return self == NULL || is_same_file(self, &st) ? PLACE_SAME : PLACE_TAKEN;
}

/* Finds the name under which a parcel can stand in a directory: its own; or, when another
 * file has that or it does not look like a parcel's, a related or a fresh one. */
static bool choose_name(int dirfd, const char *name, const struct stat *self,
                        char out[RELAIS_SPOOL_NAME_SIZE], place *at, relais_error *err)
{
    int n = snprintf(out, RELAIS_SPOOL_NAME_SIZE, "%s%s", name,
                     relais_spool_name_is_parcel(name) ? "" : RELAIS_PARCEL_SUFFIX);

    *at = PLACE_TAKEN;
    if (n > 0 && n < RELAIS_SPOOL_NAME_SIZE)
        *at = look_at(dirfd, out, self, err);
    if (*at == PLACE_TAKEN) {
        *at = PLACE_ABSENT;
        return relais_spool_name_make(out, err);
    }
    return *at != PLACE_UNKNOWN;
}

/* Moves, or, when both names already are the same file, removes the old one. */
static bool move_file(int from, const char *old, int to, const char *name, place at,
                      relais_error *err)
{
    if (at == PLACE_SAME)
        return relais_shelf_remove(from, old, err);
    return renameat(from, old, to, name) == 0 ||
           relais_error_system(err, errno, old, "the parcel cannot be moved");
}

/* The directory that gained the file first: a crash between the two leaves it in both. */
bool relais_shelf_sync_both(const relais_spool_dir *gained, const relais_spool_dir *lost,
                            const char *name, relais_error *err)
{
    return relais_spool_dir_sync(gained, name, err) && relais_spool_dir_sync(lost, name, err);
}

/* ---- putting ---------------------------------------------------------------------------- */

bool relais_shelf_check_entry(const relais_spool_entry *entry, relais_error *err)
{
    return (entry->shard >= 0 && entry->shard < RELAIS_SPOOL_SHARDS && entry->name[0] != '\0' &&
            entry->name[0] != '.' && strchr(entry->name, '/') == NULL) ||
           relais_error_set(err, RELAIS_ERR_MISSING, "this is not the name of a parcel");
}

bool relais_quarantine_put(relais_spool *spool, const relais_spool_entry *entry,
                           const relais_reason *reason, relais_error *err)
{
    const relais_spool_dir *aside = &spool->quarantine, *new;
    char name[RELAIS_SPOOL_NAME_SIZE];
    struct stat self;
    bool is_here;
    place at;

    if (!relais_shelf_check_entry(entry, err))
        return false;
    new = &spool->new[entry->shard];
    is_here = fstatat(new->fd, entry->name, &self, AT_SYMLINK_NOFOLLOW) == 0;
    if (!is_here && errno != ENOENT)
        return relais_error_system(err, errno, entry->name, "the parcel cannot be examined");
    if (!choose_name(aside->fd, entry->name, is_here ? &self : NULL, name, &at, err))
        return false;
    if (!is_here && at == PLACE_ABSENT)
        return relais_shelf_no_such(entry->name, err);
    if (!relais_shelf_write_reason(aside, name, reason, err))
        return false;
    if (is_here && !move_file(new->fd, entry->name, aside->fd, name, at, err))
        return false;
    return relais_shelf_sync_both(aside, new, name, err);
}

/* ---- walking ---------------------------------------------------------------------------- */

static bool collect_name(void *context, const char *name, relais_error *err)
{
    relais_spool_entry entry = {0};

    (void)err;
    if (!relais_spool_name_is_parcel(name))
        return true;
    memcpy(entry.name, name, strlen(name) + 1);
    relais_spool_smallest_add(context, &entry);
    return true;
}

static bool visit_parcel(relais_spool *spool, const char *name, relais_arena *arena,
                         relais_quarantine_visit *visit, void *context)
{
    relais_reason reason;
    bool has_reason = read_reason(spool->quarantine.fd, name, arena, &reason);
    bool goes_on = visit(context, name, has_reason ? &reason : NULL);

    relais_arena_reset(arena);
    return goes_on;
}

/* One scan for each WALK_BATCH names: `visit` may drop and replay what it is shown. */
static bool walk_batches(relais_spool *spool, relais_spool_entry *batch, relais_arena *arena,
                         relais_quarantine_visit *visit, void *context, relais_error *err)
{
    relais_spool_entry last;
    relais_spool_smallest found;

    memset(&found, 0, sizeof found);
    do {
        found = (relais_spool_smallest){
            .entries = batch, .maximum = WALK_BATCH, .after = found.count > 0 ? &last : NULL};
        if (!relais_spool_dir_scan(&spool->quarantine, collect_name, &found, err))
            return false;
        relais_spool_smallest_sort(&found);
        for (size_t i = 0; i < found.count; i++)
            if (!visit_parcel(spool, batch[i].name, arena, visit, context))
                return true;
        if (found.count > 0)
            last = batch[found.count - 1];
    } while (found.count == WALK_BATCH);
    return true;
}

bool relais_quarantine_walk(relais_spool *spool, relais_quarantine_visit *visit, void *context,
                            relais_error *err)
{
    relais_arena *memory = relais_arena_create(WALK_BATCH * sizeof(relais_spool_entry));
    relais_arena *arena = relais_arena_create(2 * RELAIS_REASON_MAX);
    relais_spool_entry *batch = NULL;
    bool ok = false;

    if (memory != NULL)
        batch = relais_arena_alloc(memory, WALK_BATCH * sizeof *batch);
    if (batch != NULL && arena != NULL)
        ok = walk_batches(spool, batch, arena, visit, context, err);
    else
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left to list the quarantine");
    relais_arena_destroy(arena);
    relais_arena_destroy(memory);
    return ok;
}

/* ---- showing, replaying, dropping -------------------------------------------------------- */

bool relais_quarantine_parcel(relais_spool *spool, const char *name, relais_arena *arena,
                              relais_parcel *out, relais_reason *reason, relais_error *err)
{
    if (!check_name(name, err))
        return false;
    if (reason != NULL && !read_reason(spool->quarantine.fd, name, arena, reason))
        relais_reason_init(reason);
    return relais_parcel_open(spool->quarantine.fd, name, arena, out, err);
}

/* FNV-1a: any spread will do, and it must not change between the steps of a replay. */
int relais_shelf_shard(const char *name)
{
    uint32_t hash = 2166136261u;

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return (int)(hash % RELAIS_SPOOL_SHARDS);
}

bool relais_quarantine_replay(relais_spool *spool, const char *name, relais_error *err)
{
    const relais_spool_dir *aside = &spool->quarantine, *new;
    char target[RELAIS_SPOOL_NAME_SIZE];
    struct stat self;
    bool is_here;
    place at;

    if (!check_name(name, err))
        return false;
    new = &spool->new[relais_shelf_shard(name)];
    is_here = fstatat(aside->fd, name, &self, AT_SYMLINK_NOFOLLOW) == 0;
    if (!is_here && errno != ENOENT)
        return relais_error_system(err, errno, name, "the parcel cannot be examined");
    if (!choose_name(new->fd, name, is_here ? &self : NULL, target, &at, err))
        return false;
    if (!is_here && at == PLACE_ABSENT)
        return relais_shelf_no_such(name, err);
    if (is_here && !move_file(aside->fd, name, new->fd, target, at, err))
        return false;
    return relais_shelf_sync_both(new, aside, target, err) &&
           relais_shelf_remove_reason(aside->fd, name, err);
}

bool relais_quarantine_drop(relais_spool *spool, const char *name, relais_error *err)
{
    const relais_spool_dir *aside = &spool->quarantine;
    place at;

    if (!check_name(name, err))
        return false;
    at = look_at(aside->fd, name, NULL, err);
    if (at != PLACE_SAME)
        return at == PLACE_ABSENT ? relais_shelf_no_such(name, err) : false;
    return relais_shelf_remove_reason(aside->fd, name, err) &&
           relais_shelf_remove(aside->fd, name, err) && relais_spool_dir_sync(aside, name, err);
}
