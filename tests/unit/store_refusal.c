/*
 * What cannot be delivered: one bad submission holds up no other, is kept with its reason,
 * and can come again; and no reason ever holds an answer.
 */
#include "store_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET "Zoungrana"

static void post_many(fixture *f, int count, int bad, const char *bad_answers)
{
    for (int i = 0; i < count; i++) {
        char instance[32], answers[256];
        snprintf(instance, sizeof instance, "uuid:%d", i);
        snprintf(answers, sizeof answers, "<code>c%d</code><age>14</age><day>2026-03-02</day>", i);
        store_visit(f, "", instance, NULL, i == bad ? bad_answers : answers, NULL);
    }
}

/* Moves everything from the quarantine back. */
static bool replay_one(void *context, const char *name, const relais_reason *reason)
{
    (void)reason;
    snprintf(context, RELAIS_SPOOL_NAME_SIZE, "%s", name);
    return false;
}

static void replay(fixture *f)
{
    char name[RELAIS_SPOOL_NAME_SIZE] = "";

    assert_ok(relais_quarantine_walk(f->spool, replay_one, name, &f->err), f->err);
    assert_ok(relais_quarantine_replay(f->spool, name, &f->err), f->err);
}

static void one_bad_among_fifty_stands_alone(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *answers, *reason; /* class|path|column, and what the rule holds */
        const char *rule;
    } bad[] = {
        {"<code>" SECRET "</code><age>999</age><day>2026-03-02</day>", /* CHECK of the table */
         "data|/data/age|lab.visit.age|", "visit_age"},
        {"<code>" SECRET "</code><day>2026-03-02</day><address>" SECRET "</address>",
         "data|/data/address|lab.visit.address|", "type"}, /* a type that only the database knows */
        {"<code>" SECRET "</code><sex>sx_" SECRET "</sex><day>2026-03-02</day>",
         "data|/data/sex|lab.visit.sex|", ""},   /* a code list */
        {"<code>" SECRET "</code><age>14</age>", /* a column that must have a value */
         "data|/data/day|lab.visit.visited_on|", ""},
    };

    for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
        store_setup(state);
        post_many(f, 50, 31, bad[b].answers);
        store_forward(f);
        assert_int_equal(f->counts.delivered, 49);
        assert_int_equal(f->counts.quarantined, 1);
        assert_int_equal(store_waiting(f), 0);
        assert_int_equal(store_quarantined(f), 1);
        if (strstr(store_reason(f), bad[b].reason) != store_reason(f) ||
            strstr(store_reason(f), bad[b].rule) == NULL)
            fail_msg("the reason is %s, not %s", store_reason(f), bad[b].reason);
        assert_null(strstr(store_reason(f), SECRET));
        assert_sql(f, "49", "SELECT count(*) FROM lab.visit");
        assert_sql(f, "quarantined/uuid:31/f",
                   "SELECT concat_ws('/', state, instance_id, reason::text LIKE '%%" SECRET "%%')"
                   "  FROM relais.submission WHERE state <> 'delivered'");
        assert_sql(f, "t",
                   "SELECT convert_from(xml, 'UTF8') LIKE '%%" SECRET "%%'"
                   "  FROM relais.submission WHERE state = 'quarantined'");
    }
}

/* The parcel that came last. */
static void last_waiting(fixture *f, relais_spool_entry *entry)
{
    relais_spool_entry entries[200];
    size_t count, total;

    assert_ok(relais_spool_list(f->spool, entries, 200, &count, &total, &f->err), f->err);
    assert_in_range(count, 1, 199);
    *entry = entries[count - 1];
}

/* A directory stands where the reason is to be written. */
static void what_cannot_be_put_aside_holds_up_no_other(void **state)
{
    fixture *f = *state;
    relais_spool_entry bad;
    char block[256];

    store_visit(f, "", "uuid:bad", NULL, "<code>c1</code>", NULL);
    last_waiting(f, &bad);
    snprintf(block, sizeof block, "%s/quarantine/.%s.reason.part", f->spool_directory, bad.name);
    assert_int_equal(mkdir(block, 0755), 0);
    post_many(f, 120, -1, NULL);
    assert_false(store_try_forward(f));
    assert_non_null(strstr(f->err.text, "1 parcels stay"));
    assert_int_equal(f->counts.delivered, 120);
    assert_int_equal(store_waiting(f), 1);
    assert_int_equal(store_quarantined(f), 0);
    assert_int_equal(rmdir(block), 0);
    store_forward(f);
    assert_int_equal(f->counts.quarantined, 1);
    assert_int_equal(store_waiting(f), 0);
}

