/*
 * A parcel: one received request body with a short text head that describes it.
 *
 *   relais-parcel: 1
 *   received: 2026-03-02T10:15:04.123Z
 *   source: serve
 *   form: bf_tip_ident
 *   version: 2026030100
 *   instance: uuid:...
 *   user: agent-017
 *   device: collect:...
 *   host: odk.example.bf
 *   content-type: multipart/form-data; boundary=...
 *   length: 48211
 *   sha256: ...                      (of the body)
 *   <empty line>
 *   <the body, byte for byte>
 *
 * A sealed parcel (quarantine.h) says as well to which key, "sealed: <key id>"; its body is
 * another parcel, this whole file as it was, in an envelope that only the key's holder opens.
 * Its length is known last, and therefore always has twelve digits.
 *
 * Readable with cat, writable without libraries, self-checking and portable: a parcel
 * copied to another spool is the same parcel. The first line is always first; the other
 * keys come in any order, unknown keys are kept apart for later versions to use and
 * ignored here. In a value, '%', controls and 0x7f stand as %XX, so that a line is a line.
 */
#ifndef RELAIS_SPOOL_PARCEL_H
#define RELAIS_SPOOL_PARCEL_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/digest.h"

#include <stdint.h>

/* A head is a dozen short lines; the longest value is a Content-Type or an instanceID. */
#define RELAIS_PARCEL_HEAD_MAX  (16 * 1024)
#define RELAIS_PARCEL_VALUE_MAX 1024

/* Every text is never NULL ("" when unknown) and belongs to whoever filled the head. */
typedef struct relais_parcel_head {
    const char *received; /* ISO 8601 UTC with milliseconds */
    const char *source;   /* "serve", "capture", "pull:central", "import", ... */
    const char *form;     /* the root element's id attribute */
    const char *version;  /* the root element's version attribute */
    const char *instance; /* instanceID, "" when the submission has none */
    const char *user;     /* name the web server authenticated */
    const char *device;   /* the deviceID query parameter */
    const char *host;     /* capture: the server, as the phone addressed it; "" otherwise */
    const char *content_type;
    const char *sealed; /* id of the key that opens the body, "" when it is not sealed */
    uint64_t length;    /* of the body, in bytes */
    uint8_t sha256[RELAIS_SHA256_SIZE];
} relais_parcel_head;

/* Sets every text to "". */
void relais_parcel_head_init(relais_parcel_head *head);

/* Appends the head and the empty line. Values longer than RELAIS_PARCEL_VALUE_MAX are an
 * error (RELAIS_ERR_LIMIT) that names the key. */
RELAIS_MUST_USE bool relais_parcel_head_write(const relais_parcel_head *head, relais_buffer *out,
                                              relais_error *err);

/* Reads a head from the first bytes of a file (at least RELAIS_PARCEL_HEAD_MAX of them, or
 * the whole file). Texts belong to the arena. *head_length is where the body starts.
 * RELAIS_ERR_DAMAGED, with the line, for anything that is not a head of version 1 with all
 * of received, source, form, content-type, length and sha256. */
RELAIS_MUST_USE bool relais_parcel_head_read(const char *bytes, size_t length, relais_arena *arena,
                                             relais_parcel_head *head, size_t *head_length,
                                             relais_error *err);

#define RELAIS_PARCEL_SEALED_TYPE "application/pkcs7-mime" /* RFC 5751 section 3.2 */

/* An open parcel file, read by position and never mapped whole: a body may be larger than
 * the memory that its reader may use. */
typedef struct relais_parcel {
    int fd;
    uint64_t body_offset; /* of the body's first byte in the file */
    relais_parcel_head head;
} relais_parcel;

/* Opens and reads the head; the file is closed when the arena is destroyed or reset.
 * Checks that the file is exactly head + length bytes (RELAIS_ERR_DAMAGED otherwise), does
 * not read the body. `dirfd` as for openat(2); symbolic links are not followed. */
RELAIS_MUST_USE bool relais_parcel_open(int dirfd, const char *name, relais_arena *arena,
                                        relais_parcel *out, relais_error *err);

/* The same with a file that is open already and that the caller keeps. `name` is for errors. */
RELAIS_MUST_USE bool relais_parcel_examine(int fd, const char *name, relais_arena *arena,
                                           relais_parcel *out, relais_error *err);

/* Reads exactly `length` bytes of the body from `offset` (both must lie inside). */
RELAIS_MUST_USE bool relais_parcel_read(const relais_parcel *parcel, uint64_t offset, void *out,
                                        size_t length, relais_error *err);

#endif
