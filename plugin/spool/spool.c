/*
 * The spool's directories: making, opening and closing them. See spool.h.
 *
 * The web user passes through DIR and SHARD (2710), creates and renames in tmp/ and new/
 * (2730), and has no business in quarantine/ (2700).
 */
#include "spool/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define XFS_MAGIC 0x58465342 /* "XFSB"; not among the kernel's public headers */

enum { MODE_PASS = 02710, MODE_DROP = 02730, MODE_PRIVATE = 02700 };

/* ---- making -------------------------------------------------------------------------- */

/* Gives a directory just made its mode whatever the umask, and the owner of the one above it
 * when we are root: the forwarder must be able to read what an administrator made. */
static bool settle_directory(int parent, const char *name, mode_t mode, relais_error *err)
{
    struct stat above;
    bool ok = true;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return relais_error_system(err, errno, name, "a new directory cannot be opened");
    if (parent != AT_FDCWD && geteuid() == 0 && fstat(parent, &above) == 0)
        ok = fchown(fd, above.st_uid, above.st_gid) == 0;
    if (!ok || fchmod(fd, mode) != 0)
        ok = relais_error_system(err, errno, name, "a new directory cannot be given its mode");
    close(fd);
    return ok;
}

/* Makes one directory if it is missing; one that exists keeps its mode and owner. */
static bool make_directory(int parent, const char *name, mode_t mode, relais_error *err)
{
    if (mkdirat(parent, name, 0700) != 0)
        return errno == EEXIST ||
               relais_error_system(err, errno, name, "the directory cannot be made");
    return settle_directory(parent, name, mode, err);
}

static bool make_shard(int root, int shard, relais_error *err)
{
    char name[8];
    bool ok;
    int fd;

    snprintf(name, sizeof name, "%02x", (unsigned)shard);
    if (!make_directory(root, name, MODE_PASS, err))
        return false;
    fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return relais_error_system(err, errno, name, "the shard's directory cannot be opened");
    ok = make_directory(fd, "tmp", MODE_DROP, err) && make_directory(fd, "new", MODE_DROP, err);
    if (ok && fsync(fd) != 0)
        ok = relais_error_system(err, errno, name, "the shard's directory cannot be synced");
    close(fd);
    return ok;
}

static bool make_tree(int root, relais_error *err)
{
    for (int shard = 0; shard < RELAIS_SPOOL_SHARDS; shard++)
        if (!make_shard(root, shard, err))
            return false;
    return make_directory(root, "quarantine", MODE_PRIVATE, err);
}

bool relais_spool_create(const char *directory, relais_error *err)
{
    bool ok;
    int root;

    if (!make_directory(AT_FDCWD, directory, MODE_PASS, err))
        return false;
    root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return relais_error_system(err, errno, directory, "the spool cannot be opened");
    ok = make_tree(root, err);
    if (ok && fsync(root) != 0)
        ok = relais_error_system(err, errno, directory, "the spool cannot be synced");
    close(root);
    return ok;
}

/* ---- opening ------------------------------------------------------------------------- */

static bool open_directory(relais_spool_dir *dir, int parent, const char *name, relais_error *err)
{
    dir->fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir->is_readable = dir->fd >= 0;
    if (dir->fd < 0 && errno == EACCES)
        dir->fd = openat(parent, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir->fd >= 0)
        return true;
    if (errno == ENOENT || errno == ENOTDIR)
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "this is not a whole spool: the directory %s is missing; create "
                                "the spool as the forwarder's user",
                                name);
    return relais_error_system(err, errno, NULL, "the spool's directory %s cannot be opened", name);
}

/* File systems on which fsync of a renamed file commits the rename as well: ext4 and XFS log
 * the inode's new ctime in the rename's own transaction, btrfs logs the new name; what is in
 * tmpfs survives nothing anyway. */
static bool is_rename_committed_by_file(long type)
{
    static const long known[] = {EXT4_SUPER_MAGIC, XFS_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i] == type)
            return true;
    return false;
}

static bool check_syncable(const relais_spool_dir *dir, relais_error *err)
{
    struct statfs fs;

    if (dir->is_readable)
        return true;
    if (fstatfs(dir->fd, &fs) != 0)
        return relais_error_system(err, errno, NULL, "the spool's file system cannot be asked");
    if (is_rename_committed_by_file((long)fs.f_type))
        return true;
    return relais_error_set(
        err, RELAIS_ERR_CONFIG,
        "on this file system (type 0x%lx) a rename is only safe when its directory can be synced, "
        "and this user may not read it; put the spool on ext4, XFS or btrfs, or allow reading "
        "(chmod g+r) on the shards' new directories",
        (unsigned long)fs.f_type);
}

static bool open_shard(relais_spool *spool, int shard, relais_error *err)
{
    char name[16];

    snprintf(name, sizeof name, "%02x/tmp", (unsigned)shard);
    if (!open_directory(&spool->tmp[shard], spool->root.fd, name, err))
        return false;
    snprintf(name, sizeof name, "%02x/new", (unsigned)shard);
    return open_directory(&spool->new[shard], spool->root.fd, name, err) &&
           check_syncable(&spool->new[shard], err);
}

static bool open_tree(relais_spool *spool, relais_error *err)
{
    if (!open_directory(&spool->root, AT_FDCWD, spool->directory, err))
        return false;
    for (int shard = 0; shard < RELAIS_SPOOL_SHARDS; shard++)
        if (!open_shard(spool, shard, err))
            return false;
    return open_directory(&spool->quarantine, spool->root.fd, "quarantine", err);
}

static relais_spool *spool_allocate(const char *directory)
{
    relais_spool *spool = calloc(1, sizeof *spool);

    if (spool == NULL)
        return NULL;
    spool->root.fd = spool->quarantine.fd = -1;
    for (int shard = 0; shard < RELAIS_SPOOL_SHARDS; shard++)
        spool->tmp[shard].fd = spool->new[shard].fd = -1;
    pthread_mutex_init(&spool->space.lock, NULL);
    spool->directory = strdup(directory);
    if (spool->directory == NULL) {
        relais_spool_close(spool);
        return NULL;
    }
    return spool;
}

bool relais_spool_open(const char *directory, uint64_t floor, relais_spool **out, relais_error *err)
{
    relais_spool *spool = spool_allocate(directory);

    *out = NULL;
    if (spool == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for the spool");
    spool->space.floor = floor;
    if (!open_tree(spool, err)) {
        relais_error_at(err, directory, 0);
        relais_spool_close(spool);
        return false;
    }
    *out = spool;
    return true;
}

static void close_directory(relais_spool_dir *dir)
{
    if (dir->fd >= 0)
        close(dir->fd);
}

void relais_spool_close(relais_spool *spool)
{
    if (spool == NULL)
        return;
    for (int shard = 0; shard < RELAIS_SPOOL_SHARDS; shard++) {
        close_directory(&spool->tmp[shard]);
        close_directory(&spool->new[shard]);
    }
    close_directory(&spool->quarantine);
    close_directory(&spool->root);
    pthread_mutex_destroy(&spool->space.lock);
    free(spool->directory);
    free(spool);
}

bool relais_spool_watch_path(const relais_spool *spool, int shard, char *path, size_t size)
{
    int n;

    if (shard < 0 || shard >= RELAIS_SPOOL_SHARDS)
        return false;
    n = snprintf(path, size, "%s/%02x/new", spool->directory, (unsigned)shard);
    return n > 0 && (size_t)n < size;
}
