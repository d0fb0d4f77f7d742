/*
 * Waiting between tries: longer each time up to a cap, never twice exactly the same, so that
 * several forwarders do not knock in step.
 */
#ifndef RELAIS_STORE_BACKOFF_H
#define RELAIS_STORE_BACKOFF_H

/* Monotonic seconds. */
double relais_clock(void);

/* Seconds to wait after `failures` failures in a row (1 or more). */
double relais_backoff_seconds(unsigned failures);

#endif
