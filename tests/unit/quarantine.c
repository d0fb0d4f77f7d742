/*
 * Quarantine: a parcel and its reason go aside, come back or go for good, and a crash
 * between any two steps is put right by repeating.
 */
#include "spool_fixture.h"

static relais_reason a_reason(void)
{
    relais_reason reason;

    relais_reason_init(&reason);
    reason.class_word = "data";
    reason.form = "bf_tip_ident";
    reason.path = "/data/person/age";
    reason.column = "tip.identification.age";
    reason.rule = "100% whole\nnumber";
    reason.text = "an answer is not a number";
    reason.line = 12;
    reason.offset = 4711;
    return reason;
}

static relais_spool_entry put_aside(fixture *f, const char *body)
{
    relais_spool_entry entry = fixture_put(f, body);
    relais_reason reason = a_reason();
    relais_error err = {0};

    assert_ok(relais_quarantine_put(f->spool, &entry, &reason, &err), err);
    return entry;
}

static const char *reason_path(const fixture *f, const char *name)
{
    char file[128];

    snprintf(file, sizeof file, "%s.reason", name);
    return fixture_path(f, -1, NULL, file);
}

static size_t count_quarantine(const fixture *f)
{
    return fixture_count_files(fixture_path(f, -1, NULL, ""));
}

static void test_put_keeps_parcel_and_reason(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = put_aside(f, "body");
    relais_parcel parcel;
    relais_reason reason;
    relais_error err = {0};
    char body[5] = "";

    assert_int_equal(fixture_count(f, "new"), 0);
    assert_int_equal(count_quarantine(f), 2); /* and no leftover of writing the reason */
    assert_ok(relais_quarantine_parcel(f->spool, entry.name, f->arena, &parcel, &reason, &err),
              err);
    assert_ok(relais_parcel_read(&parcel, 0, body, 4, &err), err);
    assert_string_equal(body, "body");
    assert_string_equal(reason.class_word, "data");
    assert_string_equal(reason.path, "/data/person/age");
    assert_string_equal(reason.column, "tip.identification.age");
    assert_string_equal(reason.rule, "100% whole\nnumber");
    assert_string_equal(reason.text, "an answer is not a number");
    assert_int_equal(reason.line, 12);
    assert_int_equal(reason.offset, 4711);
    assert_int_equal(strlen(reason.at), RELAIS_TIME_TEXT_SIZE - 1);
}

static void test_put_twice_is_harmless(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = put_aside(f, "body");
    relais_reason reason = a_reason();
    relais_error err = {0};

    assert_ok(relais_quarantine_put(f->spool, &entry, &reason, &err), err);
    assert_int_equal(count_quarantine(f), 2);
}

static void test_put_of_nothing(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = {.shard = 3, .name = "gone.parcel"};
    relais_reason reason = a_reason();
    relais_error err = {0};

    assert_false(relais_quarantine_put(f->spool, &entry, &reason, &err));
    assert_int_equal(err.code, RELAIS_ERR_MISSING);
    assert_int_equal(count_quarantine(f), 0);
}

/* Stopped after the reason was written. */
static void test_crash_before_the_move(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = fixture_put(f, "body");
    relais_reason reason = a_reason();
    relais_error err = {0};
    char part[128];

    fixture_write(reason_path(f, entry.name), "class: old\n", 11);
    snprintf(part, sizeof part, ".%s.reason.part", entry.name);
    fixture_write(fixture_path(f, -1, NULL, part), "cla", 3);
    assert_ok(relais_quarantine_put(f->spool, &entry, &reason, &err), err);
    assert_int_equal(fixture_count(f, "new"), 0);
    assert_int_equal(count_quarantine(f), 2);
}

/* A rename between directories that was half on disk: the file is in both. */
static void test_crash_leaves_it_in_both(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = fixture_put(f, "body");
    relais_reason reason = a_reason();
    relais_error err = {0};
    char old[512];

    snprintf(old, sizeof old, "%s", fixture_path(f, entry.shard, "new", entry.name));
    assert_int_equal(link(old, fixture_path(f, -1, NULL, entry.name)), 0);
    assert_ok(relais_quarantine_put(f->spool, &entry, &reason, &err), err);
    assert_int_equal(fixture_count(f, "new"), 0);
    assert_int_equal(count_quarantine(f), 2);
}

