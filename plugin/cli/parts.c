/*
 * A parcel's body, part by part. See parts.h.
 */
#include "cli/parts.h"

#include "cli/speak.h"
#include "cli/table.h"
#include "openrosa/multipart.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024, NAME_SHOWN = 120 };

typedef struct listing {
    FILE *out;
    char name[NAME_SHOWN + 1];
    char type[NAME_SHOWN + 1];
} listing;

static void keep_text(char out[NAME_SHOWN + 1], const char *text, size_t length)
{
    if (length > NAME_SHOWN)
        length = NAME_SHOWN;
    memcpy(out, text, length);
    out[length] = '\0';
}

static bool begin_part(void *context, const relais_part *part, relais_error *err)
{
    listing *list = context;
    bool has_name = part->name_length > 0;

    (void)err;
    keep_text(list->name, has_name ? part->name : part->filename,
              has_name ? part->name_length : part->filename_length);
    keep_text(list->type, part->content_type, strlen(part->content_type));
    return true;
}

static bool end_part(void *context, uint64_t length, relais_error *err)
{
    listing *list = context;

    (void)err;
    fprintf(list->out, "  %12llu  ", (unsigned long long)length);
    relais_print_plain(list->out, list->name);
    fputs("  ", list->out);
    relais_print_plain(list->out, list->type);
    fputc('\n', list->out);
    return true;
}

/* Gives the body piece by piece to `take`; false also when `take` says so. */
static bool each_piece(const relais_parcel *parcel,
                       bool (*take)(void *context, const char *bytes, size_t length,
                                    relais_error *err),
                       void *context, relais_error *err)
{
    static char piece[CHUNK];
    uint64_t offset = 0;

    while (offset < parcel->head.length) {
        uint64_t left = parcel->head.length - offset;
        size_t length = left < sizeof piece ? (size_t)left : sizeof piece;
        if (!relais_parcel_read(parcel, offset, piece, length, err) ||
            !take(context, piece, length, err))
            return false;
        offset += length;
    }
    return true;
}

static bool feed_parser(void *context, const char *bytes, size_t length, relais_error *err)
{
    return relais_multipart_feed(context, bytes, length, err);
}

static void print_fault(const relais_error *fault, FILE *out)
{
    char text[1024];

    fprintf(out, _("  then: %s\n"), relais_error_format(fault, text, sizeof text));
}

static bool print_multipart(const relais_parcel *parcel, const char *boundary, FILE *out,
                            relais_error *err)
{
    static const relais_multipart_events events = {begin_part, NULL, end_part};
    listing list = {.out = out};
    relais_multipart *parser = relais_multipart_create(boundary, &events, &list);
    relais_error fault = {0};

    if (parser == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    if (each_piece(parcel, feed_parser, parser, &fault))
        (void)!relais_multipart_finish(parser, &fault);
    relais_multipart_destroy(parser);
    if (fault.code == RELAIS_ERR_SYSTEM || fault.code == RELAIS_ERR_MEMORY) {
        *err = fault;
        return false;
    }
    if (fault.code != RELAIS_ERR_NONE)
        print_fault(&fault, out);
    return true;
}

bool relais_parts_print(const relais_parcel *parcel, FILE *out, relais_error *err)
{
    char boundary[RELAIS_MULTIPART_BOUNDARY_MAX + 1];
    relais_error not_multipart = {0};

    if (relais_multipart_boundary(parcel->head.content_type, boundary, &not_multipart))
        return print_multipart(parcel, boundary, out, err);
    fprintf(out, "  %12llu  ", (unsigned long long)parcel->head.length);
    relais_print_plain(out, parcel->head.content_type);
    fputc('\n', out);
    return true;
}

static bool write_piece(void *context, const char *bytes, size_t length, relais_error *err)
{
    if (fwrite(bytes, 1, length, context) == length)
        return true;
    return relais_error_system(err, errno, NULL, "standard output could not be written");
}

bool relais_parts_raw(const relais_parcel *parcel, FILE *out, relais_error *err)
{
    return each_piece(parcel, write_piece, out, err);
}

bool relais_parts_file(int fd, FILE *out, relais_error *err)
{
    static char piece[CHUNK];
    off_t offset = 0;

    for (;;) {
        ssize_t n = pread(fd, piece, sizeof piece, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return relais_error_system(err, errno, NULL, "the parcel cannot be read");
        if (n == 0)
            return true;
        if (!write_piece(out, piece, (size_t)n, err))
            return false;
        offset += n;
    }
}
