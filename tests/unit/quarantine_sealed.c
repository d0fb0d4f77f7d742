/*
 * A sealed parcel in the place of a plain one, and the way back: what stands where when it is
 * done, when a step fails, and when the process is killed before any of its steps.
 *
 * Sealing is played by turning every bit; the spool does not know what an envelope is. The
 * linker puts the wrappers below in the place of the system calls (see spool.cmake).
 */
#include "spool_fixture.h"

#include <sys/wait.h>

/* ---- wrappers: die or fail at a given call ------------------------------------------------ */

static int calls;                /* made so far, while counting */
static int die_at;               /* ends the process before this one */
static int fail_at;              /* or refuses it */
static int fail_errno;           /* with this */
static bool without_tmpfile;     /* as on an overlay */
static const int never = 100000; /* for die_at and fail_at */

static bool refuse(void)
{
    calls++;
    if (calls == die_at)
        _exit(9);
    errno = fail_errno;
    return calls == fail_at;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int from, const char *old, int to, const char *name);
int __wrap_renameat(int from, const char *old, int to, const char *name);
int __real_linkat(int from, const char *old, int to, const char *name, int flags);
int __wrap_linkat(int from, const char *old, int to, const char *name, int flags);
int __real_unlinkat(int dirfd, const char *name, int flags);
int __wrap_unlinkat(int dirfd, const char *name, int flags);
int __real_futimens(int fd, const struct timespec times[2]);
int __wrap_futimens(int fd, const struct timespec times[2]);
int __real_openat(int dirfd, const char *name, int flags, ...);
int __wrap_openat(int dirfd, const char *name, int flags, ...);

int __wrap_fsync(int fd)
{
    return refuse() ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int from, const char *old, int to, const char *name)
{
    return refuse() ? -1 : __real_renameat(from, old, to, name);
}

int __wrap_linkat(int from, const char *old, int to, const char *name, int flags)
{
    return refuse() ? -1 : __real_linkat(from, old, to, name, flags);
}

int __wrap_unlinkat(int dirfd, const char *name, int flags)
{
    return refuse() ? -1 : __real_unlinkat(dirfd, name, flags);
}

int __wrap_futimens(int fd, const struct timespec times[2])
{
    return refuse() ? -1 : __real_futimens(fd, times);
}

int __wrap_openat(int dirfd, const char *name, int flags, ...)
{
    if (without_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return __real_openat(dirfd, name, flags, 0640);
}

/* ---- sealing as it is played -------------------------------------------------------------- */

static const char secret[] = "Zerbo Lassina";
static bool fails_in_the_middle;

static bool turn_bits(void *context, const relais_segment *from, relais_spool_write *write,
                      void *to, relais_error *err)
{
    size_t left = from->length;
    off_t at = from->offset;
    char piece[7];

    (void)context;
    while (left > 0) {
        ssize_t n = pread(from->fd, piece, left < sizeof piece ? left : sizeof piece, at);
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++)
            piece[i] = (char)~piece[i];
        if (!write(to, piece, (size_t)n, err))
            return false;
        if (fails_in_the_middle)
            return relais_error_set(err, RELAIS_ERR_DAMAGED, "sealed for another key");
        at += n;
        left -= (size_t)n;
    }
    return true;
}

static relais_reason a_reason(const char *class_word)
{
    relais_reason reason;

    relais_reason_init(&reason);
    reason.class_word = class_word;
    return reason;
}

static relais_parcel_head a_head(void)
{
    relais_parcel_head head;

    relais_parcel_head_init(&head);
    head.source = "serve";
    head.form = "bf_tip_ident";
    head.instance = "uuid:1";
    head.content_type = RELAIS_PARCEL_SEALED_TYPE;
    head.sealed = "3f2a";
    return head;
}

static bool put(fixture *f, const relais_spool_entry *entry, const char *class_word,
                relais_error *err)
{
    relais_parcel_head head = a_head();
    relais_reason reason = a_reason(class_word);

    return relais_quarantine_put_sealed(f->spool, entry, &reason, &head, turn_bits, NULL, err);
}

static bool replay(fixture *f, const char *name, relais_error *err)
{
    return relais_quarantine_replay_sealed(f->spool, name, turn_bits, NULL, err);
}

/* ---- looking ------------------------------------------------------------------------------ */

static size_t read_path(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY);
    ssize_t n;

    assert_true(fd >= 0);
    n = read(fd, out, size);
    assert_true(n >= 0);
    close(fd);
    return (size_t)n;
}

static bool holds_secret(const char *path, const struct stat *st)
{
    char bytes[8192];

    return S_ISREG(st->st_mode) &&
           memmem(bytes, read_path(path, bytes, sizeof bytes), secret, strlen(secret)) != NULL;
}

