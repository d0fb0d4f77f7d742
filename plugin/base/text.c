/*
 * Small text helpers. See text.h.
 */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

void relais_time_format(const struct timespec *at, char out[RELAIS_TIME_TEXT_SIZE])
{
    struct tm parts;
    char text[64];

    gmtime_r(&at->tv_sec, &parts);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
             parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
             (int)(at->tv_nsec / 1000000));
    memcpy(out, text, RELAIS_TIME_TEXT_SIZE - 1);
    out[RELAIS_TIME_TEXT_SIZE - 1] = '\0';
}

void relais_time_now(char out[RELAIS_TIME_TEXT_SIZE])
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    relais_time_format(&now, out);
}

/* Length of the sequence that starts here, or 0 when it is not valid (RFC 3629 section 4). */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t n;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        n = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        n = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        n = 4;
    else
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (left < n || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

bool relais_utf8_valid(const char *bytes, size_t length)
{
    const unsigned char *p = (const unsigned char *)bytes;

    while (length > 0) {
        size_t n = utf8_sequence(p, length);
        if (n == 0)
            return false;
        p += n;
        length -= n;
    }
    return true;
}

size_t relais_utf8_count(const char *bytes, size_t length)
{
    size_t count = 0;

    for (size_t i = 0; i < length; i++)
        count += ((unsigned char)bytes[i] & 0xc0) != 0x80;
    return count;
}

bool relais_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void relais_trim(const char **start, size_t *length)
{
    while (*length > 0 && relais_is_space(**start)) {
        (*start)++;
        (*length)--;
    }
    while (*length > 0 && relais_is_space((*start)[*length - 1]))
        (*length)--;
}

void relais_hex(const uint8_t *bytes, size_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < length; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool relais_unhex(const char *text, uint8_t *out, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        int high = hex_value(text[2 * i]);
        int low = high < 0 ? -1 : hex_value(text[2 * i + 1]);
        if (low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return text[2 * length] == '\0';
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void relais_append_percent(relais_buffer *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (is_unreserved(c))
            relais_buffer_append_char(out, (char)c);
        else
            relais_buffer_append_format(out, "%%%02X", c);
    }
}

size_t relais_percent_decode(char *text, size_t length)
{
    size_t to = 0;

    for (size_t from = 0; from < length; from++) {
        int high = -1, low = -1;
        if (text[from] == '%' && length - from > 2) {
            high = hex_value(text[from + 1]);
            low = hex_value(text[from + 2]);
        }
        if (high >= 0 && low >= 0) {
            text[to++] = (char)(high << 4 | low);
            from += 2;
        } else {
            text[to++] = text[from];
        }
    }
    return to;
}

bool relais_parse_number(const char *text, uint64_t maximum, uint64_t *out)
{
    uint64_t value = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        unsigned digit = (unsigned)(*text - '0');
        if (digit > 9 || value > (maximum - digit) / 10 || digit > maximum)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}
