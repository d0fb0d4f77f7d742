/*
 * What the engine must know of the database, without knowing PostgreSQL's client library:
 * tables with their columns, and membership of code lists. store/ fills these from the
 * catalogue; tests fill them by hand.
 */
#ifndef RELAIS_TRANSFORM_TARGET_H
#define RELAIS_TRANSFORM_TARGET_H

#include "base/error.h"

#include <stddef.h>

/* How a value is checked before it is sent. Everything else travels as text and PostgreSQL
 * decides. */
typedef enum {
    RELAIS_TYPE_TEXT,    /* text, varchar(n), char(n): `limit` characters, 0 = no limit */
    RELAIS_TYPE_INTEGER, /* smallint, integer, bigint: `minimum` .. `maximum` */
    RELAIS_TYPE_NUMERIC, /* numeric, real, double precision */
    RELAIS_TYPE_BOOLEAN,
    RELAIS_TYPE_DATE,
    RELAIS_TYPE_TIMESTAMPTZ,
    RELAIS_TYPE_UUID,
    RELAIS_TYPE_BYTEA,
    RELAIS_TYPE_ARRAY, /* one-dimensional, of one of the above: see `element` */
    RELAIS_TYPE_OTHER
} relais_type;

typedef struct relais_column {
    const char *name;
    const char *sql_type; /* as format_type() prints it: "smallint", "character(3)", "text[]" */
    relais_type type;
    relais_type element; /* of an array */
    int limit;           /* characters, 0 = none */
    long long minimum, maximum;
    bool not_null;
    bool has_default; /* or is an identity or generated column */
    bool is_generated;
} relais_column;

typedef struct relais_table {
    const char *name; /* "tip.victim" */
    const relais_column *columns;
    size_t column_count;
    const char *const *key; /* primary key's columns, in order */
    size_t key_count;
} relais_table;

/* A table whose rows lie in each other: communes in provinces in regions. */
typedef struct relais_hierarchy {
    const char *table;
    const char *column; /* of the codes */
    const char *parent; /* of the code that a row lies in; NULL at the top */
    const char *level;  /* of the kind of each row */
} relais_hierarchy;

/* Answers the engine's questions. `context` is the implementer's. */
typedef struct relais_target {
    void *context;
    /* The table, or NULL when there is none (err untouched) or the look-up failed (err set). */
    const relais_table *(*table)(void *context, const char *name, relais_error *err);
    /* 1 when `value` is in the list, 0 when not, -1 with err set when it cannot be asked.
     * `table`, `column` and the optional filter come from the mapping's <list>. */
    int (*member)(void *context, const char *table, const char *column, const char *filter_column,
                  const char *filter_value, const char *value, relais_error *err);
    /* The code of this level that `value`, a member, is or lies in at whatever depth; *out is
     * "" when there is none, and valid until the next question. False with err when it cannot
     * be asked. */
    bool (*ancestor)(void *context, const relais_hierarchy *hierarchy, const char *value,
                     const char *level, const char **out, relais_error *err);
} relais_target;

#endif
