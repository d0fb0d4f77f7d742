/*
 * The ledger's statements: what has been received, and what became of it.
 *
 * Every look-up here goes by an index, so that a batch costs the same on a ledger of a
 * million submissions as on an empty one; tests/unit/ledger.c asks EXPLAIN.
 */
#ifndef RELAIS_STORE_LEDGER_H
#define RELAIS_STORE_LEDGER_H

#include "store/connection.h"
#include "store/item.h"
#include "store/state.h"

/* False with RELAIS_ERR_CONFIG when the schema relais is not there or not readable. */
RELAIS_MUST_USE bool relais_ledger_check(relais_store *store, relais_error *err);

/* Refusals by the ledger's own constraints are no submission's fault: another forwarder
 * delivered a version of the same record or the same file at the same moment, and the next
 * try sees it (err becomes RELAIS_ERR_TRANSIENT); or the mapping's row is gone, and binding
 * again makes it (RELAIS_ERR_DATABASE). True for these. */
bool relais_ledger_excuse(const relais_fault *fault, relais_error *err);

/* The statements of the fast path, for preparing before a pipeline is begun and for EXPLAIN in
 * tests; those of versions.h stand beside them. */
extern const char relais_ledger_insert_sql[];
extern const char relais_ledger_lock_sql[];
extern const char relais_ledger_files_sql[];
extern const char relais_ledger_complete_sql[];
extern const char relais_ledger_share_sql[];

/* Parameters of the statement that inserts the items which nothing stands against, and
 * judges all of them; and the verdicts out of its result. */
void relais_ledger_insert_params(relais_params *params, relais_item *const *items, size_t count,
                                 relais_arena *arena);
RELAIS_MUST_USE bool relais_ledger_insert_verdicts(const PGresult *result,
                                                   relais_item *const *items, size_t count,
                                                   relais_error *err);

/* For items whose XML is there already: locks their ledger rows, marks the files that are
 * stored, and takes from `missing` the names that came earlier. */
RELAIS_MUST_USE bool relais_ledger_compare_files(relais_store *store, relais_params *params,
                                                 relais_item *const *items, size_t count,
                                                 relais_error *err);

/* Writes what is still missing, and makes partial ones that miss nothing delivered. */
RELAIS_MUST_USE bool relais_ledger_complete(relais_store *store, relais_params *params,
                                            relais_item *const *items, size_t count,
                                            relais_arena *arena, relais_error *err);

/* Tells the other versions of these items' records that their files have come: an edit may be
 * there before the photo that its first version brings. */
RELAIS_MUST_USE bool relais_ledger_share_files(relais_store *store, relais_params *params,
                                               relais_item *const *items, size_t count,
                                               relais_error *err);

#endif
