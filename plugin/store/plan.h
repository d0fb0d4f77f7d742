/*
 * What a database lacks: migrations of transforms/schema/ that were not applied, and rows of
 * the reference data in transforms/codes/ that differ. Written as one SQL script for psql;
 * nothing here changes the database, and a role that may only read suffices.
 *
 * Life of a plan: relais_plan_read (files alone), relais_plan_compare (against the database),
 * relais_plan_write (the script). All of it belongs to one arena.
 */
#ifndef RELAIS_STORE_PLAN_H
#define RELAIS_STORE_PLAN_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/digest.h"
#include "store/reference.h"
#include "store/store.h"

/* The national schema is 100 KB of SQL and its lists 60 KB of CSV. */
#define RELAIS_PLAN_FILE_MAX   (16 * 1024 * 1024)
#define RELAIS_PLAN_MEMORY_MAX (256 * 1024 * 1024)
#define RELAIS_PLAN_SCRIPT_MAX (128 * 1024 * 1024)

typedef enum {
    RELAIS_MIGRATION_PENDING,
    RELAIS_MIGRATION_APPLIED,
    RELAIS_MIGRATION_CHANGED, /* applied, but the file is another one now */
    RELAIS_MIGRATION_GONE     /* applied, but there is no such file here */
} relais_migration_state;

typedef struct relais_migration {
    const char *name; /* "0001_ledger.sql" */
    const char *file; /* its path, NULL when it is gone */
    const char *sql;
    size_t length;
    uint8_t sha256[RELAIS_SHA256_SIZE];
    relais_migration_state state;
    const char *applied_at; /* ISO 8601, "" when it was not */
} relais_migration;

typedef struct relais_plan {
    relais_migration *migrations; /* in order of their numbers, those that are gone last */
    size_t migration_count;
    relais_reference *references; /* in an order that foreign keys allow */
    size_t reference_count;
    bool has_bookkeeping; /* the table relais.migration is there */
} relais_plan;

/* Reads schema/NNNN_name.sql and codes/SCHEMA.TABLE.csv below `directory`. Every migration is
 * taken as pending until it is compared. */
RELAIS_MUST_USE bool relais_plan_read(const char *directory, relais_arena *arena, relais_plan *out,
                                      relais_error *err);

/* Finds what was applied and which rows differ. */
RELAIS_MUST_USE bool relais_plan_compare(relais_plan *plan, relais_store *store,
                                         relais_arena *arena, relais_error *err);

/* RELAIS_ERR_CONFIG, with the file's name, when one was changed after it was applied. */
RELAIS_MUST_USE bool relais_plan_check(const relais_plan *plan, relais_error *err);

/* True when the database lacks nothing. */
bool relais_plan_is_empty(const relais_plan *plan);

/* Appends the script; a plan with nothing pending is a script of one comment. */
void relais_plan_write(const relais_plan *plan, relais_buffer *out);

#endif
