/*
 * Lists in one setting: words separated by blanks or commas.
 */
#ifndef RELAIS_SOURCES_WORDS_H
#define RELAIS_SOURCES_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* Takes the next word off *rest; false at the end. The word is not NUL-terminated. */
bool relais_words_next(const char **rest, const char **word, size_t *length);

bool relais_words_have(const char *list, const char *word);

#endif
