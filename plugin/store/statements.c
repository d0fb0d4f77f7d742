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

/* A constant; names come from a mapping whose grammar has no quotes in them, all the same. */
static void append_literal(struct writer *w, const char *text)
{
    append(w, "'");
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\'')
            append(w, "'");
        relais_buffer_append_char(&w->sql, *p);
    }
    append(w, "'");
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

/* Rows that several records may write: what each says of them is kept in relais.claim. */
static bool is_claimed(const struct writer *w)
{
    return w->shape->policy == RELAIS_ROW_NEWEST && w->made->has_provenance &&
           w->made->key_count > 0;
}

/* The values of the statement, numbered as they came. */
static void append_given(struct writer *w)
{
    if (is_claimed(w)) { /* write_insert names them, since they are read twice */
        append(w, "given AS u");
        return;
    }
    append(w, "unnest(");
    append_arrays(w, 1, w->shape->column_count);
    append(w, ") WITH ORDINALITY");
    append_alias(w, "u", w->shape->column_count, ", n");
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
    append(w, " FROM ");
    append_given(w);
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

/* Of two states of one day the one received last stands, whichever is delivered last. */
static void append_same_day_rule(struct writer *w)
{
    append(w, " OR (excluded.");
    relais_sql_identifier(&w->sql, w->shape->newest);
    append(w, " = t.");
    relais_sql_identifier(&w->sql, w->shape->newest);
    append(w,
           " AND NOT EXISTS (SELECT FROM relais.submission AS s JOIN relais.submission AS o"
           " ON (o.received_at, o.sub_id) > (s.received_at, s.sub_id) WHERE s.sub_id = excluded.");
    relais_sql_identifier(&w->sql, RELAIS_PROVENANCE_COLUMN);
    append(w, " AND o.sub_id = t.");
    relais_sql_identifier(&w->sql, RELAIS_PROVENANCE_COLUMN);
    append(w, "))");
}

/* The newest business date wins, except over an earlier version of the same record: a date
 * that was mistaken must be correctable. */
static void append_newest_rule(struct writer *w)
{
    append(w, " WHERE t.");
    relais_sql_identifier(&w->sql, w->shape->newest);
    append(w, " IS NULL OR excluded.");
    relais_sql_identifier(&w->sql, w->shape->newest);
    append(w, w->made->has_provenance ? " > t." : " >= t.");
    relais_sql_identifier(&w->sql, w->shape->newest);
    append(w, " OR ");
    if (w->made->has_provenance) {
        append_own_rows(w, w->shape->column_count + 1);
        append_same_day_rule(w);
    } else { /* keeps the parameter's number and type the same for every table */
        relais_buffer_append_format(&w->sql, "$%zu::text[] IS NULL", w->shape->column_count + 1);
    }
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

/* "jsonb_build_array(u.c0::uuid, u.c3::date)": the row's key as relais.claim has it. */
static void append_given_key(struct writer *w)
{
    append(w, "jsonb_build_array(");
    for (size_t i = 0; i < w->made->key_count; i++)
        relais_buffer_append_format(&w->sql, "%su.c%zu::%s", i == 0 ? "" : ", ", w->made->key[i],
                                    cast_of(w, w->made->key[i]));
    append(w, ")");
}

/* "jsonb_object(ARRAY['case_id', ...], ARRAY[u.c0, ...])" */
static void append_said(struct writer *w)
{
    append(w, "jsonb_object(ARRAY[");
    for (size_t i = 0; i < w->shape->column_count; i++) {
        append(w, i == 0 ? "" : ", ");
        append_literal(w, w->shape->columns[i]);
    }
    append(w, "], ARRAY[");
    for (size_t i = 0; i < w->shape->column_count; i++)
        relais_buffer_append_format(&w->sql, "%su.c%zu", i == 0 ? "" : ", ", i);
    append(w, "])");
}

/* What each record says, in the words of the statement's values, before any row is written:
 * "WITH given AS (...), claimed AS (INSERT ...) ". */
static void append_claims(struct writer *w)
{
    size_t provenance = 0, newest = 0;

    if (!find_position(w->shape, RELAIS_PROVENANCE_COLUMN, &provenance) ||
        !find_position(w->shape, w->shape->newest, &newest))
        return; /* not claimed; the grammar wants the other */
    append(w, "WITH given AS (SELECT * FROM unnest(");
    append_arrays(w, 1, w->shape->column_count);
    append(w, ") WITH ORDINALITY");
    append_alias(w, "u", w->shape->column_count, ", n");
    append(w, "), claimed AS (INSERT INTO relais.claim AS c (table_name, key, sub_id, said)"
              " SELECT DISTINCT ON (2, 3) ");
    append_literal(w, w->shape->table_name);
    append(w, ", ");
    append_given_key(w);
    relais_buffer_append_format(&w->sql, ", u.c%zu::uuid, ", provenance);
    append_said(w);
    relais_buffer_append_format(
        &w->sql,
        " FROM given AS u ORDER BY 2, 3, u.c%zu::%s DESC NULLS LAST, u.n DESC"
        " ON CONFLICT (table_name, key, sub_id)"
        " DO UPDATE SET said = c.said || excluded.said) ",
        newest, cast_of(w, newest));
}

static void write_insert(struct writer *w)
{
    if (is_claimed(w))
        append_claims(w);
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

/* A row that several records may write stays while rows of others refer to it. */
static void append_not_referred_to(struct writer *w)
{
    size_t count;
    const char *const *references = relais_catalogue_references(w->shape->table, &count);

    for (size_t i = 0; i < count; i++)
        relais_buffer_append_format(&w->sql, " AND NOT %s", references[i]);
}

static size_t sweep_keys(const relais_shape_sql *made)
{
    return made->shape->policy == RELAIS_ROW_REPLACED ? 0 : made->key_count;
}

static void write_sweep(struct writer *w)
{
    size_t keys = sweep_keys(w->made);

    append_delete(w);
    append(w, " WHERE ");
    append_own_rows(w, keys + 1);
    if (keys > 0)
        append_not_made_again(w, 1);
    if (w->shape->policy == RELAIS_ROW_NEWEST)
        append_not_referred_to(w);
}

/* "|| ''" keeps a plan that was made while the table was small from walking the claims of one
 * table for those of one record. */
static void write_unclaim(struct writer *w)
{
    append(w, "DELETE FROM relais.claim AS c WHERE c.table_name || '' = ");
    append_literal(w, w->shape->table_name);
    append(w, " AND c.sub_id = ANY ($1::text[]::uuid[])");
}

/* " FROM relais.claim ... WHERE it is of the row t" */
static void append_claims_of_row(struct writer *w)
{
    append(w, " FROM relais.claim AS c JOIN relais.submission AS s USING (sub_id)"
              " WHERE c.table_name = ");
    append_literal(w, w->shape->table_name);
    append(w, " AND c.key = jsonb_build_array(");
    for (size_t i = 0; i < w->made->key_count; i++) {
        append(w, i == 0 ? "t." : ", t.");
        relais_sql_identifier(&w->sql, w->shape->table->key[i]);
    }
    append(w, ")");
}

/* A column that the claim's mapping did not list keeps what it has. */
static void append_restored_value(struct writer *w, size_t i)
{
    const relais_column *column = w->shape->bound[i];
    const char *expression = column->not_null && column->has_default
                                 ? relais_catalogue_default(w->shape->table, column)
                                 : NULL;

    append(w, "CASE WHEN c.said ? ");
    append_literal(w, column->name);
    append(w, expression != NULL ? " THEN coalesce((c.said ->> " : " THEN (c.said ->> ");
    append_literal(w, column->name);
    relais_buffer_append_format(&w->sql, ")::%s", cast_of(w, i));
    if (expression != NULL)
        relais_buffer_append_format(&w->sql, ", %s)", expression);
    append(w, " ELSE t.");
    relais_sql_identifier(&w->sql, column->name);
    append(w, " END");
}

static void append_restored_values(struct writer *w)
{
    const char *before = "";

    for (size_t i = 0; i < w->shape->column_count; i++) {
        if (is_key(w->made, i))
            continue;
        append(w, before);
        append_restored_value(w, i);
        before = ", ";
    }
}

static void append_columns_beside_key(struct writer *w)
{
    const char *before = "";

    for (size_t i = 0; i < w->shape->column_count; i++) {
        if (is_key(w->made, i))
            continue;
        append(w, before);
        relais_sql_identifier(&w->sql, w->shape->columns[i]);
        before = ", ";
    }
}

static void write_restore(struct writer *w)
{
    size_t newest = 0;

    if (!find_position(w->shape, w->shape->newest, &newest))
        return;
    append(w, "UPDATE ");
    relais_sql_table(&w->sql, w->shape->table_name);
    append(w, " AS t SET (");
    append_columns_beside_key(w);
    append(w, ") = (SELECT ");
    append_restored_values(w);
    append_claims_of_row(w);
    append(w, " ORDER BY (c.said ->> ");
    append_literal(w, w->shape->newest);
    relais_buffer_append_format(&w->sql,
                                ")::%s DESC NULLS LAST, s.received_at DESC, c.sub_id DESC LIMIT 1)"
                                " WHERE ",
                                cast_of(w, newest));
    append_own_rows(w, 1);
    append(w, " AND EXISTS (SELECT");
    append_claims_of_row(w);
    append(w, ")");
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

/* The statements that an edit needs, for each policy. */
static bool write_removal(const relais_row_shape *shape, relais_arena *arena,
                          relais_shape_sql *made, relais_error *err)
{
    bool has_key = made->key_count > 0, has_provenance = made->has_provenance;

    switch (shape->policy) {
    case RELAIS_ROW_UPSERT:
        return (!has_key ||
                write_statement(write_retire, shape, made, arena, &made->retire, err)) &&
               (!has_provenance ||
                write_statement(write_sweep, shape, made, arena, &made->sweep, err));
    case RELAIS_ROW_NEWEST:
        return !has_key || !has_provenance ||
               (write_statement(write_unclaim, shape, made, arena, &made->unclaim, err) &&
                write_statement(write_restore, shape, made, arena, &made->restore, err) &&
                write_statement(write_sweep, shape, made, arena, &made->sweep, err));
    case RELAIS_ROW_REPLACED:
        return write_statement(write_clear, shape, made, arena, &made->clear, err) &&
               (!has_provenance ||
                write_statement(write_sweep, shape, made, arena, &made->sweep, err));
    case RELAIS_ROW_ABSENT: /* a stub says nothing, and may be anybody's */
        break;
    }
    return true;
}

static bool make_shape(const relais_row_shape *shape, relais_arena *arena, relais_shape_sql *made,
                       relais_error *err)
{
    size_t provenance;

    made->shape = shape;
    if (!find_key(made, arena, err))
        return false;
    made->has_provenance = find_position(shape, RELAIS_PROVENANCE_COLUMN, &provenance);
    return write_statement(write_insert, shape, made, arena, &made->insert, err) &&
           write_removal(shape, arena, made, err);
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
