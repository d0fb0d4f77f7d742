/*
 * The directory of mappings: one file a form, read again when a file changes, bound to the
 * database of the present connection.
 *
 * A file that cannot be read (half-written, mistaken) keeps the mapping that was read before
 * in use, and is logged once for each change of the file.
 */
#ifndef RELAIS_STORE_MAPPINGS_H
#define RELAIS_STORE_MAPPINGS_H

#include "store/statements.h"
#include "transform/mapping.h"

#include <sys/stat.h>

typedef struct relais_mappings relais_mappings;

/* One mapping file and what has become of it. */
typedef struct relais_binding {
    relais_mapping *mapping; /* NULL: the file could not be read yet */
    relais_statements statements;
    relais_arena *arena; /* holds the statements */
    uint64_t generation; /* of the store that it is bound to; 0 = not bound */
    double again;        /* not tried before this time of relais_clock() */
    unsigned failures;   /* in a row; 0 = not stopped */
    relais_error why;    /* it is stopped */
    struct stat stamp;   /* of the file when it was read */
    bool is_broken;      /* the file as it is now cannot be read */
    bool is_seen;        /* by the scan under way */
    char *path;
    struct relais_binding *next;
} relais_binding;

/* Reads all *.xml of the directory. Fails when none can be used. `secrets` (NULL for none)
 * must outlive it; a mapping that needs more than they hold is stopped. */
RELAIS_MUST_USE bool relais_mappings_open(const char *directory, const relais_secrets *secrets,
                                          relais_mappings **out, relais_error *err);
void relais_mappings_close(relais_mappings *mappings);

/* The certificate that what is received is sealed to, or NULL. */
const relais_seal *relais_mappings_seal(const relais_mappings *mappings);

/* The private keys of encrypted forms, or NULL. */
const relais_form_keys *relais_mappings_form_keys(const relais_mappings *mappings);

/* Looks for changed, new and removed files. No item may be in hand. */
void relais_mappings_refresh(relais_mappings *mappings);

/* Binds every mapping that is not bound to the store's present catalogue and is due, prepares
 * its statements and keeps its text in relais.mapping. One that cannot be bound is stopped;
 * false only when the database cannot be asked now. */
RELAIS_MUST_USE bool relais_mappings_bind(relais_mappings *mappings, relais_store *store,
                                          relais_error *err);

/* The form's binding, or NULL. *unsure: some file of the directory cannot be read, and may
 * be this form's. */
relais_binding *relais_mappings_find(const relais_mappings *mappings, const char *form_id,
                                     bool *unsure);

/* Stops a form's deliveries for a while, longer each time, and logs why when that is new. */
void relais_binding_stop(relais_binding *binding, const relais_error *why);

/* Something of the form was delivered: the next stop is a first one again. */
void relais_binding_resume(relais_binding *binding);

/* True while it is stopped or not bound. */
bool relais_binding_is_stopped(const relais_binding *binding);

/* The first of all, for going through them by `next`. */
const relais_binding *relais_mappings_first(const relais_mappings *mappings);

/* The first that is stopped, or NULL. */
const relais_binding *relais_mappings_stopped(const relais_mappings *mappings);

#endif
