/*
 * Edits: any order of arrival ends in the same rows, and nothing of an older version stays.
 */
#include "store_fixture.h"

#include <stdio.h>
#include <string.h>

/* Three versions of one visit: answers are added, changed, cleared. */
static const struct {
    const char *received, *instance, *deprecated, *answers;
} versions[] = {
    {"2026-03-01T08:00:00.000Z", "uuid:1", NULL,
     "<code>c1</code><sex>sx_f</sex><age>14</age><day>2026-03-01</day><items>it_a it_b</items>"
     "<leg><place>one</place></leg><side>left</side>"},
    {"2026-03-02T08:00:00.000Z", "uuid:2", "uuid:1",
     "<code>c1</code><sex>sx_f</sex><age>15</age><day>2026-03-01</day><items>it_c</items>"
     "<leg><place>two</place></leg><leg><place>three</place></leg><side>right</side>"},
    {"2026-03-03T08:00:00.000Z", "uuid:3", "uuid:2",
     "<code>c1</code><sex/><age>16</age><day>2026-03-04</day><items/><side/>"},
};

static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

static void post_version(fixture *f, int i)
{
    store_visit(f, versions[i].received, versions[i].instance, versions[i].deprecated,
                versions[i].answers, NULL);
}

/* Everything that the national tables hold, as one text. */
static const char *all_rows(fixture *f)
{
    return store_ask(
        f, "SELECT concat_ws(' ',"
           " (SELECT string_agg(concat_ws('/', v.visit_id, s.instance_id, coalesce(sex, '-'), age,"
           "    visited_on), ';') FROM lab.visit v LEFT JOIN relais.submission s USING (sub_id)),"
           " 'items', (SELECT string_agg(code, ',' ORDER BY code) FROM lab.item),"
           " 'legs', (SELECT string_agg(place, ',' ORDER BY seq) FROM lab.leg),"
           " 'side', (SELECT string_agg(what, ',') FROM lab.side))");
}

static const char *all_states(fixture *f)
{
    return store_ask(f, "SELECT string_agg(instance_id || ':' || record_id || ':' || state, ' '"
                        " ORDER BY received_at, xml_sha256) FROM relais.submission");
}

static void chain_of_three_settles_alike_in_all_orders(void **state)
{
    fixture *f = *state;
    char expected[512] = "";

    for (size_t o = 0; o < 6; o++) {
        store_setup(state);
        for (size_t i = 0; i < 3; i++) {
            post_version(f, orders[o][i]);
            store_forward(f);
            assert_int_equal(f->counts.delivered, 1);
        }
        if (o == 0)
            snprintf(expected, sizeof expected, "%s", all_rows(f));
        assert_string_equal(all_rows(f), expected);
        assert_string_equal(all_states(f), "uuid:1:uuid:1:superseded uuid:2:uuid:1:superseded "
                                           "uuid:3:uuid:1:delivered");
    }
    /* A cleared answer is NULL, unticked items, removed legs and the dropped group are gone. */
    assert_non_null(strstr(expected, "/uuid:3/-/16/2026-03-04 items legs side"));
}

static void chain_in_one_run_settles_too(void **state)
{
    fixture *f = *state;
    char expected[512] = "";

    for (size_t o = 0; o < 6; o++) {
        store_setup(state);
        for (size_t i = 0; i < 3; i++)
            post_version(f, orders[o][i]);
        store_forward(f);
        assert_int_equal(f->counts.delivered, 3);
        if (o == 0)
            snprintf(expected, sizeof expected, "%s", all_rows(f));
        assert_string_equal(all_rows(f), expected);
    }
}

static void middle_version_has_its_own_rows_while_it_is_current(void **state)
{
    fixture *f = *state;

    post_version(f, 0);
    post_version(f, 1);
    store_forward(f);
    assert_non_null(
        strstr(all_rows(f), "/uuid:2/sx_f/15/2026-03-01 items it_c legs two,three side right"));
}

