/*
 * Rows that several records may write (if-exists="newest"): what stands after each correction
 * is what the newest versions say now, in whatever order they came.
 */
#include "store_fixture.h"

#include <stdio.h>
#include <string.h>

/* One state of the registry's entry `code`, as a record or its correction tells it. */
struct told {
    const char *received, *instance, *deprecated, *code, *stage, *day;
};

static void tell(fixture *f, struct told t)
{
    char xml[512], edit[96] = "";

    if (t.deprecated != NULL)
        snprintf(edit, sizeof edit, "<deprecatedID>%s</deprecatedID>", t.deprecated);
    snprintf(xml, sizeof xml,
             "<data id=\"registry\"><code>%s</code><stage>%s</stage><day>%s</day>"
             "<meta><instanceID>%s</instanceID>%s</meta></data>",
             t.code, t.stage, t.day, t.instance, edit);
    store_post(f, t.received, xml, NULL);
    store_forward(f);
    assert_int_equal(store_quarantined(f), 0);
}

/* Every row and whose it is: "a:new@uuid:1 b:old@uuid:2" */
static const char *registry(fixture *f)
{
    return store_ask(f,
                     "SELECT coalesce(string_agg(r.code || ':' || r.stage || '@' || s.instance_id,"
                     " ' ' ORDER BY r.code), '-')"
                     "  FROM lab.registry r JOIN relais.submission s USING (sub_id)");
}

#define DAY(n) "2026-03-0" #n "T08:00:00.000Z"

static void mistyped_key_leaves_no_row(void **state)
{
    fixture *f = *state;

    tell(f, (struct told){DAY(1), "uuid:1", NULL, "mistyped", "s1", "2026-03-01"});
    tell(f, (struct told){DAY(2), "uuid:2", "uuid:1", "right", "s2", "2026-03-01"});
    assert_string_equal(registry(f), "right:s2@uuid:2");
    assert_sql(f, "[\"right\"]", "SELECT string_agg(key::text, ' ') FROM relais.claim");
}

static void what_another_record_says_stands_again(void **state)
{
    fixture *f = *state;

    tell(f, (struct told){DAY(1), "uuid:a", NULL, "k", "first", "2026-03-01"});
    tell(f, (struct told){DAY(2), "uuid:b", NULL, "k", "second", "2026-03-05"});
    tell(f, (struct told){DAY(3), "uuid:c", NULL, "k", "oldest", "2026-02-01"});
    assert_string_equal(registry(f), "k:second@uuid:b");
    tell(f, (struct told){DAY(4), "uuid:b2", "uuid:b", "other", "second", "2026-03-05"});
    assert_string_equal(registry(f), "k:first@uuid:a other:second@uuid:b2");
    tell(f, (struct told){DAY(5), "uuid:a2", "uuid:a", "other", "first", "2026-03-01"});
    assert_string_equal(registry(f), "k:oldest@uuid:c other:second@uuid:b2");
    tell(f, (struct told){DAY(6), "uuid:c2", "uuid:c", "other", "oldest", "2026-02-01"});
    assert_string_equal(registry(f), "other:second@uuid:b2");
}

static void record_that_was_not_heard_takes_nothing_with_it(void **state)
{
    fixture *f = *state;

    tell(f, (struct told){DAY(1), "uuid:a", NULL, "k", "new", "2026-03-05"});
    tell(f, (struct told){DAY(2), "uuid:b", NULL, "k", "old", "2026-03-01"});
    tell(f, (struct told){DAY(3), "uuid:b2", "uuid:b", "other", "old", "2026-03-01"});
    assert_string_equal(registry(f), "k:new@uuid:a other:old@uuid:b2");
}

