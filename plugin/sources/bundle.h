/*
 * A multipart body as a phone sends it, while it is being made: in memory as long as it is
 * small, in an unlinked file beyond that.
 */
#ifndef RELAIS_SOURCES_BUNDLE_H
#define RELAIS_SOURCES_BUNDLE_H

#include "base/buffer.h"
#include "spool/spool.h"

/* What stays in memory; nearly every submission without photos is below 100 KB. */
#define RELAIS_BUNDLE_MEMORY_MAX ((size_t)1024 * 1024)

typedef struct relais_bundle {
    const char *directory; /* for the file; on the spool's file system */
    char content_type[96];
    char boundary[48];
    relais_buffer memory;
    int fd; /* -1: all of it is in memory */
    uint64_t length;
} relais_bundle;

void relais_bundle_init(relais_bundle *body, const char *directory);
void relais_bundle_free(relais_bundle *body);

/* Empties it and draws a boundary of 128 random bits, which no content has. */
void relais_bundle_begin(relais_bundle *body);

/* Heads of parts: the XML's, and a file's by its name. */
RELAIS_MUST_USE bool relais_bundle_add_xml(relais_bundle *body, relais_error *err);
RELAIS_MUST_USE bool relais_bundle_add_file(relais_bundle *body, const char *name,
                                            const char *media_type, relais_error *err);

RELAIS_MUST_USE bool relais_bundle_append(relais_bundle *body, const char *bytes, size_t length,
                                          relais_error *err);

/* Takes back everything from `length` on. */
RELAIS_MUST_USE bool relais_bundle_cut(relais_bundle *body, uint64_t length, relais_error *err);

/* The closing delimiter; then the whole as one segment, valid until the next begin. */
RELAIS_MUST_USE bool relais_bundle_end(relais_bundle *body, relais_segment *out, relais_error *err);

#endif
