/*
 * Encrypted submissions, locked by tests/e2e/envelope.py with the openssl command: the library
 * finds their files in order, opens each, and refuses what is cut, exchanged or another key's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xform/envelope.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK "/usr/bin/python3 " RELAIS_SOURCE_DIR "/tests/e2e/envelope.py "

static bool shell(const char *line)
{
    return system(line) == 0;
}

static char directory[] = "/tmp/relais-envelope.XXXXXX";

static int remove_one(const char *path, const struct stat *is, int kind, struct FTW *at)
{
    (void)is;
    (void)kind;
    (void)at;
    return remove(path);
}

static int make_fixture(void **state)
{
    (void)state;
    return mkdtemp(directory) != NULL && chdir(directory) == 0 && mkdir("keys", 0700) == 0 &&
                   mkdir("other", 0700) == 0 && shell(LOCK "keys") &&
                   shell("mv keys/*.enc keys/*.xml . && " LOCK "other") && mkdir("none", 0700) == 0
               ? 0
               : -1;
}

static int remove_fixture(void **state)
{
    (void)state;
    return chdir("/") == 0 ? nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS) : -1;
}

/* ---- helpers ---- */

static char bytes[64 * 1024];

static size_t slurp(const char *name)
{
    FILE *file = fopen(name, "rb");
    size_t length;

    assert_non_null(file);
    length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return length;
}

static relais_form_keys *keys_of(const char *name)
{
    relais_form_keys *keys = NULL;
    relais_error err = {0};

    if (!relais_form_keys_read(name, &keys, &err))
        fail_msg("%s: %s", err.path, err.text);
    return keys;
}

static void read_envelope(relais_arena *arena, const char *xml, size_t length,
                          relais_envelope *envelope)
{
    relais_submission *submission = relais_arena_alloc(arena, sizeof *submission);
    relais_error err = {0};
    int64_t offset;

    if (!relais_submission_parse(xml, length, arena, submission, &offset, &err) ||
        !relais_envelope_read(submission, arena, envelope, &err))
        fail_msg("%s", err.text);
    assert_true(submission->is_encrypted);
}

static void unlock(relais_arena *arena, relais_envelope *envelope, relais_envelope_lock *lock)
{
    relais_form_keys *keys = keys_of("keys");
    relais_error err = {0};
    size_t length = slurp("envelope.xml");

    read_envelope(arena, bytes, length, envelope);
    if (!relais_envelope_unlock(envelope, keys, lock, &err))
        fail_msg("%s", err.text);
    relais_form_keys_free(keys);
}

/* ---- tests ---- */

static void opens_every_file_in_its_order(void **state)
{
    static const char *const names[] = {"a.jpg.enc", "empty.txt.enc", "b.jpg.enc",
                                        "submission.xml.enc"};
    static const size_t lengths[] = {2000, 0, 16, 46};
    relais_arena *arena = relais_arena_create(1 << 20);
    relais_form_keys *keys = keys_of("keys");
    uint8_t md5s[4][RELAIS_MD5_SIZE];
    relais_envelope envelope;
    relais_envelope_lock lock;
    relais_error err = {0};

    (void)state;
    unlock(arena, &envelope, &lock);
    assert_int_equal(envelope.file_count, 4);
    for (size_t i = 0; i < 4; i++) {
        size_t length = slurp(names[i]);
        relais_buffer plain;
        assert_string_equal(envelope.files[i], names[i]);
        relais_buffer_init(&plain, 1 << 20);
        if (!relais_envelope_decrypt_bytes(&lock, i, bytes, length, &plain, md5s[i], &err))
            fail_msg("%s: %s", names[i], err.text);
        assert_int_equal(plain.length, lengths[i]);
        if (i == 3)
            assert_string_equal(plain.data, "<data id=\"enc\" version=\"3\"><age>7</age></data>");
        relais_buffer_free(&plain);
    }
    assert_true(relais_envelope_verify(&envelope, keys, (const void *)md5s, &err));
    md5s[1][0] ^= 1;
    assert_false(relais_envelope_verify(&envelope, keys, (const void *)md5s, &err));
    assert_int_equal(err.code, RELAIS_ERR_DAMAGED);
    relais_form_keys_free(keys);
    relais_arena_destroy(arena);
}

/* Read one byte, then two, three ...: what is handed on does not depend on how it comes. */
struct dribble {
    size_t at, length, step;
};

static bool read_dribble(void *data, char *out, size_t size, size_t *length, relais_error *err)
{
    struct dribble *d = data;

    (void)err;
    d->step = d->step % 37 + 1;
    *length = d->length - d->at < d->step ? d->length - d->at : d->step;
    assert_true(*length <= size);
    memcpy(out, bytes + d->at, *length);
    d->at += *length;
    return true;
}

static bool write_count(void *data, const char *out, size_t length, relais_error *err)
{
    size_t *total = data;

    (void)err;
    for (size_t i = 0; i < length; i++)
        assert_int_equal((unsigned char)out[i], (*total + i) % 2 == 0 ? 0xff : 0xd8);
    *total += length;
    return true;
}

static void opens_what_comes_in_small_pieces(void **state)
{
    relais_arena *arena = relais_arena_create(1 << 20);
    relais_envelope envelope;
    relais_envelope_lock lock;
    relais_error err = {0};
    struct dribble from = {0};
    size_t total = 0;

    (void)state;
    unlock(arena, &envelope, &lock);
    from.length = slurp("a.jpg.enc");
    assert_true(
        relais_envelope_decrypt(&lock, 0, read_dribble, &from, write_count, &total, NULL, &err));
    assert_int_equal(total, 2000);
    relais_arena_destroy(arena);
}

