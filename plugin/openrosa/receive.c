/*
 * Receiving a submission: one pass of hash, multipart parser and identity reader, then the
 * verdict. See receive.h.
 */
#include "openrosa/receive.h"

#include "openrosa/header.h"
#include "openrosa/instance.h"
#include "openrosa/multipart.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Large enough that a read costs less than hashing what it brings, small enough for every
 * thread of a pool to have one. */
#define READ_SIZE (256 * 1024)

#define XML_PART "xml_submission_file"

/* What one pass over a body keeps. */
struct pass {
    const relais_request *request;
    relais_multipart *multipart; /* NULL: the body is the XML itself */
    relais_instance_reader *reader;
    relais_digest_state digest;
    uint64_t length;

    bool has_xml_part;
    bool in_xml_part;
    bool is_malformed; /* not to be parsed, or no further; the rest is only hashed */
    relais_error malformed;
};

/* ---- the multipart's events ------------------------------------------------------------ */

/* The first part of that name counts, wherever it stands. */
static bool begin_part(void *context, const relais_part *part, relais_error *err)
{
    struct pass *pass = context;

    (void)err;
    pass->in_xml_part = !pass->has_xml_part && part->name_length == strlen(XML_PART) &&
                        memcmp(part->name, XML_PART, part->name_length) == 0;
    if (pass->in_xml_part)
        pass->has_xml_part = true;
    return true;
}

static bool feed_part(void *context, const char *bytes, size_t length, relais_error *err)
{
    struct pass *pass = context;

    (void)err;
    if (pass->in_xml_part)
        relais_instance_feed(pass->reader, bytes, length);
    return true;
}

/* ---- the body's bytes ------------------------------------------------------------------ */

static void take_bytes(struct pass *pass, const char *bytes, size_t length)
{
    relais_sha256_add(&pass->digest, bytes, length);
    pass->length += length;
    if (pass->is_malformed)
        return;
    if (pass->multipart == NULL)
        relais_instance_feed(pass->reader, bytes, length);
    else
        pass->is_malformed =
            !relais_multipart_feed(pass->multipart, bytes, length, &pass->malformed);
}

