/*
 * The bounded growing buffer. See buffer.h.
 */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 }; /* holds most single answers and header lines */

void relais_buffer_init(relais_buffer *buffer, size_t maximum)
{
    memset(buffer, 0, sizeof *buffer);
    /* Half the address space: doubling, and the byte for the NUL, then cannot overflow. */
    buffer->maximum = maximum < SIZE_MAX / 2 ? maximum : SIZE_MAX / 2;
}

void relais_buffer_free(relais_buffer *buffer)
{
    free(buffer->data);
    relais_buffer_init(buffer, buffer->maximum);
}

void relais_buffer_reset(relais_buffer *buffer)
{
    buffer->length = 0;
    buffer->failed = RELAIS_ERR_NONE;
    if (buffer->data != NULL)
        buffer->data[0] = '\0';
}

static bool reserve(relais_buffer *buffer, size_t more)
{
    size_t needed, capacity;
    char *data;

    if (buffer->failed != RELAIS_ERR_NONE)
        return false;
    if (more > buffer->maximum - buffer->length) {
        buffer->failed = RELAIS_ERR_LIMIT;
        return false;
    }
    needed = buffer->length + more + 1;
    if (needed <= buffer->capacity)
        return true;
    capacity = buffer->capacity == 0 ? FIRST_CAPACITY : buffer->capacity;
    while (capacity < needed)
        capacity = capacity > (buffer->maximum + 1) / 2 ? buffer->maximum + 1 : capacity * 2;
    data = realloc(buffer->data, capacity);
    if (data == NULL) {
        buffer->failed = RELAIS_ERR_MEMORY;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

char *relais_buffer_extend(relais_buffer *buffer, size_t length)
{
    char *place;

    if (!reserve(buffer, length))
        return NULL;
    place = buffer->data + buffer->length;
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
    return place;
}

void relais_buffer_append(relais_buffer *buffer, const void *bytes, size_t length)
{
    char *place = relais_buffer_extend(buffer, length);

    if (place != NULL && length > 0)
        memcpy(place, bytes, length);
}

void relais_buffer_append_text(relais_buffer *buffer, const char *text)
{
    relais_buffer_append(buffer, text, strlen(text));
}

void relais_buffer_append_char(relais_buffer *buffer, char c)
{
    relais_buffer_append(buffer, &c, 1);
}

void relais_buffer_append_format(relais_buffer *buffer, const char *format, ...)
{
    va_list args, again;
    int length;
    char *place;

    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    place = length < 0 ? NULL : relais_buffer_extend(buffer, (size_t)length);
    if (place != NULL)
        vsnprintf(place, (size_t)length + 1, format, again);
    va_end(again);
}

static const char *xml_escape_of(unsigned char c)
{
    switch (c) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        /* XML 1.0 section 2.2 allows no other control characters, not even escaped. */
        return c < 0x20 && c != '\t' && c != '\n' && c != '\r' ? "\xEF\xBF\xBD" : NULL;
    }
}

void relais_buffer_append_xml(relais_buffer *buffer, const char *text)
{
    const char *plain = text;

    for (; *text != '\0'; text++) {
        const char *escape = xml_escape_of((unsigned char)*text);
        if (escape == NULL)
            continue;
        relais_buffer_append(buffer, plain, (size_t)(text - plain));
        relais_buffer_append_text(buffer, escape);
        plain = text + 1;
    }
    relais_buffer_append(buffer, plain, (size_t)(text - plain));
}

bool relais_buffer_check(const relais_buffer *buffer, const char *what, relais_error *err)
{
    if (buffer->failed == RELAIS_ERR_LIMIT)
        return relais_error_set(err, RELAIS_ERR_LIMIT, "%s is larger than %zu bytes", what,
                                buffer->maximum);
    if (buffer->failed != RELAIS_ERR_NONE)
        return relais_error_set(err, buffer->failed, "no memory left for %s", what);
    return true;
}
