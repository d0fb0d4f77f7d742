/*
 * Climbing in a table of places, on a real PostgreSQL: what is found, what is not, and what is
 * asked again.
 */
#include "store_fixture.h"

#include "store/parents.h"

#include <stdio.h>

static const relais_hierarchy places = {"test_place.place", "code", "parent", "level"};

static void make_places(fixture *f)
{
    store_ask(f, "DROP SCHEMA IF EXISTS test_place CASCADE");
    store_ask(f, "CREATE SCHEMA test_place");
    store_ask(f, "CREATE TABLE test_place.place (code text PRIMARY KEY, level text, parent text)");
    store_ask(f, "INSERT INTO test_place.place VALUES ('BFA', 'country', NULL),"
                 " ('R1', 'region', 'BFA'), ('P1', 'province', 'R1'), ('C1', 'commune', 'P1'),"
                 " ('X', 'a', 'Y'), ('Y', 'b', 'X')");
}

struct climbing {
    relais_store *store;
    relais_parents *parents;
};

static struct climbing begin(fixture *f)
{
    struct climbing climbing = {0};
    relais_error err = {0};

    make_places(f);
    assert_ok(relais_store_open(f->conninfo, &climbing.store, &err), err);
    climbing.parents = relais_parents_create(climbing.store);
    assert_non_null(climbing.parents);
    return climbing;
}

static void end(struct climbing *climbing)
{
    relais_parents_destroy(climbing->parents);
    relais_store_close(climbing->store);
}

static void check(struct climbing *climbing, const char *value, const char *level,
                  const char *expected)
{
    relais_error err = {0};
    const char *found = NULL;

    assert_ok(relais_parents_find(climbing->parents, &places, value, level, &found, &err), err);
    assert_string_equal(found, expected);
}

static void climbs_to_the_level_from_wherever_it_stands(void **state)
{
    struct climbing climbing = begin(*state);

    for (int round = 0; round < 2; round++) { /* asked, then remembered */
        check(&climbing, "C1", "region", "R1");
        check(&climbing, "C1", "province", "P1");
        check(&climbing, "P1", "region", "R1");
        check(&climbing, "R1", "region", "R1");
        check(&climbing, "C1", "country", "BFA");
    }
    end(&climbing);
}

static void finds_nothing_above_the_level_or_outside_the_list(void **state)
{
    struct climbing climbing = begin(*state);
    char long_code[2048];

    check(&climbing, "BFA", "region", "");
    check(&climbing, "R1", "commune", "");
    check(&climbing, "nowhere", "region", "");
    check(&climbing, "'; DROP SCHEMA test_place CASCADE; --", "region", "");
    snprintf(long_code, sizeof long_code, "%01500d", 0);
    check(&climbing, long_code, "region", "");
    check(&climbing, "C1", "region", "R1");
    end(&climbing);
}

static void ends_where_parents_go_in_a_circle(void **state)
{
    struct climbing climbing = begin(*state);

    check(&climbing, "X", "b", "Y");
    check(&climbing, "X", "region", "");
    end(&climbing);
}

static void sees_a_place_that_was_added_and_forgets_on_demand(void **state)
{
    struct climbing climbing = begin(*state);

    check(&climbing, "C2", "region", "");
    store_ask(*state, "INSERT INTO test_place.place VALUES ('C2', 'commune', 'P1')");
    check(&climbing, "C2", "region", "R1");
    store_ask(*state, "UPDATE test_place.place SET parent = 'BFA' WHERE code = 'P1'");
    check(&climbing, "C2", "region", "R1");
    relais_parents_forget(climbing.parents);
    check(&climbing, "C2", "region", "");
    end(&climbing);
}

/* More answers than are kept: all are right all the same. */
static void goes_on_when_its_memory_is_full(void **state)
{
    struct climbing climbing = begin(*state);
    char code[32];

    store_ask(*state, "INSERT INTO test_place.place SELECT 'V' || n, 'village', 'C1'"
                      " FROM generate_series(1, 4200) n");
    for (int n = 1; n <= 4200; n++) {
        snprintf(code, sizeof code, "V%d", n);
        check(&climbing, code, "region", "R1");
    }
    check(&climbing, "V1", "region", "R1");
    end(&climbing);
}

static void says_when_the_database_cannot_be_asked(void **state)
{
    struct climbing climbing = begin(*state);
    relais_error err = {0};
    const char *found;

    store_ask(*state, "DROP SCHEMA test_place CASCADE");
    assert_false(relais_parents_find(climbing.parents, &places, "C1", "region", &found, &err));
    assert_int_equal(err.code, RELAIS_ERR_DATABASE);
    end(&climbing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(climbs_to_the_level_from_wherever_it_stands, store_setup),
        cmocka_unit_test_setup(finds_nothing_above_the_level_or_outside_the_list, store_setup),
        cmocka_unit_test_setup(ends_where_parents_go_in_a_circle, store_setup),
        cmocka_unit_test_setup(sees_a_place_that_was_added_and_forgets_on_demand, store_setup),
        cmocka_unit_test_setup(goes_on_when_its_memory_is_full, store_setup),
        cmocka_unit_test_setup(says_when_the_database_cannot_be_asked, store_setup),
    };

    return cmocka_run_group_tests_name("store_parents", tests, store_group_setup,
                                       store_group_teardown);
}
