/*
 * Name-based UUIDs (RFC 9562 section 5.5): the same names give the same id on every
 * machine, so that rows that refer to each other may arrive in any order.
 */
#ifndef RELAIS_BASE_UUID_H
#define RELAIS_BASE_UUID_H

#include <stdbool.h>
#include <stddef.h>

#define RELAIS_UUID_TEXT_SIZE 37 /* 36 characters and NUL */

/* Version 5 over the project's namespace and the parts, each preceded by its length in
 * decimal and ':', so that ("ab","c") and ("a","bc") differ. Lower-case text. */
void relais_uuid5(const char *const *parts, size_t count, char out[RELAIS_UUID_TEXT_SIZE]);

/* True for the 36 characters of a UUID's text, of any version and either case. */
bool relais_uuid_is(const char *text, size_t length);

#endif
