/*
 * Tables for people at a terminal.
 */
#ifndef RELAIS_CLI_TABLE_H
#define RELAIS_CLI_TABLE_H

#include "base/arena.h"

#include <stddef.h>
#include <stdio.h>

/* Prints rows in columns as wide as their widest cell; the first row is the heading. Cells
 * are parallel, `columns` of them a row; those that hold a number only stand right. Controls
 * in a cell are printed as '?': names come from phones. */
void relais_table_print(FILE *out, const char *const *cells, size_t rows, size_t columns);

/* Seconds since 1970 of an ISO 8601 instant; -1 for "". */
long long relais_instant_seconds(const char *instant);

/* The text, or "-" for "" and NULL. */
const char *relais_or_dash(const char *text);

/* "3 h", "12 min", "5 d": how long ago an ISO 8601 instant was; "" for "". */
const char *relais_table_age(const char *instant, relais_arena *arena);

/* Writes text with controls replaced by '?'. */
void relais_print_plain(FILE *out, const char *text);

#endif
