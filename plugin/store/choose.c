/*
 * A person's choice among versions of one record, as a step of settling it. See settlement.h.
 *
 * What is chosen is judged as the last choice of all before anything is written; what then stands
 * beside the line was known to whoever chose, and is a conflict no more.
 */
#include "store/settlement.h"

#include <string.h>

static const relais_version *find_asked(const relais_settlement *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (relais_settlement_is_asked(s, &s->versions[i]))
            return &s->versions[i];
    return NULL;
}

static bool is_rival(const relais_version *chosen, const relais_version *version)
{
    return version->role == RELAIS_ROLE_CONFLICT && strcmp(version->root, chosen->root) == 0;
}

relais_try relais_settlement_judge_choice(const relais_settlement *s)
{
    const relais_version *chosen = s->choice == NULL ? NULL : find_asked(s);
    bool is_open = false;

    if (s->choice == NULL)
        return RELAIS_TRY_DONE;
    if (chosen == NULL || chosen->role != RELAIS_ROLE_CURRENT)
        return RELAIS_TRY_BESIDE;
    for (size_t i = 0; i < s->count; i++) {
        if (!is_rival(chosen, &s->versions[i]))
            continue;
        is_open = is_open || !s->versions[i].is_judged;
        s->versions[i].is_judged = true;
    }
    return is_open || !relais_state_is_current(chosen->ledger_state) ? RELAIS_TRY_DONE
                                                                     : RELAIS_TRY_SAME;
}

bool relais_settlement_note_choice(const relais_settlement *s, relais_error *err)
{
    const relais_version *chosen = s->choice == NULL ? NULL : find_asked(s);
    relais_work *work = s->work;
    const char **rivals;
    size_t count = 0;

    if (chosen == NULL)
        return true;
    rivals = relais_arena_alloc(work->settle, s->count * sizeof *rivals);
    if (rivals == NULL)
        return relais_arena_error(work->settle, err);
    for (size_t i = 0; i < s->count; i++)
        if (is_rival(chosen, &s->versions[i]))
            rivals[count++] = s->versions[i].sub_id;
    return relais_versions_choose(work->store, &work->params, chosen->sub_id, rivals, count,
                                  s->choice, err);
}
