/*
 * The script that a plan becomes, without a database.
 */
#include "store/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const columns[] = {"code", "label", "sort"};
static const char *const key[] = {"code"};
static const char *const first[] = {"a", "l'or", NULL};
static const char *const second[] = {"b\\", "", "2"};

static relais_reference_row rows[2];

static relais_reference a_reference(bool first_differs, bool second_differs)
{
    rows[0] = (relais_reference_row){2, first, first_differs};
    rows[1] = (relais_reference_row){3, second, second_differs};
    return (relais_reference){.file = "codes/ref.code.csv",
                              .table = "ref.code",
                              .columns = columns,
                              .column_count = 3,
                              .rows = rows,
                              .row_count = 2,
                              .differing = (size_t)first_differs + second_differs,
                              .key = key,
                              .key_count = 1};
}

static relais_migration a_migration(relais_migration_state state)
{
    static const char sql[] = "CREATE TABLE a.b ();";

    return (relais_migration){.name = "0001_a.sql",
                              .file = "/x/schema/0001_a.sql",
                              .sql = sql,
                              .length = sizeof sql - 1,
                              .sha256 = {0xab},
                              .state = state,
                              .applied_at = "2026-03-02T10:15:04Z"};
}

static void assert_script(const relais_plan *plan, const char *expected)
{
    relais_buffer script;
    const char *body;

    relais_buffer_init(&script, 65536);
    relais_plan_write(plan, &script);
    assert_non_null(script.data);
    body = strstr(script.data, "warning;\n");
    assert_string_equal(body == NULL ? script.data : body + strlen("warning;\n"), expected);
    relais_buffer_free(&script);
}

static void test_only_rows_that_differ(void **state)
{
    relais_reference reference = a_reference(true, false);
    relais_plan plan = {.references = &reference, .reference_count = 1, .has_bookkeeping = true};

    (void)state;
    assert_false(relais_plan_is_empty(&plan));
    assert_script(&plan, "\n-- codes/\nBEGIN;\n"
                         "\n-- ref.code: 1 of 2 rows\n"
                         "INSERT INTO \"ref\".\"code\" (\"code\", \"label\", \"sort\") VALUES\n"
                         "    ('a', 'l''or', NULL)\n"
                         "ON CONFLICT (\"code\") DO UPDATE SET \"label\" = EXCLUDED.\"label\", "
                         "\"sort\" = EXCLUDED.\"sort\";\n"
                         "\nCOMMIT;\n");
}

static void test_a_table_that_is_still_to_come_has_no_key(void **state)
{
    relais_reference reference = a_reference(true, true);
    relais_plan plan = {.references = &reference, .reference_count = 1, .has_bookkeeping = true};

    (void)state;
    reference.key_count = 0;
    assert_script(&plan, "\n-- codes/\nBEGIN;\n"
                         "\n-- ref.code: 2 of 2 rows\n"
                         "INSERT INTO \"ref\".\"code\" (\"code\", \"label\", \"sort\") VALUES\n"
                         "    ('a', 'l''or', NULL),\n"
                         "    ('b\\', '', '2')\n"
                         "ON CONFLICT DO NOTHING;\n"
                         "\nCOMMIT;\n");
}

static void test_a_pending_migration_is_one_transaction(void **state)
{
    relais_migration migration = a_migration(RELAIS_MIGRATION_PENDING);
    relais_plan plan = {.migrations = &migration, .migration_count = 1, .has_bookkeeping = true};

    (void)state;
    assert_script(&plan, "\n-- schema/0001_a.sql\nBEGIN;\n"
                         "CREATE TABLE a.b ();\n"
                         "INSERT INTO relais.migration (name, sha256) VALUES ('0001_a.sql', "
                         "'\\xab00000000000000000000000000000000000000000000000000000000000000');\n"
                         "COMMIT;\n");
}

static void test_the_first_plan_makes_its_bookkeeping(void **state)
{
    relais_migration migration = a_migration(RELAIS_MIGRATION_PENDING);
    relais_plan plan = {.migrations = &migration, .migration_count = 1};
    relais_buffer script;
    const char *table, *note;

    (void)state;
    relais_buffer_init(&script, 65536);
    relais_plan_write(&plan, &script);
    assert_non_null(strstr(script.data, "\\set ON_ERROR_STOP on\n"));
    table = strstr(script.data, "CREATE TABLE IF NOT EXISTS relais.migration");
    note = strstr(script.data, "INSERT INTO relais.migration");
    assert_true(table != NULL && note != NULL && table < note);
    relais_buffer_free(&script);
}

static void test_nothing_to_do_is_one_comment(void **state)
{
    relais_migration migrations[] = {a_migration(RELAIS_MIGRATION_APPLIED),
                                     a_migration(RELAIS_MIGRATION_GONE)};
    relais_reference reference = a_reference(false, false);
    relais_plan plan = {migrations, 2, &reference, 1, true};
    relais_buffer script;

    (void)state;
    relais_buffer_init(&script, 65536);
    relais_plan_write(&plan, &script);
    assert_true(relais_plan_is_empty(&plan));
    assert_memory_equal(script.data, "-- ", 3);
    assert_ptr_equal(strchr(script.data, '\n'), script.data + script.length - 1);
    relais_buffer_free(&script);
}

static void test_a_changed_file_is_named(void **state)
{
    relais_migration migration = a_migration(RELAIS_MIGRATION_CHANGED);
    relais_plan plan = {.migrations = &migration, .migration_count = 1, .has_bookkeeping = true};
    relais_error err = {0};

    (void)state;
    assert_false(relais_plan_check(&plan, &err));
    assert_string_equal(err.path, "/x/schema/0001_a.sql");
    assert_non_null(strstr(err.text, "next number"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_rows_that_differ),
        cmocka_unit_test(test_a_table_that_is_still_to_come_has_no_key),
        cmocka_unit_test(test_a_pending_migration_is_one_transaction),
        cmocka_unit_test(test_the_first_plan_makes_its_bookkeeping),
        cmocka_unit_test(test_nothing_to_do_is_one_comment),
        cmocka_unit_test(test_a_changed_file_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
