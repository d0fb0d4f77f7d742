/*
 * A multipart body as a phone sends it, while it is being made: in memory as long as it is
 * small, in an unlinked file beyond that.
 */
#ifndef RELAIS_SOURCES_BODY_H
#define RELAIS_SOURCES_BODY_H

#include "base/buffer.h"
#include "spool/spool.h"

/* What stays in memory; nearly every submission without photos is below 100 KB. */
#define RELAIS_BODY_MEMORY_MAX ((size_t)1024 * 1024)

typedef struct relais_body {
    const char *directory; /* for the file; on the spool's file system */
    char content_type[96];
    char boundary[48];
    relais_buffer memory;
    int fd; /* -1: all of it is in memory */
    uint64_t length;
} relais_body;

void relais_body_init(relais_body *body, const char *directory);
void relais_body_free(relais_body *body);

/* Empties it and draws a boundary of 128 random bits, which no content has. */
void relais_body_begin(relais_body *body);

/* Heads of parts: the XML's, and a file's by its name. */
RELAIS_MUST_USE bool relais_body_add_xml(relais_body *body, relais_error *err);
RELAIS_MUST_USE bool relais_body_add_file(relais_body *body, const char *name,
                                          const char *media_type, relais_error *err);

RELAIS_MUST_USE bool relais_body_append(relais_body *body, const char *bytes, size_t length,
                                        relais_error *err);

/* Takes back everything from `length` on. */
RELAIS_MUST_USE bool relais_body_cut(relais_body *body, uint64_t length, relais_error *err);

/* The closing delimiter; then the whole as one segment, valid until the next begin. */
RELAIS_MUST_USE bool relais_body_end(relais_body *body, relais_segment *out, relais_error *err);

#endif
