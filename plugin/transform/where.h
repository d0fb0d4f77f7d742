/*
 * Where an answer is, for messages: "/data/exploitation[2]/form".
 */
#ifndef RELAIS_TRANSFORM_WHERE_H
#define RELAIS_TRANSFORM_WHERE_H

#include "transform/model.h"

/* Remembers the last parent, as answers are asked for group by group. */
typedef struct relais_where {
    relais_arena *arena;
    const xmlNode *parent;
    const char *parent_path;
} relais_where;

/* The path of an element; an index where it has siblings of its name. NULL without memory.
 * Indexes are kept in the nodes' `_private`, so that a thousand repeats are counted once. */
const char *relais_where_node(relais_where *where, xmlNodePtr node);

/* The path of an expression's value that is not there, or is computed: where its first path
 * would lead from the scope's node. */
const char *relais_where_missing(relais_where *where, const relais_expression *expression,
                                 const relais_scope *scope);

#endif
