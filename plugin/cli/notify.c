/*
 * libsystemd's sd_notify. See notify.h.
 */
#include "cli/notify.h"

#ifdef RELAIS_HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

/* Where no watchdog waits the status alone is told. */
static const double STATUS_SECONDS = 10.0;

#ifdef RELAIS_HAVE_SYSTEMD

void relais_notify_ready(void)
{
    sd_notify(0, "READY=1");
}

void relais_notify_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

void relais_notify_alive(void *context, const relais_forwarder_counts *counts, bool has_store)
{
    (void)context;
    sd_notifyf(0,
               "WATCHDOG=1\nSTATUS=%s%llu delivered, %llu known already, %llu quarantined, %llu "
               "held since the start",
               has_store ? "" : "waiting for the database; ", (unsigned long long)counts->delivered,
               (unsigned long long)counts->duplicates, (unsigned long long)counts->quarantined,
               (unsigned long long)counts->held);
}

double relais_notify_seconds(void)
{
    uint64_t microseconds = 0;

    if (sd_watchdog_enabled(0, &microseconds) <= 0)
        return STATUS_SECONDS;
    return (double)microseconds / 3e6 < STATUS_SECONDS ? (double)microseconds / 3e6
                                                       : STATUS_SECONDS;
}

#else

void relais_notify_ready(void)
{
}

void relais_notify_stopping(void)
{
}

void relais_notify_alive(void *context, const relais_forwarder_counts *counts, bool has_store)
{
    (void)context;
    (void)counts;
    (void)has_store;
}

double relais_notify_seconds(void)
{
    return STATUS_SECONDS;
}

#endif
