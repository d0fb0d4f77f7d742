/*
 * The reader of a submission's identity: whatever the bytes, however they are cut, it says the
 * same, and what it found was in reach of its limits.
 */
#include "openrosa/instance.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static relais_instance_state read_in_runs(const uint8_t *bytes, size_t length, size_t run,
                                          relais_instance *out)
{
    relais_instance_reader *reader = relais_instance_create();
    relais_instance_state state;
    const relais_instance *found;

    require(reader != NULL);
    for (size_t at = 0; at < length; at += run)
        relais_instance_feed(reader, (const char *)bytes + at,
                             length - at < run ? length - at : run);
    state = relais_instance_finish(reader, &found);
    *out = *found;
    relais_instance_destroy(reader);
    return state;
}

static void require_same(const relais_instance_text *a, const relais_instance_text *b)
{
    require(a->length == b->length && a->length <= RELAIS_PARCEL_VALUE_MAX + 1 &&
            memcmp(a->bytes, b->bytes, a->length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    relais_instance whole, cut;
    relais_instance_state state = read_in_runs(bytes, length, length + 1, &whole);

    require((state == RELAIS_INSTANCE_EMPTY) == (length == 0));
    for (size_t i = 0; i < 2 && length > 0; i++) {
        require(read_in_runs(bytes, length, i == 0 ? 1 : 2 + bytes[0] % 64U, &cut) == state);
        require_same(&whole.id, &cut.id);
        require_same(&whole.version, &cut.version);
        require_same(&whole.instance_id, &cut.instance_id);
    }
    return 0;
}
