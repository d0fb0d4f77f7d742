/*
 * A .reason file: no bytes crash its reader, and what it accepts is the same when it has been
 * written and read again.
 */
#include "spool/reason.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    relais_arena *arena = relais_arena_create(1024 * 1024);
    relais_reason reason, again;
    relais_error err = {0};
    relais_buffer out;

    relais_buffer_init(&out, RELAIS_REASON_MAX);
    if (relais_reason_read((const char *)bytes, length, arena, &reason, &err)) {
        relais_reason_write(&reason, &out);
        require(out.failed == RELAIS_ERR_NONE);
        require(relais_reason_read(out.data, out.length, arena, &again, &err));
        require(strcmp(reason.class_word, again.class_word) == 0);
        require(strcmp(reason.text, again.text) == 0 && strcmp(reason.path, again.path) == 0);
        require(reason.line <= 0 || reason.line == again.line);
    } else {
        require(err.code == RELAIS_ERR_DAMAGED || err.code == RELAIS_ERR_LIMIT);
    }
    relais_buffer_free(&out);
    relais_arena_destroy(arena);
    return 0;
}
