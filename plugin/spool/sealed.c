/*
 * Putting a sealed parcel in the place of one that goes aside, and the way back.
 * See quarantine.h.
 *
 *   put     the sealed one is written, then the reason, then it gets its name in quarantine/,
 *           then the original is unlinked
 *   replay  the original is written, then it gets its name in new/, then the reason goes, and
 *           then the sealed one
 *
 * Between the last steps both are there. A repeated command knows the one by the other: they
 * have the same name and the same time of modification, to the nanosecond, which an edited
 * parcel has not. Both ways hold a lock on quarantine/ while names change, so that the
 * forwarder never takes the sealed one for safely there while a replay removes it.
 */
#include "base/text.h"
#include "spool/layout.h"
#include "spool/shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A head as it is read takes a copy of each of its lines. */
enum { HEAD_MEMORY_MAX = 8 * RELAIS_PARCEL_HEAD_MAX };

/* What one call works with. */
typedef struct swap {
    relais_spool *spool;
    int shard;                         /* of tmp/ and new/ */
    char name[RELAIS_SPOOL_NAME_SIZE]; /* the same in new/ and in quarantine/ */
    int from;                          /* the file that is replaced, -1: not open */
    struct stat old;                   /* of it */
    relais_spool_convert *convert;
    void *context;
} swap;

/* ---- the lock ---------------------------------------------------------------------------- */

/* Released by the system whatever becomes of the process. */
static bool lock(const relais_spool *spool, relais_error *err)
{
    int result;

    do
        result = flock(spool->quarantine.fd, LOCK_EX);
    while (result != 0 && errno == EINTR);
    return result == 0 || relais_error_system(err, errno, spool->directory,
                                              "the quarantine cannot be locked; run this as the "
                                              "forwarder's user");
}

static void unlock(const relais_spool *spool)
{
    (void)flock(spool->quarantine.fd, LOCK_UN);
}

/* ---- what stands where ------------------------------------------------------------------- */

typedef enum { STANDS_NOTHING, STANDS_COUNTERPART, STANDS_OTHER, STANDS_UNKNOWN } stands;

