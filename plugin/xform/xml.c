/*
 * Strict parsing and small questions to a document. See xml.h.
 *
 * The limits are set in SAX callbacks in front of libxml2's own tree builder, so that a
 * hostile document is stopped before its tree exists.
 */
#include "xform/xml.h"

#include "base/text.h"
#include "openrosa/tags.h"

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include <limits.h>
#include <string.h>
#include <strings.h>

/* NONET: no fetching. No NOENT, DTDLOAD or HUGE: they undo libxml2's guards. */
enum { PARSE_OPTIONS = XML_PARSE_NONET | XML_PARSE_NOCDATA | XML_PARSE_BIG_LINES };

/* What the callbacks of one parse know; hangs on the context's _private. */
struct watch {
    const relais_xml_limits *limits;
    unsigned depth;
    unsigned nodes;
    bool has_doctype;
    bool is_too_deep;
    bool has_too_many;
    int code; /* of libxml2's first error, 0 when none */
    relais_xml_fault fault;
};

/* libxml2's own messages quote the document, so errors are worded here. */
static const struct wording {
    int code;
    const char *text;
} wordings[] = {
    {XML_ERR_DOCUMENT_EMPTY, "there is no XML"},
    {XML_ERR_DOCUMENT_END, "something follows the end of the root element"},
    {XML_ERR_TAG_NOT_FINISHED, "the XML ends inside an element"},
    {XML_ERR_TAG_NAME_MISMATCH, "an end tag does not match its start tag"},
    {XML_ERR_GT_REQUIRED, "a tag is not closed by '>'"},
    {XML_ERR_LTSLASH_REQUIRED, "an end tag is missing"},
    {XML_ERR_INVALID_CHAR, "a character, or a reference to one, is not allowed in XML"},
    {XML_ERR_INVALID_CHARREF, "a reference &#...; does not name a character of XML"},
    {XML_ERR_INVALID_DEC_CHARREF, "a reference &#...; is malformed"},
    {XML_ERR_INVALID_HEX_CHARREF, "a reference &#x...; is malformed"},
    {XML_ERR_UNDECLARED_ENTITY, "an entity is used, and entities are not accepted"},
    {XML_WAR_UNDECLARED_ENTITY, "an entity is used, and entities are not accepted"},
    {XML_ERR_ENTITYREF_SEMICOL_MISSING, "an '&' is not written as &amp;"},
    {XML_ERR_NAME_REQUIRED, "a name is missing after '<' or '&'"},
    {XML_ERR_LT_IN_ATTRIBUTE, "a '<' stands in an attribute"},
    {XML_ERR_ATTRIBUTE_NOT_STARTED, "an attribute's value has no quotes"},
    {XML_ERR_ATTRIBUTE_NOT_FINISHED, "an attribute's value is not closed by its quote"},
    {XML_ERR_ATTRIBUTE_WITHOUT_VALUE, "an attribute has no value"},
    {XML_ERR_ATTRIBUTE_REDEFINED, "an attribute stands twice in one tag"},
    {XML_ERR_SPACE_REQUIRED, "a space is missing between attributes"},
    {XML_ERR_MISPLACED_CDATA_END, "a ']]>' stands in text"},
    {XML_ERR_RESERVED_XML_NAME, "the XML declaration is not at the very beginning"},
    {XML_ERR_INVALID_ENCODING, "the bytes are not of the encoding they claim"},
    {XML_ERR_UNSUPPORTED_ENCODING, "the encoding is unknown"},
};

static const char *wording_of(int code)
{
    for (size_t i = 0; i < sizeof wordings / sizeof *wordings; i++)
        if (wordings[i].code == code)
            return wordings[i].text;
    return "it is not well-formed";
}

/* ---- callbacks -------------------------------------------------------------------------- */

static void stop_here(xmlParserCtxtPtr parser, struct watch *watch)
{
    watch->fault.offset = xmlByteConsumed(parser);
    watch->fault.line = xmlSAX2GetLineNumber(parser);
    xmlStopParser(parser);
}

static void on_doctype(void *context, const xmlChar *name, const xmlChar *id, const xmlChar *uri)
{
    xmlParserCtxtPtr parser = context;
    struct watch *watch = parser->_private;

    (void)name, (void)id, (void)uri;
    watch->has_doctype = true;
    stop_here(parser, watch);
}

/* False, and the parser stopped, when `more` nodes are too many. Parameters are counted by the
 * parser in int, and each has its bytes in the document: no sum wraps. */
