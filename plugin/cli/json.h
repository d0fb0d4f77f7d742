/*
 * What a command answers to --json: one document on standard output.
 */
#ifndef RELAIS_CLI_JSON_H
#define RELAIS_CLI_JSON_H

#include "base/error.h"

#include <jansson.h>

/* Prints the document and a line end, and drops the reference to it. NULL, the answer of jansson
 * when memory ran out, is an error like any other. */
RELAIS_MUST_USE bool relais_json_print(json_t *root, relais_error *err);

#endif
