/*
 * Mappings against submissions made to hurt: many repeats, deep or wide answers, expressions
 * that would take for ever; memory that ends; and how long an ordinary run takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_target.h"
#include "mapping_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define HEAD "<mapping xmlns=\"urn:relais:mapping:1\" form=\"f\">"

enum { XML_MAX = 8 * 1024 * 1024, ARENA_MAX = 64 * 1024 * 1024 };

/* The outcome of a mapping's text on a document's text. */
struct outcome {
    bool ok;
    relais_error err;
    relais_misfit misfit;
    relais_output output;
};

static relais_mapping *read_text(const char *text)
{
    char file[] = "/tmp/relais-mapping-XXXXXX";
    relais_mapping *mapping = NULL;
    relais_error err = {0};
    int fd = mkstemp(file);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    if (!relais_mapping_read(file, &mapping, &err) ||
        !relais_mapping_bind(mapping, &fake_target, NULL, &err))
        fail_msg("%ld: %s", err.line, err.text);
    unlink(file);
    return mapping;
}

static void run_text(const char *map, const relais_buffer *xml, relais_arena *arena,
                     struct outcome *out)
{
    relais_mapping *mapping = read_text(map);
    relais_submission submission = {0};

    memset(out, 0, sizeof *out);
    submission.doc = xmlReadMemory(xml->data, (int)xml->length, NULL, NULL, XML_PARSE_NONET);
    assert_non_null(submission.doc);
    out->ok = relais_mapping_run(mapping, &submission, &mapping_case_facts, &fake_target, arena,
                                 &out->output, &out->misfit, &out->err);
    xmlFreeDoc(submission.doc);
    relais_mapping_free(mapping);
}

static void repeat(relais_buffer *xml, const char *before, const char *item, int count,
                   const char *after)
{
    relais_buffer_init(xml, XML_MAX);
    relais_buffer_append_text(xml, before);
    for (int i = 0; i < count; i++)
        relais_buffer_append_text(xml, item);
    relais_buffer_append_text(xml, after);
    assert_int_equal(xml->failed, RELAIS_ERR_NONE);
}

static void expect_misfit(const char *map, const relais_buffer *xml, const char *code)
{
    relais_arena *arena = relais_arena_create(ARENA_MAX);
    struct outcome outcome;

    run_text(map, xml, arena, &outcome);
    assert_false(outcome.ok);
    assert_int_equal(outcome.err.code, RELAIS_ERR_DATA);
    assert_string_equal(outcome.misfit.code, code);
    relais_arena_destroy(arena);
}

static void test_many_rows(void **state)
{
    static const char map[] =
        HEAD "<row table='test.types' for-each='r'><column name='t' select='a'/></row></mapping>";
    relais_arena *arena = relais_arena_create(ARENA_MAX);
    struct outcome outcome;
    relais_buffer xml;

    (void)state;
    repeat(&xml, "<d>", "<r><a>1</a></r>", 10000, "</d>");
    run_text(map, &xml, arena, &outcome);
    assert_true(outcome.ok);
    assert_int_equal(outcome.output.count, 10000);
    assert_string_equal(outcome.output.rows[9999].paths[0], "/d/r[10000]/a");
    relais_buffer_free(&xml);
    relais_arena_destroy(arena);
    repeat(&xml, "<d>", "<r><a>1</a></r>", 10001, "</d>");
    expect_misfit(map, &xml, "rows");
    relais_buffer_free(&xml);
}

static void test_many_tokens(void **state)
{
    relais_buffer xml;

    (void)state;
    relais_buffer_init(&xml, XML_MAX);
    relais_buffer_append_text(&xml, "<d><a>");
    for (int i = 0; i < 2000; i++)
        relais_buffer_append_format(&xml, "t%d ", i);
    relais_buffer_append_text(&xml, "</a></d>");
    expect_misfit(HEAD "<row table='test.types' tokens='a'><column name='t' select='$token'/>"
                       "</row></mapping>",
                  &xml, "tokens");
    relais_buffer_free(&xml);
}

/* A path through all repeats, asked for in each repeat. */
static void test_operations(void **state)
{
    relais_buffer xml;

    (void)state;
    repeat(&xml, "<d>", "<r><a>1</a></r>", 9000, "</d>");
    expect_misfit(HEAD "<row table='test.types' for-each='r'>"
                       "<column name='t' select=\"count(//a[. = 'x'])\"/></row></mapping>",
                  &xml, "expression");
    expect_misfit(HEAD "<row table='test.types' for-each='r'>"
                       "<column name='t' select=\"/d/r/b\"/></row></mapping>",
                  &xml, "expression");
    relais_buffer_free(&xml);
}