static void edit_sent_again_is_a_duplicate(void **state)
{
    fixture *f = *state;

    for (int i = 0; i < 3; i++)
        post_version(f, i);
    store_forward(f);
    for (int i = 0; i < 3; i++)
        post_version(f, i);
    store_forward(f);
    assert_int_equal(f->counts.duplicates, 3);
    assert_sql(f, "3", "SELECT count(*) FROM relais.submission");
}

static void fork_keeps_the_edit_received_first(void **state)
{
    fixture *f = *state;
    const char *received[] = {"2026-03-02T08:00:00.000Z", "2026-03-02T09:00:00.000Z"};

    for (int order = 0; order < 2; order++) {
        store_setup(state);
        post_version(f, 0);
        for (int i = 0; i < 2; i++) {
            int which = order == 0 ? i : 1 - i;
            store_visit(f, received[which], which == 0 ? "uuid:2" : "uuid:x", "uuid:1",
                        which == 0 ? "<code>c1</code><age>21</age><day>2026-03-01</day>"
                                   : "<code>c1</code><age>31</age><day>2026-03-01</day>",
                        NULL);
            store_forward(f);
        }
        assert_string_equal(all_states(f), "uuid:1:uuid:1:superseded uuid:2:uuid:1:delivered "
                                           "uuid:x:uuid:1:conflict");
        assert_sql(f, "21", "SELECT age FROM lab.visit");
        assert_sql(f, "1", "SELECT count(*) FROM lab.visit");
    }
}

static void same_instance_with_other_answers_is_a_conflict(void **state)
{
    fixture *f = *state;

    for (int order = 0; order < 3; order++) {
        store_setup(state);
        for (int i = 0; i < 2; i++) {
            bool is_first = order == 1 ? i == 1 : i == 0;
            store_visit(f, is_first ? "2026-03-02T08:00:00.000Z" : "2026-03-02T09:00:00.000Z",
                        "uuid:1", NULL,
                        is_first ? "<code>c1</code><age>21</age><day>2026-03-01</day>"
                                 : "<code>c1</code><age>31</age><day>2026-03-01</day>",
                        (const store_file[]){{"a.jpg", is_first ? "A" : "B", 0}, {0}});
            if (order < 2) /* the third time both come in one list */
                store_forward(f);
        }
        store_forward(f);
        assert_string_equal(all_states(f), "uuid:1:uuid:1:delivered uuid:1:uuid:1:conflict");
        assert_sql(f, "21", "SELECT age FROM lab.visit");
        assert_sql(f, "1/2",
                   "SELECT (SELECT count(*) FROM lab.visit) || '/' ||"
                   " (SELECT count(*) FROM relais.attachment)");
        assert_sql(f, "t", "SELECT bool_and(xml IS NOT NULL) FROM relais.submission");
    }
}

static void rows_of_an_older_mapping_go_too(void **state)
{
    fixture *f = *state;

    post_version(f, 0);
    store_forward(f);
    /* As if an older mapping had made other keys. */
    store_ask(f, "UPDATE lab.side SET side_id = gen_random_uuid();"
                 "INSERT INTO relais.mapping VALUES (sha256('old'), 'visit', 'old');"
                 "UPDATE relais.submission SET mapping_sha256 = sha256('old')");
    post_version(f, 1);
    store_forward(f);
    assert_sql(f, "right", "SELECT string_agg(what, ',') FROM lab.side");
}

static void photo_of_an_earlier_version_counts_for_the_edit(void **state)
{
    fixture *f = *state;
    const char *answers = "<code>c1</code><day>2026-03-01</day><photo>p.jpg</photo>";
    const store_file photo[] = {{"p.jpg", "P", 0}, {0}};

    store_visit(f, "2026-03-01T08:00:00.000Z", "uuid:1", NULL, answers, photo);
    store_visit(f, "2026-03-02T08:00:00.000Z", "uuid:2", "uuid:1", answers, NULL);
    store_visit(f, "2026-03-02T08:00:00.000Z", "uuid:8", "uuid:7", answers, NULL);
    store_forward(f);
    assert_sql(f, "delivered", "SELECT state FROM relais.submission WHERE instance_id = 'uuid:2'");
    assert_sql(f, "partial", "SELECT state FROM relais.submission WHERE instance_id = 'uuid:8'");
    store_visit(f, "2026-03-02T08:00:00.000Z", "uuid:8", "uuid:7", answers, photo);
    store_forward(f);
    assert_sql(f, "delivered", "SELECT state FROM relais.submission WHERE instance_id = 'uuid:8'");
}

