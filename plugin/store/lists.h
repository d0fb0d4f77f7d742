/*
 * Membership of code lists, cached for the connection.
 *
 * A list is read whole at its first use. A value that is not in it is asked of the database
 * once more, so that a list mended in the database is seen at once; lists too long to keep
 * are always asked.
 */
#ifndef RELAIS_STORE_LISTS_H
#define RELAIS_STORE_LISTS_H

#include "store/store.h"

typedef struct relais_lists relais_lists;

relais_lists *relais_lists_create(relais_store *store); /* NULL without memory */
void relais_lists_destroy(relais_lists *lists);
void relais_lists_forget(relais_lists *lists);

/* As relais_target's member. */
int relais_lists_member(relais_lists *lists, const char *table, const char *column,
                        const char *filter_column, const char *filter_value, const char *value,
                        relais_error *err);

#endif
