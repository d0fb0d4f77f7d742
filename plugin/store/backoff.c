/*
 * Capped exponential backoff with jitter. See backoff.h.
 */
#include "store/backoff.h"

#include <stdint.h>
#include <sys/random.h>
#include <time.h>

/* A restarted PostgreSQL answers within a second or two; after half a minute's waits nothing
 * is gained by asking more often. */
static const double FIRST_SECONDS = 0.2;
static const double MOST_SECONDS = 30.0;

double relais_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double relais_backoff_seconds(unsigned failures)
{
    double seconds = FIRST_SECONDS;
    uint16_t dice = 0;

    while (failures-- > 1 && seconds < MOST_SECONDS)
        seconds *= 2;
    if (seconds > MOST_SECONDS)
        seconds = MOST_SECONDS;
    if (getrandom(&dice, sizeof dice, GRND_NONBLOCK) < 0)
        dice = 0;
    return seconds * (0.75 + 0.5 * dice / UINT16_MAX);
}
