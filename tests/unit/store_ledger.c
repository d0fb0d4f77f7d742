/*
 * The ledger's look-ups on a full ledger: each goes by an index, as EXPLAIN says of the very
 * statements that the forwarder prepares.
 */
#include "store_fixture.h"

#include "store/evaluated.h"
#include "store/known.h"
#include "store/ledger.h"
#include "store/versions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 1024 * 1024 };

static const struct {
    const char *name;
    const char *sql;
    const char *arguments; /* of EXECUTE */
} statements[] = {
    {"insert", relais_ledger_insert_sql,
     "ids, forms, instances, bytes, texts, times, texts, texts, texts, nothing, bytes, texts,"
     " nulls, nulls, nulls, nulls"},
    {"lock", relais_ledger_lock_sql, "ids"},
    {"files", relais_ledger_files_sql, "ids"},
    {"complete", relais_ledger_complete_sql, "ids, nulls"},
    {"known", relais_ledger_known_sql, "'visit', instances"},
    {"known_of_any", relais_ledger_known_sql, "NULL, instances"},
    {"share", relais_ledger_share_sql, "ids"},
    {"read", relais_versions_read_sql, "'visit', 'uuid:77'"},
    {"names", relais_versions_names_sql, "ids"},
    {"update", relais_versions_update_sql,
     "ids, texts, instances, nulls, nulls, nulls, nothing, texts, nulls"},
    {"kept", relais_evaluated_read_sql, "'00000000-0000-0000-0000-000000000000'"},
    {"keep", relais_evaluated_write_sql, "'00000000-0000-0000-0000-000000000000', '00', '{}'"},
    {"forget", relais_evaluated_remove_sql, "ids"},
    {"trace", relais_evaluated_trace_sql, "'00000000-0000-0000-0000-000000000000'"},
    {"held", relais_versions_held_sql, "'-infinity', '00000000-0000-0000-0000-000000000000'"},
    {"open", relais_versions_open_sql, "'00000000-0000-0000-0000-000000000000'"},
    {"older", relais_versions_older_sql, "ids, '\\x00'"},
};

static void fill_ledger(fixture *f)
{
    store_ask(
        f, "INSERT INTO relais.submission (sub_id, form_id, instance_id, xml_sha256, record_id,"
           "       deprecated_id, state, received_at, delivered_at, source, xml)"
           " SELECT gen_random_uuid(), 'visit', 'uuid:' || i, sha256(i::text::bytea), 'uuid:' || i,"
           "        CASE WHEN i %% 20 = 0 THEN 'uuid:x' || i END,"
           "        CASE WHEN i %% 500 = 0 THEN 'held' ELSE 'delivered' END,"
           "        now() - i * interval '1 second', now(), 'serve', '<data/>'"
           "   FROM generate_series(1, 100000) i;"
           "INSERT INTO relais.mapping VALUES (sha256('m'), 'visit', '');"
           "INSERT INTO relais.evaluated"
           " SELECT sub_id, sha256('m'), '{}' FROM relais.submission WHERE random() < 0.3;"
           "INSERT INTO relais.attachment"
           " SELECT sub_id, 'p.jpg', sha256('p'), 1, '', true, now(), 'p' FROM relais.submission"
           "  WHERE random() < 0.3;"
           "INSERT INTO relais.tombstone (form_id, record_id)"
           " SELECT 'visit', 'uuid:e' || i FROM generate_series(1, 10000) i;"
           "ANALYZE relais.submission, relais.evaluated, relais.attachment, relais.tombstone");
}

/* One array literal of `count` elements, as the forwarder sends them. */
static char *make_array(fixture *f, const char *element, int count)
{
    char sql[256];
    PGresult *result;
    char *literal;

    snprintf(sql, sizeof sql,
             "SELECT quote_literal(array_agg(%s)::text) FROM"
             " (SELECT * FROM relais.submission WHERE state = 'delivered' LIMIT %d) s",
             element, count);
    result = PQexec(f->conn, sql);
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    literal = strdup(PQgetvalue(result, 0, 0));
    assert_non_null(literal);
    PQclear(result);
    return literal;
}

