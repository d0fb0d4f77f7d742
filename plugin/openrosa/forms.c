/*
 * The watched directory: when it is looked at, and by whom. See forms.h.
 *
 * One thread looks while the others go on with the present snapshot; only without one, or
 * when an unknown form was asked for, does a thread wait for the look in progress.
 */
#include "openrosa/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <libxml/parser.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_INTERVAL INT64_C(1000000000) /* nanoseconds */

struct relais_forms {
    char *directory;
    pthread_mutex_t looking; /* held by the thread that looks */
    pthread_mutex_t lock;    /* of what follows; held for moments */
    relais_snapshot *current;
    int64_t looked_at; /* monotonic, start of the last look; 0: never */
};

static int64_t monotonic(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ---- opening and closing --------------------------------------------------------------- */

bool relais_forms_open(const char *directory, relais_forms **out, relais_error *err)
{
    DIR *stream = opendir(directory);
    relais_forms *forms;

    *out = NULL;
    if (stream == NULL)
        return relais_error_system(err, errno, directory, "the forms' directory cannot be read");
    closedir(stream);
    xmlInitParser();
    forms = calloc(1, sizeof *forms);
    if (forms != NULL)
        forms->directory = strdup(directory);
    if (forms == NULL || forms->directory == NULL) {
        free(forms);
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    }
    pthread_mutex_init(&forms->looking, NULL);
    pthread_mutex_init(&forms->lock, NULL);
    *out = forms;
    return true;
}

void relais_forms_close(relais_forms *forms)
{
    if (forms == NULL)
        return;
    relais_snapshot_release(forms->current);
    pthread_mutex_destroy(&forms->looking);
    pthread_mutex_destroy(&forms->lock);
    free(forms->directory);
    free(forms);
}

/* ---- looking --------------------------------------------------------------------------- */

static int is_form(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return length > strlen(".xml") && strcmp(entry->d_name + length - 4, ".xml") == 0 &&
           relais_is_form_file_name(entry->d_name);
}

/* By bytes, so that the order, and with it who keeps an id, is the same in every locale. */
static int compare_entries(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool add_file(const char *directory, const char *file, const relais_snapshot *before,
                     relais_slots *slots, relais_error *err)
{
    relais_slot *slot;
    struct timespec now;

    if (slots->count == RELAIS_FORMS_MAX) {
        slots->has_more = true;
        return true;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    if (!relais_slot_take(directory, file, relais_snapshot_slot(before, file), &now, &slot, err))
        return false;
    if (slot != NULL)
        slots->slots[slots->count++] = slot;
    return true;
}

static bool list_slots(const char *directory, const relais_snapshot *before, relais_slots *slots,
                       relais_error *err)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, is_form, compare_entries);
    bool ok = true;

    if (count < 0)
        return relais_error_system(err, errno, directory, "the forms' directory cannot be read");
    for (int i = 0; i < count; i++) {
        ok = ok && add_file(directory, entries[i]->d_name, before, slots, err);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

/* The snapshot that follows `before`; NULL on failure or when nothing has changed. */
static relais_snapshot *look(const char *directory, const relais_snapshot *before,
                             relais_error *err)
{
    relais_slots *slots = calloc(1, sizeof *slots);
    relais_snapshot *snapshot = NULL;

    if (slots == NULL) {
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
        return NULL;
    }
    if (list_slots(directory, before, slots, err) &&
        (before == NULL || !relais_snapshot_is_made_of(before, slots)))
        snapshot = relais_snapshot_create(slots, before, err);
    relais_slots_release(slots);
    free(slots);
    return snapshot;
}

/* ---- acquiring ------------------------------------------------------------------------- */

static relais_snapshot *share_current(relais_forms *forms, int64_t *looked_at)
{
    relais_snapshot *snapshot;

    pthread_mutex_lock(&forms->lock);
    snapshot = relais_snapshot_share(forms->current);
    *looked_at = forms->looked_at;
    pthread_mutex_unlock(&forms->lock);
    return snapshot;
}

static void replace_current(relais_forms *forms, relais_snapshot *snapshot, int64_t looked_at)
{
    relais_snapshot *old = NULL;

    pthread_mutex_lock(&forms->lock);
    if (snapshot != NULL) {
        old = forms->current;
        forms->current = snapshot;
    }
    forms->looked_at = looked_at;
    pthread_mutex_unlock(&forms->lock);
    relais_snapshot_release(old);
}

/* With `looking` held. A look that began after the wish for one serves it. */
static void refresh(relais_forms *forms, int64_t wished_at, relais_error *err)
{
    int64_t started_at = monotonic(), looked_at;
    relais_snapshot *before = share_current(forms, &looked_at);

    if (before == NULL || looked_at == 0 || looked_at < wished_at)
        replace_current(forms, look(forms->directory, before, err), started_at);
    relais_snapshot_release(before);
}

relais_snapshot *relais_forms_acquire(relais_forms *forms, bool force, relais_error *err)
{
    int64_t now = monotonic(), looked_at;
    relais_snapshot *snapshot = share_current(forms, &looked_at);
    bool is_due = snapshot == NULL || force || now - looked_at >= LOOK_INTERVAL;

    if (!is_due)
        return snapshot;
    if (snapshot == NULL || force)
        pthread_mutex_lock(&forms->looking);
    else if (pthread_mutex_trylock(&forms->looking) != 0)
        return snapshot;
    refresh(forms, now, err);
    pthread_mutex_unlock(&forms->looking);
    relais_snapshot_release(snapshot);
    return share_current(forms, &looked_at);
}
