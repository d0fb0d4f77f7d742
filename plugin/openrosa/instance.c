/*
 * The identity reader: libxml2's push parser with handlers for a dozen events. See instance.h.
 *
 * Bytes are gathered to blocks of RELAIS_INSTANCE_ROOT_MAX before they are parsed, so that
 * the parser sees the same blocks however the body was cut.
 */
#include "openrosa/instance.h"

#include "base/text.h"
#include "openrosa/tags.h"

#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE RELAIS_INSTANCE_ROOT_MAX

/* root/meta/instanceID */
enum { DEPTH_ROOT = 1, DEPTH_META = 2, DEPTH_INSTANCE_ID = 3 };

struct relais_instance_reader {
    relais_instance instance;
    bool has_doctype;
    bool has_root;
    bool is_done; /* nothing further is of interest, or can be read */
    bool out_of_memory;

    unsigned depth;
    bool in_meta;
    bool in_instance_id;
    relais_instance_text text; /* of the instanceID being read */

    relais_tags tags;
    xmlParserCtxtPtr parser;
    size_t parsed;
    size_t fill;
    char block[BLOCK_SIZE];
};

/* ---- texts ----------------------------------------------------------------------------- */

static void text_append(relais_instance_text *text, const char *bytes, size_t length)
{
    size_t room = sizeof text->bytes - 1 - text->length;

    if (length > room)
        length = room;
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

static void text_set(relais_instance_text *text, const char *bytes, size_t length)
{
    relais_trim(&bytes, &length);
    *text = (relais_instance_text){.length = 0};
    text_append(text, bytes, length);
}

/* ---- events ---------------------------------------------------------------------------- */

static void stop(relais_instance_reader *reader)
{
    reader->is_done = true;
    xmlStopParser(reader->parser);
}

static void on_doctype(void *context, const xmlChar *name, const xmlChar *external_id,
                       const xmlChar *system_id)
{
    relais_instance_reader *reader = context;

    (void)name;
    (void)external_id;
    (void)system_id;
    reader->has_doctype = true;
    stop(reader);
}

/* libxml2 hands attributes over as five pointers each: local name, prefix, namespace, and
 * the value's start and end. The un-prefixed one wins over orx:version and the like. */
static void read_attribute(const xmlChar **attributes, int count, const char *name,
                           relais_instance_text *out)
{
    const xmlChar **found = NULL;

    for (int i = 0; i < count; i++, attributes += 5) {
        bool is_plain = attributes[1] == NULL;
        if (strcmp((const char *)attributes[0], name) == 0 && (found == NULL || is_plain))
            found = attributes;
    }
    if (found != NULL)
        text_set(out, (const char *)found[3], (size_t)(found[4] - found[3]));
}

static void on_start(void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int namespace_count, const xmlChar **namespaces, int attribute_count,
                     int default_count, const xmlChar **attributes)
{
    relais_instance_reader *reader = context;

    (void)prefix;
    (void)uri;
    (void)namespace_count;
    (void)namespaces;
    (void)default_count;
    reader->depth++;
    if (reader->depth == DEPTH_ROOT) {
        reader->has_root = true;
        read_attribute(attributes, attribute_count, "id", &reader->instance.id);
        read_attribute(attributes, attribute_count, "version", &reader->instance.version);
    } else if (reader->depth == DEPTH_META) {
        reader->in_meta = strcmp((const char *)name, "meta") == 0;
    } else if (reader->depth == DEPTH_INSTANCE_ID && reader->in_meta) {
        reader->in_instance_id = strcmp((const char *)name, "instanceID") == 0;
        reader->text = (relais_instance_text){.length = 0};
    }
}

static void on_text(void *context, const xmlChar *bytes, int length)
{
    relais_instance_reader *reader = context;

    if (reader->in_instance_id && reader->depth == DEPTH_INSTANCE_ID)
        text_append(&reader->text, (const char *)bytes, (size_t)length);
}

/* An empty instanceID is none: a second meta may hold one. */
static void end_instance_id(relais_instance_reader *reader)
{
    reader->in_instance_id = false;
    text_set(&reader->instance.instance_id, reader->text.bytes, reader->text.length);
    if (reader->instance.instance_id.length > 0)
        stop(reader);
}

static void on_end(void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    relais_instance_reader *reader = context;

    (void)name;
    (void)prefix;
    (void)uri;
    if (reader->in_instance_id && reader->depth == DEPTH_INSTANCE_ID)
        end_instance_id(reader);
    reader->depth--;
    if (reader->depth == 0)
        stop(reader);
}

/* A function of its own type in each libxml2: the error became const in 2.12. */
#if LIBXML_VERSION >= 21200
static void on_error(void *context, const xmlError *error)
#else
static void on_error(void *context, xmlErrorPtr error)
#endif
{
    (void)context;
    (void)error;
}

static void on_message(void *context, const char *format, ...)
{
    (void)context;
    (void)format;
}

/* ---- the parser ------------------------------------------------------------------------ */

static xmlParserCtxtPtr parser_create(relais_instance_reader *reader)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    xmlSAXHandler events = {
        .internalSubset = on_doctype,
        .startElementNs = on_start,
        .endElementNs = on_end,
        .characters = on_text,
        .ignorableWhitespace = on_text,
        .cdataBlock = on_text,
        .warning = on_message,
        .error = on_message,
        .fatalError = on_message,
        .serror = on_error,
        .initialized = XML_SAX2_MAGIC,
    };
    xmlParserCtxtPtr parser;

    pthread_once(&once, xmlInitParser);
    parser = xmlCreatePushParserCtxt(&events, reader, NULL, 0, NULL);
    /* NOENT concerns &amp; in attributes, which otherwise arrives as &#38;. There are no other
     * entities, since a DOCTYPE ends the reading. */
    if (parser != NULL)
        xmlCtxtUseOptions(parser, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                      XML_PARSE_NOENT);
    return parser;
}

