/*
 * Notes: what is left is what is read, one for each submission, and never more than the slots.
 */
#include "spool_fixture.h"

#include "spool/note.h"

static relais_parcel_head head_of(const char *device, const char *instance)
{
    relais_parcel_head head;

    relais_parcel_head_init(&head);
    head.source = "serve";
    head.form = "f";
    head.version = "2";
    head.instance = instance;
    head.user = "agent-017";
    head.device = device;
    return head;
}

static bool leave(fixture *f, const relais_parcel_head *head, int64_t size, int64_t limit)
{
    relais_error err = {0};
    bool is_left;

    assert_ok(relais_note_leave(f->spool, head, size, limit, &is_left, &err), err);
    return is_left;
}

/* The first note that lies there, and its slot; RELAIS_NOTE_NONE when none does. */
static relais_note_state find(fixture *f, relais_note *note, unsigned *slot)
{
    relais_error err = {0};

    for (*slot = 0; *slot < RELAIS_NOTE_SLOTS; ++*slot) {
        relais_note_state state = relais_note_read(f->spool, *slot, f->arena, note, &err);
        if (state != RELAIS_NOTE_NONE)
            return state;
    }
    return RELAIS_NOTE_NONE;
}

static size_t count(fixture *f)
{
    char path[128];
    struct dirent *entry;
    size_t found = 0;
    DIR *dir;

    snprintf(path, sizeof path, "%s/00/new", f->directory);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        found += strstr(entry->d_name, ".note") != NULL;
    closedir(dir);
    return found;
}

static void test_what_is_left_is_read(void **state)
{
    fixture *f = *state;
    relais_parcel_head head = head_of("collect:é%\n", "uuid:1");
    relais_error err = {0};
    relais_note note;
    unsigned slot;

    assert_true(leave(f, &head, 140321876, 104857600));
    assert_int_equal(find(f, &note, &slot), RELAIS_NOTE_READ);
    assert_string_equal(note.source, "serve");
    assert_string_equal(note.form, "f");
    assert_string_equal(note.version, "2");
    assert_string_equal(note.instance, "uuid:1");
    assert_string_equal(note.user, "agent-017");
    assert_string_equal(note.device, "collect:é%\n");
    assert_int_equal(note.size, 140321876);
    assert_int_equal(note.limit, 104857600);
    assert_int_equal(strlen(note.id), 32);
    assert_int_equal(strlen(note.received), 24);
    assert_ok(relais_note_remove(f->spool, slot, &err), err);
    assert_ok(relais_note_remove(f->spool, slot, &err), err);
    assert_int_equal(find(f, &note, &slot), RELAIS_NOTE_NONE);
}

static void test_what_is_not_known(void **state)
{
    fixture *f = *state;
    relais_parcel_head head;
    relais_note note;
    unsigned slot;

    relais_parcel_head_init(&head);
    head.source = "capture";
    assert_true(leave(f, &head, -1, -1));
    assert_int_equal(find(f, &note, &slot), RELAIS_NOTE_READ);
    assert_int_equal(note.size, -1);
    assert_int_equal(note.limit, -1);
    assert_string_equal(note.form, "");
}

static void test_one_for_each_submission(void **state)
{
    fixture *f = *state;
    relais_parcel_head head = head_of("a", "uuid:1");
    relais_note note, kept;
    unsigned slot;

    assert_true(leave(f, &head, 1, 1));
    assert_int_equal(find(f, &kept, &slot), RELAIS_NOTE_READ);
    head.version = "3";
    assert_false(leave(f, &head, 2, 1));
    assert_int_equal(find(f, &note, &slot), RELAIS_NOTE_READ);
    assert_string_equal(note.id, kept.id);
    assert_int_equal(note.size, 1);
}

static void test_a_flood_fills_the_slots_and_no_more(void **state)
{
    fixture *f = *state;
    char device[32] = "";

    for (int i = 0; i < 5000; i++) {
        relais_parcel_head head = head_of(device, "");
        snprintf(device, sizeof device, "collect:%d", i);
        (void)leave(f, &head, i, 1);
    }
    assert_int_equal(count(f), RELAIS_NOTE_SLOTS);
}

static void test_readers_of_parcels_pass_them_over(void **state)
{
    fixture *f = *state;
    relais_parcel_head head = head_of("a", "b");
    relais_spool_entry entry;
    relais_error err = {0};
    size_t listed, total;

    assert_true(leave(f, &head, 1, 1));
    assert_ok(relais_spool_list(f->spool, &entry, 1, &listed, &total, &err), err);
    assert_int_equal(total, 0);
}