static bool take_file(struct pass *pass, const relais_segment *segment, char *buffer,
                      relais_error *err)
{
    size_t done = 0;

    while (done < segment->length) {
        size_t size = segment->length - done < READ_SIZE ? segment->length - done : READ_SIZE;
        ssize_t got = pread(segment->fd, buffer, size, segment->offset + (off_t)done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return relais_error_system(err, errno, NULL, "the body cannot be read");
        if (got == 0)
            return relais_error_set(err, RELAIS_ERR_SYSTEM,
                                    "the body's temporary file is shorter than the body");
        take_bytes(pass, buffer, (size_t)got);
        done += (size_t)got;
    }
    return true;
}

static bool take_segments(struct pass *pass, relais_error *err)
{
    char *buffer = NULL;
    bool ok = true;

    for (size_t i = 0; ok && i < pass->request->count; i++) {
        const relais_segment *segment = &pass->request->segments[i];

        if (segment->length == 0)
            continue;
        if (segment->data != NULL) {
            take_bytes(pass, segment->data, segment->length);
            continue;
        }
        if (buffer == NULL)
            buffer = malloc(READ_SIZE);
        ok = buffer == NULL ? relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left")
                            : take_file(pass, segment, buffer, err);
    }
    free(buffer);
    return ok;
}

/* ---- the verdict ----------------------------------------------------------------------- */

static relais_reply refuse(relais_reply reply, relais_error *err, const char *why)
{
    relais_error_set(err, RELAIS_ERR_SYNTAX, "%s", why);
    return reply;
}

/* A body that was cut is called so before anything that may follow from the cut. */
static relais_reply judge_body(struct pass *pass, relais_error *err)
{
    int64_t announced = pass->request->content_length;

    if (announced >= 0 && pass->length != (uint64_t)announced) {
        relais_error_set(err, RELAIS_ERR_SYNTAX, "the body has %llu bytes, announced were %lld",
                         (unsigned long long)pass->length, (long long)announced);
        return RELAIS_REPLY_CUT;
    }
    if (pass->is_malformed) {
        relais_error_set(err, pass->malformed.code, "%s", pass->malformed.text);
        return RELAIS_REPLY_NOT_MULTIPART;
    }
    if (pass->multipart == NULL)
        return RELAIS_REPLY_RECEIVED;
    if (!relais_multipart_finish(pass->multipart, err))
        return RELAIS_REPLY_CUT;
    return pass->has_xml_part
               ? RELAIS_REPLY_RECEIVED
               : refuse(RELAIS_REPLY_NO_XML, err, "there is no part named " XML_PART);
}

/* *instance is set when a root element was read. */
static relais_reply judge_xml(relais_instance_reader *reader, const relais_instance **instance,
                              relais_error *err)
{
    const relais_instance *read;

    switch (relais_instance_finish(reader, &read)) {
    case RELAIS_INSTANCE_EMPTY:
        return refuse(RELAIS_REPLY_NO_XML, err, "the submission's XML is empty");
    case RELAIS_INSTANCE_DOCTYPE:
        return refuse(RELAIS_REPLY_DOCTYPE, err, "the submission's XML has a DOCTYPE");
    case RELAIS_INSTANCE_BROKEN:
        return refuse(RELAIS_REPLY_BAD_XML, err,
                      "the root element of the submission's XML cannot be read");
    case RELAIS_INSTANCE_NO_MEMORY:
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
        return RELAIS_REPLY_BROKEN;
    case RELAIS_INSTANCE_READ:
        break;
    }
    *instance = read;
    if (read->id.length == 0)
        return refuse(RELAIS_REPLY_NO_ID, err, "the root element has no id");
    if (read->id.length > RELAIS_PARCEL_VALUE_MAX)
        return refuse(RELAIS_REPLY_NO_ID, err, "the root element's id is too long");
    return RELAIS_REPLY_RECEIVED;
}

/* What a body that was cut says of itself before it ends. */
static void identify_cut(relais_instance_reader *reader, const relais_instance **instance)
{
    relais_error ignored = {0};

    if (reader != NULL)
        (void)judge_xml(reader, instance, &ignored);
}

/* ---- the head -------------------------------------------------------------------------- */

/* A copy of at most RELAIS_PARCEL_VALUE_MAX bytes that does not end within a character. */
static const char *copy_cut(relais_arena *arena, const char *text)
{
    size_t length = text == NULL ? 0 : strlen(text);

    if (length > RELAIS_PARCEL_VALUE_MAX) {
        length = RELAIS_PARCEL_VALUE_MAX;
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--;
    }
    return relais_arena_copy(arena, text, length);
}

/* Half an id would be another's: whoever reads the whole XML finds it. */
static const char *whole_id(const relais_instance_text *id)
{
    return id->length <= RELAIS_PARCEL_VALUE_MAX ? id->bytes : "";
}

/* `instance` is NULL when there is none to be read. */
static bool fill_head(struct pass *pass, const relais_instance *instance, relais_arena *arena,
                      relais_parcel_head *head, relais_error *err)
{
    const relais_request *request = pass->request;

    head->source = copy_cut(arena, request->source);
    head->user = copy_cut(arena, request->user);
    head->device = copy_cut(arena, request->device);
    head->host = copy_cut(arena, request->host);
    head->content_type = copy_cut(arena, request->content_type);
    if (instance != NULL) {
        head->form = copy_cut(arena, whole_id(&instance->id));
        head->version = copy_cut(arena, instance->version.bytes);
        head->instance = copy_cut(arena, whole_id(&instance->instance_id));
    }
    head->length = pass->length;
    relais_sha256_end(&pass->digest, head->sha256);
    if (head->source != NULL && head->user != NULL && head->device != NULL && head->host != NULL &&
        head->content_type != NULL && head->form != NULL && head->version != NULL &&
        head->instance != NULL)
        return true;
    relais_parcel_head_init(head);
    return relais_arena_error(arena, err);
}

/* ---- one request ----------------------------------------------------------------------- */

static bool is_raw_xml(const char *content_type)
{
    return strlen(content_type) <= RELAIS_PARCEL_VALUE_MAX &&
           (relais_media_type_is(content_type, "text/xml") ||
            relais_media_type_is(content_type, "application/xml"));
}

/* Decides how the body is to be read. A body of no known shape is only hashed. */
static relais_reply open_pass(struct pass *pass, relais_error *err)
{
    static const relais_multipart_events events = {.begin = begin_part, .data = feed_part};
    const char *content_type = pass->request->content_type;
    char boundary[RELAIS_MULTIPART_BOUNDARY_MAX + 1];

    relais_sha256_begin(&pass->digest);
    if (content_type == NULL) {
        pass->is_malformed = true;
        relais_error_set(&pass->malformed, RELAIS_ERR_SYNTAX, "there is no Content-Type");
        return RELAIS_REPLY_RECEIVED;
    }
    if (!is_raw_xml(content_type)) {
        pass->is_malformed = !relais_multipart_boundary(content_type, boundary, &pass->malformed);
        if (pass->is_malformed)
            return RELAIS_REPLY_RECEIVED;
        pass->multipart = relais_multipart_create(boundary, &events, pass);
        if (pass->multipart == NULL)
            goto no_memory;
    }
    pass->reader = relais_instance_create();
    if (pass->reader != NULL)
        return RELAIS_REPLY_RECEIVED;
no_memory:
    relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    return RELAIS_REPLY_BROKEN;
}

static relais_reply run_pass(struct pass *pass, relais_known_form *is_known_form, void *context,
                             relais_arena *arena, relais_parcel_head *head, relais_error *err)
{
    const relais_instance *instance = NULL;
    relais_reply reply;

    if (!take_segments(pass, err))
        return RELAIS_REPLY_BROKEN;
    reply = judge_body(pass, err);
    if (reply == RELAIS_REPLY_RECEIVED)
        reply = judge_xml(pass->reader, &instance, err);
    else if (reply == RELAIS_REPLY_CUT)
        identify_cut(pass->reader, &instance);
    if (reply == RELAIS_REPLY_RECEIVED && is_known_form != NULL &&
        !is_known_form(context, instance->id.bytes))
        reply = refuse(RELAIS_REPLY_UNKNOWN_FORM, err, "no form with this id is published");
    return fill_head(pass, instance, arena, head, err) ? reply : RELAIS_REPLY_BROKEN;
}

relais_reply relais_receive(const relais_request *request, relais_known_form *is_known_form,
                            void *context, relais_arena *arena, relais_parcel_head *head,
                            relais_error *err)
{
    struct pass pass = {.request = request};
    relais_reply reply;

    relais_parcel_head_init(head);
    reply = open_pass(&pass, err);
    if (reply == RELAIS_REPLY_RECEIVED)
        reply = run_pass(&pass, is_known_form, context, arena, head, err);
    relais_multipart_destroy(pass.multipart);
    relais_instance_destroy(pass.reader);
    return reply;
}
