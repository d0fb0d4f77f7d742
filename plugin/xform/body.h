/*
 * One pass over a parcel's body: what is checked, hashed, found and kept.
 */
#ifndef RELAIS_XFORM_BODY_H
#define RELAIS_XFORM_BODY_H

#include "xform/submission.h"

/* A file part, in order of the body. `filename` tells when it differs from the part's name. */
typedef struct relais_body_file {
    struct relais_body_file *next;
    relais_attachment attachment;
    const char *filename; /* "" when the part has none */
    size_t filename_length;
} relais_body_file;

typedef struct relais_body {
    const char *xml; /* in the arena */
    size_t xml_length;
    relais_body_file *files;
    size_t file_count;
} relais_body;

/* Reads front to back with a fixed buffer. RELAIS_ERR_DAMAGED when length or SHA-256 do not
 * hold, whatever else is wrong; RELAIS_ERR_SYNTAX for a broken multipart or one without XML;
 * RELAIS_ERR_LIMIT for XML above RELAIS_SUBMISSION_XML_MAX. */
RELAIS_MUST_USE bool relais_body_read(const relais_parcel *parcel, relais_arena *arena,
                                      relais_body *out, relais_error *err);

#endif
