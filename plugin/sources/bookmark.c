/*
 * The state's files. See bookmark.h.
 */
#include "sources/bookmark.h"

#include "base/buffer.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Rows put aside at a few hundred bytes each, and the recent ones of a kind's place. */
#define STATE_MAX ((size_t)64 * 1024 * 1024)

/* ---- the directory ----------------------------------------------------------------------- */

/* Run by root, what is made belongs to whoever owns the spool and pulls otherwise. */
static bool make_directory(const char *path, const struct stat *spool, relais_error *err)
{
    if (mkdir(path, 0700) != 0) {
        if (errno == EEXIST)
            return true;
        return relais_error_system(err, errno, path, "the directory cannot be made");
    }
    if (geteuid() == 0 && chown(path, spool->st_uid, (gid_t)-1) != 0)
        return relais_error_system(err, errno, path, "the directory cannot be given its owner");
    return true;
}

static bool make_directories(const char *spool, const char *name, char **out, relais_error *err)
{
    char path[PATH_MAX];
    struct stat status;

    if (stat(spool, &status) != 0)
        return relais_error_system(err, errno, spool, "the spool cannot be examined");
    if (snprintf(path, sizeof path, "%s/sources/%s", spool, name) >= (int)sizeof path)
        return relais_error_set(err, RELAIS_ERR_LIMIT, "the spool's path is too long");
    path[strlen(spool) + sizeof "/sources" - 1] = '\0';
    if (!make_directory(path, &status, err))
        return false;
    path[strlen(spool) + sizeof "/sources" - 1] = '/';
    if (!make_directory(path, &status, err))
        return false;
    *out = strdup(path);
    return *out != NULL || relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
}

