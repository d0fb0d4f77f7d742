/*
 * The statements that take back what an earlier version said: rows go, or are given to whoever said
 * something of them before. See statements.h.
 */
#include "store/statement_writer.h"

/* "t.col = alias.c0::type AND ..." over columns of the table. */
static void append_match(relais_sql_writer *w, const char *alias, const char *const *columns,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const relais_column *column = relais_sql_column(w->shape->table, columns[i]);
        relais_sql_append(w, i == 0 ? "t." : " AND t.");
        relais_sql_identifier(&w->sql, columns[i]);
        relais_buffer_append_format(&w->sql, " = %s.c%zu::%s", alias, i,
                                    relais_catalogue_cast(w->shape->table, column));
    }
}

static void append_delete(relais_sql_writer *w)
{
    relais_sql_append(w, "DELETE FROM ");
    relais_sql_table(&w->sql, w->shape->table_name);
    relais_sql_append(w, " AS t");
}

static void write_clear(relais_sql_writer *w)
{
    append_delete(w);
    relais_sql_append(w, " USING unnest(");
    relais_sql_arrays(w, 1, w->shape->replace_count);
    relais_sql_append(w, ")");
    relais_sql_alias(w, "o", w->shape->replace_count, "");
    relais_sql_append(w, " WHERE ");
    append_match(w, "o", w->shape->replace, w->shape->replace_count);
}

/* " AND NOT EXISTS (... new keys ...)" */
static void append_not_made_again(relais_sql_writer *w, size_t first)
{
    relais_sql_append(w, " AND NOT EXISTS (SELECT FROM unnest(");
    relais_sql_arrays(w, first, w->made->key_count);
    relais_sql_append(w, ")");
    relais_sql_alias(w, "k", w->made->key_count, "");
    relais_sql_append(w, " WHERE ");
    append_match(w, "k", w->shape->table->key, w->made->key_count);
    relais_sql_append(w, ")");
}

static void write_retire(relais_sql_writer *w)
{
    size_t keys = w->made->key_count;

    append_delete(w);
    relais_sql_append(w, " USING unnest(");
    relais_sql_arrays(w, 1, keys);
    relais_sql_append(w, ")");
    relais_sql_alias(w, "o", keys, "");
    relais_sql_append(w, " WHERE ");
    append_match(w, "o", w->shape->table->key, keys);
    append_not_made_again(w, keys + 1);
    if (!w->made->has_provenance)
        return;
    relais_sql_append(w, " AND ");
    relais_sql_own_rows(w, 2 * keys + 1);
}

/* A row that several records may write stays while rows of others refer to it. */
static void append_not_referred_to(relais_sql_writer *w)
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

static void write_sweep(relais_sql_writer *w)
{
    size_t keys = sweep_keys(w->made);

    append_delete(w);
    relais_sql_append(w, " WHERE ");
    relais_sql_own_rows(w, keys + 1);
    if (keys > 0)
        append_not_made_again(w, 1);
    if (w->shape->policy == RELAIS_ROW_NEWEST)
        append_not_referred_to(w);
}

/* "|| ''" keeps a plan that was made while the table was small from walking the claims of one
 * table for those of one record. */
static void write_unclaim(relais_sql_writer *w)
{
    relais_sql_append(w, "DELETE FROM relais.claim AS c WHERE c.table_name || '' = ");
    relais_sql_literal(w, w->shape->table_name);
    relais_sql_append(w, " AND c.sub_id = ANY ($1::text[]::uuid[])");
}

/* " FROM relais.claim ... WHERE it is of the row t" */
static void append_claims_of_row(relais_sql_writer *w)
{
    relais_sql_append(w, " FROM relais.claim AS c JOIN relais.submission AS s USING (sub_id)"
                         " WHERE c.table_name = ");
    relais_sql_literal(w, w->shape->table_name);
    relais_sql_append(w, " AND c.key = jsonb_build_array(");
    for (size_t i = 0; i < w->made->key_count; i++) {
        relais_sql_append(w, i == 0 ? "t." : ", t.");
        relais_sql_identifier(&w->sql, w->shape->table->key[i]);
    }
    relais_sql_append(w, ")");
}

