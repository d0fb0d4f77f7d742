/*
 * The documents of the Briefcase API (Aggregate's, and what KoBo and Ona speak of it), read by
 * libxml2. Names are matched without their namespaces, which servers spell in several ways.
 */
#ifndef RELAIS_SOURCES_BRIEFCASE_H
#define RELAIS_SOURCES_BRIEFCASE_H

#include "sources/kind.h"

#include <libxml/tree.h>

/* NULL, with RELAIS_ERR_DATA, unless the bytes are XML with that root element, within the limits of
 * a form. Freed with the arena. */
RELAIS_MUST_USE xmlDocPtr relais_briefcase_parse(const relais_buffer *bytes, const char *root,
                                                 const char *what, relais_arena *arena,
                                                 relais_error *err);

/* Takes the submission out of a download: its XML, without what the server added to the root,
 * goes to `xml`; its attribute submissionDate to `received`; its files are offers. */
RELAIS_MUST_USE bool relais_briefcase_take(xmlDocPtr download, relais_arena *arena,
                                           relais_buffer *xml, const char **received,
                                           relais_offer **offers, size_t *count, relais_error *err);

#endif