static bool count_nodes(xmlParserCtxtPtr parser, unsigned more)
{
    struct watch *watch = parser->_private;

    watch->nodes += more;
    if (watch->nodes <= watch->limits->nodes)
        return true;
    watch->has_too_many = true;
    stop_here(parser, watch);
    return false;
}

static void on_start(void *context, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri,
                     int ns_count, const xmlChar **ns, int attribute_count, int defaulted,
                     const xmlChar **attributes)
{
    xmlParserCtxtPtr parser = context;
    struct watch *watch = parser->_private;

    if (++watch->depth > watch->limits->depth) {
        watch->is_too_deep = true;
        stop_here(parser, watch);
        return;
    }
    if (!count_nodes(parser, 1 + (unsigned)ns_count + 2 * (unsigned)attribute_count))
        return;
    xmlSAX2StartElementNs(context, local, prefix, uri, ns_count, ns, attribute_count, defaulted,
                          attributes);
}

/* A text that goes on is the node that it began as. */
static void on_characters(void *context, const xmlChar *text, int length)
{
    xmlParserCtxtPtr parser = context;
    const xmlNode *last = parser->node == NULL ? NULL : parser->node->last;

    if ((last != NULL && last->type == XML_TEXT_NODE) || count_nodes(parser, 1))
        xmlSAX2Characters(context, text, length);
}

static void on_comment(void *context, const xmlChar *text)
{
    if (count_nodes(context, 1))
        xmlSAX2Comment(context, text);
}

static void on_instruction(void *context, const xmlChar *target, const xmlChar *text)
{
    if (count_nodes(context, 1))
        xmlSAX2ProcessingInstruction(context, target, text);
}

static void on_end(void *context, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri)
{
    xmlParserCtxtPtr parser = context;

    ((struct watch *)parser->_private)->depth--;
    xmlSAX2EndElementNs(context, local, prefix, uri);
}

/* Namespace complaints are no matter: namespaces are removed anyway. */
static void on_error(void *context, xmlErrorPtr error)
{
    xmlParserCtxtPtr parser = context;
    struct watch *watch = parser->_private;

    if (watch->code != 0 || error->level < XML_ERR_ERROR || error->domain == XML_FROM_NAMESPACE)
        return;
    watch->code = error->code;
    watch->fault.line = error->line;
    watch->fault.offset = xmlByteConsumed(parser);
}

/* ---- encoding --------------------------------------------------------------------------- */

/* True when the bytes claim, or by silence mean, UTF-8 (XML 1.0 section 4.3.3). */
static bool claims_utf8(const char *bytes, size_t length)
{
    char head[160]; /* an XML declaration is at most this long in any writer's habit */
    size_t n = length < sizeof head - 1 ? length : sizeof head - 1;
    char *end, *encoding;

    memcpy(head, bytes, n);
    head[n] = '\0';
    if (n >= 4 && (memchr(bytes, 0, 4) != NULL || memcmp(bytes, "\xfe\xff", 2) == 0 ||
                   memcmp(bytes, "\xff\xfe", 2) == 0))
        return false; /* UTF-16 or UTF-32 */
    end = strstr(head, "?>");
    if (strncmp(head, "<?xml", 5) != 0 || end == NULL)
        return true;
    *end = '\0';
    encoding = strstr(head, "encoding");
    encoding = encoding == NULL ? NULL : strpbrk(encoding, "\"'");
    return encoding == NULL || strncasecmp(encoding + 1, "utf-8", 5) == 0;
}

/* The first byte that is not of valid UTF-8, or is NUL: libxml2 takes NUL for the end. */
static size_t find_bad_byte(const char *bytes, size_t length)
{
    size_t i = 0;

    while (i < length && bytes[i] != '\0') {
        size_t n = 1;
        while (n <= 4 && n <= length - i && !relais_utf8_valid(bytes + i, n))
            n++;
        if (n > 4 || n > length - i)
            break;
        i += n;
    }
    return i;
}

static long count_lines(const char *bytes, size_t length)
{
    long lines = 1;

    for (size_t i = 0; i < length; i++)
        lines += bytes[i] == '\n';
    return lines;
}

