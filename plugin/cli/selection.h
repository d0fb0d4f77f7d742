/*
 * Parcels of the quarantine, chosen by name, by unique prefix of a name, by class or by form.
 */
#ifndef RELAIS_CLI_SELECTION_H
#define RELAIS_CLI_SELECTION_H

#include "spool/quarantine.h"

/* A hundred thousand parcels with their reasons; more than a person could look at. */
#define RELAIS_SELECTION_MEMORY_MAX ((size_t)256 * 1024 * 1024)

/* One parcel with what its reason says; texts are never NULL. `sealed` is the id of the key that
 * opens it, "" when it is not sealed. */
typedef struct relais_quarantined {
    const char *name, *class_word, *form, *at, *path, *column, *rule, *text, *sealed;
} relais_quarantined;

typedef struct relais_selection {
    relais_quarantined *items; /* in order of arrival */
    size_t count;
    size_t capacity;
} relais_selection;

/* All that is given must hold; no names and no words choose everything. */
typedef struct relais_filter {
    const char *class_word; /* or NULL */
    const char *form;       /* or NULL */
    const char *const *names;
    size_t name_count;
} relais_filter;

/* RELAIS_ERR_MISSING for a name that is no parcel's, RELAIS_ERR_CONFIG for a prefix that
 * several have. */
RELAIS_MUST_USE bool relais_selection_make(relais_spool *spool, const relais_filter *filter,
                                           relais_arena *arena, relais_selection *out,
                                           relais_error *err);

#endif
