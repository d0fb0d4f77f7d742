/*
 * Explaining refusals. See refusal.h.
 */
#include "store/refusal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The columns of a constraint or unique index, the parent of a foreign key, the rule in the
 * words of whoever made the schema (COMMENT ON CONSTRAINT), and as a condition on a row r. */
static const char constraint_sql[] =
    "SELECT a.attname, coalesce(pn.nspname, ''), coalesce(p.relname, ''),"
    "       coalesce(obj_description(c.oid, 'pg_constraint'), ''),"
    "       CASE c.contype WHEN 'c' THEN pg_get_expr(c.conbin, c.conrelid)"
    "                      WHEN 'f' THEN ("
    "            SELECT format('%s OR EXISTS (SELECT FROM %s p WHERE %s)',"
    "                          string_agg(format('r.%I IS NULL', h.attname), ' OR '),"
    "                          c.confrelid::regclass,"
    "                          string_agg(format('p.%I = r.%I', f.attname, h.attname), ' AND '))"
    "              FROM unnest(c.conkey, c.confkey) AS k(here, there)"
    "              JOIN pg_catalog.pg_attribute h ON h.attrelid = c.conrelid AND h.attnum = k.here"
    "              JOIN pg_catalog.pg_attribute f ON f.attrelid = c.confrelid AND f.attnum = "
    "k.there)"
    "            ELSE '' END"
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

/* A table of 1,600 columns, PostgreSQL's most, and a rule over them. */
#define PROBE_SQL_MAX ((size_t)512 * 1024)

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

