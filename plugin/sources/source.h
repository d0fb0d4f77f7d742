/*
 * Servers from which submissions are pulled: what the configuration says of one, and the
 * pulling itself.
 *
 * Pulling asks a server what is new or edited, and leaves each submission in the spool as a
 * parcel like a phone's: the XML as the server keeps it and its files in one multipart body.
 * How far it has come is written to DIR/sources/NAME/FORM.json of the spool only when the
 * parcels up to there are committed; killed at any moment it repeats some and misses none, and
 * the ledger's uniqueness makes what came twice once.
 */
#ifndef RELAIS_SOURCES_SOURCE_H
#define RELAIS_SOURCES_SOURCE_H

#include "base/error.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* One [source NAME] of the configuration; texts are never NULL, "" when not given. */
typedef struct relais_source {
    char *name;
    char *kind;        /* see relais_source_kinds() */
    char *url;         /* the server's address, without a token */
    char *project;     /* central: the project's number */
    char *forms;       /* form ids (kobo: asset ids), separated by blanks or commas; "": all */
    char *credentials; /* a file, see sources/credentials.h */
    char *file_hosts;  /* other hosts to which the server may send for files, without credentials */
    uint64_t connections;
    uint64_t rate;    /* requests a second over all connections, 0: no limit */
    uint64_t tries;   /* of one request, before the server counts as away */
    uint64_t timeout; /* seconds without a byte */
    uint64_t overlap; /* minutes that are asked for again, for clocks and slow transactions */
    uint64_t recheck; /* minutes between two searches for edits where the server cannot list them */
    uint64_t patience; /* days that a file which is not there yet is asked for */
} relais_source;

/* The kinds' names, for messages: "central, briefcase, kobo, ona". */
const char *relais_source_kinds(void);

/* RELAIS_ERR_CONFIG when a setting is missing or cannot be meant. Reads no file. */
RELAIS_MUST_USE bool relais_source_check(const relais_source *source, relais_error *err);

/* What became of one form. */
typedef struct relais_pull_counts {
    uint64_t total;    /* rows that the server says it has to tell; 0: it does not say */
    uint64_t listed;   /* rows seen */
    uint64_t known;    /* of them those that were pulled before and have not changed */
    uint64_t pulled;   /* parcels committed */
    uint64_t files;    /* in them */
    uint64_t failed;   /* rows put aside because they could not be had */
    uint64_t waiting;  /* rows put aside because files of theirs have not come */
    uint64_t given_up; /* rows whose files were waited for longer than `patience` */
    uint64_t deleted;  /* deleted on the server since the last time */
    uint64_t rejected; /* that a reviewer on the server rejected */
} relais_pull_counts;

/* All are called from the thread that pulls. */
typedef struct relais_pull_events {
    void *context;
    /* A few times a second while there is work, and once at the end of a form. */
    void (*progress)(void *context, const char *form, const relais_pull_counts *counts,
                     bool is_end);
    /* A row that could not be had; it is put aside and asked for again next time. */
    void (*failed)(void *context, const char *form, const char *id, const relais_error *why);
    void (*given_up)(void *context, const char *form, const char *id, const char *file);
    void (*deleted)(void *context, const char *form, const char *id);
    /* A form that had to be left; the others are pulled all the same. */
    void (*stopped)(void *context, const char *form, const relais_error *why);
} relais_pull_events;

/* Which of these the ledger lacks: lacks[i] is set for ids[i]. `days` are YYYY-MM-DD, or "". */
typedef bool relais_pull_judge(void *context, const char *form, const char *const *ids,
                               const char *const *days, size_t count, bool *lacks,
                               relais_error *err);

typedef struct relais_pull_options {
    const relais_source *source;
    const char *spool; /* its directory */
    uint64_t floor;
    const char *since;       /* a date or a time instead of the stored place, or NULL */
    const char *form;        /* this one only, or NULL */
    const atomic_bool *stop; /* set by a signal: ends between two submissions */
    /* Not NULL: everything is listed and judged, and the stored place stays where it is. What is
     * lacking is pulled if `fills`. Called from the thread that pulls, with `events.context`. */
    relais_pull_judge *judge;
    bool fills;
    relais_pull_events events;
} relais_pull_options;

/* Pulls every form of one source once. False with the first error that ended a form or the
 * whole: RELAIS_ERR_TRANSIENT when the server, the disk or another pull is in the way for now,
 * RELAIS_ERR_CONFIG when credentials or settings must be mended. Rows that failed alone do not
 * make it false: they are counted in *failed. */
RELAIS_MUST_USE bool relais_pull_run(const relais_pull_options *options, uint64_t *failed,
                                     relais_error *err);

#endif
