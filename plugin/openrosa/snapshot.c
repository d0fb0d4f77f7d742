/*
 * Snapshots: the forms of a directory at one moment, and the complaints. See snapshot.h and
 * forms.h.
 */
#include "openrosa/snapshot.h"

#include <stdlib.h>
#include <string.h>

/* Complaints about conflicts: two names and an id each. */
#define ARENA_MAX (8 * 1024 * 1024)

/* One a form file, and one about the directory. */
#define COMPLAINTS_MAX (RELAIS_FORMS_MAX + 1)

struct complaint {
    const char *text;
    atomic_bool is_fresh; /* until it has been asked for */
};

struct relais_forms_snapshot {
    atomic_uint users;
    relais_arena *arena;
    relais_slots slots;
    relais_form_entry *entries;
    size_t count;
    struct complaint *complaints;
    size_t complaint_count;
};

void relais_slots_release(relais_slots *slots)
{
    for (size_t i = 0; i < slots->count; i++)
        relais_slot_release(slots->slots[i]);
    slots->count = 0;
}

/* ---- putting together ------------------------------------------------------------------ */

static bool has_complaint(const relais_snapshot *snapshot, const char *text)
{
    for (size_t i = 0; snapshot != NULL && i < snapshot->complaint_count; i++) {
        if (strcmp(snapshot->complaints[i].text, text) == 0)
            return true;
    }
    return false;
}

static void complain(relais_snapshot *snapshot, const char *text, const relais_snapshot *before)
{
    struct complaint *complaint = &snapshot->complaints[snapshot->complaint_count++];

    complaint->text = text;
    complaint->is_fresh = !has_complaint(before, text);
}

/* Phones know a form by its id alone when they decide what is new, so an id in two files
 * would be updated back and forth for ever: the first file keeps it. */
static const char *conflict_with(const relais_snapshot *snapshot, const relais_form_entry *entry)
{
    const relais_form_entry *first = relais_snapshot_find(snapshot, entry->id, NULL);

    return first == NULL ? NULL : first->file;
}

static bool add_slot(relais_snapshot *snapshot, const relais_slot *slot,
                     const relais_snapshot *before, relais_error *err)
{
    const char *text = slot->complaint, *other = NULL;
    const relais_form_entry *entry = NULL;

    if (slot->good != NULL) {
        entry = relais_published_entry(slot->good);
        other = conflict_with(snapshot, entry);
    }
    if (entry != NULL && other == NULL)
        snapshot->entries[snapshot->count++] = *entry;
    if (other != NULL && text == NULL) {
        text = relais_arena_format(snapshot->arena,
                                   "%s: form id %s is published from %s already; it is not "
                                   "published, remove one of the files",
                                   entry->file, entry->id, other);
        if (text == NULL)
            return relais_arena_error(snapshot->arena, err);
    }
    if (text != NULL)
        complain(snapshot, text, before);
    return true;
}

static bool fill(relais_snapshot *snapshot, const relais_snapshot *before, relais_error *err)
{
    size_t count = snapshot->slots.count;

    snapshot->entries = relais_arena_alloc(snapshot->arena, count * sizeof *snapshot->entries);
    snapshot->complaints =
        relais_arena_alloc(snapshot->arena, COMPLAINTS_MAX * sizeof *snapshot->complaints);
    if (snapshot->entries == NULL || snapshot->complaints == NULL)
        return relais_arena_error(snapshot->arena, err);
    for (size_t i = 0; i < count; i++) {
        if (!add_slot(snapshot, snapshot->slots.slots[i], before, err))
            return false;
    }
    if (snapshot->slots.has_more)
        complain(snapshot,
                 "the directory has more forms than can be published; the last ones by name "
                 "are left out",
                 before);
    return true;
}

relais_snapshot *relais_snapshot_create(relais_slots *slots, const relais_snapshot *before,
                                        relais_error *err)
{
    relais_snapshot *snapshot = calloc(1, sizeof *snapshot);

    if (snapshot == NULL) {
        relais_slots_release(slots);
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
        return NULL;
    }
    snapshot->users = 1;
    snapshot->slots = *slots;
    slots->count = 0;
    snapshot->arena = relais_arena_create(ARENA_MAX);
    if (snapshot->arena == NULL)
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    else if (fill(snapshot, before, err))
        return snapshot;
    relais_snapshot_release(snapshot);
    return NULL;
}

/* ---- use ------------------------------------------------------------------------------- */

relais_snapshot *relais_snapshot_share(relais_snapshot *snapshot)
{
    if (snapshot != NULL)
        atomic_fetch_add(&snapshot->users, 1);
    return snapshot;
}

void relais_snapshot_release(relais_snapshot *snapshot)
{
    if (snapshot == NULL || atomic_fetch_sub(&snapshot->users, 1) != 1)
        return;
    relais_slots_release(&snapshot->slots);
    relais_arena_destroy(snapshot->arena);
    free(snapshot);
}

relais_slot *relais_snapshot_slot(const relais_snapshot *snapshot, const char *file)
{
    for (size_t i = 0; snapshot != NULL && i < snapshot->slots.count; i++) {
        if (strcmp(snapshot->slots.slots[i]->listing.xml.name, file) == 0)
            return snapshot->slots.slots[i];
    }
    return NULL;
}

bool relais_snapshot_is_made_of(const relais_snapshot *snapshot, const relais_slots *slots)
{
    if (snapshot->slots.count != slots->count || snapshot->slots.has_more != slots->has_more)
        return false;
    for (size_t i = 0; i < slots->count; i++) {
        if (snapshot->slots.slots[i] != slots->slots[i])
            return false;
    }
    return true;
}

const relais_form_entry *relais_snapshot_forms(const relais_snapshot *snapshot, size_t *count)
{
    *count = snapshot->count;
    return snapshot->entries;
}

const relais_form_entry *relais_snapshot_find(const relais_snapshot *snapshot, const char *id,
                                              const char *version)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        const relais_form_entry *entry = &snapshot->entries[i];

        if (strcmp(entry->id, id) == 0 && (version == NULL || strcmp(entry->version, version) == 0))
            return entry;
    }
    return NULL;
}

const relais_media *relais_form_media(const relais_form_entry *form, const char *filename)
{
    for (size_t i = 0; i < form->media_count; i++) {
        if (strcmp(form->media[i].filename, filename) == 0)
            return &form->media[i];
    }
    return NULL;
}

size_t relais_snapshot_complaints(const relais_snapshot *snapshot)
{
    return snapshot->complaint_count;
}

const char *relais_snapshot_complaint(const relais_snapshot *snapshot, size_t i, bool *fresh)
{
    bool was_fresh = atomic_exchange(&snapshot->complaints[i].is_fresh, false);

    if (fresh != NULL)
        *fresh = was_fresh;
    return snapshot->complaints[i].text;
}
