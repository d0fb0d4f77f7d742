/*
 * Encrypted submissions: an envelope, and the locked files that it names, which lie in
 * relais.attachment as phones sent them. They are opened in memory and nowhere else; no plain
 * answer and no plain file is written anywhere.
 *
 * See xform/envelope.h for the format.
 */
#ifndef RELAIS_STORE_ENCRYPTED_H
#define RELAIS_STORE_ENCRYPTED_H

#include "store/connection.h"
#include "xform/envelope.h"

/* Classes of what cannot be opened, for the quarantine. */
#define RELAIS_REASON_ENVELOPE  "envelope"     /* not what an envelope must be */
#define RELAIS_REASON_NO_KEY    "no-key"       /* none of the configured keys opens it */
#define RELAIS_REASON_DAMAGED   "damaged-file" /* a file of it is cut or changed */
#define RELAIS_REASON_SIGNATURE "signature"    /* its files are not those that were signed */
#define RELAIS_REASON_PLAINTEXT "plaintext"    /* in the clear, although its form is encrypted */

/* A class and its sentence; class_word is NULL when nothing is amiss. */
typedef struct relais_objection {
    const char *class_word, *text;
} relais_objection;

/* To a submission in the clear of a form that is encrypted. */
relais_objection relais_encrypted_plaintext(void);

/* Reads the envelope and looks whether a key opens it, before any of its files is there. `keys`
 * may be NULL. False only when the machine fails. */
RELAIS_MUST_USE bool relais_encrypted_check(const relais_submission *outer,
                                            const relais_form_keys *keys, relais_arena *arena,
                                            relais_envelope *out, relais_objection *objection,
                                            relais_error *err);

/* Where a version's files are and what opens them. */
typedef struct relais_encrypted_source {
    relais_store *store;
    relais_params *params;
    const relais_form_keys *keys; /* or NULL */
    const char *sub_id;
} relais_encrypted_source;

typedef struct relais_encrypted {
    relais_objection objection;
    const char **missing; /* names, as the ledger writes them, of files that have not come */
    size_t missing_count;
    relais_submission inner; /* when neither: the submission that was locked */
} relais_encrypted;

/* Opens the submission. With `is_whole` all of its files are opened, and the signature, where
 * there is one, is held against them; else only the XML. Files pass through bounded memory; the
 * XML's limit is that of plain ones. All belongs to the arena. False only when the machine fails.
 */
RELAIS_MUST_USE bool relais_encrypted_open(const relais_encrypted_source *source,
                                           const relais_submission *outer, bool is_whole,
                                           relais_arena *arena, relais_encrypted *out,
                                           relais_error *err);

extern const char relais_encrypted_files_sql[];
extern const char relais_encrypted_piece_sql[];

#endif
