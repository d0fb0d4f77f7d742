/*
 * Checks: tests/cases/mapping-check/NAME.map.xml against form.xml and the fake database must
 * find what NAME.findings says.
 *
 * With RELAIS_UPDATE_CASES=1 in the environment the expected files are written instead, to
 * be read before they are committed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "fake_target.h"
#include "transform/check.h"

#include <stdio.h>
#include <stdlib.h>

#define CASES RELAIS_SOURCE_DIR "/tests/cases/mapping-check/"

enum { TEXT_MAX = 64 * 1024 };

static const char *base_name(const char *file)
{
    const char *slash = strrchr(file, '/');

    return slash == NULL ? file : slash + 1;
}

/* Sentences hold full names of files too: the tests' own folder is cut out of them. */
static void append_short(relais_buffer *out, const char *text)
{
    const char *found;

    while ((found = strstr(text, CASES)) != NULL) {
        relais_buffer_append(out, text, (size_t)(found - text));
        text = found + strlen(CASES);
    }
    relais_buffer_append_text(out, text);
}

static void note(void *context, const relais_finding *finding)
{
    relais_buffer *lines = context;

    relais_buffer_append_format(lines, "%s:%ld: %s: ", base_name(finding->file), finding->line,
                                finding->severity == RELAIS_FINDING_ERROR ? "error" : "warning");
    append_short(lines, finding->text);
    relais_buffer_append_char(lines, '\n');
}

static void find(const char *name, const relais_target *target, relais_buffer *lines)
{
    relais_arena *arena = relais_arena_create(1024 * 1024);
    relais_mapping *mapping = NULL;
    relais_form form = {0};
    relais_error err = {0};
    char file[512];

    snprintf(file, sizeof file, CASES "%s.map.xml", name);
    if (!relais_mapping_read(file, &mapping, &err) ||
        !relais_form_read(CASES "form.xml", arena, &form, &err) ||
        !relais_mapping_check(mapping, &form, target, note, lines, &err))
        fail_msg("%s:%ld: %s", err.path, err.line, err.text);
    relais_mapping_free(mapping);
    relais_arena_destroy(arena);
}

static void compare(const char *name, const relais_buffer *lines)
{
    const char *found = lines->data == NULL ? "" : lines->data;
    char file[512], expected[TEXT_MAX];
    bool is_update = getenv("RELAIS_UPDATE_CASES") != NULL;
    FILE *stream;
    size_t length;

    snprintf(file, sizeof file, CASES "%s.findings", name);
    stream = fopen(file, is_update ? "we" : "re");
    assert_non_null(stream);
    if (is_update) {
        fputs(found, stream);
    } else {
        length = fread(expected, 1, sizeof expected - 1, stream);
        expected[length] = '\0';
        assert_string_equal(found, expected);
    }
    fclose(stream);
}

static void run_case(void **state)
{
    relais_buffer lines;

    relais_buffer_init(&lines, TEXT_MAX);
    find(*state, &fake_target, &lines);
    compare(*state, &lines);
    relais_buffer_free(&lines);
}

/* Without a database, what the form alone shows is found all the same. */
static void test_no_database(void **state)
{
    relais_buffer lines;

    (void)state;
    relais_buffer_init(&lines, TEXT_MAX);
    find("database", NULL, &lines);
    assert_null(strstr(lines.data, "there is no table"));
    assert_non_null(strstr(lines.data, "nothing uses $unused"));
    relais_buffer_free(&lines);
}

/* An array column takes several choices, and all answers of a repeat: who does not know the column
 * does not call it an error. */
static void test_no_database_no_types(void **state)
{
    relais_buffer lines;

    (void)state;
    relais_buffer_init(&lines, TEXT_MAX);
    find("shapes", NULL, &lines);
    assert_null(strstr(lines.data, "holds several choices"));
    assert_null(strstr(lines.data, "error: /data/exploitation"));
    assert_non_null(strstr(lines.data, "is an array column, use <row for-each"));
    relais_buffer_free(&lines);
}

static const relais_table *fail_table(void *context, const char *name, relais_error *err)
{
    (void)context;
    (void)name;
    relais_error_set(err, RELAIS_ERR_TRANSIENT, "the database went away");
    return NULL;
}

static void test_lost_database(void **state)
{
    const relais_target lost = {NULL, fail_table, fake_member, fake_ancestor};
    relais_arena *arena = relais_arena_create(1024 * 1024);
    relais_mapping *mapping = NULL;
    relais_form form = {0};
    relais_error err = {0};
    relais_buffer lines;

    (void)state;
    relais_buffer_init(&lines, TEXT_MAX);
    assert_true(relais_mapping_read(CASES "good.map.xml", &mapping, &err));
    assert_true(relais_form_read(CASES "form.xml", arena, &form, &err));
    assert_false(relais_mapping_check(mapping, &form, &lost, note, &lines, &err));
    assert_int_equal(err.code, RELAIS_ERR_TRANSIENT);
    relais_error_clear(&err);
    assert_false(relais_mapping_bind(mapping, &lost, NULL, &err));
    assert_int_equal(err.code, RELAIS_ERR_TRANSIENT);
    relais_buffer_free(&lines);
    relais_mapping_free(mapping);
    relais_arena_destroy(arena);
}

int main(void)
{
    static char *const names[] = {"good",   "paths",  "versions", "other-form", "alternatives",
                                  "unread", "shapes", "types",    "database"};
    enum { NAMES = sizeof names / sizeof *names };
    struct CMUnitTest tests[NAMES + 3];

    for (size_t i = 0; i < NAMES; i++)
        tests[i] = (struct CMUnitTest){names[i], run_case, NULL, NULL, names[i]};
    tests[NAMES] = (struct CMUnitTest)cmocka_unit_test(test_no_database);
    tests[NAMES + 1] = (struct CMUnitTest)cmocka_unit_test(test_lost_database);
    tests[NAMES + 2] = (struct CMUnitTest)cmocka_unit_test(test_no_database_no_types);
    return cmocka_run_group_tests_name("mapping_check", tests, NULL, NULL);
}
