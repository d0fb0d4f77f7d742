/*
 * What is wrong between a mapping and a database; bind stops at the first, check lists all.
 */
#ifndef RELAIS_TRANSFORM_BIND_H
#define RELAIS_TRANSFORM_BIND_H

#include "transform/model.h"

/* Told of each thing that is wrong. False ends the search. */
typedef bool relais_problem_visit(void *data, long line, const char *text);

/* Compares all rows and lists with the database. False when it ended early: a visit said so,
 * or a look-up failed (err set). */
RELAIS_MUST_USE bool relais_bind_compare(const relais_mapping *mapping, const relais_target *target,
                                         relais_problem_visit *visit, void *data,
                                         relais_error *err);

/* The column of this name, or NULL. */
const relais_column *relais_table_column(const relais_table *table, const char *name);

#endif
