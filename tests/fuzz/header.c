/*
 * A header's value, or a part's: its media type and parameters stay within its bytes.
 */
#include "openrosa/header.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *text = malloc(length + 1);
    relais_span rest = {text, length};
    relais_param param;

    if (text == NULL)
        abort();
    if (length > 0)
        memcpy(text, bytes, length);
    text[length] = '\0';
    relais_media_type_is(text, "multipart/form-data");
    while (relais_param_next(&rest, &param)) {
        if (param.value.bytes < text || param.value.bytes + param.value.length > text + length ||
            param.name.bytes + param.name.length > text + length)
            abort();
        if (!relais_span_decode_extended(&param.value))
            relais_span_unescape(&param.value);
    }
    free(text);
    return 0;
}
