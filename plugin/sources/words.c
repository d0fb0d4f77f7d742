/*
 * Words of a list. See words.h.
 */
#include "sources/words.h"

#include <string.h>

bool relais_words_next(const char **rest, const char **word, size_t *length)
{
    static const char separators[] = " \t,\n";

    *word = *rest + strspn(*rest, separators);
    *length = strcspn(*word, separators);
    *rest = *word + *length;
    return *length > 0;
}

bool relais_words_have(const char *list, const char *word)
{
    const char *one;
    size_t length;

    while (relais_words_next(&list, &one, &length))
        if (strlen(word) == length && memcmp(one, word, length) == 0)
            return true;
    return false;
}
