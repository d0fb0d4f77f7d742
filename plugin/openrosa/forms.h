/*
 * The published forms: a directory of XForms and their media, as an immutable snapshot.
 *
 *   DIR/NAME.xml            a form; its id, version and title are read from the XML
 *   DIR/NAME-media/FILE     its media, listed in the manifest (Collect's own convention)
 *
 * A snapshot is taken again when the directory has changed, at most once a second, so a
 * changed or added form is served without a reload. A half-written file never is: a form
 * must be well-formed to its last byte, any file must have been quiet for
 * RELAIS_FORMS_SETTLE seconds, and what is served is the very bytes (or the very inode, size
 * and time) that were hashed. While a form is not usable its last good state stays
 * published, together with the media that belong to it. Replacing by rename is at once
 * whole, and is what we recommend; a file renamed into place that was written some time ago
 * is served at the next look, a fresh one when it has settled. A server started within
 * RELAIS_FORMS_SETTLE seconds of copying forms lists them when they have settled.
 *
 * Ignored are names that begin with '.' or end in '~', ".tmp" or ".part". When two files
 * have the same form id, the first by name keeps it.
 *
 * Thread-safe: a snapshot is counted by its users and never changes.
 */
#ifndef RELAIS_OPENROSA_FORMS_H
#define RELAIS_OPENROSA_FORMS_H

#include "base/buffer.h"
#include "base/digest.h"

#include <stdint.h>
#include <sys/types.h>

#define RELAIS_FORMS_MAX      1000               /* a national server has tens */
#define RELAIS_FORM_XML_MAX   (16 * 1024 * 1024) /* the largest known forms are 4 MB */
#define RELAIS_FORM_MEDIA_MAX 1000
#define RELAIS_FORMS_SETTLE   2 /* seconds without change before a file counts as written */

typedef struct relais_forms relais_forms;             /* the directory, watched */
typedef struct relais_forms_snapshot relais_snapshot; /* its state at one moment */

typedef struct relais_media {
    const char *filename;
    const char *path;
    uint64_t size;
    char md5[2 * RELAIS_MD5_SIZE + 1];
    /* what was hashed: a file that no longer matches is not served */
    dev_t device;
    ino_t inode;
    struct timespec modified;
} relais_media;

typedef struct relais_form_entry {
    const char *id;
    const char *version; /* "" when the form has none */
    const char *title;
    const char *file; /* NAME.xml, for messages */
    const char *xml;
    size_t xml_length;
    char md5[2 * RELAIS_MD5_SIZE + 1];
    const relais_media *media;
    size_t media_count;
} relais_form_entry;

RELAIS_MUST_USE bool relais_forms_open(const char *directory, relais_forms **out,
                                       relais_error *err);
void relais_forms_close(relais_forms *forms);

/* The present snapshot, refreshed first when it is due; release it after use. `force` looks
 * at the directory even within the second (an unknown form was asked for). Blocking: call it
 * in a thread. When the directory cannot be read the last snapshot is returned and err is
 * set; NULL only when there never was one. */
relais_snapshot *relais_forms_acquire(relais_forms *forms, bool force, relais_error *err);
void relais_snapshot_release(relais_snapshot *snapshot);

const relais_form_entry *relais_snapshot_forms(const relais_snapshot *snapshot, size_t *count);

/* NULL version: any version of that id. */
const relais_form_entry *relais_snapshot_find(const relais_snapshot *snapshot, const char *id,
                                              const char *version);
const relais_media *relais_form_media(const relais_form_entry *form, const char *filename);

/* Files that are in the directory but not published, with the reason, for the server's log:
 * number of complaints and the i-th text. A complaint new in this snapshot is `fresh` for the
 * first who asks, so that it is logged once. */
size_t relais_snapshot_complaints(const relais_snapshot *snapshot);
const char *relais_snapshot_complaint(const relais_snapshot *snapshot, size_t i, bool *fresh);

#endif
