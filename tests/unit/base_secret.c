/*
 * Secrets from files: what is read, what is refused; and HMAC-SHA-256 against the vectors of
 * RFC 4231.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hmac.h"
#include "base/secret.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char file[] = "/tmp/relais-secret.XXXXXX";

static int make_file(void **state)
{
    int fd = mkstemp(file);

    (void)state;
    return fd >= 0 && close(fd) == 0 ? 0 : -1;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file);
}

static void write_secret(const char *text, mode_t mode)
{
    int fd = open(file, O_WRONLY | O_TRUNC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void check_read(const char *text, mode_t mode, const char *expected)
{
    relais_error err = {0};
    relais_secret *secret = NULL;
    const uint8_t *bytes;
    size_t length;

    write_secret(text, mode);
    assert_true(relais_secret_read(file, 8, 16, &secret, &err));
    bytes = relais_secret_bytes(secret, &length);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(bytes, expected, length);
    relais_secret_free(secret);
}

static void check_refused(const char *text, mode_t mode, const char *sentence)
{
    relais_error err = {0};
    relais_secret *secret = NULL;

    write_secret(text, mode);
    assert_false(relais_secret_read(file, 8, 16, &secret, &err));
    assert_null(secret);
    assert_int_equal(err.code, RELAIS_ERR_CONFIG);
    assert_string_equal(err.path, file);
    assert_non_null(strstr(err.text, sentence));
    assert_null(strstr(err.text, text[0] == '\0' ? "\n" : text));
}

static void test_reads(void **state)
{
    (void)state;
    check_read("12345678", 0600, "12345678");
    check_read("12345678\n", 0640, "12345678");
    check_read("1234 5678 \r\n\n", 0400, "1234 5678");
    check_read("0123456789abcdef\n", 0600, "0123456789abcdef");
}

static void test_refuses_open_files(void **state)
{
    static const mode_t modes[] = {0644, 0604, 0660, 0602, 0601, 0620};

    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        check_refused("12345678", modes[i], "chmod");
}

static void test_refuses_sizes(void **state)
{
    (void)state;
    check_refused("1234567\n", 0600, "fewer than 8");
    check_refused("", 0600, "fewer than 8");
    check_refused("0123456789abcdefg", 0600, "longer than 16");
    check_refused("0123456789abcdef0123456789abcdef0123456789abcdef", 0600, "longer than 16");
}

static void test_refuses_what_is_no_file(void **state)
{
    relais_error err = {0};
    relais_secret *secret = NULL;

    (void)state;
    assert_false(relais_secret_read("/nonexistent/secret", 8, 16, &secret, &err));
    assert_int_equal(err.code, RELAIS_ERR_SYSTEM);
    relais_error_clear(&err);
    assert_false(relais_secret_read("/dev/null", 8, 16, &secret, &err));
    assert_int_equal(err.code, RELAIS_ERR_CONFIG);
    relais_secret_free(NULL);
}

static void check_hmac(const char *key, size_t key_length, const char *text, const char *expected)
{
    relais_hmac hmac;
    uint8_t code[RELAIS_SHA256_SIZE];
    char hex[2 * RELAIS_SHA256_SIZE + 1];
    static const relais_hmac wiped;

    relais_hmac_begin(&hmac, key, key_length);
    relais_hmac_add(&hmac, text, 1);
    relais_hmac_add(&hmac, text + 1, strlen(text) - 1);
    relais_hmac_end(&hmac, code);
    relais_hex(code, sizeof code, hex);
    assert_string_equal(hex, expected);
    assert_memory_equal(&hmac, &wiped, sizeof hmac);
}

/* RFC 4231, test cases 1, 2 and 6 (a key longer than a block). */
static void test_hmac(void **state)
{
    char long_key[131];

    (void)state;
    memset(long_key, 0x0b, sizeof long_key);
    check_hmac(long_key, 20, "Hi There",
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    check_hmac("Jefe", 4, "what do ya want for nothing?",
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(long_key, 0xaa, sizeof long_key);
    check_hmac(long_key, 131, "Test Using Larger Than Block-Size Key - Hash Key First",
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),         cmocka_unit_test(test_refuses_open_files),
        cmocka_unit_test(test_refuses_sizes), cmocka_unit_test(test_refuses_what_is_no_file),
        cmocka_unit_test(test_hmac),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
