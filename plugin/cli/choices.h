/*
 * The choices of a select of several: written in the question, in an instance of the form, or
 * in a CSV file among its media.
 */
#ifndef RELAIS_CLI_CHOICES_H
#define RELAIS_CLI_CHOICES_H

#include "base/arena.h"

#include <libxml/tree.h>
#include <libxml/xpath.h>

typedef struct relais_choices {
    const char *form_file;
    xmlDocPtr doc;
    xmlXPathContextPtr xpath;
    relais_arena *arena;
    /* A value with white space. `file` and `line` are those of a media file, else NULL and 0. */
    void (*blank)(void *context, const xmlNode *where, const char *file, long line,
                  const char *value);
    /* A media file that is not there or cannot be read. */
    void (*missing)(void *context, const xmlNode *where, const char *file);
    void *context;
} relais_choices;

/* Looks at one <select> element. */
void relais_choices_check(const relais_choices *choices, xmlNodePtr select);

#endif
