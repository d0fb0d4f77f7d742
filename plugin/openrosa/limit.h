/*
 * What HEAD submission announces, and the request body that the web server must let in for
 * it. A phone that is told more than the server lets in sends all of it, is refused with 413,
 * and does the same again for ever: so the two are held against each other when the server
 * is configured.
 */
#ifndef RELAIS_OPENROSA_LIMIT_H
#define RELAIS_OPENROSA_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* Collect sends as much as this in one request where nothing is announced. */
#define RELAIS_COLLECT_LIMIT 10000000

/* Collect counts the bytes of files alone; boundaries and part headers come on top: at most
 * 102 parts of some 300 bytes, and names of any length. */
#define RELAIS_MULTIPART_OVERHEAD (64 * 1024)

/* Announced where the server has no limit of its own: a number is due. */
#define RELAIS_LIMIT_WITHOUT_LIMIT 100000000

typedef struct relais_limit {
    int64_t announced;  /* by HEAD submission */
    unsigned megabytes; /* of the whole body, for people */
    int64_t needed;     /* of the whole body, where it does not fit: the least that does */
} relais_limit;

/* `accept` is what the administrator wants announced, -1 for the default; `body` the server's
 * limit of a request body, 0 for none. False when `body` is too small, with `needed` set. */
bool relais_limit_settle(int64_t accept, int64_t body, relais_limit *out);

/* The size that holds `bytes`, in whole megabytes of 1048576 as people write them. */
int64_t relais_limit_megabytes(int64_t bytes);

#endif
