/*
 * Paths and sets of paths. See path.h; what an expression reads is found in reading.c.
 */
#include "transform/path.h"

#include <string.h>

bool relais_paths_add(relais_paths *set, const relais_path *path, relais_arena *arena,
                      relais_error *err)
{
    /* Room doubles at each power of two, so that the count alone says how much there is. */
    if ((set->count & (set->count - 1)) == 0) {
        size_t room = set->count == 0 ? 1 : set->count * 2;
        const relais_path **items = relais_arena_alloc(arena, room * sizeof(const relais_path *));
        if (items == NULL)
            return relais_arena_error(arena, err);
        if (set->count > 0)
            memcpy(items, set->items, set->count * sizeof(const relais_path *));
        set->items = items;
    }
    set->items[set->count++] = path;
    return true;
}

char *relais_path_text(const relais_path *path, const char *root, relais_arena *arena)
{
    size_t length = 1;
    char *text, *end;

    for (size_t i = 0; i < path->count; i++)
        length += 1 + strlen(path->steps[i]) + strlen(root);
    text = end = relais_arena_alloc(arena, length);
    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < path->count; i++) {
        const char *step = path->steps[i];
        if (i == 0 && strcmp(step, RELAIS_STEP_ANY) == 0)
            step = root;
        if (strcmp(step, RELAIS_STEP_LEVELS) == 0)
            step = "";
        *end++ = '/';
        end = stpcpy(end, step);
    }
    return text;
}

bool relais_path_matches(const relais_path *path, const char *const *names, size_t count)
{
    relais_path rest = {.steps = path->steps + 1, .count = path->count - 1};

    if (path->count == 0)
        return count == 0;
    if (strcmp(path->steps[0], RELAIS_STEP_LEVELS) == 0)
        return relais_path_matches(&rest, names, count) ||
               (count > 0 && relais_path_matches(path, names + 1, count - 1));
    if (count == 0)
        return false;
    if (strcmp(path->steps[0], RELAIS_STEP_ANY) != 0 && strcmp(path->steps[0], names[0]) != 0)
        return false;
    return relais_path_matches(&rest, names + 1, count - 1);
}