static bool check_utf8(const char *bytes, size_t length, relais_xml_fault *fault, relais_error *err)
{
    size_t bad;

    if (!claims_utf8(bytes, length) ||
        (relais_utf8_valid(bytes, length) && memchr(bytes, 0, length) == NULL))
        return true;
    bad = find_bad_byte(bytes, length);
    fault->offset = (int64_t)bad;
    fault->line = count_lines(bytes, bad);
    relais_error_set(err, RELAIS_ERR_SYNTAX, "the XML is damaged at byte %zu: %s", bad,
                     bytes[bad] == '\0' ? "a NUL byte" : "the bytes are not UTF-8");
    relais_error_at(err, NULL, fault->line);
    return false;
}

/* ---- what libxml2 sets no limit to ----------------------------------------------------------- */

static bool check_attributes(const char *bytes, size_t length, relais_error *err)
{
    relais_tags tags = {0};

    if (!relais_tags_can_count(bytes, length))
        return relais_error_set(err, RELAIS_ERR_SYNTAX, "the XML is wrong: %s",
                                wording_of(XML_ERR_UNSUPPORTED_ENCODING));
    if (relais_tags_pass(&tags, bytes, length) < length)
        return relais_error_set(err, RELAIS_ERR_LIMIT,
                                "an element of the XML has more than %d attributes",
                                RELAIS_ATTRIBUTES_MAX);
    return true;
}

/* ---- parsing ---------------------------------------------------------------------------- */

static void free_document(void *data)
{
    xmlFreeDoc(data);
}

static bool explain(const struct watch *watch, relais_error *err)
{
    if (watch->has_doctype)
        relais_error_set(err, RELAIS_ERR_SYNTAX,
                         "the XML has a DOCTYPE, which is not accepted: it could define entities");
    else if (watch->is_too_deep)
        relais_error_set(err, RELAIS_ERR_LIMIT, "the XML nests deeper than %u elements",
                         watch->limits->depth);
    else if (watch->has_too_many)
        relais_error_set(err, RELAIS_ERR_LIMIT,
                         "the XML has more than %u elements, attributes and texts",
                         watch->limits->nodes);
    else if (watch->code == XML_ERR_NO_MEMORY)
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left to parse the XML");
    else if (watch->fault.offset >= 0)
        relais_error_set(err, RELAIS_ERR_SYNTAX, "the XML is wrong at byte %lld: %s",
                         (long long)watch->fault.offset, wording_of(watch->code));
    else
        relais_error_set(err, RELAIS_ERR_SYNTAX, "the XML is wrong: %s", wording_of(watch->code));
    relais_error_at(err, NULL, watch->fault.line);
    return false;
}

static xmlDocPtr run_parser(xmlParserCtxtPtr parser, struct watch *watch, const char *bytes,
                            size_t length)
{
    parser->_private = watch;
    parser->sax->internalSubset = on_doctype;
    parser->sax->startElementNs = on_start;
    parser->sax->endElementNs = on_end;
    parser->sax->characters = on_characters;
    parser->sax->ignorableWhitespace = on_characters;
    parser->sax->comment = on_comment;
    parser->sax->processingInstruction = on_instruction;
    parser->sax->serror = on_error;
    return xmlCtxtReadMemory(parser, bytes, (int)length, NULL, NULL, PARSE_OPTIONS);
}

/* True when libxml2 made a document and no limit of ours stopped it. */
static bool is_whole(xmlDocPtr doc, const struct watch *watch)
{
    return doc != NULL && !watch->has_doctype && !watch->is_too_deep && !watch->has_too_many &&
           xmlDocGetRootElement(doc) != NULL;
}

