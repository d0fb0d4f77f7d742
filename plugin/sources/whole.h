/*
 * Whether XML that a server sent is all there. A server's connection can end early without
 * anybody noticing; half a submission must not be taken for one.
 */
#ifndef RELAIS_SOURCES_WHOLE_H
#define RELAIS_SOURCES_WHOLE_H

#include "base/error.h"

#include <stddef.h>

/* True when the bytes end with the end tag of the root element. It is not asked whether they
 * are well-formed: phones write XML that is not, and servers keep it. RELAIS_ERR_DATA. */
RELAIS_MUST_USE bool relais_xml_is_whole(const char *xml, size_t length, relais_error *err);

#endif
