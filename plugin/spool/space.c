/*
 * The free-space floor: cheap enough to ask before each parcel.
 *
 * statvfs is asked at most every LOOK_NANOSECONDS, and once more before refusing. In between,
 * what this process writes is subtracted. Other writers are noticed at the next look; the
 * floor's own size is the margin for them.
 */
#include "spool/layout.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/statvfs.h>
#include <time.h>

/* 100 ms: at 500 MB/s some 50 MB, well below the default floor of 256 MB. */
#define LOOK_NANOSECONDS 100000000u

/* Share of a file system's inodes that must stay free: 1 in this many. */
enum { INODE_SHARE = 100 };

/* A file takes whole blocks, and its directory entry and metadata a little more. */
enum { BLOCK = 4096, METADATA = 4096 };

static uint64_t monotonic_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool look(relais_spool *spool, uint64_t now, relais_error *err)
{
    relais_spool_space *space = &spool->space;
    uint64_t available, reserved;
    struct statvfs fs;

    if (fstatvfs(spool->root.fd, &fs) != 0)
        return relais_error_system(err, errno, spool->directory,
                                   "the free space of the spool cannot be asked");
    available = (uint64_t)fs.f_bavail * fs.f_frsize;
    space->bytes = available > space->floor ? available - space->floor : 0;
    reserved = fs.f_files / INODE_SHARE;
    space->files = fs.f_files == 0          ? UINT64_MAX /* btrfs makes inodes as it needs them */
                   : fs.f_favail > reserved ? fs.f_favail - reserved
                                            : 0;
    space->until = now + LOOK_NANOSECONDS;
    return true;
}

static bool has_room(const relais_spool_space *space, uint64_t need)
{
    return space->files > 0 && need <= space->bytes;
}

static bool refuse(const relais_spool *spool, uint64_t length, relais_error *err)
{
    if (spool->space.files == 0)
        relais_error_set(err, RELAIS_ERR_FULL,
                         "the spool's file system is running out of inodes; remove files there");
    else
        relais_error_set(err, RELAIS_ERR_FULL,
                         "a parcel of %" PRIu64 " bytes does not fit: %" PRIu64
                         " bytes are left above the floor of %" PRIu64
                         "; free space or lower the floor",
                         length, spool->space.bytes, spool->space.floor);
    relais_error_at(err, spool->directory, 0);
    return false;
}

bool relais_space_take(relais_spool *spool, uint64_t length, relais_error *err)
{
    relais_spool_space *space = &spool->space;
    uint64_t now = monotonic_now(), need;
    bool taken = false;

    if (length > UINT64_MAX - BLOCK - METADATA)
        return relais_error_set(err, RELAIS_ERR_FULL, "a parcel of that length fits nowhere");
    need = (length + BLOCK - 1) / BLOCK * BLOCK + METADATA;
    pthread_mutex_lock(&space->lock);
    if (now < space->until && has_room(space, need))
        taken = true;
    else if (look(spool, now, err))
        taken = has_room(space, need) || refuse(spool, length, err);
    if (taken) {
        space->bytes -= need;
        space->files -= space->files == UINT64_MAX ? 0 : 1;
    }
    pthread_mutex_unlock(&space->lock);
    return taken;
}
