/*
 * From the text of an answer to PostgreSQL's input format for the column's type.
 *
 * What is refused here would be refused by PostgreSQL too, or worse, read as something else
 * (a time without its offset). What only PostgreSQL can judge goes through as it is.
 */
#ifndef RELAIS_TRANSFORM_CAST_H
#define RELAIS_TRANSFORM_CAST_H

#include "transform/rule.h"
#include "transform/target.h"

typedef enum {
    RELAIS_CAST_DONE,
    RELAIS_CAST_MISFIT, /* *broken says which rule */
    RELAIS_CAST_FAILED  /* err is set */
} relais_cast_result;

/* No answer of the national forms has more than 30 choices. */
enum { RELAIS_TOKENS_MAX = 1000 };

/* `text` is trimmed, not blank and NUL-terminated. */
RELAIS_MUST_USE relais_cast_result relais_cast(const relais_column *column, const char *text,
                                               size_t length, relais_arena *arena, const char **out,
                                               relais_rule *broken, relais_error *err);

#endif
