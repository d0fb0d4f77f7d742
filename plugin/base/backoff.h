/*
 * Waiting between tries: twice as long each time up to a cap, never twice exactly the same, so that
 * several who wait for one server do not knock in step.
 */
#ifndef RELAIS_BASE_BACKOFF_H
#define RELAIS_BASE_BACKOFF_H

#include <stdint.h>

/* In seconds. */
typedef struct relais_backoff {
    double first, most;
} relais_backoff;

/* Monotonic seconds. */
double relais_clock(void);

/* Seconds to wait after `failures` failures in a row (1 or more): a quarter more or less than
 * first, 2 * first, ... most. */
double relais_backoff_seconds(relais_backoff backoff, uint64_t failures);

#endif
