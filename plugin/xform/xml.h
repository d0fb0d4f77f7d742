/*
 * libxml2 held to this project's rules: no DOCTYPE, no entities, no network, limits to depth
 * and number of nodes, nothing printed, and errors that say where but never quote what somebody
 * answered.
 */
#ifndef RELAIS_XFORM_XML_H
#define RELAIS_XFORM_XML_H

#include "base/arena.h"
#include "base/buffer.h"

#include <libxml/tree.h>

#include <stdint.h>

/* Where parsing stopped. */
typedef struct relais_xml_fault {
    int64_t offset; /* in bytes, -1 when unknown */
    long line;      /* 0 when unknown */
} relais_xml_fault;

/* What a document may be. A node of libxml2 is some 120 bytes, whatever it holds: eight bytes of
 * XML may be two of them, so that a limit to the bytes alone is none to the memory. */
typedef struct relais_xml_limits {
    unsigned depth; /* elements in each other */
    unsigned nodes; /* elements, attributes and their values, declared namespaces, texts, comments,
                       processing instructions */
} relais_xml_limits;

/* Parses a whole document; it is freed with the arena. RELAIS_ERR_SYNTAX when it is not
 * well-formed, has a DOCTYPE, or is not the UTF-8 it claims to be; RELAIS_ERR_LIMIT when it
 * is more than the limits allow. The line is also in err. */
RELAIS_MUST_USE bool relais_xml_parse(const char *bytes, size_t length,
                                      const relais_xml_limits *limits, relais_arena *arena,
                                      xmlDocPtr *out, relais_xml_fault *fault, relais_error *err);

/* Removes every namespace, also prefixes that were never declared; the names of those are
 * appended to `undeclared`, separated by ", ", each once. */
void relais_xml_strip_namespaces(xmlDocPtr doc, relais_buffer *undeclared);

/* The name without a prefix that libxml2 left in it for want of a declaration. */
const char *relais_xml_local_name(const xmlChar *name);

/* True for an element of that local name, whatever its namespace. */
bool relais_xml_is(const xmlNode *node, const char *local_name);

/* The first child element of that local name, or NULL. */
xmlNodePtr relais_xml_child(const xmlNode *parent, const char *local_name);

/* The next element in document order inside `within`, or NULL: begin with node == within. */
xmlNodePtr relais_xml_next(const xmlNode *node, const xmlNode *within);

/* A trimmed copy of an element's text, or of an attribute's: the one without prefix before
 * any with one. "" when absent, NULL without memory. */
const char *relais_xml_text(const xmlNode *node, relais_arena *arena);
const char *relais_xml_attribute(const xmlNode *node, const char *local_name, relais_arena *arena);

#endif
