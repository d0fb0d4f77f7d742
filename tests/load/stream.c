/*
 * Whole reads and writes of a socket. See stream.h.
 */
#include "stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

bool stream_fill(struct stream *in)
{
    ssize_t n;

    if (in->start > 0) {
        memmove(in->bytes, in->bytes + in->start, in->end - in->start);
        in->end -= in->start;
        in->start = 0;
    }
    if (in->end == sizeof in->bytes - 1)
        return false;
    do
        n = recv(in->fd, in->bytes + in->end, sizeof in->bytes - 1 - in->end, 0);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return false;
    in->end += (size_t)n;
    in->bytes[in->end] = '\0';
    return true;
}

bool stream_send(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        length -= (size_t)n;
    }
    return true;
}
