/*
 * The forms that a served location publishes, as its requests use them: is a form known, and
 * what is a submission worth that must be of a known one?
 */
#ifndef RELAIS_OPENROSA_LIBRARY_H
#define RELAIS_OPENROSA_LIBRARY_H

#include "openrosa/receive.h"
#include "openrosa/stores.h"

typedef struct relais_library {
    relais_stores *stores;
    const char *directory; /* of the forms */
    relais_tell *tell;     /* where troubles are said */
    void *context;
} relais_library;

/* Blocking. The present forms, or NULL while there are none. */
relais_snapshot *relais_library_acquire(const relais_library *library, bool force);

/* Blocking. As relais_receive(), for a submission whose form must be among the published
 * ones; RELAIS_REPLY_BUSY while it cannot be said which those are. */
relais_reply relais_library_receive(const relais_library *library, const relais_request *request,
                                    relais_arena *arena, relais_parcel_head *head,
                                    relais_error *err);

#endif
