/*
 * Spools and form directories by name. See stores.h.
 */
#include "openrosa/stores.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct spool_store {
    struct spool_store *next;
    char *directory;
    uint64_t floor;
    pthread_mutex_t lock; /* guards `open` */
    relais_spool *open;   /* NULL until it is there */
} spool_store;

typedef struct forms_store {
    struct forms_store *next;
    char *directory;
    pthread_mutex_t lock; /* guards what follows */
    relais_forms *open;
    relais_snapshot *told; /* the snapshot whose complaints have been told */
} forms_store;

struct relais_stores {
    pthread_mutex_t lock; /* guards the two lists, to which is only ever added */
    spool_store *spools;
    forms_store *forms;
};

relais_stores *relais_stores_create(void)
{
    relais_stores *stores = calloc(1, sizeof *stores);

    if (stores != NULL)
        pthread_mutex_init(&stores->lock, NULL);
    return stores;
}

void relais_stores_close(relais_stores *stores)
{
    if (stores == NULL)
        return;
    for (spool_store *spool = stores->spools, *next; spool != NULL; spool = next) {
        next = spool->next;
        relais_spool_close(spool->open);
        free(spool->directory);
        free(spool);
    }
    for (forms_store *forms = stores->forms, *next; forms != NULL; forms = next) {
        next = forms->next;
        if (forms->told != NULL)
            relais_snapshot_release(forms->told);
        relais_forms_close(forms->open);
        free(forms->directory);
        free(forms);
    }
    free(stores);
}

/* ---- spools ---------------------------------------------------------------------------- */

static spool_store *add_spool(relais_stores *stores, const char *directory, uint64_t floor)
{
    spool_store *spool = calloc(1, sizeof *spool);

    if (spool == NULL || (spool->directory = strdup(directory)) == NULL) {
        free(spool);
        return NULL;
    }
    spool->floor = floor;
    pthread_mutex_init(&spool->lock, NULL);
    spool->next = stores->spools;
    stores->spools = spool;
    return spool;
}

static spool_store *find_spool(relais_stores *stores, const char *directory, uint64_t floor)
{
    spool_store *spool;

    pthread_mutex_lock(&stores->lock);
    for (spool = stores->spools; spool != NULL; spool = spool->next) {
        if (spool->floor == floor && strcmp(spool->directory, directory) == 0)
            break;
    }
    if (spool == NULL)
        spool = add_spool(stores, directory, floor);
    pthread_mutex_unlock(&stores->lock);
    return spool;
}

relais_spool *relais_stores_spool(relais_stores *stores, const char *directory, uint64_t floor,
                                  relais_error *err)
{
    spool_store *spool = find_spool(stores, directory, floor);
    relais_spool *open;

    if (spool == NULL) {
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
        return NULL;
    }
    pthread_mutex_lock(&spool->lock);
    if (spool->open == NULL &&
        !relais_spool_open(spool->directory, spool->floor, &spool->open, err))
        spool->open = NULL;
    open = spool->open;
    pthread_mutex_unlock(&spool->lock);
    return open;
}

/* ---- forms ------------------------------------------------------------------------------ */

static forms_store *add_forms(relais_stores *stores, const char *directory)
{
    forms_store *forms = calloc(1, sizeof *forms);

    if (forms == NULL || (forms->directory = strdup(directory)) == NULL) {
        free(forms);
        return NULL;
    }
    pthread_mutex_init(&forms->lock, NULL);
    forms->next = stores->forms;
    stores->forms = forms;
    return forms;
}

static forms_store *find_forms(relais_stores *stores, const char *directory)
{
    forms_store *forms;

    pthread_mutex_lock(&stores->lock);
    for (forms = stores->forms; forms != NULL; forms = forms->next) {
        if (strcmp(forms->directory, directory) == 0)
            break;
    }
    if (forms == NULL)
        forms = add_forms(stores, directory);
    pthread_mutex_unlock(&stores->lock);
    return forms;
}

static void tell_error(relais_tell *tell, void *context, const char *what, const relais_error *err)
{
    char formatted[sizeof err->text + sizeof err->path + 128];
    relais_buffer text;

    relais_buffer_init(&text, sizeof formatted + 128);
    relais_buffer_append_format(&text, "%s: %s", what,
                                relais_error_format(err, formatted, sizeof formatted));
    tell(context, true, text.failed == RELAIS_ERR_NONE ? text.data : what);
    relais_buffer_free(&text);
}

static relais_forms *open_forms(forms_store *forms, relais_tell *tell, void *context)
{
    relais_forms *open;
    relais_error err;

    relais_error_clear(&err);
    pthread_mutex_lock(&forms->lock);
    if (forms->open == NULL && !relais_forms_open(forms->directory, &forms->open, &err))
        forms->open = NULL;
    open = forms->open;
    pthread_mutex_unlock(&forms->lock);
    if (open == NULL)
        tell_error(tell, context, "the forms cannot be opened", &err);
    return open;
}

/* Each snapshot's complaints are told once. A reference to the last one told is kept, so
 * that a later snapshot cannot have its address. */
static void tell_complaints(forms_store *forms, relais_snapshot *snapshot, relais_tell *tell,
                            void *context)
{
    relais_snapshot *told = NULL;

    pthread_mutex_lock(&forms->lock);
    if (forms->told != snapshot) {
        size_t count = relais_snapshot_complaints(snapshot);
        relais_error err;

        relais_error_clear(&err);
        told = forms->told;
        forms->told = relais_forms_acquire(forms->open, false, &err);
        for (size_t i = 0; i < count; i++) {
            bool is_fresh;
            const char *text = relais_snapshot_complaint(snapshot, i, &is_fresh);

            if (is_fresh)
                tell(context, false, text);
        }
    }
    pthread_mutex_unlock(&forms->lock);
    if (told != NULL)
        relais_snapshot_release(told);
}

relais_snapshot *relais_stores_forms(relais_stores *stores, const char *directory, bool force,
                                     relais_tell *tell, void *context)
{
    forms_store *forms = find_forms(stores, directory);
    relais_forms *open = forms == NULL ? NULL : open_forms(forms, tell, context);
    relais_snapshot *snapshot;
    relais_error err;

    if (open == NULL)
        return NULL;
    relais_error_clear(&err);
    snapshot = relais_forms_acquire(open, force, &err);
    if (err.code != RELAIS_ERR_NONE)
        tell_error(tell, context, "the forms cannot be read", &err);
    if (snapshot != NULL)
        tell_complaints(forms, snapshot, tell, context);
    return snapshot;
}
