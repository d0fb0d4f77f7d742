/*
 * Reading the spool: the oldest parcels in order, opening and removing them, sweeping tmp/.
 *
 * A backlog may be hundreds of thousands of files, so nothing is sorted whole: while the
 * directories are scanned, a heap in the caller's array keeps the smallest names.
 */
#include "spool/layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- scanning a directory --------------------------------------------------------------- */

static DIR *open_scan(const relais_spool_dir *dir, relais_error *err)
{
    /* A descriptor of our own: the shared one's position belongs to nobody. */
    int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *scan = fd < 0 ? NULL : fdopendir(fd);

    if (scan != NULL)
        return scan;
    relais_error_system(err, errno, NULL,
                        "the spool's directories cannot be listed; run this as the forwarder's "
                        "user");
    if (fd >= 0)
        close(fd);
    return NULL;
}

bool relais_spool_dir_scan(const relais_spool_dir *dir, relais_spool_scan_visit *visit,
                           void *context, relais_error *err)
{
    DIR *scan = open_scan(dir, err);
    bool ok = scan != NULL;

    while (ok) {
        struct dirent *entry;
        errno = 0;
        entry = readdir(scan);
        if (entry == NULL) {
            if (errno != 0)
                ok = relais_error_system(err, errno, NULL, "the spool cannot be listed");
            break;
        }
        if (entry->d_name[0] != '.')
            ok = visit(context, entry->d_name, err);
    }
    if (scan != NULL)
        closedir(scan);
    return ok;
}

/* ---- the smallest names ----------------------------------------------------------------- */

/* Order of delivery: own names by time, then foreign names, equal names by shard. */
static int entry_compare(const relais_spool_entry *a, const relais_spool_entry *b)
{
    bool a_own = relais_spool_name_is_own(a->name);
    bool b_own = relais_spool_name_is_own(b->name);
    int order;

    if (a_own != b_own)
        return a_own ? -1 : 1;
    order = strcmp(a->name, b->name);
    return order != 0 ? order : a->shard - b->shard;
}

static void swap_entries(relais_spool_entry *a, relais_spool_entry *b)
{
    relais_spool_entry kept = *a;

    *a = *b;
    *b = kept;
}

