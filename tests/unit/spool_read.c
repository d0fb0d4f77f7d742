/*
 * Reading the spool: order of arrival with bounded memory, foreign names, removal, sweeping.
 */
#include "spool_fixture.h"

#include <sys/time.h>

/* A name of the spool's shape for the i-th of many arrivals. */
static void name_for(size_t i, char out[RELAIS_SPOOL_NAME_SIZE])
{
    snprintf(out, RELAIS_SPOOL_NAME_SIZE, "20260302T1015%02zu.%06zuZ-%032zx.parcel", i / 1000 % 60,
             i % 1000, i * 2654435761u);
}

static void test_ten_thousand_in_order(void **state)
{
    enum { FILES = 10000, MAXIMUM = 100 };
    fixture *f = *state;
    relais_spool_entry entries[MAXIMUM];
    relais_error err = {0};
    size_t count, total;

    for (size_t i = 0; i < FILES; i++) {
        char name[RELAIS_SPOOL_NAME_SIZE];
        size_t mixed = i * 7919 % FILES; /* not created in order */
        name_for(mixed, name);
        fixture_write(fixture_path(f, (int)(mixed * 31 % 16), "new", name), "", 0);
    }
    assert_ok(relais_spool_list(f->spool, entries, MAXIMUM, &count, &total, &err), err);
    assert_int_equal(count, MAXIMUM);
    assert_int_equal(total, FILES);
    for (size_t i = 0; i < MAXIMUM; i++) {
        char name[RELAIS_SPOOL_NAME_SIZE];
        name_for(i, name);
        assert_string_equal(entries[i].name, name);
        assert_int_equal(entries[i].shard, i * 31 % 16);
    }
}

static void test_foreign_names_come_last(void **state)
{
    static const char *const foreign[] = {
        "00000000T000000.000000Z-ABCDEF", "0.parcel", "parcel with spaces", "zz",
        "20200101T000000.000000Z-0123456789abcdef0123456789abcdeF.parcel"};
    fixture *f = *state;
    relais_spool_entry entries[16], first = fixture_put(f, "x");
    relais_error err = {0};
    size_t count, total;

    for (size_t i = 0; i < 5; i++)
        fixture_write(fixture_path(f, (int)i, "new", foreign[i]), "", 0);
    fixture_write(fixture_path(f, 0, "new", ".hidden"), "", 0);
    assert_ok(relais_spool_list(f->spool, entries, 16, &count, &total, &err), err);
    assert_int_equal(count, 6);
    assert_int_equal(total, 6);
    assert_string_equal(entries[0].name, first.name);
    for (size_t i = 2; i < count; i++)
        assert_true(strcmp(entries[i - 1].name, entries[i].name) < 0);
}

static void test_same_name_in_two_shards(void **state)
{
    fixture *f = *state;
    relais_spool_entry entries[2];
    relais_error err = {0};
    size_t count, total;

    fixture_write(fixture_path(f, 9, "new", "a"), "", 0);
    fixture_write(fixture_path(f, 2, "new", "a"), "", 0);
    assert_ok(relais_spool_list(f->spool, entries, 2, &count, &total, &err), err);
    assert_int_equal(count, 2);
    assert_int_equal(entries[0].shard, 2);
    assert_int_equal(entries[1].shard, 9);
}

/* Such a name does not fit an entry; the file must not stay unseen for ever. */
static void test_long_name_is_adopted(void **state)
{
    fixture *f = *state;
    relais_spool_entry entries[4];
    relais_error err = {0};
    size_t count, total;
    char name[201];

    memset(name, 'n', 200);
    name[200] = '\0';
    fixture_write(fixture_path(f, 4, "new", name), "x", 1);
    assert_ok(relais_spool_list(f->spool, entries, 4, &count, &total, &err), err);
    assert_ok(relais_spool_list(f->spool, entries, 4, &count, &total, &err), err);
    assert_int_equal(count, 1);
    assert_int_equal(entries[0].shard, 4);
    assert_true(fixture_exists(fixture_path(f, 4, "new", entries[0].name)));
    assert_int_equal(fixture_count(f, "new"), 1);
}

static void test_maximum_zero_counts(void **state)
{
    fixture *f = *state;
    relais_error err = {0};
    size_t count, total;

    fixture_put(f, "x");
    fixture_put(f, "y");
    assert_ok(relais_spool_list(f->spool, NULL, 0, &count, &total, &err), err);
    assert_int_equal(count, 0);
    assert_int_equal(total, 2);
}

