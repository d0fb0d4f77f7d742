/*
 * The buffer and the arena: their limits hold to the byte, and clean-ups run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buffer.h"

#include <string.h>

static void test_buffer_holds_its_maximum(void **state)
{
    relais_buffer buffer;
    relais_error err = {0};

    (void)state;
    relais_buffer_init(&buffer, 5);
    assert_null(buffer.data);
    relais_buffer_append(&buffer, "abcde", 5);
    assert_true(relais_buffer_check(&buffer, "it", &err));
    assert_string_equal(buffer.data, "abcde");
    relais_buffer_append_char(&buffer, 'f');
    assert_false(relais_buffer_check(&buffer, "the list", &err));
    assert_int_equal(err.code, RELAIS_ERR_LIMIT);
    assert_string_equal(err.text, "the list is larger than 5 bytes");
    assert_string_equal(buffer.data, "abcde");
    relais_buffer_free(&buffer);
}

static void test_buffer_stays_failed(void **state)
{
    relais_buffer buffer;

    (void)state;
    relais_buffer_init(&buffer, 3);
    relais_buffer_append_text(&buffer, "abcd");
    relais_buffer_append_text(&buffer, "x"); /* would fit, but something is missing before it */
    assert_int_equal(buffer.length, 0);
    assert_int_equal(buffer.failed, RELAIS_ERR_LIMIT);
    assert_null(relais_buffer_extend(&buffer, 1));
    relais_buffer_reset(&buffer);
    relais_buffer_append_text(&buffer, "x");
    assert_string_equal(buffer.data, "x");
    relais_buffer_free(&buffer);
    assert_int_equal(buffer.maximum, 3);
}

static void test_buffer_grows_to_an_odd_maximum(void **state)
{
    enum { MAXIMUM = 100003 };
    relais_buffer buffer;

    (void)state;
    relais_buffer_init(&buffer, MAXIMUM);
    for (size_t i = 0; i < MAXIMUM; i++)
        relais_buffer_append_char(&buffer, 'x');
    assert_int_equal(buffer.failed, RELAIS_ERR_NONE);
    assert_int_equal(buffer.length, MAXIMUM);
    assert_true(buffer.capacity <= MAXIMUM + 1);
    assert_int_equal(buffer.data[MAXIMUM], '\0');
    relais_buffer_append_char(&buffer, 'x');
    assert_int_equal(buffer.failed, RELAIS_ERR_LIMIT);
    relais_buffer_free(&buffer);
}

static void test_buffer_format(void **state)
{
    relais_buffer buffer;
    char text[300];

    (void)state;
    memset(text, 'y', sizeof text);
    text[299] = '\0';
    relais_buffer_init(&buffer, 320);
    relais_buffer_append_format(&buffer, "%d-%s", 42, text);
    assert_int_equal(buffer.length, 302);
    assert_memory_equal(buffer.data, "42-y", 4);
    relais_buffer_append_format(&buffer, "%s", text);
    assert_int_equal(buffer.failed, RELAIS_ERR_LIMIT);
    assert_int_equal(buffer.length, 302);
    relais_buffer_free(&buffer);
}

static void test_buffer_xml(void **state)
{
    relais_buffer buffer;

    (void)state;
    relais_buffer_init(&buffer, 200);
    relais_buffer_append_xml(&buffer, "<a b=\"c\" d='e'>&\x01\t\n\xc3\xa9");
    assert_string_equal(buffer.data, "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;"
                                     "\xef\xbf\xbd\t\n\xc3\xa9");
    relais_buffer_free(&buffer);
}

static void test_buffer_extend(void **state)
{
    relais_buffer buffer;
    char *place;

    (void)state;
    relais_buffer_init(&buffer, 10);
    relais_buffer_append_text(&buffer, "ab");
    place = relais_buffer_extend(&buffer, 3);
    assert_non_null(place);
    memcpy(place, "cde", 3);
    assert_string_equal(buffer.data, "abcde");
    assert_null(relais_buffer_extend(&buffer, SIZE_MAX));
    relais_buffer_free(&buffer);
}

