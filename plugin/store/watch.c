/*
 * inotify, signalfd and poll. See watch.h.
 */
#include "store/watch.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void add_watches(relais_watch *watch, const relais_spool *spool)
{
    char path[4096];

    for (int shard = 0; relais_spool_watch_path(spool, shard, path, sizeof path); shard++)
        if (inotify_add_watch(watch->inotify, path, IN_MOVED_TO | IN_CREATE) < 0) {
            close(watch->inotify);
            watch->inotify = -1;
            return;
        }
}

bool relais_watch_open(relais_watch *watch, const relais_spool *spool, relais_error *err)
{
    sigset_t stops;

    memset(watch, 0, sizeof *watch);
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    watch->signals = signalfd(-1, &stops, SFD_NONBLOCK | SFD_CLOEXEC);
    if (watch->signals < 0)
        return relais_error_system(err, errno, NULL, "signals cannot be taken");
    pthread_sigmask(SIG_BLOCK, &stops, &watch->former);
    watch->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->inotify >= 0)
        add_watches(watch, spool);
    return true;
}

void relais_watch_close(relais_watch *watch)
{
    if (watch->inotify >= 0)
        close(watch->inotify);
    if (watch->signals >= 0)
        close(watch->signals);
    pthread_sigmask(SIG_SETMASK, &watch->former, NULL);
}

bool relais_watch_is_stopping(relais_watch *watch)
{
    struct signalfd_siginfo info;

    while (read(watch->signals, &info, sizeof info) == (ssize_t)sizeof info)
        watch->is_stopping = true;
    return watch->is_stopping;
}

/* One look at the spool serves all events that have come. True when one of them is of a parcel:
 * notes are hidden, and wait for the next look. */
static bool drain(int inotify)
{
    _Alignas(struct inotify_event) char events[4096];
    bool has_parcel = false;
    ssize_t length;

    while ((length = read(inotify, events, sizeof events)) > 0)
        for (ssize_t at = 0; at < length;) {
            const struct inotify_event *event = (const struct inotify_event *)(events + at);
            has_parcel = has_parcel || event->len == 0 || event->name[0] != '.';
            at += (ssize_t)(sizeof *event + event->len);
        }
    return has_parcel;
}

bool relais_watch_wait(relais_watch *watch, double seconds, bool deaf)
{
    struct pollfd fds[2] = {{.fd = watch->signals, .events = POLLIN},
                            {.fd = deaf ? -1 : watch->inotify, .events = POLLIN}};

    bool has_come = poll(fds, 2, (int)(seconds * 1000) + 1) > 0;

    if (has_come && (fds[1].revents & POLLIN) != 0)
        return drain(watch->inotify) || (fds[0].revents & POLLIN) != 0;
    return has_come;
}