static size_t plain_copies; /* of any file below the spool */

static int count_plain(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)type, (void)walk;
    plain_copies += holds_secret(path, st);
    return 0;
}

static size_t count_secrets(const fixture *f)
{
    plain_copies = 0;
    assert_int_equal(nftw(f->directory, count_plain, 16, FTW_PHYS), 0);
    return plain_copies;
}

static size_t count_quarantine(const fixture *f)
{
    return fixture_count_files(fixture_path(f, -1, NULL, ""));
}

static void assert_sealed_once(fixture *f, const char *name)
{
    relais_parcel parcel;
    relais_reason reason;
    relais_error err = {0};

    assert_int_equal(fixture_count(f, "new"), 0);
    assert_int_equal(fixture_count(f, "tmp"), 0);
    assert_int_equal(count_quarantine(f), 2);
    assert_int_equal(count_secrets(f), 0);
    assert_ok(relais_quarantine_parcel(f->spool, name, f->arena, &parcel, &reason, &err), err);
    assert_string_equal(parcel.head.sealed, "3f2a");
    assert_string_equal(parcel.head.instance, "uuid:1");
}

/* The sealed file's body with its bits turned back, and its hash. */
static void assert_body(fixture *f, const char *name, const char *original, size_t length)
{
    char body[4096];
    uint8_t sha256[RELAIS_SHA256_SIZE];
    relais_digest_state digest;
    relais_parcel parcel;
    relais_error err = {0};

    assert_ok(relais_quarantine_parcel(f->spool, name, f->arena, &parcel, NULL, &err), err);
    assert_int_equal(parcel.head.length, length);
    assert_ok(relais_parcel_read(&parcel, 0, body, length, &err), err);
    relais_sha256_begin(&digest);
    relais_sha256_add(&digest, body, length);
    relais_sha256_end(&digest, sha256);
    assert_memory_equal(sha256, parcel.head.sha256, sizeof sha256);
    for (size_t i = 0; i < length; i++)
        body[i] = (char)~body[i];
    assert_memory_equal(body, original, length);
}

static const char *path_in_new(const fixture *f, const char *name)
{
    for (int shard = 0; shard < RELAIS_SPOOL_SHARDS; shard++)
        if (fixture_exists(fixture_path(f, shard, "new", name)))
            return fixture_path(f, shard, "new", name);
    fail_msg("%s is not in new/", name);
    return NULL;
}

/* ---- tests -------------------------------------------------------------------------------- */

static void test_put_and_replay_give_the_very_file_back(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = fixture_put(f, secret);
    char before[4096], after[4096];
    size_t length =
        read_path(fixture_path(f, entry.shard, "new", entry.name), before, sizeof before);
    relais_error err = {0};

    assert_int_equal(count_secrets(f), 1);
    assert_ok(put(f, &entry, "data", &err), err);
    assert_sealed_once(f, entry.name);
    assert_body(f, entry.name, before, length);
    assert_ok(replay(f, entry.name, &err), err);
    assert_int_equal(count_quarantine(f), 0);
    assert_int_equal(fixture_count(f, "new"), 1);
    assert_int_equal(fixture_count(f, "tmp"), 0);
    assert_int_equal(read_path(path_in_new(f, entry.name), after, sizeof after), length);
    assert_memory_equal(before, after, length);
}

/* What cannot be read as a parcel at all is sealed as it is, and gets a head. */
static void test_what_is_no_parcel_is_sealed_too(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = fixture_put(f, "x");
    char path[512], after[64];
    relais_parcel parcel;
    relais_error err = {0};

    snprintf(path, sizeof path, "%s", fixture_path(f, entry.shard, "new", entry.name));
    fixture_write(path, secret, strlen(secret));
    assert_ok(put(f, &entry, "damaged", &err), err);
    assert_sealed_once(f, entry.name);
    assert_body(f, entry.name, secret, strlen(secret));
    assert_ok(relais_quarantine_parcel(f->spool, entry.name, f->arena, &parcel, NULL, &err), err);
    assert_int_equal(strlen(parcel.head.received), RELAIS_TIME_TEXT_SIZE - 1);
    assert_ok(replay(f, entry.name, &err), err);
    assert_int_equal(read_path(path_in_new(f, entry.name), after, sizeof after), strlen(secret));
}

static void test_put_twice_is_harmless(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = fixture_put(f, secret);
    relais_error err = {0};

    assert_ok(put(f, &entry, "data", &err), err);
    assert_ok(put(f, &entry, "data", &err), err);
    assert_sealed_once(f, entry.name);
}

