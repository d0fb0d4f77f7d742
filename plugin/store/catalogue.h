/*
 * Tables and code lists of the database, read when first asked for and then kept: the
 * answers to relais_target's questions.
 */
#ifndef RELAIS_STORE_CATALOGUE_H
#define RELAIS_STORE_CATALOGUE_H

#include "store/store.h"

#include <stdint.h>

typedef struct relais_catalogue relais_catalogue;

relais_catalogue *relais_catalogue_create(relais_store *store); /* NULL without memory */
void relais_catalogue_destroy(relais_catalogue *catalogue);

/* Forgets everything; tables that were handed out are no longer valid. */
void relais_catalogue_forget(relais_catalogue *catalogue);

relais_target relais_catalogue_target(relais_catalogue *catalogue);

/* The type to cast a text to before it is assigned to the column: without length, so that
 * the assignment refuses what is too long where a cast would cut it. `table` must come
 * from this catalogue. */
const char *relais_catalogue_cast(const relais_table *table, const relais_column *column);

/* The SQL expression of the column's default, NULL when it has none. An INSERT from a SELECT
 * has no word for DEFAULT, so the statement must carry the expression. */
const char *relais_catalogue_default(const relais_table *table, const relais_column *column);

/* For each foreign key that refers to the table, and whose columns this login may read, the
 * condition that a row refers to the row `t`: "EXISTS (SELECT FROM tip.case_suspect x WHERE
 * x.case_id = t.case_id)". */
const char *const *relais_catalogue_references(const relais_table *table, size_t *count);

#endif
