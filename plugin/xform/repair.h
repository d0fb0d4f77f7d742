/*
 * XML that phones are known to write, made well-formed where that loses nothing.
 *
 * Works on the bytes, because what is repaired here libxml2 does not read at all:
 *   &#55357;&#56832;  a pair of surrogates becomes the character it stands for
 *   &#0; &#xFFFF;     a reference to what XML cannot carry becomes U+FFFD
 *   a="x < y"         '<' in an attribute becomes &lt;
 */
#ifndef RELAIS_XFORM_REPAIR_H
#define RELAIS_XFORM_REPAIR_H

#include "base/buffer.h"

typedef struct relais_repairs {
    size_t surrogates;
    size_t forbidden;
    size_t less_thans;
} relais_repairs;

/* Writes the repaired XML to `out`; true when anything was repaired and all of it fitted. */
bool relais_xml_repair(const char *xml, size_t length, relais_buffer *out, relais_repairs *made);

/* Says in words what was repaired, never the text itself. `undeclared` as of
 * relais_xml_strip_namespaces. */
void relais_repairs_say(const relais_repairs *made, const char *undeclared, relais_buffer *out);

#endif
