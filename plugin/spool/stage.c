/*
 * Writing a parcel: stage in tmp/, commit by rename, or abort. See spool.h.
 *
 * Order is the promise: bytes, fsync of the file, rename, fsync of the directory, and only
 * then does anybody answer 201.
 */
#include "spool/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Runs of memory written by one call; a body has one or a few. */
enum { VECTORS = 64 };

/* For file systems between which copy_file_range does not work. */
enum { COPY_BUFFER = 64 * 1024 };

/* ---- the shard of this thread --------------------------------------------------------- */

/* Threads of one process take shards in turn, from a random first one so that several
 * single-threaded processes spread too. */
int relais_spool_own_shard(void)
{
    static _Thread_local int shard = -1;
    static atomic_uint turn;
    static atomic_bool has_start;

    if (shard < 0) {
        unsigned start;
        if (!atomic_exchange(&has_start, true) &&
            getrandom(&start, sizeof start, GRND_NONBLOCK) == (ssize_t)sizeof start)
            atomic_fetch_add(&turn, start);
        shard = (int)(atomic_fetch_add(&turn, 1) % RELAIS_SPOOL_SHARDS);
    }
    return shard;
}

/* ---- writing -------------------------------------------------------------------------- */

static bool write_error(int sys, relais_error *err)
{
    relais_error_code before = err == NULL ? RELAIS_ERR_NONE : err->code;

    relais_error_system(err, sys, NULL, "the parcel cannot be written");
    if (err != NULL && before == RELAIS_ERR_NONE && (sys == ENOSPC || sys == EDQUOT))
        err->code = RELAIS_ERR_FULL;
    return false;
}

static bool write_vectors(int fd, struct iovec *vectors, int count, relais_error *err)
{
    while (count > 0) {
        ssize_t n = vectors->iov_len == 0 ? 0 : writev(fd, vectors, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || (n == 0 && vectors->iov_len > 0))
            return write_error(n < 0 ? errno : ENOSPC, err);
        while (count > 0 && (size_t)n >= vectors->iov_len) {
            n -= (ssize_t)vectors->iov_len;
            vectors++;
            count--;
        }
        if (count > 0) {
            vectors->iov_base = (char *)vectors->iov_base + n;
            vectors->iov_len -= (size_t)n;
        }
    }
    return true;
}

static bool copy_by_reading(int fd, int from, off_t offset, size_t length, relais_error *err)
{
    char bytes[COPY_BUFFER];

    while (length > 0) {
        ssize_t n = pread(from, bytes, length < sizeof bytes ? length : sizeof bytes, offset);
        struct iovec vector = {.iov_base = bytes};
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return relais_error_system(err, errno, NULL, "the request body cannot be read");
        if (n == 0)
            return relais_error_set(err, RELAIS_ERR_DAMAGED,
                                    "the request body's file is shorter than announced");
        vector.iov_len = (size_t)n;
        if (!write_vectors(fd, &vector, 1, err))
            return false;
        offset += n;
        length -= (size_t)n;
    }
    return true;
}

/* Inside the kernel where that works; whatever it refuses is copied by hand, and a real
 * error shows itself there. */
