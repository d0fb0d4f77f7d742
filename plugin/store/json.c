/*
 * Texts to and from JSON. See json.h.
 */
#include "store/json.h"

#include <stdlib.h>

json_t *relais_json_texts(const char *const *texts, size_t count)
{
    json_t *array = json_array();
    bool ok = array != NULL;

    for (size_t i = 0; ok && i < count; i++)
        ok = json_array_append_new(array, texts[i] == NULL ? json_null() : json_string(texts[i])) ==
             0;
    if (ok)
        return array;
    json_decref(array);
    return NULL;
}

bool relais_json_read_texts(const json_t *array, size_t count, relais_arena *arena,
                            const char ***out, size_t *found)
{
    size_t size = json_array_size(array);
    const char **texts = relais_arena_alloc(arena, size * sizeof *texts);
    const json_t *one;
    size_t i;

    if (texts == NULL || !json_is_array(array) || (count != SIZE_MAX && size != count))
        return false;
    json_array_foreach(array, i, one)
    {
        if (json_is_string(one))
            texts[i] = relais_arena_text(arena, json_string_value(one));
        if (json_is_null(one) ? false : texts[i] == NULL)
            return false;
    }
    *out = texts;
    if (found != NULL)
        *found = size;
    return true;
}

char *relais_json_dump(json_t *value, relais_arena *arena)
{
    char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
    char *copy = text == NULL ? NULL : relais_arena_text(arena, text);

    free(text);
    json_decref(value);
    return copy;
}
