/*
 * What a request for something published is answered with: bytes of a snapshot, a document
 * made of it, or an open media file, and the ETag.
 */
#ifndef RELAIS_OPENROSA_DOCUMENT_H
#define RELAIS_OPENROSA_DOCUMENT_H

#include "openrosa/library.h"
#include "openrosa/routes.h"

typedef struct relais_document {
    const char *bytes; /* in what follows; NULL: the open file */
    size_t length;
    int fd;           /* of the very file that was hashed, or -1 */
    const char *path; /* of that file */
    char etag[35];
    relais_snapshot *snapshot;
    relais_buffer rendered;
} relais_document;

void relais_document_init(relais_document *document);
void relais_document_close(relais_document *document);

/* Blocking. Fills `document` for any route but RELAIS_ROUTE_NONE and _SUBMISSION and returns
 * RELAIS_REPLY_RECEIVED, or the reply to give instead, with err set when there is something
 * to say about it. What is not in the present snapshot may have come since, and another
 * process may have listed it already: then the directory is looked at again. `form_id` NULL
 * lists all forms. */
relais_reply relais_document_find(relais_document *document, const relais_library *library,
                                  const relais_route *route, const char *base_url,
                                  const char *form_id, relais_error *err);

#endif
