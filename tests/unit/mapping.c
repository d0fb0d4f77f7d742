/*
 * Mappings run: tests/cases/mapping/NAME.map.xml on NAME.xml must give NAME.rows.
 *
 * With RELAIS_UPDATE_CASES=1 in the environment the expected files are written instead, to
 * be read before they are committed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mapping_case.h"

#include "transform/mapping.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void run_case(void **state)
{
    struct mapping_case subject;
    const char *name = *state;

    mapping_case_begin(&subject, name);
    mapping_case_run(&subject);
    mapping_case_print(&subject);
    mapping_case_compare(&subject);
    mapping_case_end(&subject);
}

/* Writes the manual's first block of code that starts with `start` to a new file. */
static void write_block(const char *manual, const char *start, char *file)
{
    const char *block = strstr(manual, start), *end;
    int fd = mkstemp(file);

    assert_non_null(block);
    assert_true(fd >= 0);
    end = strstr(block, "```");
    assert_non_null(end);
    assert_int_equal(write(fd, block, (size_t)(end - block)), end - block);
    close(fd);
}

/* The worked example of the manual, as it stands there. */
static void test_manual(void **state)
{
    static char manual[64 * 1024];
    char map[] = "/tmp/relais-manual-map-XXXXXX", xml[] = "/tmp/relais-manual-xml-XXXXXX";
    FILE *stream = fopen(RELAIS_SOURCE_DIR "/transforms/README.md", "re");
    struct mapping_case subject;

    (void)state;
    assert_non_null(stream);
    manual[fread(manual, 1, sizeof manual - 1, stream)] = '\0';
    fclose(stream);
    write_block(manual, "<mapping xmlns", map);
    write_block(manual, "<data id=", xml);
    mapping_case_begin_with(&subject, "manual", map, xml);
    unlink(map);
    unlink(xml);
    mapping_case_run(&subject);
    mapping_case_print(&subject);
    mapping_case_compare(&subject);
    mapping_case_end(&subject);
}

int main(void)
{
    static char *const names[] = {"adult",
                                  "clearances",
                                  "clearances-none",
                                  "clearances-rows",
                                  "files",
                                  "functions",
                                  "lets",
                                  "misfit-array-list",
                                  "misfit-id",
                                  "misfit-length",
                                  "misfit-list",
                                  "misfit-list-other",
                                  "misfit-repeat",
                                  "misfit-repeat-absent",
                                  "misfit-required",
                                  "misfit-required-absent",
                                  "misfit-several",
                                  "misfit-token",
                                  "newest-and-arrays",
                                  "refusal",
                                  "several-blank",
                                  "tokens-of-all",
                                  "unmapped",
                                  "versions"};
    enum { NAMES = sizeof names / sizeof *names };
    struct CMUnitTest tests[NAMES + 1];

    for (size_t i = 0; i < NAMES; i++)
        tests[i] = (struct CMUnitTest){names[i], run_case, NULL, NULL, names[i]};
    tests[NAMES] = (struct CMUnitTest)cmocka_unit_test(test_manual);
    return cmocka_run_group_tests_name("mapping", tests, NULL, NULL);
}
