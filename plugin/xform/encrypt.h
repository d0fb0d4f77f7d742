/*
 * Writing a project's public key into a form, so that phones lock what it collects.
 *
 * ODK XForms specification, "Encryption": <submission base64RsaPublicKey="..."> in the model, the
 * key being a SubjectPublicKeyInfo in base64 without line breaks. The form needs an instanceID,
 * which the lock depends on.
 */
#ifndef RELAIS_XFORM_ENCRYPT_H
#define RELAIS_XFORM_ENCRYPT_H

#include "base/buffer.h"

/* A form with its key: the longest forms have 2 MB. */
#define RELAIS_ENCRYPT_FORM_MAX (16 * 1024 * 1024)

/* Appends the form with the key. `key_file` is PEM: a public key, a certificate or a private key,
 * whose public half is taken. RELAIS_ERR_CONFIG for anything that phones would not accept. */
RELAIS_MUST_USE bool relais_form_encrypt(const char *form_file, const char *key_file,
                                         relais_buffer *out, relais_error *err);

#endif
