/*
 * Making multipart bodies. See bundle.h. Names are escaped as OkHttp does it, so that the parts
 * read as Collect's.
 */
#include "sources/bundle.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* A part's head: two names of a kilobyte, escaped, and some words. */
enum { PART_HEAD_MAX = 16 * 1024 };

void relais_bundle_init(relais_bundle *body, const char *directory)
{
    memset(body, 0, sizeof *body);
    body->directory = directory;
    body->fd = -1;
    relais_buffer_init(&body->memory, RELAIS_BUNDLE_MEMORY_MAX);
}

static void close_file(relais_bundle *body)
{
    if (body->fd >= 0)
        close(body->fd);
    body->fd = -1;
}

void relais_bundle_free(relais_bundle *body)
{
    close_file(body);
    relais_buffer_free(&body->memory);
}

void relais_bundle_begin(relais_bundle *body)
{
    uint8_t random[16];
    char hex[2 * sizeof random + 1];

    /* Blocks only before the machine has gathered its first randomness. */
    while (getrandom(random, sizeof random, 0) < (ssize_t)sizeof random)
        continue;
    relais_hex(random, sizeof random, hex);
    snprintf(body->boundary, sizeof body->boundary, "relais-%s", hex);
    snprintf(body->content_type, sizeof body->content_type, "multipart/form-data; boundary=%s",
             body->boundary);
    close_file(body);
    relais_buffer_reset(&body->memory);
    body->length = 0;
}

/* ---- bytes ------------------------------------------------------------------------------- */

static bool write_all(int fd, const char *bytes, size_t length, relais_error *err)
{
    while (length > 0) {
        ssize_t done = write(fd, bytes, length);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            bool is_full = errno == ENOSPC || errno == EDQUOT;
            relais_error_system(err, errno, NULL, "a submission's files cannot be kept");
            if (err != NULL && is_full)
                err->code = RELAIS_ERR_FULL;
            return false;
        }
        bytes += done;
        length -= (size_t)done;
    }
    return true;
}

/* A file without a name: a crash leaves nothing behind. */
static int open_unnamed(const char *directory)
{
    char path[4096];
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd;
    if (snprintf(path, sizeof path, "%s/.body-XXXXXX", directory) >= (int)sizeof path)
        return -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static bool spill(relais_bundle *body, relais_error *err)
{
    body->fd = open_unnamed(body->directory);
    if (body->fd < 0)
        return relais_error_system(err, errno, body->directory,
                                   "a file for a large submission cannot be made");
    return write_all(body->fd, body->memory.data, body->memory.length, err);
}

bool relais_bundle_append(relais_bundle *body, const char *bytes, size_t length, relais_error *err)
{
    body->length += length;
    if (body->fd < 0 && body->length <= RELAIS_BUNDLE_MEMORY_MAX) {
        relais_buffer_append(&body->memory, bytes, length);
        return relais_buffer_check(&body->memory, "a submission", err);
    }
    if (body->fd < 0 && !spill(body, err))
        return false;
    return write_all(body->fd, bytes, length, err);
}

bool relais_bundle_cut(relais_bundle *body, uint64_t length, relais_error *err)
{
    body->length = length;
    if (body->fd < 0) {
        body->memory.length = (size_t)length;
        if (body->memory.data != NULL)
            body->memory.data[length] = '\0';
        return true;
    }
    if (ftruncate(body->fd, (off_t)length) == 0 &&
        lseek(body->fd, (off_t)length, SEEK_SET) == (off_t)length)
        return true;
    return relais_error_system(err, errno, NULL, "a submission's files cannot be kept");
}

/* ---- parts ------------------------------------------------------------------------------- */

static void append_name(relais_buffer *out, const char *name)
{
    for (; *name != '\0'; name++) {
        if (*name == '"')
            relais_buffer_append_text(out, "%22");
        else if (*name == '\r')
            relais_buffer_append_text(out, "%0D");
        else if (*name == '\n')
            relais_buffer_append_text(out, "%0A");
        else
            relais_buffer_append_char(out, *name);
    }
}

static bool add_part(relais_bundle *body, const char *name, const char *filename,
                     const char *media_type, relais_error *err)
{
    relais_buffer head;
    bool ok;

    relais_buffer_init(&head, PART_HEAD_MAX);
    relais_buffer_append_format(&head, "%s--%s\r\nContent-Disposition: form-data; name=\"",
                                body->length == 0 ? "" : "\r\n", body->boundary);
    append_name(&head, name);
    relais_buffer_append_text(&head, "\"; filename=\"");
    append_name(&head, filename);
    relais_buffer_append_format(&head, "\"\r\nContent-Type: %s\r\n\r\n", media_type);
    ok = relais_buffer_check(&head, "the head of a part", err) &&
         relais_bundle_append(body, head.data, head.length, err);
    relais_buffer_free(&head);
    return ok;
}

bool relais_bundle_add_xml(relais_bundle *body, relais_error *err)
{
    return add_part(body, "xml_submission_file", "submission.xml", "text/xml", err);
}

/* A media type is a server's word: nothing of it may end the header line. */
static const char *fit_media_type(const char *media_type, char *out, size_t size)
{
    size_t length = strcspn(media_type, ";\r\n");

    if (length == 0 || length >= size)
        return "application/octet-stream";
    memcpy(out, media_type, length);
    out[length] = '\0';
    return out;
}

bool relais_bundle_add_file(relais_bundle *body, const char *name, const char *media_type,
                            relais_error *err)
{
    char fit[128];

    return add_part(body, name, name, fit_media_type(media_type, fit, sizeof fit), err);
}

bool relais_bundle_end(relais_bundle *body, relais_segment *out, relais_error *err)
{
    char closing[sizeof body->boundary + 16];
    int length = snprintf(closing, sizeof closing, "\r\n--%s--\r\n", body->boundary);

    if (!relais_bundle_append(body, closing, (size_t)length, err))
        return false;
    *out = (relais_segment){.length = (size_t)body->length, .fd = body->fd};
    if (body->fd < 0)
        out->data = body->memory.data;
    return true;
}
