/*
 * A parcel's body opened as a submission: the XML bytes, its attachments by position, and
 * the XML as a document that mappings can be run on.
 *
 * XML that phones are known to write and libxml2 refuses is repaired where that loses
 * nothing (numeric references to surrogates or to characters that XML forbids, an
 * undeclared namespace prefix, '<' in an attribute), and each repair is reported. Everything
 * else that is not well-formed is RELAIS_ERR_SYNTAX with the byte offset.
 *
 * In the document all namespaces are removed: clients disagree about prefixes and about
 * whether the default namespace is declared, so mappings and meta are matched by local name.
 */
#ifndef RELAIS_XFORM_SUBMISSION_H
#define RELAIS_XFORM_SUBMISSION_H

#include "base/arena.h"
#include "spool/parcel.h"

#include <libxml/tree.h>

/* libxml2 refuses single nodes above 10 MB without its HUGE option, which also lifts its
 * guards; the largest national submissions are below 100 KB. */
#define RELAIS_SUBMISSION_XML_MAX   (8 * 1024 * 1024)
#define RELAIS_SUBMISSION_DEPTH_MAX 100 /* the deepest known form nests 12 */

/* As xml.h counts them: 24 MB of memory. The largest national submissions have 3,000. */
#define RELAIS_SUBMISSION_NODES_MAX 200000

/* A file of the submission. Any bytes may be in the name: it is data, never a path. */
typedef struct relais_attachment {
    const char *name; /* part name; filename when that is empty, or when the answers name the
                         filename and not the part; NUL-terminated */
    size_t name_length;
    const char *media_type; /* "" when the part says none */
    uint64_t offset;        /* in the parcel's body */
    uint64_t size;
    uint8_t sha256[RELAIS_SHA256_SIZE];
} relais_attachment;

typedef struct relais_submission {
    const char *form_id;
    const char *version;
    const char *instance_id;   /* "" when there is none */
    const char *deprecated_id; /* "" when this is not an edit */
    const char *xml;           /* the bytes as received */
    size_t xml_length;
    uint8_t xml_sha256[RELAIS_SHA256_SIZE];
    xmlDocPtr doc;       /* namespaces removed; freed with the arena */
    const char *repairs; /* what was repaired, in words; "" when nothing */
    bool is_encrypted;   /* an ODK encryption envelope (root attribute encrypted="yes") */
    const relais_attachment *attachments;
    size_t attachment_count;
} relais_submission;

/* Reads the body once, front to back: checks length and SHA-256 (RELAIS_ERR_DAMAGED), splits
 * the multipart, hashes each attachment, keeps only the XML in memory.
 * RELAIS_ERR_SYNTAX carries the byte offset of the XML error in *xml_offset (else -1). */
RELAIS_MUST_USE bool relais_submission_read(const relais_parcel *parcel, relais_arena *arena,
                                            relais_submission *out, int64_t *xml_offset,
                                            relais_error *err);

/* The same from XML bytes alone (replay from the ledger, tests): no attachments. */
RELAIS_MUST_USE bool relais_submission_parse(const char *xml, size_t length, relais_arena *arena,
                                             relais_submission *out, int64_t *xml_offset,
                                             relais_error *err);

/* True when two file names are the same name: equal bytes, or equal after Unicode NFC (phones
 * and desktops write the same accent composed or decomposed). */
bool relais_filename_equal(const char *a, size_t a_length, const char *b, size_t b_length);

#endif
