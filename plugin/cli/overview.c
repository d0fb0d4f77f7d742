/*
 * Counting the spool. See overview.h.
 */
#include "cli/overview.h"

#include "spool/quarantine.h"
#include "spool/spool.h"

#include <string.h>

/* What a parcel of no readable reason counts as, and what does not fit the table. */
#define WITHOUT_REASON "without-reason"
#define OTHER          "other"

/* A parcel that was taken away meanwhile, or is damaged, has no time; the count stands. */
static const char *received_at(relais_spool *spool, const relais_spool_entry *entry,
                               relais_arena *arena)
{
    relais_error ignored = {0};
    relais_parcel parcel;

    if (!relais_spool_parcel(spool, entry, arena, &parcel, &ignored))
        return "";
    return parcel.head.received;
}

static bool count_waiting(relais_spool *spool, relais_arena *arena, relais_overview *out,
                          relais_error *err)
{
    relais_spool_entry oldest;
    size_t count;

    if (!relais_spool_list(spool, &oldest, 1, &count, &out->waiting, err))
        return false;
    if (count > 0)
        out->oldest = received_at(spool, &oldest, arena);
    return true;
}

typedef struct counting {
    relais_overview *out;
    relais_arena *arena;
    bool has_failed;
} counting;

static relais_class_count *find_class(relais_overview *out, const char *word)
{
    for (size_t i = 0; i < out->class_count; i++)
        if (strcmp(out->classes[i].word, word) == 0)
            return &out->classes[i];
    return NULL;
}

static relais_class_count *add_class(counting *state, const char *word)
{
    relais_overview *out = state->out;
    relais_class_count *one;

    if (out->class_count >= RELAIS_CLASSES_MAX - 1)
        word = OTHER;
    one = find_class(out, word);
    if (one != NULL)
        return one;
    one = &out->classes[out->class_count];
    one->word = relais_arena_text(state->arena, word);
    if (one->word == NULL)
        return NULL;
    out->class_count++;
    return one;
}

static bool count_class(void *context, const char *name, const relais_reason *reason)
{
    counting *state = context;
    const char *word = reason == NULL ? WITHOUT_REASON : reason->class_word;
    relais_class_count *one = find_class(state->out, word);

    (void)name;
    state->out->quarantined++;
    if (one == NULL)
        one = add_class(state, word);
    if (one == NULL)
        state->has_failed = true;
    else
        one->count++;
    return one != NULL;
}

bool relais_overview_read(const relais_config *config, relais_arena *arena, relais_overview *out,
                          relais_error *err)
{
    counting state = {out, arena, false};
    relais_spool *spool = NULL;
    bool ok;

    *out = (relais_overview){.oldest = ""};
    ok = relais_spool_open(config->spool_directory, config->spool_floor, &spool, err) &&
         count_waiting(spool, arena, out, err) &&
         relais_quarantine_walk(spool, count_class, &state, err);
    relais_spool_close(spool);
    if (ok && state.has_failed)
        ok = relais_arena_error(arena, err);
    return ok;
}
