/*
 * From a tree of files to parcels. See import.h.
 */
#include "sources/import.h"

#include "openrosa/instance.h"
#include "openrosa/receive.h"
#include "sources/bundle.h"
#include "sources/tree.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Of one submission with all its files: what a phone's storage has room for. */
#define SUBMISSION_MAX ((uint64_t)4000 * 1000 * 1000)

/* Texts of a parcel's head. */
#define HEAD_MEMORY_MAX ((size_t)256 * 1024)

/* Form definitions name XHTML's root well before this. */
enum { BEGINNING = 4096 };

/* Media types by a name's end, as Collect gives them; the rest is application/octet-stream. */
static const struct {
    const char *end, *type;
} media_types[] = {
    {".jpg", "image/jpeg"}, {".jpeg", "image/jpeg"},     {".png", "image/png"},
    {".mp4", "video/mp4"},  {".3gp", "video/3gpp"},      {".3gpp", "audio/3gpp"},
    {".amr", "audio/amr"},  {".m4a", "audio/mp4"},       {".mp3", "audio/mpeg"},
    {".wav", "audio/wav"},  {".csv", "text/csv"},        {".txt", "text/plain"},
    {".xml", "text/xml"},   {".pdf", "application/pdf"},
};

typedef struct import {
    const relais_import_options *options;
    relais_import_counts *counts;
    relais_tree *tree;
    relais_bundle body;
    relais_arena *arena; /* of the submission in hand */
} import;

/* The files of one folder. */
typedef struct folder {
    const relais_tree_entry *entries;
    size_t count;
} folder;

/* ---- names ------------------------------------------------------------------------------- */

static const char *name_of(const relais_tree_entry *entry)
{
    const char *slash = strrchr(entry->path, '/');

    return slash == NULL ? entry->path : slash + 1;
}

static size_t folder_length(const relais_tree_entry *entry)
{
    return (size_t)(name_of(entry) - entry->path);
}

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), end_length = strlen(end);

    return length >= end_length && strcasecmp(name + length - end_length, end) == 0;
}

static bool is_xml(const relais_tree_entry *entry)
{
    return ends_with(name_of(entry), ".xml");
}

/* Android's and macOS's own files begin with a dot, as do Collect's savepoints. */
static bool is_usable(const relais_tree_entry *entry)
{
    return entry->fault == NULL && name_of(entry)[0] != '.';
}

/* ".../NAME/NAME.xml" */
static bool is_named_as_folder(const relais_tree_entry *entry)
{
    const char *name = name_of(entry), *start;
    size_t length = strlen(name);

    if (!is_xml(entry) || name == entry->path)
        return false;
    length -= strlen(".xml");
    start = name - 1;
    if ((size_t)(start - entry->path) < length)
        return false;
    start -= length;
    return memcmp(start, name, length) == 0 && (start == entry->path || start[-1] == '/');
}

static const char *media_type_of(const char *name)
{
    for (size_t i = 0; i < sizeof media_types / sizeof media_types[0]; i++)
        if (ends_with(name, media_types[i].end))
            return media_types[i].type;
    return "application/octet-stream";
}

/* ---- reports ----------------------------------------------------------------------------- */

static void report(import *job, const char *path, const char *why)
{
    job->counts->refused++;
    if (job->options->refused != NULL)
        job->options->refused(job->options->context, path, why);
}

static void report_error(import *job, const char *path, const relais_error *why)
{
    char text[sizeof why->text + sizeof why->path + 64];

    report(job, path, relais_error_format(why, text, sizeof text));
}

/* ---- what an XML is ---------------------------------------------------------------------- */

typedef enum { XML_SUBMISSION, XML_FORM, XML_UNREADABLE } xml_kind;

struct looking {
    relais_instance_reader *reader;
    char beginning[BEGINNING + 1];
    size_t length;
};

