/*
 * A connection's bytes, as both ends of the load test read and write them.
 */
#ifndef RELAIS_TESTS_LOAD_STREAM_H
#define RELAIS_TESTS_LOAD_STREAM_H

#include <stdbool.h>
#include <stddef.h>

/* A connection with what was read of it too far; NUL-terminated. */
struct stream {
    int fd;
    size_t start, end;
    char bytes[65536];
};

/* Reads more behind what is there. False at the end, or when there is no more room. */
bool stream_fill(struct stream *in);

bool stream_send(int fd, const char *bytes, size_t length);

#endif