static void test_put_of_nothing(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = {.shard = 3, .name = "gone.parcel"};
    relais_error err = {0};

    assert_false(put(f, &entry, "data", &err));
    assert_int_equal(err.code, RELAIS_ERR_MISSING);
    assert_int_equal(count_quarantine(f), 0);
}

/* An edited parcel under its old name, while the original is still in quarantine. */
static void test_another_of_that_name_is_not_overwritten(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = fixture_put(f, secret);
    relais_error err = {0};

    assert_ok(put(f, &entry, "data", &err), err);
    fixture_write(fixture_path(f, entry.shard, "new", entry.name), secret, strlen(secret));
    assert_ok(put(f, &entry, "data", &err), err);
    assert_int_equal(fixture_count(f, "new"), 0);
    assert_int_equal(count_quarantine(f), 4);
    assert_int_equal(count_secrets(f), 0);
}

static void test_a_name_that_is_no_parcels(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = {.shard = 5, .name = "from a stick.txt"};
    relais_error err = {0};

    fixture_write(fixture_path(f, 5, "new", entry.name), secret, strlen(secret));
    assert_ok(put(f, &entry, "damaged", &err), err);
    assert_int_equal(fixture_count(f, "new"), 0);
    assert_int_equal(count_quarantine(f), 2);
    assert_int_equal(count_secrets(f), 0);
}

/* The plain move of an older forwarder that a crash left half on disk. */
static void test_a_plain_one_of_the_same_file_goes(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = fixture_put(f, secret);
    relais_error err = {0};
    char old[512];

    snprintf(old, sizeof old, "%s", fixture_path(f, entry.shard, "new", entry.name));
    assert_int_equal(link(old, fixture_path(f, -1, NULL, entry.name)), 0);
    assert_ok(put(f, &entry, "data", &err), err);
    assert_sealed_once(f, entry.name);
}

static void test_a_key_that_does_not_fit_changes_nothing(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = fixture_put(f, secret);
    relais_error err = {0};

    assert_ok(put(f, &entry, "data", &err), err);
    fails_in_the_middle = true;
    assert_false(replay(f, entry.name, &err));
    fails_in_the_middle = false;
    assert_int_equal(err.code, RELAIS_ERR_DAMAGED);
    assert_sealed_once(f, entry.name);
}

static void test_a_plain_parcel_is_not_opened(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = fixture_put(f, "body");
    relais_reason reason = a_reason("data");
    relais_error err = {0};

    assert_ok(relais_quarantine_put(f->spool, &entry, &reason, &err), err);
    assert_false(replay(f, entry.name, &err));
    assert_int_equal(err.code, RELAIS_ERR_DATA);
    assert_int_equal(count_quarantine(f), 2);
}

/* Given back, taken up and put aside again before the command went on to remove the sealed one:
 * the lock keeps the two apart, so here is only what a kill between the two leaves. */
static void test_put_aside_again_after_a_killed_replay(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = fixture_put(f, secret), again = {0};
    size_t count, total;
    relais_error err = {0};

    assert_ok(put(f, &entry, "data", &err), err);
    if (fork() == 0) { /* killed after the original has its name in new/ */
        calls = 0;
        die_at = 5; /* futimens, fsync, linkat, fsync, then the first unlinkat */
        (void)!replay(f, entry.name, NULL);
        _exit(1);
    }
    assert_true(wait(NULL) > 0);
    assert_int_equal(fixture_count(f, "new"), 1);
    assert_int_equal(count_quarantine(f), 2);
    assert_ok(relais_spool_list(f->spool, &again, 1, &count, &total, &err), err);
    assert_string_equal(again.name, entry.name);
    assert_ok(put(f, &again, "data", &err), err);
    assert_sealed_once(f, entry.name);
}

typedef bool step(fixture *f, const relais_spool_entry *entry, relais_error *err);

static bool step_put(fixture *f, const relais_spool_entry *entry, relais_error *err)
{
    return put(f, entry, "data", err);
}

static bool step_replay(fixture *f, const relais_spool_entry *entry, relais_error *err)
{
    return replay(f, entry->name, err);
}

/* Runs the step in a process that ends before its `at`th call; false when it has fewer. */
static bool kill_at(fixture *f, step *run, const relais_spool_entry *entry, int at)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        calls = 0;
        die_at = at;
        _exit(run(f, entry, NULL) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 1);
    return WEXITSTATUS(status) == 9;
}

static bool fail_call(fixture *f, step *run, const relais_spool_entry *entry, int at)
{
    relais_error err = {0};
    bool ok;

    calls = 0;
    fail_at = at;
    ok = run(f, entry, &err);
    fail_at = never;
    return !ok || calls >= at; /* a clean-up may fail, too */
}

