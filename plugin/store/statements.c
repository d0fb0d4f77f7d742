/*
 * From row shapes to SQL. See statements.h.
 */
#include "store/statements.h"

#include <string.h>

/* A table of 1,600 columns, PostgreSQL's most, with names of 63 bytes. */
#define STATEMENT_MAX ((size_t)512 * 1024)

/* What a piece of SQL needs: the shape, its table, and where to write. */
struct writer {
    relais_buffer sql;
    const relais_row_shape *shape;
    const relais_shape_sql *made;
};

static void append(struct writer *w, const char *text)
{
    relais_buffer_append_text(&w->sql, text);
}

static const char *cast_of(const struct writer *w, size_t column)
{
    return relais_catalogue_cast(w->shape->table, w->shape->bound[column]);
}

static const relais_column *find_column(const relais_table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return &table->columns[i];
    return NULL;
}

static bool find_position(const relais_row_shape *shape, const char *column, size_t *out)
{
    for (size_t i = 0; i < shape->column_count; i++) {
        if (strcmp(shape->columns[i], column) != 0)
            continue;
        *out = i;
        return true;
    }
    return false;
}

/* "$first::text[], $first+1::text[], ..." */
static void append_arrays(struct writer *w, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        relais_buffer_append_format(&w->sql, "%s$%zu::text[]", i == 0 ? "" : ", ", first + i);
}

/* "alias(c0, c1, ...)" */
static void append_alias(struct writer *w, const char *alias, size_t count, const char *last)
{
    relais_buffer_append_format(&w->sql, " AS %s(", alias);
    for (size_t i = 0; i < count; i++)
        relais_buffer_append_format(&w->sql, "%sc%zu", i == 0 ? "" : ", ", i);
    append(w, last);
    append(w, ")");
}

/* One selected value; a missing one in a NOT NULL column with a default is the default. */
static void append_value(struct writer *w, size_t i)
{
    const relais_column *column = w->shape->bound[i];
    const char *expression = column->not_null && column->has_default
                                 ? relais_catalogue_default(w->shape->table, column)
                                 : NULL;

    append(w, i == 0 ? "" : ", ");
    if (expression != NULL)
        relais_buffer_append_format(&w->sql, "coalesce(u.c%zu::%s, %s)", i, cast_of(w, i),
                                    expression);
    else
        relais_buffer_append_format(&w->sql, "u.c%zu::%s", i, cast_of(w, i));
}

static bool may_meet_itself(const struct writer *w)
{
    relais_row_policy policy = w->shape->policy;

    return w->made->key_count > 0 && (policy == RELAIS_ROW_UPSERT || policy == RELAIS_ROW_NEWEST);
}

/* "1, 3" for DISTINCT ON and ORDER BY: ordinals of the key's columns. */
static void append_key_ordinals(struct writer *w)
{
    for (size_t i = 0; i < w->made->key_count; i++)
        relais_buffer_append_format(&w->sql, "%s%zu", i == 0 ? "" : ", ", w->made->key[i] + 1);
}

/* ON CONFLICT DO UPDATE may not meet one row twice in one statement, so among rows of one
 * key only the one that would stand in the end goes in. */
static void append_select(struct writer *w)
{
    size_t newest;

    append(w, " SELECT ");
    if (may_meet_itself(w)) {
        append(w, "DISTINCT ON (");
        append_key_ordinals(w);
        append(w, ") ");
    }
    for (size_t i = 0; i < w->shape->column_count; i++)
        append_value(w, i);
    append(w, " FROM unnest(");
    append_arrays(w, 1, w->shape->column_count);
    append(w, ") WITH ORDINALITY");
    append_alias(w, "u", w->shape->column_count, ", n");
    append(w, " ORDER BY ");
    if (may_meet_itself(w)) {
        append_key_ordinals(w);
        append(w, ", ");
        if (w->shape->policy == RELAIS_ROW_NEWEST &&
            find_position(w->shape, w->shape->newest, &newest))
            relais_buffer_append_format(&w->sql, "%zu DESC NULLS LAST, ", newest + 1);
        append(w, "u.n DESC");
    } else {
        append(w, "u.n");
    }
}

