/*
 * Notes: what the web server tells the office through the spool although it is no submission.
 * So far one thing: a submission was refused for its size, and the phone keeps it for ever.
 *
 *   relais-note: 1
 *   received: 2026-03-02T10:15:04.123Z
 *   source: serve                 (or capture)
 *   form: bf_tip_ident            (these three where the beginning of the body tells them)
 *   version: 2026030100
 *   instance: uuid:...
 *   user: agent-017
 *   device: collect:...
 *   size: 140321876               (bytes announced, or received before the refusal)
 *   limit: 104857600              (absent when another server has refused it)
 *   id: <32 hex>
 *
 * A note holds no answer. Anybody who can reach the server may cause one, in front of other
 * servers without a password, so there is room for RELAIS_NOTE_SLOTS of them and no more: a note
 * lies in the slot that the submission it speaks of hashes to, hidden in the first shard's new/
 * (which is how readers of parcels pass it over), and while one lies there no other takes its
 * place. So what a phone tries again before the forwarder has looked is counted once, and a
 * flood costs the web server one failed open(2) each and the disk nothing. The names can be
 * guessed, unlike those of parcels: the web user could read back what it knows anyway.
 *
 * A note is not synced. One that is lost in a power failure comes again with the phone's next try.
 */
#ifndef RELAIS_SPOOL_NOTE_H
#define RELAIS_SPOOL_NOTE_H

#include "spool/spool.h"

/* At 10 seconds between two looks of the forwarder, thirteen different submissions a second. */
#define RELAIS_NOTE_SLOTS 128

/* A device of Collect's has 24 bytes, an instanceID 41. Five of them fit in an index entry of
 * PostgreSQL. */
#define RELAIS_NOTE_VALUE_MAX 256

#define RELAIS_NOTE_ID_SIZE 33 /* 32 hexadecimal digits and NUL */

typedef struct relais_note {
    const char *received; /* ISO 8601 */
    const char *source, *form, *version, *instance, *user, *device;
    int64_t size;  /* -1: not known */
    int64_t limit; /* -1: not known */
    const char *id;
} relais_note;

/* Leaves a note of now, of what the head says and with values cut to their limit. *is_left is
 * false when one lies in its slot already. RELAIS_ERR_FULL below the spool's floor. Blocking,
 * but nothing is synced. */
RELAIS_MUST_USE bool relais_note_leave(relais_spool *spool, const relais_parcel_head *head,
                                       int64_t size, int64_t limit, bool *is_left,
                                       relais_error *err);

typedef enum {
    RELAIS_NOTE_NONE,    /* nothing lies there, or it is being written */
    RELAIS_NOTE_READ,    /* *out is filled; its texts belong to the arena */
    RELAIS_NOTE_DAMAGED, /* it is no note, and old enough to be removed */
    RELAIS_NOTE_FAILED   /* the disk does not give it up */
} relais_note_state;

/* The note in a slot, from 0 to RELAIS_NOTE_SLOTS - 1. Needs read permission. */
RELAIS_MUST_USE relais_note_state relais_note_read(relais_spool *spool, unsigned slot,
                                                   relais_arena *arena, relais_note *out,
                                                   relais_error *err);

/* The same from a note's bytes; false when they are no whole note. */
RELAIS_MUST_USE bool relais_note_parse(const char *bytes, size_t length, relais_arena *arena,
                                       relais_note *out);

/* Makes the slot free. Nothing being there is success. */
RELAIS_MUST_USE bool relais_note_remove(relais_spool *spool, unsigned slot, relais_error *err);

#endif
