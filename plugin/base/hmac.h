/*
 * HMAC-SHA-256 (RFC 2104, FIPS 198-1) over GNU Nettle.
 */
#ifndef RELAIS_BASE_HMAC_H
#define RELAIS_BASE_HMAC_H

#include "base/digest.h"

/* Opaque storage for Nettle's context, which holds what the key amounts to. */
typedef struct relais_hmac {
    uint64_t opaque[48];
} relais_hmac;

void relais_hmac_begin(relais_hmac *hmac, const void *key, size_t length);
void relais_hmac_add(relais_hmac *hmac, const void *bytes, size_t length);

/* Gives the code and wipes the state. */
void relais_hmac_end(relais_hmac *hmac, uint8_t out[RELAIS_SHA256_SIZE]);

#endif