static void replay_after_the_list_was_mended_delivers(void **state)
{
    fixture *f = *state;
    const char *answers = "<code>c1</code><sex>sx_u</sex><day>2026-03-02</day><photo>p.jpg</photo>";

    store_visit(f, "", "uuid:1", NULL, answers, (const store_file[]){{"p.jpg", "P", 0}, {0}});
    store_forward(f);
    assert_int_equal(f->counts.quarantined, 1);
    replay(f); /* too early: the same again, and still one ledger row */
    store_forward(f);
    assert_int_equal(f->counts.quarantined, 1);
    assert_sql(f, "1", "SELECT count(*) FROM relais.submission");
    store_ask(f, "INSERT INTO ref.code VALUES ('sx_u', 'sx')");
    replay(f);
    store_forward(f);
    assert_int_equal(f->counts.delivered, 1);
    assert_sql(f, "sx_u", "SELECT sex FROM lab.visit");
    assert_sql(f, "delivered/1/t",
               "SELECT concat_ws('/', state, (SELECT count(*) FROM"
               " relais.attachment), reason IS NULL) FROM relais.submission");
    assert_int_equal(store_quarantined(f), 0);
}

static void phone_that_sends_a_quarantined_form_again_is_a_retry(void **state)
{
    fixture *f = *state;
    const char *answers = "<code>c1</code><sex>sx_u</sex><day>2026-03-02</day>";

    store_visit(f, "", "uuid:1", NULL, answers, NULL);
    store_forward(f);
    store_ask(f, "INSERT INTO ref.code VALUES ('sx_u', 'sx')");
    store_visit(f, "", "uuid:1", NULL, answers, NULL);
    store_forward(f);
    assert_int_equal(f->counts.delivered, 1);
    replay(f); /* and what lies in the quarantine is now a duplicate */
    store_forward(f);
    assert_int_equal(f->counts.duplicates, 1);
}

static void unknown_form_is_quarantined_with_its_bytes(void **state)
{
    fixture *f = *state;

    store_post(f, "", "<data id=\"nobody\"><a>1</a></data>", NULL);
    store_forward(f);
    assert_int_equal(f->counts.quarantined, 1);
    assert_ptr_equal(strstr(store_reason(f), "unknown-form|"), store_reason(f));
    assert_sql(f, "nobody/quarantined/unknown-form",
               "SELECT concat_ws('/', form_id, state, reason->>'class') FROM relais.submission");
}

static void unreadable_mapping_keeps_its_forms_parcels_where_they_are(void **state)
{
    fixture *f = *state;
    char path[160];
    int fd;

    snprintf(path, sizeof path, "%s/follow.xml", f->mappings);
    fd = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, "<mapping", 8), 8);
    close(fd);
    store_post(f, "", "<data id=\"follow\"><code>x</code></data>", NULL);
    store_visit(f, "", "uuid:1", NULL, "<code>c1</code><day>2026-03-02</day>", NULL);
    assert_false(store_try_forward(f));
    assert_non_null(strstr(f->err.text, "1 parcels stay"));
    assert_int_equal(f->counts.delivered, 1);
    assert_int_equal(store_waiting(f), 1);
    assert_int_equal(store_quarantined(f), 0);
}

static void damaged_and_cut_parcels_are_quarantined(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry;
    size_t count, total;
    char path[256];
    int fd;

    store_visit(f, "", "uuid:1", NULL, "<code>c1</code><day>2026-03-02</day>", NULL);
    store_post(f, "", "<data id=\"visit\"><code>c1</code><day>2026-03-02</day></data", NULL);
    assert_ok(relais_spool_list(f->spool, &entry, 1, &count, &total, &f->err), f->err);
    snprintf(path, sizeof path, "%s/%02x/new/%s", f->spool_directory, (unsigned)entry.shard,
             entry.name);
    fd = open(path, O_WRONLY);
    assert_true(lseek(fd, -60, SEEK_END) > 0);
    assert_int_equal(write(fd, "?", 1), 1);
    close(fd);
    store_forward(f);
    assert_int_equal(f->counts.quarantined, 2);
    assert_int_equal(store_waiting(f), 0);
    assert_sql(f, "0", "SELECT count(*) FROM relais.submission");
}

