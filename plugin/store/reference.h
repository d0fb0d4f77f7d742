/*
 * Reference data: codes/SCHEMA.TABLE.csv, whose first line names columns of that table.
 *
 * The format is that of COPY ... CSV HEADER in UTF-8: an empty field is NULL, "" is an empty
 * text. Rows are compared by the table's primary key and in the columns' own types, so that
 * "01" and 1 are the same number. Rows that are only in the database are left alone: they may
 * be in use.
 */
#ifndef RELAIS_STORE_REFERENCE_H
#define RELAIS_STORE_REFERENCE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "store/store.h"

/* PostgreSQL allows 1,600 columns; a list for people to edit has a dozen. */
#define RELAIS_REFERENCE_COLUMNS_MAX 100

typedef struct relais_reference_row {
    long line;                 /* in the file */
    const char *const *values; /* parallel to the columns; NULL is NULL */
    bool differs;              /* from the database, or is not there */
} relais_reference_row;

typedef struct relais_reference {
    const char *file;
    const char *table; /* "ref.code" */
    const char *const *columns;
    size_t column_count;
    relais_reference_row *rows;
    size_t row_count;
    size_t differing;
    const char *const *key; /* the primary key's columns; none while the table is not there */
    size_t key_count;
} relais_reference;

/* Reads one file's bytes. RELAIS_ERR_CONFIG with the line. All rows count as differing until
 * they are compared. */
RELAIS_MUST_USE bool relais_reference_parse(const char *file, const char *table, const char *bytes,
                                            size_t length, relais_arena *arena,
                                            relais_reference *out, relais_error *err);

/* Marks the rows that differ. A table or column that is not there is an error unless
 * `may_come`: a migration that is still pending may bring it, and all rows count. */
RELAIS_MUST_USE bool relais_reference_compare(relais_reference *reference, relais_store *store,
                                              bool may_come, relais_arena *arena,
                                              relais_error *err);

/* Appends one INSERT of the differing rows. One statement, because foreign keys within a table
 * are checked at its end: a parent may stand below its child. */
void relais_reference_write(const relais_reference *reference, relais_buffer *out);

/* Puts references in the order of `tables` (the order of creation), then moves those that
 * another one refers to before it. `edges` are pairs: table, table it refers to. */
RELAIS_MUST_USE bool relais_reference_sort(relais_reference *references, size_t count,
                                           const char *const *tables, size_t table_count,
                                           const char *const (*edges)[2], size_t edge_count,
                                           relais_arena *arena, relais_error *err);

/* Reads the foreign keys between the references' tables. */
RELAIS_MUST_USE bool relais_reference_edges(const relais_reference *references, size_t count,
                                            relais_store *store, relais_arena *arena,
                                            const char *const (**edges)[2], size_t *edge_count,
                                            relais_error *err);

#endif
