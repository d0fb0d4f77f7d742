/*
 * Text helpers: UTF-8 by RFC 3629's table, trimming, hex, percent, numbers, times.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"

#include <string.h>

static bool is_utf8(const char *text)
{
    return relais_utf8_valid(text, strlen(text));
}

static void test_utf8_valid(void **state)
{
    static const char *const good[] = {"",
                                       "ascii",
                                       "\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "Ou\u00e9draogo \U0001F600"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!is_utf8(good[i]))
            fail_msg("good text %zu was refused", i);
    assert_true(relais_utf8_valid("a\0b", 3));
}

static void test_utf8_invalid(void **state)
{
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf" /* overlong */,
                                      "\xe0\x9f\xbf" /* overlong */,
                                      "\xed\xa0\x80" /* surrogate */,
                                      "\xed\xbf\xbf",
                                      "\xf0\x8f\xbf\xbf" /* overlong */,
                                      "\xf4\x90\x80\x80" /* past U+10FFFF */,
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xc3",
                                      "\xc3(",
                                      "\xe2\x82",
                                      "\xe2\x82(",
                                      "\xf0\x9f\x98",
                                      "\xf0\x9f\x98(",
                                      "a\xe9"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (is_utf8(bad[i]))
            fail_msg("bad text %zu was accepted", i);
    assert_false(relais_utf8_valid("\xc3\xa9", 1)); /* the length counts, not the NUL */
}

static void test_utf8_count(void **state)
{
    (void)state;
    assert_int_equal(relais_utf8_count("", 0), 0);
    assert_int_equal(relais_utf8_count("d\xc3\xa9j\xc3\xa0 \xf0\x9f\x98\x80", 11), 6);
}

static void assert_trimmed(const char *text, const char *expected)
{
    size_t length = strlen(text);

    relais_trim(&text, &length);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(text, expected, length);
}

static void test_trim(void **state)
{
    (void)state;
    assert_trimmed("", "");
    assert_trimmed(" \t\r\n", "");
    assert_trimmed("a", "a");
    assert_trimmed(" a b\n", "a b");
    assert_trimmed("\xc2\xa0x\xc2\xa0", "\xc2\xa0x\xc2\xa0"); /* no XML white space */
    assert_trimmed("\v\f", "\v\f");
}

static void test_hex_both_ways(void **state)
{
    static const uint8_t bytes[] = {0x00, 0x9f, 0xff, 0x1a};
    uint8_t back[4];
    char text[9];

    (void)state;
    relais_hex(bytes, sizeof bytes, text);
    assert_string_equal(text, "009fff1a");
    assert_true(relais_unhex("009FfF1a", back, 4));
    assert_memory_equal(back, bytes, 4);
    assert_false(relais_unhex("009fff1", back, 4));
    assert_false(relais_unhex("009fff1a0", back, 4));
    assert_false(relais_unhex("009fff1g", back, 4));
    assert_false(relais_unhex("", back, 4));
    assert_true(relais_unhex("", back, 0));
}

static void test_percent_encode(void **state)
{
    relais_buffer out;

    (void)state;
    relais_buffer_init(&out, 100);
    relais_append_percent(&out, "aZ09-._~ /?\xc3\xa9%\0", 15);
    assert_string_equal(out.data, "aZ09-._~%20%2F%3F%C3%A9%25%00");
    relais_buffer_free(&out);
}

static void assert_decoded(const char *text, const char *expected)
{
    char copy[64];
    size_t length;

    memset(copy, 0, sizeof copy);
    memcpy(copy, text, strlen(text));
    length = relais_percent_decode(copy, strlen(copy));
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(copy, expected, length);
}

static void test_percent_decode(void **state)
{
    char nul[] = "a%00b";

    (void)state;
    assert_decoded("", "");
    assert_decoded("a+b%20%c3%A9", "a+b \xc3\xa9");
    assert_decoded("100%", "100%");
    assert_decoded("%4", "%4");
    assert_decoded("%4g%41", "%4gA");
    assert_decoded("%2541", "%41"); /* once, not twice */
    assert_int_equal(relais_percent_decode(nul, 5), 3);
    assert_memory_equal(nul, "a\0b", 3);
}

static void test_numbers(void **state)
{
    uint64_t n = 7;

    (void)state;
    assert_true(relais_parse_number("0", 0, &n));
    assert_int_equal(n, 0);
    assert_true(relais_parse_number("00255", 255, &n));
    assert_int_equal(n, 255);
    assert_false(relais_parse_number("256", 255, &n));
    assert_false(relais_parse_number("9", 5, &n));
    assert_true(relais_parse_number("18446744073709551615", UINT64_MAX, &n));
    assert_true(n == UINT64_MAX);
    assert_false(relais_parse_number("18446744073709551616", UINT64_MAX, &n));
    assert_false(relais_parse_number("", 10, &n));
    assert_false(relais_parse_number("-1", 10, &n));
    assert_false(relais_parse_number("+1", 10, &n));
    assert_false(relais_parse_number(" 1", 10, &n));
    assert_false(relais_parse_number("1 ", 10, &n));
    assert_false(relais_parse_number("0x1", 10, &n));
}

static void test_times(void **state)
{
    const struct timespec zero = {0, 0};
    const struct timespec leap = {.tv_sec = 1709164799, .tv_nsec = 999999999};
    const struct timespec before = {.tv_sec = -1, .tv_nsec = 1000000};
    char text[RELAIS_TIME_TEXT_SIZE];

    (void)state;
    relais_time_format(&zero, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    relais_time_format(&leap, text);
    assert_string_equal(text, "2024-02-28T23:59:59.999Z");
    relais_time_format(&before, text);
    assert_string_equal(text, "1969-12-31T23:59:59.001Z");
    relais_time_now(text);
    assert_int_equal(strlen(text), RELAIS_TIME_TEXT_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_valid),     cmocka_unit_test(test_utf8_invalid),
        cmocka_unit_test(test_utf8_count),     cmocka_unit_test(test_trim),
        cmocka_unit_test(test_hex_both_ways),  cmocka_unit_test(test_percent_encode),
        cmocka_unit_test(test_percent_decode), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
