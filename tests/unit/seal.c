/*
 * Sealing, judged by the openssl command that an officer will have: what the library seals the
 * command opens, what the command seals the library opens, and nothing opens that was changed
 * or is for another key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "openssl_command.h"
#include "xform/seal.h"

#include <sys/resource.h>
#include <sys/stat.h>

static int make_keys(void **state)
{
    (void)state;
    return openssl_enter() == 0 &&
                   openssl("req -x509 -newkey rsa:3072 -noenc -keyout rsa.key -out rsa.crt "
                           "-days 30 -subj /CN=unite") &&
                   openssl("req -x509 -newkey rsa:3072 -keyout locked.key -passout pass:sesame "
                           "-out locked.crt -days 30 -subj /CN=fermee") &&
                   openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc "
                           "-keyout ec.key -out ec.crt -days 30 -subj /CN=courbe") &&
                   openssl("req -x509 -newkey rsa:2048 -noenc -keyout small.key -out small.crt "
                           "-days 30 -subj /CN=petite") &&
                   openssl("req -x509 -newkey ed25519 -noenc -keyout ed.key -out ed.crt -days 30 "
                           "-subj /CN=ed")
               ? 0
               : -1;
}

static int remove_keys(void **state)
{
    (void)state;
    return openssl_leave();
}

/* ---- Helpers over the library ---- */

static relais_seal *certificate(const char *name)
{
    relais_error err = {0};
    relais_seal *seal = NULL;

    if (!relais_seal_read(name, &seal, &err))
        fail_msg("%s", err.text);
    return seal;
}

static relais_seal_key *private_key(const char *name)
{
    relais_error err = {0};
    relais_seal_key *key = NULL;

    if (!relais_seal_key_read(name, NULL, NULL, &key, &err))
        fail_msg("%s", err.text);
    return key;
}

static void seal_text(const char *name, const char *text, relais_buffer *out)
{
    relais_error err = {0};
    relais_seal *seal = certificate(name);

    relais_buffer_init(out, 1 << 20);
    assert_true(relais_seal_bytes(seal, text, strlen(text), out, &err));
    relais_seal_free(seal);
}

static relais_error_code refusal(const char *name)
{
    relais_error err = {0};
    relais_seal *seal = NULL;

    assert_false(relais_seal_read(name, &seal, &err));
    assert_null(seal);
    assert_string_equal(err.path, name);
    return err.code;
}

/* ---- Tests ---- */

#define TEXT                                                                                       \
    "<identity><surname>Ou\xC3\xA9"                                                                \
    "draogo</surname>\r\n</identity>\n"

static void check_command_opens(const char *base)
{
    char name[32], line[160];
    relais_buffer sealed, opened;

    snprintf(name, sizeof name, "%s.crt", base);
    seal_text(name, TEXT, &sealed);
    write_file("sealed", sealed.data, sealed.length);
    snprintf(line, sizeof line,
             "cms -decrypt -inform DER -in sealed -inkey %s.key -recip %s.crt -out opened", base,
             base);
    assert_true(openssl(line));
    relais_buffer_init(&opened, 1 << 20);
    read_whole("opened", &opened);
    assert_int_equal(opened.length, strlen(TEXT));
    assert_memory_equal(opened.data, TEXT, strlen(TEXT));
    relais_buffer_free(&opened);
    relais_buffer_free(&sealed);
}

static void test_command_opens(void **state)
{
    (void)state;
    check_command_opens("rsa");
    check_command_opens("ec");
}

/* The methods are what seal.h promises: OpenSSL's own defaults would be weaker. */
static void test_methods(void **state)
{
    relais_buffer sealed, text;

    (void)state;
    relais_buffer_init(&text, 1 << 20);
    seal_text("rsa.crt", TEXT, &sealed);
    write_file("sealed", sealed.data, sealed.length);
    relais_buffer_free(&sealed);
    assert_true(openssl("cms -cmsout -print -inform DER -in sealed -out text"));
    read_whole("text", &text);
    assert_non_null(strstr(text.data, "id-smime-ct-authEnvelopedData"));
    assert_non_null(strstr(text.data, "aes-256-gcm"));
    assert_non_null(strstr(text.data, "rsaesOaep"));
    assert_non_null(strstr(text.data, "sha256"));
    assert_null(strstr(text.data, "sha1"));
    seal_text("ec.crt", TEXT, &sealed);
    write_file("sealed", sealed.data, sealed.length);
    relais_buffer_free(&sealed);
    assert_true(openssl("cms -cmsout -print -inform DER -in sealed -out text"));
    read_whole("text", &text);
    assert_non_null(strstr(text.data, "dhSinglePass-stdDH-sha256kdf-scheme"));
    assert_non_null(strstr(text.data, "id-aes256-wrap"));
    relais_buffer_free(&text);
}

