/*
 * A mapping: how one form's submissions become rows. The language's manual is
 * transforms/README.md, its grammar transforms/mapping.rng.
 *
 * Life of a mapping: relais_mapping_read (syntax, by RELAX NG, then compiled expressions),
 * relais_mapping_bind (against the database: types and keys), then relais_mapping_run once
 * a submission. Read once and bind once; run needs neither file nor database.
 */
#ifndef RELAIS_TRANSFORM_MAPPING_H
#define RELAIS_TRANSFORM_MAPPING_H

#include "base/arena.h"
#include "base/digest.h"
#include "transform/secrets.h"
#include "transform/target.h"
#include "xform/submission.h"

typedef struct relais_mapping relais_mapping;

/* What happens to a row whose key is there already. */
typedef enum {
    RELAIS_ROW_UPSERT,  /* every column is overwritten, a cleared answer becomes NULL */
    RELAIS_ROW_ABSENT,  /* the row is left as it is (stub of a parent) */
    RELAIS_ROW_NEWEST,  /* overwritten when `newest` is not older than the stored one */
    RELAIS_ROW_REPLACED /* child rows: all that share the `replace` columns' values go first */
} relais_row_policy;

/* One <row> element: the shape of an INSERT. Index in the mapping = order of insertion. */
typedef struct relais_row_shape {
    const relais_table *table; /* set by relais_mapping_bind */
    const char *table_name;
    const char *const *columns;
    const relais_column *const *bound; /* parallel to columns, set by relais_mapping_bind */
    size_t column_count;
    relais_row_policy policy;
    const char *newest;         /* RELAIS_ROW_NEWEST: the business date's column */
    const char *const *replace; /* RELAIS_ROW_REPLACED: the columns that tie it to its parent */
    size_t replace_count;
    long line; /* in the mapping's file */
} relais_row_shape;

/* One row that came out of a run. Values are text in PostgreSQL's input format, parallel to the
 * shape's columns. NULL is SQL's NULL, except in a column that is NOT NULL and has a default:
 * there it stands for DEFAULT. `paths[i]` is where in the submission a value came from, for
 * messages. All of it belongs to the run's arena. */
typedef struct relais_row {
    size_t shape;
    const char *const *values;
    const char *const *paths;
} relais_row;

/* What the forwarder knows of a submission beyond its XML; `$name` in the mapping. */
typedef struct relais_facts {
    const char *submission; /* $submission: the ledger's id (uuid) of this version */
    const char *record;     /* $record: instanceID of the first version of the edit chain */
    const char *instance;   /* $instance: instanceID of this version */
    const char *form;       /* $form */
    const char *version;    /* $version */
    const char *received;   /* $received: ISO 8601 */
    const char *user;       /* $user */
    const char *device;     /* $device */
    /* The rows are to be kept, for another time and perhaps another record: ids made of $record
     * and codes that lists have not yet are told in the output, and the latter are no misfit. */
    bool is_for_keeping;
} relais_facts;

/* What a RELAIS_ROW_REPLACED shape takes away: the rows of its table whose `replace` columns
 * have these values (parallel to `replace`). It is there also when no row follows, because the
 * last repeat was deleted or a <when> no longer holds. Several shapes may fill one table, so
 * all clearances of a submission are done before its first row goes in. */
typedef struct relais_clearance {
    size_t shape;
    const char *const *values;
} relais_clearance;

/* An id that uuid5() made of the record's name, or of another such id, and its parts. */
typedef struct relais_derived {
    const char *id;
    const char *const *parts;
    size_t part_count;
} relais_derived;

/* A code that a list with if-absent="hold" has not yet. */
typedef struct relais_awaited {
    const char *list, *value;
} relais_awaited;

typedef struct relais_output {
    relais_row *rows; /* in the order of shapes, then of the document */
    size_t count;
    relais_clearance *clearances;
    size_t clearance_count;
    const char **files; /* names of files that answers name (<file>) */
    size_t file_count;
    const char **unmapped; /* paths of answers that nothing in the mapping reads or ignores */
    size_t unmapped_count;
    /* Of a run whose rows are to be kept: */
    relais_derived *derived; /* in the order in which they were made */
    size_t derived_count;
    relais_awaited *awaited; /* until its list has it, the rows cannot go in */
    size_t awaited_count;
} relais_output;

