/*
 * What two places need of MIME headers: the media type, and `; name=value` parameters as
 * browsers, OkHttp and older HTTP clients write them. Lenient in what nobody could misread.
 */
#ifndef RELAIS_OPENROSA_HEADER_H
#define RELAIS_OPENROSA_HEADER_H

#include <stdbool.h>
#include <stddef.h>

/* A run of bytes inside a header value. */
typedef struct relais_span {
    char *bytes;
    size_t length;
} relais_span;

/* True when the value's media type, without parameters, is `type` in any letter case. */
bool relais_media_type_is(const char *value, const char *type);

bool relais_span_is(relais_span span, const char *text); /* in any letter case */

typedef struct relais_param {
    relais_span name;
    relais_span value; /* without its quotes; backslashes of '"' and '\' undone */
} relais_param;

/* Takes the next parameter off `rest`, changing its bytes in place; false at the end.
 * Whatever stands before the first ';' has no '=' and is skipped. */
bool relais_param_next(relais_span *rest, relais_param *out);

/* Undoes %22, %0D and %0A in place: the three escapes of form-data names (WHATWG). */
void relais_span_unescape(relais_span *span);

/* Decodes an RFC 5987 value (UTF-8''na%C3%AFf) to UTF-8 in place; false, with the bytes
 * unchanged, when it is malformed or in another charset than UTF-8 or ISO-8859-1. */
bool relais_span_decode_extended(relais_span *span);

#endif
