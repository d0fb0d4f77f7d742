/*
 * MIME header values: media type and parameters. See header.h.
 */
#include "openrosa/header.h"

#include "base/text.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool relais_media_type_is(const char *value, const char *type)
{
    size_t length = strlen(type);

    value += strspn(value, " \t");
    if (strncasecmp(value, type, length) != 0)
        return false;
    value += length;
    return *value == '\0' || *value == ';' || is_blank(*value);
}

bool relais_span_is(relais_span span, const char *text)
{
    return span.length == strlen(text) && strncasecmp(span.bytes, text, span.length) == 0;
}

static void span_trim(relais_span *span)
{
    while (span->length > 0 && is_blank(span->bytes[0])) {
        span->bytes++;
        span->length--;
    }
    while (span->length > 0 && is_blank(span->bytes[span->length - 1]))
        span->length--;
}

/* Takes bytes off `rest` up to the first of two stops, or the end. */
static relais_span take_until(relais_span *rest, char stop, char other)
{
    relais_span taken = {rest->bytes, 0};

    while (taken.length < rest->length && taken.bytes[taken.length] != stop &&
           taken.bytes[taken.length] != other)
        taken.length++;
    rest->bytes += taken.length;
    rest->length -= taken.length;
    return taken;
}

static void drop_first(relais_span *rest)
{
    rest->bytes++;
    rest->length--;
}

/* Takes a quoted-string whose opening quote is the first byte of `rest`. A backslash
 * escapes only '"' and '\': some clients send the bare path C:\photo.jpg. An unclosed
 * string goes to the end. */
static relais_span take_quoted(relais_span *rest)
{
    relais_span value;

    drop_first(rest);
    value = (relais_span){rest->bytes, 0};
    while (rest->length > 0 && rest->bytes[0] != '"') {
        if (rest->bytes[0] == '\\' && rest->length > 1 &&
            (rest->bytes[1] == '"' || rest->bytes[1] == '\\'))
            drop_first(rest);
        value.bytes[value.length++] = rest->bytes[0];
        drop_first(rest);
    }
    take_until(rest, ';', ';');
    return value;
}

static relais_span take_value(relais_span *rest)
{
    relais_span value;

    while (rest->length > 0 && is_blank(rest->bytes[0]))
        drop_first(rest);
    if (rest->length > 0 && rest->bytes[0] == '"')
        return take_quoted(rest);
    value = take_until(rest, ';', ';');
    span_trim(&value);
    return value;
}

bool relais_param_next(relais_span *rest, relais_param *out)
{
    while (rest->length > 0) {
        out->name = take_until(rest, ';', '=');
        if (rest->length > 0 && rest->bytes[0] == '=') {
            drop_first(rest);
            span_trim(&out->name);
            out->value = take_value(rest);
            return true;
        }
        if (rest->length > 0)
            drop_first(rest);
    }
    return false;
}

/* The byte that %XX at `i` stands for, or -1. */
static int percent_at(const relais_span *span, size_t i)
{
    char pair[3] = "";
    uint8_t byte;

    if (span->length - i < 3 || span->bytes[i] != '%')
        return -1;
    memcpy(pair, &span->bytes[i + 1], 2);
    return relais_unhex(pair, &byte, 1) ? byte : -1;
}

void relais_span_unescape(relais_span *span)
{
    size_t to = 0;

    for (size_t from = 0; from < span->length; from++) {
        int byte = percent_at(span, from);
        if (byte == '"' || byte == '\r' || byte == '\n') {
            span->bytes[to++] = (char)byte;
            from += 2;
        } else {
            span->bytes[to++] = span->bytes[from];
        }
    }
    span->length = to;
}

/* RFC 5987 "value-chars" leaves only ASCII and whole %XX. */
static bool is_extended_value(const relais_span *value)
{
    for (size_t i = 0; i < value->length; i++) {
        if ((unsigned char)value->bytes[i] >= 0x80 ||
            (value->bytes[i] == '%' && percent_at(value, i) < 0))
            return false;
    }
    return true;
}

/* A byte of ISO-8859-1 is the code point of the same number: at most two bytes of UTF-8,
 * written over the three of its %XX. */
static void decode_percent(relais_span *value, bool is_latin1)
{
    size_t to = 0;

    for (size_t from = 0; from < value->length; from++) {
        int byte = percent_at(value, from);
        if (byte < 0) {
            value->bytes[to++] = value->bytes[from];
            continue;
        }
        from += 2;
        if (is_latin1 && byte >= 0x80) {
            value->bytes[to++] = (char)(0xC0 | (byte >> 6));
            byte = 0x80 | (byte & 0x3F);
        }
        value->bytes[to++] = (char)byte;
    }
    value->length = to;
}

bool relais_span_decode_extended(relais_span *span)
{
    relais_span value = *span;
    relais_span charset = take_until(&value, '\'', '\'');
    bool is_latin1 = relais_span_is(charset, "ISO-8859-1");

    if (!is_latin1 && !relais_span_is(charset, "UTF-8") && !relais_span_is(charset, "US-ASCII"))
        return false;
    if (value.length == 0)
        return false;
    drop_first(&value);
    take_until(&value, '\'', '\''); /* the language */
    if (value.length == 0)
        return false;
    drop_first(&value);
    if (!is_extended_value(&value))
        return false;
    decode_percent(&value, is_latin1);
    *span = value;
    return true;
}