/* Two different files of one name, copied in by hand: none may overwrite the other. */
static void test_name_taken_by_another_file(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = put_aside(f, "first");
    relais_reason reason = a_reason();
    relais_error err = {0};

    fixture_write(fixture_path(f, entry.shard, "new", entry.name), "second", 6);
    assert_ok(relais_quarantine_put(f->spool, &entry, &reason, &err), err);
    assert_int_equal(fixture_count(f, "new"), 0);
    assert_int_equal(count_quarantine(f), 4);
}

struct walked {
    char names[8][RELAIS_SPOOL_NAME_SIZE];
    char words[8][32];
    size_t count, stop_after;
    fixture *f;
};

static bool note(void *context, const char *name, const relais_reason *reason)
{
    struct walked *walked = context;

    snprintf(walked->names[walked->count % 8], RELAIS_SPOOL_NAME_SIZE, "%s", name);
    snprintf(walked->words[walked->count % 8], 32, "%s", reason ? reason->class_word : "NULL");
    walked->count++;
    return walked->count != walked->stop_after;
}

static void test_walk_in_order_with_and_without_reason(void **state)
{
    fixture *f = *state;
    relais_spool_entry first = put_aside(f, "1"), second = put_aside(f, "2"),
                       third = put_aside(f, "3");
    struct walked walked = {0};
    relais_error err = {0};

    assert_int_equal(unlink(reason_path(f, first.name)), 0);
    fixture_write(reason_path(f, second.name), "this is no reason\n", 18);
    assert_ok(relais_quarantine_walk(f->spool, note, &walked, &err), err);
    assert_int_equal(walked.count, 3);
    assert_string_equal(walked.names[0], first.name);
    assert_string_equal(walked.names[1], second.name);
    assert_string_equal(walked.names[2], third.name);
    assert_string_equal(walked.words[0], "NULL");
    assert_string_equal(walked.words[1], "NULL");
    assert_string_equal(walked.words[2], "data");
    walked = (struct walked){.stop_after = 2};
    assert_ok(relais_quarantine_walk(f->spool, note, &walked, &err), err);
    assert_int_equal(walked.count, 2);
}

static bool drop_it(void *context, const char *name, const relais_reason *reason)
{
    struct walked *walked = context;

    (void)reason;
    walked->count++;
    return relais_quarantine_drop(walked->f->spool, name, NULL);
}

/* More than one batch, dropped while walking: each is seen once. */
static void test_walk_many_while_dropping(void **state)
{
    enum { FILES = 600 }; /* the walk takes 512 at a time */
    fixture *f = *state;
    struct walked walked = {.f = f};
    relais_error err = {0};

    for (size_t i = 0; i < FILES; i++) {
        char name[32];
        snprintf(name, sizeof name, "%zu.parcel", i);
        fixture_write(fixture_path(f, -1, NULL, name), "", 0);
    }
    assert_ok(relais_quarantine_walk(f->spool, note, &walked, &err), err);
    assert_int_equal(walked.count, FILES);
    walked.count = 0;
    assert_ok(relais_quarantine_walk(f->spool, drop_it, &walked, &err), err);
    assert_int_equal(walked.count, FILES);
    assert_int_equal(count_quarantine(f), 0);
}

static void test_foreign_name_is_shown_and_replayed(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = {.shard = 5, .name = "from a stick.txt"};
    relais_reason reason = a_reason();
    struct walked walked = {0};
    relais_error err = {0};

    fixture_write(fixture_path(f, 5, "new", entry.name), "junk", 4);
    assert_ok(relais_quarantine_put(f->spool, &entry, &reason, &err), err);
    assert_ok(relais_quarantine_put(f->spool, &entry, &reason, &err), err);
    assert_ok(relais_quarantine_walk(f->spool, note, &walked, &err), err);
    assert_int_equal(walked.count, 1);
    assert_string_equal(walked.names[0], "from a stick.txt.parcel");
    assert_ok(relais_quarantine_replay(f->spool, walked.names[0], &err), err);
    assert_int_equal(count_quarantine(f), 0);
    assert_int_equal(fixture_count(f, "new"), 1);
}

