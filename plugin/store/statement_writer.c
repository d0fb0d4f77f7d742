/*
 * The pieces that all statements of a row shape are put together from. See statement_writer.h.
 */
#include "store/statement_writer.h"

#include <string.h>

/* A table of 1,600 columns, PostgreSQL's most, with names of 63 bytes. */
#define STATEMENT_MAX ((size_t)512 * 1024)

void relais_sql_append(relais_sql_writer *w, const char *text)
{
    relais_buffer_append_text(&w->sql, text);
}

const char *relais_sql_cast(const relais_sql_writer *w, size_t position)
{
    return relais_catalogue_cast(w->shape->table, w->shape->bound[position]);
}

const char *relais_sql_default(const relais_sql_writer *w, size_t position)
{
    const relais_column *bound = w->shape->bound[position];

    return bound->not_null && bound->has_default ? relais_catalogue_default(w->shape->table, bound)
                                                 : NULL;
}

const relais_column *relais_sql_column(const relais_table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return &table->columns[i];
    return NULL;
}

bool relais_sql_position(const relais_row_shape *shape, const char *column, size_t *out)
{
    for (size_t i = 0; i < shape->column_count; i++) {
        if (strcmp(shape->columns[i], column) != 0)
            continue;
        *out = i;
        return true;
    }
    return false;
}

void relais_sql_arrays(relais_sql_writer *w, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        relais_buffer_append_format(&w->sql, "%s$%zu::text[]", i == 0 ? "" : ", ", first + i);
}

void relais_sql_alias(relais_sql_writer *w, const char *alias, size_t count, const char *last)
{
    relais_buffer_append_format(&w->sql, " AS %s(", alias);
    for (size_t i = 0; i < count; i++)
        relais_buffer_append_format(&w->sql, "%sc%zu", i == 0 ? "" : ", ", i);
    relais_sql_append(w, last);
    relais_sql_append(w, ")");
}

/* Names come from a mapping whose grammar has no quotes in them, all the same. */
void relais_sql_literal(relais_sql_writer *w, const char *text)
{
    relais_sql_append(w, "'");
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\'')
            relais_sql_append(w, "'");
        relais_buffer_append_char(&w->sql, *p);
    }
    relais_sql_append(w, "'");
}

bool relais_sql_is_key(const relais_shape_sql *made, size_t position)
{
    for (size_t i = 0; i < made->key_count; i++)
        if (made->key[i] == position)
            return true;
    return false;
}

void relais_sql_own_rows(relais_sql_writer *w, size_t parameter)
{
    const relais_column *column = relais_sql_column(w->shape->table, RELAIS_PROVENANCE_COLUMN);

    relais_sql_append(w, "t.");
    relais_sql_identifier(&w->sql, RELAIS_PROVENANCE_COLUMN);
    relais_buffer_append_format(&w->sql, " = ANY ($%zu::text[]::%s[])", parameter,
                                relais_catalogue_cast(w->shape->table, column));
}

bool relais_sql_write(void (*write)(relais_sql_writer *), const relais_row_shape *shape,
                      const relais_shape_sql *made, relais_arena *arena, const char **out,
                      relais_error *err)
{
    relais_sql_writer w = {.shape = shape, .made = made};
    bool ok;

    relais_buffer_init(&w.sql, STATEMENT_MAX);
    write(&w);
    ok = relais_buffer_check(&w.sql, "a statement", err);
    if (ok) {
        *out = relais_arena_text(arena, w.sql.data);
        ok = *out != NULL || relais_arena_error(arena, err);
    }
    relais_buffer_free(&w.sql);
    return ok;
}
