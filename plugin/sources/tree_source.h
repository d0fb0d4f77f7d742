/*
 * What the two kinds of trees share: tree.c has the list, tree_folder.c and tree_zip.c fill it.
 */
#ifndef RELAIS_SOURCES_TREE_SOURCE_H
#define RELAIS_SOURCES_TREE_SOURCE_H

#include "sources/tree.h"

/* Large enough that reading costs nothing beside what is done with the bytes. */
enum { RELAIS_TREE_PIECE = 64 * 1024 };

struct relais_tree {
    relais_arena *arena;
    relais_tree_entry *entries;
    size_t count, room;
    void *source; /* of the kind */
    bool (*read)(relais_tree *tree, const relais_tree_entry *entry, relais_tree_take *take,
                 void *context, relais_error *err);
    void (*close)(relais_tree *tree);
};

/* Adds an entry; `path` is copied. RELAIS_ERR_LIMIT past the maximum. */
RELAIS_MUST_USE bool relais_tree_add(relais_tree *tree, const char *path, uint64_t size,
                                     uint64_t index, const char *fault, relais_error *err);

RELAIS_MUST_USE bool relais_tree_open_folder(relais_tree *tree, int fd, relais_error *err);
RELAIS_MUST_USE bool relais_tree_open_zip(relais_tree *tree, const char *path, relais_error *err);

#endif