static void sift_up(relais_spool_entry *heap, size_t i)
{
    while (i > 0 && entry_compare(&heap[i], &heap[(i - 1) / 2]) > 0) {
        swap_entries(&heap[i], &heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

static void sift_down(relais_spool_entry *heap, size_t count)
{
    size_t i = 0;

    for (;;) {
        size_t largest = i, child = 2 * i + 1;
        for (size_t end = child + 2; child < end && child < count; child++)
            if (entry_compare(&heap[child], &heap[largest]) > 0)
                largest = child;
        if (largest == i)
            return;
        swap_entries(&heap[i], &heap[largest]);
        i = largest;
    }
}

void relais_spool_smallest_add(relais_spool_smallest *smallest, const relais_spool_entry *entry)
{
    relais_spool_entry *heap = smallest->entries;

    if (smallest->after != NULL && entry_compare(entry, smallest->after) <= 0)
        return;
    smallest->total++;
    if (smallest->count < smallest->maximum) {
        heap[smallest->count] = *entry;
        sift_up(heap, smallest->count++);
    } else if (smallest->count > 0 && entry_compare(entry, &heap[0]) < 0) {
        heap[0] = *entry;
        sift_down(heap, smallest->count);
    }
}

static int compare_for_qsort(const void *a, const void *b)
{
    return entry_compare(a, b);
}

void relais_spool_smallest_sort(relais_spool_smallest *smallest)
{
    if (smallest->count > 1)
        qsort(smallest->entries, smallest->count, sizeof *smallest->entries, compare_for_qsort);
}

/* ---- listing ---------------------------------------------------------------------------- */

struct listing {
    relais_spool *spool;
    int shard;
    relais_spool_smallest smallest;
};

/* A file copied in by hand under a name too long for an entry gets one of ours, and is listed
 * by this scan or the next under it. */
static bool adopt(const struct listing *listing, const char *name, relais_error *err)
{
    int fd = listing->spool->new[listing->shard].fd;
    char own[RELAIS_SPOOL_NAME_SIZE];

    if (!relais_spool_name_make(own, err))
        return false;
    if (renameat(fd, name, fd, own) != 0 && errno != ENOENT)
        return relais_error_system(err, errno, name,
                                   "a parcel's name is too long and the file "
                                   "cannot be renamed; shorten its name");
    return true;
}

static bool list_name(void *context, const char *name, relais_error *err)
{
    struct listing *listing = context;
    relais_spool_entry entry = {.shard = listing->shard};
    size_t length = strlen(name);

    if (length >= sizeof entry.name)
        return adopt(listing, name, err);
    memcpy(entry.name, name, length + 1);
    relais_spool_smallest_add(&listing->smallest, &entry);
    return true;
}

bool relais_spool_list(relais_spool *spool, relais_spool_entry *out, size_t maximum, size_t *count,
                       size_t *total, relais_error *err)
{
    struct listing listing = {.spool = spool, .smallest = {.entries = out, .maximum = maximum}};

    *count = *total = 0;
    for (listing.shard = 0; listing.shard < RELAIS_SPOOL_SHARDS; listing.shard++) {
        if (!relais_spool_dir_scan(&spool->new[listing.shard], list_name, &listing, err)) {
            relais_error_at(err, spool->directory, 0);
            return false;
        }
    }
    relais_spool_smallest_sort(&listing.smallest);
    *count = listing.smallest.count;
    *total = listing.smallest.total;
    return true;
}

/* ---- one parcel ------------------------------------------------------------------------- */

static const relais_spool_dir *new_of(relais_spool *spool, const relais_spool_entry *entry,
                                      relais_error *err)
{
    if (entry->shard >= 0 && entry->shard < RELAIS_SPOOL_SHARDS && entry->name[0] != '.' &&
        entry->name[0] != '\0' && strchr(entry->name, '/') == NULL)
        return &spool->new[entry->shard];
    relais_error_set(err, RELAIS_ERR_MISSING, "this is not the name of a parcel in the spool");
    return NULL;
}

bool relais_spool_parcel(relais_spool *spool, const relais_spool_entry *entry, relais_arena *arena,
                         relais_parcel *out, relais_error *err)
{
    const relais_spool_dir *dir = new_of(spool, entry, err);

    return dir != NULL && relais_parcel_open(dir->fd, entry->name, arena, out, err);
}

bool relais_spool_remove(relais_spool *spool, const relais_spool_entry *entry, relais_error *err)
{
    const relais_spool_dir *dir = new_of(spool, entry, err);

    if (dir == NULL)
        return false;
    if (unlinkat(dir->fd, entry->name, 0) != 0 && errno != ENOENT)
        return relais_error_system(err, errno, entry->name, "a delivered parcel cannot be removed");
    return true;
}

/* ---- sweeping --------------------------------------------------------------------------- */

static const char reason_end[] = ".reason";

struct sweeping {
    int fd;
    time_t before;
    size_t swept;
};

static bool sweep_name(void *context, const char *name, relais_error *err)
{
    struct sweeping *sweeping = context;
    struct stat st;

    if (fstatat(sweeping->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ||
               relais_error_system(err, errno, name, "an unfinished parcel cannot be examined");
    if (S_ISDIR(st.st_mode) || st.st_mtime > sweeping->before)
        return true;
    if (unlinkat(sweeping->fd, name, 0) == 0)
        sweeping->swept++;
    else if (errno != ENOENT)
        return relais_error_system(err, errno, name, "an unfinished parcel cannot be removed");
    return true;
}

/* A reason whose parcel was given back, by a command that was killed before it removed both. */
static bool is_orphan(int fd, const char *name)
{
    char parcel[RELAIS_SPOOL_NAME_SIZE];
    size_t length = strlen(name), end = sizeof reason_end - 1;
    struct stat st;

    if (length <= end || length - end >= sizeof parcel ||
        strcmp(name + length - end, reason_end) != 0)
        return false;
    snprintf(parcel, sizeof parcel, "%.*s", (int)(length - end), name);
    return fstatat(fd, parcel, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
}

static bool sweep_orphan(void *context, const char *name, relais_error *err)
{
    const struct sweeping *sweeping = context;

    return !is_orphan(sweeping->fd, name) || sweep_name(context, name, err);
}

bool relais_spool_sweep(relais_spool *spool, unsigned seconds, size_t *swept, relais_error *err)
{
    struct sweeping sweeping = {.before = time(NULL) - (time_t)seconds};
    bool ok = true;

    for (int shard = 0; ok && shard < RELAIS_SPOOL_SHARDS; shard++) {
        sweeping.fd = spool->tmp[shard].fd;
        ok = relais_spool_dir_scan(&spool->tmp[shard], sweep_name, &sweeping, err);
    }
    sweeping.fd = spool->quarantine.fd;
    ok = ok && relais_spool_dir_scan(&spool->quarantine, sweep_orphan, &sweeping, err);
    if (!ok)
        relais_error_at(err, spool->directory, 0);
    *swept = sweeping.swept;
    return ok;
}
