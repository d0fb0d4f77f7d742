/*
 * The rules an answer can break, in words. One table, French and English side by side, so
 * that neither language can say more than the other.
 */
#ifndef RELAIS_TRANSFORM_RULE_H
#define RELAIS_TRANSFORM_RULE_H

#include "base/arena.h"
#include "transform/mapping.h"

typedef enum {
    RELAIS_RULE_REQUIRED,
    RELAIS_RULE_SINGLE,
    RELAIS_RULE_LENGTH, /* number: characters */
    RELAIS_RULE_INTEGER,
    RELAIS_RULE_RANGE, /* minimum, maximum */
    RELAIS_RULE_NUMERIC,
    RELAIS_RULE_BOOLEAN,
    RELAIS_RULE_DATE,
    RELAIS_RULE_TIME,
    RELAIS_RULE_OFFSET,
    RELAIS_RULE_UUID,
    RELAIS_RULE_HEX,
    RELAIS_RULE_LIST,      /* name: of the list */
    RELAIS_RULE_TOKENS,    /* number: most tokens */
    RELAIS_RULE_ROWS,      /* number: most rows */
    RELAIS_RULE_FILES,     /* number: most files */
    RELAIS_RULE_SEALED,    /* number: most bytes */
    RELAIS_RULE_EXPRESSION /* number: line in the mapping */
} relais_rule_kind;

typedef struct relais_rule {
    relais_rule_kind kind;
    long long number;  /* where the rule has one */
    long long maximum; /* RELAIS_RULE_RANGE */
    const char *name;  /* RELAIS_RULE_LIST */
} relais_rule;

/* Words the rule, and the class of the value that broke it (never the value), into *out.
 * `value` may be NULL for "no answer". False without memory, err set. */
RELAIS_MUST_USE bool relais_rule_describe(const relais_rule *rule, const char *value, size_t length,
                                          relais_arena *arena, relais_misfit *out,
                                          relais_error *err);

#endif
