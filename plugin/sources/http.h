/*
 * Requests to a server, by libcurl: one connection, used by one thread at a time.
 *
 * A request is made until it is answered, within the configured number of tries: a lost
 * connection, a cut answer, 429, 408 and 5xx are tried again after a growing pause, or after
 * the one that the server asks for. 401 renews the session once, where there is one. An
 * answer whose end cannot be known counts as cut, a web page where data was asked for is
 * refused, redirects stay on the host and on https, and no answer is longer than its maximum.
 * Messages name the server's host and what was asked for, never an address or a token.
 */
#ifndef RELAIS_SOURCES_HTTP_H
#define RELAIS_SOURCES_HTTP_H

#include "base/buffer.h"
#include "sources/site.h"

#include <time.h>

typedef struct relais_http relais_http;

typedef enum {
    RELAIS_EXPECT_JSON,
    RELAIS_EXPECT_XML,
    RELAIS_EXPECT_PAGE, /* a file whose name says that it is a web page */
    RELAIS_EXPECT_FILE
} relais_expect;

typedef struct relais_ask {
    const char *target; /* a path below the server's address, or an address that it named */
    const char *what;   /* what is asked for, translated, for messages */
    const char *post;   /* JSON to be posted, or NULL */
    relais_expect expect;
    uint64_t maximum; /* of the answer's bytes */
    /* Takes the answer as it comes. */
    bool (*take)(void *context, const char *bytes, size_t length, const char *media_type,
                 relais_error *err);
    /* Forgets what was taken: the answer comes again from its beginning. */
    void (*restart)(void *context);
    void *context;
    bool is_login; /* made without credentials; its 401 is final */
} relais_ask;

typedef struct relais_answer {
    long status; /* 200, or 404 and 410: not there */
    time_t date; /* by the server's clock; 0 when it does not say */
} relais_answer;

/* Opens a session when there is none, or none newer than `generation`. */
typedef bool relais_login(relais_http *http, relais_error *err);

/* `login` is NULL where the kind has no sessions. NULL without memory. */
RELAIS_MUST_USE relais_http *relais_http_create(relais_site *site, relais_login *login);
void relais_http_destroy(relais_http *http);

relais_site *relais_http_site(relais_http *http);

/* Asks. True with the answer's status 200, 404 or 410; everything else is an error:
 * RELAIS_ERR_TRANSIENT the server is away, RELAIS_ERR_CONFIG refused credentials or an
 * address, RELAIS_ERR_DATA an answer that is not what was asked for, RELAIS_ERR_LIMIT one that
 * is too long, or what `take` said. Having been stopped is RELAIS_ERR_NONE and false. */
RELAIS_MUST_USE bool relais_http_ask(relais_http *http, const relais_ask *ask,
                                     relais_answer *answer, relais_error *err);

/* The same into a buffer, which is emptied first and has the maximum. */
RELAIS_MUST_USE bool relais_http_fetch(relais_http *http, const char *target, const char *what,
                                       relais_expect expect, relais_buffer *out,
                                       relais_answer *answer, relais_error *err);

#endif
