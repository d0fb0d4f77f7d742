/*
 * Finding a person's parcels in the spool. See remains.h.
 */
#include "cli/remains.h"

#include "base/digest.h"
#include "base/text.h"
#include "cli/bar.h"
#include "cli/speak.h"
#include "cli/table.h"
#include "cli/unseal.h"
#include "xform/submission.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct search {
    relais_spool *spool;
    const relais_sought *sought;
    relais_arena *arena;   /* what is found */
    relais_arena *scratch; /* one parcel at a time */
    relais_remains *out;
} search;

/* ---- whose a submission is --------------------------------------------------------------- */

static bool is_sought(const relais_sought *sought, const char *form, const char *id)
{
    for (size_t i = 0; id[0] != '\0' && i < sought->instances.count; i++) {
        const relais_instance *one = &sought->instances.list[i];
        if (strcmp(one->id, id) == 0 && (one->form == NULL || strcmp(one->form, form) == 0))
            return true;
    }
    return false;
}

static bool is_answer(const xmlNode *node, const char *code)
{
    xmlChar *content = xmlNodeGetContent(node);
    const char *text = content == NULL ? "" : (const char *)content;
    bool is_same;

    text += strspn(text, " \t\r\n");
    is_same = strncmp(text, code, strlen(code)) == 0 &&
              text[strlen(code) + strspn(text + strlen(code), " \t\r\n")] == '\0';
    xmlFree(content);
    return is_same;
}

static bool bears_card(const relais_submission *submission, const char *code)
{
    const xmlNode *root = xmlDocGetRootElement(submission->doc);

    for (const xmlNode *group = root->children; group != NULL; group = group->next) {
        if (group->type != XML_ELEMENT_NODE || strcmp((const char *)group->name, "card") != 0)
            continue;
        for (const xmlNode *one = group->children; one != NULL; one = one->next)
            if (one->type == XML_ELEMENT_NODE && is_answer(one, code))
                return true;
    }
    return false;
}

/* ---- one parcel -------------------------------------------------------------------------- */

/* The id that the ledger gives a submission without one. */
static const char *instance_id(const relais_submission *submission, relais_arena *arena)
{
    char hex[2 * RELAIS_SHA256_SIZE + 1];

    if (submission->instance_id[0] != '\0')
        return submission->instance_id;
    relais_hex(submission->xml_sha256, RELAIS_SHA256_SIZE, hex);
    return relais_arena_format(arena, "sha256:%s", hex);
}

static bool keep(search *s, const relais_remain *found, const char *form, const char *id,
                 relais_error *err)
{
    relais_remain *one = relais_arena_alloc(s->arena, sizeof *one);

    if (one == NULL)
        return relais_arena_error(s->arena, err);
    *one = *found;
    one->instance.form = relais_arena_text(s->arena, form);
    one->instance.id = relais_arena_text(s->arena, id);
    if (one->instance.form == NULL || one->instance.id == NULL)
        return relais_arena_error(s->arena, err);
    one->next = s->out->first;
    s->out->first = one;
    if (one->quarantined != NULL)
        s->out->quarantined++;
    else
        s->out->waiting++;
    return true;
}

static bool is_own_fault(const relais_error *why)
{
    return why->code == RELAIS_ERR_SYNTAX || why->code == RELAIS_ERR_DAMAGED ||
           why->code == RELAIS_ERR_LIMIT || why->code == RELAIS_ERR_DATA;
}

static bool judge_submission(search *s, const relais_remain *found,
                             const relais_submission *submission, relais_error *err)
{
    const char *form = submission->form_id;
    const char *id = instance_id(submission, s->scratch);

    if (id == NULL)
        return relais_arena_error(s->scratch, err);
    if (is_sought(s->sought, form, id) || is_sought(s->sought, form, submission->deprecated_id))
        return keep(s, found, form, id, err);
    if (s->sought->card == NULL)
        return true;
    if (submission->is_encrypted)
        s->out->unclear++;
    else if (bears_card(submission, s->sought->card))
        return keep(s, found, form, id, err);
    return true;
}

static bool judge_parcel(search *s, const relais_remain *found, const relais_parcel *parcel,
                         relais_error *err)
{
    relais_submission submission;
    relais_error why = {0};
    int64_t offset;

    if (is_sought(s->sought, parcel->head.form, parcel->head.instance))
        return keep(s, found, parcel->head.form, parcel->head.instance, err);
    if (relais_submission_read(parcel, s->scratch, &submission, &offset, &why))
        return judge_submission(s, found, &submission, err);
    if (!is_own_fault(&why)) {
        *err = why;
        return false;
    }
    if (s->sought->card != NULL || parcel->head.instance[0] == '\0')
        s->out->unclear++;
    return true;
}

