/*
 * The file of a mapping. See source.h.
 *
 * libxml2 says where a document leaves the grammar, but not what the grammar wants there;
 * the table of usages below adds that.
 */
#include "transform/source.h"

#include "base/buffer.h"
#include "transform/grammar.h"

#include <errno.h>
#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <stdio.h>
#include <string.h>

enum { FILE_MAX = 1024 * 1024 }; /* the national mapping has 10 KB */

static const struct {
    const char *element, *usage;
} usages[] = {
    {"mapping", "<mapping form=\"...\" [versions=\"...\"] [sensitive=\"yes|no\"] "
                "[encrypted=\"yes|no\"]> with <list>, <let>, <row>, <when>, <file>, <ignore>"},
    {"list", "<list name=\"...\" table=\"schema.table\" column=\"...\" [where=\"...\" "
             "is=\"...\"] [parent=\"...\" level=\"...\"] [if-absent=\"refuse|hold\"]/>"},
    {"let", "<let name=\"...\" select=\"...\"/>"},
    {"row", "<row table=\"schema.table\" [for-each=\"...\"] [tokens=\"...\"] "
            "[if-exists=\"overwrite|keep\", or if-exists=\"newest\" newest=\"...\", or "
            "replace=\"...\"]> with <column>, <let>, <row>, <when>, <file>, <ignore>"},
    {"column", "<column name=\"...\" [list=\"...\"] [default=\"...\"] select=\"...\"/>, or "
               "<from select=\"...\"/> or a <seal> inside it"},
    {"from", "<from select=\"...\"/>"},
    {"seal", "<seal> with <field name=\"...\" select=\"...\"/>"},
    {"field", "<field name=\"...\" select=\"...\"/>"},
    {"when", "<when test=\"...\"> with <let>, <row>, <when>, <file>, <ignore>"},
    {"file", "<file select=\"...\"/>"},
    {"ignore", "<ignore select=\"...\" reason=\"...\"/>"},
};

/* What is a function, and often looked for as an element. */
static const struct {
    const char *element, *function;
} functions[] = {{"key", "hmac()"}, {"generalise", "generalise()"}};

static const char namespace_uri[] = "urn:relais:mapping:1";

/* Loading */

static void read_all(FILE *stream, relais_buffer *out)
{
    char chunk[8192];
    size_t count;

    while ((count = fread(chunk, 1, sizeof chunk, stream)) > 0)
        relais_buffer_append(out, chunk, count);
}

bool relais_source_load(const char *file, relais_arena *arena, const char **text, size_t *length,
                        relais_error *err)
{
    FILE *stream = fopen(file, "rbe");
    relais_buffer bytes;
    bool ok;

    if (stream == NULL)
        return relais_error_system(err, errno, file, "the mapping cannot be opened");
    relais_buffer_init(&bytes, FILE_MAX);
    read_all(stream, &bytes);
    ok = ferror(stream) ? relais_error_system(err, errno, file, "the mapping cannot be read")
                        : relais_buffer_check(&bytes, "a mapping", err);
    fclose(stream);
    if (ok) {
        *length = bytes.length;
        *text = relais_arena_copy(arena, bytes.data, bytes.length);
        ok = *text != NULL || relais_arena_error(arena, err);
    }
    relais_buffer_free(&bytes);
    if (!ok)
        relais_error_at(err, file, 0);
    return ok;
}

/* Parsing */

static void release_doc(void *data)
{
    xmlFreeDoc(data);
}

/* libxml2's messages end in a line feed. */
static int message_length(const char *message)
{
    return message == NULL ? 0 : (int)strcspn(message, "\n");
}

