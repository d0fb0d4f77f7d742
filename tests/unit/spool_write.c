/*
 * Writing to the spool: layout and modes, staging from memory and files, the floor, a full
 * disk, commits by threads, by processes and by a user who may not list.
 */
#include "spool_fixture.h"

#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { NOBODY = 65534 };

/* A test that failed may have left its file system mounted. */
static int teardown(void **state)
{
    fixture *f = *state;

    relais_arena_reset(f->arena);
    relais_spool_close(f->spool);
    f->spool = NULL;
    umount2(f->directory, MNT_DETACH);
    return fixture_teardown(state);
}

static unsigned mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static void test_create_makes_modes_once(void **state)
{
    fixture *f = *state;
    relais_error err = {0};

    assert_int_equal(mode_of(fixture_path(f, 0, "tmp", "")), 02730);
    assert_int_equal(mode_of(fixture_path(f, 15, "new", "")), 02730);
    assert_int_equal(mode_of(fixture_path(f, -1, "", "")), 02700);
    assert_int_equal(chmod(fixture_path(f, 3, "new", ""), 0755), 0);
    assert_ok(relais_spool_create(f->directory, &err), err);
    assert_int_equal(mode_of(fixture_path(f, 3, "new", "")), 0755);
}

static void test_create_gives_it_to_the_owner_above(void **state)
{
    fixture *f = *state;
    relais_error err = {0};
    char inner[128];
    struct stat st;

    if (geteuid() != 0) {
        print_message("only root can give directories away\n");
        skip();
    }
    snprintf(inner, sizeof inner, "%s/inner", f->directory);
    assert_int_equal(mkdir(inner, 0755), 0);
    assert_int_equal(chown(inner, NOBODY, 4242), 0);
    assert_ok(relais_spool_create(inner, &err), err);
    snprintf(inner, sizeof inner, "%s/inner/0a/new", f->directory);
    assert_int_equal(stat(inner, &st), 0);
    assert_int_equal(st.st_uid, NOBODY);
    assert_int_equal(st.st_gid, 4242);
    assert_int_equal(st.st_mode & 07777, 02730);
}

static void test_open_says_what_is_missing(void **state)
{
    fixture *f = *state;
    relais_spool *spool;
    relais_error err = {0};

    assert_int_equal(rmdir(fixture_path(f, 7, "new", "")), 0);
    assert_false(relais_spool_open(f->directory, 0, &spool, &err));
    assert_int_equal(err.code, RELAIS_ERR_CONFIG);
    assert_non_null(strstr(err.text, "07/new"));
    assert_null(spool);
}

static void assert_body(fixture *f, const relais_spool_entry *entry, const char *expected)
{
    relais_parcel parcel;
    relais_error err = {0};
    char *body = calloc(1, strlen(expected) + 1);

    assert_ok(relais_spool_parcel(f->spool, entry, f->arena, &parcel, &err), err);
    assert_int_equal(parcel.head.length, strlen(expected));
    assert_ok(relais_parcel_read(&parcel, 0, body, strlen(expected), &err), err);
    assert_string_equal(body, expected);
    free(body);
}

static void test_staged_is_not_listed_until_committed(void **state)
{
    fixture *f = *state;
    relais_segment segment = {.data = "abc", .length = 3};
    relais_spool_entry entry;
    relais_parcel_head head;
    relais_staged staged;
    relais_error err = {0};
    size_t count, total;

    fixture_head(&head, "abc", 3);
    assert_ok(relais_spool_stage(f->spool, &head, &segment, 1, &staged, &err), err);
    assert_int_equal(mode_of(fixture_path(f, staged.shard, "tmp", staged.name)), 0640);
    assert_ok(relais_spool_list(f->spool, &entry, 1, &count, &total, &err), err);
    assert_int_equal(total, 0);
    assert_ok(relais_spool_commit(f->spool, &staged, &err), err);
    assert_int_equal(staged.shard, -1);
    assert_ok(relais_spool_list(f->spool, &entry, 1, &count, &total, &err), err);
    assert_int_equal(total, 1);
    assert_body(f, &entry, "abc");
    assert_int_equal(fixture_count(f, "tmp"), 0);
    assert_false(relais_spool_commit(f->spool, &staged, &err));
    relais_spool_abort(f->spool, &staged);
    assert_int_equal(fixture_count(f, "new"), 1);
}

