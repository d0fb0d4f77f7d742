/*
 * Parameters of a prepared statement: one-dimensional arrays of text or bytea in
 * PostgreSQL's binary format, one array a column, and plain texts.
 *
 * A thousand rows of twenty columns are twenty parameters; the statement unnests them. The
 * object is reused: its buffers keep their memory from one statement to the next.
 */
#ifndef RELAIS_STORE_PARAMS_H
#define RELAIS_STORE_PARAMS_H

#include "base/arena.h"
#include "base/buffer.h"

#include <stdint.h>

/* A batch holds at most 8 MB of XML and the rows made of it; one array stays far below. */
#define RELAIS_PARAMS_ARRAY_MAX (64 * 1024 * 1024)

typedef enum {
    RELAIS_PARAM_TEXT,       /* one text, or NULL */
    RELAIS_PARAM_TEXT_ARRAY, /* text[] */
    RELAIS_PARAM_BYTEA_ARRAY /* bytea[] */
} relais_param_kind;

typedef struct relais_param {
    relais_param_kind kind;
    relais_buffer bytes;
    bool is_null;      /* of a plain text */
    uint32_t elements; /* of an array */
    bool has_null;
} relais_param;

typedef struct relais_params {
    relais_param *list;
    size_t count;
    size_t capacity;
    const char **values; /* what libpq wants, made by relais_params_seal */
    int *lengths;
    int *formats;
    relais_error_code failed;
} relais_params;

void relais_params_init(relais_params *params);
void relais_params_free(relais_params *params);

/* Forgets all parameters, keeps the memory. */
void relais_params_reset(relais_params *params);

/* Appends a parameter; the first is $1. */
void relais_params_text(relais_params *params, const char *text); /* NULL = NULL */
void relais_params_text_array(relais_params *params);
void relais_params_bytea_array(relais_params *params);

/* Appends an element to array `index` (counted from 0); NULL bytes = NULL. */
void relais_params_add(relais_params *params, size_t index, const void *bytes, size_t length);
void relais_params_add_text(relais_params *params, size_t index, const char *text);

/* Makes values, lengths and formats; false when anything before did not fit. */
RELAIS_MUST_USE bool relais_params_seal(relais_params *params, relais_error *err);

/* A text[] in PostgreSQL's text format: {"a","b\"c"}; NULL without memory. */
RELAIS_MUST_USE char *relais_array_literal(relais_arena *arena, const char *const *texts,
                                           size_t count);

#endif
