/*
 * Mappings that cannot be used: each file of tests/cases/mapping-bad must be refused, by
 * reading or by binding, with the line and the sentence of its last comment:
 *
 *   <!-- expected: LINE: SENTENCE -->
 *
 * With RELAIS_UPDATE_CASES=1 in the environment the comments are written instead, to be read
 * before they are committed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_target.h"
#include "transform/mapping.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define CASES RELAIS_SOURCE_DIR "/tests/cases/mapping-bad/"

static const char mark[] = "<!-- expected: ";

enum { FEWEST = 50, TEXT_MAX = 16 * 1024, SENTENCE_MAX = 1024 };

/* The refusal as "LINE: SENTENCE"; "" when the mapping is good. */
static void refusal_of(const char *file, char *out, size_t size)
{
    relais_mapping *mapping = NULL;
    relais_error err = {0};
    bool ok = relais_mapping_read(file, &mapping, &err) &&
              relais_mapping_bind(mapping, &fake_target, NULL, &err);

    *out = '\0';
    if (!ok) {
        assert_string_equal(err.path, file);
        snprintf(out, size, "%ld: %s", err.line, err.text);
    }
    relais_mapping_free(mapping);
}

static void load(const char *file, char *out, size_t size)
{
    FILE *stream = fopen(file, "re");
    size_t length;

    assert_non_null(stream);
    length = fread(out, 1, size - 1, stream);
    out[length] = '\0';
    fclose(stream);
}

static void update(const char *file, const char *refusal)
{
    FILE *stream = fopen(file, "ae");

    assert_non_null(stream);
    fprintf(stream, "%s%s -->\n", mark, refusal);
    fclose(stream);
}

/* All files are tried before the test fails, so that one run shows all that is wrong. */
static bool check_file(const char *file)
{
    char text[TEXT_MAX], refusal[SENTENCE_MAX];
    char *expected, *end;

    refusal_of(file, refusal, sizeof refusal);
    load(file, text, sizeof text);
    expected = strstr(text, mark);
    if (expected == NULL && getenv("RELAIS_UPDATE_CASES") != NULL) {
        update(file, refusal);
        return true;
    }
    assert_non_null(expected);
    expected += strlen(mark);
    end = strstr(expected, " -->");
    assert_non_null(end);
    *end = '\0';
    if (strcmp(refusal, expected) != 0)
        print_error("%s\n  gives    %s\n  expected %s\n", file, refusal, expected);
    return strcmp(refusal, expected) == 0;
}

static void test_all(void **state)
{
    DIR *directory = opendir(CASES);
    struct dirent *entry;
    int count = 0, bad = 0;

    (void)state;
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        char file[512];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, CASES "%s", entry->d_name);
        bad += !check_file(file);
        count++;
    }
    closedir(directory);
    assert_int_equal(bad, 0);
    assert_true(count >= FEWEST);
}

static void test_no_file(void **state)
{
    relais_mapping *mapping;
    relais_error err = {0};

    (void)state;
    assert_false(relais_mapping_read(CASES "none.xml", &mapping, &err));
    assert_int_equal(err.code, RELAIS_ERR_SYSTEM);
    assert_string_equal(err.path, CASES "none.xml");
    assert_null(mapping);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all), cmocka_unit_test(test_no_file)};

    return cmocka_run_group_tests_name("mapping_bad", tests, NULL, NULL);
}
