/*
 * A private PostgreSQL, a spool and a copy of the mappings of tests/cases/store, and the few
 * steps that every test of the forwarder begins with.
 *
 * The server listens on a unix socket in its own temporary directory only. It runs as the
 * user postgres when the test runs as root, which PostgreSQL refuses to serve.
 */
#ifndef RELAIS_TESTS_STORE_FIXTURE_H
#define RELAIS_TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spool/quarantine.h"
#include "store/forwarder.h"

#include <libpq-fe.h>
#include <sys/types.h>

typedef struct fixture {
    char directory[64]; /* holds all of the following */
    char spool_directory[96];
    char mappings[96];
    char conninfo[128];
    relais_spool *spool;
    PGconn *conn; /* the test's own */
    relais_forwarder_counts counts;
    relais_error err;
} fixture;

#define assert_ok(call, err)                                                                       \
    do {                                                                                           \
        char said_[1024];                                                                          \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, relais_error_format(&(err), said_, sizeof said_));           \
    } while (0)

/* Group set-up and tear-down: the server lives as long as the group. */
int store_group_setup(void **state);
int store_group_teardown(void **state);

/* Each test's set-up: empty tables, an empty spool, the mappings as they are in the tree. */
int store_setup(void **state);

void store_start(fixture *f);
void store_stop(fixture *f, const char *mode); /* of pg_ctl: "fast", "immediate" */

/* Runs SQL; the value of the first row's first column, "" when there is none. Valid until
 * called eight more times. */
const char *store_ask(fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define assert_sql(f, expected, ...) assert_string_equal(store_ask(f, __VA_ARGS__), expected)

/* A file of the submission, or the end of the list. */
typedef struct store_file {
    const char *name;
    const char *bytes; /* NULL: `size` bytes of a pattern */
    size_t size;       /* when bytes is NULL */
} store_file;

/* Leaves a parcel as Collect's POST would; `received` orders versions ("" = now). */
void store_post(fixture *f, const char *received, const char *xml, const store_file *files);

/* A visit: <meta> from the ids, the rest of the answers as given. deprecated may be NULL. */
void store_visit(fixture *f, const char *received, const char *instance, const char *deprecated,
                 const char *answers, const store_file *files);

/* Delivers what is there. */
void store_forward(fixture *f);
bool store_try_forward(fixture *f);

/* Committed parcels that wait; quarantined ones. */
size_t store_waiting(fixture *f);
size_t store_quarantined(fixture *f);

/* The reason of the only quarantined parcel, as text "class|path|column|rule|text". */
const char *store_reason(fixture *f);

#endif