static void test_abort_removes(void **state)
{
    fixture *f = *state;
    relais_parcel_head head;
    relais_staged staged;
    relais_error err = {0};

    fixture_head(&head, "", 0);
    assert_ok(relais_spool_stage(f->spool, &head, NULL, 0, &staged, &err), err);
    assert_int_equal(fixture_count(f, "tmp"), 1);
    relais_spool_abort(f->spool, &staged);
    relais_spool_abort(f->spool, &staged);
    assert_int_equal(fixture_count(f, "tmp"), 0);
}

static void test_mode_whatever_the_umask(void **state)
{
    fixture *f = *state;
    mode_t before = umask(077);
    relais_spool_entry entry = fixture_put(f, "x");

    umask(before);
    assert_int_equal(mode_of(fixture_path(f, entry.shard, "new", entry.name)), 0640);
}

/* More segments than one writev takes, empty ones, and file ranges between them. */
static void test_many_segments(void **state)
{
    enum { SEGMENTS = 300 };
    fixture *f = *state;
    relais_segment segments[SEGMENTS];
    char expected[SEGMENTS * 5 + 1] = "", path[128];
    relais_spool_entry entry;
    relais_parcel_head head;
    relais_staged staged;
    relais_error err = {0};
    size_t length = 0;
    int fd;

    snprintf(path, sizeof path, "%s/body", f->directory);
    fixture_write(path, "0123456789", 10);
    fd = open(path, O_RDONLY);
    for (size_t i = 0; i < SEGMENTS; i++) {
        const char *text = i % 3 == 0 ? "abcde" : i % 3 == 1 ? "" : "345";
        segments[i] = (relais_segment){.data = text, .length = strlen(text)};
        if (i % 3 == 2)
            segments[i] = (relais_segment){.length = 3, .fd = fd, .offset = 3};
        memcpy(expected + length, text, strlen(text));
        length += strlen(text);
    }
    fixture_head(&head, expected, length);
    assert_ok(relais_spool_stage(f->spool, &head, segments, SEGMENTS, &staged, &err), err);
    entry.shard = staged.shard;
    memcpy(entry.name, staged.name, sizeof entry.name);
    assert_ok(relais_spool_commit(f->spool, &staged, &err), err);
    assert_body(f, &entry, expected);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0); /* the web server's descriptor is not moved */
    close(fd);
}

/* copy_file_range refuses a pipe-like source such as /proc: the fallback must take over. */
static void test_file_that_the_kernel_will_not_copy(void **state)
{
    fixture *f = *state;
    char expected[64] = "";
    relais_segment segment = {.fd = open("/proc/version", O_RDONLY), .length = 20};
    relais_spool_entry entry;
    relais_parcel_head head;
    relais_staged staged;
    relais_error err = {0};

    assert_int_equal(pread(segment.fd, expected, 20, 0), 20);
    fixture_head(&head, expected, 20);
    assert_ok(relais_spool_stage(f->spool, &head, &segment, 1, &staged, &err), err);
    entry.shard = staged.shard;
    memcpy(entry.name, staged.name, sizeof entry.name);
    assert_ok(relais_spool_commit(f->spool, &staged, &err), err);
    assert_body(f, &entry, expected);
    close(segment.fd);
}

static void assert_stage_fails(fixture *f, const relais_parcel_head *head,
                               const relais_segment *segment, relais_error_code code)
{
    relais_staged staged;
    relais_error err = {0};

    assert_false(relais_spool_stage(f->spool, head, segment, 1, &staged, &err));
    assert_int_equal(err.code, code);
    assert_int_equal(staged.shard, -1);
    assert_int_equal(fixture_count(f, "tmp"), 0);
}

static void test_lengths_must_agree(void **state)
{
    fixture *f = *state;
    relais_segment segment = {.data = "abc", .length = 3};
    relais_parcel_head head;
    char path[128];

    fixture_head(&head, "abc", 3);
    head.length = 4;
    assert_stage_fails(f, &head, &segment, RELAIS_ERR_DAMAGED);
    head.length = 2;
    assert_stage_fails(f, &head, &segment, RELAIS_ERR_DAMAGED);
    snprintf(path, sizeof path, "%s/body", f->directory);
    fixture_write(path, "ab", 2);
    segment = (relais_segment){.fd = open(path, O_RDONLY), .length = 3};
    head.length = 3;
    assert_stage_fails(f, &head, &segment, RELAIS_ERR_DAMAGED);
    close(segment.fd);
}

