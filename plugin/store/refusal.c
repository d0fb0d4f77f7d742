/*
 * Explaining refusals. See refusal.h.
 */
#include "store/refusal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The columns of a constraint or unique index, and the parent of a foreign key. */
static const char constraint_sql[] =
    "SELECT a.attname, coalesce(pn.nspname, ''), coalesce(p.relname, '')"
    "  FROM pg_catalog.pg_class t"
    "  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace"
    "  LEFT JOIN pg_catalog.pg_constraint c ON c.conrelid = t.oid AND c.conname = $3"
    "  LEFT JOIN pg_catalog.pg_class p ON p.oid = c.confrelid"
    "  LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace"
    "  LEFT JOIN (pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid)"
    "    ON i.indrelid = t.oid AND x.relname = $3"
    "  JOIN pg_catalog.pg_attribute a"
    "    ON a.attrelid = t.oid AND a.attnum = ANY (coalesce(c.conkey, i.indkey::int2[]))"
    " WHERE n.nspname = $1 AND t.relname = $2"
    " ORDER BY array_position(coalesce(c.conkey, i.indkey::int2[]), a.attnum)";

/* A national submission has some hundred values; a larger one need not be searched whole. */
enum { CAST_TRIES_MAX = 5000, CAST_SQL_MAX = 512 };

/* Reference data are mended by a person; everything else may still arrive from a phone. */
static const char reference_schema[] = "ref";

/* Where a row of the table stands in the attempt: the refused shape's, or any of the table's
 * (a constraint that is checked at COMMIT names no statement). */
static const relais_row *find_row(const relais_attempt *attempt, const char *table)
{
    const relais_output *output = attempt->output;

    for (size_t r = 0; output != NULL && r < output->count; r++) {
        const relais_row *row = &output->rows[r];
        const relais_row_shape *shape = attempt->statements->shapes[row->shape].shape;
        if (table != NULL ? strcmp(shape->table_name, table) == 0 : row->shape == attempt->shape)
            return row;
    }
    return NULL;
}

static const char *find_path(const relais_attempt *attempt, const char *table, const char *column)
{
    const relais_row *row = find_row(attempt, table);
    const relais_row_shape *shape;

    if (row == NULL)
        return "";
    shape = attempt->statements->shapes[row->shape].shape;
    for (size_t c = 0; c < shape->column_count; c++)
        if (strcmp(shape->columns[c], column) == 0 && row->paths[c] != NULL)
            return row->paths[c];
    return "";
}

static bool ask_constraint(relais_store *store, relais_params *params, const relais_fault *fault,
                           PGresult **rows, relais_error *err)
{
    relais_params_reset(params);
    relais_params_text(params, fault->schema);
    relais_params_text(params, fault->table);
    relais_params_text(params, fault->constraint);
    return relais_pg_call(store, constraint_sql, params, rows, err);
}

/* Chooses the constraint's first column that came from an answer, else its first. */
static void choose_column(const PGresult *rows, const relais_attempt *attempt, const char *table,
                          char *column, const char **path)
{
    for (int i = 0; i < PQntuples(rows); i++) {
        const char *name = PQgetvalue(rows, i, 0);
        const char *found = find_path(attempt, table, name);
        if (column[0] != '\0' && found[0] == '\0')
            continue;
        snprintf(column, RELAIS_IDENTIFIER_SIZE, "%s", name);
        *path = found;
        if (found[0] != '\0')
            return;
    }
}

static bool fill_reason(relais_reason *reason, const relais_error *why, const char *table,
                        const char *column, const char *rule, relais_arena *arena)
{
    reason->class_word = relais_error_word(why->code);
    reason->column = column[0] == '\0' ? relais_arena_text(arena, table)
                                       : relais_arena_format(arena, "%s.%s", table, column);
    reason->rule = relais_arena_text(arena, rule);
    reason->text = why->sqlstate[0] == '\0'
                       ? relais_arena_text(arena, why->text)
                       : relais_arena_format(arena, "%s (SQLSTATE %s)", why->text, why->sqlstate);
    return reason->column != NULL && reason->rule != NULL && reason->text != NULL;
}

/* True when the value alone cannot be read as the column's type. */
static bool is_unreadable(relais_store *store, relais_params *params, const char *cast,
                          const char *value)
{
    relais_error why = {0};
    relais_buffer sql;
    bool refused;

    relais_buffer_init(&sql, CAST_SQL_MAX);
    relais_buffer_append_format(&sql, "SELECT $1::text::%s", cast);
    relais_params_reset(params);
    relais_params_text(params, value);
    refused = sql.failed == RELAIS_ERR_NONE &&
              !relais_pg_call(store, sql.data, params, NULL, &why) && why.code == RELAIS_ERR_DATA;
    relais_buffer_free(&sql);
    return refused;
}

