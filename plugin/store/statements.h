/*
 * The SQL of a mapping: for each of its row shapes the INSERT, and the DELETEs that an edit
 * needs. Made once when the mapping is bound to a connection's catalogue.
 *
 * All values are parameters: one text[] a column, unnested and cast to the column's own type
 * on the server. Nothing but names and types of the catalogue is ever part of the text.
 */
#ifndef RELAIS_STORE_STATEMENTS_H
#define RELAIS_STORE_STATEMENTS_H

#include "store/connection.h"
#include "transform/mapping.h"

/* The column by which a national row names the ledger's row that it came from. */
#define RELAIS_PROVENANCE_COLUMN "sub_id"

typedef struct relais_shape_sql {
    const relais_row_shape *shape;
    const char *insert; /* $1.. one array a column; NEWEST: one more, the record's sub_ids */
    const char *clear;  /* REPLACED: $1.. one array a `replace` column; else NULL */
    /* UPSERT with its whole key in the shape: deletes what an edit no longer makes, else NULL.
     * $1..$k old keys, $k+1..$2k new keys, then the record's sub_ids where has_provenance. */
    const char *retire;
    /* Any but ABSENT, with provenance: deletes the record's own rows, found by sub_id, that an
     * edit does not make again; else NULL. $1..$k new keys, then the record's sub_ids.
     * REPLACED: $1 the sub_ids alone, since all of its rows go before new ones come. */
    const char *sweep;
    /* NEWEST with provenance and key: takes back what the record's versions said of rows, then
     * gives each row that one of them wrote to the newest of the others. $1 the sub_ids. */
    const char *unclaim, *restore;
    const size_t *key; /* positions in the shape of the key's columns */
    size_t key_count;  /* 0 when the shape does not hold the whole key */
    bool has_provenance;
} relais_shape_sql;

typedef struct relais_statements {
    relais_shape_sql *shapes; /* parallel to the mapping's */
    size_t count;
} relais_statements;

/* Needs a bound mapping. All texts belong to the arena. */
RELAIS_MUST_USE bool relais_statements_make(const relais_mapping *mapping, relais_arena *arena,
                                            relais_statements *out, relais_error *err);

#endif