/* A column that the claim's mapping did not list keeps what it has. */
static void append_restored_value(relais_sql_writer *w, size_t i)
{
    const relais_column *column = w->shape->bound[i];
    const char *expression = relais_sql_default(w, i);

    relais_sql_append(w, "CASE WHEN c.said ? ");
    relais_sql_literal(w, column->name);
    relais_sql_append(w, expression != NULL ? " THEN coalesce((c.said ->> " : " THEN (c.said ->> ");
    relais_sql_literal(w, column->name);
    relais_buffer_append_format(&w->sql, ")::%s", relais_sql_cast(w, i));
    if (expression != NULL)
        relais_buffer_append_format(&w->sql, ", %s)", expression);
    relais_sql_append(w, " ELSE t.");
    relais_sql_identifier(&w->sql, column->name);
    relais_sql_append(w, " END");
}

static void append_restored_values(relais_sql_writer *w)
{
    const char *before = "";

    for (size_t i = 0; i < w->shape->column_count; i++) {
        if (relais_sql_is_key(w->made, i))
            continue;
        relais_sql_append(w, before);
        append_restored_value(w, i);
        before = ", ";
    }
}

static void append_columns_beside_key(relais_sql_writer *w)
{
    const char *before = "";

    for (size_t i = 0; i < w->shape->column_count; i++) {
        if (relais_sql_is_key(w->made, i))
            continue;
        relais_sql_append(w, before);
        relais_sql_identifier(&w->sql, w->shape->columns[i]);
        before = ", ";
    }
}

static void write_restore(relais_sql_writer *w)
{
    size_t newest = 0;

    if (!relais_sql_position(w->shape, w->shape->newest, &newest))
        return;
    relais_sql_append(w, "UPDATE ");
    relais_sql_table(&w->sql, w->shape->table_name);
    relais_sql_append(w, " AS t SET (");
    append_columns_beside_key(w);
    relais_sql_append(w, ") = (SELECT ");
    append_restored_values(w);
    append_claims_of_row(w);
    relais_sql_append(w, " ORDER BY (c.said ->> ");
    relais_sql_literal(w, w->shape->newest);
    relais_buffer_append_format(&w->sql,
                                ")::%s DESC NULLS LAST, s.received_at DESC, c.sub_id DESC LIMIT 1)"
                                " WHERE ",
                                relais_sql_cast(w, newest));
    relais_sql_own_rows(w, 1);
    relais_sql_append(w, " AND EXISTS (SELECT");
    append_claims_of_row(w);
    relais_sql_append(w, ")");
}

bool relais_sql_removal(const relais_row_shape *shape, relais_arena *arena, relais_shape_sql *made,
                        relais_error *err)
{
    bool has_key = made->key_count > 0, has_provenance = made->has_provenance;

    switch (shape->policy) {
    case RELAIS_ROW_UPSERT:
        return (!has_key ||
                relais_sql_write(write_retire, shape, made, arena, &made->retire, err)) &&
               (!has_provenance ||
                relais_sql_write(write_sweep, shape, made, arena, &made->sweep, err));
    case RELAIS_ROW_NEWEST:
        return !has_key || !has_provenance ||
               (relais_sql_write(write_unclaim, shape, made, arena, &made->unclaim, err) &&
                relais_sql_write(write_restore, shape, made, arena, &made->restore, err) &&
                relais_sql_write(write_sweep, shape, made, arena, &made->sweep, err));
    case RELAIS_ROW_REPLACED:
        return relais_sql_write(write_clear, shape, made, arena, &made->clear, err) &&
               (!has_provenance ||
                relais_sql_write(write_sweep, shape, made, arena, &made->sweep, err));
    case RELAIS_ROW_ABSENT: /* a stub says nothing, and may be anybody's */
        break;
    }
    return true;
}
