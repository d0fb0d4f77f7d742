/*
 * Addresses: the one that the configuration gives, and those to which a server sends.
 *
 * Credentials go to the configured scheme, host and port and nowhere else. A link on the same
 * host is asked for at the configured port and scheme, because servers behind a proxy write
 * links with the scheme and port that they see themselves. Other hosts are asked only for
 * files, only when the configuration names them, only over https, and without credentials.
 */
#ifndef RELAIS_SOURCES_ADDRESS_H
#define RELAIS_SOURCES_ADDRESS_H

#include "base/arena.h"

typedef struct relais_address {
    const char *url;
    bool is_own; /* credentials may go there */
} relais_address;

/* RELAIS_ERR_CONFIG unless it is https (or http on loopback) without user, query, fragment or a
 * token in its path. */
RELAIS_MUST_USE bool relais_address_check(const char *base, relais_error *err);

/* True for an https address, and for http on loopback: a password may be sent as it is. */
bool relais_address_is_private(const char *base);

/* Where `target` leads: a path below the base, or an absolute address that a document (link)
 * or a redirect names. RELAIS_ERR_CONFIG, with the host alone, when it is not to be followed. */
RELAIS_MUST_USE bool relais_address_find(const char *base, const char *file_hosts,
                                         const char *target, bool is_redirect, relais_arena *arena,
                                         relais_address *out, relais_error *err);

#endif
