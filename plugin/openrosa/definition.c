/*
 * An XForm's id, version and title by libxml2's reader. See definition.h.
 *
 * One pass over the elements, without a tree: the largest forms have 4 MB. Names are matched
 * by local name and depth: h:html/h:head/h:title, h:html/h:head/model/instance/ROOT.
 */
#include "openrosa/definition.h"

#include "base/text.h"
#include "spool/parcel.h"

#include <libxml/xmlreader.h>
#include <string.h>

enum { DEPTH_HEAD = 1, DEPTH_TITLE = 2, DEPTH_MODEL = 2, DEPTH_INSTANCE = 3, DEPTH_ROOT = 4 };

/* One reading. `err` gets the first complaint, the parser's or ours. */
struct reading {
    xmlTextReaderPtr reader;
    const char *file;
    relais_arena *arena;
    relais_definition *out;
    relais_error *err;

    bool in_head;
    bool in_title;
    bool in_model;
    bool in_instance;
    bool has_model;
    bool has_instance;
    bool has_root;
    relais_buffer title;
};

#if LIBXML_VERSION >= 21200
static void on_error(void *context, const xmlError *error)
#else
static void on_error(void *context, xmlErrorPtr error)
#endif
{
    struct reading *reading = context;
    const char *message = error->message == NULL ? "unknown" : error->message;

    /* An undeclared prefix and the like, which Collect takes too. */
    if (error->level != XML_ERR_FATAL)
        return;
    relais_error_set(reading->err, RELAIS_ERR_SYNTAX, "the form is not well-formed: %.*s",
                     (int)strcspn(message, "\n"), message);
    relais_error_at(reading->err, reading->file, error->line);
}

static bool complain(struct reading *reading, const char *what)
{
    relais_error_set(reading->err, RELAIS_ERR_CONFIG, "%s", what);
    relais_error_at(reading->err, reading->file, xmlTextReaderGetParserLineNumber(reading->reader));
    return false;
}

/* A trimmed copy, "" for NULL; bounded, since a parcel's head must hold it. */
static bool keep(struct reading *reading, const char *text, const char *what, const char **out)
{
    const char *start = text == NULL ? "" : text;
    size_t length = strlen(start);

    relais_trim(&start, &length);
    if (length > RELAIS_PARCEL_VALUE_MAX) {
        relais_error_set(reading->err, RELAIS_ERR_CONFIG, "the form's %s is longer than %d bytes",
                         what, RELAIS_PARCEL_VALUE_MAX);
        relais_error_at(reading->err, reading->file,
                        xmlTextReaderGetParserLineNumber(reading->reader));
        return false;
    }
    *out = relais_arena_copy(reading->arena, start, length);
    return *out != NULL || relais_arena_error(reading->arena, reading->err);
}

static bool keep_attribute(struct reading *reading, const char *name, const char **out)
{
    xmlChar *value = xmlTextReaderGetAttribute(reading->reader, BAD_CAST name);
    bool ok = keep(reading, (const char *)value, name, out);

    xmlFree(value);
    return ok;
}

/* A step "." or ".." in an address is resolved away by every client. */
static bool is_dots(const char *text)
{
    return strcmp(text, ".") == 0 || strcmp(text, "..") == 0;
}

static bool read_root(struct reading *reading)
{
    reading->has_root = true;
    if (!keep_attribute(reading, "id", &reading->out->id) ||
        !keep_attribute(reading, "version", &reading->out->version))
        return false;
    if (reading->out->id[0] == '\0')
        return complain(reading, "the first element of the primary instance has no id; give it "
                                 "one (form_id in the XLSForm's settings)");
    if (is_dots(reading->out->id) || is_dots(reading->out->version))
        return complain(reading, "an id or version of dots cannot be part of an address; choose "
                                 "another");
    return true;
}

static bool start_element(struct reading *reading, const char *name, int depth)
{
    if (depth == DEPTH_HEAD) {
        reading->in_head = strcmp(name, "head") == 0;
    } else if (depth == DEPTH_TITLE && reading->in_head) {
        reading->in_title = strcmp(name, "title") == 0;
        reading->in_model = strcmp(name, "model") == 0 && !reading->has_model;
        reading->has_model = reading->has_model || reading->in_model;
    } else if (depth == DEPTH_INSTANCE && reading->in_model) {
        reading->in_instance = strcmp(name, "instance") == 0 && !reading->has_instance;
        reading->has_instance = reading->has_instance || reading->in_instance;
    } else if (depth == DEPTH_ROOT && reading->in_instance && !reading->has_root) {
        return read_root(reading);
    }
    return true;
}

static void end_element(struct reading *reading, int depth)
{
    if (depth == DEPTH_HEAD)
        reading->in_head = false;
    if (depth == DEPTH_MODEL)
        reading->in_title = reading->in_model = false;
    if (depth == DEPTH_INSTANCE)
        reading->in_instance = false;
}

static bool read_node(struct reading *reading)
{
    const char *name = (const char *)xmlTextReaderConstLocalName(reading->reader);
    int depth = xmlTextReaderDepth(reading->reader);

    switch (xmlTextReaderNodeType(reading->reader)) {
    case XML_READER_TYPE_ELEMENT:
        if (!start_element(reading, name, depth))
            return false;
        if (xmlTextReaderIsEmptyElement(reading->reader))
            end_element(reading, depth);
        return true;
    case XML_READER_TYPE_END_ELEMENT:
        end_element(reading, depth);
        return true;
    case XML_READER_TYPE_TEXT:
    case XML_READER_TYPE_CDATA:
        if (reading->in_title)
            relais_buffer_append_text(&reading->title,
                                      (const char *)xmlTextReaderConstValue(reading->reader));
        return true;
    default:
        return true;
    }
}

static bool read_nodes(struct reading *reading)
{
    int more;

    while ((more = xmlTextReaderRead(reading->reader)) == 1) {
        if (!read_node(reading))
            return false;
    }
    if (more < 0)
        return complain(reading, "the form is not well-formed");
    if (!reading->has_root)
        return complain(reading, "the form has no primary instance (h:head/model/instance)");
    if (!keep(reading, reading->title.data, "title", &reading->out->title))
        return false;
    if (reading->out->title[0] == '\0')
        reading->out->title = reading->out->id;
    return true;
}

bool relais_definition_read(const char *bytes, size_t length, const char *file, relais_arena *arena,
                            relais_definition *out, relais_error *err)
{
    struct reading reading = {.file = file, .arena = arena, .out = out, .err = err};
    bool ok;

    *out = (relais_definition){"", "", ""};
    /* HUGE: libxml2 otherwise refuses documents above 10 MB; ours are local and bounded. */
    reading.reader =
        xmlReaderForMemory(bytes, (int)length, NULL, NULL, XML_PARSE_NONET | XML_PARSE_HUGE);
    if (reading.reader == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    xmlTextReaderSetStructuredErrorHandler(reading.reader, on_error, &reading);
    relais_buffer_init(&reading.title, length);
    ok = read_nodes(&reading);
    relais_buffer_free(&reading.title);
    xmlFreeTextReader(reading.reader);
    return ok;
}
