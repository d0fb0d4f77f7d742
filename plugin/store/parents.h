/*
 * Which region a commune lies in: climbing in a table whose rows lie in each other, cached for
 * the connection.
 *
 * An answer that was found is kept; one that was not is asked again each time, so that a place
 * added to the database is seen at once.
 */
#ifndef RELAIS_STORE_PARENTS_H
#define RELAIS_STORE_PARENTS_H

#include "store/store.h"

typedef struct relais_parents relais_parents;

relais_parents *relais_parents_create(relais_store *store); /* NULL without memory */
void relais_parents_destroy(relais_parents *parents);
void relais_parents_forget(relais_parents *parents);

/* As relais_target's ancestor. */
RELAIS_MUST_USE bool relais_parents_find(relais_parents *parents, const relais_hierarchy *hierarchy,
                                         const char *value, const char *level, const char **out,
                                         relais_error *err);

#endif
