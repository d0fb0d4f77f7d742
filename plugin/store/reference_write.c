/*
 * Reference data as SQL: one INSERT a table, of the rows that differ. See reference.h.
 */
#include "store/connection.h"
#include "store/reference.h"

#include <string.h>

static bool is_key(const relais_reference *reference, const char *name)
{
    for (size_t i = 0; i < reference->key_count; i++)
        if (strcmp(reference->key[i], name) == 0)
            return true;
    return false;
}

static void append_literal(relais_buffer *out, const char *value)
{
    if (value == NULL) {
        relais_buffer_append_text(out, "NULL");
        return;
    }
    relais_buffer_append_char(out, '\'');
    for (; *value != '\0'; value++) {
        if (*value == '\'')
            relais_buffer_append_char(out, '\'');
        relais_buffer_append_char(out, *value);
    }
    relais_buffer_append_char(out, '\'');
}

static void append_names(relais_buffer *out, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            relais_buffer_append_text(out, ", ");
        relais_sql_identifier(out, names[i]);
    }
}

static void append_rows(const relais_reference *reference, relais_buffer *out)
{
    bool is_first = true;

    for (size_t i = 0; i < reference->row_count; i++) {
        if (!reference->rows[i].differs)
            continue;
        relais_buffer_append_text(out, is_first ? "\n    (" : ",\n    (");
        is_first = false;
        for (size_t column = 0; column < reference->column_count; column++) {
            if (column > 0)
                relais_buffer_append_text(out, ", ");
            append_literal(out, reference->rows[i].values[column]);
        }
        relais_buffer_append_char(out, ')');
    }
}

/* A table that is still to be made is empty but for what its migration puts there: rows that
 * are then in the way are compared by the next plan. */
static void append_conflict(const relais_reference *reference, relais_buffer *out)
{
    bool is_first = true;

    relais_buffer_append_text(out, "\nON CONFLICT ");
    if (reference->key_count > 0) {
        relais_buffer_append_char(out, '(');
        append_names(out, reference->key, reference->key_count);
        relais_buffer_append_text(out, ") ");
    }
    relais_buffer_append_text(out, "DO ");
    for (size_t i = 0; i < reference->column_count && reference->key_count > 0; i++) {
        if (is_key(reference, reference->columns[i]))
            continue;
        relais_buffer_append_text(out, is_first ? "UPDATE SET " : ", ");
        is_first = false;
        relais_sql_identifier(out, reference->columns[i]);
        relais_buffer_append_text(out, " = EXCLUDED.");
        relais_sql_identifier(out, reference->columns[i]);
    }
    relais_buffer_append_text(out, is_first ? "NOTHING;\n" : ";\n");
}

void relais_reference_write(const relais_reference *reference, relais_buffer *out)
{
    if (reference->differing == 0)
        return;
    relais_buffer_append_format(out, "\n-- %s: %zu of %zu rows\nINSERT INTO ", reference->table,
                                reference->differing, reference->row_count);
    relais_sql_table(out, reference->table);
    relais_buffer_append_text(out, " (");
    append_names(out, reference->columns, reference->column_count);
    relais_buffer_append_text(out, ") VALUES");
    append_rows(reference, out);
    append_conflict(reference, out);
}