static void test_many_unknown(void **state)
{
    relais_arena *arena = relais_arena_create(ARENA_MAX);
    struct outcome outcome;
    relais_buffer xml;

    (void)state;
    relais_buffer_init(&xml, XML_MAX);
    relais_buffer_append_text(&xml, "<d>");
    for (int i = 0; i < 100000; i++)
        relais_buffer_append_format(&xml, "<n%d>1</n%d>", i % 300, i % 300);
    relais_buffer_append_text(&xml, "</d>");
    run_text(HEAD "</mapping>", &xml, arena, &outcome);
    assert_true(outcome.ok);
    assert_int_equal(outcome.output.unmapped_count, 200);
    assert_string_equal(outcome.output.unmapped[199], "/d/n199");
    relais_buffer_free(&xml);
    relais_arena_destroy(arena);
}

static void test_little_memory(void **state)
{
    (void)state;
    for (size_t size = 16; size < 40000; size += size / 8 + 16) {
        struct mapping_case subject;
        mapping_case_begin(&subject, "adult");
        relais_arena_destroy(subject.arena);
        subject.arena = relais_arena_create(size);
        mapping_case_run(&subject);
        assert_true(subject.ok || subject.err.code == RELAIS_ERR_LIMIT);
        mapping_case_end(&subject);
    }
}

/* A mapping serves one submission after another, also after a misfit, and is bound again. */
static void test_again(void **state)
{
    struct mapping_case subject;
    relais_error err = {0};

    (void)state;
    mapping_case_begin(&subject, "misfit-repeat");
    for (int i = 0; i < 3; i++) {
        relais_error_clear(&subject.err);
        mapping_case_run(&subject);
        assert_string_equal(subject.misfit.path, "/data/exploitation[2]/start");
        assert_true(relais_mapping_bind(subject.mapping, &fake_target,
                                        mapping_case_default_secrets(), &err));
    }
    mapping_case_end(&subject);
}

static void test_unbound(void **state)
{
    relais_mapping *mapping;
    relais_submission submission = {0};
    struct outcome outcome = {0};
    relais_error err = {0};
    relais_arena *arena = relais_arena_create(1024);

    (void)state;
    assert_true(relais_mapping_read(RELAIS_SOURCE_DIR "/tests/cases/mapping/adult.map.xml",
                                    &mapping, &err));
    assert_string_equal(relais_mapping_form(mapping), "ident");
    assert_true(relais_mapping_is_sensitive(mapping));
    assert_true(relais_mapping_knows_version(mapping, "1"));
    assert_false(relais_mapping_knows_version(mapping, "3"));
    submission.doc = xmlReadDoc((const xmlChar *)"<d/>", NULL, NULL, 0);
    assert_false(relais_mapping_run(mapping, &submission, &mapping_case_facts, &fake_target, arena,
                                    &outcome.output, &outcome.misfit, &outcome.err));
    assert_int_equal(outcome.err.code, RELAIS_ERR_CONFIG);
    xmlFreeDoc(submission.doc);
    relais_mapping_free(mapping);
    relais_arena_destroy(arena);
}

/* Printed, never judged: a test's machine may be busy. */
static void print_time(void **state)
{
    enum { RUNS = 2000 };
    struct mapping_case subject;
    struct timespec start, end;
    double micros;

    (void)state;
    mapping_case_begin(&subject, "adult");
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < RUNS; i++) {
        relais_arena_reset(subject.arena);
        mapping_case_run(&subject);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    micros =
        (double)(end.tv_sec - start.tv_sec) * 1e6 + (double)(end.tv_nsec - start.tv_nsec) / 1e3;
    print_message("one run: %.1f microseconds, %zu rows\n", micros / RUNS, subject.output.count);
    mapping_case_end(&subject);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_rows),     cmocka_unit_test(test_many_tokens),
        cmocka_unit_test(test_operations),    cmocka_unit_test(test_many_unknown),
        cmocka_unit_test(test_little_memory), cmocka_unit_test(test_again),
        cmocka_unit_test(test_unbound),       cmocka_unit_test(print_time),
    };

    return cmocka_run_group_tests_name("mapping_limits", tests, NULL, NULL);
}