bool relais_xml_parse(const char *bytes, size_t length, const relais_xml_limits *limits,
                      relais_arena *arena, xmlDocPtr *out, relais_xml_fault *fault,
                      relais_error *err)
{
    struct watch watch = {.limits = limits, .fault = {.offset = -1}};
    xmlParserCtxtPtr parser;
    xmlDocPtr doc;

    *out = NULL;
    *fault = watch.fault;
    if (length > INT_MAX)
        return relais_error_set(err, RELAIS_ERR_LIMIT, "the XML is larger than 2 GB");
    if (length == 0)
        return relais_error_set(err, RELAIS_ERR_SYNTAX, "there is no XML");
    if (!check_utf8(bytes, length, fault, err) || !check_attributes(bytes, length, err))
        return false;
    xmlInitParser();
    parser = xmlNewParserCtxt();
    if (parser == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left to parse the XML");
    doc = run_parser(parser, &watch, bytes, length);
    xmlFreeParserCtxt(parser);
    if (watch.fault.offset > (int64_t)length) /* an estimate where an encoding is converted */
        watch.fault.offset = (int64_t)length;
    *fault = watch.fault;
    if (!is_whole(doc, &watch)) {
        xmlFreeDoc(doc);
        return explain(&watch, err);
    }
    if (!relais_arena_cleanup(arena, free_document, doc))
        return relais_arena_error(arena, err);
    *out = doc;
    return true;
}

/* ---- namespaces ------------------------------------------------------------------------- */

static bool is_noted(const relais_buffer *noted, const char *prefix, size_t length)
{
    const char *p = noted->data;

    while (p != NULL && *p != '\0') {
        size_t n = strcspn(p, ",");
        if (n == length && memcmp(p, prefix, n) == 0)
            return true;
        p += n;
        p += strspn(p, ", ");
    }
    return false;
}

static void note_prefix(relais_buffer *noted, const char *name)
{
    size_t length = strcspn(name, ":");

    if (is_noted(noted, name, length))
        return;
    if (noted->length > 0)
        relais_buffer_append(noted, ", ", 2);
    relais_buffer_append(noted, name, length);
}

static void strip_name(xmlNodePtr node, relais_buffer *undeclared)
{
    const char *local = relais_xml_local_name(node->name);

    node->ns = NULL;
    if (local == (const char *)node->name)
        return;
    note_prefix(undeclared, (const char *)node->name);
    if (*local != '\0') {
        xmlChar *copy = xmlStrdup((const xmlChar *)local);
        if (copy != NULL)
            xmlNodeSetName(node, copy);
        xmlFree(copy);
    }
}

void relais_xml_strip_namespaces(xmlDocPtr doc, relais_buffer *undeclared)
{
    xmlNodePtr root = xmlDocGetRootElement(doc);

    for (xmlNodePtr node = root; node != NULL; node = relais_xml_next(node, root)) {
        strip_name(node, undeclared);
        for (xmlAttrPtr attribute = node->properties; attribute; attribute = attribute->next)
            strip_name((xmlNodePtr)attribute, undeclared);
    }
    /* Only now: a declaration may be in use until the last element below it. */
    for (xmlNodePtr node = root; node != NULL; node = relais_xml_next(node, root)) {
        xmlFreeNsList(node->nsDef);
        node->nsDef = NULL;
    }
}

/* ---- questions -------------------------------------------------------------------------- */

const char *relais_xml_local_name(const xmlChar *name)
{
    const char *colon = strrchr((const char *)name, ':');

    return colon == NULL ? (const char *)name : colon + 1;
}

bool relais_xml_is(const xmlNode *node, const char *local_name)
{
    return node->type == XML_ELEMENT_NODE &&
           strcmp(relais_xml_local_name(node->name), local_name) == 0;
}

xmlNodePtr relais_xml_child(const xmlNode *parent, const char *local_name)
{
    for (xmlNodePtr node = parent->children; node != NULL; node = node->next)
        if (relais_xml_is(node, local_name))
            return node;
    return NULL;
}

static xmlNodePtr first_element(xmlNodePtr node)
{
    while (node != NULL && node->type != XML_ELEMENT_NODE)
        node = node->next;
    return node;
}

xmlNodePtr relais_xml_next(const xmlNode *node, const xmlNode *within)
{
    xmlNodePtr next = first_element(node->children);

    while (next == NULL && node != within) {
        next = first_element(node->next);
        node = node->parent;
    }
    return next;
}

const char *relais_xml_text(const xmlNode *node, relais_arena *arena)
{
    xmlChar *content = node == NULL ? NULL : xmlNodeGetContent(node);
    const char *text = (const char *)content, *copy;
    size_t length;

    if (text == NULL)
        return node == NULL ? "" : NULL;
    length = strlen(text);
    relais_trim(&text, &length);
    copy = relais_arena_copy(arena, text, length);
    xmlFree(content);
    return copy;
}

const char *relais_xml_attribute(const xmlNode *node, const char *local_name, relais_arena *arena)
{
    xmlAttrPtr found = NULL;

    for (xmlAttrPtr attribute = node->properties; attribute; attribute = attribute->next) {
        const char *local = relais_xml_local_name(attribute->name);
        bool is_plain = attribute->ns == NULL && local == (const char *)attribute->name;
        if (strcmp(local, local_name) != 0)
            continue;
        if (is_plain || found == NULL)
            found = attribute;
        if (is_plain)
            break;
    }
    return relais_xml_text((const xmlNode *)found, arena);
}