static void test_nothing_shows(void **state)
{
    relais_buffer one, two;

    (void)state;
    seal_text("rsa.crt", TEXT, &one);
    seal_text("rsa.crt", TEXT, &two);
    assert_null(memmem(one.data, one.length, "surname", 7));
    assert_true(one.length != two.length || memcmp(one.data, two.data, one.length) != 0);
    relais_buffer_free(&one);
    relais_buffer_free(&two);
}

static void test_round_trip(void **state)
{
    static const char *const names[][2] = {{"rsa.crt", "rsa.key"}, {"ec.crt", "ec.key"}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        relais_error err = {0};
        relais_buffer sealed, opened;
        relais_seal_key *key = private_key(names[i][1]);
        seal_text(names[i][0], i == 0 ? TEXT : "", &sealed);
        relais_buffer_init(&opened, 1 << 20);
        assert_true(relais_unseal_bytes(key, sealed.data, sealed.length, &opened, &err));
        assert_string_equal(opened.data == NULL ? "" : opened.data, i == 0 ? TEXT : "");
        relais_seal_key_free(key);
        relais_buffer_free(&opened);
        relais_buffer_free(&sealed);
    }
}

/* What another program sealed with OpenSSL's own defaults (CBC, PKCS #1) opens too. */
static void test_library_opens_the_commands(void **state)
{
    relais_error err = {0};
    relais_buffer sealed, opened;
    relais_seal_key *key = private_key("rsa.key");

    (void)state;
    write_file("plain", TEXT, strlen(TEXT));
    assert_true(openssl("cms -encrypt -binary -aes256 -outform DER -in plain -out sealed rsa.crt"));
    relais_buffer_init(&sealed, 1 << 20);
    relais_buffer_init(&opened, 1 << 20);
    read_whole("sealed", &sealed);
    assert_true(relais_is_sealed(sealed.data, sealed.length));
    assert_true(relais_unseal_bytes(key, sealed.data, sealed.length, &opened, &err));
    assert_string_equal(opened.data, TEXT);
    relais_seal_key_free(key);
    relais_buffer_free(&opened);
    relais_buffer_free(&sealed);
}

static void test_changed_bytes_do_not_open(void **state)
{
    relais_buffer sealed, opened;
    relais_seal_key *key = private_key("rsa.key");

    (void)state;
    seal_text("rsa.crt", TEXT, &sealed);
    /* Everywhere: in the head, the sealed key, the content and the tag; and cut short. The
     * issuer's name and the like are no part of what is proven, so not each change is seen;
     * but the plain text is never wrong. */
    for (size_t i = 0; i < sealed.length; i += 5) {
        relais_error err = {0};
        bool opens;
        relais_buffer_init(&opened, 1 << 20);
        sealed.data[i] ^= 0x20;
        opens = relais_unseal_bytes(key, sealed.data, sealed.length, &opened, &err);
        sealed.data[i] ^= 0x20;
        assert_true(opens ? strcmp(opened.data, TEXT) == 0 : opened.length == 0);
        assert_true(opens == (err.code == RELAIS_ERR_NONE));
        /* The content and its tag are at the end. */
        assert_false(opens && i > sealed.length - strlen(TEXT) - 16);
        relais_buffer_free(&opened);
    }
    for (size_t length = 0; length < sealed.length; length += 7) {
        relais_error err = {0};
        relais_buffer_init(&opened, 1 << 20);
        assert_false(relais_unseal_bytes(key, sealed.data, length, &opened, &err));
        assert_int_equal(opened.length, 0);
        relais_buffer_free(&opened);
    }
    relais_seal_key_free(key);
    relais_buffer_free(&sealed);
}

static void test_other_key_does_not_open(void **state)
{
    relais_error err = {0};
    relais_buffer sealed, opened;
    relais_seal_key *key = private_key("small.key");

    (void)state;
    seal_text("rsa.crt", TEXT, &sealed);
    relais_buffer_init(&opened, 1 << 20);
    assert_false(relais_unseal_bytes(key, sealed.data, sealed.length, &opened, &err));
    assert_int_equal(err.code, RELAIS_ERR_DAMAGED);
    relais_error_clear(&err);
    assert_false(relais_unseal_bytes(key, TEXT, strlen(TEXT), &opened, &err));
    assert_int_equal(err.code, RELAIS_ERR_SYNTAX);
    assert_int_equal(opened.length, 0);
    relais_seal_key_free(key);
    relais_buffer_free(&sealed);
    relais_buffer_free(&opened);
}

