/*
 * Versions that contradict each other, for the person who must choose: two contents under one
 * instanceID, two edits of one version, and all that follows from either (chain.h).
 */
#ifndef RELAIS_STORE_CONFLICT_H
#define RELAIS_STORE_CONFLICT_H

#include "spool/quarantine.h"
#include "store/store.h"
#include "transform/secrets.h"
#include "xform/seal.h"

/* A version as lists show it; texts are never NULL. */
typedef struct relais_rival {
    const char *sub_id, *form, *record, *instance, *deprecated, *state;
    const char *received, *source, *user, *device, *version;
    const char *seal;                           /* id of the key that opens it; "" when plain */
    const char *chosen_at, *chosen_by, *reason; /* of the last choice of it; "" */
    bool is_beside; /* it contradicts another, or did until somebody chose */
} relais_rival;

typedef struct relais_rivals {
    relais_rival *list; /* record by record, each in the order received */
    size_t count;
} relais_rivals;

/* The conflicts that wait for a choice, or with `all` also those that were decided: of each record
 * the current version and what contradicts it. At most `limit` versions. */
RELAIS_MUST_USE bool relais_conflict_list(relais_store *store, bool all, size_t limit,
                                          relais_arena *arena, relais_rivals *out,
                                          relais_error *err);

/* By the id of a record or of an instance, which is what a person has at hand: a version of that
 * record which contradicts another, or which was chosen; *sub_id is the arena's. RELAIS_ERR_MISSING
 * when there is none, or when two records are meant. */
RELAIS_MUST_USE bool relais_conflict_named(relais_store *store, const char *name,
                                           relais_arena *arena, const char **sub_id,
                                           relais_error *err);

/* All versions of the record that a version belongs to; RELAIS_ERR_MISSING when there is none. */
RELAIS_MUST_USE bool relais_conflict_record(relais_store *store, const char *sub_id,
                                            relais_arena *arena, relais_rivals *out,
                                            relais_error *err);

/* What the ledger keeps of a version's answers. */
typedef struct relais_rival_answers {
    const char *xml; /* NULL when they were erased; sealed when the version's `seal` is not "" */
    size_t xml_length;
    const char *rows; /* of a sealed version that waits, the rows kept of it as JSON; or NULL */
} relais_rival_answers;

RELAIS_MUST_USE bool relais_conflict_open(relais_store *store, const char *sub_id,
                                          relais_arena *arena, relais_rival_answers *out,
                                          relais_error *err);

/* A file that one version has and the other has not with these bytes. */
typedef struct relais_rival_file {
    const char *name, *one, *other; /* sizes in bytes; "" when that version has none of the name */
} relais_rival_file;

typedef struct relais_rival_files {
    relais_rival_file *list;
    size_t count;
} relais_rival_files;

RELAIS_MUST_USE bool relais_conflict_files(relais_store *store, const char *one, const char *other,
                                           relais_arena *arena, relais_rival_files *out,
                                           relais_error *err);

typedef struct relais_conflict_choice {
    const char *mappings;          /* directory */
    const relais_secrets *secrets; /* of the mappings, or NULL */
    const relais_seal_key *key;    /* opens what is sealed, or NULL */
    const char *sub_id;
    const char *by, *reason; /* who chooses and why; `reason` may be NULL */
} relais_conflict_choice;

typedef enum {
    RELAIS_CHOICE_DONE,
    RELAIS_CHOICE_SAME,    /* it was chosen before and is current; nothing was changed */
    RELAIS_CHOICE_BESIDE,  /* an edit of it is known, which stands after it; the same */
    RELAIS_CHOICE_REFUSED, /* the mapping or the database refuses its rows; the same */
    RELAIS_CHOICE_GONE,    /* the record was erased */
    RELAIS_CHOICE_STOPPED  /* its form has no mapping that can be used now */
} relais_choice_outcome;

/* Makes a version the current one: its rows take the place of the others', in one transaction
 * that also notes who chose. `reason` is of RELAIS_CHOICE_REFUSED and belongs to the arena. */
RELAIS_MUST_USE bool relais_conflict_choose(relais_store *store,
                                            const relais_conflict_choice *choice,
                                            relais_arena *arena, relais_choice_outcome *outcome,
                                            relais_reason *reason, relais_error *err);

#endif
