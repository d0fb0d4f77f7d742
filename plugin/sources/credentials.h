/*
 * What a server knows us by, out of a file that only its owner and one group may read:
 *
 *   user: reader@example.bf          or          token: 0123456789abcdef
 *   password: the password
 *
 * Lines in any order; '#' begins a comment line. The values are wiped when they are freed.
 */
#ifndef RELAIS_SOURCES_CREDENTIALS_H
#define RELAIS_SOURCES_CREDENTIALS_H

#include "base/secret.h"

/* A value is a password or a token; JSON web tokens are a few hundred bytes. */
#define RELAIS_CREDENTIAL_MAX 4096

typedef struct relais_credentials {
    relais_secret *file;           /* owns the bytes below */
    char *user, *password, *token; /* NULL when not given */
} relais_credentials;

/* RELAIS_ERR_CONFIG, with file and line, unless there is a token, or a user and a password. */
RELAIS_MUST_USE bool relais_credentials_read(const char *path, relais_credentials *out,
                                             relais_error *err);
void relais_credentials_free(relais_credentials *credentials);

#endif
