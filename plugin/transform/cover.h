/*
 * Which elements of a submission a mapping reads: the paths of all its expressions in one
 * tree of steps, walked along with the document.
 */
#ifndef RELAIS_TRANSFORM_COVER_H
#define RELAIS_TRANSFORM_COVER_H

#include "transform/path.h"

#include <libxml/tree.h>

typedef struct relais_cover relais_cover;

/* An empty tree; NULL without memory. */
RELAIS_MUST_USE relais_cover *relais_cover_create(relais_arena *arena);

/* Adds a path that is read; `is_subtree` takes in everything below it as well. */
RELAIS_MUST_USE bool relais_cover_add(relais_cover *cover, const relais_path *path, bool is_subtree,
                                      relais_arena *arena, relais_error *err);

/* The paths, without repeat indexes and each once, of the elements that hold an answer and
 * that no added path leads to. /ROOT/meta and what is below it always counts as read. */
RELAIS_MUST_USE bool relais_cover_find_gaps(const relais_cover *cover, xmlNodePtr root,
                                            relais_arena *arena, const char ***out, size_t *count,
                                            relais_error *err);

/* True when an added path leads to the element at `names` (root first). */
bool relais_cover_reads(const relais_cover *cover, const char *const *names, size_t count);

#endif
