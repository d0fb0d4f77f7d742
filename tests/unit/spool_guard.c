/*
 * Who may look into the spool: every directory that is more open than it should be is found,
 * and one that is as it was made is not.
 */
#include "spool/guard.h"
#include "spool_fixture.h"

struct seen {
    char paths[8][128];
    unsigned wanted[8];
    bool is_grave[8];
    size_t count;
};

static void note(void *context, const relais_spool_gap *gap)
{
    struct seen *seen = context;

    assert_in_range(seen->count, 0, 7);
    snprintf(seen->paths[seen->count], sizeof seen->paths[0], "%s", gap->path);
    seen->wanted[seen->count] = gap->wanted;
    seen->is_grave[seen->count++] = gap->is_grave;
}

static struct seen look(const fixture *f)
{
    struct seen seen = {0};
    relais_error err = {0};

    assert_ok(relais_spool_guard(f->directory, note, &seen, &err), err);
    return seen;
}

/* `place` below the spool with this mode is found as `pattern`, or with NULL not at all. */
static void check(const fixture *f, const char *place, mode_t mode, const char *pattern,
                  bool is_grave)
{
    char path[256], expected[256];
    struct stat before;
    struct seen seen;

    snprintf(path, sizeof path, "%s%s", f->directory, place);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(chmod(path, mode), 0);
    seen = look(f);
    assert_int_equal(chmod(path, before.st_mode & 07777), 0);
    if (pattern == NULL) {
        assert_int_equal(seen.count, 0);
        return;
    }
    snprintf(expected, sizeof expected, "%s%s", f->directory, pattern);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.paths[0], expected);
    assert_int_equal(seen.is_grave[0], is_grave);
    assert_int_equal(seen.wanted[0], before.st_mode & 07777);
}

static void test_as_it_was_made(void **state)
{
    fixture *f = *state;

    assert_int_equal(chmod(f->directory, 02710), 0); /* mkdtemp made it, not the spool */
    assert_int_equal(look(f).count, 0);
}

static void test_what_is_too_open(void **state)
{
    fixture *f = *state;

    assert_int_equal(chmod(f->directory, 02710), 0);
    check(f, "/quarantine", 02750, "/quarantine", true);
    check(f, "/quarantine", 0701, "/quarantine", true);
    check(f, "/quarantine", 0700, NULL, false);
    check(f, "/07/new", 02735, "/0?/new", true);
    check(f, "/0f/new", 02731, "/0?/new", true);
    check(f, "/0f/new", 02770, NULL, false); /* where the web server must sync it */
    check(f, "/00/tmp", 02732, "/0?/tmp", true);
    check(f, "/00/tmp", 02770, "/0?/tmp", false);
    check(f, "/03", 02730, "/0?", true);
    check(f, "/03", 02711, NULL, false);
    check(f, "", 02715, "", false);
    check(f, "", 02712, "", true);
}

static void test_no_spool_yet(void **state)
{
    struct seen seen = {0};
    relais_error err = {0};

    (void)state;
    assert_ok(relais_spool_guard("/nonexistent/spool", note, &seen, &err), err);
    assert_int_equal(seen.count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_as_it_was_made),
        TEST(test_what_is_too_open),
        TEST(test_no_spool_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