/* Puts arrays for the words of `arguments`; other words stay. */
static void write_arguments(fixture *f, const char *words, int count, relais_buffer *out)
{
    static const struct {
        const char *word, *element;
    } arrays[] = {
        {"ids", "sub_id::text"}, {"forms", "form_id"},       {"instances", "instance_id"},
        {"bytes", "xml_sha256"}, {"texts", "'t'::text"},     {"times", "received_at::text"},
        {"nulls", "NULL::text"}, {"nothing", "NULL::bytea"},
    };
    char rest[256];
    char *save = NULL;

    snprintf(rest, sizeof rest, "%s", words);
    relais_buffer_reset(out);
    for (char *word = strtok_r(rest, ", ", &save); word != NULL;
         word = strtok_r(NULL, ", ", &save)) {
        char *literal = NULL;
        for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
            if (strcmp(word, arrays[i].word) == 0)
                literal = make_array(f, arrays[i].element, count);
        relais_buffer_append_text(out, out->length == 0 ? "" : ", ");
        relais_buffer_append_text(out, literal == NULL ? word : literal);
        free(literal);
    }
}

static void assert_no_scan(fixture *f, const char *statement, const char *arguments)
{
    char *sql;
    PGresult *plan;

    assert_true(asprintf(&sql, "EXPLAIN EXECUTE %s(%s)", statement, arguments) > 0);
    plan = PQexec(f->conn, sql);
    if (PQresultStatus(plan) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", statement, PQerrorMessage(f->conn));
    assert_true(PQntuples(plan) > 0);
    for (int i = 0; i < PQntuples(plan); i++) {
        const char *line = PQgetvalue(plan, i, 0);
        if (strstr(line, "Seq Scan on submission") != NULL ||
            strstr(line, "Seq Scan on attachment") != NULL ||
            strstr(line, "Seq Scan on tombstone") != NULL ||
            strstr(line, "Seq Scan on evaluated") != NULL)
            fail_msg("statement %s reads a whole table: %s", statement, line);
    }
    PQclear(plan);
    free(sql);
}

static void every_look_up_goes_by_an_index(void **state)
{
    fixture *f = *state;
    static const char *const modes[] = {"force_generic_plan", "force_custom_plan"};
    relais_buffer arguments;

    relais_buffer_init(&arguments, ROOM);
    fill_ledger(f);
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        PGresult *result = PQprepare(f->conn, statements[i].name, statements[i].sql, 0, NULL);
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            fail_msg("%s: %s", statements[i].name, PQerrorMessage(f->conn));
        PQclear(result);
        /* The insert judges a whole batch; the others look at a few submissions. */
        write_arguments(f, statements[i].arguments, i == 0 ? 500 : 20, &arguments);
        for (size_t mode = 0; mode < 2; mode++) {
            store_ask(f, "SET plan_cache_mode = %s", modes[mode]);
            assert_no_scan(f, statements[i].name, arguments.data);
        }
    }
    relais_buffer_free(&arguments);
}

/* The test above must be able to fail. */
static void look_up_without_its_index_is_noticed(void **state)
{
    fixture *f = *state;
    PGresult *plan;
    bool found = false;

    fill_ledger(f);
    store_ask(f,
              "DROP INDEX relais.submission_deprecated; SET plan_cache_mode = force_generic_plan");
    PQclear(PQprepare(f->conn, "read", relais_versions_read_sql, 0, NULL));
    plan = PQexec(f->conn, "EXPLAIN EXECUTE read('visit', 'uuid:77')");
    for (int i = 0; i < PQntuples(plan); i++)
        found = found || strstr(PQgetvalue(plan, i, 0), "Seq Scan on submission") != NULL;
    PQclear(plan);
    assert_true(found);
}

#define TEST(name) cmocka_unit_test_setup(name, store_setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_look_up_goes_by_an_index),
        TEST(look_up_without_its_index_is_noticed),
    };

    return cmocka_run_group_tests(tests, store_group_setup, store_group_teardown);
}
