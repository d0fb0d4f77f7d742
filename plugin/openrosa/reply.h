/*
 * Every answer that a phone can get to a submission, in one table: HTTP status and the
 * sentence that the enumerator reads, French and English.
 *
 * Collect shows `message` of an OpenRosaResponse for 201/202 and for every 4xx/5xx but 401;
 * so each says what happened and what to do. (protocol: OpenRosa "http" and "form
 * submission" pages; Collect's ResponseMessageParser.)
 */
#ifndef RELAIS_OPENROSA_REPLY_H
#define RELAIS_OPENROSA_REPLY_H

#include "base/buffer.h"

typedef enum {
    RELAIS_REPLY_RECEIVED,      /* 201 */
    RELAIS_REPLY_NOT_MULTIPART, /* 400 neither multipart/form-data nor a text/xml body */
    RELAIS_REPLY_CUT,           /* 400 the body ends before its closing delimiter or length */
    RELAIS_REPLY_NO_XML,        /* 400 no xml_submission_file part, or an empty one */
    RELAIS_REPLY_BAD_XML,       /* 400 the root element cannot be read */
    RELAIS_REPLY_DOCTYPE,       /* 400 DOCTYPE or entities */
    RELAIS_REPLY_NO_ID,         /* 400 root without id */
    RELAIS_REPLY_UNKNOWN_FORM,  /* 404 */
    RELAIS_REPLY_NOT_FOUND,     /* 404 anything else that is not here */
    RELAIS_REPLY_METHOD,        /* 405 */
    RELAIS_REPLY_TIMEOUT,       /* 408 */
    RELAIS_REPLY_TOO_LARGE,     /* 413 */
    RELAIS_REPLY_UNAUTHORIZED,  /* 401 */
    RELAIS_REPLY_FORBIDDEN,     /* 403 */
    RELAIS_REPLY_BAD_REQUEST,   /* 400 any other client error of the web server */
    RELAIS_REPLY_FULL,          /* 503 spool below its floor */
    RELAIS_REPLY_BUSY,          /* 503 spool cannot be written, or thread queue full */
    RELAIS_REPLY_BROKEN,        /* 500 */
    RELAIS_REPLY_COUNT
} relais_reply;

typedef enum { RELAIS_FRENCH, RELAIS_ENGLISH } relais_language;

/* French unless the Accept-Language value (may be NULL) ranks English above it (RFC 9110
 * section 12.5.4, q-values honoured). Collect sends no Accept-Language. */
relais_language relais_reply_language(const char *accept_language, size_t length);

unsigned relais_reply_status(relais_reply reply);

/* The reply for a status that the web server itself produced (401, 403, 405, 408, 413, ...). */
relais_reply relais_reply_for_status(unsigned status);

/* Appends the whole OpenRosaResponse document. `limit_mb` is only used by TOO_LARGE. */
void relais_reply_render(relais_reply reply, relais_language language, unsigned limit_mb,
                         relais_buffer *out);

#endif
