/*
 * Bodies on their way. See scratch.h.
 */
#include "spool/scratch.h"

#include "spool/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { SCRATCH_MODE = 0600 };

static bool scratch_error(int sys, relais_error *err)
{
    relais_error_code before = err->code;

    relais_error_system(err, sys, NULL, "a request body cannot be written beside the parcels");
    if (before == RELAIS_ERR_NONE && (sys == ENOSPC || sys == EDQUOT))
        err->code = RELAIS_ERR_FULL;
    return false;
}

/* For file systems that have no files without a name: one that loses its name at once. */
static int open_and_unlink(int dirfd, relais_error *err)
{
    char name[RELAIS_SPOOL_NAME_SIZE];
    int fd;

    if (!relais_spool_name_make(name, err))
        return -1;
    fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, SCRATCH_MODE);
    if (fd >= 0)
        unlinkat(dirfd, name, 0);
    return fd;
}

bool relais_scratch_open(relais_spool *spool, int *fd, relais_error *err)
{
    int dirfd = spool->tmp[relais_spool_own_shard()].fd;

    *fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, SCRATCH_MODE);
    if (*fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT))
        *fd = open_and_unlink(dirfd, err);
    if (*fd >= 0)
        return true;
    scratch_error(errno, err);
    relais_error_at(err, spool->directory, 0);
    return false;
}

bool relais_scratch_write(relais_spool *spool, int fd, const void *bytes, size_t length,
                          relais_error *err)
{
    const char *next = bytes;

    if (!relais_space_take(spool, length, err))
        return false;
    while (length > 0) {
        ssize_t n = write(fd, next, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            scratch_error(n < 0 ? errno : ENOSPC, err);
            relais_error_at(err, spool->directory, 0);
            return false;
        }
        next += n;
        length -= (size_t)n;
    }
    return true;
}