static void test_certificates_refused(void **state)
{
    relais_buffer both, key;
    relais_error err = {0};
    relais_seal *seal = NULL;

    (void)state;
    assert_int_equal(refusal("small.crt"), RELAIS_ERR_CONFIG);
    assert_int_equal(refusal("ed.crt"), RELAIS_ERR_CONFIG);
    assert_int_equal(refusal("rsa.key"), RELAIS_ERR_CONFIG);
    assert_int_equal(refusal("absent"), RELAIS_ERR_SYSTEM);
    write_file("both.pem", "", 0);
    assert_int_equal(refusal("both.pem"), RELAIS_ERR_CONFIG);

    /* A good certificate does not excuse the key behind it, encrypted or not. */
    relais_buffer_init(&both, 1 << 20);
    relais_buffer_init(&key, 1 << 20);
    read_whole("locked.crt", &both);
    read_whole("locked.key", &key);
    relais_buffer_append(&both, key.data, key.length);
    write_file("both.pem", both.data, both.length);
    assert_false(relais_seal_read("both.pem", &seal, &err));
    assert_int_equal(err.code, RELAIS_ERR_CONFIG);
    assert_non_null(strstr(err.text, "private key"));
    relais_buffer_free(&both);
    relais_buffer_free(&key);
}

static bool say_sesame(void *data, char *out, size_t size, size_t *length)
{
    const char *word = data;

    assert_true(size > strlen(word));
    *length = strlen(word);
    memcpy(out, word, *length);
    return true;
}

static void test_passphrase(void **state)
{
    relais_error err = {0};
    relais_seal_key *key = NULL;

    (void)state;
    assert_false(relais_seal_key_read("locked.key", NULL, NULL, &key, &err));
    assert_int_equal(err.code, RELAIS_ERR_CONFIG);
    assert_non_null(strstr(err.text, "passphrase"));
    relais_error_clear(&err);
    assert_false(relais_seal_key_read("locked.key", say_sesame, "wrong", &key, &err));
    relais_error_clear(&err);
    assert_true(relais_seal_key_read("locked.key", say_sesame, "sesame", &key, &err));
    relais_seal_key_free(key);
    assert_false(relais_seal_key_read("rsa.crt", say_sesame, "sesame", &key, &err));
    assert_int_equal(err.code, RELAIS_ERR_CONFIG);
}

/* The id as the command computes it, from certificate and key alike. */
static void test_key_id(void **state)
{
    relais_buffer text;
    relais_seal *seal = certificate("ec.crt");
    relais_seal_key *key = private_key("ec.key");

    (void)state;
    assert_true(openssl("x509 -in ec.crt -noout -pubkey -out spki"));
    assert_true(openssl("pkey -pubin -in spki -outform DER -out der"));
    assert_true(openssl("dgst -sha256 -r -out digested der"));
    relais_buffer_init(&text, 1 << 20);
    read_whole("digested", &text);
    assert_true(text.length > 64);
    text.data[64] = '\0';
    assert_string_equal(relais_seal_key_id(seal), text.data);
    assert_string_equal(relais_seal_key_id_of(key), text.data);
    relais_buffer_free(&text);
    relais_seal_free(seal);
    relais_seal_key_free(key);
}

static void test_is_sealed(void **state)
{
    relais_buffer sealed;

    (void)state;
    seal_text("rsa.crt", "", &sealed);
    assert_true(relais_is_sealed(sealed.data, sealed.length));
    assert_false(relais_is_sealed(sealed.data, RELAIS_SEALED_HEAD - 1));
    assert_false(relais_is_sealed("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", 38));
    assert_false(relais_is_sealed("relais-parcel: 1\nreceived: 2026-03-02T10:15", 43));
    assert_false(relais_is_sealed("0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                                  "0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                                  32));
    relais_buffer_free(&sealed);
}

/* ---- Streams ---- */

typedef struct source {
    uint64_t left;
    uint64_t fails_at; /* left when reading fails; UINT64_MAX: never */
} source;

static bool give(void *data, char *bytes, size_t size, size_t *length, relais_error *err)
{
    source *from = data;

    if (from->left <= from->fails_at && from->fails_at != UINT64_MAX)
        return relais_error_set(err, RELAIS_ERR_SYSTEM, "the source broke");
    *length = from->left < size ? (size_t)from->left : size;
    memset(bytes, 'x', *length);
    from->left -= *length;
    return true;
}

