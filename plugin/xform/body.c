/*
 * Streaming a parcel's body through the hash and the multipart parser. See body.h.
 */
#include "xform/body.h"

#include "openrosa/multipart.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Large enough that reading costs little, small beside what one submission's tree takes. */
enum { CHUNK = 256 * 1024 };

static const char xml_part_name[] = "xml_submission_file";

/* Form fields that clients add and that are no files: Collect's note that more requests
 * follow, Enketo's date and cross-site token. */
static const char *const plain_fields[] = {"*isIncomplete*", "Date", "__csrf"};

enum part_kind { PART_XML, PART_FILE, PART_IGNORED };

struct reading {
    relais_arena *arena;
    relais_body *body;
    relais_buffer xml;
    bool has_xml;
    enum part_kind kind; /* of the part that is being read */
    relais_body_file *file;
    relais_body_file **tail;
    relais_digest_state digest; /* of that file */
};

/* ---- parts ------------------------------------------------------------------------------ */

static bool name_is(const relais_part *part, const char *name)
{
    return part->name_length == strlen(name) && memcmp(part->name, name, part->name_length) == 0;
}

static enum part_kind kind_of(const struct reading *reading, const relais_part *part)
{
    if (!reading->has_xml && name_is(part, xml_part_name))
        return PART_XML;
    if (!part->has_filename)
        for (size_t i = 0; i < sizeof plain_fields / sizeof *plain_fields; i++)
            if (name_is(part, plain_fields[i]))
                return PART_IGNORED;
    return PART_FILE;
}

static bool begin_file(struct reading *reading, const relais_part *part, relais_error *err)
{
    relais_arena *arena = reading->arena;
    relais_body_file *file = relais_arena_alloc(arena, sizeof *file);
    bool has_name = part->name_length > 0;
    relais_attachment *attachment;

    if (file == NULL)
        return relais_arena_error(arena, err);
    attachment = &file->attachment;
    file->filename_length = part->has_filename ? part->filename_length : 0;
    file->filename = relais_arena_copy(arena, part->filename, file->filename_length);
    attachment->name_length = has_name ? part->name_length : file->filename_length;
    attachment->name =
        has_name ? relais_arena_copy(arena, part->name, part->name_length) : file->filename;
    attachment->media_type = relais_arena_text(arena, part->content_type);
    attachment->offset = part->offset;
    if (file->filename == NULL || attachment->name == NULL || attachment->media_type == NULL)
        return relais_arena_error(arena, err);
    relais_sha256_begin(&reading->digest);
    reading->file = file;
    *reading->tail = file;
    reading->tail = &file->next;
    reading->body->file_count++;
    return true;
}

static bool on_begin(void *context, const relais_part *part, relais_error *err)
{
    struct reading *reading = context;

    reading->kind = kind_of(reading, part);
    if (reading->kind == PART_XML)
        reading->has_xml = true;
    return reading->kind != PART_FILE || begin_file(reading, part, err);
}

static bool on_data(void *context, const char *bytes, size_t length, relais_error *err)
{
    struct reading *reading = context;

    if (reading->kind == PART_FILE)
        relais_sha256_add(&reading->digest, bytes, length);
    if (reading->kind != PART_XML)
        return true;
    relais_buffer_append(&reading->xml, bytes, length);
    return relais_buffer_check(&reading->xml, "the submission's XML", err);
}

static bool on_end(void *context, uint64_t length, relais_error *err)
{
    struct reading *reading = context;

    (void)err;
    if (reading->kind == PART_FILE) {
        reading->file->attachment.size = length;
        relais_sha256_end(&reading->digest, reading->file->attachment.sha256);
    }
    return true;
}

/* ---- the pass --------------------------------------------------------------------------- */

