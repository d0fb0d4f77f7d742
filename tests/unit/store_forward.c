/*
 * Parcels become rows: once, whatever their order, and with their files.
 */
#include "store_fixture.h"

#include <stdio.h>
#include <string.h>

#define PLAIN "<code>c1</code><sex>sx_f</sex><age>14</age><day>2026-03-02</day>"

static void fresh_parcel_becomes_typed_rows(void **state)
{
    fixture *f = *state;

    store_visit(f, "2026-03-02T10:15:04.123Z", "uuid:a", NULL,
                PLAIN "<note>vu</note><items>it_a it_c</items><leg><place>Pô</place></leg>"
                      "<leg><place>Léo</place></leg><new>nobody maps this</new>",
                NULL);
    store_forward(f);
    assert_int_equal(f->counts.delivered, 1);
    assert_int_equal(store_waiting(f), 0);
    assert_sql(f, "sx_f/14/2026-03-02/vu/t",
               "SELECT concat_ws('/', sex, age, visited_on, trim(note), told) FROM lab.visit");
    assert_sql(f, "it_a,it_c", "SELECT string_agg(code, ',' ORDER BY code) FROM lab.item");
    assert_sql(f, "1Pô,2Léo", "SELECT string_agg(seq || place, ',' ORDER BY seq) FROM lab.leg");
    assert_sql(f, "delivered|uuid:a|7|serve|agent-017|collect:test|{/data/new}",
               "SELECT concat_ws('|', state, record_id, form_version, source, submitted_by,"
               " device_id, unmapped) FROM relais.submission");
    assert_sql(f, "2026-03-02 10:15:04.123+00", "SELECT received_at FROM relais.submission");
    assert_sql(f, "t",
               "SELECT convert_from(xml, 'UTF8') LIKE '<data id=\"visit\"%%</data>' AND"
               " sha256(xml) = xml_sha256 FROM relais.submission");
    assert_sql(f, "t",
               "SELECT sha256(convert_to(body, 'UTF8')) = mapping_sha256"
               "  FROM relais.mapping JOIN relais.submission USING (mapping_sha256)");
    assert_sql(f, "t", "SELECT v.sub_id = s.sub_id FROM lab.visit v, relais.submission s");
}

static void same_parcel_again_changes_nothing(void **state)
{
    fixture *f = *state;

    for (int i = 0; i < 3; i++) /* in one batch */
        store_visit(f, "", "uuid:a", NULL, PLAIN, NULL);
    store_forward(f);
    assert_int_equal(f->counts.delivered, 1);
    assert_int_equal(f->counts.duplicates, 2);
    store_ask(f, "UPDATE lab.visit SET age = 15"); /* a correction made in the database */
    store_visit(f, "", "uuid:a", NULL, PLAIN, NULL);
    store_forward(f);
    assert_int_equal(f->counts.duplicates, 1);
    assert_sql(f, "15", "SELECT age FROM lab.visit");
    assert_sql(f, "1", "SELECT count(*) FROM relais.submission");
}

static void split_posts_add_up_in_any_order(void **state)
{
    fixture *f = *state;
    const char *answers = PLAIN "<photo>a.jpg</photo><sound>\xC3\xA9t\xC3\xA9.m4a</sound>";
    const store_file first[] = {{"a.jpg", "AAA", 0}, {0}};
    /* The answer's name is composed, the file's decomposed; audit.csv is named nowhere. */
    const store_file second[] = {{"e\xCC\x81te\xCC\x81.m4a", "BB", 0}, {"audit.csv", "", 0}, {0}};

    for (int order = 0; order < 2; order++) {
        store_setup(state);
        store_visit(f, "", "uuid:a", NULL, answers, order == 0 ? first : second);
        store_forward(f);
        assert_sql(f, "partial", "SELECT state FROM relais.submission");
        assert_sql(f, order == 0 ? "{\xC3\xA9t\xC3\xA9.m4a}" : "{a.jpg}",
                   "SELECT missing FROM relais.submission");
        assert_sql(f, "1", "SELECT count(*) FROM lab.visit"); /* files do not gate rows */
        store_visit(f, "", "uuid:a", NULL, answers, order == 0 ? second : first);
        store_forward(f);
        assert_sql(f, "delivered/",
                   "SELECT state || '/' || coalesce(missing::text, '')"
                   " FROM relais.submission");
        assert_sql(f, "a.jpg:3:true,audit.csv:0:false,e\xCC\x81te\xCC\x81.m4a:2:true",
                   "SELECT string_agg(name || ':' || size || ':' || expected, ',' ORDER BY name)"
                   " FROM relais.attachment");
        assert_sql(f, "t", "SELECT bool_and(sha256(bytes) = sha256) FROM relais.attachment");
    }
}

