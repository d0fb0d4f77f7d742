/*
 * Finding a submission's meta by local name, wherever clients put it. See meta.h.
 *
 * Collect and pyxform write root/meta, with or without a namespace, and a deprecatedID
 * without one beside an orx:instanceID; Aggregate searched meta at any depth; older servers
 * keep the id as an attribute of the root, and Central accepts it directly below the root.
 */
#include "xform/meta.h"

#include "xform/xml.h"

#include <string.h>

/* The text of meta/NAME, "" when that meta has none. */
static const char *text_in_meta(const xmlNode *meta, const char *name, relais_arena *arena)
{
    const xmlNode *node = relais_xml_child(meta, name);

    return node == NULL ? "" : relais_xml_text(node, arena);
}

/* Direct children first: a form may have a question group of its own that is called meta. */
static const char *find_in_metas(const xmlNode *root, const char *name, relais_arena *arena)
{
    const char *text = "";

    for (const xmlNode *node = root->children; node && text && !*text; node = node->next)
        if (relais_xml_is(node, "meta"))
            text = text_in_meta(node, name, arena);
    for (const xmlNode *node = relais_xml_next(root, root); node && text && !*text;
         node = relais_xml_next(node, root))
        if (relais_xml_is(node, "meta"))
            text = text_in_meta(node, name, arena);
    return text;
}

static const char *find_id(const xmlNode *root, const char *name, relais_arena *arena)
{
    const char *text = find_in_metas(root, name, arena);

    if (text != NULL && *text == '\0')
        text = relais_xml_attribute(root, name, arena);
    if (text != NULL && *text == '\0')
        text = relais_xml_text(relais_xml_child(root, name), arena);
    return text;
}

bool relais_meta_read(relais_arena *arena, relais_submission *out, relais_error *err)
{
    const xmlNode *root = xmlDocGetRootElement(out->doc);
    const char *encrypted = relais_xml_attribute(root, "encrypted", arena);

    out->form_id = relais_xml_attribute(root, "id", arena);
    out->version = relais_xml_attribute(root, "version", arena);
    out->instance_id = find_id(root, "instanceID", arena);
    out->deprecated_id = find_id(root, "deprecatedID", arena);
    if (encrypted == NULL || out->form_id == NULL || out->version == NULL ||
        out->instance_id == NULL || out->deprecated_id == NULL)
        return relais_arena_error(arena, err);
    out->is_encrypted = strcmp(encrypted, "yes") == 0;
    if (out->form_id[0] == '\0')
        return relais_error_set(err, RELAIS_ERR_SYNTAX,
                                "the root element has no id attribute that names its form");
    return true;
}
