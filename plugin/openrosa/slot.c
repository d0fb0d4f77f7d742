/*
 * Slots: what is known about one form file. See snapshot.h.
 */
#include "openrosa/slot.h"

#include <stdlib.h>
#include <string.h>

/* A listing of RELAIS_FORM_MEDIA_MAX names at NAME_MAX, and the complaint. */
#define ARENA_MAX (1024 * 1024)

static relais_slot *slot_create(relais_error *err)
{
    relais_slot *slot = calloc(1, sizeof *slot);

    if (slot != NULL) {
        slot->users = 1;
        slot->arena = relais_arena_create(ARENA_MAX);
        if (slot->arena != NULL)
            return slot;
        free(slot);
    }
    relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    return NULL;
}

relais_slot *relais_slot_share(relais_slot *slot)
{
    if (slot != NULL)
        atomic_fetch_add(&slot->users, 1);
    return slot;
}

void relais_slot_release(relais_slot *slot)
{
    if (slot == NULL || atomic_fetch_sub(&slot->users, 1) != 1)
        return;
    relais_published_release(slot->good);
    relais_arena_destroy(slot->arena);
    free(slot);
}

/* Words a failure for the server's log; the file's place comes first. */
static bool complain(relais_slot *slot, const relais_error *failure, relais_error *err)
{
    char text[sizeof failure->path + sizeof failure->text + 256];
    const char *outcome =
        slot->good == NULL ? "it is not published" : "its last good state stays published";
    bool is_ours = strcmp(failure->path, slot->listing.xml.name) == 0;

    relais_error_format(failure, text, sizeof text);
    slot->complaint =
        relais_arena_format(slot->arena, "%s%s%s; %s", is_ours ? "" : slot->listing.xml.name,
                            is_ours ? "" : ": ", text, outcome);
    return slot->complaint != NULL || relais_arena_error(slot->arena, err);
}

/* Reads the form as listed. *is_judged stays false when that must wait. */
static bool judge(relais_slot *slot, const char *directory, relais_slot *before, bool *is_judged,
                  relais_error *err)
{
    relais_published *last_good = before == NULL ? NULL : before->good;
    relais_error failure;

    relais_error_clear(&failure);
    slot->good = relais_published_build(directory, &slot->listing, last_good, &failure);
    *is_judged = failure.code != RELAIS_ERR_TRANSIENT;
    if (slot->good != NULL || !*is_judged)
        return true;
    if (failure.code == RELAIS_ERR_MEMORY)
        return relais_error_set(err, failure.code, "%s", failure.text);
    slot->good = relais_published_share(last_good);
    return complain(slot, &failure, err);
}

bool relais_slot_take(const char *directory, const char *file, relais_slot *before,
                      const struct timespec *now, relais_slot **out, relais_error *err)
{
    relais_slot *slot = slot_create(err);
    relais_error failure;
    bool is_judged = false, is_unchanged;
    bool ok = true;

    *out = NULL;
    if (slot == NULL)
        return false;
    relais_error_clear(&failure);
    if (!relais_listing_take(directory, file, slot->arena, &slot->listing, &failure)) {
        ok = failure.code == RELAIS_ERR_MISSING ||
             relais_error_set(err, failure.code, "%s", failure.text);
        relais_slot_release(slot);
        return ok;
    }
    is_unchanged = before != NULL && relais_listing_equal(&before->listing, &slot->listing);
    if (!is_unchanged && relais_listing_is_settled(&slot->listing, now))
        ok = judge(slot, directory, before, &is_judged, err);
    if (ok)
        *out = is_judged ? relais_slot_share(slot) : relais_slot_share(before);
    relais_slot_release(slot);
    return ok;
}
