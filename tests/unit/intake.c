/*
 * Intake: what another server judges is staged even when Relais cannot read it, and nothing of
 * what was cut or could not be stored.
 */
#include "spool_fixture.h"

#include "openrosa/intake.h"
#include "spool/note.h"

#define MULTIPART "multipart/form-data; boundary=b"
#define BODY(xml)                                                                                  \
    "--b\r\nContent-Disposition: form-data; name=\"xml_submission_file\"\r\n\r\n" xml "\r\n--b--"

/* Captures a body in one piece; *staged says where it is. */
static relais_reply capture(fixture *f, const char *content_type, const char *body, int64_t length,
                            relais_staged *staged, relais_error *unread, relais_error *err)
{
    relais_segment segment = {.data = body, .length = strlen(body), .fd = -1};
    relais_request request = {.content_type = content_type,
                              .content_length = length,
                              .segments = &segment,
                              .count = 1,
                              .source = "capture",
                              .host = "odk.bf"};
    relais_parcel_head head;

    relais_error_clear(unread);
    relais_error_clear(err);
    return relais_intake_capture(f->spool, &request, f->arena, &head, staged, unread, err);
}

/* Reads the parcel that was committed. */
static relais_parcel committed(fixture *f, const relais_staged *staged, int shard)
{
    relais_spool_entry entry = {.shard = shard};
    relais_parcel parcel;
    relais_error err = {0};

    memcpy(entry.name, staged->name, sizeof entry.name);
    assert_ok(relais_spool_parcel(f->spool, &entry, f->arena, &parcel, &err), err);
    return parcel;
}

static void test_what_can_be_read(void **state)
{
    fixture *f = *state;
    relais_staged staged;
    relais_error unread, err;
    relais_parcel parcel;
    int shard;

    assert_int_equal(
        capture(f, MULTIPART, BODY("<d id='f' version='2'/>"), -1, &staged, &unread, &err),
        RELAIS_REPLY_RECEIVED);
    assert_int_equal(unread.code, RELAIS_ERR_NONE);
    shard = staged.shard;
    assert_true(fixture_exists(fixture_path(f, shard, "tmp", staged.name)));
    assert_int_equal(relais_intake_commit(f->spool, &staged, &err), RELAIS_REPLY_RECEIVED);
    parcel = committed(f, &staged, shard);
    assert_string_equal(parcel.head.source, "capture");
    assert_string_equal(parcel.head.host, "odk.bf");
    assert_string_equal(parcel.head.form, "f");
    assert_string_equal(parcel.head.version, "2");
}

static void test_what_cannot_be_read_is_kept(void **state)
{
    static const struct {
        const char *content_type, *body;
    } cases[] = {
        {NULL, "anything"},
        {"application/json", "{\"id\": \"f\"}"},
        {"multipart/form-data", BODY("<d id='f'/>")},
        {MULTIPART, BODY("yes")},
        {MULTIPART, BODY("<d/>")},
        {MULTIPART, BODY("<!DOCTYPE d><d id='f'/>")},
        {MULTIPART, "--b--"},
    };
    fixture *f = *state;
    relais_staged staged;
    relais_error unread, err;
    char bytes[256];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length = strlen(cases[i].body);
        relais_parcel parcel;
        int shard;

        assert_int_equal(capture(f, cases[i].content_type, cases[i].body, (int64_t)length, &staged,
                                 &unread, &err),
                         RELAIS_REPLY_RECEIVED);
        assert_int_equal(unread.code, RELAIS_ERR_SYNTAX);
        shard = staged.shard;
        assert_int_equal(relais_intake_commit(f->spool, &staged, &err), RELAIS_REPLY_RECEIVED);
        parcel = committed(f, &staged, shard);
        assert_string_equal(parcel.head.form, "");
        assert_int_equal(parcel.head.length, length);
        assert_ok(relais_parcel_read(&parcel, 0, bytes, length, &err), err);
        assert_memory_equal(bytes, cases[i].body, length);
    }
}

