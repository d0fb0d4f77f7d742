/*
 * The state of one run, shared by run.c (which rows) and fill.c (which values).
 */
#ifndef RELAIS_TRANSFORM_RUN_H
#define RELAIS_TRANSFORM_RUN_H

#include "transform/answer.h"
#include "transform/model.h"
#include "transform/rule.h"
#include "transform/where.h"

typedef struct relais_run {
    relais_mapping *mapping;
    const relais_target *target;
    relais_arena *arena;
    relais_where where;
    relais_output *out;
    size_t row_room, clearance_room, file_room;
    relais_misfit *misfit;
    relais_error *err;
} relais_run;

/* Evaluates an expression to an answer; a misfit when it cannot be computed. */
RELAIS_MUST_USE bool relais_run_answer(relais_run *run, const relais_expression *expression,
                                       relais_scope *scope, bool many, relais_answer *out);

/* Evaluates; the caller frees. NULL with a misfit or err. */
RELAIS_MUST_USE xmlXPathObjectPtr relais_run_evaluate(relais_run *run,
                                                      const relais_expression *expression,
                                                      relais_scope *scope);

/* The value of a column in its scope, cast, and the path it came from. */
RELAIS_MUST_USE bool relais_run_fill(relais_run *run, const relais_filled *filled,
                                     const relais_column *column, relais_scope *scope,
                                     const char **value, const char **path);

/* The value of a column with a <seal>: in hexadecimal, or NULL when there is nothing to seal. */
RELAIS_MUST_USE bool relais_run_seal(relais_run *run, const relais_filled *filled,
                                     relais_scope *scope, const char **value, const char **path);

/* Records what does not fit; returns false. */
bool relais_run_refuse(relais_run *run, const relais_rule *rule, const char *path,
                       const char *place, const char *value, size_t length);

#endif