static void photo_that_the_first_version_brings_later_counts_for_the_edit(void **state)
{
    fixture *f = *state;
    const char *answers = "<code>c1</code><day>2026-03-01</day><photo>p\xC3\xA9.jpg</photo>"
                          "<sound>s.amr</sound>";
    const store_file photo[] = {{"pe\xCC\x81.jpg", "P", 0}, {0}}; /* composed otherwise */
    const store_file sound[] = {{"s.amr", "S", 0}, {0}};

    store_visit(f, "2026-03-02T08:00:00.000Z", "uuid:2", "uuid:1", answers, NULL);
    store_forward(f);
    assert_sql(f, "2", "SELECT cardinality(missing) FROM relais.submission");
    store_visit(f, "2026-03-01T08:00:00.000Z", "uuid:1", NULL, answers, photo);
    store_forward(f);
    assert_sql(f, "partial/{s.amr}",
               "SELECT state || '/' || missing::text FROM relais.submission"
               " WHERE instance_id = 'uuid:2'");
    store_visit(f, "2026-03-01T08:00:00.000Z", "uuid:1", NULL, answers, sound); /* a later post */
    store_forward(f);
    assert_sql(f, "delivered", "SELECT state FROM relais.submission WHERE instance_id = 'uuid:2'");
}

static void refused_edit_between_two_good_ones_links_them(void **state)
{
    fixture *f = *state;
    static const char late[] = "<code>c1</code><age>16</age><day>2026-03-04</day>";

    for (size_t o = 0; o < 6; o++) { /* the middle one is bad, wherever it comes */
        store_setup(state);
        for (size_t i = 0; i < 3; i++) {
            int which = orders[o][i];
            store_visit(
                f, versions[which].received, versions[which].instance, versions[which].deprecated,
                which == 1 ? "<code>c1</code><age>999</age><day>2026-03-04</day>" : late, NULL);
            store_forward(f);
        }
        assert_sql(f, "uuid:3/uuid:1",
                   "SELECT string_agg(instance_id || '/' || record_id, ' ')"
                   "  FROM relais.submission WHERE state = 'delivered'");
        assert_sql(f, "16/1", "SELECT max(age) || '/' || count(*) FROM lab.visit");
        /* Nobody asked for its rows when it came after the one that replaces it. */
        assert_int_equal(store_quarantined(f), o == 1 || o == 4 || o == 5 ? 0 : 1);
    }
}

static void refused_last_edit_leaves_the_version_before(void **state)
{
    fixture *f = *state;

    post_version(f, 0);
    store_visit(f, versions[1].received, "uuid:2", "uuid:1",
                "<code>c1</code><age>999</age><day>2026-03-04</day>", NULL);
    store_forward(f);
    assert_int_equal(f->counts.quarantined, 1);
    assert_string_equal(all_states(f), "uuid:1:uuid:1:delivered uuid:2:uuid:1:quarantined");
    assert_non_null(strstr(all_rows(f), "/uuid:1/sx_f/14/2026-03-01 items it_a,it_b legs one"));
}

#define TEST(name) cmocka_unit_test_setup(name, store_setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(chain_of_three_settles_alike_in_all_orders),
        TEST(chain_in_one_run_settles_too),
        TEST(middle_version_has_its_own_rows_while_it_is_current),
        TEST(edit_sent_again_is_a_duplicate),
        TEST(fork_keeps_the_edit_received_first),
        TEST(same_instance_with_other_answers_is_a_conflict),
        TEST(rows_of_an_older_mapping_go_too),
        TEST(photo_of_an_earlier_version_counts_for_the_edit),
        TEST(photo_that_the_first_version_brings_later_counts_for_the_edit),
        TEST(refused_edit_between_two_good_ones_links_them),
        TEST(refused_last_edit_leaves_the_version_before),
    };

    return cmocka_run_group_tests(tests, store_group_setup, store_group_teardown);
}