static bool is_same_time(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_sealed(int dirfd, const char *name)
{
    relais_arena *arena = relais_arena_create(HEAD_MEMORY_MAX);
    relais_parcel parcel;
    bool is = arena != NULL && relais_parcel_open(dirfd, name, arena, &parcel, NULL) &&
              parcel.head.sealed[0] != '\0';

    relais_arena_destroy(arena);
    return is;
}

/* What has the name in a directory: what came of the file before (sealed, or opened again), or
 * another. */
static stands look(const swap *s, int dirfd, bool wants_sealed, relais_error *err)
{
    struct stat there;

    if (fstatat(dirfd, s->name, &there, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT)
            return STANDS_NOTHING;
        relais_error_system(err, errno, s->name, "the spool cannot be examined");
        return STANDS_UNKNOWN;
    }
    return !is_same_file(&s->old, &there) && is_same_time(&s->old, &there) &&
                   is_sealed(dirfd, s->name) == wants_sealed
               ? STANDS_COUNTERPART
               : STANDS_OTHER;
}

/* ---- writing the replacement ------------------------------------------------------------- */

/* The file while it is written. It has no name, so that a killed replay leaves no answers
 * behind; where the file system cannot do that it has one in tmp/, which is swept. */
typedef struct staging {
    int fd;
    char name[RELAIS_SPOOL_NAME_SIZE]; /* in tmp/, "" when it has none */
    uint64_t length;                   /* of what was written behind the head */
    relais_digest_state digest;
} staging;

static const char own_files[] = "/proc/self/fd";

static bool create(const swap *s, staging *file, relais_error *err)
{
    const relais_spool_dir *tmp = &s->spool->tmp[s->shard];

    file->name[0] = '\0';
    file->fd = access(own_files, X_OK) == 0
                   ? openat(tmp->fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, RELAIS_PARCEL_MODE)
                   : -1;
    if (file->fd >= 0)
        return fchmod(file->fd, RELAIS_PARCEL_MODE) == 0 ||
               relais_error_system(err, errno, NULL, "the parcel cannot be written");
    if (!relais_spool_name_make(file->name, err))
        return false;
    file->fd = relais_spool_file_create(tmp, file->name, err);
    return file->fd >= 0;
}

/* Closes it, and removes it when it was not put in its place. */
static void finish(const swap *s, staging *file)
{
    if (file->fd >= 0)
        close(file->fd);
    if (file->name[0] != '\0')
        unlinkat(s->spool->tmp[s->shard].fd, file->name, 0);
}

/* The file gets its name, in the place of nothing, and keeps it. */
static bool place(const swap *s, staging *file, const relais_spool_dir *to, const char *name,
                  relais_error *err)
{
    char path[64];
    int result;

    snprintf(path, sizeof path, "%s/%d", own_files, file->fd);
    result = file->name[0] == '\0' ? linkat(AT_FDCWD, path, to->fd, name, AT_SYMLINK_FOLLOW)
                                   : renameat(s->spool->tmp[s->shard].fd, file->name, to->fd, name);
    if (result != 0)
        return relais_error_system(err, errno, name, "the parcel cannot be put in its place");
    file->name[0] = '\0';
    return relais_spool_dir_sync(to, name, err);
}

static bool take_bytes(void *to, const char *bytes, size_t length, relais_error *err)
{
    staging *file = to;

    relais_sha256_add(&file->digest, bytes, length);
    file->length += length;
    return relais_spool_file_write(file->fd, bytes, length, err);
}

static bool convert_all(const swap *s, uint64_t offset, uint64_t length, staging *file,
                        relais_error *err)
{
    const relais_segment from = {.fd = s->from, .offset = (off_t)offset, .length = length};

    relais_sha256_begin(&file->digest);
    return s->convert(s->context, &from, take_bytes, file, err);
}

/* Goes before the body when nothing is known of that, and once more over itself. */
static bool write_head(int fd, const relais_parcel_head *head, size_t *length, relais_error *err)
{
    relais_buffer text;
    bool ok;

    relais_buffer_init(&text, RELAIS_PARCEL_HEAD_MAX);
    ok = relais_parcel_head_write(head, &text, err);
    if (ok && *length != 0 && *length != text.length)
        ok = relais_error_set(err, RELAIS_ERR_LIMIT, "the parcel is too large to be sealed");
    if (ok && lseek(fd, 0, SEEK_SET) != 0)
        ok = relais_error_system(err, errno, NULL, "the parcel cannot be written");
    ok = ok && relais_spool_file_write(fd, text.data, text.length, err);
    *length = text.length;
    relais_buffer_free(&text);
    return ok;
}

static bool has_room(const relais_parcel_head *head)
{
    relais_buffer text;
    bool has;

    relais_buffer_init(&text, RELAIS_PARCEL_HEAD_MAX);
    has = relais_parcel_head_write(head, &text, NULL);
    relais_buffer_free(&text);
    return has;
}

/* A head that leaves no room for the lines that only a sealed one has goes without those that a
 * phone made long. The whole head is in the sealed bytes. */
static void make_room(relais_parcel_head *head)
{
    if (!has_room(head))
        head->version = head->instance = head->user = head->device = head->host = "";
}

static bool write_sealed(const swap *s, const relais_parcel_head *given, staging *file,
                         relais_error *err)
{
    char received[RELAIS_TIME_TEXT_SIZE];
    relais_parcel_head head = *given;
    size_t length = 0;

    if (head.received[0] == '\0') {
        relais_time_format(&s->old.st_mtim, received);
        head.received = received;
    }
    head.length = 0;
    make_room(&head);
    if (!write_head(file->fd, &head, &length, err) ||
        !convert_all(s, 0, (uint64_t)s->old.st_size, file, err))
        return false;
    head.length = file->length;
    relais_sha256_end(&file->digest, head.sha256);
    return write_head(file->fd, &head, &length, err);
}

/* Gives the file the other's time and makes it durable. */
static bool settle_file(const swap *s, int fd, relais_error *err)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, s->old.st_mtim};

    if (futimens(fd, times) != 0)
        return relais_error_system(err, errno, s->name, "the parcel cannot be given its time");
    return relais_spool_file_sync(fd, err);
}

/* ---- putting ----------------------------------------------------------------------------- */

static const relais_spool_dir *new_of(const swap *s)
{
    return &s->spool->new[s->shard];
}

/* The parcel takes a name of its own before anything else when another has its name in
 * quarantine, or when its name is no parcel's: what is interrupted is found again by the name. */
static bool rename_waiting(swap *s, relais_error *err)
{
    char fresh[RELAIS_SPOOL_NAME_SIZE];

    if (!relais_spool_name_make(fresh, err))
        return false;
    if (renameat(new_of(s)->fd, s->name, new_of(s)->fd, fresh) != 0)
        return relais_error_system(err, errno, s->name, "the parcel cannot be renamed");
    memcpy(s->name, fresh, sizeof fresh);
    return relais_spool_dir_sync(new_of(s), fresh, err);
}

/* Seals and puts aside, unless that was done before. */
static bool fill_place(swap *s, const relais_parcel_head *head, const relais_reason *reason,
                       stands at, relais_error *err)
{
    const relais_spool_dir *aside = &s->spool->quarantine;
    staging file = {.fd = -1};
    bool ok;

    if (at == STANDS_COUNTERPART)
        return relais_shelf_write_reason(aside, s->name, reason, err);
    ok = create(s, &file, err) && write_sealed(s, head, &file, err) &&
         settle_file(s, file.fd, err) && relais_shelf_write_reason(aside, s->name, reason, err) &&
         place(s, &file, aside, s->name, err);
    finish(s, &file);
    return ok;
}