static void first_bytes_of_a_name_stay_and_others_are_kept_beside(void **state)
{
    fixture *f = *state;

    store_visit(f, "", "uuid:a", NULL, PLAIN "<photo>a.jpg</photo>",
                (const store_file[]){{"a.jpg", "one", 0}, {0}});
    store_visit(f, "", "uuid:a", NULL, PLAIN "<photo>a.jpg</photo>",
                (const store_file[]){{"a.jpg", "two", 0}, {"a.jpg", "one", 0}, {0}});
    store_forward(f);
    assert_sql(f, "one,two",
               "SELECT string_agg(convert_from(bytes, 'UTF8'), ',' ORDER BY received_at, bytes)"
               "  FROM relais.attachment WHERE name = 'a.jpg'");
}

static void names_of_files_are_data(void **state)
{
    fixture *f = *state;

    store_visit(f, "", "uuid:a", NULL, PLAIN,
                (const store_file[]){{"../../etc/passwd", "x", 0},
                                     {"a\x01\xFF"
                                      "b",
                                      "y", 0},
                                     {0}});
    store_forward(f);
    assert_sql(f, "../../etc/passwd,a\\x01\\xFFb",
               "SELECT string_agg(name, ',' ORDER BY name) FROM relais.attachment");
}

static void missing_instance_is_keyed_by_the_bytes(void **state)
{
    fixture *f = *state;
    const char *xml = "<data id=\"visit\">" PLAIN "</data>";

    store_post(f, "", xml, NULL);
    store_post(f, "", xml, NULL);
    store_forward(f);
    assert_int_equal(f->counts.duplicates, 1);
    assert_sql(f, "t",
               "SELECT instance_id = 'sha256:' || encode(xml_sha256, 'hex')"
               "  FROM relais.submission");
}

static void parents_are_shared_and_keys_in_one_batch_do_not_clash(void **state)
{
    fixture *f = *state;

    for (int i = 0; i < 20; i++) {
        char instance[32], xml[256];
        snprintf(instance, sizeof instance, "uuid:%d", i);
        store_visit(f, "", instance, NULL, PLAIN, NULL);
        snprintf(xml, sizeof xml,
                 "<data id=\"registry\"><code>r</code><stage>s%d</stage><day>2026-03-%02d</day>"
                 "<meta><instanceID>uuid:r%d</instanceID></meta></data>",
                 i, i == 7 ? 30 : i + 1, i);
        store_post(f, "", xml, NULL);
    }
    store_forward(f);
    assert_int_equal(f->counts.delivered, 40);
    assert_sql(f, "1/20",
               "SELECT (SELECT count(*) FROM lab.person) || '/' || count(*) FROM lab.visit");
    assert_sql(f, "s7/2026-03-30", "SELECT stage || '/' || stage_date FROM lab.registry");
}

static void newest_business_date_wins_over_later_arrival(void **state)
{
    fixture *f = *state;

    store_post(f, "",
               "<data id=\"registry\"><code>r</code><stage>new</stage><day>2026-03-09</day>"
               "<meta><instanceID>uuid:1</instanceID></meta></data>",
               NULL);
    store_forward(f);
    store_post(f, "",
               "<data id=\"registry\"><code>r</code><stage>old</stage><day>2026-03-01</day>"
               "<meta><instanceID>uuid:2</instanceID></meta></data>",
               NULL);
    store_forward(f);
    assert_sql(f, "new", "SELECT stage FROM lab.registry");
}

static void erased_record_does_not_come_back(void **state)
{
    fixture *f = *state;

    store_ask(f, "INSERT INTO relais.tombstone (form_id, record_id) VALUES ('visit', 'uuid:a')");
    store_visit(f, "", "uuid:a", NULL, PLAIN, NULL);
    store_visit(f, "", "uuid:a2", "uuid:a", PLAIN, NULL);
    store_forward(f);
    assert_int_equal(f->counts.buried, 2);
    assert_int_equal(store_waiting(f), 0);
    assert_sql(f, "0/0",
               "SELECT (SELECT count(*) FROM relais.submission) || '/' || count(*)"
               "  FROM lab.visit");
}

