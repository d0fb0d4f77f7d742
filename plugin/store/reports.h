/*
 * What the office must hear of, for people: submissions that phones cannot send, incidents, and
 * answers that no mapping reads.
 */
#ifndef RELAIS_STORE_REPORTS_H
#define RELAIS_STORE_REPORTS_H

#include "base/arena.h"
#include "store/store.h"

/* A submission that was refused for its size in the last 30 days. */
typedef struct relais_refused {
    const char *device; /* "" when it did not say */
    const char *user;
    const char *form;     /* "" when its beginning did not say */
    const char *instance; /* the same */
    long long size;       /* the largest of its tries; -1: not known */
    long long limit;      /* -1: another server's */
    long long times;      /* tries that were counted */
    const char *first;    /* ISO 8601 */
    const char *last;
    bool is_rest; /* many submissions, beyond what a day may have of them */
} relais_refused;

typedef struct relais_incident {
    const char *kind; /* "plaintext" */
    const char *parcel;
    const char *found; /* ISO 8601 */
    const char *form, *instance, *device, *user;
    bool is_sealed;
} relais_incident;

/* Answers of a form under one path that no mapping reads. */
typedef struct relais_unmapped {
    const char *form;
    const char *path;
    long long submissions;
} relais_unmapped;

#define RELAIS_REPORTS_MAX 100 /* of each kind: the last ones; the lists are for people */

typedef struct relais_reports {
    relais_refused *refused; /* the last tried first */
    size_t refused_count;
    long long refused_today;    /* submissions in the last 24 hours */
    relais_incident *incidents; /* of the last 30 days, the last first */
    size_t incident_count;
    relais_unmapped *unmapped; /* by form and path */
    size_t unmapped_count;
} relais_reports;

/* By indexes alone. RELAIS_ERR_DATABASE with 42P01 where the schema is older than these. */
RELAIS_MUST_USE bool relais_reports_read(relais_store *store, relais_arena *arena,
                                         relais_reports *out, relais_error *err);

#endif
