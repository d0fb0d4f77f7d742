/*
 * What a kind of server must know how to do, and what it is given to do it with.
 *
 * A form is told page by page: each page names rows (submissions, as the server lists them) and
 * the place that is reached once the rows of the page are safe. The engine (pull.c) has the
 * rows fetched by several threads, puts aside those that could not be had or that miss files,
 * and then writes the place. What a place is, is the kind's own business: a JSON object.
 */
#ifndef RELAIS_SOURCES_KIND_H
#define RELAIS_SOURCES_KIND_H

#include "sources/bookmark.h"
#include "sources/bundle.h"
#include "sources/http.h"

#include <jansson.h>

/* A list of the longest page, with every answer in it, is some megabytes. */
#define RELAIS_LIST_MAX ((size_t)64 * 1024 * 1024)

/* More files than the multipart reader takes in one body. */
#define RELAIS_FILES_MAX 9000

/* PostgreSQL takes values of 1 GB. */
#define RELAIS_FILE_MAX ((uint64_t)1000 * 1000 * 1000)

/* A file of a row, as the server offers it. */
typedef struct relais_offer {
    const char *name;
    const char *target; /* for relais_ask */
    const char *md5;    /* hex, or "" */
} relais_offer;

/* A submission as a list names it; texts belong to the page. */
typedef struct relais_row {
    const char *id;       /* by which the server is asked */
    const char *version;  /* Central: this version alone; Briefcase: the root element's name */
    const char *instance; /* an instanceID of the submission, as the ledger has it */
    const char *received, *user, *device;
    const char *after;          /* versions made up to then are known; "" none */
    const relais_offer *offers; /* NULL: to be asked for */
    size_t offer_count;
    uint64_t edits;
    bool has_files;       /* it names files: ask for them */
    bool is_again;        /* put aside before */
    const char *since;    /* since when */
    const json_t *wanted; /* names of files that were missing; NULL: all of it */
} relais_row;

typedef struct relais_page {
    relais_arena *arena; /* of the texts and rows */
    relais_row *rows;
    size_t count, capacity;
    json_t *next; /* the place after it; owned by whoever took the page */
    bool is_last;
    relais_error fault; /* the server contradicts itself: write the place, then end with this */
    uint64_t listed, known, rejected; /* rows that need not be fetched are counted in `known` */
    const char **deleted;
    size_t deleted_count;
} relais_page;

/* A thread's own tools. */
typedef struct relais_worker {
    relais_http *http;
    relais_spool *spool;
    relais_bundle body;
    relais_buffer answer, xml;
    relais_arena *arena; /* of the row in hand */
    const struct relais_kind *kind;
    const char *source; /* of parcels: "pull:KIND" */
    const char *form;
    const char *project;
    /* of the row in hand: */
    json_t *aside;          /* what must be asked for again */
    relais_error remark;    /* why a file of it could not be had */
    uint64_t pulled, files; /* parcels committed, files in them */
} relais_worker;

/* A form being told. */
typedef struct relais_walk {
    relais_worker *worker; /* of the thread that lists */
    const relais_bookmark_directory *directory;
    const char *form;
    const char *since;   /* of the command, or "" */
    const json_t *place; /* as it was stored: an object, empty at the very first */
    uint64_t total;      /* what the server says it has to tell */
    void *memory;        /* the kind's own, from open to close */
} relais_walk;

typedef struct relais_kind {
    const char *name;
    const char *source; /* in the head of parcels: "pull:NAME" */
    relais_auth auth;
    bool has_project;
    bool needs_forms;    /* it has no list of forms */
    relais_login *login; /* NULL: none */
    /* Appends the ids of all forms. */
    bool (*list_forms)(relais_worker *worker, json_t *out, relais_error *err);
    /* Either may be NULL. `is_whole` tells whether every page was told and settled. */
    bool (*open)(relais_walk *walk, relais_error *err);
    bool (*close)(relais_walk *walk, bool is_whole, relais_error *err);
    bool (*page)(relais_walk *walk, relais_page *page, relais_error *err);
    /* Called when a page's place is written. NULL: nothing to do. */
    void (*settled)(relais_walk *walk, const relais_page *page);
    /* Fetches a row and commits its parcels. */
    bool (*fetch)(relais_worker *worker, const relais_row *row, relais_error *err);
} relais_kind;

extern const relais_kind relais_kind_central;
extern const relais_kind relais_kind_briefcase;
extern const relais_kind relais_kind_kobo;
extern const relais_kind relais_kind_ona;

const relais_kind *relais_kind_find(const char *name);

/* ---- for kinds --------------------------------------------------------------------------- */

/* Room for one more row; NULL without memory. */
RELAIS_MUST_USE relais_row *relais_page_add(relais_page *page, relais_error *err);
RELAIS_MUST_USE bool relais_page_add_deleted(relais_page *page, const char *id, relais_error *err);

/* RELAIS_ERR_MEMORY when the place after it could not be made. */
RELAIS_MUST_USE bool relais_page_has_next(const relais_page *page, relais_error *err);

/* A document that must be JSON, an object or an array; NULL is an error. */
RELAIS_MUST_USE json_t *relais_worker_json(relais_worker *worker, const char *target,
                                           const char *what, relais_answer *answer,
                                           relais_error *err);

/* The text of a member, or "". */
const char *relais_json_text(const json_t *object, const char *name);
uint64_t relais_json_number(const json_t *object, const char *name);

/* Percent-encoded, in the arena; NULL without memory. */
const char *relais_encoded(relais_arena *arena, const char *text);

/* Reads the submission's XML into worker->xml. False without an error when it is not there. */
RELAIS_MUST_USE bool relais_worker_xml(relais_worker *worker, const char *target, bool *is_there,
                                       relais_error *err);

/* Makes and commits the parcel of worker->xml and the offered files; `instance` is what the XML
 * must say it is, or "". Files that are not there are put aside with the row. */
RELAIS_MUST_USE bool relais_worker_deliver(relais_worker *worker, const relais_row *row,
                                           const char *instance, const relais_offer *offers,
                                           size_t count, json_t *missing, relais_error *err);

/* Puts a row aside: `why` is "files" (of the names in `missing`), "gone" or "failed". */
RELAIS_MUST_USE bool relais_worker_put_aside(relais_worker *worker, const relais_row *row,
                                             const char *why, const json_t *missing,
                                             relais_error *err);

/* True when the row asks for this file. */
bool relais_row_wants(const relais_row *row, const char *name);

#endif
