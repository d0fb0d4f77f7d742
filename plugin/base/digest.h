/*
 * The three digests that the protocols ask for, over GNU Nettle: SHA-256 for parcels and
 * attachments, MD5 for OpenRosa's form hashes (formList API, "md5:" + lower-case hex), SHA-1
 * for name-based UUIDs (RFC 9562 section 5.5). MD5 and SHA-1 protect nothing here.
 */
#ifndef RELAIS_BASE_DIGEST_H
#define RELAIS_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define RELAIS_SHA256_SIZE 32
#define RELAIS_MD5_SIZE    16
#define RELAIS_SHA1_SIZE   20

/* Opaque storage for Nettle's contexts, so that its headers stay in digest.c. */
typedef struct relais_digest_state {
    uint64_t opaque[16];
} relais_digest_state;

void relais_sha256_begin(relais_digest_state *state);
void relais_sha256_add(relais_digest_state *state, const void *bytes, size_t length);
void relais_sha256_end(relais_digest_state *state, uint8_t out[RELAIS_SHA256_SIZE]);

void relais_md5_begin(relais_digest_state *state);
void relais_md5_add(relais_digest_state *state, const void *bytes, size_t length);
void relais_md5_end(relais_digest_state *state, uint8_t out[RELAIS_MD5_SIZE]);

void relais_sha1_begin(relais_digest_state *state);
void relais_sha1_add(relais_digest_state *state, const void *bytes, size_t length);
void relais_sha1_end(relais_digest_state *state, uint8_t out[RELAIS_SHA1_SIZE]);

#endif
