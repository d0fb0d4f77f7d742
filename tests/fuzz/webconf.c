/*
 * Any bytes as nginx's configuration: it is read or refused, blocks never stand in themselves, and
 * what is found inside a block is there.
 */
#include "cli/webconf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_directive(const relais_directive *first, const relais_directive *directive)
{
    size_t depth = 0;

    require(directive->count <= RELAIS_WEBCONF_ARGUMENTS_MAX && directive->file != NULL);
    for (size_t i = 0; i < directive->count; i++)
        relais_webconf_size(directive->arguments[i]);
    for (const relais_directive *block = directive->block; block != NULL; block = block->block)
        require(block->is_block && ++depth < 10000);
    if (directive->block != NULL)
        require(relais_webconf_find(first, directive->block, directive->name) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    relais_arena *arena = relais_arena_create(64 * 1024 * 1024);
    relais_directive *first;
    relais_error err = {0};
    size_t looked = 0;

    require(arena != NULL);
    if (relais_webconf_read((const char *)bytes, length, arena, &first, &err)) {
        for (const relais_directive *at = first; at != NULL && looked < 200;
             at = at->next, looked++)
            check_directive(first, at);
    } else {
        require(err.code != RELAIS_ERR_NONE);
    }
    relais_arena_destroy(arena);
    return 0;
}