static bool take_lock(relais_bookmark_directory *directory, relais_error *err)
{
    directory->lock = openat(directory->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (directory->lock < 0)
        return relais_error_system(err, errno, directory->path, "its lock cannot be opened");
    if (flock(directory->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno != EWOULDBLOCK)
        return relais_error_system(err, errno, directory->path, "its lock cannot be taken");
    relais_error_set(err, RELAIS_ERR_TRANSIENT,
                     "another `relais pull` of this source is running; wait for its end");
    relais_error_at(err, directory->path, 0);
    return false;
}

bool relais_bookmark_open(const char *spool, const char *name, relais_bookmark_directory *out,
                          relais_error *err)
{
    *out = (relais_bookmark_directory){.fd = -1, .lock = -1};
    if (!make_directories(spool, name, &out->path, err))
        return false;
    out->fd = open(out->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out->fd < 0)
        relais_error_system(err, errno, out->path, "the directory cannot be opened");
    else if (take_lock(out, err))
        return true;
    relais_bookmark_close(out);
    return false;
}

void relais_bookmark_close(relais_bookmark_directory *directory)
{
    if (directory->lock >= 0)
        close(directory->lock);
    if (directory->fd >= 0)
        close(directory->fd);
    free(directory->path);
    *directory = (relais_bookmark_directory){.fd = -1, .lock = -1};
}

/* ---- a file ------------------------------------------------------------------------------ */

/* A form's id may hold any character: percent-encoded it is a file's name. */
static bool make_name(const char *form, const char *suffix, char *out, size_t size,
                      relais_error *err)
{
    relais_buffer name;
    bool ok;

    relais_buffer_init(&name, size - 1);
    relais_append_percent(&name, form, strlen(form));
    relais_buffer_append_char(&name, '.');
    relais_buffer_append_text(&name, suffix);
    ok = relais_buffer_check(&name, "the name of a form's state", err);
    if (ok)
        memcpy(out, name.data, name.length + 1);
    relais_buffer_free(&name);
    return ok;
}

static bool file_error(const relais_bookmark_directory *directory, const char *name, int sys,
                       const char *what, relais_error *err)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", directory->path, name);
    relais_error_system(err, sys, path, "%s", what);
    if (err != NULL && (sys == ENOSPC || sys == EDQUOT))
        err->code = RELAIS_ERR_FULL;
    return false;
}

static bool read_stream(FILE *stream, size_t maximum, char **bytes, size_t *length)
{
    struct stat status;

    if (fstat(fileno(stream), &status) != 0)
        return false;
    if ((size_t)status.st_size > maximum) {
        errno = EFBIG;
        return false;
    }
    *bytes = malloc((size_t)status.st_size + 1);
    if (*bytes == NULL)
        return false;
    *length = fread(*bytes, 1, (size_t)status.st_size, stream);
    (*bytes)[*length] = '\0';
    return !ferror(stream);
}

bool relais_bookmark_read_file(const relais_bookmark_directory *directory, const char *form,
                               const char *suffix, size_t maximum, char **bytes, size_t *length,
                               relais_error *err)
{
    char name[NAME_MAX + 1];
    FILE *stream;
    bool ok;
    int fd;

    *bytes = NULL;
    *length = 0;
    if (!make_name(form, suffix, name, sizeof name, err))
        return false;
    fd = openat(directory->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return true;
    stream = fd < 0 ? NULL : fdopen(fd, "r");
    if (stream == NULL) {
        file_error(directory, name, errno, relais_translate("the file cannot be opened"), err);
        if (fd >= 0)
            close(fd);
        return false;
    }
    ok = read_stream(stream, maximum, bytes, length);
    if (!ok) {
        file_error(directory, name, errno, relais_translate("the file cannot be read"), err);
        free(*bytes);
        *bytes = NULL;
    }
    fclose(stream);
    return ok;
}

static bool write_new(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0) {
        ssize_t done = write(fd, at, length);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        at += done;
        length -= (size_t)done;
    }
    return fsync(fd) == 0;
}

static void keep_owner(const relais_bookmark_directory *directory, int fd)
{
    struct stat status;

    if (geteuid() == 0 && fstat(directory->fd, &status) == 0 &&
        fchown(fd, status.st_uid, (gid_t)-1) != 0) {
        /* Root's file in an owner's directory: its next pull says that it cannot read it. */
    }
}

bool relais_bookmark_write_file(const relais_bookmark_directory *directory, const char *form,
                                const char *suffix, const void *bytes, size_t length,
                                relais_error *err)
{
    char name[NAME_MAX + 1];
    int fd;
    bool ok;

    if (!make_name(form, suffix, name, sizeof name, err))
        return false;
    fd = openat(directory->fd, ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return file_error(directory, name, errno, relais_translate("the file cannot be written"),
                          err);
    keep_owner(directory, fd);
    ok = write_new(fd, bytes, length);
    if (close(fd) != 0)
        ok = false;
    if (ok && renameat(directory->fd, ".new", directory->fd, name) == 0 &&
        fsync(directory->fd) == 0)
        return true;
    return file_error(directory, name, errno, relais_translate("the file cannot be written"), err);
}

/* ---- the state --------------------------------------------------------------------------- */

static bool take_document(json_t *document, const char *form, relais_bookmark *out)
{
    json_t *place = json_object_get(document, "place");
    json_t *aside = json_object_get(document, "aside");
    const char *own = json_string_value(json_object_get(document, "form"));

    if (json_integer_value(json_object_get(document, "format")) != 1 || own == NULL ||
        strcmp(own, form) != 0 || !json_is_object(place) || !json_is_array(aside))
        return false;
    out->place = json_incref(place);
    out->aside = json_incref(aside);
    return true;
}

static bool parse_state(const relais_bookmark_directory *directory, const char *form,
                        const char *bytes, size_t length, relais_bookmark *out, relais_error *err)
{
    json_t *document = json_loadb(bytes, length, 0, NULL);
    bool ok = take_document(document, form, out);
    char name[NAME_MAX + 1], path[PATH_MAX];

    json_decref(document);
    if (ok)
        return true;
    relais_error_set(err, RELAIS_ERR_DAMAGED,
                     "this file does not say how far the form was pulled; move it away, and "
                     "everything is pulled again and recognised");
    if (make_name(form, "json", name, sizeof name, err)) {
        snprintf(path, sizeof path, "%s/%s", directory->path, name);
        relais_error_at(err, path, 0);
    }
    return false;
}

bool relais_bookmark_read(const relais_bookmark_directory *directory, const char *form,
                          relais_bookmark *out, relais_error *err)
{
    size_t length;
    char *bytes;
    bool ok;

    *out = (relais_bookmark){0};
    if (!relais_bookmark_read_file(directory, form, "json", STATE_MAX, &bytes, &length, err))
        return false;
    if (bytes == NULL) {
        out->place = json_object();
        out->aside = json_array();
        return (out->place != NULL && out->aside != NULL) ||
               relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    }
    ok = parse_state(directory, form, bytes, length, out, err);
    free(bytes);
    return ok;
}

bool relais_bookmark_write(const relais_bookmark_directory *directory, const char *form,
                           const relais_bookmark *state, relais_error *err)
{
    json_t *document = json_pack("{s:i s:s s:O s:O}", "format", 1, "form", form, "place",
                                 state->place, "aside", state->aside);
    char *bytes = document == NULL ? NULL : json_dumps(document, JSON_COMPACT);
    bool ok = bytes != NULL
                  ? relais_bookmark_write_file(directory, form, "json", bytes, strlen(bytes), err)
                  : relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");

    free(bytes);
    json_decref(document);
    return ok;
}

void relais_bookmark_free(relais_bookmark *state)
{
    json_decref(state->place);
    json_decref(state->aside);
    *state = (relais_bookmark){0};
}
