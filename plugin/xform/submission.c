/*
 * From bytes to a submission: strict parse, repair only when that fails, strict parse again,
 * namespaces off, meta found, attachments named. See submission.h.
 */
#include "xform/submission.h"

#include "xform/body.h"
#include "xform/meta.h"
#include "xform/repair.h"
#include "xform/xml.h"

#include <libxml/hash.h>

#include <string.h>

/* A few lines at most, however many prefixes somebody invents. */
enum { REPAIRS_MAX = 2048, PREFIXES_MAX = 1024 };

static const relais_xml_limits limits = {.depth = RELAIS_SUBMISSION_DEPTH_MAX,
                                         .nodes = RELAIS_SUBMISSION_NODES_MAX};

/* ---- the document ----------------------------------------------------------------------- */

/* Parses what repair makes of the XML. Its errors are of no interest: the first parse's tell
 * about the bytes that were received. */
static bool parse_repaired(const char *xml, size_t length, relais_arena *arena, xmlDocPtr *doc,
                           relais_repairs *made)
{
    relais_xml_fault ignored;
    relais_buffer repaired;
    bool ok;

    relais_buffer_init(&repaired, RELAIS_SUBMISSION_XML_MAX);
    ok = relais_xml_repair(xml, length, &repaired, made) &&
         relais_xml_parse(repaired.data, repaired.length, &limits, arena, doc, &ignored, NULL);
    relais_buffer_free(&repaired);
    return ok;
}

static bool parse_document(relais_submission *out, relais_arena *arena, relais_repairs *made,
                           int64_t *xml_offset, relais_error *err)
{
    relais_xml_fault fault;
    relais_error first = {0};

    if (relais_xml_parse(out->xml, out->xml_length, &limits, arena, &out->doc, &fault, &first))
        return true;
    if (first.code == RELAIS_ERR_SYNTAX &&
        parse_repaired(out->xml, out->xml_length, arena, &out->doc, made))
        return true;
    *xml_offset = fault.offset;
    if (err != NULL && err->code == RELAIS_ERR_NONE)
        *err = first;
    return false;
}

static bool say_repairs(relais_submission *out, const relais_repairs *made, const char *undeclared,
                        relais_arena *arena, relais_error *err)
{
    relais_buffer words;

    relais_buffer_init(&words, REPAIRS_MAX);
    relais_repairs_say(made, undeclared, &words);
    out->repairs = relais_arena_copy(arena, words.data, words.length);
    relais_buffer_free(&words);
    return out->repairs != NULL || relais_arena_error(arena, err);
}

static void hash_xml(relais_submission *out)
{
    relais_digest_state state;

    relais_sha256_begin(&state);
    relais_sha256_add(&state, out->xml, out->xml_length);
    relais_sha256_end(&state, out->xml_sha256);
}

/* Fills everything but the attachments from out->xml. */
static bool understand(relais_submission *out, relais_arena *arena, int64_t *xml_offset,
                       relais_error *err)
{
    relais_repairs made = {0};
    relais_buffer prefixes;
    bool ok;

    hash_xml(out);
    if (!parse_document(out, arena, &made, xml_offset, err) || !relais_meta_read(arena, out, err))
        return false;
    relais_buffer_init(&prefixes, PREFIXES_MAX);
    relais_xml_strip_namespaces(out->doc, &prefixes);
    ok = say_repairs(out, &made, prefixes.length > 0 ? prefixes.data : "", arena, err);
    relais_buffer_free(&prefixes);
    return ok;
}

static void submission_init(relais_submission *out)
{
    memset(out, 0, sizeof *out);
    out->form_id = out->version = out->instance_id = out->deprecated_id = "";
    out->xml = out->repairs = "";
}

bool relais_submission_parse(const char *xml, size_t length, relais_arena *arena,
                             relais_submission *out, int64_t *xml_offset, relais_error *err)
{
    submission_init(out);
    *xml_offset = -1;
    if (length > RELAIS_SUBMISSION_XML_MAX)
        return relais_error_set(err, RELAIS_ERR_LIMIT,
                                "the submission's XML is larger than %d bytes",
                                RELAIS_SUBMISSION_XML_MAX);
    out->xml = relais_arena_copy(arena, xml, length);
    out->xml_length = length;
    if (out->xml == NULL)
        return relais_arena_error(arena, err);
    return understand(out, arena, xml_offset, err);
}

/* ---- attachments ------------------------------------------------------------------------ */

static xmlHashTablePtr answers_of(xmlDocPtr doc)
{
    const xmlNode *root = xmlDocGetRootElement(doc);
    xmlHashTablePtr answers = xmlHashCreate(256);

    for (const xmlNode *node = root; answers && node; node = relais_xml_next(node, root)) {
        const xmlNode *text = node->children;
        if (text != NULL && text->next == NULL && text->type == XML_TEXT_NODE)
            xmlHashAddEntry(answers, text->content, doc);
    }
    return answers;
}

static bool is_different(const relais_body_file *file)
{
    return file->filename_length > 0 &&
           !relais_filename_equal(file->attachment.name, file->attachment.name_length,
                                  file->filename, file->filename_length);
}

/* Clients that name the part after the question put the file's name into filename; an answer
 * that names it shows which of the two it is. */
static void choose_names(const relais_body *body, xmlDocPtr doc)
{
    xmlHashTablePtr answers = NULL;

    for (relais_body_file *file = body->files; file != NULL; file = file->next) {
        if (!is_different(file))
            continue;
        if (answers == NULL)
            answers = answers_of(doc);
        if (answers == NULL)
            break;
        if (xmlHashLookup(answers, (const xmlChar *)file->attachment.name) == NULL &&
            xmlHashLookup(answers, (const xmlChar *)file->filename) != NULL) {
            file->attachment.name = file->filename;
            file->attachment.name_length = file->filename_length;
        }
    }
    xmlHashFree(answers, NULL);
}

static bool list_attachments(const relais_body *body, relais_arena *arena, relais_submission *out,
                             relais_error *err)
{
    relais_attachment *list = relais_arena_alloc(arena, body->file_count * sizeof *list);

    if (list == NULL)
        return relais_arena_error(arena, err);
    choose_names(body, out->doc);
    for (relais_body_file *file = body->files; file != NULL; file = file->next)
        list[out->attachment_count++] = file->attachment;
    out->attachments = list;
    return true;
}

bool relais_submission_read(const relais_parcel *parcel, relais_arena *arena,
                            relais_submission *out, int64_t *xml_offset, relais_error *err)
{
    relais_body body;

    submission_init(out);
    *xml_offset = -1;
    if (!relais_body_read(parcel, arena, &body, err))
        return false;
    out->xml = body.xml;
    out->xml_length = body.xml_length;
    return understand(out, arena, xml_offset, err) && list_attachments(&body, arena, out, err);
}
