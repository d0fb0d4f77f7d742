/*
 * Answers as a phone reads them from a socket: interim ones skipped, the rest to its end.
 */
#ifndef RELAIS_TESTS_LOAD_ANSWER_H
#define RELAIS_TESTS_LOAD_ANSWER_H

#include <stdbool.h>

struct answer {
    long status;     /* 0: none came */
    long size;       /* bytes of the body that came */
    bool is_whole;   /* up to its announced end */
    bool is_closing; /* the connection cannot be used again */
};

/* Reads one answer to a POST. */
void answer_read(int fd, struct answer *out);

#endif