static bool is_key(const relais_shape_sql *made, size_t column)
{
    for (size_t i = 0; i < made->key_count; i++)
        if (made->key[i] == column)
            return true;
    return false;
}

static void append_column_list(struct writer *w, const size_t *positions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        append(w, i == 0 ? "" : ", ");
        relais_sql_identifier(&w->sql, w->shape->columns[positions == NULL ? i : positions[i]]);
    }
}

static void append_assignments(struct writer *w)
{
    const char *before = " DO UPDATE SET ";

    for (size_t i = 0; i < w->shape->column_count; i++) {
        if (is_key(w->made, i))
            continue;
        append(w, before);
        relais_sql_identifier(&w->sql, w->shape->columns[i]);
        append(w, " = excluded.");
        relais_sql_identifier(&w->sql, w->shape->columns[i]);
        before = ", ";
    }
    if (before[0] != ',') /* nothing but a key */
        append(w, " DO NOTHING");
}

/* "column = ANY($n)" for the sub_ids of the record, in the column's own type. */
static void append_own_rows(struct writer *w, size_t parameter)
{
    const relais_column *column = find_column(w->shape->table, RELAIS_PROVENANCE_COLUMN);

    append(w, "t.");
    relais_sql_identifier(&w->sql, RELAIS_PROVENANCE_COLUMN);
    relais_buffer_append_format(&w->sql, " = ANY ($%zu::text[]::%s[])", parameter,
                                relais_catalogue_cast(w->shape->table, column));
}

/* The newest business date wins, except over an earlier version of the same record: a date
 * that was mistaken must be correctable. */
static void append_newest_rule(struct writer *w)
{
    append(w, " WHERE t.");
    relais_sql_identifier(&w->sql, w->shape->newest);
    append(w, " IS NULL OR excluded.");
    relais_sql_identifier(&w->sql, w->shape->newest);
    append(w, " >= t.");
    relais_sql_identifier(&w->sql, w->shape->newest);
    append(w, " OR ");
    if (w->made->has_provenance)
        append_own_rows(w, w->shape->column_count + 1);
    else /* keeps the parameter's number and type the same for every table */
        relais_buffer_append_format(&w->sql, "$%zu::text[] IS NULL", w->shape->column_count + 1);
}

static void append_conflict(struct writer *w)
{
    if (w->shape->policy == RELAIS_ROW_REPLACED)
        return; /* its predecessors went first; whatever is there still is somebody else's */
    if (w->made->key_count == 0) {
        if (w->shape->policy == RELAIS_ROW_ABSENT)
            append(w, " ON CONFLICT DO NOTHING");
        return;
    }
    append(w, " ON CONFLICT (");
    append_column_list(w, w->made->key, w->made->key_count);
    append(w, ")");
    if (w->shape->policy == RELAIS_ROW_ABSENT) {
        append(w, " DO NOTHING");
        return;
    }
    append_assignments(w);
    if (w->shape->policy == RELAIS_ROW_NEWEST)
        append_newest_rule(w);
}

static void write_insert(struct writer *w)
{
    append(w, "INSERT INTO ");
    relais_sql_table(&w->sql, w->shape->table_name);
    append(w, " AS t (");
    append_column_list(w, NULL, w->shape->column_count);
    append(w, ")");
    append_select(w);
    append_conflict(w);
}

/* "t.col = alias.c0::type AND ..." over columns of the table. */
static void append_match(struct writer *w, const char *alias, const char *const *columns,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const relais_column *column = find_column(w->shape->table, columns[i]);
        append(w, i == 0 ? "t." : " AND t.");
        relais_sql_identifier(&w->sql, columns[i]);
        relais_buffer_append_format(&w->sql, " = %s.c%zu::%s", alias, i,
                                    relais_catalogue_cast(w->shape->table, column));
    }
}

