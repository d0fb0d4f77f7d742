/*
 * What an expression gave, as an answer: trimmed text, and the element it came from.
 */
#ifndef RELAIS_TRANSFORM_ANSWER_H
#define RELAIS_TRANSFORM_ANSWER_H

#include "base/arena.h"

#include <libxml/xpath.h>

typedef struct relais_answer {
    const char *text; /* NULL when there is no answer; never blank */
    size_t length;
    xmlNodePtr node; /* the element it came from, also when that is blank; NULL when computed */
    bool is_several; /* more than one element has an answer, and one was asked for */
} relais_answer;

/* Takes the answer out of an expression's value. Of several elements with an answer, joins
 * them by blanks when `many`, else takes the first and says so. NaN is no answer. */
RELAIS_MUST_USE bool relais_answer_take(xmlXPathObjectPtr value, bool many, relais_arena *arena,
                                        relais_answer *out, relais_error *err);

/* Moves *list behind its next token (choices are separated by XML white space). False when
 * there is none left. */
bool relais_token_next(const char **list, const char **start, size_t *length);

#endif
