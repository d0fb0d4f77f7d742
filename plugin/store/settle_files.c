/*
 * The files of a record being settled: keeping those of the item, and telling which have not come.
 * See settlement.h.
 */
#include "store/settlement.h"

#include "store/attachments.h"
#include "store/ledger.h"

#include <string.h>

bool relais_settlement_copy_files(const relais_settlement *s, relais_error *err)
{
    relais_work *work = s->work;

    if (s->item == NULL || s->item->file_count == 0)
        return true;
    return (s->is_new ||
            relais_ledger_compare_files(work->store, &work->params, &s->item, 1, err)) &&
           relais_attachments_copy(work->store, work->spool, &s->item, 1, work->scratch, err);
}

/* Answers name a photo as it was before the phone encrypted it. */
static size_t plain_length(const char *name)
{
    static const char locked[] = ".enc";
    size_t length = strlen(name), suffix = sizeof locked - 1;

    return length > suffix && strcmp(name + length - suffix, locked) == 0 ? length - suffix
                                                                          : length;
}

static bool has_name(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (relais_filename_equal(names[i], plain_length(names[i]), name, strlen(name)) ||
            relais_filename_equal(names[i], strlen(names[i]), name, strlen(name)))
            return true;
    return false;
}

bool relais_settlement_find_missing(const relais_settlement *s, const relais_output *output,
                                    const char **literal, relais_error *err)
{
    relais_work *work = s->work;
    const char **names, **missing;
    size_t name_count, count = 0;

    *literal = NULL;
    if (output->file_count == 0)
        return true;
    if (!relais_versions_files(work->store, &work->params, s->versions, s->count, work->settle,
                               &names, &name_count, err))
        return false;
    missing = relais_arena_alloc(work->settle, output->file_count * sizeof *missing);
    if (missing == NULL)
        return relais_arena_error(work->settle, err);
    for (size_t i = 0; i < output->file_count; i++)
        if (!has_name(names, name_count, output->files[i]))
            missing[count++] = output->files[i];
    if (count == 0)
        return true;
    *literal = relais_array_literal(work->settle, missing, count);
    return *literal != NULL || relais_arena_error(work->settle, err);
}
