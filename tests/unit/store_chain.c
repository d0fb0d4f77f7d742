/*
 * Which version of a record is current, without a database.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/chain.h"

#include <stdio.h>
#include <string.h>

static relais_version make(const char *instance, const char *deprecated)
{
    relais_version version = {.instance = instance, .deprecated = deprecated, .is_loadable = true};

    return version;
}

/* "c" current, "s" superseded, "w" waiting, "x" conflict, each with its root. */
static void assert_roles(relais_version *versions, size_t count, const char *expected)
{
    static const char letters[] = {'c', 's', 'w', 'x'};
    char got[512] = "";

    relais_chain_resolve(versions, count);
    for (size_t i = 0; i < count; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%c:%s", i == 0 ? "" : " ",
                 letters[versions[i].role], versions[i].root);
    assert_string_equal(got, expected);
}

static void single_version_is_current(void **state)
{
    relais_version v[] = {make("a", "")};

    (void)state;
    assert_roles(v, 1, "c:a");
}

static void last_of_a_chain_is_current_wherever_it_stands(void **state)
{
    relais_version forward[] = {make("a", ""), make("b", "a"), make("c", "b")};
    relais_version backward[] = {make("c", "b"), make("b", "a"), make("a", "")};

    (void)state;
    assert_roles(forward, 3, "s:a s:a c:a");
    assert_roles(backward, 3, "c:a s:a s:a");
}

static void unknown_first_version_names_the_record(void **state)
{
    relais_version v[] = {make("c", "b")};
    relais_version fork[] = {make("b1", "a"), make("b2", "a")};

    (void)state;
    assert_roles(v, 1, "c:b");
    assert_roles(fork, 2, "c:a x:a");
}

static void later_of_two_edits_is_a_conflict_with_all_that_follows_it(void **state)
{
    relais_version v[] = {make("a", ""), make("b", "a"), make("x", "a"), make("y", "x"),
                          make("c", "b")};

    (void)state;
    assert_roles(v, 5, "s:a s:a x:a x:a c:a");
}

static void later_content_under_one_name_is_a_conflict(void **state)
{
    relais_version v[] = {make("a", ""), make("a", ""), make("b", "a")};

    (void)state;
    assert_roles(v, 3, "s:a x:a c:a");
}

static void copy_of_a_server_gives_way_to_the_original_whichever_came_first(void **state)
{
    relais_version after[] = {make("a", ""), make("a", ""), make("b", "a")};
    relais_version before[] = {make("a", ""), make("a", ""), make("a", "")};
    relais_version alone[] = {make("a", ""), make("a", ""), make("a", "")};

    (void)state;
    after[1].is_copy = true;
    assert_roles(after, 3, "s:a s:a c:a");
    before[0].is_copy = true;
    assert_roles(before, 3, "s:a c:a x:a");
    alone[0].is_copy = alone[1].is_copy = alone[2].is_copy = true;
    assert_roles(alone, 3, "c:a x:a x:a");
}

static void copy_stands_while_the_original_cannot_be_read(void **state)
{
    relais_version v[] = {make("a", ""), make("a", "")};

    (void)state;
    v[0].is_suspect = true;
    v[0].is_loadable = false;
    v[1].is_copy = true;
    assert_roles(v, 2, "x:a c:a");
}

static void version_that_cannot_be_loaded_leaves_the_one_before_current(void **state)
{
    relais_version v[] = {make("a", ""), make("b", "a"), make("c", "b")};

    (void)state;
    v[2].is_loadable = false;
    assert_roles(v, 3, "s:a c:a w:a");
    v[1].is_loadable = false;
    assert_roles(v, 3, "c:a w:a w:a");
    v[0].is_loadable = false;
    assert_roles(v, 3, "w:a w:a w:a");
    v[2].is_loadable = true; /* a link that is bad itself still links */
    assert_roles(v, 3, "s:a s:a c:a");
}

static void quarantined_edit_gives_way_to_another(void **state)
{
    relais_version v[] = {make("a", ""), make("b", "a"), make("c", "a")};

    (void)state;
    v[1].is_loadable = false;
    v[1].is_suspect = true;
    assert_roles(v, 3, "s:a x:a c:a");
}

static void circle_ends_and_has_one_current(void **state)
{
    relais_version v[] = {make("b", "a"), make("a", "b")};
    relais_version self[] = {make("a", "a")};
    size_t current = 0;

    (void)state;
    relais_chain_resolve(v, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(v[i].root, "a");
        current += v[i].role == RELAIS_ROLE_CURRENT;
    }
    assert_int_equal(current, 1);
    assert_roles(self, 1, "c:a");
}

static void two_trees_in_one_look_are_two_records(void **state)
{
    relais_version v[] = {make("a", ""), make("m", ""), make("b", "a"), make("b", "m")};

    (void)state;
    assert_roles(v, 4, "s:a c:m c:a x:a");
}

static void chosen_version_stands_before_its_rivals(void **state)
{
    relais_version fork[] = {make("a", ""), make("b", "a"), make("x", "a")};
    relais_version same[] = {make("a", ""), make("a", "")};

    (void)state;
    fork[2].choice = 1;
    assert_roles(fork, 3, "s:a x:a c:a");
    fork[1].choice = 2; /* taken back */
    assert_roles(fork, 3, "s:a c:a x:a");
    same[1].choice = 1;
    assert_roles(same, 2, "x:a c:a");
    same[0].choice = 2;
    assert_roles(same, 2, "c:a x:a");
}

static void choice_carries_the_edits_that_lead_to_it(void **state)
{
    relais_version v[] = {make("a", ""),  make("b", "a"), make("x", "a"),
                          make("y", "x"), make("c", "b"), make("z", "y")};

    (void)state;
    v[3].choice = 1;
    v[5].is_loadable = false;
    assert_roles(v, 6, "s:a x:a s:a c:a x:a w:a");
    v[5].is_loadable = true; /* and those that follow it */
    assert_roles(v, 6, "s:a x:a s:a s:a x:a c:a");
    v[4].choice = 2;
    assert_roles(v, 6, "s:a s:a x:a x:a c:a x:a");
}

static void choice_does_not_ask_in_which_order_versions_came(void **state)
{
    relais_version v[] = {make("y", "x"), make("b", "a"), make("x", "a"), make("a", "")};
    relais_version without_parent[] = {make("y", "x"), make("b", "a"), make("a", "")};

    (void)state;
    v[0].choice = without_parent[0].choice = 1;
    assert_roles(without_parent, 3, "c:x c:a s:a");
    assert_roles(v, 4, "c:a x:a s:a s:a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_version_is_current),
        cmocka_unit_test(last_of_a_chain_is_current_wherever_it_stands),
        cmocka_unit_test(unknown_first_version_names_the_record),
        cmocka_unit_test(later_of_two_edits_is_a_conflict_with_all_that_follows_it),
        cmocka_unit_test(later_content_under_one_name_is_a_conflict),
        cmocka_unit_test(copy_of_a_server_gives_way_to_the_original_whichever_came_first),
        cmocka_unit_test(copy_stands_while_the_original_cannot_be_read),
        cmocka_unit_test(version_that_cannot_be_loaded_leaves_the_one_before_current),
        cmocka_unit_test(quarantined_edit_gives_way_to_another),
        cmocka_unit_test(circle_ends_and_has_one_current),
        cmocka_unit_test(two_trees_in_one_look_are_two_records),
        cmocka_unit_test(chosen_version_stands_before_its_rivals),
        cmocka_unit_test(choice_carries_the_edits_that_lead_to_it),
        cmocka_unit_test(choice_does_not_ask_in_which_order_versions_came),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
