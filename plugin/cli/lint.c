/*
 * Faults in forms. See lint.h.
 *
 * - no meta/instanceID, or one that is not made once: the same submission arrives under
 *   several names, and edits cannot be linked;
 * - two questions of one name in one group: their answers cannot be told apart;
 * - a choice with white space in a select of several: its answers cannot be split;
 * - a submission address in the form: Collect sends there and not to its server.
 */
#include "cli/lint.h"

#include "cli/choices.h"
#include "cli/speak.h"

#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAPPING_NAMESPACE "urn:relais:mapping:1"

/* A national form with three languages has half a megabyte. */
enum { PARSE_OPTIONS = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING };

typedef struct lint {
    const char *file;
    relais_arena *arena;
    relais_finding_visit *visit;
    void *context;
    xmlDocPtr doc;
    xmlNodePtr root; /* of the primary instance */
    xmlXPathContextPtr xpath;
} lint;

static xmlDocPtr read_document(const char *file, relais_error *err)
{
    xmlDocPtr doc = xmlReadFile(file, NULL, PARSE_OPTIONS);
    const xmlError *fault;

    if (doc != NULL)
        return doc;
    fault = xmlGetLastError();
    relais_error_set(err, RELAIS_ERR_SYNTAX, "not well-formed XML: %.*s",
                     fault == NULL || fault->message == NULL ? 0
                                                             : (int)strcspn(fault->message, "\n"),
                     fault == NULL || fault->message == NULL ? "" : fault->message);
    relais_error_at(err, file, fault == NULL ? 0 : fault->line);
    return NULL;
}

bool relais_file_kind_read(const char *file, relais_file_kind *out, relais_error *err)
{
    xmlDocPtr doc = read_document(file, err);
    xmlNodePtr root = doc == NULL ? NULL : xmlDocGetRootElement(doc);

    *out = RELAIS_FILE_OTHER;
    if (root != NULL && xmlStrEqual(root->name, BAD_CAST "html"))
        *out = RELAIS_FILE_FORM;
    else if (root != NULL && xmlStrEqual(root->name, BAD_CAST "mapping") && root->ns != NULL &&
             xmlStrEqual(root->ns->href, BAD_CAST MAPPING_NAMESPACE))
        *out = RELAIS_FILE_MAPPING;
    xmlFreeDoc(doc);
    return doc != NULL;
}

static void report(const lint *l, relais_severity severity, const xmlNode *where,
                   const char *format, ...) RELAIS_PRINTF(4, 5);
static void report(const lint *l, relais_severity severity, const xmlNode *where,
                   const char *format, ...)
{
    char text[512];
    relais_finding finding = {severity, l->file, where == NULL ? 0 : xmlGetLineNo(where), text};
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    l->visit(l->context, &finding);
}

/* The nodes of an XPath expression, NULL when there are none. Freed by the caller. */
static xmlXPathObjectPtr find_nodes(const lint *l, const char *expression)
{
    xmlXPathObjectPtr found = xmlXPathEvalExpression(BAD_CAST expression, l->xpath);

    if (found != NULL && !xmlXPathNodeSetIsEmpty(found->nodesetval))
        return found;
    xmlXPathFreeObject(found);
    return NULL;
}

static xmlNodePtr find_node(const lint *l, const char *expression)
{
    xmlXPathObjectPtr found = find_nodes(l, expression);
    xmlNodePtr node = found == NULL ? NULL : found->nodesetval->nodeTab[0];

    xmlXPathFreeObject(found);
    return node;
}

static xmlNodePtr child_named(xmlNodePtr parent, const char *name)
{
    for (xmlNodePtr child = parent == NULL ? NULL : xmlFirstElementChild(parent); child != NULL;
         child = xmlNextElementSibling(child))
        if (xmlStrEqual(child->name, BAD_CAST name))
            return child;
    return NULL;
}

/* An attribute's value by local name, in any namespace, in the arena; NULL when absent. */
static const char *attribute(const lint *l, xmlNodePtr node, const char *name)
{
    for (xmlAttrPtr at = node->properties; at != NULL; at = at->next) {
        if (!xmlStrEqual(at->name, BAD_CAST name))
            continue;
        xmlChar *value = xmlNodeListGetString(l->doc, at->children, 1);
        const char *kept = value == NULL ? "" : relais_arena_text(l->arena, (char *)value);
        xmlFree(value);
        return kept;
    }
    return NULL;
}

/* ---- instanceID --------------------------------------------------------------------------------
 */

static bool ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text), ending_length = strlen(ending);

    return length >= ending_length && strcmp(text + length - ending_length, ending) == 0;
}

/* The bind of meta/instanceID, whatever prefixes its nodeset has. */
static xmlNodePtr instance_bind(const lint *l)
{
    xmlXPathObjectPtr binds = find_nodes(l, "//*[local-name()='model']/*[local-name()='bind']");
    xmlNodePtr found = NULL;

    for (int i = 0; binds != NULL && found == NULL && i < binds->nodesetval->nodeNr; i++) {
        xmlNodePtr bind = binds->nodesetval->nodeTab[i];
        const char *nodeset = attribute(l, bind, "nodeset");
        if (nodeset != NULL && ends_with(nodeset, "instanceID"))
            found = bind;
    }
    xmlXPathFreeObject(binds);
    return found;
}

