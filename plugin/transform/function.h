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
    unsigned quoted;       /* a bit for each argument that must stand in quotes */
    bool uses_keys;        /* it needs the secret of the keys */
} relais_function;

/* No function takes more arguments; uuid5 and concat are the ones that grow. */
enum { RELAIS_ARGUMENTS_MAX = 32 };

/* NULL when there is none. */
const relais_function *relais_function_find(const char *name, size_t length);

/* Calls visit for each function's name. */
void relais_function_names(void (*visit)(void *data, const char *name), void *data);

/* What Relais's own functions share: the checked number of arguments, the last of them as
 * trimmed text that xmlFree releases (NULL without memory), and a text as the result. */
bool relais_function_has(xmlXPathParserContextPtr call, int count, int fewest);
char *relais_function_pop(xmlXPathParserContextPtr call);
void relais_function_return(xmlXPathParserContextPtr call, const char *text);

/* Those of function_key.c. */
void relais_call_code(xmlXPathParserContextPtr call, int count);
void relais_call_fold(xmlXPathParserContextPtr call, int count);
void relais_call_generalise(xmlXPathParserContextPtr call, int count);
void relais_call_hmac(xmlXPathParserContextPtr call, int count);
void relais_call_phone(xmlXPathParserContextPtr call, int count);

/* Makes Relais's own functions known to an XPath context. */
RELAIS_MUST_USE bool relais_function_register(xmlXPathContextPtr context, relais_error *err);

#endif
