/*
 * Another program's output, for looking at what it says: no shell, a bounded answer.
 */
#ifndef RELAIS_CLI_PROGRAM_H
#define RELAIS_CLI_PROGRAM_H

#include "base/buffer.h"

/* Runs argv[0] (found by PATH, then in /usr/sbin and /sbin) without standard input and appends
 * its standard output, and its standard error where `with_errors`. *code is its exit code, 127
 * when there is no such program. RELAIS_ERR_LIMIT when it says more than `out` may hold. */
RELAIS_MUST_USE bool relais_program_read(char *const *argv, bool with_errors, relais_buffer *out,
                                         int *code, relais_error *err);

#endif
