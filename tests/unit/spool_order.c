/*
 * The order of system calls that the promise rests on, and what happens when one of them
 * fails: the linker puts the wrappers below in their place (-Wl,--wrap, see spool.cmake).
 */
#include "spool_fixture.h"

#include <sys/uio.h>

/* ---- wrappers: write down, and fail when told to ---------------------------------------- */

static char calls[256];    /* a letter a call, see note() */
static char fail_at;       /* the letter of the call to fail, once */
static int fail_skip;      /* after letting this many of them pass */
static int fail_errno;     /* with this */
static bool write_shortly; /* writev and copy_file_range: interrupted, then 3 bytes a call */
static bool was_interrupted;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int from, const char *old, int to, const char *name);
int __wrap_renameat(int from, const char *old, int to, const char *name);
ssize_t __real_writev(int fd, const struct iovec *vectors, int count);
ssize_t __wrap_writev(int fd, const struct iovec *vectors, int count);
ssize_t __real_copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t length,
                               unsigned flags);
ssize_t __wrap_copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t length,
                               unsigned flags);
int __real_unlinkat(int dirfd, const char *name, int flags);
int __wrap_unlinkat(int dirfd, const char *name, int flags);

/* True when this call is to fail. w writev, c copy, s fsync of a file, d fsync of a directory,
 * r rename, u unlink. */
static bool note(char letter)
{
    size_t length = strlen(calls);

    assert_true(length + 1 < sizeof calls);
    calls[length] = letter;
    calls[length + 1] = '\0';
    if (letter != fail_at || fail_skip-- > 0)
        return false;
    fail_at = '\0';
    errno = fail_errno;
    return true;
}

int __wrap_fsync(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    return note(S_ISDIR(st.st_mode) ? 'd' : 's') ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int from, const char *old, int to, const char *name)
{
    return note('r') ? -1 : __real_renameat(from, old, to, name);
}

int __wrap_unlinkat(int dirfd, const char *name, int flags)
{
    return note('u') ? -1 : __real_unlinkat(dirfd, name, flags);
}

static bool interrupt(void)
{
    was_interrupted = !was_interrupted;
    errno = EINTR;
    return write_shortly && was_interrupted;
}

ssize_t __wrap_writev(int fd, const struct iovec *vectors, int count)
{
    if (note('w') || interrupt())
        return -1;
    if (write_shortly)
        return write(fd, vectors->iov_base, vectors->iov_len < 3 ? vectors->iov_len : 3);
    return __real_writev(fd, vectors, count);
}

ssize_t __wrap_copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t length,
                               unsigned flags)
{
    if (note('c') || interrupt())
        return -1;
    return __real_copy_file_range(in, in_at, out, out_at, write_shortly && length > 3 ? 3 : length,
                                  flags);
}

static void begin(void)
{
    calls[0] = fail_at = '\0';
    fail_skip = 0;
    write_shortly = was_interrupted = false;
}

static void fail_call(char letter, int skip, int sys)
{
    begin();
    fail_at = letter;
    fail_skip = skip;
    fail_errno = sys;
}

static int setup(void **state)
{
    begin();
    return fixture_setup(state);
}

/* ---- staging and committing -------------------------------------------------------------- */

static bool stage(fixture *f, relais_staged *staged, relais_error *err)
{
    relais_segment segment = {.data = "body", .length = 4};
    relais_parcel_head head;

    memset(err, 0, sizeof *err);
    fixture_head(&head, "body", 4);
    return relais_spool_stage(f->spool, &head, &segment, 1, staged, err);
}

static void test_order_of_a_commit(void **state)
{
    fixture *f = *state;
    relais_staged staged;
    relais_error err;

    begin();
    assert_ok(stage(f, &staged, &err), err);
    assert_string_equal(calls, "ws");
    assert_ok(relais_spool_commit(f->spool, &staged, &err), err);
    assert_string_equal(calls, "wsrd");
}