static void refuses_cut_changed_and_exchanged_files(void **state)
{
    relais_arena *arena = relais_arena_create(1 << 20);
    relais_envelope envelope;
    relais_envelope_lock lock;
    relais_buffer plain;
    size_t length;

    (void)state;
    unlock(arena, &envelope, &lock);
    length = slurp("submission.xml.enc");
    relais_buffer_init(&plain, 1 << 20);
    for (size_t cut = 0; cut < length; cut++) {
        relais_error err = {0};
        assert_false(relais_envelope_decrypt_bytes(&lock, 3, bytes, cut, &plain, NULL, &err) &&
                     plain.length == length - 1);
        assert_true(err.code == RELAIS_ERR_NONE || err.code == RELAIS_ERR_DAMAGED);
        relais_buffer_reset(&plain);
    }
    bytes[length - 1] ^= 0x40;
    {
        relais_error err = {0};
        assert_false(relais_envelope_decrypt_bytes(&lock, 3, bytes, length, &plain, NULL, &err));
        assert_int_equal(err.code, RELAIS_ERR_DAMAGED);
    }
    relais_buffer_free(&plain);
    relais_arena_destroy(arena);
}

static void finds_no_key_among_others(void **state)
{
    static const char *const directories[] = {"other", "none"};
    relais_arena *arena = relais_arena_create(1 << 20);
    relais_envelope envelope;

    (void)state;
    read_envelope(arena, bytes, slurp("envelope.xml"), &envelope);
    for (size_t i = 0; i < 2; i++) {
        relais_form_keys *keys = keys_of(directories[i]);
        relais_envelope_lock lock;
        relais_error err = {0};
        assert_false(relais_envelope_unlock(&envelope, keys, &lock, &err));
        assert_int_equal(err.code, RELAIS_ERR_MISSING);
        relais_form_keys_free(keys);
    }
    relais_arena_destroy(arena);
}

static void takes_every_clients_order_and_names_what_is_missing(void **state)
{
    static const struct {
        const char *children;
        size_t files; /* 0: refused */
    } cases[] = {
        {"<base64EncryptedKey>eA==</base64EncryptedKey><orx:meta xmlns:orx='x'><orx:instanceID>i"
         "</orx:instanceID></orx:meta><encryptedXmlFile>s.enc</encryptedXmlFile>",
         1},
        {"<encryptedXmlFile>s.enc</encryptedXmlFile><media><file>a</file><file>b</file></media>"
         "<media><file>c</file></media><meta><instanceID>i</instanceID></meta>"
         "<base64EncryptedKey>eA==</base64EncryptedKey>",
         4},
        {"<meta><instanceID>i</instanceID></meta><encryptedXmlFile>s</encryptedXmlFile>", 0},
        {"<base64EncryptedKey>eA==</base64EncryptedKey><encryptedXmlFile>s</encryptedXmlFile>", 0},
        {"<base64EncryptedKey>eA==</base64EncryptedKey><meta><instanceID>i</instanceID></meta>", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        relais_arena *arena = relais_arena_create(1 << 20);
        const char *xml = relais_arena_format(
            arena,
            "<data xmlns='http://opendatakit.org/submissions' encrypted='yes' id='f'>%s</data>",
            cases[i].children);
        relais_submission submission;
        relais_envelope envelope;
        relais_error err = {0};
        int64_t offset;
        assert_true(relais_submission_parse(xml, strlen(xml), arena, &submission, &offset, &err));
        assert_int_equal(relais_envelope_read(&submission, arena, &envelope, &err),
                         cases[i].files > 0);
        if (cases[i].files > 0) {
            assert_int_equal(envelope.file_count, cases[i].files);
            assert_string_equal(envelope.files[cases[i].files - 1], "s.enc");
        } else {
            assert_int_equal(err.code, RELAIS_ERR_SYNTAX);
        }
        relais_arena_destroy(arena);
    }
}

static void refuses_keys_that_others_may_read_or_that_do_not_open(void **state)
{
    relais_form_keys *keys = NULL;
    relais_error err = {0};

    (void)state;
    assert_int_equal(chmod("other/locked.pem", 0644), 0);
    assert_false(relais_form_keys_read("other", &keys, &err));
    assert_int_equal(err.code, RELAIS_ERR_CONFIG);
    assert_int_equal(chmod("other/locked.pem", 0600), 0);
    relais_error_clear(&err);
    assert_true(shell("echo wrong > other/locked.passphrase"));
    assert_false(relais_form_keys_read("other", &keys, &err));
    assert_int_equal(err.code, RELAIS_ERR_CONFIG);
    relais_error_clear(&err);
    assert_false(relais_form_keys_read("nowhere", &keys, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_every_file_in_its_order),
        cmocka_unit_test(opens_what_comes_in_small_pieces),
        cmocka_unit_test(refuses_cut_changed_and_exchanged_files),
        cmocka_unit_test(finds_no_key_among_others),
        cmocka_unit_test(takes_every_clients_order_and_names_what_is_missing),
        cmocka_unit_test(refuses_keys_that_others_may_read_or_that_do_not_open),
    };

    return cmocka_run_group_tests(tests, make_fixture, remove_fixture);
}