static void test_arrivals_in_order_of_commit(void **state)
{
    enum { PARCELS = 50 };
    fixture *f = *state;
    relais_spool_entry put[PARCELS], got[PARCELS];
    relais_error err = {0};
    size_t count, total;

    for (size_t i = 0; i < PARCELS; i++)
        put[i] = fixture_put(f, "x");
    assert_ok(relais_spool_list(f->spool, got, PARCELS, &count, &total, &err), err);
    assert_int_equal(count, PARCELS);
    for (size_t i = 0; i < PARCELS; i++)
        assert_string_equal(got[i].name, put[i].name);
}

static void test_remove_twice(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = fixture_put(f, "x");
    relais_parcel parcel;
    relais_error err = {0};

    assert_ok(relais_spool_remove(f->spool, &entry, &err), err);
    assert_ok(relais_spool_remove(f->spool, &entry, &err), err);
    assert_false(relais_spool_parcel(f->spool, &entry, f->arena, &parcel, &err));
    assert_int_equal(err.code, RELAIS_ERR_MISSING);
}

static void test_entries_cannot_leave_the_shard(void **state)
{
    static const char *const names[] = {"", ".", "..", "../tmp/x", "/etc/passwd", ".x"};
    fixture *f = *state;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        relais_spool_entry entry = {0};
        relais_parcel parcel;
        relais_error err = {0};
        snprintf(entry.name, sizeof entry.name, "%s", names[i]);
        assert_false(relais_spool_parcel(f->spool, &entry, f->arena, &parcel, &err));
        assert_false(relais_spool_remove(f->spool, &entry, NULL));
        assert_int_equal(err.code, RELAIS_ERR_MISSING);
    }
    for (int shard = -1; shard <= 16; shard += 17) {
        relais_spool_entry entry = {.shard = shard, .name = "x"};
        assert_false(relais_spool_remove(f->spool, &entry, NULL));
    }
}

static void test_sweep_takes_only_the_old(void **state)
{
    fixture *f = *state;
    const struct timeval old[2] = {{.tv_sec = time(NULL) - 3600}, {.tv_sec = time(NULL) - 3600}};
    relais_spool_entry committed = fixture_put(f, "x");
    relais_error err = {0};
    size_t swept;

    fixture_write(fixture_path(f, 1, "tmp", "old"), "x", 1);
    assert_int_equal(utimes(fixture_path(f, 1, "tmp", "old"), old), 0);
    fixture_write(fixture_path(f, 2, "tmp", "young"), "x", 1);
    assert_int_equal(utimes(fixture_path(f, committed.shard, "new", committed.name), old), 0);
    assert_ok(relais_spool_sweep(f->spool, 600, &swept, &err), err);
    assert_int_equal(swept, 1);
    assert_false(fixture_exists(fixture_path(f, 1, "tmp", "old")));
    assert_true(fixture_exists(fixture_path(f, 2, "tmp", "young")));
    assert_ok(relais_spool_sweep(f->spool, 0, &swept, &err), err);
    assert_int_equal(swept, 1);
    assert_int_equal(fixture_count(f, "new"), 1);
}

static void test_sweep_takes_reasons_whose_parcel_is_gone(void **state)
{
    fixture *f = *state;
    const char *const names[] = {"gone.parcel.reason", "here.parcel.reason", "here.parcel"};
    relais_error err = {0};
    size_t swept;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/quarantine/%s", f->directory, names[i]);
        fixture_write(path, "x", 1);
    }
    assert_ok(relais_spool_sweep(f->spool, 600, &swept, &err), err);
    assert_int_equal(swept, 0);
    assert_ok(relais_spool_sweep(f->spool, 0, &swept, &err), err);
    assert_int_equal(swept, 1);
}

static void test_watch_paths(void **state)
{
    fixture *f = *state;
    char path[128], small[8];
    int shard = 0;

    while (relais_spool_watch_path(f->spool, shard, path, sizeof path)) {
        assert_true(fixture_exists(path));
        shard++;
    }
    assert_int_equal(shard, RELAIS_SPOOL_SHARDS);
    assert_true(relais_spool_watch_path(f->spool, 10, path, sizeof path));
    assert_non_null(strstr(path, "/0a/new"));
    assert_false(relais_spool_watch_path(f->spool, 0, small, sizeof small));
    assert_false(relais_spool_watch_path(f->spool, -1, path, sizeof path));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_ten_thousand_in_order),
        TEST(test_foreign_names_come_last),
        TEST(test_same_name_in_two_shards),
        TEST(test_long_name_is_adopted),
        TEST(test_maximum_zero_counts),
        TEST(test_arrivals_in_order_of_commit),
        TEST(test_remove_twice),
        TEST(test_entries_cannot_leave_the_shard),
        TEST(test_sweep_takes_only_the_old),
        TEST(test_sweep_takes_reasons_whose_parcel_is_gone),
        TEST(test_watch_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
