/*
 * From row shapes to SQL. See statements.h.
 */
#include "store/statement_writer.h"

/* One selected value; a missing one in a NOT NULL column with a default is the default. */
static void append_value(relais_sql_writer *w, size_t i)
{
    const char *expression = relais_sql_default(w, i);

    relais_sql_append(w, i == 0 ? "" : ", ");
    if (expression != NULL)
        relais_buffer_append_format(&w->sql, "coalesce(u.c%zu::%s, %s)", i, relais_sql_cast(w, i),
                                    expression);
    else
        relais_buffer_append_format(&w->sql, "u.c%zu::%s", i, relais_sql_cast(w, i));
}

static bool may_meet_itself(const relais_sql_writer *w)
{
    relais_row_policy policy = w->shape->policy;

    return w->made->key_count > 0 && (policy == RELAIS_ROW_UPSERT || policy == RELAIS_ROW_NEWEST);
}

/* "1, 3" for DISTINCT ON and ORDER BY: ordinals of the key's columns. */
static void append_key_ordinals(relais_sql_writer *w)
{
    for (size_t i = 0; i < w->made->key_count; i++)
        relais_buffer_append_format(&w->sql, "%s%zu", i == 0 ? "" : ", ", w->made->key[i] + 1);
}

/* Rows that several records may write: what each says of them is kept in relais.claim. */
static bool is_claimed(const relais_sql_writer *w)
{
    return w->shape->policy == RELAIS_ROW_NEWEST && w->made->has_provenance &&
           w->made->key_count > 0;
}

/* The values of the statement, numbered as they came. */
static void append_given(relais_sql_writer *w)
{
    if (is_claimed(w)) { /* write_insert names them, since they are read twice */
        relais_sql_append(w, "given AS u");
        return;
    }
    relais_sql_append(w, "unnest(");
    relais_sql_arrays(w, 1, w->shape->column_count);
    relais_sql_append(w, ") WITH ORDINALITY");
    relais_sql_alias(w, "u", w->shape->column_count, ", n");
}

/* ON CONFLICT DO UPDATE may not meet one row twice in one statement, so among rows of one
 * key only the one that would stand in the end goes in. */
static void append_select(relais_sql_writer *w)
{
    size_t newest;

    relais_sql_append(w, " SELECT ");
    if (may_meet_itself(w)) {
        relais_sql_append(w, "DISTINCT ON (");
        append_key_ordinals(w);
        relais_sql_append(w, ") ");
    }
    for (size_t i = 0; i < w->shape->column_count; i++)
        append_value(w, i);
    relais_sql_append(w, " FROM ");
    append_given(w);
    relais_sql_append(w, " ORDER BY ");
    if (may_meet_itself(w)) {
        append_key_ordinals(w);
        relais_sql_append(w, ", ");
        if (w->shape->policy == RELAIS_ROW_NEWEST &&
            relais_sql_position(w->shape, w->shape->newest, &newest))
            relais_buffer_append_format(&w->sql, "%zu DESC NULLS LAST, ", newest + 1);
        relais_sql_append(w, "u.n DESC");
    } else {
        relais_sql_append(w, "u.n");
    }
}

static void append_column_list(relais_sql_writer *w, const size_t *positions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        relais_sql_append(w, i == 0 ? "" : ", ");
        relais_sql_identifier(&w->sql, w->shape->columns[positions == NULL ? i : positions[i]]);
    }
}

static void append_assignments(relais_sql_writer *w)
{
    const char *before = " DO UPDATE SET ";

    for (size_t i = 0; i < w->shape->column_count; i++) {
        if (relais_sql_is_key(w->made, i))
            continue;
        relais_sql_append(w, before);
        relais_sql_identifier(&w->sql, w->shape->columns[i]);
        relais_sql_append(w, " = excluded.");
        relais_sql_identifier(&w->sql, w->shape->columns[i]);
        before = ", ";
    }
    if (before[0] != ',') /* nothing but a key */
        relais_sql_append(w, " DO NOTHING");
}

/* Of two states of one day the one received last stands, whichever is delivered last. */
static void append_same_day_rule(relais_sql_writer *w)
{
    relais_sql_append(w, " OR (excluded.");
    relais_sql_identifier(&w->sql, w->shape->newest);
    relais_sql_append(w, " = t.");
    relais_sql_identifier(&w->sql, w->shape->newest);
    relais_sql_append(
        w, " AND NOT EXISTS (SELECT FROM relais.submission AS s JOIN relais.submission AS o"
           " ON (o.received_at, o.sub_id) > (s.received_at, s.sub_id) WHERE s.sub_id = excluded.");
    relais_sql_identifier(&w->sql, RELAIS_PROVENANCE_COLUMN);
    relais_sql_append(w, " AND o.sub_id = t.");
    relais_sql_identifier(&w->sql, RELAIS_PROVENANCE_COLUMN);
    relais_sql_append(w, "))");
}

/* The newest business date wins, except over an earlier version of the same record: a date
 * that was mistaken must be correctable. */
