/*
 * The address of a served location as the phone that asks knows it, and what of a request's
 * path stands below that location.
 */
#ifndef RELAIS_OPENROSA_ADDRESS_H
#define RELAIS_OPENROSA_ADDRESS_H

#include "base/arena.h"

/* Headers may be NULL. */
typedef struct relais_address {
    const char *forwarded_proto; /* X-Forwarded-Proto: the first of a list counts */
    const char *forwarded_host;  /* X-Forwarded-Host: the same */
    const char *host;            /* Host */
    const char *scheme;          /* of the connection */
    const char *server_name;     /* where no header names a usable host */
    const char *path;            /* of the location, percent-encoded, without closing slash */
} relais_address;

/* "forms.example.org", or with a port; NULL without memory. */
const char *relais_address_host(const relais_address *address, relais_arena *arena);

/* "https://forms.example.org/openrosa"; NULL without memory. */
const char *relais_base_url(const relais_address *address, relais_arena *arena);

/* What follows the location's path (as above) in a percent-encoded path without query;
 * false when it does not begin there. Collect strips one slash of a server's address at
 * most, so there may be more of them, and they are left out. */
RELAIS_MUST_USE bool relais_path_below(const char *location, const char *path, size_t length,
                                       const char **rest, size_t *rest_length);

#endif
