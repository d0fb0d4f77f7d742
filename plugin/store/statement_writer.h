/*
 * The pieces that all statements of a row shape are put together from: statements.c makes the
 * INSERT of them, statements_edit.c what an edit needs besides.
 *
 * A writer fails once and stays failed; relais_sql_write looks at the end.
 */
#ifndef RELAIS_STORE_STATEMENT_WRITER_H
#define RELAIS_STORE_STATEMENT_WRITER_H

#include "store/statements.h"

/* What a piece of SQL needs: the shape, its table, and where to write. */
typedef struct relais_sql_writer {
    relais_buffer sql;
    const relais_row_shape *shape;
    const relais_shape_sql *made;
} relais_sql_writer;

void relais_sql_append(relais_sql_writer *w, const char *text);

/* "$first::text[], $first+1::text[], ..." */
void relais_sql_arrays(relais_sql_writer *w, size_t first, size_t count);

/* " AS alias(c0, c1, ...)", with `last` behind the columns. */
void relais_sql_alias(relais_sql_writer *w, const char *alias, size_t count, const char *last);

/* A constant in quotes. */
void relais_sql_literal(relais_sql_writer *w, const char *text);

/* "t.sub_id = ANY ($n)" for the sub_ids of the record, in the column's own type. */
void relais_sql_own_rows(relais_sql_writer *w, size_t parameter);

/* Of the shape's column at that position: its type to cast to; and what a missing value is, when
 * the column must have one and has a default, else NULL. */
const char *relais_sql_cast(const relais_sql_writer *w, size_t position);
const char *relais_sql_default(const relais_sql_writer *w, size_t position);
bool relais_sql_is_key(const relais_shape_sql *made, size_t position);

/* NULL, and false, when there is none of that name. */
const relais_column *relais_sql_column(const relais_table *table, const char *name);
bool relais_sql_position(const relais_row_shape *shape, const char *column, size_t *out);

/* Runs `write` and keeps its text in the arena. */
RELAIS_MUST_USE bool relais_sql_write(void (*write)(relais_sql_writer *),
                                      const relais_row_shape *shape, const relais_shape_sql *made,
                                      relais_arena *arena, const char **out, relais_error *err);

/* Makes the statements that an edit needs, for each policy. */
RELAIS_MUST_USE bool relais_sql_removal(const relais_row_shape *shape, relais_arena *arena,
                                        relais_shape_sql *made, relais_error *err);

#endif