static void test_arena_limit(void **state)
{
    relais_arena *arena = relais_arena_create(1024);
    relais_error err = {0};

    (void)state;
    assert_non_null(arena);
    assert_non_null(relais_arena_alloc(arena, 1024));
    assert_null(relais_arena_alloc(arena, 1));
    assert_false(relais_arena_error(arena, &err));
    assert_int_equal(err.code, RELAIS_ERR_LIMIT);
    assert_null(relais_arena_alloc(arena, SIZE_MAX));
    assert_null(relais_arena_copy(arena, "x", SIZE_MAX));
    relais_arena_reset(arena);
    assert_non_null(relais_arena_alloc(arena, 1024));
    relais_arena_destroy(arena);
    relais_arena_destroy(NULL);
}

/* Many small requests must count too: the limit is on what is held, not on what was said. */
static void test_arena_counts_small_requests(void **state)
{
    relais_arena *arena = relais_arena_create(64 * 1024);
    size_t count = 0;

    (void)state;
    while (relais_arena_alloc(arena, 1) != NULL)
        count++;
    assert_in_range(count, 1000, 64 * 1024 / 16);
    relais_arena_destroy(arena);
}

static void test_arena_zeroes_and_aligns(void **state)
{
    relais_arena *arena = relais_arena_create(1024 * 1024);

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (size_t size = 0; size < 100; size++) {
            unsigned char *bytes = relais_arena_alloc(arena, size);
            assert_non_null(bytes);
            assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(bytes[i], 0);
            memset(bytes, 0xff, size);
        }
        assert_non_null(relais_arena_alloc(arena, 50000)); /* a block of its own */
        relais_arena_reset(arena);
    }
    relais_arena_destroy(arena);
}

static void test_arena_texts(void **state)
{
    relais_arena *arena = relais_arena_create(1000);

    (void)state;
    assert_memory_equal(relais_arena_copy(arena, "a\0b", 3), "a\0b", 4);
    assert_string_equal(relais_arena_text(arena, "text"), "text");
    assert_string_equal(relais_arena_format(arena, "%s-%d", "n", 7), "n-7");
    assert_string_equal(relais_arena_copy(arena, NULL, 0), "");
    assert_null(relais_arena_format(arena, "%2000d", 7));
    relais_arena_destroy(arena);
}

struct trace {
    char text[16];
};

struct noted {
    struct trace *trace;
    char name;
};

static void note(void *data)
{
    const struct noted *noted = data;
    size_t length = strlen(noted->trace->text);

    noted->trace->text[length] = noted->name;
    noted->trace->text[length + 1] = '\0';
}

static void test_arena_cleanups_newest_first(void **state)
{
    relais_arena *arena = relais_arena_create(10000);
    struct trace trace = {""};
    struct noted a = {&trace, 'a'}, b = {&trace, 'b'}, c = {&trace, 'c'};

    (void)state;
    assert_true(relais_arena_cleanup(arena, note, &a));
    assert_true(relais_arena_cleanup(arena, note, &b));
    relais_arena_reset(arena);
    assert_string_equal(trace.text, "ba");
    assert_true(relais_arena_cleanup(arena, note, &c));
    relais_arena_destroy(arena);
    assert_string_equal(trace.text, "bac"); /* each once */
}

static void test_arena_cleanup_that_does_not_fit_runs(void **state)
{
    relais_arena *arena = relais_arena_create(1);
    struct trace trace = {""};
    struct noted a = {&trace, 'a'};

    (void)state;
    assert_false(relais_arena_cleanup(arena, note, &a));
    assert_string_equal(trace.text, "a");
    relais_arena_destroy(arena);
    assert_string_equal(trace.text, "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buffer_holds_its_maximum),
        cmocka_unit_test(test_buffer_stays_failed),
        cmocka_unit_test(test_buffer_grows_to_an_odd_maximum),
        cmocka_unit_test(test_buffer_format),
        cmocka_unit_test(test_buffer_xml),
        cmocka_unit_test(test_buffer_extend),
        cmocka_unit_test(test_arena_limit),
        cmocka_unit_test(test_arena_counts_small_requests),
        cmocka_unit_test(test_arena_zeroes_and_aligns),
        cmocka_unit_test(test_arena_texts),
        cmocka_unit_test(test_arena_cleanups_newest_first),
        cmocka_unit_test(test_arena_cleanup_that_does_not_fit_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
