/*
 * What the service manager is told of the forwarder: that it is ready, that it lives, how far it
 * is (sd_notify(3)). Without libsystemd, or outside of a service, nobody is told anything.
 */
#ifndef RELAIS_CLI_NOTIFY_H
#define RELAIS_CLI_NOTIFY_H

#include "store/forwarder.h"

void relais_notify_ready(void);
void relais_notify_stopping(void);

/* Keeps the watchdog quiet and writes the line of `systemctl status`. */
void relais_notify_alive(void *context, const relais_forwarder_counts *counts, bool has_store);

/* Seconds between two calls of it, a third of what the watchdog waits. */
double relais_notify_seconds(void);

#endif
