/*
 * From XPath values to answers. See answer.h.
 */
#include "transform/answer.h"

#include "base/text.h"

#include <string.h>

bool relais_token_next(const char **list, const char **start, size_t *length)
{
    const char *p = *list;

    while (relais_is_space(*p))
        p++;
    *start = p;
    while (*p != '\0' && !relais_is_space(*p))
        p++;
    *length = (size_t)(p - *start);
    *list = p;
    return *length > 0;
}

static bool keep(const char *text, relais_arena *arena, relais_answer *out, relais_error *err)
{
    const char *start = text;
    size_t length = strlen(text);

    relais_trim(&start, &length);
    if (length == 0)
        return true;
    out->text = relais_arena_copy(arena, start, length);
    out->length = length;
    return out->text != NULL || relais_arena_error(arena, err);
}

static bool join(const char *text, relais_arena *arena, relais_answer *out, relais_error *err)
{
    relais_answer more = {0};

    if (!keep(text, arena, &more, err))
        return false;
    if (more.text == NULL)
        return true;
    out->text = relais_arena_format(arena, "%s %s", out->text, more.text);
    out->length += 1 + more.length;
    return out->text != NULL || relais_arena_error(arena, err);
}

static bool is_plain(const xmlNode *node)
{
    return node->type == XML_ELEMENT_NODE && node->children != NULL &&
           node->children->next == NULL && node->children->type == XML_TEXT_NODE;
}

static bool take_node(xmlNodePtr node, bool many, relais_arena *arena, relais_answer *out,
                      relais_error *err)
{
    xmlChar *made = is_plain(node) ? NULL : xmlXPathCastNodeToString(node);
    const char *text = made != NULL ? (const char *)made
                                    : (is_plain(node) ? (const char *)node->children->content : "");
    bool ok = true;

    if (out->text == NULL) {
        ok = keep(text, arena, out, err);
        if (out->text != NULL || out->node == NULL)
            out->node = node;
    } else if (many) {
        ok = join(text, arena, out, err);
    } else {
        relais_answer other = {0};
        ok = keep(text, arena, &other, err);
        out->is_several = out->is_several || other.text != NULL;
    }
    xmlFree(made);
    return ok;
}

static bool take_nodes(const xmlNodeSet *nodes, bool many, relais_arena *arena, relais_answer *out,
                       relais_error *err)
{
    for (int i = 0; nodes != NULL && i < nodes->nodeNr && !out->is_several; i++)
        if (nodes->nodeTab[i]->type != XML_NAMESPACE_DECL &&
            !take_node(nodes->nodeTab[i], many, arena, out, err))
            return false;
    return true;
}

static bool take_computed(xmlXPathObjectPtr value, relais_arena *arena, relais_answer *out,
                          relais_error *err)
{
    xmlChar *text;
    bool ok;

    if (value->type == XPATH_NUMBER && xmlXPathIsNaN(value->floatval))
        return true;
    text = xmlXPathCastToString(value);
    if (text == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for XPath");
    ok = keep((const char *)text, arena, out, err);
    xmlFree(text);
    return ok;
}

bool relais_answer_take(xmlXPathObjectPtr value, bool many, relais_arena *arena, relais_answer *out,
                        relais_error *err)
{
    memset(out, 0, sizeof *out);
    if (value->type == XPATH_NODESET)
        return take_nodes(value->nodesetval, many, arena, out, err);
    return take_computed(value, arena, out, err);
}