/* What a file in memory holds is judged as if it lay there. */
static bool judge_opened(search *s, const relais_remain *found, const relais_parcel *sealed,
                         relais_error *err)
{
    relais_error why = {0};
    relais_parcel original;
    int fd;

    if (relais_unseal_file(s->sought->key, sealed, s->scratch, &fd, &why) &&
        relais_parcel_examine(fd, "", s->scratch, &original, &why))
        return judge_parcel(s, found, &original, err);
    if (!is_own_fault(&why)) {
        *err = why;
        return false;
    }
    s->out->unclear++;
    return true;
}

/* A card is in the answers only. An id that is not in the head may be there as well. */
static bool judge_sealed(search *s, const relais_remain *found, const relais_parcel *sealed,
                         relais_error *err)
{
    const relais_seal_key *key = s->sought->key;

    if (is_sought(s->sought, sealed->head.form, sealed->head.instance))
        return keep(s, found, sealed->head.form, sealed->head.instance, err);
    if (key != NULL && relais_unseal_fits(key, sealed))
        return judge_opened(s, found, sealed, err);
    if (s->sought->card != NULL || sealed->head.instance[0] == '\0')
        s->out->sealed++;
    return true;
}

static bool open_parcel(search *s, const relais_remain *found, relais_parcel *parcel,
                        relais_error *err)
{
    if (found->quarantined != NULL)
        return relais_quarantine_parcel(s->spool, found->quarantined, s->scratch, parcel, NULL,
                                        err);
    return relais_spool_parcel(s->spool, &found->entry, s->scratch, parcel, err);
}

static bool look_at(search *s, const relais_remain *found, relais_error *err)
{
    relais_error why = {0};
    relais_parcel parcel;

    relais_arena_reset(s->scratch);
    if (open_parcel(s, found, &parcel, &why))
        return parcel.head.sealed[0] == '\0' ? judge_parcel(s, found, &parcel, err)
                                             : judge_sealed(s, found, &parcel, err);
    if (why.code == RELAIS_ERR_MISSING)
        return true;
    if (!is_own_fault(&why)) {
        *err = why;
        return false;
    }
    s->out->unclear++;
    return true;
}

/* ---- the whole spool ---------------------------------------------------------------------- */

static bool search_waiting(search *s, relais_error *err)
{
    relais_spool_entry oldest, *entries;
    size_t count, total;
    bool ok = true;

    if (!relais_spool_list(s->spool, &oldest, 1, &count, &total, err))
        return false;
    if (total == 0)
        return true;
    entries = calloc(total, sizeof *entries);
    if (entries == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    ok = relais_spool_list(s->spool, entries, total, &count, &total, err);
    for (size_t i = 0; ok && i < count; i++) {
        relais_progress(_("reading the spool"), i + 1, count);
        ok = look_at(s, &(relais_remain){.entry = entries[i]}, err);
    }
    relais_progress_end();
    free(entries);
    return ok;
}

typedef struct names {
    relais_arena *arena;
    relais_remain *first; /* those of the quarantine, before they are looked at */
    bool has_failed;
} names;

static bool note_name(void *context, const char *name, const relais_reason *reason)
{
    names *list = context;
    relais_remain *one = relais_arena_alloc(list->arena, sizeof *one);

    (void)reason;
    if (one != NULL)
        one->quarantined = relais_arena_text(list->arena, name);
    list->has_failed = one == NULL || one->quarantined == NULL;
    if (list->has_failed)
        return false;
    one->next = list->first;
    list->first = one;
    return true;
}

static bool search_quarantine(search *s, relais_error *err)
{
    names list = {.arena = s->arena};
    bool ok = true;

    if (!relais_quarantine_walk(s->spool, note_name, &list, err))
        return false;
    if (list.has_failed)
        return relais_arena_error(s->arena, err);
    for (const relais_remain *one = list.first; ok && one != NULL; one = one->next)
        ok = look_at(s, one, err);
    return ok;
}

bool relais_remains_find(relais_spool *spool, const relais_sought *sought, relais_arena *arena,
                         relais_remains *out, relais_error *err)
{
    search s = {.spool = spool, .sought = sought, .arena = arena};
    bool ok;

    *out = (relais_remains){0};
    s.out = out;
    s.scratch = relais_arena_create(RELAIS_REMAINS_PARCEL_MAX);
    if (s.scratch == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    ok = search_waiting(&s, err) && search_quarantine(&s, err);
    relais_arena_destroy(s.scratch);
    return ok;
}

static bool remove_one(relais_spool *spool, const relais_remain *one, relais_error *err)
{
    relais_error why = {0};

    if (one->quarantined == NULL)
        return relais_spool_remove(spool, &one->entry, err);
    if (relais_quarantine_drop(spool, one->quarantined, &why) || why.code == RELAIS_ERR_MISSING)
        return true;
    *err = why;
    return false;
}

bool relais_remains_remove(relais_spool *spool, const relais_remains *remains, relais_error *err)
{
    for (const relais_remain *one = remains->first; one != NULL; one = one->next)
        if (!remove_one(spool, one, err))
            return false;
    return true;
}