static void erased_version_takes_no_files(void **state)
{
    fixture *f = *state;
    const store_file file[] = {{"p.jpg", "P", 0}, {0}};

    for (int edit = 0; edit < 2; edit++) {
        store_setup(state);
        store_visit(f, "", "uuid:a", edit == 1 ? "uuid:0" : NULL, PLAIN, NULL);
        store_forward(f);
        store_ask(f, "UPDATE relais.submission SET state = 'erased', xml = NULL");
        store_visit(f, "", "uuid:a", edit == 1 ? "uuid:0" : NULL, PLAIN, file);
        store_forward(f);
        assert_int_equal(f->counts.buried, 1);
        assert_sql(f, "0", "SELECT count(*) FROM relais.attachment");
    }
}

static void parcel_with_a_strange_time_is_quarantined(void **state)
{
    fixture *f = *state;

    store_visit(f, "last tuesday", "uuid:a", NULL, PLAIN, NULL);
    store_visit(f, "", "uuid:b", NULL, PLAIN, NULL);
    store_forward(f);
    assert_int_equal(f->counts.delivered, 1);
    assert_int_equal(f->counts.quarantined, 1);
}

static void missing_ledger_is_said_and_nothing_is_touched(void **state)
{
    fixture *f = *state;

    store_visit(f, "", "uuid:a", NULL, PLAIN, NULL);
    store_ask(f, "DROP SCHEMA relais CASCADE");
    assert_false(store_try_forward(f));
    assert_int_equal(f->err.code, RELAIS_ERR_CONFIG);
    assert_non_null(strstr(f->err.text, "relais plan"));
    assert_int_equal(store_waiting(f), 1);
}

static void missing_table_stops_its_form_alone(void **state)
{
    fixture *f = *state;

    store_ask(f, "DROP TABLE lab.item");
    store_visit(f, "", "uuid:a", NULL, PLAIN, NULL);
    store_post(f, "",
               "<data id=\"registry\"><code>r</code><stage>s</stage><day>2026-03-09</day>"
               "<meta><instanceID>uuid:1</instanceID></meta></data>",
               NULL);
    assert_false(store_try_forward(f));
    assert_non_null(strstr(f->err.text, "lab.item"));
    assert_int_equal(store_waiting(f), 1);
    assert_int_equal(store_quarantined(f), 0);
    assert_sql(f, "1", "SELECT count(*) FROM lab.registry");
}

static void missing_privilege_stops_its_form_alone(void **state)
{
    fixture *f = *state;

    store_ask(f, "DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN;"
                 "GRANT USAGE ON SCHEMA relais, lab, ref TO clerk;"
                 "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA relais TO clerk;"
                 "GRANT SELECT, INSERT, UPDATE, DELETE ON lab.registry TO clerk;"
                 "GRANT SELECT ON ref.code TO clerk");
    store_visit(f, "", "uuid:a", NULL, PLAIN, NULL);
    store_post(f, "",
               "<data id=\"registry\"><code>r</code><stage>s</stage><day>2026-03-09</day>"
               "<meta><instanceID>uuid:1</instanceID></meta></data>",
               NULL);
    snprintf(f->conninfo, sizeof f->conninfo, "host=%s/server user=clerk dbname=postgres",
             f->directory);
    assert_false(store_try_forward(f));
    snprintf(f->conninfo, sizeof f->conninfo, "host=%s/server user=postgres dbname=postgres",
             f->directory);
    assert_string_equal(f->err.sqlstate, "42501");
    assert_int_equal(store_waiting(f), 1);
    assert_sql(f, "1", "SELECT count(*) FROM lab.registry");
    store_ask(f, "DROP OWNED BY clerk; DROP ROLE clerk");
    store_forward(f);
    assert_int_equal(f->counts.delivered, 1);
}

#define TEST(name) cmocka_unit_test_setup(name, store_setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fresh_parcel_becomes_typed_rows),
        TEST(same_parcel_again_changes_nothing),
        TEST(split_posts_add_up_in_any_order),
        TEST(first_bytes_of_a_name_stay_and_others_are_kept_beside),
        TEST(names_of_files_are_data),
        TEST(missing_instance_is_keyed_by_the_bytes),
        TEST(parents_are_shared_and_keys_in_one_batch_do_not_clash),
        TEST(newest_business_date_wins_over_later_arrival),
        TEST(erased_record_does_not_come_back),
        TEST(erased_version_takes_no_files),
        TEST(parcel_with_a_strange_time_is_quarantined),
        TEST(missing_ledger_is_said_and_nothing_is_touched),
        TEST(missing_table_stops_its_form_alone),
        TEST(missing_privilege_stops_its_form_alone),
    };

    return cmocka_run_group_tests(tests, store_group_setup, store_group_teardown);
}
