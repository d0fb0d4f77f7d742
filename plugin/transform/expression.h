/*
 * Expressions: compiled when the mapping is read, evaluated in a scope of the present run.
 */
#ifndef RELAIS_TRANSFORM_EXPRESSION_H
#define RELAIS_TRANSFORM_EXPRESSION_H

#include "transform/model.h"

/* Prepares the mapping's one XPath context; released with the mapping's arena. */
RELAIS_MUST_USE bool relais_expression_begin(relais_mapping *mapping, relais_error *err);

/* Reads and compiles an expression. NULL with err (RELAIS_ERR_CONFIG, file and line). */
RELAIS_MUST_USE relais_expression *relais_expression_create(relais_mapping *mapping,
                                                            relais_scope *scope, const char *text,
                                                            long line, relais_error *err);

/* Compiles a <let>, unless that is done. */
RELAIS_MUST_USE bool relais_let_prepare(relais_mapping *mapping, relais_let *let,
                                        relais_error *err);

/* The <let> of this name that is known in the scope, or NULL. */
relais_let *relais_let_find(const relais_scope *scope, const char *name);

/* True for the names of $submission, $token and the other variables of Relais's own. */
bool relais_variable_is_given(const char *name);

/* Makes a scope stand at a node, and forgets the values its <let>s had elsewhere. */
void relais_scope_enter(relais_scope *scope, xmlNodePtr node, int position, int size,
                        const char *token);

/* Forgets everything about a run: nodes, values, facts. */
void relais_scopes_leave(relais_mapping *mapping);

/* Makes the context ready for a document, with a new budget of operations. `target` may be
 * NULL: then nothing is generalised. */
void relais_expression_start(relais_mapping *mapping, xmlDocPtr doc, const relais_facts *facts,
                             const relais_target *target);

/* Evaluates in the given scope (the expression's own, or an outer one). NULL when it failed:
 * relais_expression_fail then says why. */
RELAIS_MUST_USE xmlXPathObjectPtr relais_expression_evaluate(relais_mapping *mapping,
                                                             const relais_expression *expression,
                                                             relais_scope *scope);

/* Sets RELAIS_ERR_DATA when the document made it impossible, else the machine's error.
 * Returns false. */
bool relais_expression_fail(const relais_mapping *mapping, const relais_expression *expression,
                            relais_error *err);

/* Evaluates all expressions once on an empty document: finds what is wrong whatever the
 * answers are, such as count() of a text. */
RELAIS_MUST_USE bool relais_expression_try_all(relais_mapping *mapping, relais_error *err);

#endif
