/*
 * What the ledger holds, by form: for people who ask whether all is well.
 *
 * The counts of what is not delivered come from an index of exactly those rows. Counting what
 * was received walks one index of the form; where that takes longer than RELAIS_COUNT_SECONDS
 * the count is left out, and the rest stands.
 */
#ifndef RELAIS_STORE_STATUS_H
#define RELAIS_STORE_STATUS_H

#include "base/arena.h"
#include "store/store.h"

#define RELAIS_COUNT_SECONDS 5

typedef struct relais_form_status {
    const char *form;
    long long received; /* versions in the ledger; -1: not counted */
    long long partial;  /* files that its answers name have not come; delivered, but for what is
                           encrypted */
    long long held;
    long long quarantined;
    long long conflict;
    long long erased;
    const char *oldest_undelivered; /* received and without rows; ISO 8601, "" when none is */
    const char *last_delivered;     /* ISO 8601; "" when nothing was delivered */
} relais_form_status;

/* Submissions of one form that wait for one kind of thing. */
typedef struct relais_wait {
    const char *form;
    const char *state; /* "held", "partial" or "quarantined" */
    /* The table or code list, without its schema, that lacks what they refer to ("victim",
     * "criminal_case", "organisation"); "file"; "" when the ledger does not say. */
    const char *what;
    long long count;
    long long files;    /* that have not come, of what is partial */
    const char *oldest; /* received, ISO 8601 */
} relais_wait;

/* A file that an answer names and that has not come. */
typedef struct relais_missing_file {
    const char *form;
    const char *instance;
    const char *name;     /* as the phone wrote it; controls as \xNN */
    const char *received; /* the submission, ISO 8601 */
} relais_missing_file;

#define RELAIS_WAITS_MAX         1000 /* forms times kinds of things; the list is for people */
#define RELAIS_MISSING_FILES_MAX 100  /* the oldest; the counts are of all */

/* Phones that were heard in the last days; -1: not counted. */
typedef struct relais_heard {
    long long day, week, month;
} relais_heard;

typedef struct relais_ledger_status {
    relais_form_status *forms; /* by form id */
    size_t count;
    const char *last_delivered; /* of all forms */
    relais_wait *waits;         /* the longest wait first */
    size_t wait_count;
    relais_missing_file *files; /* the longest missing first */
    size_t file_count;
} relais_ledger_status;

/* Reads only what is open, by the index of exactly that, and a few rows of each form. */
RELAIS_MUST_USE bool relais_ledger_status_read(relais_store *store, relais_arena *arena,
                                               relais_ledger_status *out, relais_error *err);

/* Counts distinct devices of what was delivered in the last 30 days, by an index. */
RELAIS_MUST_USE bool relais_heard_read(relais_store *store, relais_heard *out, relais_error *err);

/* Received less what is partial, held, quarantined, in conflict or erased; -1: not counted. */
long long relais_form_status_delivered(const relais_form_status *form);

#endif
