/*
 * Dates and times. See moment.h.
 */
#include "transform/moment.h"

#include <string.h>

enum {
    FRACTION_MAX = 9,         /* nanoseconds; PostgreSQL keeps six digits */
    OFFSET_MAX = 15 * 60 + 59 /* PostgreSQL's widest */
};

struct reader {
    const char *next, *end;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool read_number(struct reader *reader, int digits, int *out)
{
    *out = 0;
    for (int i = 0; i < digits; i++) {
        if (reader->next == reader->end || !is_digit(*reader->next))
            return false;
        *out = *out * 10 + (*reader->next++ - '0');
    }
    return true;
}

static bool read_sign(struct reader *reader, char sign)
{
    if (reader->next == reader->end || *reader->next != sign)
        return false;
    reader->next++;
    return true;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && is_leap ? 29 : days[month - 1];
}

static bool read_day(struct reader *reader, relais_moment *out)
{
    return read_number(reader, 4, &out->year) && read_sign(reader, '-') &&
           read_number(reader, 2, &out->month) && read_sign(reader, '-') &&
           read_number(reader, 2, &out->day) && out->year >= 1 && out->month >= 1 &&
           out->month <= 12 && out->day >= 1 && out->day <= days_in(out->year, out->month);
}

static bool read_fraction(struct reader *reader)
{
    const char *start = reader->next;

    while (reader->next < reader->end && is_digit(*reader->next))
        reader->next++;
    return reader->next > start && reader->next - start <= FRACTION_MAX;
}

static bool read_clock(struct reader *reader, relais_moment *out)
{
    int hour, minute, second = 0;

    out->clock = reader->next;
    if (!read_number(reader, 2, &hour) || !read_sign(reader, ':') ||
        !read_number(reader, 2, &minute))
        return false;
    if (read_sign(reader, ':')) {
        if (!read_number(reader, 2, &second))
            return false;
        if (read_sign(reader, '.') && !read_fraction(reader))
            return false;
    }
    out->clock_length = (size_t)(reader->next - out->clock);
    return hour <= 23 && minute <= 59 && second <= 59;
}

static bool read_offset(struct reader *reader, relais_moment *out)
{
    int sign, hours, minutes = 0;

    out->has_offset = true;
    if (read_sign(reader, 'Z'))
        return true;
    sign = *reader->next == '-' ? -1 : 1;
    if (!read_sign(reader, '+') && !read_sign(reader, '-'))
        return false;
    if (!read_number(reader, 2, &hours))
        return false;
    if (reader->next < reader->end) {
        read_sign(reader, ':');
        if (!read_number(reader, 2, &minutes))
            return false;
    }
    out->offset = sign * (hours * 60 + minutes);
    return minutes <= 59 && hours * 60 + minutes <= OFFSET_MAX;
}

bool relais_moment_read(const char *text, size_t length, relais_moment *out)
{
    struct reader reader = {.next = text, .end = text + length};

    memset(out, 0, sizeof *out);
    if (!read_day(&reader, out))
        return false;
    if (reader.next == reader.end)
        return true;
    out->has_time = true;
    if (!read_sign(&reader, 'T') && !read_sign(&reader, ' '))
        return false;
    if (!read_clock(&reader, out))
        return false;
    if (reader.next < reader.end && !read_offset(&reader, out))
        return false;
    return reader.next == reader.end;
}