static void test_long_values_are_cut_between_characters(void **state)
{
    fixture *f = *state;
    char device[2001] = "";
    relais_parcel_head head = head_of(device, device);
    relais_note note;
    unsigned slot;

    for (size_t i = 0; i < sizeof device - 1; i += 2)
        memcpy(device + i, "é", 2);
    device[0] = '%'; /* so that a character lies across the limit */
    device[1] = 'x';
    device[2] = 'x';
    memmove(device + 3, device + 4, sizeof device - 4);
    device[sizeof device - 2] = '\0';
    assert_true(leave(f, &head, 1, 1));
    assert_int_equal(find(f, &note, &slot), RELAIS_NOTE_READ);
    assert_int_equal(strlen(note.device), RELAIS_NOTE_VALUE_MAX - 1);
    assert_true(relais_utf8_valid(note.device, strlen(note.device)));
}

static void test_below_the_floor_none_is_left(void **state)
{
    fixture *f = *state;
    relais_parcel_head head = head_of("a", "b");
    relais_spool *full;
    relais_error err = {0};
    bool is_left;

    assert_ok(relais_spool_open(f->directory, UINT64_MAX / 2, &full, &err), err);
    assert_false(relais_note_leave(full, &head, 1, 1, &is_left, &err));
    assert_int_equal(err.code, RELAIS_ERR_FULL);
    assert_false(is_left);
    assert_int_equal(count(f), 0);
    relais_spool_close(full);
}

static void put(fixture *f, const char *text, time_t age)
{
    struct timespec at[2] = {{.tv_sec = time(NULL) - age}, {.tv_sec = time(NULL) - age}};
    char path[128];
    int fd;

    snprintf(path, sizeof path, "%s/00/new/.07.note", f->directory);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(futimens(fd, at), 0);
    close(fd);
}

#define ID "id: 00112233445566778899aabbccddeeff\n"

static void test_what_is_no_note(void **state)
{
    static const char *const damaged[] = {
        "",
        "relais-note: 1\n",
        "relais-note: 1\nreceived: x\n" ID "size",
        "relais-note: 2\nreceived: x\n" ID,
        "relais-note: 1\nreceived: x\nid: 0011\n",
        "relais-note: 1\n" ID,
        "relais-note: 1\nreceived: x\n\n" ID,
        "relais-note: 1\nreceived: x\nform: %0\n" ID,
    };
    fixture *f = *state;
    relais_error err = {0};
    relais_note note;

    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        put(f, damaged[i], 0); /* it may still be written */
        assert_int_equal(relais_note_read(f->spool, 7, f->arena, &note, &err), RELAIS_NOTE_NONE);
        put(f, damaged[i], 3600);
        assert_int_equal(relais_note_read(f->spool, 7, f->arena, &note, &err), RELAIS_NOTE_DAMAGED);
    }
    put(f, "relais-note: 1\nreceived: x\nlater-key: y\nsize: 5x\n" ID, 0);
    assert_int_equal(relais_note_read(f->spool, 7, f->arena, &note, &err), RELAIS_NOTE_READ);
    assert_int_equal(note.size, -1);
}

static void test_a_link_or_a_directory_in_the_place(void **state)
{
    fixture *f = *state;
    relais_error err = {0};
    relais_note note;
    char path[128];

    snprintf(path, sizeof path, "%s/00/new/.07.note", f->directory);
    assert_int_equal(symlink("/etc/hostname", path), 0);
    assert_int_equal(relais_note_read(f->spool, 7, f->arena, &note, &err), RELAIS_NOTE_DAMAGED);
    assert_ok(relais_note_remove(f->spool, 7, &err), err);
    assert_int_equal(mkfifo(path, 0640), 0);
    assert_int_equal(relais_note_read(f->spool, 7, f->arena, &note, &err), RELAIS_NOTE_DAMAGED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_left_is_read),
        TEST(test_what_is_not_known),
        TEST(test_one_for_each_submission),
        TEST(test_a_flood_fills_the_slots_and_no_more),
        TEST(test_readers_of_parcels_pass_them_over),
        TEST(test_long_values_are_cut_between_characters),
        TEST(test_below_the_floor_none_is_left),
        TEST(test_what_is_no_note),
        TEST(test_a_link_or_a_directory_in_the_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