static void test_interrupted_and_short_writes(void **state)
{
    fixture *f = *state;
    char path[128], body[16] = "";
    relais_segment segments[2] = {{.data = "0123456789", .length = 10}, {.length = 5}};
    relais_spool_entry entry;
    relais_parcel_head head;
    relais_staged staged;
    relais_parcel parcel;
    relais_error err = {0};

    snprintf(path, sizeof path, "%s/file", f->directory);
    fixture_write(path, "xxabcde", 7);
    segments[1].fd = open(path, O_RDONLY);
    segments[1].offset = 2;
    fixture_head(&head, "0123456789abcde", 15);
    begin();
    write_shortly = true;
    assert_ok(relais_spool_stage(f->spool, &head, segments, 2, &staged, &err), err);
    entry.shard = staged.shard;
    memcpy(entry.name, staged.name, sizeof entry.name);
    assert_ok(relais_spool_commit(f->spool, &staged, &err), err);
    assert_ok(relais_spool_parcel(f->spool, &entry, f->arena, &parcel, &err), err);
    assert_ok(relais_parcel_read(&parcel, 0, body, 15, &err), err);
    assert_string_equal(body, "0123456789abcde");
    close(segments[1].fd);
}

static void test_copy_that_the_kernel_refuses(void **state)
{
    static const int refusals[] = {EXDEV, ENOSYS, EINVAL, EOPNOTSUPP};
    fixture *f = *state;
    char path[128];
    relais_segment segment = {.length = 5};
    relais_parcel_head head;
    relais_staged staged;
    relais_error err = {0};

    snprintf(path, sizeof path, "%s/file", f->directory);
    fixture_write(path, "abcde", 5);
    segment.fd = open(path, O_RDONLY);
    fixture_head(&head, "abcde", 5);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        fail_call('c', 0, refusals[i]);
        assert_ok(relais_spool_stage(f->spool, &head, &segment, 1, &staged, &err), err);
        relais_spool_abort(f->spool, &staged);
    }
    close(segment.fd);
}

/* A failed fsync means that the bytes may be lost whatever a second fsync says. */
static void test_stage_failures_leave_nothing(void **state)
{
    static const struct {
        char letter;
        int sys;
        relais_error_code code;
    } cases[] = {{'w', EIO, RELAIS_ERR_SYSTEM},
                 {'w', ENOSPC, RELAIS_ERR_FULL},
                 {'w', EDQUOT, RELAIS_ERR_FULL},
                 {'s', EIO, RELAIS_ERR_SYSTEM},
                 {'s', ENOSPC, RELAIS_ERR_FULL}};
    fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        relais_staged staged;
        relais_error err;
        fail_call(cases[i].letter, 0, cases[i].sys);
        assert_false(stage(f, &staged, &err));
        assert_int_equal(err.code, cases[i].code);
        assert_int_equal(err.sys, cases[i].sys);
        assert_int_equal(staged.shard, -1);
        assert_int_equal(fixture_count(f, "tmp"), 0);
    }
}

static void test_commit_whose_rename_fails_can_be_aborted(void **state)
{
    fixture *f = *state;
    relais_staged staged;
    relais_error err;

    assert_ok(stage(f, &staged, &err), err);
    fail_call('r', 0, EIO);
    assert_false(relais_spool_commit(f->spool, &staged, &err));
    assert_int_equal(fixture_count(f, "new"), 0);
    relais_spool_abort(f->spool, &staged);
    assert_int_equal(fixture_count(f, "tmp"), 0);
}

/* Not acknowledged, so it must not be delivered beside what the phone sends again. */
static void test_commit_that_is_not_durable_is_taken_back(void **state)
{
    fixture *f = *state;
    relais_staged staged;
    relais_error err;

    assert_ok(stage(f, &staged, &err), err);
    fail_call('d', 0, EIO);
    assert_false(relais_spool_commit(f->spool, &staged, &err));
    assert_int_equal(err.code, RELAIS_ERR_SYSTEM);
    assert_int_equal(staged.shard, -1);
    assert_int_equal(fixture_count(f, "new") + fixture_count(f, "tmp"), 0);
}