static void check_instance_bind(const lint *l, xmlNodePtr id)
{
    xmlNodePtr bind = instance_bind(l);
    const char *preload = bind == NULL ? NULL : attribute(l, bind, "preload");
    const char *calculate = bind == NULL ? NULL : attribute(l, bind, "calculate");

    if (preload != NULL && strcmp(preload, "uid") == 0)
        return;
    if (calculate == NULL)
        report(l, RELAIS_FINDING_ERROR, bind == NULL ? id : bind,
               _("nothing fills instanceID; write jr:preload=\"uid\" in its bind"));
    else if (strstr(calculate, "once(") == NULL)
        report(l, RELAIS_FINDING_ERROR, bind,
               _("instanceID is calculated anew at every save, so that edits cannot be linked; "
                 "write jr:preload=\"uid\", or once(concat('uuid:', uuid()))"));
}

static void check_instance_id(const lint *l)
{
    xmlNodePtr id = child_named(child_named(l->root, "meta"), "instanceID");

    if (id == NULL)
        report(l, RELAIS_FINDING_ERROR, l->root,
               _("the form has no meta/instanceID, so that a submission sent twice cannot be "
                 "recognised; add <orx:meta><orx:instanceID/></orx:meta>"));
    else
        check_instance_bind(l, id);
}

/* ---- names -------------------------------------------------------------------------------------
 */

/* A repeat's template and its first occurrence share their name by right. */
static bool is_template(const lint *l, xmlNodePtr node)
{
    return attribute(l, node, "template") != NULL;
}

static xmlNodePtr earlier_twin(const lint *l, xmlNodePtr node)
{
    for (xmlNodePtr at = xmlPreviousElementSibling(node); at != NULL;
         at = xmlPreviousElementSibling(at))
        if (xmlStrEqual(at->name, node->name))
            return is_template(l, at) || is_template(l, node) ? NULL : at;
    return NULL;
}

static void check_names(const lint *l, xmlNodePtr parent)
{
    for (xmlNodePtr node = xmlFirstElementChild(parent); node != NULL;
         node = xmlNextElementSibling(node)) {
        xmlNodePtr twin = earlier_twin(l, node);
        if (twin != NULL)
            report(l, RELAIS_FINDING_ERROR, node,
                   _("\"%s\" stands in this group already, on line %ld; two questions need two "
                     "names"),
                   (const char *)node->name, xmlGetLineNo(twin));
        check_names(l, node);
    }
}

/* ---- choices and address ------------------------------------------------------------------------
 */

static void report_choice(void *context, const xmlNode *where, const char *file, long line,
                          const char *value)
{
    const lint *l = context;

    if (file == NULL) {
        report(l, RELAIS_FINDING_ERROR, where,
               _("the choice \"%s\" of a select of several has white space; answers are separated "
                 "by it"),
               value);
        return;
    }
    report(l, RELAIS_FINDING_ERROR, where,
           _("the choice \"%s\" on line %ld of %s has white space; answers of a select of several "
             "are separated by it"),
           value, line, file);
}

static void report_missing_media(void *context, const xmlNode *where, const char *file)
{
    report(context, RELAIS_FINDING_ERROR, where,
           _("the choices are to come from %s, which cannot be read; put it there, in UTF-8"),
           file);
}

static void check_choices(const lint *l)
{
    xmlXPathObjectPtr selects = find_nodes(l, "//*[local-name()='body']//*[local-name()='select']");
    relais_choices choices = {
        l->file, l->doc, l->xpath, l->arena, report_choice, report_missing_media, (void *)l};

    for (int i = 0; selects != NULL && i < selects->nodesetval->nodeNr; i++)
        relais_choices_check(&choices, selects->nodesetval->nodeTab[i]);
    xmlXPathFreeObject(selects);
}

static void check_address(const lint *l)
{
    xmlNodePtr submission = find_node(
        l, "//*[local-name()='model']/*[local-name()='submission'][@action or @*[local-name()="
           "'action']]");

    if (submission != NULL)
        report(l, RELAIS_FINDING_WARNING, submission,
               _("the form carries a submission address of its own, and Collect sends there "
                 "instead of to its server; take the action attribute out"));
}

/* ---- the whole
 * ----------------------------------------------------------------------------------- */

static bool lint_document(lint *l, relais_error *err)
{
    xmlNodePtr instance;

    l->xpath = xmlXPathNewContext(l->doc);
    if (l->xpath == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    instance = find_node(l, "//*[local-name()='model']/*[local-name()='instance'][1]");
    l->root = instance == NULL ? NULL : xmlFirstElementChild(instance);
    if (l->root == NULL) {
        relais_error_set(err, RELAIS_ERR_CONFIG, "the form has no primary instance");
        relais_error_at(err, l->file, 0);
    } else {
        check_instance_id(l);
        check_names(l, l->root);
        check_choices(l);
        check_address(l);
    }
    xmlXPathFreeContext(l->xpath);
    return l->root != NULL;
}

bool relais_form_lint(const char *file, relais_arena *arena, relais_finding_visit *visit,
                      void *context, relais_error *err)
{
    lint l = {.file = file, .arena = arena, .visit = visit, .context = context};
    bool ok;

    l.doc = read_document(file, err);
    if (l.doc == NULL)
        return false;
    ok = lint_document(&l, err);
    xmlFreeDoc(l.doc);
    return ok;
}
