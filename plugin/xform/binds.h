/*
 * The nodes of a form's primary instance, and what binds and the body say about them.
 */
#ifndef RELAIS_XFORM_BINDS_H
#define RELAIS_XFORM_BINDS_H

#include "xform/form.h"

#include <libxml/hash.h>
#include <libxml/tree.h>

/* Nodes by path while a form is being read. */
typedef struct relais_node_table {
    relais_arena *arena;
    relais_form_node *nodes;
    size_t count;
    xmlHashTablePtr by_path; /* to the node */
    xmlHashTablePtr by_bind; /* a bind's id to its path */
    const char *root;        /* "/data" */
} relais_node_table;

/* Makes a path absolute and plain: prefixes, predicates and "." gone, ".." followed.
 * `context` is absolute. NULL when it is no path into the primary instance, or no memory. */
const char *relais_path_resolve(const char *context, const char *path, relais_arena *arena);

/* Types, required, read-only and computed from the binds below `model`. */
RELAIS_MUST_USE bool relais_binds_apply(const xmlNode *model, relais_node_table *table,
                                        relais_error *err);

/* What is asked, repeats, multiple choices and uploads from the controls of the whole document,
 * and what actions fill. */
void relais_controls_apply(const xmlNode *top, const xmlNode *model, relais_node_table *table);

#endif
