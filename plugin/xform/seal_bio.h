/*
 * What seal.c and unseal.c share: OpenSSL's streams end in a caller's function, and OpenSSL's
 * reasons become errors.
 */
#ifndef RELAIS_XFORM_SEAL_BIO_H
#define RELAIS_XFORM_SEAL_BIO_H

#include "xform/seal.h"

#include <openssl/bio.h>
#include <openssl/evp.h>

/* Where a stream's bytes go. The BIO fails once and stays failed; `err` then says why. */
typedef struct relais_seal_sink {
    relais_seal_writer *write;
    void *data;
    relais_error *err;
    bool has_failed;
} relais_seal_sink;

/* A BIO that writes to the sink, which must outlive it; NULL without memory. */
BIO *relais_seal_sink_bio(relais_seal_sink *sink);

/* A writer whose data is a relais_buffer. */
bool relais_seal_to_buffer(void *buffer, const char *bytes, size_t length, relais_error *err);

/* Sets an error with OpenSSL's reason behind the sentence, and empties OpenSSL's queue. */
bool relais_seal_fail(relais_error *err, relais_error_code code, const char *path,
                      const char *sentence);

/* Writes the id of the key into out. */
RELAIS_MUST_USE bool relais_seal_identify(EVP_PKEY *key, char out[RELAIS_SEAL_KEY_ID_SIZE],
                                          relais_error *err);

/* Reads a whole small file into a buffer that the caller made and frees. */
RELAIS_MUST_USE bool relais_seal_slurp(const char *path, relais_buffer *out, relais_error *err);

#endif