static void test_write_error_leaves_nothing(void **state)
{
    fixture *f = *state;
    relais_segment segment = {.data = f, .length = 60000};
    struct rlimit before, small;
    relais_parcel_head head;
    char *body = calloc(1, 60000);

    segment.data = body;
    fixture_head(&head, body, 60000);
    getrlimit(RLIMIT_FSIZE, &before);
    small = (struct rlimit){.rlim_cur = 10000, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    assert_stage_fails(f, &head, &segment, RELAIS_ERR_SYSTEM);
    setrlimit(RLIMIT_FSIZE, &before);
    free(body);
}

/* A spool on a file system of its own of `megabytes`; false when that may not be mounted. */
static bool mount_spool(fixture *f, const char *options)
{
    relais_error err = {0};

    if (geteuid() != 0 || mount("relais", f->directory, "tmpfs", 0, options) != 0) {
        print_message("needs root and a tmpfs of its own\n");
        return false;
    }
    assert_ok(relais_spool_create(f->directory, &err), err);
    relais_spool_close(f->spool);
    f->spool = NULL;
    return true;
}

static void test_floor(void **state)
{
    enum { MIB = 1024 * 1024 };
    fixture *f = *state;
    relais_segment segment = {.length = 3 * MIB};
    char *body;
    relais_parcel_head head;
    relais_staged staged;
    relais_error err = {0};

    if (!mount_spool(f, "size=8m"))
        skip();
    body = calloc(1, segment.length);
    segment.data = body;
    assert_ok(relais_spool_open(f->directory, 2 * MIB, &f->spool, &err), err);
    fixture_head(&head, body, segment.length);
    assert_ok(relais_spool_stage(f->spool, &head, &segment, 1, &staged, &err), err);
    /* 5 MB free, 3 above the floor: without counting the first within 100 ms it would fit. */
    {
        relais_staged second;
        assert_false(relais_spool_stage(f->spool, &head, &segment, 1, &second, &err));
        assert_int_equal(err.code, RELAIS_ERR_FULL);
    }
    relais_spool_abort(f->spool, &staged);
    relais_error_clear(&err);
    /* Space that became free is seen at once, not after the cache's time. */
    assert_ok(relais_spool_stage(f->spool, &head, &segment, 1, &staged, &err), err);
    free(body);
}

static void test_full_disk_without_floor(void **state)
{
    fixture *f = *state;
    size_t size = 900 * 1024;
    relais_segment segment = {.length = size};
    char *body, path[128];
    relais_parcel_head head;
    relais_staged staged;
    relais_error err = {0};

    if (!mount_spool(f, "size=2m"))
        skip();
    body = calloc(1, size);
    segment.data = body;
    assert_ok(relais_spool_open(f->directory, 0, &f->spool, &err), err);
    fixture_head(&head, body, 0);
    assert_ok(relais_spool_stage(f->spool, &head, NULL, 0, &staged, &err), err);
    relais_spool_abort(f->spool, &staged);
    /* Another program fills the disk between our look and our write. */
    snprintf(path, sizeof path, "%s/other", f->directory);
    fixture_write(path, body, size);
    snprintf(path, sizeof path, "%s/other2", f->directory);
    fixture_write(path, body, size / 2);
    fixture_head(&head, body, size);
    assert_stage_fails(f, &head, &segment, RELAIS_ERR_FULL);
    free(body);
}

static void test_inodes_run_out(void **state)
{
    fixture *f = *state;
    relais_parcel_head head;
    relais_error err = {0};
    relais_staged staged;
    size_t staged_count = 0;

    if (!mount_spool(f, "size=8m,nr_inodes=200"))
        skip();
    assert_ok(relais_spool_open(f->directory, 0, &f->spool, &err), err);
    fixture_head(&head, "", 0);
    while (relais_spool_stage(f->spool, &head, NULL, 0, &staged, &err))
        staged_count++;
    assert_int_equal(err.code, RELAIS_ERR_FULL);
    assert_non_null(strstr(err.text, "inodes"));
    assert_in_range(staged_count, 100, 198);
}

/* ---- threads and processes --------------------------------------------------------------- */

enum { WRITERS = 8, EACH = 20 };

static void *write_parcels(void *data)
{
    for (int i = 0; i < EACH; i++)
        fixture_put(data, "of a thread");
    return NULL;
}

static void test_threads_spread_over_shards(void **state)
{
    fixture *f = *state;
    pthread_t threads[WRITERS];
    size_t used = 0;

    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_parcels, f), 0);
    for (size_t i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(fixture_count(f, "new"), WRITERS * EACH);
    for (int shard = 0; shard < RELAIS_SPOOL_SHARDS; shard++) {
        size_t files = fixture_count_files(fixture_path(f, shard, "new", ""));
        assert_int_equal(files % EACH, 0); /* a thread keeps to its shard */
        used += files > 0;
    }
    assert_int_equal(used, WRITERS);
}

