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
    struct CMUnitTest tests[sizeof names / sizeof *names];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        tests[i] = (struct CMUnitTest){names[i], run_case, NULL, NULL, names[i]};
    return cmocka_run_group_tests_name("mapping", tests, NULL, NULL);
}