static void append_delete(struct writer *w)
{
    append(w, "DELETE FROM ");
    relais_sql_table(&w->sql, w->shape->table_name);
    append(w, " AS t");
}

static void write_clear(struct writer *w)
{
    append_delete(w);
    append(w, " USING unnest(");
    append_arrays(w, 1, w->shape->replace_count);
    append(w, ")");
    append_alias(w, "o", w->shape->replace_count, "");
    append(w, " WHERE ");
    append_match(w, "o", w->shape->replace, w->shape->replace_count);
}

/* " AND NOT EXISTS (... new keys ...)" */
static void append_not_made_again(struct writer *w, size_t first)
{
    append(w, " AND NOT EXISTS (SELECT FROM unnest(");
    append_arrays(w, first, w->made->key_count);
    append(w, ")");
    append_alias(w, "k", w->made->key_count, "");
    append(w, " WHERE ");
    append_match(w, "k", w->shape->table->key, w->made->key_count);
    append(w, ")");
}

static void write_retire(struct writer *w)
{
    size_t keys = w->made->key_count;

    append_delete(w);
    append(w, " USING unnest(");
    append_arrays(w, 1, keys);
    append(w, ")");
    append_alias(w, "o", keys, "");
    append(w, " WHERE ");
    append_match(w, "o", w->shape->table->key, keys);
    append_not_made_again(w, keys + 1);
    if (!w->made->has_provenance)
        return;
    append(w, " AND ");
    append_own_rows(w, 2 * keys + 1);
}

static void write_sweep(struct writer *w)
{
    append_delete(w);
    append(w, " WHERE ");
    append_own_rows(w, w->made->key_count + 1);
    if (w->made->key_count > 0)
        append_not_made_again(w, 1);
}

/* Runs one of the writers above and keeps its text in the arena. */
static bool write_statement(void (*write)(struct writer *), const relais_row_shape *shape,
                            const relais_shape_sql *made, relais_arena *arena, const char **out,
                            relais_error *err)
{
    struct writer w = {.shape = shape, .made = made};
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

static bool find_key(relais_shape_sql *made, relais_arena *arena, relais_error *err)
{
    const relais_table *table = made->shape->table;
    size_t *key = relais_arena_alloc(arena, table->key_count * sizeof *key);

    if (key == NULL)
        return relais_arena_error(arena, err);
    for (size_t i = 0; i < table->key_count; i++)
        if (!find_position(made->shape, table->key[i], &key[i]))
            return true;
    made->key = key;
    made->key_count = table->key_count;
    return true;
}

static bool make_shape(const relais_row_shape *shape, relais_arena *arena, relais_shape_sql *made,
                       relais_error *err)
{
    size_t provenance;
    bool is_upsert = shape->policy == RELAIS_ROW_UPSERT;

    made->shape = shape;
    if (!find_key(made, arena, err))
        return false;
    made->has_provenance = find_position(shape, RELAIS_PROVENANCE_COLUMN, &provenance);
    if (!write_statement(write_insert, shape, made, arena, &made->insert, err))
        return false;
    if (shape->policy == RELAIS_ROW_REPLACED &&
        !write_statement(write_clear, shape, made, arena, &made->clear, err))
        return false;
    if (is_upsert && made->key_count > 0 &&
        !write_statement(write_retire, shape, made, arena, &made->retire, err))
        return false;
    return !is_upsert || !made->has_provenance ||
           write_statement(write_sweep, shape, made, arena, &made->sweep, err);
}

bool relais_statements_make(const relais_mapping *mapping, relais_arena *arena,
                            relais_statements *out, relais_error *err)
{
    const relais_row_shape *shapes = relais_mapping_shapes(mapping, &out->count);

    out->shapes = relais_arena_alloc(arena, out->count * sizeof *out->shapes);
    if (out->shapes == NULL)
        return relais_arena_error(arena, err);
    for (size_t i = 0; i < out->count; i++)
        if (!make_shape(&shapes[i], arena, &out->shapes[i], err))
            return false;
    return true;
}