/* Why a submission cannot become rows: for the quarantine, never with the answer itself. The
 * sentences are French, as the office reads them; the same in English stand beside. */
typedef struct relais_misfit {
    const char *path;        /* "/data/exploitation[2]/form" */
    const char *column;      /* "tip.exploitation.form"; "" when no column is at fault */
    const char *code;        /* a stable word for the rule: "required", "integer", "list", ... */
    const char *value_class; /* "vide", "texte de 7 caractères", "nombre entier", "date", ... */
    const char *rule;        /* what was expected */
    const char *value_class_en;
    const char *rule_en;
    bool is_held; /* the code may still be added to its list: to wait, not to be refused */
} relais_misfit;

/* Reads and compiles. Errors carry file and line. Freed by relais_mapping_free. */
RELAIS_MUST_USE bool relais_mapping_read(const char *file, relais_mapping **out, relais_error *err);
void relais_mapping_free(relais_mapping *mapping);

const char *relais_mapping_form(const relais_mapping *mapping); /* form id */
bool relais_mapping_is_sensitive(const relais_mapping *mapping);
/* True when the form is encrypted: what comes of it in the clear must not be delivered. */
bool relais_mapping_is_encrypted(const relais_mapping *mapping);
const uint8_t *relais_mapping_sha256(const relais_mapping *mapping); /* of the file's bytes */
const char *relais_mapping_text(const relais_mapping *mapping, size_t *length);
const relais_row_shape *relais_mapping_shapes(const relais_mapping *mapping, size_t *count);

/* True when the mapping lists this form version, or lists none (accepts every version). */
bool relais_mapping_knows_version(const relais_mapping *mapping, const char *version);

/* True when the secrets hold all that the mapping uses. RELAIS_ERR_CONFIG names the line that
 * uses what is missing, and the setting to make. NULL stands for no secrets. */
RELAIS_MUST_USE bool relais_mapping_suffices(const relais_mapping *mapping,
                                             const relais_secrets *secrets, relais_error *err);

/* Finds tables and columns. Names file, line, table and column of the first that is missing
 * or cannot take what it is given; or, as relais_mapping_suffices, the secret that is missing.
 * `secrets` may be NULL, and must outlive the runs. May be called again after the database has
 * changed. */
RELAIS_MUST_USE bool relais_mapping_bind(relais_mapping *mapping, const relais_target *target,
                                         const relais_secrets *secrets, relais_error *err);

/* Evaluates. Needs a bound mapping. The same submission gives the same rows, but for sealed
 * values, whose bytes differ each time. False with RELAIS_ERR_DATA and `misfit` filled when an
 * answer does not fit; other codes are the machine's. Thread: one run at a time a mapping. */
RELAIS_MUST_USE bool relais_mapping_run(relais_mapping *mapping,
                                        const relais_submission *submission,
                                        const relais_facts *facts, const relais_target *target,
                                        relais_arena *arena, relais_output *out,
                                        relais_misfit *misfit, relais_error *err);

/* Whether a list has a code by now; true too when the mapping has no such list any more. */
RELAIS_MUST_USE bool relais_mapping_has_code(const relais_mapping *mapping,
                                             const relais_target *target,
                                             const relais_awaited *awaited, bool *has,
                                             relais_error *err);

/* Gives the output of a run, made with `is_for_keeping` under the record's name `from`, to a
 * record named `to`: values that are the name, or an id made of it, become those of the other
 * name, as a run under it would have made them; what a mapping makes of $record by other means
 * than uuid5() stays. New texts belong to the arena. */
RELAIS_MUST_USE bool relais_output_rename(const relais_mapping *mapping, relais_output *output,
                                          const char *from, const char *to, relais_arena *arena,
                                          relais_error *err);

/* True when both say the same of rows, clearances, files and unmapped answers, sealed columns,
 * whose bytes differ each time, left out. */
bool relais_output_equals(const relais_mapping *mapping, const relais_output *one,
                          const relais_output *other);

#endif
