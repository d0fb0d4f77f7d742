/*
 * What a word on the command line names: a whole name, a beginning that only one has, nothing.
 */
#include "cli/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct row {
    const char *name;
    int number;
} row;

static const row rows[] = {{"plan", 1}, {"planned", 2}, {"status", 3}, {"sources", 4}};

static int find(const char *word)
{
    const row *found = relais_names_find(RELAIS_NAMES(rows), word);

    return found == NULL ? 0 : found->number;
}

static void a_whole_name_is_found_though_it_begins_another(void **state)
{
    (void)state;
    assert_int_equal(find("plan"), 1);
    assert_int_equal(find("planned"), 2);
}

static void a_beginning_names_the_only_one_that_has_it(void **state)
{
    (void)state;
    assert_int_equal(find("plann"), 2);
    assert_int_equal(find("st"), 3);
}

static void a_beginning_of_two_names_neither(void **state)
{
    (void)state;
    assert_int_equal(find("pl"), 0);
    assert_int_equal(find("s"), 0);
}

static void nothing_names_nothing(void **state)
{
    (void)state;
    assert_int_equal(find(""), 0);
    assert_int_equal(find("statuses"), 0);
}

static void a_misspelt_word_has_a_nearest_name(void **state)
{
    (void)state;
    assert_string_equal(relais_names_nearest(RELAIS_NAMES(rows), "statsu"), "status");
    assert_null(relais_names_nearest(RELAIS_NAMES(rows), "quarantine"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_name_is_found_though_it_begins_another),
        cmocka_unit_test(a_beginning_names_the_only_one_that_has_it),
        cmocka_unit_test(a_beginning_of_two_names_neither),
        cmocka_unit_test(nothing_names_nothing),
        cmocka_unit_test(a_misspelt_word_has_a_nearest_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