static bool put_locked(swap *s, const relais_parcel_head *head, const relais_reason *reason,
                       relais_error *err)
{
    const relais_spool_dir *aside = &s->spool->quarantine;
    stands at = STANDS_OTHER;
    struct stat there;

    /* A move of the plain file that a crash left half on disk: the one in new/ stays. */
    if (fstatat(aside->fd, s->name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        is_same_file(&there, &s->old) && !relais_shelf_remove(aside->fd, s->name, err))
        return false;
    if (relais_spool_name_is_parcel(s->name))
        at = look(s, aside->fd, true, err);
    if (at == STANDS_UNKNOWN || (at == STANDS_OTHER && !rename_waiting(s, err)))
        return false;
    return fill_place(s, head, reason, at, err) &&
           relais_shelf_remove(new_of(s)->fd, s->name, err) &&
           relais_shelf_sync_both(aside, new_of(s), s->name, err);
}

/* True when it is there; *err is set when that cannot be known. */
static bool open_waiting(swap *s, relais_error *err)
{
    s->from = openat(new_of(s)->fd, s->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (s->from >= 0 && fstat(s->from, &s->old) == 0)
        return true;
    if (errno != ENOENT && errno != ELOOP)
        relais_error_system(err, errno, s->name, "the parcel cannot be opened");
    return false;
}

bool relais_quarantine_put_sealed(relais_spool *spool, const relais_spool_entry *entry,
                                  const relais_reason *reason, const relais_parcel_head *head,
                                  relais_spool_convert *seal, void *context, relais_error *err)
{
    swap s = {
        .spool = spool, .shard = entry->shard, .from = -1, .convert = seal, .context = context};
    relais_error why = {0};
    bool is_open, ok;

    if (!relais_shelf_check_entry(entry, err))
        return false;
    memcpy(s.name, entry->name, sizeof s.name);
    is_open = open_waiting(&s, &why);
    if (why.code != RELAIS_ERR_NONE) {
        *err = why;
        ok = false;
    } else if (!is_open || !S_ISREG(s.old.st_mode)) {
        ok = relais_quarantine_put(spool, entry, reason, err); /* gone, or no file: no answers */
    } else {
        ok = lock(spool, err);
        if (ok) {
            ok = put_locked(&s, head, reason, err);
            unlock(spool);
        }
    }
    if (s.from >= 0)
        close(s.from);
    return ok;
}

/* ---- replaying --------------------------------------------------------------------------- */

/* That nobody has taken or replaced the sealed one since it was opened. */
static bool check_unchanged(const swap *s, relais_error *err)
{
    struct stat now;

    if (fstatat(s->spool->quarantine.fd, s->name, &now, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT
                   ? relais_shelf_no_such(s->name, err)
                   : relais_error_system(err, errno, s->name, "the spool cannot be examined");
    return is_same_file(&now, &s->old) ||
           relais_error_set(err, RELAIS_ERR_MISSING,
                            "the parcel was replaced meanwhile; run the command again");
}

static bool give_back(const swap *s, staging *file, relais_error *err)
{
    char fresh[RELAIS_SPOOL_NAME_SIZE];

    switch (look(s, new_of(s)->fd, false, err)) {
    case STANDS_NOTHING:
        return place(s, file, new_of(s), s->name, err);
    case STANDS_COUNTERPART: /* of a replay that was interrupted */
        return true;
    case STANDS_OTHER:
        return relais_spool_name_make(fresh, err) && place(s, file, new_of(s), fresh, err);
    default:
        return false;
    }
}

static bool replay_locked(const swap *s, staging *file, relais_error *err)
{
    const relais_spool_dir *aside = &s->spool->quarantine;

    return check_unchanged(s, err) && give_back(s, file, err) &&
           relais_shelf_remove_reason(aside->fd, s->name, err) &&
           relais_shelf_remove(aside->fd, s->name, err) &&
           relais_spool_dir_sync(aside, s->name, err);
}

static bool replay(swap *s, const relais_parcel *sealed, relais_error *err)
{
    staging file = {.fd = -1};
    bool ok;

    if (sealed->head.sealed[0] == '\0')
        return relais_error_set(err, RELAIS_ERR_DATA, "this parcel is not sealed");
    s->from = sealed->fd;
    if (fstat(s->from, &s->old) != 0)
        return relais_error_system(err, errno, s->name, "the parcel cannot be examined");
    ok = create(s, &file, err) &&
         convert_all(s, sealed->body_offset, sealed->head.length, &file, err) &&
         settle_file(s, file.fd, err) && lock(s->spool, err);
    if (ok) {
        ok = replay_locked(s, &file, err);
        unlock(s->spool);
    }
    finish(s, &file);
    return ok;
}

bool relais_quarantine_replay_sealed(relais_spool *spool, const char *name,
                                     relais_spool_convert *unseal, void *context, relais_error *err)
{
    relais_arena *arena = relais_arena_create(HEAD_MEMORY_MAX);
    swap s = {.spool = spool, .from = -1, .convert = unseal, .context = context};
    relais_parcel sealed;
    bool ok;

    if (arena == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    ok = relais_quarantine_parcel(spool, name, arena, &sealed, NULL, err);
    if (ok) {
        memcpy(s.name, name, strlen(name) + 1); /* checked by the call above */
        s.shard = relais_shelf_shard(name);
        ok = replay(&s, &sealed, err);
    }
    if (!ok)
        relais_error_at(err, name, 0);
    relais_arena_destroy(arena);
    return ok;
}
