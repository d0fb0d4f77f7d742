/*
 * A note: no bytes crash its reader, and what it accepts has its texts, cut to their limit.
 */
#include "spool/note.h"

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
    relais_note note;

    if (relais_note_parse((const char *)bytes, length, arena, &note)) {
        require(strlen(note.id) == RELAIS_NOTE_ID_SIZE - 1 && note.received[0] != '\0');
        require(strlen(note.device) <= RELAIS_NOTE_VALUE_MAX);
        require(strlen(note.instance) <= RELAIS_NOTE_VALUE_MAX);
        require(note.size >= -1 && note.limit >= -1);
    }
    relais_arena_destroy(arena);
    return 0;
}