static bool look_at_bytes(void *context, const char *bytes, size_t length, relais_error *err)
{
    struct looking *l = context;
    size_t room = BEGINNING - l->length, taken = length < room ? length : room;

    (void)err;
    memcpy(l->beginning + l->length, bytes, taken);
    l->length += taken;
    relais_instance_feed(l->reader, bytes, length);
    return true;
}

/* <html> or <h:html>. That XHTML is declared says nothing: Collect does so in submissions too. */
static bool is_form_definition(const struct looking *l)
{
    const char *end = l->beginning + l->length, *at = l->beginning;

    while ((at = memmem(at, (size_t)(end - at), "html", 4)) != NULL) {
        bool begins = at > l->beginning && (at[-1] == '<' || at[-1] == ':');
        at += 4;
        if (begins && at < end && strchr(" \t\r\n>", *at) != NULL && *at != '\0')
            return true;
    }
    return false;
}

static bool look_at(import *job, const relais_tree_entry *entry, xml_kind *out, relais_error *err)
{
    struct looking l = {.reader = relais_instance_create()};
    const relais_instance *instance = NULL;
    relais_error why = {0};

    if (l.reader == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    *out = XML_UNREADABLE;
    if (relais_tree_read(job->tree, entry, look_at_bytes, &l, &why)) {
        relais_instance_state state = relais_instance_finish(l.reader, &instance);
        if (is_form_definition(&l))
            *out = XML_FORM;
        else if (state == RELAIS_INSTANCE_READ && instance->id.length > 0)
            *out = XML_SUBMISSION;
    }
    relais_instance_destroy(l.reader);
    return true;
}

/* ---- one submission ---------------------------------------------------------------------- */

/* Tells what the body cannot take, which ends the import, from what the tree cannot give. */
struct copying {
    import *job;
    bool is_ours;
};

static bool copy_bytes(void *context, const char *bytes, size_t length, relais_error *err)
{
    struct copying *c = context;

    c->is_ours = !relais_bundle_append(&c->job->body, bytes, length, err);
    return !c->is_ours;
}

/* Appends an entry, or takes back what was appended and reports it: *is_there. */
static bool copy_entry(import *job, const relais_tree_entry *entry, uint64_t back_to,
                       bool *is_there, relais_error *err)
{
    struct copying c = {.job = job};
    relais_error why = {0};

    *is_there = relais_tree_read(job->tree, entry, copy_bytes, &c, &why);
    if (*is_there)
        return true;
    if (c.is_ours) {
        *err = why;
        return false;
    }
    report_error(job, entry->path, &why);
    return relais_bundle_cut(&job->body, back_to, err);
}

static bool copy_file(import *job, const relais_tree_entry *entry, uint64_t *files,
                      relais_error *err)
{
    uint64_t before = job->body.length;
    const char *name = name_of(entry);
    bool is_there;

    if (before + entry->size > SUBMISSION_MAX) {
        report(job, entry->path,
               relais_translate("with it the submission would be larger than 4 GB"));
        return true;
    }
    if (!relais_bundle_add_file(&job->body, name, media_type_of(name), err) ||
        !copy_entry(job, entry, before, &is_there, err))
        return false;
    *files += is_there;
    return true;
}

static bool commit(import *job, const relais_parcel_head *head, const relais_segment *body,
                   relais_error *err)
{
    relais_staged staged = {.shard = -1};

    if (job->options->is_trial)
        return true;
    if (!relais_spool_stage(job->options->spool, head, body, 1, &staged, err))
        return false;
    if (relais_spool_commit(job->options->spool, &staged, err))
        return true;
    relais_spool_abort(job->options->spool, &staged);
    return false;
}

/* Briefcase keeps the XML as its server wrote it, which is not always the phone's own bytes: the
 * store lets such a copy give way to the original. Collect's files are named as their folder. */
static bool is_briefcases(const relais_tree_entry *xml)
{
    return strcasecmp(name_of(xml), "submission.xml") == 0;
}

/* Closes the body and makes a parcel of it, or reports what no server would take. */
static bool finish(import *job, const relais_tree_entry *xml, uint64_t files, relais_error *err)
{
    relais_segment body;
    relais_request request = {.content_type = job->body.content_type,
                              .content_length = -1,
                              .segments = &body,
                              .count = 1,
                              .source = is_briefcases(xml) ? "import:briefcase" : "import",
                              .user = "",
                              .device = ""};
    relais_parcel_head head;
    relais_error why = {0};

    if (!relais_bundle_end(&job->body, &body, err))
        return false;
    relais_arena_reset(job->arena);
    if (relais_receive(&request, NULL, NULL, job->arena, &head, &why) != RELAIS_REPLY_RECEIVED) {
        report_error(job, xml->path, &why);
        return true;
    }
    if (!commit(job, &head, &body, err))
        return false;
    job->counts->submissions++;
    job->counts->files += files;
    return true;
}

/* A submission with the files of `with` (NULL: none). */
static bool import_submission(import *job, const relais_tree_entry *xml, const folder *with,
                              relais_error *err)
{
    uint64_t files = 0;
    bool is_there;

    relais_bundle_begin(&job->body);
    if (!relais_bundle_add_xml(&job->body, err) || !copy_entry(job, xml, 0, &is_there, err))
        return false;
    if (!is_there)
        return true;
    for (size_t i = 0; with != NULL && i < with->count; i++)
        if (&with->entries[i] != xml && is_usable(&with->entries[i]) &&
            !copy_file(job, &with->entries[i], &files, err))
            return false;
    return finish(job, xml, files, err);
}

/* ---- one folder -------------------------------------------------------------------------- */

static const relais_tree_entry *find_named(const folder *f)
{
    const relais_tree_entry *found = NULL;

    for (size_t i = 0; i < f->count; i++) {
        const relais_tree_entry *one = &f->entries[i];
        if (!is_usable(one))
            continue;
        if (strcasecmp(name_of(one), "submission.xml") == 0)
            return one;
        if (is_named_as_folder(one))
            found = one;
    }
    return found;
}

/* A place where Collect and Briefcase keep one submission: files there are some submission's. */
static bool is_instance_folder(const relais_tree_entry *entry)
{
    const char *found = strstr(entry->path, "instances/");

    return found != NULL && (found == entry->path || found[-1] == '/') &&
           strchr(found + strlen("instances/"), '/') != NULL;
}

static void leave_files(import *job, const folder *f, size_t submissions)
{
    for (size_t i = 0; i < f->count; i++) {
        const relais_tree_entry *one = &f->entries[i];
        if (!is_usable(one) || is_xml(one))
            continue;
        if (submissions > 1)
            report(job, one->path,
                   relais_translate("there are several submissions in its folder; put it into a "
                                    "folder with its own"));
        else if (is_instance_folder(one))
            report(job, one->path,
                   relais_translate("the XML of its submission is not in its folder"));
        else
            job->counts->others++;
    }
}

/* What a first look found among a folder's XML files. */
struct survey {
    size_t submissions;
    const relais_tree_entry *last;
};

static bool survey_folder(import *job, const folder *f, struct survey *out, relais_error *err)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < f->count; i++) {
        const relais_tree_entry *one = &f->entries[i];
        xml_kind kind;
        if (!is_usable(one) || !is_xml(one))
            continue;
        if (!look_at(job, one, &kind, err))
            return false;
        if (kind == XML_FORM)
            job->counts->others++;
        else if (kind == XML_UNREADABLE)
            report(job, one->path, relais_translate("no submission can be read in it"));
        else if (out->submissions++ == 0)
            out->last = one;
    }
    return true;
}

