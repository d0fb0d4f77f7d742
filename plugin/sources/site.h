/*
 * What all connections to one server share: its settings, its credentials, the session that
 * they opened, and the pace that the configuration sets.
 */
#ifndef RELAIS_SOURCES_SITE_H
#define RELAIS_SOURCES_SITE_H

#include "sources/credentials.h"
#include "sources/source.h"

#include <pthread.h>

/* How a kind of server wants to be shown credentials. */
typedef enum {
    RELAIS_AUTH_SESSION, /* a user and password open a session, whose token is a bearer's */
    RELAIS_AUTH_TOKEN,   /* "Authorization: Token WORD", or else the user and password */
    RELAIS_AUTH_PASSWORD /* the user and password, by Digest or (in private) Basic */
} relais_auth;

typedef struct relais_site {
    const relais_source *source;
    const atomic_bool *stop;
    relais_auth auth;
    relais_credentials credentials;
    pthread_mutex_t session_lock;
    char token[RELAIS_CREDENTIAL_MAX]; /* of the session; "" before the first */
    unsigned generation;               /* counts the sessions */
    pthread_mutex_t pace_lock;
    uint64_t next_slot; /* monotonic nanoseconds at which a request may go */
} relais_site;

RELAIS_MUST_USE bool relais_site_open(relais_site *site, const relais_source *source,
                                      relais_auth auth, const atomic_bool *stop, relais_error *err);
void relais_site_close(relais_site *site);

/* Makes a token that of the present session; the caller holds session_lock. False when it is too
 * long. */
bool relais_site_keep_token(relais_site *site, const char *token, size_t length);

/* Writes the whole "Authorization: ..." line, or "" when libcurl is to do it or there is no
 * session yet, and says of which session it is. */
void relais_site_authorization(relais_site *site, char *out, size_t size, unsigned *generation);

/* Sleeps until the next request may go; false when the work was stopped meanwhile. */
bool relais_site_wait_turn(relais_site *site);

/* Sleeps; false when the work was stopped meanwhile. */
bool relais_site_sleep(const relais_site *site, double seconds);

bool relais_site_is_stopped(const relais_site *site);

#endif
