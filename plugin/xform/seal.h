/*
 * Sealing: bytes for one recipient, whose private key is not on this machine.
 *
 * What is sealed is CMS AuthEnvelopedData (RFC 5083) with AES-256-GCM, which stock OpenSSL 3 opens:
 *
 *     openssl cms -decrypt -inform DER -in FILE -inkey KEY.pem -recip CERTIFICATE.pem
 *
 * The content key goes to the recipient by RSA-OAEP with SHA-256 or by ECDH with SHA-256.
 * Sealing is randomised: the same bytes sealed twice differ. It proves that nothing was changed
 * since, not who sealed: whoever has the certificate can seal.
 *
 * A key is told by its id, the SHA-256 of the SubjectPublicKeyInfo in hex, which a renewed
 * certificate over the same key keeps. Certificates and keys are read-only once read, and may be
 * used by several threads.
 */
#ifndef RELAIS_XFORM_SEAL_H
#define RELAIS_XFORM_SEAL_H

#include "base/buffer.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define RELAIS_SEAL_KEY_ID_SIZE 65 /* 64 hex digits and NUL */

/* A recipient's certificate: seals, cannot open. */
typedef struct relais_seal relais_seal;

/* Reads a PEM X.509 certificate with a key of RSA (3072 bits or more) or of a curve (P-256 or
 * larger). RELAIS_ERR_CONFIG for anything else, above all for a file with a private key in it.
 * The certificate's dates are not looked at: an expired one must not stop deliveries. */
RELAIS_MUST_USE bool relais_seal_read(const char *path, relais_seal **out, relais_error *err);
void relais_seal_free(relais_seal *seal);

/* The recipient key's id, for a column like seal_key. */
const char *relais_seal_key_id(const relais_seal *seal);

/* Appends the sealed form (DER) of the bytes; some 700 bytes longer for RSA-3072. */
RELAIS_MUST_USE bool relais_seal_bytes(const relais_seal *seal, const void *bytes, size_t length,
                                       relais_buffer *out, relais_error *err);

/* Fills `bytes` with up to `size` bytes and sets *length, to 0 at the end. */
typedef bool relais_seal_reader(void *data, char *bytes, size_t size, size_t *length,
                                relais_error *err);
/* Takes all of the bytes. */
typedef bool relais_seal_writer(void *data, const char *bytes, size_t length, relais_error *err);

/* As relais_seal_bytes for content of any length, in bounded memory. What is written is BER of
 * indefinite length, which the command above opens just so. After false what has been written
 * is of no use. */
RELAIS_MUST_USE bool relais_seal_stream(const relais_seal *seal, relais_seal_reader *read,
                                        void *read_data, relais_seal_writer *write,
                                        void *write_data, relais_error *err);

/* True when the bytes begin as sealed ones do; a look at the first bytes only, so that a reader
 * of stored bytes can tell sealed from plain (XML, a parcel's head, a photo). */
bool relais_is_sealed(const void *bytes, size_t length);

/* The first bytes that relais_is_sealed wants to see; fewer are never sealed. */
#define RELAIS_SEALED_HEAD 32

/* ---- Opening: for the commands of the person who holds the key, never for the forwarder ---- */

/* A recipient's private key. */
typedef struct relais_seal_key relais_seal_key;

/* Asked only when the key file is encrypted. Writes at most `size` bytes and sets *length. */
typedef bool relais_seal_passphrase(void *data, char *out, size_t size, size_t *length);

/* Reads a PEM private key. `ask` may be NULL: then an encrypted file is an error. */
RELAIS_MUST_USE bool relais_seal_key_read(const char *path, relais_seal_passphrase *ask, void *data,
                                          relais_seal_key **out, relais_error *err);
void relais_seal_key_free(relais_seal_key *key);

/* The same id as that of the certificate over this key. */
const char *relais_seal_key_id_of(const relais_seal_key *key);

/* Sealed bytes, wherever they are. `read` fills `bytes` with up to `size` of those from `offset`
 * on, and sets *length, to 0 at the end. */
typedef struct relais_seal_source {
    bool (*read)(void *data, uint64_t offset, char *bytes, size_t size, size_t *length,
                 relais_error *err);
    void *data;
    uint64_t length;
} relais_seal_source;

/* Hands the plain bytes to `write` piece by piece, in bounded memory. That they are whole and
 * unchanged is known only at the end: after false nothing that was written may be used.
 * RELAIS_ERR_DAMAGED when they were changed or sealed for another key (the two cannot be told
 * apart), RELAIS_ERR_SYNTAX when they are not sealed bytes at all, else what `source` or `write`
 * said. */
RELAIS_MUST_USE bool relais_unseal(const relais_seal_key *key, const relais_seal_source *source,
                                   relais_seal_writer *write, void *write_data, relais_error *err);

/* As relais_unseal, appending to a buffer, which is wiped and emptied when that fails. Whoever
 * frees the buffer should wipe it first. */
RELAIS_MUST_USE bool relais_unseal_bytes(const relais_seal_key *key, const void *bytes,
                                         size_t length, relais_buffer *out, relais_error *err);

#endif
