/*
 * A scratch file has no name at any time, holds what was written, becomes a parcel's body, and
 * counts against the floor as a parcel does.
 */
#include "spool_fixture.h"

#include "spool/scratch.h"

#include <sys/stat.h>

/* Everything in the spool's directories for writing. */
static size_t count_files(fixture *f)
{
    size_t count = 0;

    for (int shard = 0; shard < RELAIS_SPOOL_SHARDS; shard++) {
        char path[128];
        struct dirent *entry;
        DIR *directory;

        snprintf(path, sizeof path, "%s/%02x/tmp", f->directory, (unsigned)shard);
        directory = opendir(path);
        assert_non_null(directory);
        while ((entry = readdir(directory)) != NULL)
            count += entry->d_name[0] != '.';
        closedir(directory);
    }
    return count;
}

static void test_a_body_without_a_name_becomes_a_parcel(void **state)
{
    static const char body[] = "first second ";
    fixture *f = *state;
    relais_error err = {0};
    relais_segment segment = {.length = strlen(body)};
    relais_parcel_head head;
    relais_spool_entry entry;
    relais_staged staged;
    relais_parcel parcel;
    char read[sizeof body] = "";

    assert_ok(relais_scratch_open(f->spool, &segment.fd, &err), err);
    assert_ok(relais_scratch_write(f->spool, segment.fd, body, 6, &err), err);
    assert_ok(relais_scratch_write(f->spool, segment.fd, body + 6, 7, &err), err);
    assert_int_equal(count_files(f), 0);
    fixture_head(&head, body, strlen(body));
    assert_ok(relais_spool_stage(f->spool, &head, &segment, 1, &staged, &err), err);
    close(segment.fd);
    entry.shard = staged.shard;
    memcpy(entry.name, staged.name, sizeof entry.name);
    assert_ok(relais_spool_commit(f->spool, &staged, &err), err);
    assert_int_equal(count_files(f), 0);
    assert_ok(relais_spool_parcel(f->spool, &entry, f->arena, &parcel, &err), err);
    assert_ok(relais_parcel_read(&parcel, 0, read, strlen(body), &err), err);
    assert_string_equal(read, body);
}

static void test_no_room_above_the_floor(void **state)
{
    fixture *f = *state;
    relais_error err = {0};
    relais_spool *spool;
    int fd;

    assert_ok(relais_spool_open(f->directory, UINT64_MAX / 2, &spool, &err), err);
    assert_ok(relais_scratch_open(spool, &fd, &err), err);
    assert_false(relais_scratch_write(spool, fd, "x", 1, &err));
    assert_int_equal(err.code, RELAIS_ERR_FULL);
    close(fd);
    relais_spool_close(spool);
}

static void test_a_directory_that_cannot_be_written(void **state)
{
    fixture *f = *state;
    relais_error err = {0};
    int fd;

    if (geteuid() == 0)
        skip();
    for (int shard = 0; shard < RELAIS_SPOOL_SHARDS; shard++) {
        char path[128];

        snprintf(path, sizeof path, "%s/%02x/tmp", f->directory, (unsigned)shard);
        assert_int_equal(chmod(path, 0500), 0);
    }
    assert_false(relais_scratch_open(f->spool, &fd, &err));
    assert_int_equal(err.code, RELAIS_ERR_SYSTEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_body_without_a_name_becomes_a_parcel, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_no_room_above_the_floor, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_directory_that_cannot_be_written, fixture_setup,
                                        fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
