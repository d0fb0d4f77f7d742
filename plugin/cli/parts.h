/*
 * What a parcel's body is made of: names, types and sizes of its parts, never their content.
 */
#ifndef RELAIS_CLI_PARTS_H
#define RELAIS_CLI_PARTS_H

#include "spool/parcel.h"

#include <stdio.h>

/* Prints one line a part. A body that cannot be read to its end prints what was found, then
 * what is wrong. False only when the file itself cannot be read. */
RELAIS_MUST_USE bool relais_parts_print(const relais_parcel *parcel, FILE *out, relais_error *err);

/* Writes the body's bytes, as they came. */
RELAIS_MUST_USE bool relais_parts_raw(const relais_parcel *parcel, FILE *out, relais_error *err);

/* Writes the bytes of a whole open file. */
RELAIS_MUST_USE bool relais_parts_file(int fd, FILE *out, relais_error *err);

#endif
