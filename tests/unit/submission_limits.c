/*
 * Submissions that are made to cost memory or time: each is refused before it does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "openrosa/instance.h"
#include "openrosa/tags.h"
#include "xform/submission.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* clang's word for what gcc says by __SANITIZE_ADDRESS__. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif

static relais_arena *arena;
static relais_error err;

static int setup(void **state)
{
    (void)state;
    arena = relais_arena_create(64 * 1024 * 1024);
    memset(&err, 0, sizeof err);
    return arena == NULL;
}

static int teardown(void **state)
{
    (void)state;
    relais_arena_destroy(arena);
    return 0;
}

static bool try(const char *xml)
{
    relais_submission submission;
    int64_t offset;
    bool ok;

    relais_error_clear(&err);
    relais_arena_reset(arena);
    ok = relais_submission_parse(xml, strlen(xml), arena, &submission, &offset, &err);
    return ok;
}

static void parse(const char *xml)
{
    if (!try(xml))
        fail_msg("%s: %.100s", err.text, xml);
}

static void refuse(const char *xml, relais_error_code code)
{
    if (try(xml))
        fail_msg("accepted: %.100s", xml);
    if (err.code != code)
        fail_msg("%s instead: %s\n%.100s", relais_error_word(err.code), err.text, xml);
}

/* Appends `text` until the whole has `size` bytes. */
static char *filled(const char *begin, const char *text, const char *end, size_t size)
{
    char *xml = malloc(size + strlen(text) + strlen(end) + 1);
    size_t length = strlen(begin);

    assert_non_null(xml);
    memcpy(xml, begin, length);
    while (length + strlen(end) + strlen(text) <= size) {
        memcpy(xml + length, text, strlen(text));
        length += strlen(text);
    }
    memcpy(xml + length, end, strlen(end) + 1);
    return xml;
}

static long peak_kilobytes(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* Eight megabytes of the smallest nodes would be 240 MB of libxml2's, and are refused before. */
static void test_nodes(void **state)
{
    static const char *const tiny[][3] = {
        {"<d id='f'>", "<a/>", "</d>"},
        {"<d id='f'>", "<a/>x", "</d>"},
        {"<d id='f'>", "<a b='' c='' d=''/>", "</d>"},
        {"<d id='f'>", "<a xmlns:a='a' xmlns:b='b'/>", "</d>"},
        {"<d id='f'>", "<!---->", "</d>"},
        {"<d id='f'>", "<?p?>", "</d>"},
        {"<d id='f'>", "<r><a>1</a></r>", "</d>"},
    };
    long before = peak_kilobytes();

    (void)state;
    for (size_t i = 0; i < sizeof tiny / sizeof tiny[0]; i++) {
        char *xml = filled(tiny[i][0], tiny[i][1], tiny[i][2], RELAIS_SUBMISSION_XML_MAX);
        refuse(xml, RELAIS_ERR_LIMIT);
        assert_non_null(strstr(err.text, "200000 elements"));
        free(xml);
    }
#if !defined(__SANITIZE_ADDRESS__) &&                                                              \
    !__has_feature(address_sanitizer) /* which keeps what was freed */
    assert_in_range(peak_kilobytes() - before, 0, 64 * 1024);
#else
    (void)before;
#endif
}

/* libxml2 takes a time that grows with the square of an element's attributes. */
static void test_attributes(void **state)
{
    char xml[64 * 1024] = "", wide[sizeof xml];
    size_t length = 0;

    (void)state;
    for (int count = RELAIS_ATTRIBUTES_MAX - 1; count <= RELAIS_ATTRIBUTES_MAX; count++) {
        length = (size_t)snprintf(xml, sizeof xml, "<!-- < \" --><a id='f = g' ");
        for (int i = 0; i < count; i++)
            length += (size_t)snprintf(xml + length, sizeof xml - length, "a%d='\"=' ", i);
        snprintf(xml + length, sizeof xml - length, "/>");
        if (count < RELAIS_ATTRIBUTES_MAX)
            parse(xml);
        else
            refuse(xml, RELAIS_ERR_LIMIT);
    }
    assert_non_null(strstr(err.text, "100 attributes"));
    /* Not attributes: text, a comment, CDATA. */
    memset(wide, '=', sizeof wide);
    snprintf(xml, sizeof xml, "<a id='f'>%.1000s<!--%.1000s--><![CDATA[%.1000s]]></a>", wide, wide,
             wide);
    parse(xml);
}

/* In these an attribute may hide from being counted. */
static void test_other_encodings(void **state)
{
    char xml[2048];

    (void)state;
    refuse("<?xml version='1.0' encoding='UTF-7'?><a id+AD0-'f'/>", RELAIS_ERR_SYNTAX);
    refuse("\xef\xbb\xbf<?xml version='1.0' encoding='UTF-7'?><a id+AD0-'f'/>", RELAIS_ERR_SYNTAX);
    refuse("<?xml version='1.encoding' encoding='UTF-7'?><a id+AD0-'f'/>", RELAIS_ERR_SYNTAX);
    refuse("\x4c\x6f\xa7\x94\x93", RELAIS_ERR_SYNTAX);
    snprintf(xml, sizeof xml, "<?xml version='1.0' %600s encoding='UTF-7'?><a id+AD0-'f'/>", "");
    refuse(xml, RELAIS_ERR_SYNTAX);
    parse("<?xml version='1.0' encoding=\"Windows-1252\"?><a id='f'/>");
    parse("<?xml version='1.0' encoding='latin1'?><a id='f'/>");
}

static double cpu_seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* The web server's reader: a thread of the pool must not be kept by one phone. */
static void test_reader_is_quick(void **state)
{
    relais_instance_reader *reader = relais_instance_create();
    size_t length = 0, size = RELAIS_INSTANCE_SCAN_MAX;
    char *xml = malloc(size);
    const relais_instance *instance;
    double start = cpu_seconds();

    (void)state;
    assert_non_null(reader);
    length = (size_t)snprintf(xml, size, "<d id='f'><a ");
    for (unsigned i = 0; length < size - 32; i++)
        length += (size_t)snprintf(xml + length, size - length, "a%x='' ", i);
    length += (size_t)snprintf(xml + length, size - length, "/></d>");
    relais_instance_feed(reader, xml, length);
    assert_int_equal(relais_instance_finish(reader, &instance), RELAIS_INSTANCE_READ);
    assert_string_equal(instance->id.bytes, "f");
    assert_true(cpu_seconds() - start < 5); /* without the limit: minutes */
    relais_instance_destroy(reader);
    free(xml);
}

static void test_reader_and_other_encodings(void **state)
{
    static const char xml[] = "<?xml version='1.0' encoding='UTF-7'?><d id='f'/>";
    relais_instance_reader *reader = relais_instance_create();
    const relais_instance *instance;

    (void)state;
    assert_non_null(reader);
    relais_instance_feed(reader, xml, sizeof xml - 1);
    assert_int_equal(relais_instance_finish(reader, &instance), RELAIS_INSTANCE_BROKEN);
    relais_instance_destroy(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nodes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_attributes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_encodings, setup, teardown),
        cmocka_unit_test(test_reader_is_quick),
        cmocka_unit_test(test_reader_and_other_encodings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
