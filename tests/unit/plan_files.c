/*
 * What a plan reads: tables of SQL scripts, and reference data in CSV.
 */
#include "store/reference.h"
#include "store/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static relais_arena *arena;

static int make_arena(void **state)
{
    (void)state;
    arena = relais_arena_create(16 * 1024 * 1024);
    return arena == NULL;
}

static int free_arena(void **state)
{
    (void)state;
    relais_arena_destroy(arena);
    return 0;
}

static void test_tables_of_a_script(void **state)
{
    static const char sql[] =
        "CREATE TABLE Ref.Code (code text); -- CREATE TABLE no.comment\n"
        "/* CREATE TABLE /* nested */ no.comment2 (x int); */\n"
        "SELECT 'it''s; CREATE TABLE no.text', E'\\'CREATE TABLE no.escaped', \"CREATE TABLE q\";\n"
        "create unlogged table if not exists tip.victim(x int);\n"
        "CREATE FUNCTION f() RETURNS void AS $body$ CREATE TABLE no.body (x int); $$ $body$;\n"
        "DO $$ CREATE TABLE no.block (x int); $$;\n"
        "CREATE TABLE \"Odd\".\"Na\" AS SELECT $1;\n"
        "CREATE INDEX i ON table_x (y); CREATE VIEW v AS TABLE ref.code;\n"
        "CREATE TABLE plain";
    static const char *const expected[] = {"ref.code", "tip.victim", "Odd.Na", "plain"};
    relais_names names = {0};
    relais_error err = {0};

    (void)state;
    assert_true(relais_script_tables(sql, sizeof sql - 1, &names, arena, &err));
    assert_int_equal(names.count, 4);
    for (size_t i = 0; i < names.count; i++)
        assert_string_equal(names.items[i], expected[i]);
}