/* A date that was mistaken can be corrected; then whoever has the newest date is heard. */
static void corrected_date_competes_with_the_others(void **state)
{
    fixture *f = *state;

    tell(f, (struct told){DAY(1), "uuid:a", NULL, "k", "mistaken", "2026-03-09"});
    tell(f, (struct told){DAY(2), "uuid:a2", "uuid:a", "k", "mended", "2026-02-01"});
    assert_string_equal(registry(f), "k:mended@uuid:a2");
    tell(f, (struct told){DAY(3), "uuid:b", NULL, "k", "later", "2026-02-09"});
    tell(f, (struct told){DAY(4), "uuid:b2", "uuid:b", "k", "earlier", "2026-01-09"});
    assert_string_equal(registry(f), "k:mended@uuid:a2");
}

static void of_one_day_the_last_received_stands_in_any_order(void **state)
{
    fixture *f = *state;
    const struct told early = {DAY(1), "uuid:a", NULL, "k", "early", "2026-03-01"};
    const struct told late = {DAY(2), "uuid:b", NULL, "k", "late", "2026-03-01"};

    tell(f, early);
    tell(f, late);
    assert_string_equal(registry(f), "k:late@uuid:b");
    store_setup(state);
    tell(f, late);
    tell(f, early);
    assert_string_equal(registry(f), "k:late@uuid:b");
}

static void row_that_others_refer_to_stays_as_a_stub(void **state)
{
    fixture *f = *state;

    tell(f, (struct told){DAY(1), "uuid:1", NULL, "k", "s", "2026-03-01"});
    store_ask(
        f, "INSERT INTO lab.follow SELECT gen_random_uuid(), sub_id, code, 'x' FROM lab.registry");
    tell(f, (struct told){DAY(2), "uuid:2", "uuid:1", "right", "s", "2026-03-01"});
    assert_string_equal(registry(f), "k:s@uuid:1 right:s@uuid:2");
    assert_sql(f, "1", "SELECT count(*) FROM lab.follow");
}

static void edit_that_comes_first_ends_alike(void **state)
{
    fixture *f = *state;

    tell(f, (struct told){DAY(2), "uuid:2", "uuid:1", "right", "s2", "2026-03-01"});
    tell(f, (struct told){DAY(1), "uuid:1", NULL, "mistyped", "s1", "2026-03-01"});
    assert_string_equal(registry(f), "right:s2@uuid:2");
}

/* As when the ledger's copy is sealed: what the earlier version made cannot be made again. */
static void version_that_cannot_be_read_again_leaves_no_row(void **state)
{
    fixture *f = *state;

    tell(f, (struct told){DAY(1), "uuid:1", NULL, "mistyped", "s1", "2026-03-01"});
    store_visit(f, DAY(1), "uuid:v", NULL,
                "<code>c1</code><sex>sx_f</sex><age>14</age><day>2026-03-01</day>"
                "<items>it_a it_b</items><leg><place>one</place></leg><side>left</side>",
                NULL);
    store_forward(f);
    store_ask(f, "UPDATE relais.submission SET xml = NULL");
    tell(f, (struct told){DAY(2), "uuid:2", "uuid:1", "right", "s2", "2026-03-01"});
    assert_string_equal(registry(f), "right:s2@uuid:2");
    store_visit(f, DAY(2), "uuid:v2", "uuid:v",
                "<code>c1</code><sex/><age>16</age><day>2026-03-04</day><items>it_c</items><side/>",
                NULL);
    store_forward(f);
    assert_sql(
        f, "1/0/0/it_c",
        "SELECT concat_ws('/', (SELECT count(*) FROM lab.visit), (SELECT count(*) FROM lab.leg),"
        " (SELECT count(*) FROM lab.side), (SELECT string_agg(code, ',') FROM lab.item))");
}

#define TEST(name) cmocka_unit_test_setup(name, store_setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(mistyped_key_leaves_no_row),
        TEST(what_another_record_says_stands_again),
        TEST(record_that_was_not_heard_takes_nothing_with_it),
        TEST(corrected_date_competes_with_the_others),
        TEST(of_one_day_the_last_received_stands_in_any_order),
        TEST(row_that_others_refer_to_stays_as_a_stub),
        TEST(edit_that_comes_first_ends_alike),
        TEST(version_that_cannot_be_read_again_leaves_no_row),
    };

    return cmocka_run_group_tests(tests, store_group_setup, store_group_teardown);
}
