/*
 * Small text helpers that several folders need: UTF-8, white space, hex, times.
 */
#ifndef RELAIS_BASE_TEXT_H
#define RELAIS_BASE_TEXT_H

#include "base/buffer.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define RELAIS_TIME_TEXT_SIZE 25 /* "2026-03-02T10:15:04.123Z" and NUL */

/* The present instant, or the given one, as ISO 8601 in UTC with milliseconds. */
void relais_time_now(char out[RELAIS_TIME_TEXT_SIZE]);
void relais_time_format(const struct timespec *at, char out[RELAIS_TIME_TEXT_SIZE]);

/* True when the bytes are UTF-8 as RFC 3629 has it: no overlong forms, no surrogates. */
bool relais_utf8_valid(const char *bytes, size_t length);

/* The number of characters (code points) of valid UTF-8. */
size_t relais_utf8_count(const char *bytes, size_t length);

/* XML white space: space, tab, CR, LF (XML 1.0, production 3). */
bool relais_is_space(char c);

/* Narrows [*start, *start + *length) to leave out white space at both ends. */
void relais_trim(const char **start, size_t *length);

/* Lower-case hex; `out` has room for 2 * length + 1 characters. */
void relais_hex(const uint8_t *bytes, size_t length, char *out);

/* Reads exactly 2 * length hex digits of either case; false otherwise. */
RELAIS_MUST_USE bool relais_unhex(const char *text, uint8_t *out, size_t length);

/* Appends text with everything but RFC 3986 "unreserved" percent-encoded. */
void relais_append_percent(relais_buffer *out, const char *text, size_t length);

/* Decodes %XX in place and returns the new length; '+' stays '+'. A '%' that is not
 * followed by two hex digits stays as it is. */
size_t relais_percent_decode(char *text, size_t length);

/* Whole number in decimal, no sign, no white space, at most `maximum`; false otherwise. */
RELAIS_MUST_USE bool relais_parse_number(const char *text, uint64_t maximum, uint64_t *out);

#endif
