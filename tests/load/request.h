/*
 * Requests as a web server passes them on: HTTP/1, uwsgi or SCGI, told apart by their first
 * byte.
 */
#ifndef RELAIS_TESTS_LOAD_REQUEST_H
#define RELAIS_TESTS_LOAD_REQUEST_H

#include "script.h"
#include "stream.h"

#include <stddef.h>

struct request {
    bool is_http; /* else uwsgi or SCGI: the answer ends with the connection */
    bool is_scgi; /* which has a Status header in the place of a status line */
    bool is_keepalive;
    bool is_chunked;
    long length;
    char method[16];
    char script[SCRIPT_MAX];
};

/* Reads all before the body. False at the connection's end, or when it is no request. */
bool request_read(struct stream *in, struct request *out);

/* Reads the body, giving it to `take` (may be NULL) as it comes. False when it is cut. */
typedef void request_take(void *context, const char *bytes, size_t length);
bool request_read_body(struct stream *in, const struct request *of, request_take *take,
                       void *context);

#endif