/* A capture keeps what its server accepted, also without a form's id or of another shape. */
static void what_only_another_server_could_read_is_quarantined(void **state)
{
    static const struct {
        const char *content_type, *body;
    } bodies[] = {
        {"", SECRET},
        {"application/json", "{\"name\": \"" SECRET "\"}"},
        {"multipart/form-data", "--b--"},
        {"multipart/form-data; boundary=b", "--b--"},
        {"text/xml", ""},
        {"text/xml", "<data><name>" SECRET "</name></data>"},
        {"text/xml", "<!DOCTYPE data><data id=\"visit\"><name>" SECRET "</name></data>"},
    };
    const size_t count = sizeof bodies / sizeof *bodies;
    fixture *f = *state;

    for (size_t i = 0; i < count; i++) {
        relais_segment segment = {.data = bodies[i].body, .length = strlen(bodies[i].body)};
        relais_digest_state digest;
        relais_parcel_head head;
        relais_staged staged;

        relais_parcel_head_init(&head);
        head.source = "capture";
        head.content_type = bodies[i].content_type;
        head.length = segment.length;
        relais_sha256_begin(&digest);
        relais_sha256_add(&digest, segment.data, segment.length);
        relais_sha256_end(&digest, head.sha256);
        assert_ok(relais_spool_stage(f->spool, &head, &segment, 1, &staged, &f->err), f->err);
        assert_ok(relais_spool_commit(f->spool, &staged, &f->err), f->err);
    }
    store_forward(f);
    assert_int_equal(f->counts.quarantined, count);
    assert_int_equal(store_waiting(f), 0);
    assert_int_equal(store_quarantined(f), count);
    assert_null(strstr(store_reason(f), SECRET));
}

static void reference_to_a_row_that_may_come_is_held_until_it_does(void **state)
{
    fixture *f = *state;

    store_post(f, "",
               "<data id=\"follow\"><code>r1</code><said>hello</said><meta>"
               "<instanceID>uuid:f</instanceID></meta></data>",
               (const store_file[]){{"audit.csv", "A", 0}, {0}});
    store_visit(f, "", "uuid:1", NULL, "<code>c1</code><day>2026-03-02</day>", NULL);
    store_forward(f);
    assert_int_equal(f->counts.held, 1);
    assert_int_equal(f->counts.delivered, 1);
    assert_int_equal(store_waiting(f), 0);
    assert_int_equal(store_quarantined(f), 0);
    assert_sql(f, "held|/data/code|lab.follow.code|exists in lab.registry|1",
               "SELECT concat_ws('|', state, reason->>'path', reason->>'column', reason->>'rule',"
               " (SELECT count(*) FROM relais.attachment)) FROM relais.submission"
               " WHERE form_id = 'follow'");
    store_post(f, "",
               "<data id=\"registry\"><code>r1</code><stage>s</stage><day>2026-03-09</day>"
               "<meta><instanceID>uuid:r</instanceID></meta></data>",
               NULL);
    store_forward(f);
    assert_sql(f, "delivered/hello/t",
               "SELECT concat_ws('/', state, said, reason IS NULL) FROM relais.submission"
               "  JOIN lab.follow USING (sub_id)");
}

/* The server has no memory for one of them. */
static void a_held_one_that_cannot_be_settled_holds_up_no_other(void **state)
{
    fixture *f = *state;

    store_ask(f, "CREATE FUNCTION lab.guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                 " IF NEW.said = 's1' THEN RAISE EXCEPTION USING ERRCODE = '53200'; END IF;"
                 " RETURN NEW; END $$;"
                 "CREATE TRIGGER guard BEFORE INSERT ON lab.follow FOR EACH ROW"
                 " EXECUTE FUNCTION lab.guard()");
    store_ask(f, "ALTER TABLE lab.follow DISABLE TRIGGER guard");
    for (int i = 0; i < 3; i++) {
        char xml[256];
        snprintf(xml, sizeof xml,
                 "<data id=\"follow\"><code>r1</code><said>s%d</said><meta><instanceID>uuid:f%d"
                 "</instanceID></meta></data>",
                 i, i);
        store_post(f, "", xml, NULL);
    }
    store_forward(f);
    assert_int_equal(f->counts.held, 3);
    store_ask(f, "ALTER TABLE lab.follow ENABLE TRIGGER guard");
    store_ask(f, "INSERT INTO lab.registry VALUES ('r1', gen_random_uuid(), 's', now())");
    store_forward(f);
    assert_sql(f, "s0 s2", "SELECT string_agg(said, ' ' ORDER BY said) FROM lab.follow");
    assert_sql(f, "1", "SELECT count(*) FROM relais.submission WHERE state = 'held'");
    store_ask(f, "DROP TRIGGER guard ON lab.follow");
    store_forward(f);
    assert_sql(f, "3", "SELECT count(*) FROM lab.follow");
}

static void child_before_parent_in_one_batch_ends_delivered(void **state)
{
    fixture *f = *state;

    for (int i = 0; i < 5; i++) {
        char xml[256];
        snprintf(xml, sizeof xml,
                 "<data id=\"follow\"><code>r1</code><meta><instanceID>uuid:f%d</instanceID></meta>"
                 "</data>",
                 i);
        store_post(f, "", xml, NULL);
    }
    store_post(f, "",
               "<data id=\"registry\"><code>r1</code><stage>s</stage><day>2026-03-09</day>"
               "<meta><instanceID>uuid:r</instanceID></meta></data>",
               NULL);
    store_forward(f);
    assert_sql(f, "5/6",
               "SELECT (SELECT count(*) FROM lab.follow) || '/' || count(*)"
               "  FROM relais.submission WHERE state = 'delivered'");
}