typedef struct drain {
    FILE *file;
    uint64_t taken;
    uint64_t fails_at;
} drain;

static bool take(void *data, const char *bytes, size_t length, relais_error *err)
{
    drain *to = data;

    to->taken += length;
    if (to->taken > to->fails_at)
        return relais_error_set(err, RELAIS_ERR_FULL, "the drain is full");
    return to->file == NULL || fwrite(bytes, 1, length, to->file) == length;
}

static void test_stream_opens_by_the_command(void **state)
{
    enum { LENGTH = 3 * 1000 * 1000 + 17 };
    relais_error err = {0};
    relais_seal *seal = certificate("rsa.crt");
    relais_seal_key *key = private_key("rsa.key");
    source from = {.left = LENGTH, .fails_at = UINT64_MAX};
    drain to = {.file = fopen("sealed", "we"), .fails_at = UINT64_MAX};
    relais_buffer opened, sealed;

    (void)state;
    assert_true(relais_seal_stream(seal, give, &from, take, &to, &err));
    fclose(to.file);
    assert_true(to.taken < LENGTH + LENGTH / 100);
    assert_true(openssl("cms -decrypt -inform DER -in sealed -inkey rsa.key -recip rsa.crt -out "
                        "opened"));
    relais_buffer_init(&opened, 1 << 23);
    relais_buffer_init(&sealed, 1 << 23);
    read_whole("opened", &opened);
    assert_int_equal(opened.length, LENGTH);
    for (size_t i = 0; i < opened.length; i++)
        assert_true(opened.data[i] == 'x');

    read_whole("sealed", &sealed);
    assert_true(relais_is_sealed(sealed.data, sealed.length));
    relais_buffer_reset(&opened);
    assert_true(relais_unseal_bytes(key, sealed.data, sealed.length, &opened, &err));
    assert_int_equal(opened.length, LENGTH);
    sealed.data[sealed.length / 2] ^= 1;
    assert_false(relais_unseal_bytes(key, sealed.data, sealed.length, &opened, &err));
    assert_int_equal(opened.length, LENGTH); /* what was in the buffer before stays */
    relais_buffer_free(&opened);
    relais_buffer_free(&sealed);
    relais_seal_free(seal);
    relais_seal_key_free(key);
}

static void test_stream_of_nothing(void **state)
{
    relais_error err = {0};
    relais_seal *seal = certificate("ec.crt");
    source from = {.left = 0, .fails_at = UINT64_MAX};
    drain to = {.file = fopen("sealed", "we"), .fails_at = UINT64_MAX};
    struct stat status;

    (void)state;
    assert_true(relais_seal_stream(seal, give, &from, take, &to, &err));
    fclose(to.file);
    assert_true(openssl("cms -decrypt -inform DER -in sealed -inkey ec.key -recip ec.crt -out "
                        "opened"));
    assert_int_equal(stat("opened", &status), 0);
    assert_int_equal(status.st_size, 0);
    relais_seal_free(seal);
}

/* The caller's error arrives, not OpenSSL's view of it. */
static void test_stream_failures(void **state)
{
    relais_error err = {0};
    relais_seal *seal = certificate("rsa.crt");
    source broken = {.left = 1000000, .fails_at = 500000};
    source whole = {.left = 1000000, .fails_at = UINT64_MAX};
    drain open_end = {.fails_at = UINT64_MAX}, full = {.fails_at = 300000};

    (void)state;
    assert_false(relais_seal_stream(seal, give, &broken, take, &open_end, &err));
    assert_string_equal(err.text, "the source broke");
    relais_error_clear(&err);
    assert_false(relais_seal_stream(seal, give, &whole, take, &full, &err));
    assert_int_equal(err.code, RELAIS_ERR_FULL);
    relais_error_clear(&err);
    whole.left = 10; /* fails only when all is flushed */
    full = (drain){.fails_at = 500};
    assert_false(relais_seal_stream(seal, give, &whole, take, &full, &err));
    assert_int_equal(err.code, RELAIS_ERR_FULL);
    relais_seal_free(seal);
}

/* Sealed bytes that come three at a time, are cut short, and from some place on cannot be read. */
typedef struct dribble {
    relais_buffer sealed;
    uint64_t cut, fails_at;
} dribble;

static bool dribble_read(void *data, uint64_t offset, char *bytes, size_t size, size_t *length,
                         relais_error *err)
{
    const dribble *from = data;
    uint64_t left = offset < from->cut ? from->cut - offset : 0;

    if (offset >= from->fails_at)
        return relais_error_set(err, RELAIS_ERR_SYSTEM, "the source broke");
    size = size < 3 ? size : 3;
    *length = left < size ? (size_t)left : size;
    memcpy(bytes, from->sealed.data + offset, *length);
    return true;
}