/* Several submissions in one folder: each alone. */
static bool import_each(import *job, const folder *f, relais_error *err)
{
    for (size_t i = 0; i < f->count; i++) {
        xml_kind kind;
        if (!is_usable(&f->entries[i]) || !is_xml(&f->entries[i]))
            continue;
        if (!look_at(job, &f->entries[i], &kind, err) ||
            (kind == XML_SUBMISSION && !import_submission(job, &f->entries[i], NULL, err)))
            return false;
    }
    return true;
}

/* Briefcase keeps a form's definition as FORM/FORM.xml. */
static bool is_form(import *job, const relais_tree_entry *entry, bool *out, relais_error *err)
{
    xml_kind kind = XML_SUBMISSION;

    if (entry != NULL && !look_at(job, entry, &kind, err))
        return false;
    *out = kind == XML_FORM;
    return true;
}

static bool import_folder(import *job, const folder *f, relais_error *err)
{
    const relais_tree_entry *named = find_named(f);
    struct survey found;
    bool is_definition;

    for (size_t i = 0; i < f->count; i++)
        if (f->entries[i].fault != NULL)
            report(job, f->entries[i].path, f->entries[i].fault);
    if (!is_form(job, named, &is_definition, err))
        return false;
    if (named != NULL && !is_definition)
        return import_submission(job, named, f, err);
    if (!survey_folder(job, f, &found, err))
        return false;
    if (found.submissions == 1)
        return import_submission(job, found.last, f, err);
    leave_files(job, f, found.submissions);
    return found.submissions == 0 || import_each(job, f, err);
}