static bool contains(const char *bytes, size_t length, const char *text)
{
    return memmem(bytes, length, text, strlen(text)) != NULL;
}

/* After the first block: the root has been read, or it never will be. A declaration that
 * the parser did not come to, or that stands outside a DOCTYPE, is found by its text. */
static void judge_root(relais_instance_reader *reader)
{
    if (reader->has_root)
        return;
    reader->is_done = true;
    if (contains(reader->block, reader->fill, "<!DOCTYPE") ||
        contains(reader->block, reader->fill, "<!ENTITY"))
        reader->has_doctype = true;
}

/* Leaves of the block what does not keep the parser busy for seconds: up to an element with too
 * many attributes, after which nothing is read. */
static void cut_block(relais_instance_reader *reader)
{
    bool can_count = reader->parsed > 0 || relais_tags_can_count(reader->block, reader->fill);
    size_t length = can_count ? relais_tags_pass(&reader->tags, reader->block, reader->fill) : 0;

    reader->is_done = length < reader->fill;
    reader->fill = length;
}

static bool run_parser(relais_instance_reader *reader, bool is_last)
{
    if (reader->parser == NULL)
        reader->parser = parser_create(reader);
    return reader->parser != NULL && xmlParseChunk(reader->parser, reader->block, (int)reader->fill,
                                                   is_last) != XML_ERR_NO_MEMORY;
}

static void parse_block(relais_instance_reader *reader, bool is_last)
{
    bool is_first = reader->parsed == 0;

    cut_block(reader);
    if (!run_parser(reader, is_last)) {
        reader->out_of_memory = reader->is_done = true;
        return;
    }
    reader->parsed += reader->fill;
    reader->is_done = reader->is_done || !reader->parser->wellFormed ||
                      reader->parsed >= RELAIS_INSTANCE_SCAN_MAX;
    if (is_first)
        judge_root(reader);
    reader->fill = 0;
}

/* ---- the interface --------------------------------------------------------------------- */

relais_instance_reader *relais_instance_create(void)
{
    return calloc(1, sizeof(relais_instance_reader));
}

void relais_instance_destroy(relais_instance_reader *reader)
{
    if (reader == NULL)
        return;
    if (reader->parser != NULL)
        xmlFreeParserCtxt(reader->parser);
    free(reader);
}

void relais_instance_feed(relais_instance_reader *reader, const char *bytes, size_t length)
{
    while (length > 0 && !reader->is_done) {
        size_t size = BLOCK_SIZE - reader->fill;

        if (size > length)
            size = length;
        memcpy(reader->block + reader->fill, bytes, size);
        reader->fill += size;
        bytes += size;
        length -= size;
        if (reader->fill == BLOCK_SIZE)
            parse_block(reader, false);
    }
}

relais_instance_state relais_instance_finish(relais_instance_reader *reader,
                                             const relais_instance **out)
{
    *out = &reader->instance;
    if (reader->parsed == 0 && reader->fill == 0 && !reader->is_done)
        return RELAIS_INSTANCE_EMPTY;
    if (!reader->is_done && reader->fill > 0)
        parse_block(reader, true);
    if (reader->out_of_memory)
        return RELAIS_INSTANCE_NO_MEMORY;
    if (reader->has_doctype)
        return RELAIS_INSTANCE_DOCTYPE;
    return reader->has_root ? RELAIS_INSTANCE_READ : RELAIS_INSTANCE_BROKEN;
}
