/*
 * Comparing the spool's modes with a table of what each directory may be. See guard.h.
 */
#include "spool/guard.h"

#include "spool/spool.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Parcels are 0640 and have names that cannot be guessed: passing through does no harm, but
 * whoever can rename a directory can put his own in its place. Where a rename is only safe
 * when its directory can be synced, the web server's group may list new/ (see spool.c). */
static const struct kind {
    bool is_of_shards;
    const char *name; /* below the spool, or below each shard */
    unsigned wanted;
    unsigned grave, doubtful; /* permissions that are not wanted */
} kinds[] = {
    {false, "", 02710, S_IWGRP | S_IWOTH, S_IROTH},
    {true, "", 02710, S_IWGRP | S_IWOTH, S_IROTH},
    {true, "/tmp", 02730, S_IRWXO, S_IRGRP},
    {true, "/new", 02730, S_IRWXO, 0},
    {false, "/quarantine", 02700, S_IRWXG | S_IRWXO, 0},
};

/* Root may read everything, and who is root may own anything. */
static bool is_foreign(const struct stat *st)
{
    return geteuid() != 0 && st->st_uid != 0 && st->st_uid != geteuid();
}

/* Adds what is wrong with one directory to the gap of its kind. */
static bool look(const char *path, const struct kind *kind, relais_spool_gap *gap,
                 relais_error *err)
{
    struct stat st;
    unsigned mode;

    if (stat(path, &st) != 0)
        return errno == ENOENT || errno == EACCES || errno == ENOTDIR ||
               relais_error_system(err, errno, path, "the spool cannot be examined");
    mode = st.st_mode & 07777;
    if ((mode & (kind->grave | kind->doubtful)) != 0) {
        gap->mode = mode;
        gap->is_grave = gap->is_grave || (mode & kind->grave) != 0;
    }
    if (is_foreign(&st)) {
        gap->owner = st.st_uid;
        gap->is_foreign = gap->is_grave = true;
    }
    return true;
}

static bool check_kind(const char *directory, const struct kind *kind,
                       relais_spool_gap_found *found, void *context, relais_error *err)
{
    char path[4096], pattern[4096];
    relais_spool_gap gap = {.path = pattern, .wanted = kind->wanted};
    bool ok = true;

    snprintf(pattern, sizeof pattern, "%s%s%s", directory, kind->is_of_shards ? "/0?" : "",
             kind->name);
    if (!kind->is_of_shards)
        ok = look(pattern, kind, &gap, err);
    for (unsigned shard = 0; ok && kind->is_of_shards && shard < RELAIS_SPOOL_SHARDS; shard++) {
        snprintf(path, sizeof path, "%s/%02x%s", directory, shard, kind->name);
        ok = look(path, kind, &gap, err);
    }
    if (!ok)
        return false;
    if (gap.mode != 0 || gap.is_foreign)
        found(context, &gap);
    return true;
}

bool relais_spool_guard(const char *directory, relais_spool_gap_found *found, void *context,
                        relais_error *err)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (!check_kind(directory, &kinds[i], found, context, err))
            return false;
    return true;
}