static void test_fsync_that_is_interrupted_is_repeated(void **state)
{
    fixture *f = *state;
    relais_staged staged;
    relais_error err;

    fail_call('s', 0, EINTR);
    assert_ok(stage(f, &staged, &err), err);
    assert_string_equal(calls, "wss");
    fail_call('d', 0, EINTR);
    assert_ok(relais_spool_commit(f->spool, &staged, &err), err);
    assert_string_equal(calls, "rdd");
}

/* ---- quarantine: stopped at each step, repeated, whole ------------------------------------ */

static relais_reason a_reason(void)
{
    relais_reason reason;

    relais_reason_init(&reason);
    reason.class_word = "data";
    return reason;
}

static void test_order_of_a_quarantine(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = fixture_put(f, "x");
    relais_reason reason = a_reason();
    relais_error err = {0};

    begin();
    assert_ok(relais_quarantine_put(f->spool, &entry, &reason, &err), err);
    assert_string_equal(calls, "srdrdd"); /* reason: sync, name, directory; parcel: move, both */
}

/* The parcel is in a new/, in quarantine/, or in both; never in neither. */
static void assert_somewhere(fixture *f, const relais_spool_entry *entry)
{
    bool found = fixture_exists(fixture_path(f, -1, NULL, entry->name));

    for (int shard = 0; shard < RELAIS_SPOOL_SHARDS; shard++)
        found = found || fixture_exists(fixture_path(f, shard, "new", entry->name));
    assert_true(found);
}

static bool put(fixture *f, relais_spool_entry *entry)
{
    relais_reason reason = a_reason();

    return relais_quarantine_put(f->spool, entry, &reason, NULL);
}

static bool replay(fixture *f, relais_spool_entry *entry)
{
    return relais_quarantine_replay(f->spool, entry->name, NULL);
}

/* Fails `work` at its n-th call of each kind in turn, then repeats it without failing. */
static size_t stop_everywhere(fixture *f, bool (*work)(fixture *, relais_spool_entry *),
                              bool begins_aside)
{
    size_t stops = 0;

    for (const char *letter = "srdu"; *letter != '\0'; letter++) {
        for (int skip = 0;; skip++) {
            relais_spool_entry entry;
            bool done;
            begin();
            entry = fixture_put(f, "x");
            if (begins_aside)
                assert_true(put(f, &entry));
            fail_call(*letter, skip, EIO);
            done = work(f, &entry);
            assert_somewhere(f, &entry);
            if (fail_at != '\0') { /* there is no such call any more */
                assert_true(done);
                break;
            }
            assert_false(done);
            stops++;
            begin();
            assert_true(work(f, &entry));
            assert_somewhere(f, &entry);
        }
    }
    return stops;
}

static void test_quarantine_stopped_everywhere(void **state)
{
    fixture *f = *state;

    assert_true(stop_everywhere(f, put, false) >= 6);
    assert_int_equal(fixture_count(f, "new"), 0);
}

static void test_replay_stopped_everywhere(void **state)
{
    fixture *f = *state;

    assert_true(stop_everywhere(f, replay, true) >= 4);
    assert_int_equal(fixture_count_files(fixture_path(f, -1, NULL, "")), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_order_of_a_commit),
        TEST(test_interrupted_and_short_writes),
        TEST(test_copy_that_the_kernel_refuses),
        TEST(test_stage_failures_leave_nothing),
        TEST(test_commit_whose_rename_fails_can_be_aborted),
        TEST(test_commit_that_is_not_durable_is_taken_back),
        TEST(test_fsync_that_is_interrupted_is_repeated),
        TEST(test_order_of_a_quarantine),
        TEST(test_quarantine_stopped_everywhere),
        TEST(test_replay_stopped_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
