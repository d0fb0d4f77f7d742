/*
 * A parcel on its way into the store: read, hashed and evaluated to rows, before anything
 * is asked of the ledger. All of it belongs to the batch's arena.
 */
#ifndef RELAIS_STORE_ITEM_H
#define RELAIS_STORE_ITEM_H

#include "base/uuid.h"
#include "spool/quarantine.h"
#include "store/mappings.h"
#include "transform/mapping.h"

/* A file of the submission, by its position in the parcel. */
typedef struct relais_file {
    const char *raw; /* the name's bytes as received, for comparing */
    size_t raw_length;
    const char *name; /* the same as text: controls and what is not UTF-8 as \xNN */
    const char *media_type;
    uint64_t offset;
    uint64_t size;
    uint8_t sha256[RELAIS_SHA256_SIZE];
    bool expected;  /* an answer, or the envelope, names it */
    bool is_locked; /* encrypted by the phone */
    bool stored;    /* already in the ledger, or twice in this parcel */
} relais_file;

typedef enum {
    RELAIS_VERDICT_NONE,      /* not asked yet */
    RELAIS_VERDICT_FRESH,     /* its ledger row was made in this transaction */
    RELAIS_VERDICT_DUPLICATE, /* the same XML is there already: only files may be new */
    RELAIS_VERDICT_SETTLE,    /* must be looked at together with its record's versions */
    RELAIS_VERDICT_BURIED,    /* its record was erased: nothing may be kept */
    RELAIS_VERDICT_REFUSED,   /* `reason` says why: to quarantine, or to be held */
    RELAIS_VERDICT_DONE       /* committed: the parcel may go */
} relais_verdict;

typedef struct relais_item {
    relais_spool_entry entry;
    relais_binding *binding; /* mapping and statements; NULL when the form is not known */
    const char *form_id, *version, *deprecated_id; /* deprecated_id: "" when not an edit */
    const char *instance_id;                       /* "sha256:<hex>" when the XML has none */
    char sub_id[RELAIS_UUID_TEXT_SIZE];
    const char *xml;
    size_t xml_length;
    uint8_t xml_sha256[RELAIS_SHA256_SIZE];
    /* What the ledger and the disk keep is sealed to it; NULL: plain. Of a form that no mapping
     * knows nobody knows that it is not sensitive. */
    const relais_seal *seal;
    /* The same of files that no phone has encrypted. */
    const relais_seal *file_seal;
    const char *kept; /* the XML as the ledger keeps it */
    size_t kept_length;
    bool is_envelope; /* encrypted: the XML holds no answer, and its files come in any parcel */
    const char *repairs, *received, *source, *user, *device;
    relais_file *files;
    size_t file_count;
    relais_output output;
    const char **missing; /* names that answers give and no file of this parcel has */
    size_t missing_count;
    bool is_parsed; /* false: only `entry` and `reason` count, the ledger cannot take it */
    bool is_mapped; /* `output` is there */
    relais_verdict verdict;
    bool is_incident; /* RELAIS_VERDICT_REFUSED: somebody must hear of it at once */
    bool is_waiting;  /* RELAIS_VERDICT_DONE: an envelope whose other files have not come */
    bool is_held;     /* RELAIS_VERDICT_REFUSED: to be held, not quarantined */
    bool is_partial;  /* RELAIS_VERDICT_DUPLICATE: the ledger still misses files */
    relais_reason reason;
} relais_item;

/* What reading and evaluating need. `scratch` is emptied by each call. */
typedef struct relais_reader {
    relais_spool *spool;
    relais_mappings *mappings;
    const relais_target *target;
    relais_arena *scratch;
} relais_reader;

typedef enum {
    RELAIS_READ_ITEM,  /* *out is filled; it may be refused already */
    RELAIS_READ_GONE,  /* the parcel is no longer there */
    RELAIS_READ_LATER, /* its form is stopped: leave the parcel where it is */
    RELAIS_READ_FAILED /* the machine's or the database's fault, or (RELAIS_ERR_LIMIT) it does
                          not fit in what is left of `arena` */
} relais_read;

/* Reads one parcel. What is wrong with the parcel itself ends in out->reason, not in err. */
RELAIS_MUST_USE relais_read relais_item_read(const relais_reader *reader,
                                             const relais_spool_entry *entry, relais_arena *arena,
                                             relais_item *out, relais_error *err);

/* The seal of one of its files; NULL: it is kept as it came. */
const relais_seal *relais_item_file_seal(const relais_item *item, const relais_file *file);

/* True when something of it can be read by whoever has it: all that is no envelope, and an
 * envelope that came with plain files, as a phone sends that was interrupted in encrypting. */
bool relais_item_is_readable(const relais_item *item);

/* Bytes as text that PostgreSQL takes: controls, and everything above ASCII where the whole is
 * not UTF-8, become \xNN; longer than `maximum` it is cut and closed by the whole's hash. */
RELAIS_MUST_USE char *relais_safe_text(relais_arena *arena, const char *bytes, size_t length,
                                       size_t maximum);

/* A file's name as the ledger writes it. */
RELAIS_MUST_USE char *relais_item_file_name(relais_arena *arena, const char *name, size_t length);

/* The id of the key that the ledger's copy is sealed for; NULL: it is plain. */
const char *relais_item_seal_id(const relais_item *item);

/* Its id in the ledger; NULL when it was not read so far. */
const char *relais_item_id(const relais_item *item);

/* Says in the log that the parcel stays in the spool for now, and why. */
void relais_item_log_later(const relais_item *item, const relais_error *why);

#endif
