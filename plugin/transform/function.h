/*
 * The functions of the mapping language: those of XPath 1.0, and Relais's own.
 */
#ifndef RELAIS_TRANSFORM_FUNCTION_H
#define RELAIS_TRANSFORM_FUNCTION_H

#include "base/error.h"

#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>

typedef struct relais_function {
    const char *name;
    int fewest, most;      /* arguments */
    int result_from;       /* the first argument that may be its result as it stands, or -1 */
    xmlXPathFunction call; /* NULL: libxml2's own */
} relais_function;

/* No function takes more arguments; uuid5 and concat are the ones that grow. */
enum { RELAIS_ARGUMENTS_MAX = 32 };

/* NULL when there is none. */
const relais_function *relais_function_find(const char *name, size_t length);

/* Calls visit for each function's name. */
void relais_function_names(void (*visit)(void *data, const char *name), void *data);

/* Makes Relais's own functions known to an XPath context. */
RELAIS_MUST_USE bool relais_function_register(xmlXPathContextPtr context, relais_error *err);

#endif
