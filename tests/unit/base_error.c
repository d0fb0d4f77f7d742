/*
 * The error value keeps the first cause; log lines stay one line and quote what must be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void test_first_error_stays(void **state)
{
    relais_error err = {0};

    (void)state;
    assert_false(relais_error_set(&err, RELAIS_ERR_DATA, "first %d", 1));
    assert_false(relais_error_set(&err, RELAIS_ERR_LIMIT, "second"));
    assert_false(relais_error_system(&err, ENOENT, "path", "third"));
    assert_int_equal(err.code, RELAIS_ERR_DATA);
    assert_string_equal(err.text, "first 1");
    assert_int_equal(err.sys, 0);
    assert_string_equal(err.path, "");
    relais_error_clear(&err);
    assert_false(relais_error_set(&err, RELAIS_ERR_LIMIT, "second"));
    assert_string_equal(err.text, "second");
    assert_false(relais_error_set(NULL, RELAIS_ERR_LIMIT, "nobody asks"));
    relais_error_at(NULL, "x", 1);
    relais_error_clear(NULL);
}

static void test_place_is_kept(void **state)
{
    relais_error err = {0};

    (void)state;
    relais_error_set(&err, RELAIS_ERR_SYNTAX, "x");
    relais_error_at(&err, NULL, 7);
    relais_error_at(&err, "a.xml", 0);
    relais_error_at(&err, "b.xml", 9);
    assert_string_equal(err.path, "a.xml");
    assert_int_equal(err.line, 7);
}

static void assert_formatted(const relais_error *err, const char *expected)
{
    char text[1024];

    assert_string_equal(relais_error_format(err, text, sizeof text), expected);
}

static void test_format(void **state)
{
    relais_error err = {0};

    (void)state;
    relais_error_set(&err, RELAIS_ERR_SYNTAX, "it is cut");
    assert_formatted(&err, "it is cut");
    relais_error_at(&err, "f.xml", 0);
    assert_formatted(&err, "f.xml: it is cut");
    relais_error_at(&err, NULL, 3);
    assert_formatted(&err, "f.xml:3: it is cut");
    relais_error_clear(&err);
    relais_error_system(&err, ENOENT, "d", "it cannot be opened");
    assert_formatted(&err, "d: it cannot be opened: No such file or directory");
    relais_error_clear(&err);
    relais_error_set(&err, RELAIS_ERR_DATABASE, "refused");
    memcpy(err.sqlstate, "23505", 6);
    assert_formatted(&err, "refused (SQLSTATE 23505)");
}

static void test_long_texts_are_cut(void **state)
{
    relais_error err = {0};
    char text[5000], out[10];

    (void)state;
    memset(text, 'z', sizeof text);
    text[sizeof text - 1] = '\0';
    relais_error_system(&err, ENOENT, text, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_int_equal(strlen(err.path), sizeof err.path - 1);
    relais_error_format(&err, out, sizeof out);
    assert_int_equal(strlen(out), 9);
}

static void test_every_code_has_a_word(void **state)
{
    (void)state;
    for (int code = RELAIS_ERR_NONE; code <= RELAIS_ERR_TRANSIENT; code++) {
        assert_non_null(relais_error_word((relais_error_code)code));
        for (int other = 0; other < code; other++)
            assert_string_not_equal(relais_error_word((relais_error_code)code),
                                    relais_error_word((relais_error_code)other));
    }
}

/* What relais_log wrote, with standard error turned into a pipe for one line. */
#define LOGGED(out, ...)                                                                           \
    do {                                                                                           \
        int kept_ = dup(STDERR_FILENO), ends_[2];                                                  \
        ssize_t n_;                                                                                \
        assert_int_equal(pipe(ends_), 0);                                                          \
        dup2(ends_[1], STDERR_FILENO);                                                             \
        relais_log(__VA_ARGS__);                                                                   \
        dup2(kept_, STDERR_FILENO);                                                                \
        close(kept_);                                                                              \
        close(ends_[1]);                                                                           \
        n_ = read(ends_[0], (out), sizeof(out) - 1);                                               \
        close(ends_[0]);                                                                           \
        assert_true(n_ >= 0);                                                                      \
        (out)[n_] = '\0';                                                                          \
    } while (0)

static void test_log_line(void **state)
{
    char line[16384];

    (void)state;
    LOGGED(line, RELAIS_LOG_INFO, "parcel.delivered", "form", "f", "why", "a \"b\"\nc\x01", "none",
           (const char *)NULL, "empty", "", NULL);
    assert_string_equal(line + 24, " level=info event=parcel.delivered form=f "
                                   "why=\"a \\\"b\\\"\\x0ac\\x01\" none=- empty=\"\"\n");
}

static void test_log_level(void **state)
{
    char line[16384];

    (void)state;
    LOGGED(line, RELAIS_LOG_DEBUG, "quiet", NULL);
    assert_string_equal(line, "");
    relais_log_set_level(RELAIS_LOG_DEBUG);
    LOGGED(line, RELAIS_LOG_DEBUG, "spoken", NULL);
    assert_non_null(strstr(line, "level=debug event=spoken\n"));
    relais_log_set_level(RELAIS_LOG_INFO);
}

static void test_log_long_line_ends(void **state)
{
    char line[16384], text[10000];

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    LOGGED(line, RELAIS_LOG_WARN, "long", "text", text, NULL);
    assert_in_range(strlen(line), 8000, 8 * 1024);
    assert_int_equal(line[strlen(line) - 1], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_error_stays),
        cmocka_unit_test(test_place_is_kept),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_every_code_has_a_word),
        cmocka_unit_test(test_log_line),
        cmocka_unit_test(test_log_level),
        cmocka_unit_test(test_log_long_line_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
