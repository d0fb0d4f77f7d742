/*
 * The one that a word names among the rows of a table: by its whole name, or by a beginning that
 * only one of them has. Commands and their actions are chosen by it.
 */
#ifndef RELAIS_CLI_NAMES_H
#define RELAIS_CLI_NAMES_H

#include <stddef.h>

/* A table whose rows begin with their name, a const char *. */
typedef struct relais_names {
    const void *rows;
    size_t count, size; /* rows, and bytes a row */
} relais_names;

#define RELAIS_NAMES(table)                                                                        \
    ((relais_names){(table), sizeof(table) / sizeof(table)[0], sizeof(table)[0]})

/* The row that the word names, or NULL. */
const void *relais_names_find(relais_names names, const char *word);

/* The name that is nearest to a misspelt word, or NULL when none is near enough to be meant. */
const char *relais_names_nearest(relais_names names, const char *word);

/* The name of the i-th row. */
const char *relais_names_at(relais_names names, size_t i);

#endif
