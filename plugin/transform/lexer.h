/*
 * The words of an XPath 1.0 expression (section 3.7 of the recommendation).
 */
#ifndef RELAIS_TRANSFORM_LEXER_H
#define RELAIS_TRANSFORM_LEXER_H

#include "base/error.h"

typedef enum {
    RELAIS_LEX_END,
    RELAIS_LEX_NAME,    /* of an element, a function, a node type or an axis */
    RELAIS_LEX_STAR,    /* any name */
    RELAIS_LEX_LITERAL, /* `start` and `length` are without the quotes */
    RELAIS_LEX_NUMBER,
    RELAIS_LEX_VARIABLE, /* `start` and `length` are without the '$' */
    RELAIS_LEX_OPERATOR, /* and or mod div * + - = != < <= > >= | */
    RELAIS_LEX_SLASH,    /* / */
    RELAIS_LEX_SLASHES,  /* // */
    RELAIS_LEX_DOT,
    RELAIS_LEX_DOTS, /* .. */
    RELAIS_LEX_AT,
    RELAIS_LEX_AXIS, /* :: */
    RELAIS_LEX_OPEN, /* ( */
    RELAIS_LEX_CLOSE,
    RELAIS_LEX_OPEN_SQUARE,
    RELAIS_LEX_CLOSE_SQUARE,
    RELAIS_LEX_COMMA
} relais_lex_kind;

typedef struct relais_lexer {
    const char *text;
    const char *next;
    relais_lex_kind kind; /* of the present word */
    const char *start;
    size_t length;
} relais_lexer;

/* Stands before the first word. */
void relais_lexer_init(relais_lexer *lexer, const char *text);

/* Moves to the next word. RELAIS_ERR_CONFIG when the text has none there. */
RELAIS_MUST_USE bool relais_lexer_next(relais_lexer *lexer, relais_error *err);

/* True when the present word is exactly `text`. */
bool relais_lexer_is(const relais_lexer *lexer, const char *text);

/* The present word's place for messages, counted from 1. */
int relais_lexer_place(const relais_lexer *lexer);

#endif
