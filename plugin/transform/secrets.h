/*
 * What is needed and is in no mapping and no database: the secret of the keyed pseudonyms, the
 * certificate that identities are sealed to, and the private keys of encrypted forms.
 */
#ifndef RELAIS_TRANSFORM_SECRETS_H
#define RELAIS_TRANSFORM_SECRETS_H

#include "base/digest.h"
#include "base/secret.h"
#include "xform/formkeys.h"
#include "xform/seal.h"

/* Each may be missing: only a mapping, or an encrypted form, that uses it asks for it. */
typedef struct relais_secrets {
    relais_secret *keys;         /* secret of hmac(), or NULL */
    char key_version[12];        /* $key_version: two versions of the secret do not compare */
    relais_seal *seal;           /* certificate of <seal>, or NULL */
    relais_form_keys *form_keys; /* of encrypted forms, or NULL */
} relais_secrets;

/* Where they are; NULL or "" for what is not configured. */
typedef struct relais_secret_files {
    const char *keys;
    unsigned key_version;
    const char *certificate;
    const char *form_keys; /* a directory */
} relais_secret_files;

/* Reads what is configured. RELAIS_ERR_CONFIG or _SYSTEM with the file's path. */
RELAIS_MUST_USE bool relais_secrets_read(const relais_secret_files *files, relais_secrets *out,
                                         relais_error *err);

/* Wipes and frees what it holds, and empties it. */
void relais_secrets_free(relais_secrets *secrets);

/* HMAC-SHA-256 with the secret over the parts, each behind its length in bytes (four bytes,
 * the highest first), so that no two lists of parts are the same message. */
void relais_secrets_key(const relais_secrets *secrets, const char *const *parts, size_t count,
                        uint8_t out[RELAIS_SHA256_SIZE]);

#endif
