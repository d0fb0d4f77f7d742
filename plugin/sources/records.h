/*
 * What KoBoToolbox and Ona have in common, being cousins: submissions are JSON records with a
 * growing number "_id", which an edit keeps while it changes "_uuid"; they are told in the
 * order of that number; and each has its XML, as it was received, at an address of its own.
 */
#ifndef RELAIS_SOURCES_RECORDS_H
#define RELAIS_SOURCES_RECORDS_H

#include "sources/kind.h"

/* Rows in one answer; both servers give up to 1,000. */
#define RELAIS_RECORDS_PAGE 500

/* How one of the cousins spells its addresses: a form's begins with `top` and its id, a record's
 * goes on with `middle` and the record's number. */
typedef struct relais_dialect {
    const char *top, *middle;
    const char *list;        /* behind the form: its list, with a query begun */
    const char *record;      /* behind the number: the record as JSON */
    bool has_attachment_ids; /* a file is asked for below its record, not at a download_url */
    bool adds_declaration;   /* an XML declaration is put before XML that had none */
} relais_dialect;

/* Asks for the records that `query` (a MongoDB filter as JSON, consumed) finds, ascending by
 * _id: an array in *records, and how many the server has in all, when it says so. */
RELAIS_MUST_USE bool relais_records_ask(relais_walk *walk, const relais_dialect *dialect,
                                        json_t *query, relais_arena *arena, json_t **records,
                                        uint64_t *total, relais_answer *answer, relais_error *err);

/* The filter of the records that came after the one with the number `after` and, when the command
 * says so, not before walk->since; NULL without memory. */
json_t *relais_records_since(const relais_walk *walk, uint64_t after);

/* False when the records do not ascend from above `after`, or are fewer than they must be:
 * `fault` says what the server contradicts. */
bool relais_records_check(const json_t *records, uint64_t after, uint64_t total,
                          relais_error *fault);

/* One more row of the page, of this record. */
RELAIS_MUST_USE bool relais_records_add(const relais_walk *walk, const relais_dialect *dialect,
                                        const json_t *record, relais_page *page, relais_error *err);

/* Everything of a record that an edit or another file changes. */
uint64_t relais_records_hash(const json_t *record);

/* The kinds' fetch. */
RELAIS_MUST_USE bool relais_records_fetch(relais_worker *worker, const relais_dialect *dialect,
                                          const relais_row *row, relais_error *err);

#endif