/* NULL when the body is the XML itself. */
static bool open_parser(const char *content_type, struct reading *reading, relais_multipart **out,
                        relais_error *err)
{
    static const relais_multipart_events events = {on_begin, on_data, on_end};
    char boundary[RELAIS_MULTIPART_BOUNDARY_MAX + 1];

    *out = NULL;
    if (strncasecmp(content_type, "multipart/", 10) != 0) {
        reading->kind = PART_XML;
        reading->has_xml = true;
        return true;
    }
    if (!relais_multipart_boundary(content_type, boundary, err))
        return false;
    *out = relais_multipart_create(boundary, &events, reading);
    return *out != NULL ||
           relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left to split the body");
}

/* Feeds the whole body to the hash, and to the parser until that fails: whether the body is
 * damaged is the more useful thing to know, so what the parser says waits in `fault`. */
static bool pass(const relais_parcel *parcel, char *chunk, struct reading *reading,
                 relais_multipart *parser, uint8_t sha256[RELAIS_SHA256_SIZE], relais_error *fault,
                 relais_error *err)
{
    relais_digest_state digest;

    relais_sha256_begin(&digest);
    for (uint64_t at = 0; at < parcel->head.length;) {
        uint64_t left = parcel->head.length - at;
        size_t n = left < CHUNK ? (size_t)left : CHUNK;
        if (!relais_parcel_read(parcel, at, chunk, n, err))
            return false;
        relais_sha256_add(&digest, chunk, n);
        if (fault->code == RELAIS_ERR_NONE &&
            !(parser != NULL ? relais_multipart_feed(parser, chunk, n, fault)
                             : on_data(reading, chunk, n, fault)) &&
            fault->code == RELAIS_ERR_NONE)
            relais_error_set(fault, RELAIS_ERR_SYNTAX, "the body cannot be split into its parts");
        at += n;
    }
    relais_sha256_end(&digest, sha256);
    return true;
}

static bool read_all(const relais_parcel *parcel, struct reading *reading, relais_multipart *parser,
                     relais_error *fault, relais_error *err)
{
    uint8_t sha256[RELAIS_SHA256_SIZE];
    char *chunk = malloc(CHUNK);
    bool ok = chunk != NULL ||
              relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left to read the parcel");

    ok = ok && pass(parcel, chunk, reading, parser, sha256, fault, err);
    free(chunk);
    if (ok && memcmp(sha256, parcel->head.sha256, sizeof sha256) != 0)
        ok = relais_error_set(err, RELAIS_ERR_DAMAGED,
                              "the body's SHA-256 is not the one in the parcel's head");
    return ok;
}

static bool keep_xml(struct reading *reading, relais_error *err)
{
    relais_body *body = reading->body;

    if (!reading->has_xml || reading->xml.length == 0)
        return relais_error_set(err, RELAIS_ERR_SYNTAX, "the body has no %s part with XML in it",
                                xml_part_name);
    body->xml = relais_arena_copy(reading->arena, reading->xml.data, reading->xml.length);
    body->xml_length = reading->xml.length;
    return body->xml != NULL || relais_arena_error(reading->arena, err);
}

bool relais_body_read(const relais_parcel *parcel, relais_arena *arena, relais_body *out,
                      relais_error *err)
{
    struct reading reading = {.arena = arena, .body = out, .tail = &out->files};
    relais_multipart *parser = NULL;
    relais_error fault = {0};
    bool ok;

    memset(out, 0, sizeof *out);
    relais_buffer_init(&reading.xml, RELAIS_SUBMISSION_XML_MAX);
    (void)!open_parser(parcel->head.content_type, &reading, &parser, &fault);
    ok = read_all(parcel, &reading, parser, &fault, err);
    if (ok && fault.code == RELAIS_ERR_NONE && parser != NULL)
        (void)!relais_multipart_finish(parser, &fault);
    if (ok && fault.code != RELAIS_ERR_NONE) {
        if (err != NULL)
            *err = fault;
        ok = false;
    }
    ok = ok && keep_xml(&reading, err);
    relais_multipart_destroy(parser);
    relais_buffer_free(&reading.xml);
    return ok;
}
