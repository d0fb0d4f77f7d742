/*
 * Reading the Briefcase API's documents. See briefcase.h.
 *
 * A server that speaks it writes the XML anew from its tables, and puts attributes of its own
 * on the root (protocol: instanceID, submissionDate, isComplete, markedAsCompleteDate). These
 * change without the answers changing, so they are taken off; instanceID stays where the
 * submission says it nowhere else.
 */
#include "sources/briefcase.h"

#include "xform/form.h"
#include "xform/xml.h"

#include <string.h>

#define SUBMISSIONS_NAMESPACE "http://opendatakit.org/submissions"

xmlDocPtr relais_briefcase_parse(const relais_buffer *bytes, const char *root, const char *what,
                                 relais_arena *arena, relais_error *err)
{
    relais_error why = {0};
    relais_xml_fault fault;
    xmlDocPtr doc;

    if (relais_xml_parse(bytes->data, bytes->length, &RELAIS_FORM_LIMITS, arena, &doc, &fault,
                         &why) &&
        relais_xml_is(xmlDocGetRootElement(doc), root))
        return doc;
    if (why.code == RELAIS_ERR_MEMORY)
        *err = why;
    else
        relais_error_set(err, RELAIS_ERR_DATA,
                         "the server's answer to %s is not the XML that was expected (%zu bytes); "
                         "look whether url and kind are right",
                         what, bytes->length);
    return NULL;
}

/* ---- the submission ---------------------------------------------------------------------- */

/* meta/instanceID, wherever the form puts its meta. */
static bool has_instance_id(xmlNodePtr node)
{
    for (xmlNodePtr child = node->children; child != NULL; child = child->next) {
        if (child->type != XML_ELEMENT_NODE)
            continue;
        if (relais_xml_is(child, "meta") && relais_xml_child(child, "instanceID") != NULL)
            return true;
        if (has_instance_id(child))
            return true;
    }
    return false;
}

static void strip_attributes(xmlNodePtr root)
{
    static const char *const added[] = {"submissionDate", "isComplete", "markedAsCompleteDate"};

    for (size_t i = 0; i < sizeof added / sizeof added[0]; i++)
        xmlUnsetProp(root, (const xmlChar *)added[i]);
    if (has_instance_id(root))
        xmlUnsetProp(root, (const xmlChar *)"instanceID");
}

/* The namespace of the wrapping is not the submission's. */
static void strip_namespace(xmlNodePtr node)
{
    if (node->ns != NULL && node->ns->prefix == NULL &&
        strcmp((const char *)node->ns->href, SUBMISSIONS_NAMESPACE) == 0)
        node->ns = NULL;
    for (xmlNodePtr child = node->children; child != NULL; child = child->next)
        if (child->type == XML_ELEMENT_NODE)
            strip_namespace(child);
}

/* As a document of its own, so that prefixes declared on the wrapping are declared again. */
static bool write_root(xmlNodePtr root, relais_buffer *xml, relais_error *err)
{
    xmlDocPtr alone = xmlNewDoc((const xmlChar *)"1.0");
    xmlNodePtr copy = alone == NULL ? NULL : xmlDocCopyNode(root, alone, 1);
    xmlBufferPtr out = xmlBufferCreate();
    bool ok = copy != NULL && out != NULL;

    if (ok) {
        xmlDocSetRootElement(alone, copy);
        xmlReconciliateNs(alone, copy);
        ok = xmlNodeDump(out, alone, copy, 0, 0) > 0;
    } else {
        xmlFreeNode(copy);
    }
    relais_buffer_reset(xml);
    if (ok)
        relais_buffer_append(xml, xmlBufferContent(out), (size_t)xmlBufferLength(out));
    xmlBufferFree(out);
    xmlFreeDoc(alone);
    return ok ? relais_buffer_check(xml, "a submission", err)
              : relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
}

/* ---- its files --------------------------------------------------------------------------- */

static const char *md5_of(const char *hash)
{
    return strncmp(hash, "md5:", 4) == 0 ? hash + 4 : "";
}

static bool take_file(xmlNodePtr node, relais_arena *arena, relais_offer *out)
{
    const char *hash = relais_xml_text(relais_xml_child(node, "hash"), arena);

    out->name = relais_xml_text(relais_xml_child(node, "filename"), arena);
    out->target = relais_xml_text(relais_xml_child(node, "downloadUrl"), arena);
    out->md5 = hash == NULL ? NULL : md5_of(hash);
    return out->name != NULL && out->target != NULL && out->md5 != NULL;
}

static bool take_files(xmlNodePtr top, relais_arena *arena, relais_offer **offers, size_t *count,
                       relais_error *err)
{
    *count = 0;
    *offers = relais_arena_alloc(arena, (xmlChildElementCount(top) + 1) * sizeof **offers);
    if (*offers == NULL)
        return relais_arena_error(arena, err);
    for (xmlNodePtr child = top->children; child != NULL; child = child->next) {
        relais_offer *offer = &(*offers)[*count];
        if (child->type != XML_ELEMENT_NODE || strcmp((const char *)child->name, "mediaFile") != 0)
            continue;
        if (!take_file(child, arena, offer))
            return relais_arena_error(arena, err);
        if (offer->name[0] != '\0' && offer->target[0] != '\0')
            (*count)++;
    }
    return true;
}

bool relais_briefcase_take(xmlDocPtr download, relais_arena *arena, relais_buffer *xml,
                           const char **received, relais_offer **offers, size_t *count,
                           relais_error *err)
{
    xmlNodePtr top = xmlDocGetRootElement(download);
    xmlNodePtr data = relais_xml_child(top, "data");
    xmlNodePtr root = data == NULL ? NULL : xmlFirstElementChild(data);
    xmlChar *date;

    if (root == NULL)
        return relais_error_set(err, RELAIS_ERR_DATA,
                                "the server's answer has no submission in it");
    date = xmlGetNoNsProp(root, (const xmlChar *)"submissionDate");
    *received = relais_arena_text(arena, date == NULL ? "" : (const char *)date);
    xmlFree(date);
    if (*received == NULL)
        return relais_arena_error(arena, err);
    strip_attributes(root);
    strip_namespace(root);
    return write_root(root, xml, err) && take_files(top, arena, offers, count, err);
}
