/*
 * Fuzzes the multipart parser. Input: the boundary, a line feed, the body.
 *
 * Each body is fed whole, byte by byte, and in runs of a size taken from the input; all must
 * give the same parts and the same success. The content reported must be the body's own
 * bytes at the offset reported.
 */
#include "openrosa/multipart.h"

#include "base/buffer.h"

#include <stdlib.h>
#include <string.h>

#define LOG_MAX (16 * 1024 * 1024)

/* One feeding, with all its events written down. */
struct feeding {
    const char *body;
    size_t length;
    relais_buffer log;
    uint64_t offset; /* of the next content byte */
    uint64_t start;
    bool is_open;
};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static void demand(bool condition)
{
    if (!condition)
        abort();
}

static bool begin(void *context, const relais_part *part, relais_error *err)
{
    struct feeding *feeding = context;

    (void)err;
    demand(!feeding->is_open && part->offset >= feeding->offset && part->offset <= feeding->length);
    feeding->is_open = true;
    feeding->start = feeding->offset = part->offset;
    relais_buffer_append_format(&feeding->log, "<%llu %zu %zu %d ",
                                (unsigned long long)part->offset, part->name_length,
                                part->filename_length, part->has_filename);
    relais_buffer_append(&feeding->log, part->name, part->name_length);
    relais_buffer_append(&feeding->log, part->filename, part->filename_length);
    relais_buffer_append_text(&feeding->log, part->content_type);
    return true;
}

static bool data(void *context, const char *bytes, size_t length, relais_error *err)
{
    struct feeding *feeding = context;

    (void)err;
    demand(feeding->is_open && length > 0 && length <= feeding->length - feeding->offset);
    demand(memcmp(feeding->body + feeding->offset, bytes, length) == 0);
    feeding->offset += length;
    return true;
}

static bool end(void *context, uint64_t length, relais_error *err)
{
    struct feeding *feeding = context;

    (void)err;
    demand(feeding->is_open && length == feeding->offset - feeding->start);
    feeding->is_open = false;
    relais_buffer_append_format(&feeding->log, ">%llu\n", (unsigned long long)length);
    return true;
}

static void feed(struct feeding *feeding, const char *boundary, size_t run)
{
    static const relais_multipart_events events = {begin, data, end};
    relais_multipart *parser = relais_multipart_create(boundary, &events, feeding);
    bool ok = true;

    demand(parser != NULL);
    relais_buffer_init(&feeding->log, LOG_MAX);
    for (size_t at = 0; ok && at < feeding->length; at += run) {
        size_t size = run < feeding->length - at ? run : feeding->length - at;
        ok = relais_multipart_feed(parser, feeding->body + at, size, NULL);
    }
    if (ok)
        ok = relais_multipart_finish(parser, NULL);
    demand(!ok || !feeding->is_open);
    relais_buffer_append_text(&feeding->log, ok ? "." : "!");
    relais_multipart_destroy(parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    const char *newline = memchr(input, '\n', length);
    char boundary[RELAIS_MULTIPART_BOUNDARY_MAX + 1];
    size_t boundary_length = newline == NULL ? 0 : (size_t)(newline - (const char *)input);
    struct feeding whole;

    if (boundary_length == 0 || boundary_length > RELAIS_MULTIPART_BOUNDARY_MAX ||
        memchr(input, '\0', boundary_length) != NULL ||
        memchr(input, '\r', boundary_length) != NULL)
        return 0;
    memcpy(boundary, input, boundary_length);
    boundary[boundary_length] = '\0';
    whole = (struct feeding){.body = newline + 1, .length = length - boundary_length - 1};
    feed(&whole, boundary, whole.length + 1);
    for (size_t i = 0; i < 2; i++) {
        struct feeding cut = {.body = whole.body, .length = whole.length};

        feed(&cut, boundary, i == 0 ? 1 : 2 + (input[0] & 63U));
        demand(cut.log.length == whole.log.length &&
               memcmp(cut.log.data, whole.log.data, whole.log.length) == 0);
        relais_buffer_free(&cut.log);
    }
    relais_buffer_free(&whole.log);
    return 0;
}