static void check_put(fixture *f,
                      bool (*disturb)(fixture *, step *, const relais_spool_entry *, int))
{
    int at = 1;

    for (bool was_disturbed = true; was_disturbed; at++) {
        relais_spool_entry entry = fixture_put(f, secret);
        relais_error err = {0};
        was_disturbed = disturb(f, step_put, &entry, at);
        assert_true(count_secrets(f) <= 1);
        assert_ok(put(f, &entry, "data", &err), err);
        assert_int_equal(fixture_count(f, "tmp"), 0);
        assert_int_equal(count_secrets(f), 0);
        assert_int_equal(count_quarantine(f), 2);
        assert_ok(relais_quarantine_drop(f->spool, entry.name, &err), err);
    }
    assert_in_range(at, 8, 40);
}

static void check_replay(fixture *f,
                         bool (*disturb)(fixture *, step *, const relais_spool_entry *, int))
{
    int at = 1;

    for (bool was_disturbed = true; was_disturbed; at++) {
        relais_spool_entry entry = fixture_put(f, secret), listed;
        relais_error err = {0}, why = {0};
        size_t count, total;
        assert_ok(put(f, &entry, "data", &err), err);
        was_disturbed = disturb(f, step_replay, &entry, at);
        assert_true(fixture_count(f, "new") + count_quarantine(f) >= 1);
        if (!replay(f, entry.name, &why)) /* it was done before */
            assert_int_equal(why.code, RELAIS_ERR_MISSING);
        assert_ok(relais_spool_list(f->spool, &listed, 1, &count, &total, &err), err);
        assert_int_equal(total, 1);
        assert_string_equal(listed.name, entry.name);
        assert_ok(relais_spool_remove(f->spool, &listed, &err), err);
        assert_int_equal(count_quarantine(f), 0);
        assert_int_equal(count_secrets(f), 0);
    }
    assert_in_range(at, 6, 40);
}

static void test_killed_before_any_call(void **state)
{
    check_put(*state, kill_at);
}

static void test_any_call_fails(void **state)
{
    fail_errno = EIO;
    check_put(*state, fail_call);
}

static void test_replay_killed_before_any_call(void **state)
{
    check_replay(*state, kill_at);
}

static void test_replay_any_call_fails(void **state)
{
    fail_errno = EIO;
    check_replay(*state, fail_call);
}

static void test_without_nameless_files(void **state)
{
    without_tmpfile = true;
    test_put_and_replay_give_the_very_file_back(state);
    without_tmpfile = false;
}

static void test_full_disk_is_said_so(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = fixture_put(f, secret);
    relais_error err = {0};

    calls = 0;
    fail_errno = ENOSPC;
    fail_at = 2; /* futimens, then the file's fsync */
    assert_false(put(f, &entry, "data", &err));
    fail_at = never;
    assert_int_equal(err.code, RELAIS_ERR_FULL);
    assert_int_equal(fixture_count(f, "new"), 1);
    assert_int_equal(count_quarantine(f), 0);
}

/* Such a head fits, and has no room for the line "sealed". */
static void test_a_head_that_is_nearly_too_long(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry = fixture_put(f, secret);
    relais_parcel_head head = a_head();
    relais_reason reason = a_reason("data");
    char percents[RELAIS_PARCEL_VALUE_MAX + 1] = "";
    relais_error err = {0};

    memset(percents, '%', sizeof percents - 1);
    head.version = head.instance = head.user = head.device = head.host = percents;
    head.form = percents + 100;
    assert_ok(relais_quarantine_put_sealed(f->spool, &entry, &reason, &head, turn_bits, NULL, &err),
              err);
    assert_int_equal(fixture_count(f, "new"), 0);
    assert_int_equal(count_quarantine(f), 2);
}

static int setup(void **state)
{
    die_at = fail_at = never;
    return fixture_setup(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_put_and_replay_give_the_very_file_back),
        TEST(test_what_is_no_parcel_is_sealed_too),
        TEST(test_put_twice_is_harmless),
        TEST(test_put_of_nothing),
        TEST(test_another_of_that_name_is_not_overwritten),
        TEST(test_a_name_that_is_no_parcels),
        TEST(test_a_plain_one_of_the_same_file_goes),
        TEST(test_a_key_that_does_not_fit_changes_nothing),
        TEST(test_a_plain_parcel_is_not_opened),
        TEST(test_put_aside_again_after_a_killed_replay),
        TEST(test_killed_before_any_call),
        TEST(test_any_call_fails),
        TEST(test_replay_killed_before_any_call),
        TEST(test_replay_any_call_fails),
        TEST(test_without_nameless_files),
        TEST(test_full_disk_is_said_so),
        TEST(test_a_head_that_is_nearly_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
