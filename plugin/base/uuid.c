/*
 * UUID version 5 over the project's own namespace. See uuid.h.
 */
#include "base/uuid.h"

#include "base/digest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* uuid5(NameSpace_DNS, "relais.bf"): fixed for ever, since ids in national tables derive from it.
 */
static const uint8_t namespace_id[16] = {0xf1, 0x34, 0xb8, 0x24, 0x56, 0xf9, 0x52, 0x34,
                                         0x80, 0x88, 0xf8, 0x19, 0xa8, 0x5c, 0x94, 0xeb};

void relais_uuid5(const char *const *parts, size_t count, char out[RELAIS_UUID_TEXT_SIZE])
{
    relais_digest_state state;
    uint8_t d[RELAIS_SHA1_SIZE];

    relais_sha1_begin(&state);
    relais_sha1_add(&state, namespace_id, sizeof namespace_id);
    for (size_t i = 0; i < count; i++) {
        char prefix[32];
        size_t length = strlen(parts[i]);
        int n = snprintf(prefix, sizeof prefix, "%zu:", length);
        relais_sha1_add(&state, prefix, (size_t)n);
        relais_sha1_add(&state, parts[i], length);
    }
    relais_sha1_end(&state, d);
    d[6] = (uint8_t)((d[6] & 0x0f) | 0x50);
    d[8] = (uint8_t)((d[8] & 0x3f) | 0x80);
    snprintf(out, RELAIS_UUID_TEXT_SIZE,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", d[0], d[1],
             d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12], d[13], d[14],
             d[15]);
}

bool relais_uuid_is(const char *text, size_t length)
{
    if (length != RELAIS_UUID_TEXT_SIZE - 1)
        return false;
    for (size_t i = 0; i < length; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
    }
    return true;
}
