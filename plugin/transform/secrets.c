/*
 * The forwarder's secrets. See secrets.h.
 */
#include "transform/secrets.h"

#include "base/hmac.h"

#include <stdio.h>
#include <string.h>

/* As many bytes as the code has: a shorter secret would be the easier thing to guess. A longer
 * one than 4 KB is some other file. */
enum { SECRET_MIN = 32, SECRET_MAX = 4096 };

static bool is_given(const char *file)
{
    return file != NULL && file[0] != '\0';
}

bool relais_secrets_read(const relais_secret_files *files, relais_secrets *out, relais_error *err)
{
    memset(out, 0, sizeof *out);
    snprintf(out->key_version, sizeof out->key_version, "%u", files->key_version);
    if ((!is_given(files->keys) ||
         relais_secret_read(files->keys, SECRET_MIN, SECRET_MAX, &out->keys, err)) &&
        (!is_given(files->certificate) || relais_seal_read(files->certificate, &out->seal, err)) &&
        (!is_given(files->form_keys) ||
         relais_form_keys_read(files->form_keys, &out->form_keys, err)))
        return true;
    relais_secrets_free(out);
    return false;
}

void relais_secrets_free(relais_secrets *secrets)
{
    relais_secret_free(secrets->keys);
    relais_seal_free(secrets->seal);
    relais_form_keys_free(secrets->form_keys);
    memset(secrets, 0, sizeof *secrets);
}

void relais_secrets_key(const relais_secrets *secrets, const char *const *parts, size_t count,
                        uint8_t out[RELAIS_SHA256_SIZE])
{
    size_t length;
    const uint8_t *key = relais_secret_bytes(secrets->keys, &length);
    relais_hmac hmac;

    relais_hmac_begin(&hmac, key, length);
    for (size_t i = 0; i < count; i++) {
        uint32_t size = (uint32_t)strlen(parts[i]);
        const uint8_t head[4] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8),
                                 (uint8_t)size};
        relais_hmac_add(&hmac, head, sizeof head);
        relais_hmac_add(&hmac, parts[i], size);
    }
    relais_hmac_end(&hmac, out);
}