static bool collect(void *data, const char *bytes, size_t length, relais_error *err)
{
    (void)err;
    relais_buffer_append(data, bytes, length);
    return true;
}

static relais_error_code unseal_dribble(dribble *from, uint64_t cut, uint64_t fails_at)
{
    relais_error err = {0};
    relais_seal_key *key = private_key("ec.key");
    const relais_seal_source pieces = {dribble_read, from, cut};
    drain open_end = {.fails_at = UINT64_MAX};
    bool ok;

    from->cut = cut;
    from->fails_at = fails_at;
    ok = relais_unseal(key, &pieces, take, &open_end, &err);
    assert_true(ok == (err.code == RELAIS_ERR_NONE));
    assert_true(!ok || open_end.taken == 200000);
    relais_seal_key_free(key);
    return err.code;
}

static void test_opening_a_stream_piece_by_piece(void **state)
{
    relais_error err = {0};
    relais_seal *seal = certificate("ec.crt");
    source from = {.left = 200000, .fails_at = UINT64_MAX};
    dribble given = {.cut = 0};
    uint64_t whole;

    (void)state;
    relais_buffer_init(&given.sealed, 1 << 20);
    assert_true(relais_seal_stream(seal, give, &from, collect, &given.sealed, &err));
    whole = given.sealed.length;
    assert_int_equal(unseal_dribble(&given, whole, UINT64_MAX), RELAIS_ERR_NONE);
    for (uint64_t cut = 0; cut < whole; cut += cut < 600 || cut + 600 > whole ? 1 : 9973)
        assert_int_equal(unseal_dribble(&given, cut, UINT64_MAX), RELAIS_ERR_SYNTAX);
    for (uint64_t bad = 0; bad < whole; bad += 9973)
        assert_int_equal(unseal_dribble(&given, whole, bad), RELAIS_ERR_SYSTEM);
    relais_buffer_free(&given.sealed);
    relais_seal_free(seal);
}

/* A tag and a length with more noughts before them than there are bytes. */
static void test_heads_without_end_are_no_sealed_bytes(void **state)
{
    static const char tag[] =
        "\x1f\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80";
    static const char length[] = "\x30\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    dribble given = {.cut = 0};

    (void)state;
    relais_buffer_init(&given.sealed, 1 << 20);
    relais_buffer_append(&given.sealed, tag, sizeof tag - 1);
    assert_int_equal(unseal_dribble(&given, sizeof tag - 1, UINT64_MAX), RELAIS_ERR_SYNTAX);
    relais_buffer_reset(&given.sealed);
    relais_buffer_append(&given.sealed, length, sizeof length - 1);
    assert_int_equal(unseal_dribble(&given, sizeof length - 1, UINT64_MAX), RELAIS_ERR_SYNTAX);
    relais_buffer_free(&given.sealed);
}

static long peak_kilobytes(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* 200 MB through a stream take no more memory than a few. */
static void test_stream_is_bounded(void **state)
{
    relais_error err = {0};
    relais_seal *seal = certificate("rsa.crt");
    source from = {.left = 1000000, .fails_at = UINT64_MAX};
    drain to = {.fails_at = UINT64_MAX};
    long before;

    (void)state;
    assert_true(relais_seal_stream(seal, give, &from, take, &to, &err));
    before = peak_kilobytes();
    from.left = 200 * 1000 * 1000;
    assert_true(relais_seal_stream(seal, give, &from, take, &to, &err));
    assert_true(peak_kilobytes() - before < 16 * 1024);
    relais_seal_free(seal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_opens),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_nothing_shows),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_library_opens_the_commands),
        cmocka_unit_test(test_changed_bytes_do_not_open),
        cmocka_unit_test(test_other_key_does_not_open),
        cmocka_unit_test(test_certificates_refused),
        cmocka_unit_test(test_passphrase),
        cmocka_unit_test(test_key_id),
        cmocka_unit_test(test_is_sealed),
        cmocka_unit_test(test_stream_is_bounded),
        cmocka_unit_test(test_stream_opens_by_the_command),
        cmocka_unit_test(test_stream_of_nothing),
        cmocka_unit_test(test_stream_failures),
        cmocka_unit_test(test_opening_a_stream_piece_by_piece),
        cmocka_unit_test(test_heads_without_end_are_no_sealed_bytes),
    };

    return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