static bool copy_range(int fd, int from, off_t offset, size_t length, relais_error *err)
{
    while (length > 0) {
        ssize_t n = copy_file_range(from, &offset, fd, NULL, length, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return copy_by_reading(fd, from, offset, length, err);
        length -= (size_t)n;
    }
    return true;
}

static bool write_parcel(int fd, const relais_buffer *head, const relais_segment *segments,
                         size_t count, relais_error *err)
{
    struct iovec vectors[VECTORS] = {{.iov_base = head->data, .iov_len = head->length}};
    int waiting = 1;

    for (size_t i = 0; i < count; i++) {
        const relais_segment *segment = &segments[i];
        if (segment->data == NULL || waiting == VECTORS) {
            if (!write_vectors(fd, vectors, waiting, err))
                return false;
            waiting = 0;
        }
        if (segment->data != NULL)
            vectors[waiting++] =
                (struct iovec){.iov_base = (void *)segment->data, .iov_len = segment->length};
        else if (!copy_range(fd, segment->fd, segment->offset, segment->length, err))
            return false;
    }
    return write_vectors(fd, vectors, waiting, err);
}

/* The mode is set again because the server's umask may be 077, and the forwarder reads
 * parcels through their group. */
int relais_spool_file_create(const relais_spool_dir *dir, const char *name, relais_error *err)
{
    int fd = openat(dir->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    RELAIS_PARCEL_MODE);

    if (fd < 0)
        write_error(errno, err);
    else if (fchmod(fd, RELAIS_PARCEL_MODE) != 0) {
        write_error(errno, err);
        unlinkat(dir->fd, name, 0);
        close(fd);
        fd = -1;
    }
    return fd;
}

bool relais_spool_file_write(int fd, const char *bytes, size_t length, relais_error *err)
{
    struct iovec vector = {.iov_base = (void *)bytes, .iov_len = length};

    return write_vectors(fd, &vector, 1, err);
}

bool relais_spool_file_sync(int fd, relais_error *err)
{
    int result;

    do
        result = fsync(fd);
    while (result != 0 && errno == EINTR);
    return result == 0 || write_error(errno, err);
}

static bool write_file(const relais_spool_dir *dir, const char *name, const relais_buffer *head,
                       const relais_segment *segments, size_t count, relais_error *err)
{
    int fd = relais_spool_file_create(dir, name, err);
    bool ok;

    if (fd < 0)
        return false;
    ok = write_parcel(fd, head, segments, count, err) && relais_spool_file_sync(fd, err);
    close(fd);
    if (!ok)
        unlinkat(dir->fd, name, 0);
    return ok;
}

static bool check_length(const relais_parcel_head *head, const relais_segment *segments,
                         size_t count, relais_error *err)
{
    uint64_t left = head->length;

    for (size_t i = 0; i < count; i++) {
        if (segments[i].length > left)
            break;
        left -= segments[i].length;
        if (i + 1 == count && left == 0)
            return true;
    }
    return (count == 0 && left == 0) ||
           relais_error_set(err, RELAIS_ERR_DAMAGED,
                            "the body is not of the %" PRIu64 " bytes that its head says",
                            head->length);
}

bool relais_spool_stage(relais_spool *spool, const relais_parcel_head *head,
                        const relais_segment *segments, size_t count, relais_staged *out,
                        relais_error *err)
{
    relais_buffer text;
    int shard = relais_spool_own_shard();
    bool ok;

    out->shard = -1;
    out->name[0] = '\0';
    relais_buffer_init(&text, RELAIS_PARCEL_HEAD_MAX);
    ok = check_length(head, segments, count, err) && relais_parcel_head_write(head, &text, err) &&
         relais_space_take(spool, text.length + head->length, err) &&
         relais_spool_name_make(out->name, err) &&
         write_file(&spool->tmp[shard], out->name, &text, segments, count, err);
    relais_buffer_free(&text);
    if (ok)
        out->shard = shard;
    else
        relais_error_at(err, spool->directory, 0);
    return ok;
}

/* ---- committing ----------------------------------------------------------------------- */

/* Opening the file by name needs no permission to read its directory. */
static bool sync_by_name(int dirfd, const char *name, relais_error *err)
{
    int fd = openat(dirfd, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool ok;

    if (fd < 0) /* gone: the forwarder has already put it into the store or into quarantine */
        return errno == ENOENT || write_error(errno, err);
    ok = relais_spool_file_sync(fd, err);
    close(fd);
    return ok;
}

bool relais_spool_dir_sync(const relais_spool_dir *dir, const char *name, relais_error *err)
{
    return dir->is_readable ? relais_spool_file_sync(dir->fd, err)
                            : sync_by_name(dir->fd, name, err);
}

bool relais_spool_commit(relais_spool *spool, relais_staged *staged, relais_error *err)
{
    const relais_spool_dir *tmp, *new;
    bool ok;

    if (staged->shard < 0 || staged->shard >= RELAIS_SPOOL_SHARDS)
        return relais_error_set(err, RELAIS_ERR_MISSING, "there is no staged parcel to commit");
    tmp = &spool->tmp[staged->shard];
    new = &spool->new[staged->shard];
    if (renameat(tmp->fd, staged->name, new->fd, staged->name) != 0) {
        relais_error_system(err, errno, spool->directory, "the parcel cannot be committed");
        return false;
    }
    ok = relais_spool_dir_sync(new, staged->name, err);
    if (!ok) {
        unlinkat(new->fd, staged->name, 0);
        relais_error_at(err, spool->directory, 0);
    }
    staged->shard = -1;
    return ok;
}

void relais_spool_abort(relais_spool *spool, relais_staged *staged)
{
    if (staged->shard >= 0 && staged->shard < RELAIS_SPOOL_SHARDS)
        unlinkat(spool->tmp[staged->shard].fd, staged->name, 0);
    staged->shard = -1;
}
