/*
 * Equality of file names across phones and desktops. See submission.h.
 */
#include "xform/submission.h"

#include <utf8proc.h>

#include <stdlib.h>
#include <string.h>

static bool is_ascii(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)bytes[i] >= 0x80)
            return false;
    return true;
}

/* The name in NFC, to be freed; NULL when it is not UTF-8. */
static utf8proc_uint8_t *composed(const char *name, size_t length, utf8proc_ssize_t *out_length)
{
    utf8proc_uint8_t *out = NULL;

    *out_length = utf8proc_map((const utf8proc_uint8_t *)name, (utf8proc_ssize_t)length, &out,
                               UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    return *out_length < 0 ? NULL : out;
}

bool relais_filename_equal(const char *a, size_t a_length, const char *b, size_t b_length)
{
    utf8proc_uint8_t *a_nfc, *b_nfc;
    utf8proc_ssize_t a_size, b_size;
    bool equal;

    if (a_length == b_length && (a_length == 0 || memcmp(a, b, a_length) == 0))
        return true;
    if (is_ascii(a, a_length) && is_ascii(b, b_length))
        return false;
    a_nfc = composed(a, a_length, &a_size);
    b_nfc = composed(b, b_length, &b_size);
    equal = a_nfc != NULL && b_nfc != NULL && a_size == b_size &&
            memcmp(a_nfc, b_nfc, (size_t)a_size) == 0;
    free(a_nfc);
    free(b_nfc);
    return equal;
}
