/*
 * One JSON document on standard output. See json.h.
 */
#include "cli/json.h"

#include <stdio.h>

bool relais_json_print(json_t *root, relais_error *err)
{
    bool ok = root != NULL && json_dumpf(root, stdout, JSON_INDENT(2)) == 0;

    putchar('\n');
    json_decref(root);
    return ok || relais_error_set(err, RELAIS_ERR_MEMORY, "the answer cannot be written as JSON");
}
