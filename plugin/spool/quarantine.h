/*
 * Quarantine: parcels that no program can deliver, kept byte for byte with the reason.
 *
 * NAME.reason is text of `key: value` lines, like a parcel's head:
 *   class: data            (relais_error_word, or "unknown-version", "sealed", ...)
 *   at: 2026-03-02T10:15:04.123Z
 *   form: ...              path: /data/person/age      column: tip.identification.age
 *   rule: ...              line: 12                    offset: 4711
 *   text: one sentence for the person who looks at it; never the answer itself
 */
#ifndef RELAIS_SPOOL_QUARANTINE_H
#define RELAIS_SPOOL_QUARANTINE_H

#include "spool/spool.h"

/* All texts never NULL. When read back they belong to the arena. */
typedef struct relais_reason {
    const char *class_word;
    const char *at; /* "" when writing: becomes now */
    const char *form;
    const char *path;   /* of the answer in the form, or of the file */
    const char *column; /* schema.table.column */
    const char *rule;   /* what was expected, in words */
    const char *text;
    long line;
    int64_t offset; /* byte offset in the XML, -1 when it does not apply */
} relais_reason;

void relais_reason_init(relais_reason *reason);

/* Writes the .reason, fsyncs it, moves the parcel from new/ to quarantine/, fsyncs both
 * directories: at no moment is the parcel in neither place. Repeating it is harmless. In
 * quarantine every name ends in ".parcel"; another parcel of the same name is not overwritten. */
RELAIS_MUST_USE bool relais_quarantine_put(relais_spool *spool, const relais_spool_entry *entry,
                                           const relais_reason *reason, relais_error *err);

/* Calls visit for each quarantined parcel in order of arrival, until it returns false.
 * `reason` is NULL when the .reason file is missing or unreadable. */
typedef bool relais_quarantine_visit(void *context, const char *name, const relais_reason *reason);
RELAIS_MUST_USE bool relais_quarantine_walk(relais_spool *spool, relais_quarantine_visit *visit,
                                            void *context, relais_error *err);

/* Opens a quarantined parcel; `name` without directories, checked. `reason` (may be NULL) is
 * filled even when the parcel itself cannot be opened: a damaged one is often why it is here. */
RELAIS_MUST_USE bool relais_quarantine_parcel(relais_spool *spool, const char *name,
                                              relais_arena *arena, relais_parcel *out,
                                              relais_reason *reason, relais_error *err);

/* Moves a parcel back to new/ (of the shard that its name hashes to) and removes the
 * .reason; the forwarder takes it up like any other. */
RELAIS_MUST_USE bool relais_quarantine_replay(relais_spool *spool, const char *name,
                                              relais_error *err);

/* Removes parcel and reason for good. */
RELAIS_MUST_USE bool relais_quarantine_drop(relais_spool *spool, const char *name,
                                            relais_error *err);

/* ---- sealed parcels ------------------------------------------------------------------------
 *
 * The answers of some forms must not lie in quarantine for whoever takes the disk. A sealed
 * parcel then stands in place of one of theirs: the same head, and as its body the whole file
 * of the original in an envelope. How envelopes are made is the caller's business. */

/* Takes all of the bytes. */
typedef bool relais_spool_write(void *to, const char *bytes, size_t length, relais_error *err);

/* Makes bytes out of the range of an open file: seals it, or opens what was sealed. */
typedef bool relais_spool_convert(void *context, const relais_segment *from,
                                  relais_spool_write *write, void *to, relais_error *err);

/* As relais_quarantine_put, with a sealed parcel in the place of the original, which is
 * unlinked when the other and the reason are durable: at no moment is it in neither place, no
 * plain copy stays behind, and whatever interrupts it, repeating it ends with the one sealed
 * parcel. `head` is the original's as far as that can be read, with `sealed` set; length and
 * hash are filled in here. RELAIS_ERR_FULL when the disk has no room for both. */
RELAIS_MUST_USE bool
relais_quarantine_put_sealed(relais_spool *spool, const relais_spool_entry *entry,
                             const relais_reason *reason, const relais_parcel_head *head,
                             relais_spool_convert *seal, void *context, relais_error *err);

/* As relais_quarantine_replay, with the original that the sealed parcel holds. What `unseal`
 * wrote is committed only after it returned true; false changes nothing. */
RELAIS_MUST_USE bool relais_quarantine_replay_sealed(relais_spool *spool, const char *name,
                                                     relais_spool_convert *unseal, void *context,
                                                     relais_error *err);

#endif
