/*
 * <seal>: what a mapping seals is opened by the openssl command, and says what was answered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_target.h"
#include "mapping_case.h"
#include "openssl_command.h"

#include "base/text.h"

static relais_secrets secrets;

static int read_secrets(void **state)
{
    const relais_secret_files files = {.certificate = "seal.crt", .key_version = 1};
    relais_error err = {0};

    (void)state;
    mapping_case_secrets = &secrets;
    return openssl_enter() == 0 &&
                   openssl("req -x509 -newkey rsa:3072 -noenc -keyout seal.key -out seal.crt "
                           "-days 30 -subj /CN=unite") &&
                   relais_secrets_read(&files, &secrets, &err)
               ? 0
               : -1;
}

static int forget_secrets(void **state)
{
    (void)state;
    relais_secrets_free(&secrets);
    return openssl_leave();
}

/* The mapping of tests/cases/mapping/seal.map.xml on this identity. */
static void run(struct mapping_case *subject, const char *identity)
{
    relais_buffer xml;

    relais_buffer_init(&xml, 1 << 20);
    relais_buffer_append_format(&xml, "<data id='ident' version='2'>%s</data>", identity);
    write_file("submission.xml", xml.data, xml.length);
    relais_buffer_free(&xml);
    mapping_case_begin_with(subject, "seal", RELAIS_SOURCE_DIR "/tests/cases/mapping/seal.map.xml",
                            "submission.xml");
    mapping_case_run(subject);
}

static void unhex_to_file(const char *value, const char *name)
{
    size_t length = (strlen(value) - 2) / 2;
    uint8_t *bytes = malloc(length);

    assert_memory_equal(value, "\\x", 2);
    assert_non_null(bytes);
    assert_true(relais_unhex(value + 2, bytes, length));
    write_file(name, bytes, length);
    free(bytes);
}

static void check_sealed(const char *identity, const char *expected)
{
    struct mapping_case subject;
    relais_buffer opened;

    run(&subject, identity);
    if (!subject.ok)
        fail_msg("%s", subject.err.text);
    assert_int_equal(subject.output.count, 1);
    unhex_to_file(subject.output.rows[0].values[1], "sealed");
    assert_true(
        openssl("cms -decrypt -inform DER -in sealed -inkey seal.key -recip seal.crt -out opened"));
    relais_buffer_init(&opened, 1 << 20);
    read_whole("opened", &opened);
    assert_string_equal(opened.data, expected);
    assert_string_equal(subject.output.rows[0].values[2], relais_seal_key_id(secrets.seal));
    assert_int_equal(subject.output.unmapped_count, 0);
    relais_buffer_free(&opened);
    mapping_case_end(&subject);
}

static void test_answers_are_sealed(void **state)
{
    (void)state;
    check_sealed("<identity><surname> Ouédraogo </surname><given>Awa \"Mimi\"</given>"
                 "<phone>70123456</phone><village>Tanghin</village></identity>",
                 "{\"surname\":\"Ouédraogo\",\"given_names\":\"Awa \\\"Mimi\\\"\","
                 "\"phone\":\"70123456\",\"quarter\":\"Tanghin\"}");
}

static void test_absent_answers_are_left_out(void **state)
{
    (void)state;
    check_sealed("<identity><surname/><given>Awa</given><phone>  </phone></identity>",
                 "{\"given_names\":\"Awa\"}");
}

static void test_nothing_to_seal_is_null(void **state)
{
    static const char *const none[] = {"", "<identity/>",
                                       "<identity><surname> </surname></identity>"};

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct mapping_case subject;
        run(&subject, none[i]);
        assert_true(subject.ok);
        assert_null(subject.output.rows[0].values[1]);
        mapping_case_end(&subject);
    }
}

/* Two runs give other bytes, so that equal identities do not show. */
static void test_each_run_differs(void **state)
{
    struct mapping_case one, two;

    (void)state;
    run(&one, "<identity><surname>A</surname></identity>");
    run(&two, "<identity><surname>A</surname></identity>");
    assert_string_not_equal(one.output.rows[0].values[1], two.output.rows[0].values[1]);
    mapping_case_end(&one);
    mapping_case_end(&two);
}

static void check_misfit(const char *identity, const char *code, const char *path)
{
    struct mapping_case subject;

    run(&subject, identity);
    assert_false(subject.ok);
    assert_int_equal(subject.err.code, RELAIS_ERR_DATA);
    assert_string_equal(subject.misfit.code, code);
    assert_string_equal(subject.misfit.path, path);
    assert_string_equal(subject.misfit.column, "identity.person.sealed");
    mapping_case_end(&subject);
}

static void test_misfits(void **state)
{
    enum { LONG = 300 * 1024 };
    char *long_name = malloc(LONG + 64);

    (void)state;
    check_misfit("<identity><surname>A</surname><surname>B</surname></identity>", "single",
                 "/data/identity/surname[1]");
    assert_non_null(long_name);
    snprintf(long_name, LONG + 64, "<identity><surname>%0*d</surname></identity>", LONG, 1);
    check_misfit(long_name, "sealed", "/data/identity/surname");
    free(long_name);
}

/* Without a certificate the mapping is not bound: no row can come out unsealed. */
static void test_no_certificate(void **state)
{
    const relais_secrets none = {.key_version = "1"};
    relais_mapping *mapping;
    relais_error err = {0};

    (void)state;
    assert_true(
        relais_mapping_read(RELAIS_SOURCE_DIR "/tests/cases/mapping/seal.map.xml", &mapping, &err));
    assert_true(relais_mapping_suffices(mapping, &secrets, &err));
    assert_false(relais_mapping_suffices(mapping, &none, &err));
    assert_int_equal(err.code, RELAIS_ERR_CONFIG);
    assert_int_equal(err.line, 5);
    relais_error_clear(&err);
    assert_false(relais_mapping_bind(mapping, &fake_target, &none, &err));
    assert_int_equal(err.code, RELAIS_ERR_CONFIG);
    relais_mapping_free(mapping);
}

/* Nor is one that is marked sensitive, without a <seal> of its own: what is received must be. */
static void test_sensitive(void **state)
{
    const relais_secrets none = {.key_version = "1"};
    relais_mapping *mapping;
    relais_error err = {0};

    (void)state;
    assert_true(relais_mapping_read(RELAIS_SOURCE_DIR "/tests/cases/mapping/adult.map.xml",
                                    &mapping, &err));
    assert_true(relais_mapping_suffices(mapping, &secrets, &err));
    assert_false(relais_mapping_suffices(mapping, &none, &err));
    assert_int_equal(err.code, RELAIS_ERR_CONFIG);
    assert_int_equal(err.line, 1);
    assert_non_null(strstr(err.text, "[seal] certificate"));
    relais_mapping_free(mapping);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_are_sealed),
        cmocka_unit_test(test_absent_answers_are_left_out),
        cmocka_unit_test(test_nothing_to_seal_is_null),
        cmocka_unit_test(test_each_run_differs),
        cmocka_unit_test(test_misfits),
        cmocka_unit_test(test_no_certificate),
        cmocka_unit_test(test_sensitive),
    };

    return cmocka_run_group_tests_name("mapping_seal", tests, read_secrets, forget_secrets);
}
