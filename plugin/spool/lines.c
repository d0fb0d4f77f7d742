/*
 * Writing and strict reading of `key: value` lines. See lines.h.
 */
#include "spool/lines.h"

#include "base/text.h"

#include <string.h>

static bool is_escaped(unsigned char c)
{
    return c < 0x20 || c == 0x7f || c == '%';
}

void relais_line_append(relais_buffer *out, const char *key, const char *value)
{
    relais_buffer_append_text(out, key);
    relais_buffer_append(out, ": ", 2);
    for (const char *p = value; *p != '\0'; p++) {
        if (is_escaped((unsigned char)*p))
            relais_buffer_append_format(out, "%%%02X", (unsigned char)*p);
        else
            relais_buffer_append_char(out, *p);
    }
    relais_buffer_append_char(out, '\n');
}

static bool is_key_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool damaged(relais_error *err, long line, const char *what)
{
    relais_error_set(err, RELAIS_ERR_DAMAGED, "%s", what);
    relais_error_at(err, NULL, line);
    return false;
}

/* True when every escape is whole and stands for a byte that a C text can hold, and nothing
 * that should be escaped is not. */
static bool is_well_escaped(const char *value, size_t length)
{
    uint8_t byte;

    for (size_t i = 0; i < length; i++) {
        char pair[3] = "";
        if (value[i] != '%') {
            if (is_escaped((unsigned char)value[i]))
                return false;
            continue;
        }
        if (length - i < 3)
            return false;
        memcpy(pair, value + i + 1, 2);
        if (!relais_unhex(pair, &byte, 1) || byte == 0)
            return false;
        i += 2;
    }
    return true;
}

static bool decode_value(const char *value, size_t length, size_t maximum, long number,
                         relais_arena *arena, relais_line *out, relais_error *err)
{
    char *text;

    if (length > 3 * maximum)
        return damaged(err, number, "a value is too long");
    if (!is_well_escaped(value, length))
        return damaged(err, number, "a value holds a control character or a broken %XX");
    text = relais_arena_copy(arena, value, length);
    if (text == NULL)
        return relais_arena_error(arena, err);
    out->value_length = relais_percent_decode(text, length);
    if (out->value_length > maximum)
        return damaged(err, number, "a value is too long");
    text[out->value_length] = '\0';
    out->value = text;
    return true;
}

bool relais_line_read(relais_line_reader *reader, size_t maximum, relais_arena *arena,
                      relais_line *out, relais_error *err)
{
    const char *start = reader->next;
    size_t left = (size_t)(reader->end - start);
    const char *stop = left == 0 ? NULL : memchr(start, '\n', left);
    const char *p = start;

    reader->number++;
    if (stop == NULL)
        return damaged(err, reader->number, "the text ends before its last line does");
    reader->next = stop + 1;
    while (p < stop && is_key_character(*p))
        p++;
    out->key = start;
    out->key_length = (size_t)(p - start);
    out->value = "";
    out->value_length = 0;
    if (start == stop)
        return true;
    if (p == start || p == stop || *p != ':')
        return damaged(err, reader->number, "a line is not of the form \"key: value\"");
    p++;
    if (p < stop && *p == ' ')
        p++;
    return decode_value(p, (size_t)(stop - p), maximum, reader->number, arena, out, err);
}

bool relais_line_is(const relais_line *line, const char *key)
{
    return strlen(key) == line->key_length && memcmp(line->key, key, line->key_length) == 0;
}
