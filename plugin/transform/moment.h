/*
 * Dates and times as forms write them (ISO 8601), checked against the calendar.
 */
#ifndef RELAIS_TRANSFORM_MOMENT_H
#define RELAIS_TRANSFORM_MOMENT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct relais_moment {
    int year, month, day;
    bool has_time;
    const char *clock; /* "10:15" with seconds and fraction as written; not NUL-terminated */
    size_t clock_length;
    bool has_offset;
    int offset; /* minutes east of UTC */
} relais_moment;

/* Reads YYYY-MM-DD, and optionally T (or a blank), hh:mm[:ss[.fraction]], and Z, ±hh, ±hhmm or
 * ±hh:mm. False when the text is not one of these or the day or hour does not exist. */
bool relais_moment_read(const char *text, size_t length, relais_moment *out);

#endif
