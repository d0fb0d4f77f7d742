/*
 * A record being settled: its versions, those that cannot be loaded now, and the rows of the
 * one that is current. settle.c runs the transaction, record.c rewrites the rows, settle_states.c
 * says in the ledger what has become of them.
 */
#ifndef RELAIS_STORE_SETTLEMENT_H
#define RELAIS_STORE_SETTLEMENT_H

#include "store/refusal.h"
#include "store/versions.h"
#include "store/work.h"

/* Each try marks one more version; a record that is refused more often than this is a fault
 * of the mapping. */
#define RELAIS_MARKS_MAX 16

/* The class of a version that only the holder of the key can evaluate again. */
#define RELAIS_REASON_SEALED "sealed"

/* The class of an encrypted version that cannot be opened before its other files come. */
#define RELAIS_REASON_WAITING "waiting"

/* A version that cannot be loaded now, and why. */
typedef struct relais_mark {
    char sub_id[RELAIS_UUID_TEXT_SIZE];
    relais_state state; /* held or quarantined */
    relais_reason reason;
    const char *missing; /* as relais_refusal has it */
} relais_mark;

typedef struct relais_settlement {
    relais_work *work;
    relais_item *item; /* NULL: a held version from the ledger */
    const char *form_id, *instance_id;
    relais_binding *binding; /* NULL: no mapping, nothing can be evaluated */
    /* A replay: this version is evaluated again, and its record's rows are written, although
     * nothing has come; NULL when it is none. */
    const char *asked;
    const relais_seal_key *key;  /* opens what is sealed; NULL: none at hand */
    const relais_choice *choice; /* a person makes `asked` the current one; or NULL */
    relais_mark marks[RELAIS_MARKS_MAX];
    size_t mark_count;
    /* of the present try: */
    relais_version *versions;
    size_t count;
    const relais_output **outputs; /* parallel to versions: of those loaded now */
    const uint8_t **made_by;       /* the same: hash of the mapping that made them */
    bool is_new;                   /* the item's ledger row was made now */
    const relais_version *loaded;  /* the last one whose rows went in, or were refused */
    const relais_output *loaded_output;
    size_t refused_shape;
} relais_settlement;

typedef enum {
    RELAIS_TRY_DONE,
    RELAIS_TRY_BURIED,  /* rolled back: the record was erased */
    RELAIS_TRY_MARKED,  /* rolled back: a version was marked, try again */
    RELAIS_TRY_STOPPED, /* rolled back: the form was stopped */
    RELAIS_TRY_BESIDE,  /* rolled back: what was chosen cannot be current */
    RELAIS_TRY_SAME,    /* rolled back: what was chosen is chosen already */
    RELAIS_TRY_FAILED   /* err is set */
} relais_try;

const relais_mark *relais_settlement_mark(const relais_settlement *s, const char *sub_id);
bool relais_settlement_is_item(const relais_settlement *s, const relais_version *version);
bool relais_settlement_is_asked(const relais_settlement *s, const relais_version *version);
RELAIS_MUST_USE bool relais_settlement_add_mark(relais_settlement *s, const char *sub_id,
                                                relais_state state, const relais_refusal *refusal,
                                                relais_error *err);

/* Keeps the item's files, of one that is there already only those that are new. */
RELAIS_MUST_USE bool relais_settlement_copy_files(const relais_settlement *s, relais_error *err);

/* What a version's answers name and no version of the record has brought: an edit may leave the
 * photo of the first version as it is, and need not send it again. */
RELAIS_MUST_USE bool relais_settlement_find_missing(const relais_settlement *s,
                                                    const relais_output *output,
                                                    const char **literal, relais_error *err);

/* An encrypted item, whose files are in the ledger now: opens and proves it before anything is
 * made of it. *is_open is false, with `refusal` filled, when that cannot be done. *deprecated is
 * the version that it says inside to replace, "" when none. */
RELAIS_MUST_USE bool relais_settlement_open(const relais_settlement *s, bool *is_open,
                                            const char **deprecated, relais_refusal *refusal,
                                            relais_error *err);

/* Evaluates one version under a record's name. *out stays NULL, with `refusal` filled, when the
 * mapping refuses it, or when it is sealed and what was kept of it does not serve. */
RELAIS_MUST_USE bool relais_settlement_evaluate(const relais_settlement *s,
                                                const relais_version *version, const char *record,
                                                relais_output **out, const uint8_t **made_by,
                                                relais_refusal *refusal, relais_error *err);

/* Keeps the rows of sealed versions that may have to be loaded later, and no others: of the item
 * and of what a key has opened. After the versions have their states. */
RELAIS_MUST_USE bool relais_settlement_keep(const relais_settlement *s, relais_error *err);

/* Writes the state of each version, after the records' rows were written; versions whose rows stand
 * as they stood keep theirs. */
RELAIS_MUST_USE bool relais_settlement_write_versions(const relais_settlement *s,
                                                      relais_error *err);

/* Of a choice, after the versions were judged: DONE when the version is to become current, and its
 * rivals are no longer conflicts; else SAME or BESIDE. */
relais_try relais_settlement_judge_choice(const relais_settlement *s);
RELAIS_MUST_USE bool relais_settlement_note_choice(const relais_settlement *s, relais_error *err);

/* Writes the rows of the current version of the record named `root`, and takes away what
 * earlier versions left, when anything has changed. */
RELAIS_MUST_USE relais_try relais_record_rewrite(relais_settlement *s, const char *root,
                                                 relais_error *err);

/* Rolls back and turns what the database refused into a mark on s->loaded. */
RELAIS_MUST_USE relais_try relais_record_refused(relais_settlement *s, const relais_error *why,
                                                 relais_error *err);

#endif