static const char *find_path(const relais_attempt *attempt, const relais_row *row,
                             const char *column)
{
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

/* ---- which of several rows broke the rule ------------------------------------------------ */

/* The rows of a shape, typed as in their table: "(SELECT u.c0::uuid AS case_id, ...) AS r". */
static void append_typed_rows(relais_buffer *sql, const relais_row_shape *shape)
{
    relais_buffer_append_text(sql, "(SELECT u.n AS relais_row_number");
    for (size_t i = 0; i < shape->table->column_count; i++) {
        const relais_column *column = &shape->table->columns[i];
        size_t c = 0;
        while (c < shape->column_count && shape->bound[c] != column)
            c++;
        if (c < shape->column_count)
            relais_buffer_append_format(sql, ", u.c%zu::", c);
        else
            relais_buffer_append_text(sql, ", NULL::");
        relais_buffer_append_format(sql, "%s AS ", relais_catalogue_cast(shape->table, column));
        relais_sql_identifier(sql, column->name);
    }
    relais_buffer_append_text(sql, " FROM unnest(");
    for (size_t c = 0; c < shape->column_count; c++)
        relais_buffer_append_format(sql, "%s$%zu::text[]", c == 0 ? "" : ", ", c + 1);
    relais_buffer_append_text(sql, ") WITH ORDINALITY AS u(");
    for (size_t c = 0; c < shape->column_count; c++)
        relais_buffer_append_format(sql, "c%zu, ", c);
    relais_buffer_append_text(sql, "n)) AS r");
}

static size_t add_rows(relais_params *params, const relais_attempt *attempt, size_t shape)
{
    size_t columns = attempt->statements->shapes[shape].shape->column_count, count = 0;

    relais_params_reset(params);
    for (size_t c = 0; c < columns; c++)
        relais_params_text_array(params);
    for (size_t r = 0; r < attempt->output->count; r++) {
        const relais_row *row = &attempt->output->rows[r];
        if (row->shape != shape)
            continue;
        for (size_t c = 0; c < columns; c++)
            relais_params_add_text(params, c, row->values[c]);
        count++;
    }
    return count;
}

static const relais_row *nth_row(const relais_attempt *attempt, size_t shape, size_t n)
{
    for (size_t r = 0; r < attempt->output->count; r++)
        if (attempt->output->rows[r].shape == shape && --n == 0)
            return &attempt->output->rows[r];
    return NULL;
}

/* Of the rows of one shape the first that does not meet the condition, or NULL; NULL too when
 * that cannot be asked, for the reason is worth having without it. */
static const relais_row *probe_shape(relais_store *store, relais_params *params,
                                     const relais_attempt *attempt, size_t shape,
                                     const char *condition)
{
    const relais_row_shape *of = attempt->statements->shapes[shape].shape;
    const relais_row *found = NULL;
    relais_error ignored = {0};
    relais_buffer sql;
    PGresult *rows;

    if (add_rows(params, attempt, shape) < 2)
        return NULL;
    relais_buffer_init(&sql, PROBE_SQL_MAX);
    relais_buffer_append_text(&sql, "SELECT r.relais_row_number FROM ");
    append_typed_rows(&sql, of);
    relais_buffer_append_format(&sql, " WHERE (%s) IS FALSE ORDER BY 1 LIMIT 1", condition);
    if (sql.failed == RELAIS_ERR_NONE && relais_pg_call(store, sql.data, params, &rows, &ignored)) {
        if (PQntuples(rows) == 1)
            found = nth_row(attempt, shape, strtoul(PQgetvalue(rows, 0, 0), NULL, 10));
        PQclear(rows);
    }
    relais_buffer_free(&sql);
    return found;
}

static const relais_row *find_broken(relais_store *store, relais_params *params,
                                     const relais_attempt *attempt, const char *table,
                                     const char *condition)
{
    const relais_row *found = NULL;

    for (size_t s = 0; attempt->output != NULL && s < attempt->statements->count; s++)
        if (found == NULL && condition[0] != '\0' &&
            strcmp(attempt->statements->shapes[s].shape->table_name, table) == 0)
            found = probe_shape(store, params, attempt, s, condition);
    return found != NULL ? found : find_row(attempt, table);
}

/* Chooses the constraint's first column that came from an answer, else its first. */
static void choose_column(const PGresult *rows, const relais_attempt *attempt,
                          const relais_row *row, char *column, const char **path)
{
    for (int i = 0; i < PQntuples(rows); i++) {
        const char *name = PQgetvalue(rows, i, 0);
        const char *found = find_path(attempt, row, name);
        if (column[0] != '\0' && found[0] == '\0')
            continue;
        snprintf(column, RELAIS_IDENTIFIER_SIZE, "%s", name);
        *path = found;
        if (found[0] != '\0')
            return;
    }
}

/* ---- in words ----------------------------------------------------------------------------- */

/* What is known of the refusal while it is being explained. */
struct explanation {
    char table[2 * RELAIS_IDENTIFIER_SIZE];
    char column[RELAIS_IDENTIFIER_SIZE];
    char rule[2 * RELAIS_IDENTIFIER_SIZE + 24];
    const char *words; /* the schema's own sentence, or NULL */
    bool has_parent;   /* `rule` names the table that is referred to, which status.c counts by */
    const char *path;
    bool is_held;
};

/* The schema's sentence is the reason, in its language; else the SQLSTATE and names. */
static const char *word_reason(const struct explanation *e, const relais_fault *fault,
                               const relais_error *why, relais_arena *arena)
{
    if (e->words != NULL)
        return relais_arena_format(arena, "%s (%s, %s)", e->words, fault->constraint,
                                   why->sqlstate);
    if (why->sqlstate[0] == '\0')
        return relais_arena_text(arena, why->text);
    return relais_arena_format(arena, "%s (SQLSTATE %s)", why->text, why->sqlstate);
}

static bool fill_reason(relais_reason *reason, const struct explanation *e,
                        const relais_fault *fault, const relais_error *why, relais_arena *arena)
{
    reason->class_word = relais_error_word(why->code);
    reason->path = e->path;
    reason->column = e->column[0] == '\0'
                         ? relais_arena_text(arena, e->table)
                         : relais_arena_format(arena, "%s.%s", e->table, e->column);
    reason->rule =
        e->words != NULL && !e->has_parent ? e->words : relais_arena_text(arena, e->rule);
    reason->text = word_reason(e, fault, why, arena);
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
        e->path = find_path(attempt, find_row(attempt, e->table), e->column);
    snprintf(e->rule, sizeof e->rule, "%s",
             fault->constraint[0] != '\0' ? fault->constraint
                                          : relais_sqlstate_words(fault->sqlstate));
}

/* Takes what the catalogue knows of the constraint. */
static bool take_constraint(struct explanation *e, relais_store *store, relais_params *params,
                            const relais_fault *fault, const relais_attempt *attempt,
                            relais_arena *arena, relais_error *err)
{
    enum { C_PARENT_SCHEMA = 1, C_PARENT, C_WORDS, C_CONDITION };
    PGresult *rows;

    if (!ask_constraint(store, params, fault, &rows, err))
        return false;
    if (PQntuples(rows) > 0) {
        const char *schema = PQgetvalue(rows, 0, C_PARENT_SCHEMA);
        const char *parent = PQgetvalue(rows, 0, C_PARENT);
        const char *words = PQgetvalue(rows, 0, C_WORDS);
        e->words = words[0] == '\0' ? NULL : relais_arena_text(arena, words);
        choose_column(
            rows, attempt,
            find_broken(store, params, attempt, e->table, PQgetvalue(rows, 0, C_CONDITION)),
            e->column, &e->path);
        e->has_parent = parent[0] != '\0';
        if (e->has_parent)
            snprintf(e->rule, sizeof e->rule, "exists in %s.%s", schema, parent);
        e->is_held = e->has_parent && strcmp(fault->sqlstate, "23503") == 0 &&
                     strcmp(schema, reference_schema) != 0;
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
    if (fault->constraint[0] != '\0' &&
        !take_constraint(&e, store, params, fault, attempt, arena, err))
        return false;
    memset(out, 0, sizeof *out);
    relais_reason_init(&out->reason);
    out->reason.form = attempt->form_id;
    out->is_held = e.is_held;
    return fill_reason(&out->reason, &e, fault, why, arena) || relais_arena_error(arena, err);
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