static void test_what_was_cut_is_refused(void **state)
{
    fixture *f = *state;
    relais_staged staged;
    relais_error unread, err;

    assert_int_equal(
        capture(f, MULTIPART, "--b\r\nContent-Disposition: form-data", -1, &staged, &unread, &err),
        RELAIS_REPLY_CUT);
    assert_int_equal(err.code, RELAIS_ERR_SYNTAX);
    assert_int_equal(unread.code, RELAIS_ERR_NONE);
    assert_int_equal(staged.shard, -1);
    assert_int_equal(capture(f, "application/json", "{}", 3, &staged, &unread, &err),
                     RELAIS_REPLY_CUT);
    assert_int_equal(staged.shard, -1);
}

/* The commit fails when the staged file has gone; so does the second of two. */
static void test_a_commit_that_fails_leaves_nothing(void **state)
{
    fixture *f = *state;
    relais_staged staged;
    relais_error unread, err;
    int shard;

    assert_int_equal(capture(f, MULTIPART, BODY("<d id='f'/>"), -1, &staged, &unread, &err),
                     RELAIS_REPLY_RECEIVED);
    shard = staged.shard;
    assert_int_equal(unlink(fixture_path(f, shard, "tmp", staged.name)), 0);
    assert_int_equal(relais_intake_commit(f->spool, &staged, &err), RELAIS_REPLY_BUSY);
    assert_int_equal(err.code, RELAIS_ERR_SYSTEM);
    assert_int_equal(staged.shard, -1);
    assert_false(fixture_exists(fixture_path(f, shard, "new", staged.name)));
    relais_error_clear(&err);
    assert_int_equal(relais_intake_commit(f->spool, &staged, &err), RELAIS_REPLY_BUSY);
}

static void test_no_room(void **state)
{
    fixture *f = *state;
    relais_staged staged;
    relais_error unread, err = {0};
    relais_spool *spool = f->spool;

    assert_ok(relais_spool_open(f->directory, UINT64_MAX / 2, &f->spool, &err), err);
    assert_int_equal(capture(f, MULTIPART, BODY("<d id='f'/>"), -1, &staged, &unread, &err),
                     RELAIS_REPLY_FULL);
    assert_int_equal(err.code, RELAIS_ERR_FULL);
    assert_int_equal(staged.shard, -1);
    relais_spool_close(f->spool);
    f->spool = spool;
}

/* The form, the submission and the sender of what was refused, as far as its beginning goes. */
static void test_the_beginning_of_what_was_refused(void **state)
{
    static const char body[] =
        "--b\r\nContent-Disposition: form-data; name=\"xml_submission_file\"\r\n\r\n"
        "<d id='f' version='2'><meta><instanceID>uuid:1</instanceID></meta></d>\r\n--b\r\n"
        "Content-Disposition: form-data; name=\"v.mp4\"; filename=\"v.mp4\"\r\n\r\nbytes";
    static const struct {
        size_t length;
        const char *form, *instance;
    } seen[] = {{sizeof body - 1, "f", "uuid:1"}, {120, "f", ""}, {40, "", ""}, {0, "", ""}};
    fixture *f = *state;

    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) {
        relais_segment segment = {.data = body, .length = seen[i].length, .fd = -1};
        relais_request request = {.content_type = MULTIPART,
                                  .content_length = -1,
                                  .segments = &segment,
                                  .count = seen[i].length > 0,
                                  .source = "serve",
                                  .device = "collect:a"};
        relais_note note = {0};
        relais_error err = {0};
        unsigned slot = 0;

        assert_true(relais_intake_tell_refused(f->spool, &request, 1000, 100, f->arena, &err));
        while (slot < RELAIS_NOTE_SLOTS &&
               relais_note_read(f->spool, slot, f->arena, &note, &err) == RELAIS_NOTE_NONE)
            slot++;
        assert_string_equal(note.device, "collect:a");
        assert_string_equal(note.form, seen[i].form);
        assert_string_equal(note.instance, seen[i].instance);
        assert_int_equal(note.size, 1000);
        assert_ok(relais_note_remove(f->spool, slot, &err), err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_can_be_read, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_read_is_kept, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_what_was_cut_is_refused, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_commit_that_fails_leaves_nothing, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_no_room, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_the_beginning_of_what_was_refused, fixture_setup,
                                        fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
