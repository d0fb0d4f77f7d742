/*
 * Known forms. See library.h.
 */
#include "openrosa/library.h"

struct known_forms {
    const relais_library *library;
    bool is_missing; /* whether a form is known cannot be said */
};

relais_snapshot *relais_library_acquire(const relais_library *library, bool force)
{
    return relais_stores_forms(library->stores, library->directory, force, library->tell,
                               library->context);
}

static bool is_in_snapshot(struct known_forms *known, const char *form_id, bool force)
{
    relais_snapshot *snapshot = relais_library_acquire(known->library, force);
    bool is_known;

    if (snapshot == NULL) {
        known->is_missing = true;
        return false;
    }
    is_known = relais_snapshot_find(snapshot, form_id, NULL) != NULL;
    relais_snapshot_release(snapshot);
    return is_known;
}

/* A form may have come since the last look. */
static bool is_known_form(void *context, const char *form_id)
{
    return is_in_snapshot(context, form_id, false) || is_in_snapshot(context, form_id, true);
}

relais_reply relais_library_receive(const relais_library *library, const relais_request *request,
                                    relais_arena *arena, relais_parcel_head *head,
                                    relais_error *err)
{
    struct known_forms known = {.library = library};
    relais_reply reply = relais_receive(request, is_known_form, &known, arena, head, err);

    return known.is_missing && reply == RELAIS_REPLY_UNKNOWN_FORM ? RELAIS_REPLY_BUSY : reply;
}
