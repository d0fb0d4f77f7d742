/*
 * Times of servers. See servertime.h.
 */
#include "sources/servertime.h"

#include "transform/moment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int digits(const char *text, size_t length, size_t at)
{
    return at + 1 < length ? (text[at] - '0') * 10 + (text[at + 1] - '0') : 0;
}

/* Of "10:15:04.123456" the nanoseconds; digits behind the ninth say nothing here. */
static long read_fraction(const char *clock, size_t length)
{
    long nanoseconds = 0, unit = 100000000;

    for (size_t i = 9; i < length && clock[i] >= '0' && clock[i] <= '9'; i++, unit /= 10)
        nanoseconds += (clock[i] - '0') * unit;
    return nanoseconds;
}

static void fill(const relais_moment *moment, struct timespec *out)
{
    struct tm parts = {
        .tm_year = moment->year - 1900, .tm_mon = moment->month - 1, .tm_mday = moment->day};

    out->tv_nsec = 0;
    if (moment->has_time) {
        parts.tm_hour = digits(moment->clock, moment->clock_length, 0);
        parts.tm_min = digits(moment->clock, moment->clock_length, 3);
        parts.tm_sec = digits(moment->clock, moment->clock_length, 6);
        out->tv_nsec = read_fraction(moment->clock, moment->clock_length);
    }
    out->tv_sec = timegm(&parts) - (moment->has_offset ? moment->offset * 60L : 0);
}

bool relais_servertime_read(const char *text, char out[RELAIS_TIME_TEXT_SIZE])
{
    relais_moment moment;
    struct timespec at;

    out[0] = '\0';
    if (!relais_moment_read(text, strlen(text), &moment))
        return false;
    fill(&moment, &at);
    relais_time_format(&at, out);
    return true;
}

time_t relais_servertime_seconds(const char *text)
{
    struct tm parts = {0};

    if (strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) == NULL)
        return 0;
    return timegm(&parts);
}

void relais_servertime_move(const char *text, long seconds, char out[RELAIS_TIME_TEXT_SIZE])
{
    struct timespec at = {0};
    const char *fraction = strchr(text, '.');

    if (text[0] == '\0') {
        out[0] = '\0';
        return;
    }
    at.tv_sec = relais_servertime_seconds(text) + seconds;
    at.tv_nsec = fraction == NULL ? 0 : strtol(fraction + 1, NULL, 10) * 1000000;
    relais_time_format(&at, out);
}