static xmlDocPtr parse(const char *file, const char *text, size_t length, relais_error *err)
{
    xmlParserCtxtPtr parser = xmlNewParserCtxt();
    xmlDocPtr doc = NULL;

    if (parser == NULL) {
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for a mapping");
        return NULL;
    }
    doc = xmlCtxtReadMemory(parser, text, (int)length, NULL, NULL,
                            XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                XML_PARSE_BIG_LINES | XML_PARSE_NOCDATA);
    if (doc == NULL) {
        const char *message = parser->lastError.message;
        relais_error_set(err, RELAIS_ERR_SYNTAX, "this is not well-formed XML: %.*s",
                         message_length(message), message == NULL ? "" : message);
        relais_error_at(err, file, parser->lastError.line);
    }
    xmlFreeParserCtxt(parser);
    return doc;
}

/* Validating */

struct verdict {
    const char *file;
    relais_error complaint; /* the most telling so far */
    bool is_telling;
};

static const char *usage_of(const xmlNode *node)
{
    for (size_t i = 0; node != NULL && i < sizeof usages / sizeof *usages; i++)
        if (strcmp(usages[i].element, (const char *)node->name) == 0)
            return usages[i].usage;
    return NULL;
}

/* True when the usage shows the attribute: ` name="` or `[name="`. */
static bool shows(const char *usage, const char *name)
{
    size_t length = strlen(name);

    for (const char *p = strstr(usage, name); p != NULL; p = strstr(p + length, name))
        if ((p[-1] == ' ' || p[-1] == '[') && strncmp(p + length, "=\"", 2) == 0)
            return true;
    return false;
}

static const char *unknown_attribute(const xmlNode *element, const char *usage)
{
    for (const xmlAttr *a = element->properties; a != NULL; a = a->next)
        if (!shows(usage, (const char *)a->name))
            return (const char *)a->name;
    return NULL;
}

static void word_complaint(struct verdict *verdict, const xmlNode *element, const char *message)
{
    const char *name = (const char *)element->name, *usage = usage_of(element), *unknown;

    if (usage == NULL) {
        usage = usage_of(element->parent);
        relais_error_set(&verdict->complaint, RELAIS_ERR_CONFIG,
                         "<%s> cannot stand here; expected %s", name,
                         usage == NULL ? usages[0].usage : usage);
        return;
    }
    unknown = unknown_attribute(element, usage);
    if (unknown != NULL)
        relais_error_set(&verdict->complaint, RELAIS_ERR_CONFIG,
                         "<%s> has no attribute %s; expected %s", name, unknown, usage);
    else if (verdict->is_telling)
        relais_error_set(&verdict->complaint, RELAIS_ERR_CONFIG, "%.*s; expected %s",
                         message_length(message), message, usage);
    else
        relais_error_set(&verdict->complaint, RELAIS_ERR_CONFIG,
                         "<%s> lacks an attribute, or has one that cannot be so; expected %s", name,
                         usage);
}

/* A complaint about an element sometimes comes with a node inside it; the message has the
 * name: "Element row failed to validate attributes". */
static const xmlNode *blamed(const xmlNode *node, const char *message)
{
    const char *name = strstr(message, "lement ");
    size_t length = name == NULL ? 0 : strcspn(name + 7, " :\n");

    for (const xmlNode *n = node; n != NULL && length > 0; n = n->parent)
        if (n->type == XML_ELEMENT_NODE && strlen((const char *)n->name) == length &&
            memcmp(n->name, name + 7, length) == 0)
            return n;
    while (node != NULL && node->type != XML_ELEMENT_NODE)
        node = node->parent;
    return node;
}

/* Of libxml2's complaints, the first that names an attribute or an element that is wrong is
 * the one nearest to the mistake; "failed to validate" says only where. */
static void note_complaint(void *data, xmlErrorPtr error)
{
    struct verdict *verdict = data;
    const char *message = error->message == NULL ? "" : error->message;
    const xmlNode *element = blamed(error->node, message);
    bool is_telling = strstr(message, "failed to validate") == NULL &&
                      strstr(message, "has extra content") == NULL;

    if (element == NULL || verdict->is_telling ||
        (verdict->complaint.code != RELAIS_ERR_NONE && !is_telling))
        return;
    relais_error_clear(&verdict->complaint);
    verdict->is_telling = is_telling;
    word_complaint(verdict, element, message);
    relais_error_at(&verdict->complaint, verdict->file, xmlGetLineNo(element));
}

