/*
 * Reading SQL scripts just far enough to know which tables they create, in order, and whether
 * they meddle with transactions; comments, quoted texts and dollar-quoted bodies are stepped
 * over.
 */
#ifndef RELAIS_STORE_SCRIPT_H
#define RELAIS_STORE_SCRIPT_H

#include "base/arena.h"

typedef struct relais_names {
    const char **items;
    size_t count;
    size_t capacity;
} relais_names;

/* Adds "schema.table" (or "table") for each CREATE TABLE, as PostgreSQL would fold it. */
RELAIS_MUST_USE bool relais_script_tables(const char *sql, size_t length, relais_names *out,
                                          relais_arena *arena, relais_error *err);

/* The line of the first statement that begins or ends a transaction; 0 when there is none. */
long relais_script_transaction(const char *sql, size_t length);

#endif
