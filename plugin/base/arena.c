/*
 * The arena: blocks in a list, a clean-up list beside it. See arena.h.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One block serves an ordinary submission of a few kilobytes whole. */
enum { BLOCK_SIZE = 16 * 1024 };

struct block {
    struct block *next;
    size_t size;
    size_t used;
    alignas(max_align_t) unsigned char bytes[];
};

struct cleanup {
    struct cleanup *next;
    void (*run)(void *);
    void *data;
};

struct relais_arena {
    struct block *blocks;
    struct cleanup *cleanups;
    size_t maximum;
    size_t taken;
    bool over_limit;
};

relais_arena *relais_arena_create(size_t maximum)
{
    relais_arena *arena = calloc(1, sizeof *arena);

    if (arena != NULL)
        arena->maximum = maximum;
    return arena;
}

static void run_cleanups(relais_arena *arena)
{
    while (arena->cleanups != NULL) {
        struct cleanup *cleanup = arena->cleanups;
        arena->cleanups = cleanup->next;
        cleanup->run(cleanup->data);
    }
}

static void free_blocks(struct block *block)
{
    while (block != NULL) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

void relais_arena_destroy(relais_arena *arena)
{
    if (arena == NULL)
        return;
    run_cleanups(arena);
    free_blocks(arena->blocks);
    free(arena);
}

void relais_arena_reset(relais_arena *arena)
{
    struct block *kept = arena->blocks;

    run_cleanups(arena);
    if (kept != NULL && kept->size == BLOCK_SIZE) {
        free_blocks(kept->next);
        kept->next = NULL;
        kept->used = 0;
    } else {
        free_blocks(kept);
        kept = NULL;
    }
    arena->blocks = kept;
    arena->taken = 0;
    arena->over_limit = false;
}

static struct block *add_block(relais_arena *arena, size_t size)
{
    struct block *block;

    if (size < BLOCK_SIZE)
        size = BLOCK_SIZE;
    block = malloc(sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->size = size;
    block->used = 0;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *relais_arena_alloc(relais_arena *arena, size_t size)
{
    const size_t step = alignof(max_align_t);
    struct block *block = arena->blocks;
    void *place;

    if (size > arena->maximum || arena->taken > arena->maximum - size) {
        arena->over_limit = true;
        return NULL;
    }
    size = size == 0 ? step : (size + step - 1) / step * step;
    if (block == NULL || block->size - block->used < size) {
        block = add_block(arena, size);
        if (block == NULL)
            return NULL;
    }
    place = block->bytes + block->used;
    block->used += size;
    arena->taken += size;
    return memset(place, 0, size);
}

char *relais_arena_copy(relais_arena *arena, const void *bytes, size_t length)
{
    char *copy = length == SIZE_MAX ? NULL : relais_arena_alloc(arena, length + 1);

    if (copy != NULL && length > 0)
        memcpy(copy, bytes, length);
    return copy;
}

char *relais_arena_text(relais_arena *arena, const char *text)
{
    return relais_arena_copy(arena, text, strlen(text));
}

char *relais_arena_format(relais_arena *arena, const char *format, ...)
{
    va_list args, again;
    int length;
    char *text;

    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    text = length < 0 ? NULL : relais_arena_alloc(arena, (size_t)length + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

bool relais_arena_cleanup(relais_arena *arena, void (*run)(void *), void *data)
{
    struct cleanup *cleanup = relais_arena_alloc(arena, sizeof *cleanup);

    if (cleanup == NULL) {
        run(data);
        return false;
    }
    cleanup->run = run;
    cleanup->data = data;
    cleanup->next = arena->cleanups;
    arena->cleanups = cleanup;
    return true;
}

bool relais_arena_error(const relais_arena *arena, relais_error *err)
{
    if (arena->over_limit)
        return relais_error_set(err, RELAIS_ERR_LIMIT, "this needs more than %zu bytes of memory",
                                arena->maximum);
    return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
}
