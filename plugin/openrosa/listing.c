/*
 * Listings: what the directory says about a form's files. See published.h.
 */
#include "openrosa/published.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool ends_in(const char *name, const char *suffix)
{
    size_t length = strlen(name), suffix_length = strlen(suffix);

    return length >= suffix_length && strcmp(name + length - suffix_length, suffix) == 0;
}

bool relais_is_form_file_name(const char *name)
{
    return name[0] != '.' && !ends_in(name, "~") && !ends_in(name, ".tmp") &&
           !ends_in(name, ".part");
}

/* A name must survive XML, an address and the phone's file system. */
static bool is_media_name(const char *name)
{
    for (const char *c = name; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            return false;
    }
    return relais_utf8_valid(name, strlen(name));
}

/* False for what is not a regular file, with errno 0, or cannot be looked at. */
static bool file_state_take(int dirfd, const char *name, relais_file_state *out)
{
    struct stat status;

    if (fstatat(dirfd, name, &status, 0) != 0)
        return false;
    errno = 0;
    if (!S_ISREG(status.st_mode))
        return false;
    *out = (relais_file_state){status.st_dev, status.st_ino, status.st_size, status.st_mtim,
                               status.st_ctim};
    return true;
}

/* ---- media ----------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const relais_listed_file *)a)->name, ((const relais_listed_file *)b)->name);
}

static bool add_media(DIR *stream, const char *name, relais_arena *arena, relais_listing *listing,
                      relais_error *err)
{
    relais_listed_file *file = &listing->media[listing->media_count];

    if (!file_state_take(dirfd(stream), name, &file->state))
        return true; /* a directory, or gone since the directory was read */
    file->name = relais_arena_text(arena, name);
    if (file->name == NULL)
        return relais_arena_error(arena, err);
    if (!is_media_name(name))
        listing->complaint = "the name of one of its media is not UTF-8 or has control "
                             "characters; rename the file";
    listing->media_count++;
    return true;
}

static bool list_media(DIR *stream, relais_arena *arena, relais_listing *listing, relais_error *err)
{
    struct dirent *entry;

    listing->media = relais_arena_alloc(arena, RELAIS_FORM_MEDIA_MAX * sizeof *listing->media);
    if (listing->media == NULL)
        return relais_arena_error(arena, err);
    while ((entry = readdir(stream)) != NULL) {
        if (!relais_is_form_file_name(entry->d_name))
            continue;
        if (listing->media_count == RELAIS_FORM_MEDIA_MAX) {
            listing->complaint = "it has more media than can be published; remove some";
            break;
        }
        if (!add_media(stream, entry->d_name, arena, listing, err))
            return false;
    }
    qsort(listing->media, listing->media_count, sizeof *listing->media, compare_names);
    return true;
}

static bool take_media(relais_arena *arena, relais_listing *listing, relais_error *err)
{
    DIR *stream = opendir(listing->media_directory);
    bool ok;

    if (stream == NULL) {
        if (errno != ENOENT && errno != ENOTDIR)
            listing->complaint = "its media directory cannot be read; check the permissions";
        return true;
    }
    ok = list_media(stream, arena, listing, err);
    closedir(stream);
    return ok;
}

/* ---- the listing ----------------------------------------------------------------------- */

bool relais_listing_take(const char *directory, const char *file, relais_arena *arena,
                         relais_listing *out, relais_error *err)
{
    const char *path = relais_arena_format(arena, "%s/%s", directory, file);
    int stem = (int)(strlen(file) - strlen(".xml"));

    *out = (relais_listing){.xml.name = relais_arena_text(arena, file),
                            .media_directory =
                                relais_arena_format(arena, "%s/%.*s-media", directory, stem, file)};
    if (path == NULL || out->xml.name == NULL || out->media_directory == NULL)
        return relais_arena_error(arena, err);
    if (!file_state_take(AT_FDCWD, path, &out->xml.state))
        return relais_error_set(err, RELAIS_ERR_MISSING, "not a regular file");
    return take_media(arena, out, err);
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool relais_file_state_equal(const relais_file_state *a, const relais_file_state *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           is_same_time(&a->modified, &b->modified) && is_same_time(&a->changed, &b->changed);
}

bool relais_listing_equal(const relais_listing *a, const relais_listing *b)
{
    if (a->media_count != b->media_count || (a->complaint == NULL) != (b->complaint == NULL) ||
        !relais_file_state_equal(&a->xml.state, &b->xml.state))
        return false;
    for (size_t i = 0; i < a->media_count; i++) {
        if (strcmp(a->media[i].name, b->media[i].name) != 0 ||
            !relais_file_state_equal(&a->media[i].state, &b->media[i].state))
            return false;
    }
    return true;
}

static bool is_older(const struct timespec *time, const struct timespec *now)
{
    time_t seconds = now->tv_sec - time->tv_sec;

    return seconds > RELAIS_FORMS_SETTLE ||
           (seconds == RELAIS_FORMS_SETTLE && now->tv_nsec >= time->tv_nsec);
}

/* The time of modification counts, since a rename into place keeps it: that file was whole
 * before. A time in the future, from a copy that keeps another machine's, says nothing;
 * then the inode's own time counts. */
static bool is_settled(const relais_file_state *state, const struct timespec *now)
{
    bool is_future = state->modified.tv_sec > now->tv_sec;

    return is_older(is_future ? &state->changed : &state->modified, now);
}

bool relais_listing_is_settled(const relais_listing *listing, const struct timespec *now)
{
    if (!is_settled(&listing->xml.state, now))
        return false;
    for (size_t i = 0; i < listing->media_count; i++) {
        if (!is_settled(&listing->media[i].state, now))
            return false;
    }
    return true;
}
