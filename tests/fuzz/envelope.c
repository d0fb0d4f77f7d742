/*
 * The envelope of an encrypted form: no bytes crash its reader, and what is accepted has all that
 * the unlocking of its files relies on. Input: a byte that says which file is decrypted, then the
 * XML, whose own bytes serve as a locked file too.
 */
#include "xform/envelope.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_envelope(const relais_submission *submission, relais_arena *arena)
{
    relais_envelope envelope;
    relais_error err = {0};

    if (!relais_envelope_read(submission, arena, &envelope, &err)) {
        require(err.code == RELAIS_ERR_SYNTAX || err.code == RELAIS_ERR_LIMIT);
        return;
    }
    require(envelope.file_count >= 1 && envelope.file_count <= RELAIS_ENVELOPE_FILES_MAX);
    require(envelope.form_id[0] != '\0' && envelope.key[0] != '\0');
    for (size_t i = 0; i < envelope.file_count; i++)
        require(envelope.files[i][0] != '\0');
}

static void check_decryption(size_t index, const uint8_t *bytes, size_t length)
{
    static const relais_envelope_lock lock = {.key = "01234567890123456789012345678901",
                                              .seed = "0123456789abcdef"};
    uint8_t md5[RELAIS_MD5_SIZE];
    relais_error err = {0};
    relais_buffer out;

    relais_buffer_init(&out, 1024 * 1024);
    if (relais_envelope_decrypt_bytes(&lock, index, bytes, length, &out, md5, &err))
        require(out.length < length && length - out.length <= 16);
    else
        require(err.code == RELAIS_ERR_DAMAGED && out.length == 0);
    relais_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    relais_arena *arena = relais_arena_create(8 * 1024 * 1024);
    relais_submission submission;
    int64_t offset;

    require(arena != NULL);
    if (length > 0) {
        check_decryption(bytes[0], bytes + 1, length - 1);
        if (relais_submission_parse((const char *)bytes + 1, length - 1, arena, &submission,
                                    &offset, NULL) &&
            submission.is_encrypted)
            check_envelope(&submission, arena);
    }
    relais_arena_destroy(arena);
    return 0;
}
