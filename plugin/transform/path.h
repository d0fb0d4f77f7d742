/*
 * What an expression reads: the location paths in it, each as a path from the document's
 * root. Found without running it, so that a mapping can be compared with its form, and so
 * that answers which no expression reads can be told from those that one does.
 *
 * This is also where an expression's mistakes are found: grammar, unknown functions and
 * variables, wrong numbers of arguments.
 */
#ifndef RELAIS_TRANSFORM_PATH_H
#define RELAIS_TRANSFORM_PATH_H

#include "base/arena.h"

/* Steps are element names, or one of these two, which no element can be called. */
#define RELAIS_STEP_ANY    "*"  /* one element of any name */
#define RELAIS_STEP_LEVELS "//" /* any number of levels, none included */

typedef struct relais_path {
    const char *const *steps; /* from the document: steps[0] is the root element's */
    size_t count;
    bool has_predicate; /* some step is filtered by [...] */
    bool is_attribute;  /* it ends in an attribute of the last step's element */
} relais_path;

typedef struct relais_paths {
    const relais_path **items;
    size_t count;
} relais_paths;

/* What was found in one expression. */
typedef struct relais_reading {
    relais_paths paths;   /* all location paths */
    relais_paths results; /* those whose nodes are the expression's value; none when computed */
    bool is_relative;     /* it starts from the context: another repeat, another value */
    bool uses_position;   /* position() or last() of the row's own repeat or token */
    bool uses_keys;       /* hmac() */
} relais_reading;

/* Where an expression stands. */
typedef struct relais_place {
    const relais_paths *context; /* what a relative path starts from */
    void *data;
    /* Called for each $name; gives the nodes it may stand for. False with err when unknown. */
    bool (*variable)(void *data, const char *name, const relais_paths **results, relais_error *err);
    /* Called for each argument that must stand in quotes. */
    bool (*quoted)(void *data, const char *function, int index, const char *text,
                   relais_error *err);
} relais_place;

/* RELAIS_ERR_CONFIG when `text` is not an expression of the mapping language. */
RELAIS_MUST_USE bool relais_path_read(const char *text, const relais_place *place,
                                      relais_arena *arena, relais_reading *out, relais_error *err);

/* Adds a path to a set. */
RELAIS_MUST_USE bool relais_paths_add(relais_paths *set, const relais_path *path,
                                      relais_arena *arena, relais_error *err);

/* "/data/person/age", with `root` for a root of any name; NULL without memory. */
char *relais_path_text(const relais_path *path, const char *root, relais_arena *arena);

/* True when the path leads to the element at `names` (root first). */
bool relais_path_matches(const relais_path *path, const char *const *names, size_t count);

#endif
