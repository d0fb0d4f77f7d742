/*
 * Digests by GNU Nettle, linked statically (see this folder's CMakeLists.txt). See digest.h.
 */
#include "base/digest.h"

#include <assert.h>
#include <nettle/md5.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>

static_assert(sizeof(struct sha256_ctx) <= sizeof(relais_digest_state), "SHA-256 state fits");
static_assert(sizeof(struct sha1_ctx) <= sizeof(relais_digest_state), "SHA-1 state fits");
static_assert(sizeof(struct md5_ctx) <= sizeof(relais_digest_state), "MD5 state fits");

void relais_sha256_begin(relais_digest_state *state)
{
    sha256_init((struct sha256_ctx *)state);
}

void relais_sha256_add(relais_digest_state *state, const void *bytes, size_t length)
{
    sha256_update((struct sha256_ctx *)state, length, bytes);
}

void relais_sha256_end(relais_digest_state *state, uint8_t out[RELAIS_SHA256_SIZE])
{
    sha256_digest((struct sha256_ctx *)state, RELAIS_SHA256_SIZE, out);
}

void relais_md5_begin(relais_digest_state *state)
{
    md5_init((struct md5_ctx *)state);
}

void relais_md5_add(relais_digest_state *state, const void *bytes, size_t length)
{
    md5_update((struct md5_ctx *)state, length, bytes);
}

void relais_md5_end(relais_digest_state *state, uint8_t out[RELAIS_MD5_SIZE])
{
    md5_digest((struct md5_ctx *)state, RELAIS_MD5_SIZE, out);
}

void relais_sha1_begin(relais_digest_state *state)
{
    sha1_init((struct sha1_ctx *)state);
}

void relais_sha1_add(relais_digest_state *state, const void *bytes, size_t length)
{
    sha1_update((struct sha1_ctx *)state, length, bytes);
}

void relais_sha1_end(relais_digest_state *state, uint8_t out[RELAIS_SHA1_SIZE])
{
    sha1_digest((struct sha1_ctx *)state, RELAIS_SHA1_SIZE, out);
}
