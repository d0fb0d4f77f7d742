/*
 * Importing what lies in folders: the storage of a phone, a zip of it, or Briefcase's.
 *
 *   instances/FORM_2026-03-02_10-15-04/FORM_2026-03-02_10-15-04.xml and its files   (Collect)
 *   forms/TITLE/instances/uuid.../submission.xml and its files                      (Briefcase)
 *
 * A folder's submission is `submission.xml`, or the XML named as the folder, or the only XML
 * there whose root has an id and is no form definition; every other file of the folder goes
 * with it. Where several are, each is a submission of its own. Each becomes one parcel, as if a
 * phone had sent it, so that the ledger knows what it has already.
 *
 * What cannot be taken is reported one by one, and the rest is imported: a file that is lost
 * does not hold back the answers, which are then kept as partial.
 */
#ifndef RELAIS_SOURCES_IMPORT_H
#define RELAIS_SOURCES_IMPORT_H

#include "spool/spool.h"

typedef struct relais_import_counts {
    uint64_t submissions; /* parcels, committed (or, in a trial, good to be) */
    uint64_t files;       /* that went with them */
    uint64_t refused;     /* submissions and files that could not be taken, each reported */
    uint64_t others;      /* files that belong to no submission: form definitions, media */
} relais_import_counts;

typedef struct relais_import_options {
    const char *path;      /* folder or zip */
    relais_spool *spool;   /* not written to in a trial */
    const char *directory; /* where large submissions are put together: the spool's */
    bool is_trial;
    void (*refused)(void *context, const char *path, const char *why);
    void (*progress)(void *context, size_t done, size_t total);
    void *context;
} relais_import_options;

/* False when nothing more can be done: the path cannot be read, the spool is full, nothing was
 * found there (RELAIS_ERR_MISSING, with what would have been). What was committed stays; to
 * repeat all of it is harmless. */
RELAIS_MUST_USE bool relais_import_run(const relais_import_options *options,
                                       relais_import_counts *counts, relais_error *err);

#endif
