/*
 * Capped exponential backoff with jitter. See backoff.h.
 */
#include "base/backoff.h"

#include <sys/random.h>
#include <time.h>

double relais_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double relais_backoff_seconds(relais_backoff backoff, uint64_t failures)
{
    double seconds = backoff.first;
    uint16_t dice = 0;

    while (failures-- > 1 && seconds < backoff.most)
        seconds *= 2;
    if (seconds > backoff.most)
        seconds = backoff.most;
    if (getrandom(&dice, sizeof dice, GRND_NONBLOCK) < 0)
        dice = 0;
    return seconds * (0.75 + 0.5 * dice / UINT16_MAX);
}
