/*
 * The versions of one record in the ledger: reading them, adding one, writing what became
 * of them. Inside a transaction that holds the form's lock.
 */
#ifndef RELAIS_STORE_VERSIONS_H
#define RELAIS_STORE_VERSIONS_H

#include "store/chain.h"
#include "store/connection.h"
#include "store/item.h"

extern const char relais_versions_read_sql[];
extern const char relais_versions_names_sql[];
extern const char relais_versions_replaces_sql[];
extern const char relais_versions_update_sql[];
extern const char relais_versions_held_sql[];
extern const char relais_versions_open_sql[];
extern const char relais_versions_older_sql[];

/* BEGIN, and the lock under which one form's records are rearranged, by one forwarder at a
 * time; fresh submissions do not take it, the ledger's unique indexes guard against them. */
RELAIS_MUST_USE bool relais_versions_begin(relais_store *store, relais_params *params,
                                           const char *form_id, relais_error *err);

/* Adds the item's ledger row in `state`; *is_new is false when the same XML is there. */
RELAIS_MUST_USE bool relais_versions_add(relais_store *store, relais_params *params,
                                         const relais_item *item, relais_state state, bool *is_new,
                                         relais_error *err);

/* Notes which version an encrypted one replaces. */
RELAIS_MUST_USE bool relais_versions_replaces(relais_store *store, relais_params *params,
                                              const char *sub_id, const char *deprecated_id,
                                              relais_error *err);

/* All versions linked with an instanceID by edits, in the order received. *is_buried: the
 * record, under any of its versions' names, was erased. RELAIS_ERR_LIMIT above
 * RELAIS_CHAIN_MAX. */
RELAIS_MUST_USE bool relais_versions_read(relais_store *store, relais_params *params,
                                          const char *form_id, const char *instance_id,
                                          relais_arena *arena, relais_version **out, size_t *count,
                                          bool *is_buried, relais_error *err);

/* What the ledger keeps of one version for evaluating it again. */
typedef struct relais_stored {
    const char *version, *received, *user, *device;
    const char *xml; /* NULL when it was erased */
    size_t xml_length;
    const char *seal; /* the id of the key that `xml` is sealed for; NULL: it is plain */
} relais_stored;

RELAIS_MUST_USE bool relais_versions_open(relais_store *store, relais_params *params,
                                          const char *sub_id, relais_arena *arena,
                                          relais_stored *out, relais_error *err);

/* Names of the files that the ledger has for any of the versions. */
RELAIS_MUST_USE bool relais_versions_files(relais_store *store, relais_params *params,
                                           const relais_version *versions, size_t count,
                                           relais_arena *arena, const char ***names,
                                           size_t *name_count, relais_error *err);

/* One version's row as it shall be. */
typedef struct relais_version_update {
    const char *sub_id, *record, *missing, *unmapped; /* array literals, NULL = NULL */
    relais_state state;
    const char *reason;     /* JSON, NULL = NULL */
    const char *trace;      /* the same */
    const uint8_t *mapping; /* NULL: as it is */
    bool is_loaded;         /* its rows went in now */
} relais_version_update;

/* Writes them, those that stop being current before those that become it. */
RELAIS_MUST_USE bool relais_versions_update(relais_store *store, relais_params *params,
                                            const relais_version_update *updates, size_t count,
                                            relais_error *err);

/* Who chose a version, and why; `reason` may be NULL. */
typedef struct relais_choice {
    const char *by, *reason;
} relais_choice;

/* Notes that a person chose a version over its rivals. */
RELAIS_MUST_USE bool relais_versions_choose(relais_store *store, relais_params *params,
                                            const char *sub_id, const char *const *rivals,
                                            size_t count, const relais_choice *choice,
                                            relais_error *err);

/* A page takes well under a second, so that new parcels do not wait for old ones. */
#define RELAIS_HELD_PAGE 100

/* A page of the held versions after (received, sub_id), oldest first: sub_id, form, instanceID. */
RELAIS_MUST_USE bool relais_versions_held(relais_store *store, relais_params *params,
                                          const char *after_received, const char *after_sub_id,
                                          PGresult **rows, relais_error *err);

#endif
