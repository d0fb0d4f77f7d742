/*
 * Names in tables. See names.h.
 */
#include "cli/names.h"

#include "transform/nearest.h"

#include <string.h>

static const void *row_at(relais_names names, size_t i)
{
    return (const char *)names.rows + i * names.size;
}

static const char *name_of(const void *row)
{
    return *(const char *const *)row;
}

const char *relais_names_at(relais_names names, size_t i)
{
    return name_of(row_at(names, i));
}

const void *relais_names_find(relais_names names, const char *word)
{
    const void *found = NULL;
    size_t length = strlen(word);

    for (size_t i = 0; length > 0 && i < names.count; i++) {
        const void *row = row_at(names, i);
        if (strncmp(name_of(row), word, length) != 0)
            continue;
        if (name_of(row)[length] == '\0')
            return row;
        if (found != NULL)
            return NULL;
        found = row;
    }
    return found;
}

const char *relais_names_nearest(relais_names names, const char *word)
{
    relais_nearest nearest;

    relais_nearest_init(&nearest, word);
    for (size_t i = 0; i < names.count; i++)
        relais_nearest_consider(&nearest, relais_names_at(names, i));
    return nearest.best;
}
