/*
 * Whether the ledger has heard of submissions, by their instanceIDs.
 */
#ifndef RELAIS_STORE_KNOWN_H
#define RELAIS_STORE_KNOWN_H

#include "store/store.h"

#include <stddef.h>

/* Sets known[i] for each id that a version in the ledger bears, or a record that was erased.
 * `form_id` NULL: of any form that a mapping was ever used for, for servers that call forms by
 * other names. Each id is one look-up by index. */
RELAIS_MUST_USE bool relais_ledger_known(relais_store *store, const char *form_id,
                                         const char *const *ids, size_t count, bool *known,
                                         relais_error *err);

extern const char relais_ledger_known_sql[]; /* for EXPLAIN in tests */

#endif
