/*
 * A file in memory with the fuzzer's input, for readers that want a path. One for each process.
 */
#ifndef RELAIS_FUZZ_SCRATCH_H
#define RELAIS_FUZZ_SCRATCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline const char *scratch_write(const uint8_t *bytes, size_t length)
{
    static char path[64];
    FILE *stream;

    snprintf(path, sizeof path, "/dev/shm/relais-fuzz-%ld", (long)getpid());
    stream = fopen(path, "wbe");
    if (stream == NULL || fwrite(bytes, 1, length, stream) != length || fclose(stream) != 0)
        abort();
    return path;
}

#endif
