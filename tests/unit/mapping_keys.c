/*
 * Keys and generalised places, as golden cases; the keys' known answers were computed apart:
 *
 *   printf '\0\0\0\2K5\0\0\0\14+22670123456' |
 *     openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_target.h"
#include "mapping_case.h"

#include "base/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET "0123456789abcdef0123456789abcdef"

static char file[] = "/tmp/relais-keys.XXXXXX";
static relais_secrets secrets;

static int read_secrets(void **state)
{
    const relais_secret_files files = {.keys = file, .key_version = 3};
    relais_error err = {0};
    int fd = mkstemp(file);

    (void)state;
    mapping_case_secrets = &secrets;
    return fd >= 0 && write(fd, SECRET "\n", strlen(SECRET) + 1) > 0 && close(fd) == 0 &&
                   relais_secrets_read(&files, &secrets, &err)
               ? 0
               : -1;
}

static int forget_secrets(void **state)
{
    (void)state;
    relais_secrets_free(&secrets);
    return unlink(file);
}

static void run_case(void **state)
{
    struct mapping_case subject;

    mapping_case_begin(&subject, *state);
    mapping_case_run(&subject);
    mapping_case_print(&subject);
    mapping_case_compare(&subject);
    mapping_case_end(&subject);
}

static void check_key(const char *const *parts, size_t count, const char *expected)
{
    uint8_t key[RELAIS_SHA256_SIZE];
    char hex[2 * RELAIS_SHA256_SIZE + 1];

    relais_secrets_key(&secrets, parts, count, key);
    relais_hex(key, sizeof key, hex);
    assert_string_equal(hex, expected);
}

/* Parts are joined so that "a", "bc" and "ab", "c" are two messages. */
static void test_known_answers(void **state)
{
    (void)state;
    check_key((const char *const[]){"a", "bc"}, 2,
              "fce70fd8a6e98d98028579514cca5663bc4c5d73cf69995b54c4cc715833523f");
    check_key((const char *const[]){"ab", "c"}, 2,
              "7814854ddb1fd032efc711ecb78af5d35f5942bc4fbe554eb967402825d0d31a");
    check_key((const char *const[]){"K5", "+22670123456"}, 2,
              "ffac33d2a93fa243c4aef95b1f349385e1f9f78338611f295b7d8e2e2de075a0");
}

/* Python: hmac.new(b"0123456789abcdef0123456789abcdef", b"".join(len(p).to_bytes(4, "big") + p
 * for p in parts), "sha256").hexdigest() */
static void test_keys_of_a_submission(void **state)
{
    static const char *const expected[][2] = {
        {"K2", "\\xff80395ca125541f13041130b5b1e0c204791c981c8a5ad3ada74d04bb6473c4"}, /* 2009 */
        {"K2", "\\xb3d35ed4cfcee24581ad2ed2466b746d5d7d98cdcf2aa0a5ec8c1a8067da387c"}, /* 2008 */
        {"K2", "\\xecb19db71af7c54a900121c22774624e5431ef6f1e7f30eb2b8d98fd287a960b"}, /* 2010 */
        {"K5", "\\xffac33d2a93fa243c4aef95b1f349385e1f9f78338611f295b7d8e2e2de075a0"},
    };
    struct mapping_case subject;

    (void)state;
    mapping_case_begin(&subject, "keys");
    mapping_case_run(&subject);
    assert_int_equal(subject.output.count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < subject.output.count; i++) {
        const relais_row *row = &subject.output.rows[i];
        const relais_row_shape *shapes = relais_mapping_shapes(subject.mapping, &(size_t){0});
        assert_string_equal(row->values[1], expected[i][0]);
        assert_string_equal(row->values[shapes[row->shape].column_count - 1], expected[i][1]);
    }
    mapping_case_end(&subject);
}

/* A place that cannot be looked up is the machine's fault, never the answer's. */
static void test_lost_database(void **state)
{
    static const char xml[] = "<data id='ident' version='2'><place>lost</place></data>";
    struct mapping_case subject;

    (void)state;
    mapping_case_begin(&subject, "generalise");
    xmlFreeDoc(subject.submission.doc);
    subject.submission.doc = xmlReadMemory(xml, sizeof xml - 1, NULL, NULL, 0);
    mapping_case_run(&subject);
    assert_false(subject.ok);
    assert_int_equal(subject.err.code, RELAIS_ERR_TRANSIENT);
    mapping_case_end(&subject);

    /* The next submission does not inherit it. */
    mapping_case_begin(&subject, "generalise");
    mapping_case_run(&subject);
    assert_true(subject.ok);
    mapping_case_end(&subject);
}

int main(void)
{
    static char *const names[] = {"keys", "keys-documented", "keys-none", "generalise",
                                  "misfit-generalise"};
    enum { NAMES = sizeof names / sizeof *names };
    struct CMUnitTest tests[NAMES + 3];

    for (size_t i = 0; i < NAMES; i++)
        tests[i] = (struct CMUnitTest){names[i], run_case, NULL, NULL, names[i]};
    tests[NAMES] = (struct CMUnitTest)cmocka_unit_test(test_known_answers);
    tests[NAMES + 1] = (struct CMUnitTest)cmocka_unit_test(test_keys_of_a_submission);
    tests[NAMES + 2] = (struct CMUnitTest)cmocka_unit_test(test_lost_database);
    return cmocka_run_group_tests_name("mapping_keys", tests, read_secrets, forget_secrets);
}
