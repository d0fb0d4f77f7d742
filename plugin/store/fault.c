/*
 * SQLSTATE to class and words: two tables and the code that reads them. See fault.h.
 */
#include "store/fault.h"

#include <stdio.h>
#include <string.h>

/* Prefixes, longest match first. Connection and resource troubles pass; so do conflicts
 * between transactions. 25006 is a server that is still a standby after a fail-over. */
static const struct {
    const char *prefix;
    relais_error_code code;
} classes[] = {
    {"57014", RELAIS_ERR_TRANSIENT}, /* cancelled by an administrator or a timeout */
    {"55P03", RELAIS_ERR_TRANSIENT}, /* lock_timeout */
    {"25006", RELAIS_ERR_TRANSIENT}, /* read-only transaction */
    {"57P", RELAIS_ERR_TRANSIENT},   /* shutdown, crash, starting up */
    {"08", RELAIS_ERR_TRANSIENT},    /* connection */
    {"40", RELAIS_ERR_TRANSIENT},    /* serialization, deadlock */
    {"53", RELAIS_ERR_TRANSIENT},    /* disk, memory, connections exhausted */
    {"58", RELAIS_ERR_TRANSIENT},    /* input or output of the server's own files */
    {"22", RELAIS_ERR_DATA},         /* a value does not fit its type */
    {"23", RELAIS_ERR_DATA},         /* a row breaks a constraint */
    {"21", RELAIS_ERR_DATA},         /* one key twice where one row is wanted */
    {"44", RELAIS_ERR_DATA},         /* a view's check option */
    {"54", RELAIS_ERR_DATA},         /* a value larger than an index or a page takes */
    {"P0001", RELAIS_ERR_DATA},      /* a trigger of the schema says no */
};

static const struct {
    const char *sqlstate;
    const char *words;
} meanings[] = {
    {"22001", "a text is longer than its column"},
    {"22003", "a number is outside its column's range"},
    {"22007", "a date or time is not one"},
    {"22008", "a date or time is outside its range"},
    {"22021", "a text has characters that the database cannot hold"},
    {"22P02", "a value cannot be read as its column's type"},
    {"22P05", "a text has characters that the database cannot hold"},
    {"23502", "a column that must have a value has none"},
    {"23503", "a row refers to a row that is not there"},
    {"23505", "another row already has the same unique value"},
    {"23514", "a value breaks a rule of its table"},
    {"23P01", "a row excludes another one"},
    {"3F000", "a schema is missing"},
    {"42501", "permission is denied"},
    {"42703", "a column is missing"},
    {"42P01", "a table is missing"},
    {"54000", "a value is larger than the database takes"},
    {"P0001", "a trigger of the database refused the row"},
    {"22", "a value does not fit its column"},
    {"23", "a row breaks a rule of the database"},
};

/* RELAIS_ERR_DATABASE for all that the table does not know. */
static relais_error_code class_of(const char *sqlstate)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strncmp(sqlstate, classes[i].prefix, strlen(classes[i].prefix)) == 0)
            return classes[i].code;
    return RELAIS_ERR_DATABASE;
}

const char *relais_sqlstate_words(const char *sqlstate)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (strncmp(sqlstate, meanings[i].sqlstate, strlen(meanings[i].sqlstate)) == 0)
            return meanings[i].words;
    return "the database refused";
}

relais_blame relais_blame_of(const relais_error *err)
{
    switch (err->code) {
    case RELAIS_ERR_DATA:
    case RELAIS_ERR_LIMIT:
        return RELAIS_BLAME_DATA;
    case RELAIS_ERR_SYSTEM: /* its files could not be read again */
    case RELAIS_ERR_MISSING:
        return RELAIS_BLAME_MACHINE;
    default:
        return strcmp(err->sqlstate, "53200") == 0 ? RELAIS_BLAME_MACHINE : RELAIS_BLAME_ALL;
    }
}

bool relais_fault_is_lock(const relais_error *err)
{
    return strcmp(err->sqlstate, "55P03") == 0;
}

static void copy_field(const PGresult *result, int field, char *out, size_t size)
{
    const char *text = PQresultErrorField(result, field);

    snprintf(out, size, "%s", text == NULL ? "" : text);
}

/* libpq's messages are several lines; the first says what happened. */
static bool set_lost(const PGconn *conn, relais_error *err)
{
    const char *text = PQerrorMessage(conn);
    size_t length = strcspn(text, "\n");

    if (length == 0)
        return relais_error_set(err, RELAIS_ERR_TRANSIENT,
                                "the connection to the database is lost");
    return relais_error_set(err, RELAIS_ERR_TRANSIENT, "%.*s", (int)length, text);
}

static void append_name(char *text, size_t size, const char *what, const char *name)
{
    size_t used = strlen(text);

    if (name[0] != '\0' && used < size)
        snprintf(text + used, size - used, ", %s %s", what, name);
}

bool relais_fault_set(const PGconn *conn, const PGresult *result, relais_fault *fault,
                      relais_error *err)
{
    relais_error_code code;
    char names[320] = "";
    char table[2 * RELAIS_IDENTIFIER_SIZE] = "";

    memset(fault, 0, sizeof *fault);
    if (result != NULL)
        copy_field(result, PG_DIAG_SQLSTATE, fault->sqlstate, sizeof fault->sqlstate);
    if (fault->sqlstate[0] == '\0')
        return set_lost(conn, err);
    copy_field(result, PG_DIAG_SCHEMA_NAME, fault->schema, sizeof fault->schema);
    copy_field(result, PG_DIAG_TABLE_NAME, fault->table, sizeof fault->table);
    copy_field(result, PG_DIAG_COLUMN_NAME, fault->column, sizeof fault->column);
    copy_field(result, PG_DIAG_CONSTRAINT_NAME, fault->constraint, sizeof fault->constraint);
    code = class_of(fault->sqlstate);
    if (code == RELAIS_ERR_DATA) {
        if (fault->table[0] != '\0')
            snprintf(table, sizeof table, "%s.%s", fault->schema, fault->table);
        append_name(names, sizeof names, "table", table);
        append_name(names, sizeof names, "column", fault->column);
        append_name(names, sizeof names, "constraint", fault->constraint);
        relais_error_set(err, code, "%s%s", relais_sqlstate_words(fault->sqlstate), names);
    } else {
        const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        relais_error_set(err, code, "%s: %s", relais_sqlstate_words(fault->sqlstate),
                         primary == NULL ? "" : primary);
    }
    if (err != NULL && err->sqlstate[0] == '\0')
        snprintf(err->sqlstate, sizeof err->sqlstate, "%s", fault->sqlstate);
    return false;
}
