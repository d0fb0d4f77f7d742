/*
 * Resolving a chain of edits. See chain.h. Chains are short, so plain searches do.
 */
#include "store/chain.h"

#include <string.h>

struct chain {
    relais_version *v;
    size_t count;
};

static bool is_before(const relais_version *a, const relais_version *b)
{
    if (a->rank != b->rank)
        return a->rank > b->rank;
    if (a->is_suspect != b->is_suspect)
        return !a->is_suspect;
    if (a->is_copy != b->is_copy)
        return !a->is_copy;
    return a < b; /* the order of arrival */
}

/* The version that stands for an instanceID, or NULL. */
static relais_version *find_winner(const struct chain *c, const char *instance)
{
    relais_version *best = NULL;

    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->v[i].instance, instance) == 0 && (best == NULL || is_before(&c->v[i], best)))
            best = &c->v[i];
    return best;
}

static bool is_winner(const struct chain *c, const relais_version *version)
{
    return find_winner(c, version->instance) == version;
}

static bool is_edit(const relais_version *version)
{
    return version->deprecated[0] != '\0' && strcmp(version->deprecated, version->instance) != 0;
}

/* In a circle of edits (which no honest client makes) the name that sorts first is taken. */
static const char *find_circle_root(const struct chain *c, const relais_version *from)
{
    const relais_version *version = from;
    const char *least = from->instance;

    for (size_t steps = 0; steps < c->count; steps++) {
        version = find_winner(c, version->deprecated);
        if (version == NULL)
            break;
        if (strcmp(version->instance, least) < 0)
            least = version->instance;
    }
    return least;
}

static const char *find_root(const struct chain *c, const relais_version *version)
{
    const relais_version *winner = find_winner(c, version->instance);

    for (size_t steps = 0; steps <= c->count; steps++) {
        const relais_version *parent;
        if (!is_edit(winner))
            return winner->instance;
        parent = find_winner(c, winner->deprecated);
        if (parent == NULL)
            return winner->deprecated;
        winner = parent;
    }
    return find_circle_root(c, winner);
}

/* The edit that carries the line on from `name`; those already on the line are left out, so
 * that a circle ends. */
static relais_version *find_next(const struct chain *c, const char *name)
{
    relais_version *best = NULL;

    for (size_t i = 0; i < c->count; i++) {
        relais_version *one = &c->v[i];
        if (one->role == RELAIS_ROLE_CONFLICT && is_edit(one) &&
            strcmp(one->deprecated, name) == 0 && is_winner(c, one) &&
            (best == NULL || is_before(one, best)))
            best = one;
    }
    return best;
}

/* Puts one record's versions on its line: they wait until a loadable one comes, which
 * supersedes all before it. Everything starts as a conflict, beside the line. */
static void walk_line(const struct chain *c, const char *root)
{
    relais_version *line[RELAIS_CHAIN_MAX];
    relais_version *version = find_winner(c, root);
    size_t length = 0, current = 0;
    bool has_current = false;

    if (version == NULL)
        version = find_next(c, root);
    for (; version != NULL && length < RELAIS_CHAIN_MAX;
         version = find_next(c, version->instance)) {
        version->role = RELAIS_ROLE_WAITING;
        if (version->is_loadable) {
            has_current = true;
            current = length;
        }
        line[length++] = version;
    }
    if (!has_current)
        return;
    for (size_t i = 0; i < current; i++)
        line[i]->role = RELAIS_ROLE_SUPERSEDED;
    line[current]->role = RELAIS_ROLE_CURRENT;
}

/* The edits that lead to a chosen version are chosen with it. */
static void lift_choice(const struct chain *c, relais_version *chosen)
{
    relais_version *version = chosen;

    chosen->rank = chosen->choice;
    for (size_t steps = 0; steps < c->count && is_edit(version); steps++) {
        version = find_winner(c, version->deprecated);
        if (version == NULL)
            return;
        version->rank = chosen->choice;
    }
}

/* In the order in which they were made: a later choice stands over an earlier one. */
static void lift_choices(const struct chain *c)
{
    long long done = 0;

    for (;;) {
        relais_version *next = NULL;
        for (size_t i = 0; i < c->count; i++)
            if (c->v[i].choice > done && (next == NULL || c->v[i].choice < next->choice))
                next = &c->v[i];
        if (next == NULL)
            return;
        done = next->choice;
        lift_choice(c, next);
    }
}

/* True for the first version of each root: its line is walked once. */
static bool is_first_of_root(const struct chain *c, size_t i)
{
    for (size_t other = 0; other < i; other++)
        if (strcmp(c->v[other].root, c->v[i].root) == 0)
            return false;
    return true;
}

/* The original says all that the copy says. */
static void retire_copies(const struct chain *c)
{
    for (size_t i = 0; i < c->count; i++) {
        relais_version *one = &c->v[i];
        if (one->is_copy && one->role == RELAIS_ROLE_CONFLICT &&
            !find_winner(c, one->instance)->is_copy)
            one->role = RELAIS_ROLE_SUPERSEDED;
    }
}

void relais_chain_resolve(relais_version *versions, size_t count)
{
    struct chain c = {versions, count};

    for (size_t i = 0; i < count; i++) {
        versions[i].role = RELAIS_ROLE_CONFLICT;
        versions[i].rank = 0;
    }
    lift_choices(&c);
    for (size_t i = 0; i < count; i++)
        versions[i].root = find_root(&c, &versions[i]);
    for (size_t i = 0; i < count; i++)
        if (is_first_of_root(&c, i))
            walk_line(&c, versions[i].root);
    retire_copies(&c);
}