static void append_newest_rule(relais_sql_writer *w)
{
    relais_sql_append(w, " WHERE t.");
    relais_sql_identifier(&w->sql, w->shape->newest);
    relais_sql_append(w, " IS NULL OR excluded.");
    relais_sql_identifier(&w->sql, w->shape->newest);
    relais_sql_append(w, w->made->has_provenance ? " > t." : " >= t.");
    relais_sql_identifier(&w->sql, w->shape->newest);
    relais_sql_append(w, " OR ");
    if (w->made->has_provenance) {
        relais_sql_own_rows(w, w->shape->column_count + 1);
        append_same_day_rule(w);
    } else { /* keeps the parameter's number and type the same for every table */
        relais_buffer_append_format(&w->sql, "$%zu::text[] IS NULL", w->shape->column_count + 1);
    }
}

static void append_conflict(relais_sql_writer *w)
{
    if (w->shape->policy == RELAIS_ROW_REPLACED)
        return; /* its predecessors went first; whatever is there still is somebody else's */
    if (w->made->key_count == 0) {
        if (w->shape->policy == RELAIS_ROW_ABSENT)
            relais_sql_append(w, " ON CONFLICT DO NOTHING");
        return;
    }
    relais_sql_append(w, " ON CONFLICT (");
    append_column_list(w, w->made->key, w->made->key_count);
    relais_sql_append(w, ")");
    if (w->shape->policy == RELAIS_ROW_ABSENT) {
        relais_sql_append(w, " DO NOTHING");
        return;
    }
    append_assignments(w);
    if (w->shape->policy == RELAIS_ROW_NEWEST)
        append_newest_rule(w);
}

/* "jsonb_build_array(u.c0::uuid, u.c3::date)": the row's key as relais.claim has it. */
static void append_given_key(relais_sql_writer *w)
{
    relais_sql_append(w, "jsonb_build_array(");
    for (size_t i = 0; i < w->made->key_count; i++)
        relais_buffer_append_format(&w->sql, "%su.c%zu::%s", i == 0 ? "" : ", ", w->made->key[i],
                                    relais_sql_cast(w, w->made->key[i]));
    relais_sql_append(w, ")");
}

/* "jsonb_object(ARRAY['case_id', ...], ARRAY[u.c0, ...])" */
static void append_said(relais_sql_writer *w)
{
    relais_sql_append(w, "jsonb_object(ARRAY[");
    for (size_t i = 0; i < w->shape->column_count; i++) {
        relais_sql_append(w, i == 0 ? "" : ", ");
        relais_sql_literal(w, w->shape->columns[i]);
    }
    relais_sql_append(w, "], ARRAY[");
    for (size_t i = 0; i < w->shape->column_count; i++)
        relais_buffer_append_format(&w->sql, "%su.c%zu", i == 0 ? "" : ", ", i);
    relais_sql_append(w, "])");
}

/* What each record says, in the words of the statement's values, before any row is written:
 * "WITH given AS (...), claimed AS (INSERT ...) ". */
static void append_claims(relais_sql_writer *w)
{
    size_t provenance = 0, newest = 0;

    if (!relais_sql_position(w->shape, RELAIS_PROVENANCE_COLUMN, &provenance) ||
        !relais_sql_position(w->shape, w->shape->newest, &newest))
        return; /* not claimed; the grammar wants the other */
    relais_sql_append(w, "WITH given AS (SELECT * FROM unnest(");
    relais_sql_arrays(w, 1, w->shape->column_count);
    relais_sql_append(w, ") WITH ORDINALITY");
    relais_sql_alias(w, "u", w->shape->column_count, ", n");
    relais_sql_append(w,
                      "), claimed AS (INSERT INTO relais.claim AS c (table_name, key, sub_id, said)"
                      " SELECT DISTINCT ON (2, 3) ");
    relais_sql_literal(w, w->shape->table_name);
    relais_sql_append(w, ", ");
    append_given_key(w);
    relais_buffer_append_format(&w->sql, ", u.c%zu::uuid, ", provenance);
    append_said(w);
    relais_buffer_append_format(
        &w->sql,
        " FROM given AS u ORDER BY 2, 3, u.c%zu::%s DESC NULLS LAST, u.n DESC"
        " ON CONFLICT (table_name, key, sub_id)"
        " DO UPDATE SET said = c.said || excluded.said) ",
        newest, relais_sql_cast(w, newest));
}

static void write_insert(relais_sql_writer *w)
{
    if (is_claimed(w))
        append_claims(w);
    relais_sql_append(w, "INSERT INTO ");
    relais_sql_table(&w->sql, w->shape->table_name);
    relais_sql_append(w, " AS t (");
    append_column_list(w, NULL, w->shape->column_count);
    relais_sql_append(w, ")");
    append_select(w);
    append_conflict(w);
}

static bool find_key(relais_shape_sql *made, relais_arena *arena, relais_error *err)
{
    const relais_table *table = made->shape->table;
    size_t *key = relais_arena_alloc(arena, table->key_count * sizeof *key);

    if (key == NULL)
        return relais_arena_error(arena, err);
    for (size_t i = 0; i < table->key_count; i++)
        if (!relais_sql_position(made->shape, table->key[i], &key[i]))
            return true;
    made->key = key;
    made->key_count = table->key_count;
    return true;
}

static bool make_shape(const relais_row_shape *shape, relais_arena *arena, relais_shape_sql *made,
                       relais_error *err)
{
    size_t provenance;

    made->shape = shape;
    if (!find_key(made, arena, err))
        return false;
    made->has_provenance = relais_sql_position(shape, RELAIS_PROVENANCE_COLUMN, &provenance);
    return relais_sql_write(write_insert, shape, made, arena, &made->insert, err) &&
           relais_sql_removal(shape, arena, made, err);
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