static void drop_message(void *data, xmlErrorPtr error)
{
    (void)data;
    (void)error;
}

static bool validate_with(xmlRelaxNGPtr grammar, xmlDocPtr doc, const char *file, relais_error *err)
{
    xmlRelaxNGValidCtxtPtr validation = xmlRelaxNGNewValidCtxt(grammar);
    struct verdict verdict = {.file = file};
    int status;

    if (validation == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for the grammar");
    xmlRelaxNGSetValidStructuredErrors(validation, note_complaint, &verdict);
    status = xmlRelaxNGValidateDoc(validation, doc);
    xmlRelaxNGFreeValidCtxt(validation);
    if (status == 0)
        return true;
    relais_error_set(&verdict.complaint, RELAIS_ERR_CONFIG,
                     "this does not follow the grammar of mappings; expected %s", usages[0].usage);
    relais_error_at(&verdict.complaint, file, xmlGetLineNo(xmlDocGetRootElement(doc)));
    if (err != NULL && err->code == RELAIS_ERR_NONE)
        *err = verdict.complaint;
    return false;
}

static bool validate(xmlDocPtr doc, const char *file, relais_error *err)
{
    xmlRelaxNGParserCtxtPtr parser =
        xmlRelaxNGNewMemParserCtxt((const char *)relais_grammar, (int)relais_grammar_length);
    xmlRelaxNGPtr grammar = NULL;
    bool ok;

    if (parser != NULL) {
        xmlRelaxNGSetParserStructuredErrors(parser, drop_message, NULL);
        grammar = xmlRelaxNGParse(parser);
        xmlRelaxNGFreeParserCtxt(parser);
    }
    if (grammar == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for the grammar");
    ok = validate_with(grammar, doc, file, err);
    xmlRelaxNGFree(grammar);
    return ok;
}

static bool fail_at(const xmlNode *node, const char *file, relais_error *err)
{
    relais_error_at(err, file, node == NULL ? 0 : xmlGetLineNo(node));
    return false;
}

/* Said first, because the grammar would only say that it does not know the element. */
static bool check_functions(xmlNodePtr element, const char *file, relais_error *err)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strcmp(functions[i].element, (const char *)element->name) == 0) {
            relais_error_set(err, RELAIS_ERR_CONFIG,
                             "there is no element <%s>: use the function %s in a select=\"...\"",
                             functions[i].element, functions[i].function);
            return fail_at(element, file, err);
        }
    for (xmlNodePtr child = element->children; child != NULL; child = child->next)
        if (child->type == XML_ELEMENT_NODE && !check_functions(child, file, err))
            return false;
    return true;
}

static bool check_root(xmlDocPtr doc, const char *file, relais_error *err)
{
    xmlNodePtr root = xmlDocGetRootElement(doc);

    if (doc->intSubset != NULL) {
        relais_error_set(err, RELAIS_ERR_CONFIG, "a mapping has no DOCTYPE: take it out");
        return fail_at(root, file, err);
    }
    if (root == NULL || strcmp((const char *)root->name, "mapping") != 0 || root->ns == NULL ||
        strcmp((const char *)root->ns->href, namespace_uri) != 0) {
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "this is not a mapping: its root must be <mapping xmlns=\"%s\" "
                         "form=\"...\">",
                         namespace_uri);
        return fail_at(root, file, err);
    }
    return true;
}

xmlDocPtr relais_source_parse(const char *file, const char *text, size_t length,
                              relais_arena *arena, relais_error *err)
{
    xmlDocPtr doc = parse(file, text, length, err);

    if (doc == NULL)
        return NULL;
    if (!relais_arena_cleanup(arena, release_doc, doc)) {
        relais_arena_error(arena, err);
        return NULL;
    }
    if (!check_root(doc, file, err) || !check_functions(xmlDocGetRootElement(doc), file, err) ||
        !validate(doc, file, err))
        return NULL;
    return doc;
}