/* True when a child that runs `work` ends well; it must not return into cmocka. */
static bool run_child(void (*work)(fixture *), fixture *f, pid_t *pid)
{
    *pid = fork();
    if (*pid == 0) {
        work(f);
        _exit(0);
    }
    return *pid > 0;
}

static bool wait_child(pid_t pid)
{
    int status;

    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void put_or_exit(fixture *f, const char *body)
{
    relais_segment segment = {.data = body, .length = strlen(body)};
    relais_parcel_head head;
    relais_staged staged;
    relais_error err = {0};
    char said[1024];

    fixture_head(&head, body, strlen(body));
    if (relais_spool_stage(f->spool, &head, &segment, 1, &staged, &err) &&
        relais_spool_commit(f->spool, &staged, &err))
        return;
    fprintf(stderr, "%s\n", relais_error_format(&err, said, sizeof said));
    _exit(1);
}

static void write_many(fixture *f)
{
    for (int i = 0; i < 5 * EACH; i++)
        put_or_exit(f, "of a process");
}

static void test_two_processes_at_once(void **state)
{
    fixture *f = *state;
    pid_t first, second;

    assert_true(run_child(write_many, f, &first));
    assert_true(run_child(write_many, f, &second));
    assert_true(wait_child(first));
    assert_true(wait_child(second));
    assert_int_equal(fixture_count(f, "new"), 10 * EACH);
    assert_int_equal(fixture_count(f, "tmp"), 0);
}

/* The web user: may create and rename, not list; opens the spool itself. */
static void write_as_nobody(fixture *f)
{
    relais_error err = {0};
    relais_spool_entry entry;
    size_t count, total;
    char said[1024];

    relais_spool_close(f->spool);
    if (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
        _exit(2);
    if (!relais_spool_open(f->directory, 0, &f->spool, &err)) {
        fprintf(stderr, "%s\n", relais_error_format(&err, said, sizeof said));
        _exit(3);
    }
    put_or_exit(f, "of the web user");
    if (relais_spool_list(f->spool, &entry, 1, &count, &total, &err) ||
        err.code != RELAIS_ERR_SYSTEM || err.sys != EACCES)
        _exit(4);
}

static void test_user_who_may_not_list(void **state)
{
    fixture *f = *state;
    relais_spool_entry entry;
    relais_error err = {0};
    size_t count, total;
    pid_t pid;

    if (geteuid() != 0) {
        print_message("needs root to become another user\n");
        skip();
    }
    assert_int_equal(chown(f->directory, 0, NOBODY), 0);
    assert_int_equal(chmod(f->directory, 02710), 0);
    for (int shard = 0; shard < RELAIS_SPOOL_SHARDS; shard++) {
        const char *const parts[] = {"", "tmp", "new"};
        for (size_t i = 0; i < 3; i++) {
            const char *path = fixture_path(f, shard, parts[i], "");
            assert_int_equal(chown(path, 0, NOBODY), 0);
            assert_int_equal(chmod(path, i == 0 ? 02710 : 02730), 0);
        }
    }
    assert_true(run_child(write_as_nobody, f, &pid));
    assert_true(wait_child(pid));
    assert_ok(relais_spool_list(f->spool, &entry, 1, &count, &total, &err), err);
    assert_int_equal(count, 1);
    assert_body(f, &entry, "of the web user");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_create_makes_modes_once),
        TEST(test_create_gives_it_to_the_owner_above),
        TEST(test_open_says_what_is_missing),
        TEST(test_staged_is_not_listed_until_committed),
        TEST(test_abort_removes),
        TEST(test_mode_whatever_the_umask),
        TEST(test_many_segments),
        TEST(test_file_that_the_kernel_will_not_copy),
        TEST(test_lengths_must_agree),
        TEST(test_write_error_leaves_nothing),
        TEST(test_floor),
        TEST(test_full_disk_without_floor),
        TEST(test_inodes_run_out),
        TEST(test_threads_spread_over_shards),
        TEST(test_two_processes_at_once),
        TEST(test_user_who_may_not_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
