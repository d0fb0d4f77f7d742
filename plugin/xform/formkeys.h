/*
 * The private keys of encrypted forms: the RSA keys whose public halves stand in forms as
 * base64RsaPublicKey. The forwarder holds them, unlike the key of seal.h: without them nothing
 * that such a form brings can become a row.
 *
 * They are the files NAME.pem of one directory, each of mode 0600 or 0640; a passphrase is the
 * first line of NAME.passphrase beside it, of the same modes. Several may be there, so that a
 * key can be replaced while phones still send what was locked to the old one.
 */
#ifndef RELAIS_XFORM_FORMKEYS_H
#define RELAIS_XFORM_FORMKEYS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* One project has one key at a time; this many are a directory mistaken for another. */
#define RELAIS_FORM_KEYS_MAX 64

typedef struct relais_form_keys relais_form_keys;

/* Reads all keys of the directory. RELAIS_ERR_CONFIG, with the file, for one that cannot be
 * used; a directory without keys is an empty set. */
RELAIS_MUST_USE bool relais_form_keys_read(const char *directory, relais_form_keys **out,
                                           relais_error *err);
void relais_form_keys_free(relais_form_keys *keys);

size_t relais_form_keys_count(const relais_form_keys *keys);

/* Opens what one of the keys was asked to keep: RSA-OAEP with SHA-256 for digest and MGF1 and no
 * label (ODK XForms specification, "Encryption"). *length is what `out` holds; false with
 * RELAIS_ERR_MISSING when no key opens it. `out` has room for RELAIS_FORM_KEYS_PLAIN bytes. */
#define RELAIS_FORM_KEYS_PLAIN 2048 /* of a key of 16,384 bits */
RELAIS_MUST_USE bool relais_form_keys_open(const relais_form_keys *keys, const uint8_t *locked,
                                           size_t locked_length, uint8_t *out, size_t *length,
                                           relais_error *err);

#endif
