/*
 * The envelope in which phones send what an encrypted form holds: who locked it, which files
 * belong to it, and in which order they were locked.
 *
 * ODK XForms specification, "Encryption"; what clients do differently (two namespaces, any
 * order of children, several file elements in one media, no signature from ODK Web Forms) is
 * accepted. Files are AES-256-CFB with PKCS #7 padding, each with an initial vector counted on
 * from the one before: all media in document order, the XML last, wherever it stands.
 */
#ifndef RELAIS_XFORM_ENVELOPE_H
#define RELAIS_XFORM_ENVELOPE_H

#include "base/digest.h"
#include "xform/formkeys.h"
#include "xform/seal.h"
#include "xform/submission.h"

/* Of one submission; Collect sends a hundred files in one request. */
#define RELAIS_ENVELOPE_FILES_MAX 10000

enum { RELAIS_ENVELOPE_KEY_SIZE = 32, RELAIS_ENVELOPE_SEED_SIZE = 16 };

/* Names are those of the parts that carry the locked files. All belongs to the arena. */
typedef struct relais_envelope {
    const char *form_id, *version, *instance_id;
    const char *key;       /* base64 */
    const char *signature; /* base64; "" when there is none */
    const char **files;    /* media in document order, then the XML's */
    size_t file_count;     /* at least 1: the last is the XML's */
} relais_envelope;

/* Reads it from a submission with is_encrypted. RELAIS_ERR_SYNTAX names what is missing. */
RELAIS_MUST_USE bool relais_envelope_read(const relais_submission *submission, relais_arena *arena,
                                          relais_envelope *out, relais_error *err);

/* What opens its files. Wipe it with relais_envelope_forget when done. */
typedef struct relais_envelope_lock {
    uint8_t key[RELAIS_ENVELOPE_KEY_SIZE];
    uint8_t seed[RELAIS_ENVELOPE_SEED_SIZE];
} relais_envelope_lock;

/* RELAIS_ERR_MISSING: no key fits; RELAIS_ERR_SYNTAX: what a key opened is no key. */
RELAIS_MUST_USE bool relais_envelope_unlock(const relais_envelope *envelope,
                                            const relais_form_keys *keys, relais_envelope_lock *out,
                                            relais_error *err);
void relais_envelope_forget(relais_envelope_lock *lock);

/* Hands on the plain bytes of file `index` piece by piece, and their MD5 (NULL: not wanted), which
 * the signature is made of. RELAIS_ERR_DAMAGED when the padding is not what it must be: another
 * key, another file, or one that is cut. What was written before is then of no use. */
RELAIS_MUST_USE bool relais_envelope_decrypt(const relais_envelope_lock *lock, size_t index,
                                             relais_seal_reader *read, void *read_data,
                                             relais_seal_writer *write, void *write_data,
                                             uint8_t md5[RELAIS_MD5_SIZE], relais_error *err);

/* The same from memory to a buffer, which is wiped when that fails. */
RELAIS_MUST_USE bool relais_envelope_decrypt_bytes(const relais_envelope_lock *lock, size_t index,
                                                   const void *bytes, size_t length,
                                                   relais_buffer *out, uint8_t md5[RELAIS_MD5_SIZE],
                                                   relais_error *err);

/* True when there is a signature and it is that of these files (parallel to `files`): nothing
 * was lost or exchanged on the way. It proves no author: whoever has the form can make one.
 * RELAIS_ERR_DAMAGED when it is another's. */
RELAIS_MUST_USE bool relais_envelope_verify(const relais_envelope *envelope,
                                            const relais_form_keys *keys,
                                            const uint8_t (*md5s)[RELAIS_MD5_SIZE],
                                            relais_error *err);

#endif