/* A cast that fails names neither row nor column: each value of the refused shape is tried. */
static void find_unreadable(relais_store *store, relais_params *params,
                            const relais_attempt *attempt, char *column, const char **path)
{
    const relais_row_shape *shape = attempt->statements->shapes[attempt->shape].shape;
    size_t tries = 0;

    for (size_t r = 0; attempt->output != NULL && r < attempt->output->count; r++) {
        const relais_row *row = &attempt->output->rows[r];
        if (row->shape != attempt->shape)
            continue;
        for (size_t c = 0; c < shape->column_count && tries < CAST_TRIES_MAX; c++, tries++) {
            const char *cast = relais_catalogue_cast(shape->table, shape->bound[c]);
            if (row->values[c] == NULL || !is_unreadable(store, params, cast, row->values[c]))
                continue;
            snprintf(column, RELAIS_IDENTIFIER_SIZE, "%s", shape->columns[c]);
            *path = row->paths[c] == NULL ? "" : row->paths[c];
            return;
        }
    }
}

/* What is known of the refusal while it is being explained. */
struct explanation {
    char table[2 * RELAIS_IDENTIFIER_SIZE];
    char column[RELAIS_IDENTIFIER_SIZE];
    char rule[2 * RELAIS_IDENTIFIER_SIZE + 24];
    const char *path;
    bool is_held;
};

/* Takes what the server said with the refusal. */
static void take_names(struct explanation *e, const relais_fault *fault,
                       const relais_attempt *attempt)
{
    memset(e, 0, sizeof *e);
    e->path = "";
    if (fault->table[0] != '\0')
        snprintf(e->table, sizeof e->table, "%s.%s", fault->schema, fault->table);
    else if (attempt->shape != RELAIS_NO_SHAPE && fault->sqlstate[0] != '\0')
        snprintf(e->table, sizeof e->table, "%s",
                 attempt->statements->shapes[attempt->shape].shape->table_name);
    snprintf(e->column, sizeof e->column, "%s", fault->column);
    if (e->column[0] != '\0')
        e->path = find_path(attempt, e->table, e->column);
    snprintf(e->rule, sizeof e->rule, "%s",
             fault->constraint[0] != '\0' ? fault->constraint
                                          : relais_sqlstate_words(fault->sqlstate));
}

/* Takes what the catalogue knows of the constraint. */
static bool take_constraint(struct explanation *e, relais_store *store, relais_params *params,
                            const relais_fault *fault, const relais_attempt *attempt,
                            relais_error *err)
{
    enum { C_PARENT_SCHEMA = 1, C_PARENT };
    PGresult *rows;

    if (!ask_constraint(store, params, fault, &rows, err))
        return false;
    choose_column(rows, attempt, e->table, e->column, &e->path);
    if (PQntuples(rows) > 0 && PQgetvalue(rows, 0, C_PARENT)[0] != '\0') {
        const char *schema = PQgetvalue(rows, 0, C_PARENT_SCHEMA);
        snprintf(e->rule, sizeof e->rule, "exists in %s.%s", schema, PQgetvalue(rows, 0, C_PARENT));
        e->is_held = strcmp(fault->sqlstate, "23503") == 0 && strcmp(schema, reference_schema) != 0;
    }
    PQclear(rows);
    return true;
}

bool relais_refusal_explain(relais_store *store, relais_params *params, const relais_fault *fault,
                            const relais_error *why, const relais_attempt *attempt,
                            relais_arena *arena, relais_refusal *out, relais_error *err)
{
    struct explanation e;

    take_names(&e, fault, attempt);
    if (strncmp(fault->sqlstate, "22", 2) == 0 && e.column[0] == '\0' &&
        attempt->shape != RELAIS_NO_SHAPE)
        find_unreadable(store, params, attempt, e.column, &e.path);
    if (fault->constraint[0] != '\0' && !take_constraint(&e, store, params, fault, attempt, err))
        return false;
    memset(out, 0, sizeof *out);
    relais_reason_init(&out->reason);
    out->reason.form = attempt->form_id;
    out->reason.path = e.path;
    out->is_held = e.is_held;
    return fill_reason(&out->reason, why, e.table, e.column, e.rule, arena) ||
           relais_arena_error(arena, err);
}

char *relais_reason_json(const relais_reason *reason, relais_arena *arena)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "class", reason->class_word, "path", reason->path,
                  "column", reason->column, "rule", reason->rule, "text", reason->text);
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
    char *copy = text == NULL ? NULL : relais_arena_text(arena, text);

    free(text);
    json_decref(object);
    return copy;
}