static void test_transactions_in_a_script(void **state)
{
    static const struct {
        const char *sql;
        long line;
    } scripts[] = {
        {"CREATE TABLE a (b int);\nCOMMIT;", 2},
        {"-- x\n/* y */ BEGIN;", 2},
        {"SELECT 1;\n\n  start transaction;", 3},
        {"SELECT 1;;ROLLBACK", 1},
        {"CREATE TABLE commit (\"begin\" int, c text DEFAULT 'x; COMMIT;');", 0},
        {"DO $$ BEGIN COMMIT; END $$; SELECT E'\\'; COMMIT;';", 0},
        {"", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        assert_int_equal(relais_script_transaction(scripts[i].sql, strlen(scripts[i].sql)),
                         scripts[i].line);
}

/* A script that is cut anywhere is read to its end, and no further. */
static void test_a_cut_script_is_harmless(void **state)
{
    static const char sql[] = "CREATE TABLE a.b (c text DEFAULT E'\\'', d text); /* x /* y */ */\n"
                              "$tag$ CREATE $tag$ \"q\"\"q\" 'z''z' -- end\n";
    char exact[sizeof sql];

    (void)state;
    for (size_t length = 0; length < sizeof sql; length++) {
        relais_names names = {0};
        relais_error err = {0};
        memcpy(exact, sql + sizeof sql - 1 - length, length);
        assert_true(relais_script_tables(exact, length, &names, arena, &err));
        memcpy(exact, sql, length);
        assert_true(relais_script_tables(exact, length, &names, arena, &err));
        assert_int_equal(relais_script_transaction(exact, length), 0);
    }
}

static bool parse(const char *csv, relais_reference *out, relais_error *err)
{
    relais_error_clear(err);
    return relais_reference_parse("codes/ref.code.csv", "ref.code", csv, strlen(csv), arena, out,
                                  err);
}

static void test_rows_and_lines(void **state)
{
    relais_reference list;
    relais_error err;

    (void)state;
    assert_true(parse("\xef\xbb\xbf"
                      "code,label,sort\r\n"
                      "a,\"C\xc3\xb4te, \"\"d'or\"\"\",1\r\n"
                      "\n"
                      "b,\"two\nlines\",\n"
                      " c ,\"\",3",
                      &list, &err));
    assert_int_equal(list.column_count, 3);
    assert_string_equal(list.columns[0], "code");
    assert_int_equal(list.row_count, 3);
    assert_int_equal(list.differing, 3);
    assert_string_equal(list.rows[0].values[1], "C\xc3\xb4te, \"d'or\"");
    assert_int_equal(list.rows[0].line, 2);
    assert_string_equal(list.rows[1].values[1], "two\nlines");
    assert_null(list.rows[1].values[2]);
    assert_int_equal(list.rows[1].line, 4);
    assert_string_equal(list.rows[2].values[0], " c ");
    assert_string_equal(list.rows[2].values[1], "");
    assert_int_equal(list.rows[2].line, 6);
}

static void test_faults_name_their_line(void **state)
{
    static const struct {
        const char *csv;
        long line;
        const char *expected;
    } faults[] = {
        {"", 0, "empty"},
        {"a,b\n1,2\n1\n", 3, "1 fields"},
        {"a,b\n1,2,3\n", 2, "3 fields"},
        {"a,,b\n", 1, "name the columns"},
        {"a;b\n1;2\n", 1, "commas"},
        {"a,b,a\n", 1, "twice"},
        {"a,b\n1,x\"y\n", 2, "double quote"},
        {"a,b\n1,2\n3,\"x\n4,5\n", 3, "no end"},
        {"a\n\xff\n", 0, "UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        relais_reference list;
        relais_error err;
        assert_false(parse(faults[i].csv, &list, &err));
        assert_int_equal(err.line, faults[i].line);
        assert_string_equal(err.path, "codes/ref.code.csv");
        if (strstr(err.text, faults[i].expected) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", err.text, faults[i].expected);
    }
}

static void test_order_by_creation_then_by_foreign_keys(void **state)
{
    static const char *const created[] = {"ref.code", "ref.place", "ref.organisation"};
    static const char *const edges[][2] = {
        {"ref.place", "ref.organisation"},        /* against the order of creation */
        {"ref.organisation", "ref.organisation"}, /* itself: no matter */
        {"ref.alien", "ref.absent"},
    };
    static const char *const expected[] = {"ref.code", "ref.organisation", "ref.place",
                                           "ref.alien"};
    relais_reference list[] = {{.table = "ref.alien"},
                               {.table = "ref.organisation"},
                               {.table = "ref.code"},
                               {.table = "ref.place"}};
    relais_error err = {0};

    (void)state;
    assert_true(relais_reference_sort(list, 4, created, 3, edges, 3, arena, &err));
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(list[i].table, expected[i]);
}

/* Deferred keys allow a ring: every table still comes out, once. */
static void test_a_ring_of_foreign_keys_ends(void **state)
{
    static const char *const edges[][2] = {{"a", "b"}, {"b", "a"}, {"c", "a"}};
    relais_reference list[] = {{.table = "c"}, {.table = "b"}, {.table = "a"}};
    relais_error err = {0};
    unsigned seen = 0;

    (void)state;
    assert_true(relais_reference_sort(list, 3, NULL, 0, edges, 3, arena, &err));
    for (size_t i = 0; i < 3; i++)
        seen |= 1u << (list[i].table[0] - 'a');
    assert_int_equal(seen, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_of_a_script),
        cmocka_unit_test(test_transactions_in_a_script),
        cmocka_unit_test(test_a_cut_script_is_harmless),
        cmocka_unit_test(test_rows_and_lines),
        cmocka_unit_test(test_faults_name_their_line),
        cmocka_unit_test(test_order_by_creation_then_by_foreign_keys),
        cmocka_unit_test(test_a_ring_of_foreign_keys_ends),
    };

    return cmocka_run_group_tests(tests, make_arena, free_arena);
}
