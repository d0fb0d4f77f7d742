/*
 * Heads of parcels: no bytes crash the reader, and every head it accepts can be written and
 * is read back the same.
 */
#include "spool/parcel.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_round_trip(const relais_parcel_head *head, relais_arena *arena)
{
    relais_parcel_head back;
    relais_error err = {0};
    relais_buffer out;
    size_t head_length;

    relais_buffer_init(&out, 1024 * 1024);
    if (relais_parcel_head_write(head, &out, &err)) {
        require(relais_parcel_head_read(out.data, out.length, arena, &back, &head_length, &err));
        require(head_length == out.length);
        require(strcmp(head->user, back.user) == 0 && strcmp(head->form, back.form) == 0);
        require(strcmp(head->received, back.received) == 0 && head->length == back.length);
        require(memcmp(head->sha256, back.sha256, sizeof back.sha256) == 0);
    } else {
        require(err.code == RELAIS_ERR_LIMIT); /* tripled by escaping */
    }
    relais_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    relais_arena *arena = relais_arena_create(1024 * 1024);
    relais_parcel_head head;
    relais_error err = {0};
    size_t head_length;

    if (relais_parcel_head_read((const char *)bytes, length, arena, &head, &head_length, &err)) {
        require(head_length <= length && head_length <= RELAIS_PARCEL_HEAD_MAX);
        check_round_trip(&head, arena);
    } else {
        require(err.code == RELAIS_ERR_DAMAGED || err.code == RELAIS_ERR_LIMIT);
    }
    relais_arena_destroy(arena);
    return 0;
}
