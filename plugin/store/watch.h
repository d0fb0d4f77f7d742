/*
 * What the forwarder waits for: a committed parcel (inotify), a signal to stop, a time.
 */
#ifndef RELAIS_STORE_WATCH_H
#define RELAIS_STORE_WATCH_H

#include "spool/spool.h"

#include <signal.h>

typedef struct relais_watch {
    int inotify; /* -1: the kernel has no watch to spare; the periodic scan does */
    int signals;
    sigset_t former; /* signal mask of the caller */
    bool is_stopping;
} relais_watch;

/* Watches every shard's new/, and takes SIGTERM and SIGINT until relais_watch_close. */
RELAIS_MUST_USE bool relais_watch_open(relais_watch *watch, const relais_spool *spool,
                                       relais_error *err);
void relais_watch_close(relais_watch *watch);

/* True once a signal to stop has come. */
bool relais_watch_is_stopping(relais_watch *watch);

/* Waits for a parcel (unless `deaf`), a signal, or the time to pass: false when it has passed, or
 * something else than a parcel has come. */
bool relais_watch_wait(relais_watch *watch, double seconds, bool deaf);

#endif