/* Each link waits for the one before it, and they come in the worst order. */
static void held_ones_release_each_other(void **state)
{
    fixture *f = *state;

    store_ask(f, "ALTER TABLE lab.follow DROP CONSTRAINT follow_code_fkey,"
                 " ADD UNIQUE (said), ADD FOREIGN KEY (code) REFERENCES lab.follow (said)");
    store_ask(f,
              "INSERT INTO lab.follow VALUES (gen_random_uuid(), gen_random_uuid(), 's0', 's0')");
    for (int i = 60; i > 0; i--) {
        char xml[256];
        snprintf(xml, sizeof xml,
                 "<data id=\"follow\"><code>s%d</code><said>s%d</said><meta><instanceID>uuid:f%d"
                 "</instanceID></meta></data>",
                 i - 1, i, i);
        store_post(f, "", xml, NULL);
        if (i % 20 == 1)
            store_forward(f);
    }
    assert_sql(f, "60", "SELECT count(*) FROM relais.submission WHERE state = 'delivered'");
    assert_sql(f, "61", "SELECT count(*) FROM lab.follow");
}

static void missing_reference_data_are_not_held(void **state)
{
    fixture *f = *state;

    store_ask(f,
              "ALTER TABLE lab.visit ADD CONSTRAINT own FOREIGN KEY (note) REFERENCES ref.code;");
    store_visit(f, "", "uuid:1", NULL, "<code>c1</code><day>2026-03-02</day><note>nix</note>",
                NULL);
    store_forward(f);
    assert_int_equal(f->counts.quarantined, 1);
    assert_ptr_equal(strstr(store_reason(f), "data|/data/note|lab.visit.note|exists in ref.code|"),
                     store_reason(f));
}

static void deferred_constraint_is_one_submissions_fault_too(void **state)
{
    fixture *f = *state;

    store_ask(f, "ALTER TABLE lab.side ADD CONSTRAINT later FOREIGN KEY (what) REFERENCES ref.code"
                 " DEFERRABLE INITIALLY DEFERRED");
    post_many(f, 20, 7, "<code>c7</code><day>2026-03-02</day><side>" SECRET "</side>");
    store_forward(f);
    assert_int_equal(f->counts.delivered, 19);
    assert_int_equal(f->counts.quarantined, 1);
    assert_ptr_equal(strstr(store_reason(f), "data|/data/side|lab.side.what|"), store_reason(f));
    assert_null(strstr(store_reason(f), SECRET));
}

static void triggers_refusal_is_one_submissions_fault_and_keeps_no_text(void **state)
{
    fixture *f = *state;

    store_ask(f, "CREATE FUNCTION lab.guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                 " IF NEW.what = '" SECRET "' THEN RAISE EXCEPTION 'no %%', NEW.what; END IF;"
                 " RETURN NEW; END $$;"
                 "CREATE TRIGGER guard BEFORE INSERT ON lab.side FOR EACH ROW"
                 " EXECUTE FUNCTION lab.guard()");
    post_many(f, 10, 2, "<code>c2</code><day>2026-03-02</day><side>" SECRET "</side>");
    store_forward(f);
    assert_int_equal(f->counts.delivered, 9);
    assert_int_equal(f->counts.quarantined, 1);
    assert_null(strstr(store_reason(f), SECRET));
}

#define TEST(name) cmocka_unit_test_setup(name, store_setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_bad_among_fifty_stands_alone),
        TEST(what_cannot_be_put_aside_holds_up_no_other),
        TEST(replay_after_the_list_was_mended_delivers),
        TEST(phone_that_sends_a_quarantined_form_again_is_a_retry),
        TEST(unknown_form_is_quarantined_with_its_bytes),
        TEST(unreadable_mapping_keeps_its_forms_parcels_where_they_are),
        TEST(damaged_and_cut_parcels_are_quarantined),
        TEST(what_only_another_server_could_read_is_quarantined),
        TEST(reference_to_a_row_that_may_come_is_held_until_it_does),
        TEST(a_held_one_that_cannot_be_settled_holds_up_no_other),
        TEST(child_before_parent_in_one_batch_ends_delivered),
        TEST(held_ones_release_each_other),
        TEST(missing_reference_data_are_not_held),
        TEST(deferred_constraint_is_one_submissions_fault_too),
        TEST(triggers_refusal_is_one_submissions_fault_and_keeps_no_text),
    };

    return cmocka_run_group_tests(tests, store_group_setup, store_group_teardown);
}