/* A parcel is often here because its head is damaged: the reason must be shown all the same. */
static void test_reason_of_a_damaged_parcel(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = put_aside(f, "x");
    relais_parcel parcel;
    relais_reason reason;
    relais_error err = {0};

    fixture_write(fixture_path(f, -1, NULL, entry.name), "junk", 4);
    assert_false(relais_quarantine_parcel(f->spool, entry.name, f->arena, &parcel, &reason, &err));
    assert_int_equal(err.code, RELAIS_ERR_DAMAGED);
    assert_string_equal(reason.class_word, "data");
}

static void test_replay_and_replay_again(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = put_aside(f, "body"), listed;
    relais_error err = {0};
    size_t count, total;

    assert_ok(relais_quarantine_replay(f->spool, entry.name, &err), err);
    assert_int_equal(count_quarantine(f), 0);
    assert_ok(relais_spool_list(f->spool, &listed, 1, &count, &total, &err), err);
    assert_int_equal(count, 1);
    assert_string_equal(listed.name, entry.name);
    /* Stopped before the reason was removed, then repeated. */
    fixture_write(reason_path(f, entry.name), "class: old\n", 11);
    assert_ok(relais_quarantine_replay(f->spool, entry.name, &err), err);
    assert_int_equal(count_quarantine(f), 0);
    assert_ok(relais_spool_remove(f->spool, &listed, &err), err);
    assert_false(relais_quarantine_replay(f->spool, entry.name, &err));
    assert_int_equal(err.code, RELAIS_ERR_MISSING);
}

static void test_drop(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = put_aside(f, "body");
    relais_error err = {0};

    assert_ok(relais_quarantine_drop(f->spool, entry.name, &err), err);
    assert_int_equal(count_quarantine(f), 0);
    assert_false(relais_quarantine_drop(f->spool, entry.name, &err));
    assert_int_equal(err.code, RELAIS_ERR_MISSING);
}

static void test_names_are_checked(void **state)
{
    static const char *const names[] = {
        "",
        "..",
        ".",
        "../00/new/x.parcel",
        "/etc/x.parcel",
        "x",
        "x.reason",
        ".x.parcel",
        ".parcel",
        "a/b.parcel",
        "x.parcel.reason",
        "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn.parcel"};
    fixture *f = *state;

    fixture_write(fixture_path(f, -1, NULL, "x.reason"), "", 0);
    fixture_write(fixture_path(f, -1, NULL, "x"), "", 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        relais_parcel parcel;
        relais_reason reason;
        relais_error err = {0};
        assert_false(relais_quarantine_drop(f->spool, names[i], &err));
        assert_int_equal(err.code, RELAIS_ERR_MISSING);
        assert_false(relais_quarantine_replay(f->spool, names[i], NULL));
        assert_false(
            relais_quarantine_parcel(f->spool, names[i], f->arena, &parcel, &reason, NULL));
    }
    assert_int_equal(count_quarantine(f), 2);
}

/* Texts come from databases: long ones are cut between characters, never refused. */
static void test_long_reason_is_cut(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = fixture_put(f, "x");
    relais_reason reason = a_reason(), back;
    relais_parcel parcel;
    relais_error err = {0};
    char text[2048];

    text[0] = 'a';
    for (size_t i = 1; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 3);
    reason.rule = text;
    assert_ok(relais_quarantine_put(f->spool, &entry, &reason, &err), err);
    assert_ok(relais_quarantine_parcel(f->spool, entry.name, f->arena, &parcel, &back, &err), err);
    assert_true(relais_utf8_valid(back.rule, strlen(back.rule)));
    assert_in_range(strlen(back.rule), 1000, 1024);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_put_keeps_parcel_and_reason),
        TEST(test_put_twice_is_harmless),
        TEST(test_put_of_nothing),
        TEST(test_crash_before_the_move),
        TEST(test_crash_leaves_it_in_both),
        TEST(test_name_taken_by_another_file),
        TEST(test_walk_in_order_with_and_without_reason),
        TEST(test_walk_many_while_dropping),
        TEST(test_foreign_name_is_shown_and_replayed),
        TEST(test_reason_of_a_damaged_parcel),
        TEST(test_replay_and_replay_again),
        TEST(test_drop),
        TEST(test_names_are_checked),
        TEST(test_long_reason_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
