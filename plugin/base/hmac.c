/*
 * HMAC by GNU Nettle. See hmac.h.
 */
#include "base/hmac.h"

#include <assert.h>
#include <nettle/hmac.h>
#include <string.h>

static_assert(sizeof(struct hmac_sha256_ctx) <= sizeof(relais_hmac), "HMAC-SHA-256 state fits");

void relais_hmac_begin(relais_hmac *hmac, const void *key, size_t length)
{
    hmac_sha256_set_key((struct hmac_sha256_ctx *)hmac, length, key);
}

void relais_hmac_add(relais_hmac *hmac, const void *bytes, size_t length)
{
    hmac_sha256_update((struct hmac_sha256_ctx *)hmac, length, bytes);
}

void relais_hmac_end(relais_hmac *hmac, uint8_t out[RELAIS_SHA256_SIZE])
{
    hmac_sha256_digest((struct hmac_sha256_ctx *)hmac, RELAIS_SHA256_SIZE, out);
    explicit_bzero(hmac, sizeof *hmac);
}
