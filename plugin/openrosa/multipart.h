/*
 * multipart/form-data as a stream (RFC 7578, RFC 2046 section 5.1), as phones really write it.
 *
 * The parser is fed runs of bytes of any size, keeps at most one delimiter and one part's
 * headers in memory, and calls back with whole headers and slices of content. It never
 * interprets a part's Content-Length (old Collect sends one; OkHttp 5 does not) and demands
 * the closing delimiter: a server's idea of "end of body" is not trusted, because HTTP/2
 * resets have been seen to deliver cut bodies as complete ones.
 *
 * Names are taken as raw bytes: quoted-string with %22 %0D %0A escapes (WHATWG, OkHttp) and
 * backslash escapes of '"' and '\' (older clients); filename* (RFC 5987) is understood and
 * wins over filename. Bare LF line ends are accepted. A line is a delimiter only when nothing
 * but blanks follows the boundary; any other line that begins with it is content.
 */
#ifndef RELAIS_OPENROSA_MULTIPART_H
#define RELAIS_OPENROSA_MULTIPART_H

#include "base/error.h"

#include <stdint.h>

#define RELAIS_MULTIPART_BOUNDARY_MAX 70         /* RFC 2046 section 5.1.1 */
#define RELAIS_MULTIPART_HEADER_MAX   (8 * 1024) /* all header lines of one part */
#define RELAIS_MULTIPART_PARTS_MAX    10000      /* Collect sends 101 files at most in one POST */

typedef struct relais_multipart relais_multipart;

/* What a part's headers say. Texts are valid during the callback only; lengths count, since
 * a name may hold any byte. `has_filename` tells filename="" from no filename. */
typedef struct relais_part {
    const char *name;
    size_t name_length;
    const char *filename;
    size_t filename_length;
    const char *content_type; /* NUL-terminated, "" when absent */
    bool has_filename;
    uint64_t offset; /* of the content's first byte in the body */
} relais_part;

/* Each callback returns false (with err set) to stop. Any may be NULL. */
typedef struct relais_multipart_events {
    bool (*begin)(void *context, const relais_part *part, relais_error *err);
    bool (*data)(void *context, const char *bytes, size_t length, relais_error *err);
    bool (*end)(void *context, uint64_t length, relais_error *err); /* content length */
} relais_multipart_events;

/* Takes the boundary out of a Content-Type value. `boundary` has room for
 * RELAIS_MULTIPART_BOUNDARY_MAX + 1. RELAIS_ERR_SYNTAX when the type is not
 * multipart/form-data or the boundary is missing or malformed. */
RELAIS_MUST_USE bool relais_multipart_boundary(const char *content_type, char *boundary,
                                               relais_error *err);

/* `boundary` as relais_multipart_boundary() gives it. NULL without memory. */
RELAIS_MUST_USE relais_multipart *
relais_multipart_create(const char *boundary, const relais_multipart_events *events, void *context);
void relais_multipart_destroy(relais_multipart *parser);

/* RELAIS_ERR_SYNTAX or _LIMIT with the byte offset in err->line's place left 0 and in the
 * text; the parser then stays failed. */
RELAIS_MUST_USE bool relais_multipart_feed(relais_multipart *parser, const char *bytes,
                                           size_t length, relais_error *err);

/* Call once after the last byte: RELAIS_ERR_SYNTAX unless the closing delimiter was seen. */
RELAIS_MUST_USE bool relais_multipart_finish(relais_multipart *parser, relais_error *err);

#endif
