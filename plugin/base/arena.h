/*
 * Memory that belongs to one piece of work, a parcel or a command, and goes with it.
 *
 * Nothing taken from an arena is freed alone. Things that are not memory (a descriptor, a
 * libxml2 document) are registered as clean-ups, run in reverse order. The maximum is
 * given at birth, so that hostile input meets a limit and not the machine's memory.
 * An arena is used by one thread.
 */
#ifndef RELAIS_BASE_ARENA_H
#define RELAIS_BASE_ARENA_H

#include "base/error.h"

#include <stddef.h>

typedef struct relais_arena relais_arena;

/* NULL when there is no memory. `maximum` bounds the sum of all requests, in bytes. */
RELAIS_MUST_USE relais_arena *relais_arena_create(size_t maximum);

/* Runs the clean-ups, newest first, and frees everything. NULL is allowed. */
void relais_arena_destroy(relais_arena *arena);

/* Runs the clean-ups and empties the arena for the next piece of work of the same size. */
void relais_arena_reset(relais_arena *arena);

/* Zeroed memory aligned for any type; NULL when the maximum or the memory is exhausted. */
RELAIS_MUST_USE void *relais_arena_alloc(relais_arena *arena, size_t size);

/* A NUL-terminated copy of `length` bytes, or NULL. */
RELAIS_MUST_USE char *relais_arena_copy(relais_arena *arena, const void *bytes, size_t length);
RELAIS_MUST_USE char *relais_arena_text(relais_arena *arena, const char *text);
RELAIS_MUST_USE char *relais_arena_format(relais_arena *arena, const char *format, ...)
    RELAIS_PRINTF(2, 3);

/* Registers a clean-up. False (and the clean-up has been run at once) without memory. */
RELAIS_MUST_USE bool relais_arena_cleanup(relais_arena *arena, void (*run)(void *), void *data);

/* Sets RELAIS_ERR_LIMIT or _MEMORY after a NULL from one of the above; returns false. */
bool relais_arena_error(const relais_arena *arena, relais_error *err);

#endif
