/*
 * The identity of a submission's XML, read as its bytes pass by: id and version from the root
 * element, instanceID from its meta.
 *
 * Tolerant: XML that breaks after the root element still has an id, and names are matched
 * without their prefix, declared or not. A DOCTYPE stops the reading before anything in it
 * is interpreted. Nothing is loaded, nothing is printed, and memory is bounded whatever the
 * XML's size. The answer does not depend on how the bytes are cut into slices.
 */
#ifndef RELAIS_OPENROSA_INSTANCE_H
#define RELAIS_OPENROSA_INSTANCE_H

#include "spool/parcel.h"

/* The root element must end within this. Collect repeats the form's namespace declarations
 * on it, which is 2 KB at most. */
#define RELAIS_INSTANCE_ROOT_MAX (64 * 1024)

/* The instanceID is looked for as far as this; the largest national submissions are below
 * 100 KB. One that comes later is found by whoever reads the whole XML. */
#define RELAIS_INSTANCE_SCAN_MAX (1024 * 1024)

typedef enum {
    RELAIS_INSTANCE_EMPTY,   /* no byte was fed */
    RELAIS_INSTANCE_BROKEN,  /* no root element can be read */
    RELAIS_INSTANCE_DOCTYPE, /* a DOCTYPE, or an entity declaration, before the root */
    RELAIS_INSTANCE_READ,    /* there is a root element; it may have no id */
    RELAIS_INSTANCE_NO_MEMORY
} relais_instance_state;

/* A text without white space around it. One byte more than a parcel's head can hold is kept,
 * so that a `length` above RELAIS_PARCEL_VALUE_MAX says that the text was longer. */
typedef struct relais_instance_text {
    char bytes[RELAIS_PARCEL_VALUE_MAX + 2];
    size_t length;
} relais_instance_text;

typedef struct relais_instance {
    relais_instance_text id;
    relais_instance_text version;
    relais_instance_text instance_id;
} relais_instance;

typedef struct relais_instance_reader relais_instance_reader;

RELAIS_MUST_USE relais_instance_reader *relais_instance_create(void);
void relais_instance_destroy(relais_instance_reader *reader);

void relais_instance_feed(relais_instance_reader *reader, const char *bytes, size_t length);

/* Call after the last byte. *out belongs to the reader. */
relais_instance_state relais_instance_finish(relais_instance_reader *reader,
                                             const relais_instance **out);

#endif