/* ---- the whole --------------------------------------------------------------------------- */

static bool is_same_folder(const relais_tree_entry *a, const relais_tree_entry *b)
{
    return folder_length(a) == folder_length(b) && memcmp(a->path, b->path, folder_length(a)) == 0;
}

static bool import_folders(import *job, relais_error *err)
{
    size_t count, first = 0;
    const relais_tree_entry *entries = relais_tree_entries(job->tree, &count);

    while (first < count) {
        folder f = {&entries[first], 1};
        while (first + f.count < count &&
               is_same_folder(&entries[first], &entries[first + f.count]))
            f.count++;
        if (!import_folder(job, &f, err))
            return false;
        first += f.count;
        if (job->options->progress != NULL)
            job->options->progress(job->options->context, first, count);
    }
    return true;
}

/* Central's, KoBo's and Ona's exports have a table at their top. */
static bool is_table_export(const relais_tree *tree)
{
    size_t count;
    const relais_tree_entry *entries = relais_tree_entries(tree, &count);

    for (size_t i = 0; i < count; i++)
        if (folder_length(&entries[i]) == 0 &&
            (ends_with(entries[i].path, ".csv") || ends_with(entries[i].path, ".xlsx")))
            return true;
    return false;
}

static bool refuse_nothing(const import *job, relais_error *err)
{
    if (is_table_export(job->tree))
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "this is an export of tables; what phones sent cannot be made of it "
                         "again. Pull the submissions from the server: relais pull");
    else
        relais_error_set(err, RELAIS_ERR_MISSING,
                         "there is no submission in it; give the folder instances/ of a phone, a "
                         "zip of it, or Briefcase's storage folder");
    relais_error_at(err, job->options->path, 0);
    return false;
}

bool relais_import_run(const relais_import_options *options, relais_import_counts *counts,
                       relais_error *err)
{
import job = {.options = options, .counts = counts };
    bool ok = false;

    memset(counts, 0, sizeof *counts);
    relais_bundle_init(&job.body, options->directory);
    job.arena = relais_arena_create(HEAD_MEMORY_MAX);
    if (job.arena == NULL)
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    else if (relais_tree_open(options->path, &job.tree, err))
        ok = import_folders(&job, err) &&
             (counts->submissions + counts->refused > 0 || refuse_nothing(&job, err));
    relais_tree_close(job.tree);
    relais_arena_destroy(job.arena);
    relais_bundle_free(&job.body);
    return ok;
}
