/*
 * The forwarder and its database die at any moment: nothing is lost, nothing is there twice.
 */
#include "store_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RECORDS = 300, KILLS = 30, RESTARTS = 4 };

/* The forwarder's whole memory, whatever the backlog (see forwarder.c); the sanitizers' shadow
 * and quarantine come on top of it. */
#ifdef __SANITIZE_ADDRESS__
enum { MEMORY_MAX_KB = 1024 * 1024 };
#else
enum { MEMORY_MAX_KB = 128 * 1024 };
#endif

static void pause_ms(unsigned ms)
{
    struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&wait, NULL);
}

/* A forwarder of its own process, as the command runs it; ends with 0 when all went well. */
static pid_t start_forwarder(const fixture *f, size_t batch, bool once)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        relais_forwarder_options options = {.conninfo = f->conninfo,
                                            .spool = f->spool_directory,
                                            .mappings = f->mappings,
                                            .batch = batch,
                                            .scan_seconds = 1,
                                            .sweep_seconds = 3600,
                                            .once = once};
        relais_forwarder_counts counts;
        relais_error err = {0};
        _exit(relais_forwarder_run(&options, &counts, &err) ? 0 : 1);
    }
    return pid;
}

static void stop_forwarder(pid_t pid)
{
    int status;

    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Every third record is edited, every fourth is sent twice, every fifth has a file. */
static void post_record(fixture *f, int i)
{
    char instance[32], edit[32], answers[256];
    const store_file file[] = {{"p.jpg", NULL, 3000}, {0}};

    snprintf(instance, sizeof instance, "uuid:%d", i);
    snprintf(edit, sizeof edit, "uuid:%d-edit", i);
    snprintf(answers, sizeof answers,
             "<code>c%d</code><age>14</age><day>2026-03-02</day><items>it_a it_b</items>"
             "<leg><place>x</place></leg>%s",
             i, i % 5 == 0 ? "<photo>p.jpg</photo>" : "");
    store_visit(f, "2026-03-02T08:00:00.000Z", instance, NULL, answers, i % 5 == 0 ? file : NULL);
    if (i % 4 == 0)
        store_visit(f, "2026-03-02T08:00:00.000Z", instance, NULL, answers,
                    i % 5 == 0 ? file : NULL);
    if (i % 3 == 0)
        store_visit(f, "2026-03-02T09:00:00.000Z", edit, instance,
                    "<code>c</code><age>15</age><day>2026-03-02</day>", NULL);
}

static void assert_all_is_there_once(fixture *f)
{
    enum { EDITS = (RECORDS + 2) / 3, FILES = (RECORDS + 4) / 5 };
    char expected[64];

    assert_int_equal(store_waiting(f), 0);
    assert_int_equal(store_quarantined(f), 0);
    snprintf(expected, sizeof expected, "%d/%d", RECORDS, EDITS);
    assert_sql(f, expected,
               "SELECT count(*) || '/' || count(*) FILTER (WHERE age = 15)"
               "  FROM lab.visit");
    snprintf(expected, sizeof expected, "%d", RECORDS + EDITS);
    assert_sql(f, expected, "SELECT count(*) FROM relais.submission");
    snprintf(expected, sizeof expected, "%d", EDITS);
    assert_sql(f, expected, "SELECT count(*) FROM relais.submission WHERE state = 'superseded'");
    assert_sql(f, "0",
               "SELECT count(*) FROM relais.submission"
               "  WHERE state NOT IN ('delivered', 'superseded')");
    snprintf(expected, sizeof expected, "%d/t", FILES);
    assert_sql(f, expected,
               "SELECT count(*) || '/' || left(bool_and(sha256(bytes) = sha256)::text,"
               " 1) FROM relais.attachment");
    snprintf(expected, sizeof expected, "%d/%d", 2 * (RECORDS - EDITS), RECORDS - EDITS);
    assert_sql(f, expected,
               "SELECT (SELECT count(*) FROM lab.item) || '/' || count(*)"
               "  FROM lab.leg");
    assert_sql(f, "0",
               "SELECT count(*) FROM lab.visit v LEFT JOIN relais.submission s"
               "  ON s.sub_id = v.sub_id AND s.state = 'delivered' WHERE s.sub_id IS NULL");
}

static void forwarder_killed_at_any_moment_loses_and_doubles_nothing(void **state)
{
    fixture *f = *state;
    unsigned seed = (unsigned)time(NULL);
    size_t left = 0;

    print_message("seed %u\n", seed);
    for (int i = 0; i < RECORDS; i++)
        post_record(f, i);
    for (int i = 0; i < KILLS; i++) {
        pid_t pid = start_forwarder(f, 7, false);
        pause_ms(30 + (unsigned)rand_r(&seed) % 120);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        left += store_waiting(f) > 0;
    }
    assert_true(left > KILLS / 3); /* else it was killed when all was done */
    store_forward(f);
    assert_all_is_there_once(f);
}

static void wait_until_empty(fixture *f)
{
    for (int i = 0; i < 1200 && store_waiting(f) > 0; i++)
        pause_ms(50);
    assert_int_equal(store_waiting(f), 0);
}

static void reconnect(fixture *f)
{
    PQfinish(f->conn);
    f->conn = PQconnectdb(f->conninfo);
    assert_int_equal(PQstatus(f->conn), CONNECTION_OK);
}

static void database_killed_in_mid_run_is_waited_out(void **state)
{
    fixture *f = *state;
    pid_t pid = start_forwarder(f, 7, false);

    for (int i = 0; i < RECORDS; i++) {
        post_record(f, i);
        if (i % (RECORDS / RESTARTS) == RECORDS / RESTARTS / 2) {
            store_stop(f, "immediate");
            pause_ms(50);
            store_start(f);
        }
    }
    wait_until_empty(f);
    stop_forwarder(pid);
    reconnect(f);
    assert_all_is_there_once(f);
}

/* Several servers may each have a forwarder; the store is one. */
static void two_forwarders_on_one_store_agree(void **state)
{
    fixture *f = *state;
    fixture other = *f;
    pid_t first, second;

    snprintf(other.spool_directory, sizeof other.spool_directory, "%s/spool2", f->directory);
    assert_ok(relais_spool_create(other.spool_directory, &f->err), f->err);
    assert_ok(relais_spool_open(other.spool_directory, 0, &other.spool, &f->err), f->err);
    for (int i = 0; i < RECORDS; i++) {
        post_record(f, i);
        post_record(&other, RECORDS - 1 - i);
    }
    first = start_forwarder(f, 20, false);
    second = start_forwarder(&other, 30, false);
    wait_until_empty(f);
    wait_until_empty(&other);
    stop_forwarder(first);
    stop_forwarder(second);
    relais_spool_close(other.spool);
    assert_all_is_there_once(f);
}

static void forwarder_started_before_its_database_waits(void **state)
{
    fixture *f = *state;
    pid_t pid;

    store_stop(f, "fast");
    pid = start_forwarder(f, 50, false);
    for (int i = 0; i < RECORDS; i++)
        post_record(f, i);
    pause_ms(700);
    store_start(f);
    wait_until_empty(f);
    stop_forwarder(pid);
    reconnect(f);
    assert_all_is_there_once(f);
}

static void locked_table_is_waited_out_and_nothing_quarantined(void **state)
{
    fixture *f = *state;
    pid_t pid;

    store_ask(f, "ALTER ROLE postgres SET deadlock_timeout = '100ms';"
                 "BEGIN; LOCK lab.visit IN ACCESS EXCLUSIVE MODE");
    pid = start_forwarder(f, 50, false);
    post_record(f, 1);
    pause_ms(600);
    store_ask(f, "ROLLBACK");
    wait_until_empty(f);
    stop_forwarder(pid);
    assert_sql(f, "1", "SELECT count(*) FROM lab.visit");
}

/* The body is built in a process of its own, so that its memory is not counted here. */
static void post_large(fixture *f, size_t size)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        const store_file file[] = {{"film.mp4", NULL, size}, {0}};
        store_visit(f, "", "uuid:large", NULL,
                    "<code>c</code><day>2026-03-02</day><photo>film.mp4</photo>", file);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void large_file_passes_through_little_memory(void **state)
{
    fixture *f = *state;
    const size_t size = 60u * 1024 * 1024;
    struct rusage usage;
    char expected[64];
    int status;
    pid_t pid;

    post_large(f, size);
    pid = start_forwarder(f, 500, true);
    assert_int_equal(wait4(pid, &status, 0, &usage), pid);
    assert_int_equal(status, 0);
    print_message("peak %ld KB\n", usage.ru_maxrss);
    assert_true(usage.ru_maxrss < MEMORY_MAX_KB);
    snprintf(expected, sizeof expected, "%zu/true/delivered", size);
    assert_sql(f, expected,
               "SELECT concat_ws('/', octet_length(bytes), (sha256(bytes) = sha256)::text,"
               " state) FROM relais.attachment JOIN relais.submission USING (sub_id)");
}

static void long_xml_passes_through_bounded_memory(void **state)
{
    fixture *f = *state;
    char *answers = malloc(1u << 20);
    struct rusage usage;
    int status;
    pid_t pid;

    assert_non_null(answers);
    for (int i = 0; i < 24; i++) {
        char instance[32];
        size_t used =
            (size_t)snprintf(answers, 1u << 20, "<code>c%d</code><day>2026-03-02</day><note/>", i);
        for (int leg = 0; leg < 8000; leg++) /* near the engine's most rows */
            used += (size_t)snprintf(answers + used, (1u << 20) - used,
                                     "<leg><place>%080d</place></leg>", leg);
        snprintf(instance, sizeof instance, "uuid:%d", i);
        store_visit(f, "", instance, NULL, answers, NULL);
    }
    free(answers);
    pid = start_forwarder(f, 500, true);
    assert_int_equal(wait4(pid, &status, 0, &usage), pid);
    assert_int_equal(status, 0);
    print_message("peak %ld KB\n", usage.ru_maxrss);
    assert_true(usage.ru_maxrss < MEMORY_MAX_KB);
    assert_string_equal(store_reason(f), "");
    assert_sql(f, "24", "SELECT count(*) FROM lab.visit");
}

static void changed_mapping_is_taken_up_while_running(void **state)
{
    fixture *f = *state;
    char from[192], to[192];
    pid_t pid;

    snprintf(from, sizeof from, "%s/visit.xml", f->mappings);
    snprintf(to, sizeof to, "%s/visit.off", f->mappings);
    assert_int_equal(rename(from, to), 0);
    pid = start_forwarder(f, 50, false);
    post_record(f, 1);
    for (int i = 0; i < 200 && store_quarantined(f) == 0; i++)
        pause_ms(50);
    assert_int_equal(store_quarantined(f), 1); /* no mapping knows the form */
    assert_int_equal(rename(to, from), 0);
    post_record(f, 2);
    wait_until_empty(f);
    stop_forwarder(pid);
    assert_sql(f, "1", "SELECT count(*) FROM lab.visit");
}

static void emptied_ledger_is_no_submissions_fault(void **state)
{
    fixture *f = *state;
    pid_t pid = start_forwarder(f, 50, false);

    post_record(f, 1);
    wait_until_empty(f);
    store_ask(f, "TRUNCATE relais.mapping, lab.person CASCADE");
    post_record(f, 2);
    post_record(f, 3);
    wait_until_empty(f);
    stop_forwarder(pid);
    assert_int_equal(store_quarantined(f), 0);
    assert_sql(f, "2", "SELECT count(*) FROM lab.visit");
}

#define TEST(name) cmocka_unit_test_setup(name, store_setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(forwarder_killed_at_any_moment_loses_and_doubles_nothing),
        TEST(database_killed_in_mid_run_is_waited_out),
        TEST(two_forwarders_on_one_store_agree),
        TEST(forwarder_started_before_its_database_waits),
        TEST(locked_table_is_waited_out_and_nothing_quarantined),
        TEST(large_file_passes_through_little_memory),
        TEST(long_xml_passes_through_bounded_memory),
        TEST(emptied_ledger_is_no_submissions_fault),
        TEST(changed_mapping_is_taken_up_while_running),
    };

    return cmocka_run_group_tests(tests, store_group_setup, store_group_teardown);
}
