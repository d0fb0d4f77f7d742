/*
 * relais conflict, in two files: conflict.c lists and chooses, conflict_show.c shows what differs.
 */
#ifndef RELAIS_CLI_CONFLICT_H
#define RELAIS_CLI_CONFLICT_H

#include "store/conflict.h"

#include <jansson.h>

/* Two submissions of the largest size with their documents, paths and values, and what is sealed.
 */
#define RELAIS_CONFLICT_MEMORY_MAX ((size_t)256 * 1024 * 1024)

typedef struct relais_conflict_wish {
    const char *sub_id, *with; /* `with`: the version to compare with, or NULL */
    const relais_seal_key *key;
    bool as_json;
} relais_conflict_wish;

/* One line a version. */
RELAIS_MUST_USE bool relais_conflict_print(const relais_rivals *rivals, relais_arena *arena,
                                           relais_error *err);
json_t *relais_conflict_json(const relais_rivals *rivals);

/* Prints a record's versions and what two of them differ in: answers, for the person who asked.
 * *is_sealed: they could not be compared without the key. */
RELAIS_MUST_USE bool relais_conflict_show(relais_store *store, const relais_conflict_wish *wish,
                                          relais_arena *arena, bool *is_sealed, relais_error *err);

#endif
