/*
 * Comparing two submissions. See difference.h. Each is laid out as a list of paths with values;
 * the second one's is looked up by a hash, so that a submission of a hundred thousand repeats
 * costs no more than reading it twice.
 */
#include "xform/difference.h"

#include "base/text.h"
#include "xform/xml.h"

#include <libxml/hash.h>
#include <string.h>

/* A hundred levels of names of a submission of 8 MB. */
#define PATH_MAX_BYTES ((size_t)8 * 1024 * 1024)

struct answer {
    const char *path, *value;
    bool is_met; /* the other submission has this path */
};

struct layout {
    struct answer *list;
    size_t count, capacity;
    xmlHashTablePtr seen; /* path without its number -> how many so far */
    relais_buffer path;
    relais_arena *arena;
};

/* ---- laying out ---------------------------------------------------------------------------- */

static bool grow(struct layout *l)
{
    size_t capacity = l->capacity == 0 ? 64 : 2 * l->capacity;
    struct answer *list = relais_arena_alloc(l->arena, capacity * sizeof *list);

    if (list == NULL)
        return false;
    if (l->count > 0)
        memcpy(list, l->list, l->count * sizeof *list);
    l->list = list;
    l->capacity = capacity;
    return true;
}

static bool add_answer(struct layout *l, const char *value)
{
    const char *path = relais_arena_text(l->arena, l->path.data);

    if (path == NULL || value == NULL || (l->count == l->capacity && !grow(l)))
        return false;
    l->list[l->count++] = (struct answer){path, value, false};
    return true;
}

/* Appends "/name", and from the second of its siblings on its number. */
static bool enter(struct layout *l, const xmlNode *node)
{
    const xmlChar *key;
    uintptr_t number;

    relais_buffer_append_char(&l->path, '/');
    relais_buffer_append_text(&l->path, relais_xml_local_name(node->name));
    if (l->path.failed != RELAIS_ERR_NONE)
        return false;
    key = (const xmlChar *)l->path.data;
    number = (uintptr_t)xmlHashLookup(l->seen, key) + 1;
    if (xmlHashUpdateEntry(l->seen, key, (void *)number, NULL) != 0)
        return false;
    if (number > 1)
        relais_buffer_append_format(&l->path, "[%zu]", (size_t)number);
    return l->path.failed == RELAIS_ERR_NONE;
}

static void leave(struct layout *l, size_t length)
{
    l->path.length = length;
    l->path.data[length] = '\0';
}

static bool is_identity(const xmlNode *node)
{
    return relais_xml_is(node->parent, "meta") &&
           (relais_xml_is(node, "instanceID") || relais_xml_is(node, "deprecatedID"));
}

static const xmlNode *first_element(const xmlNode *node)
{
    const xmlNode *child = node->children;

    while (child != NULL && child->type != XML_ELEMENT_NODE)
        child = child->next;
    return child;
}

/* The depth is bounded by the parser. */
static bool lay_out(struct layout *l, const xmlNode *node)
{
    size_t length = l->path.length;
    const xmlNode *child = first_element(node);
    bool ok = enter(l, node);

    if (ok && child == NULL && !is_identity(node))
        ok = add_answer(l, relais_xml_text(node, l->arena));
    for (; ok && child != NULL; child = child->next)
        if (child->type == XML_ELEMENT_NODE)
            ok = lay_out(l, child);
    if (ok)
        leave(l, length);
    return ok;
}

static bool add_version(struct layout *l, const relais_submission *submission, const xmlNode *root)
{
    relais_buffer_append_format(&l->path, "/%s/@version", relais_xml_local_name(root->name));
    if (l->path.failed != RELAIS_ERR_NONE || !add_answer(l, submission->version))
        return false;
    leave(l, 0);
    return true;
}

static bool make_layout(struct layout *l, const relais_submission *submission, relais_arena *arena)
{
    const xmlNode *root = xmlDocGetRootElement(submission->doc);
    bool ok;

    memset(l, 0, sizeof *l);
    l->arena = arena;
    l->seen = xmlHashCreate(256);
    relais_buffer_init(&l->path, PATH_MAX_BYTES);
    ok = l->seen != NULL && add_version(l, submission, root) && lay_out(l, root);
    xmlHashFree(l->seen, NULL);
    relais_buffer_free(&l->path);
    return ok;
}

/* ---- comparing ----------------------------------------------------------------------------- */

static xmlHashTablePtr index_paths(struct layout *l)
{
    xmlHashTablePtr index = xmlHashCreate(256);

    for (size_t i = 0; index != NULL && i < l->count; i++)
        if (xmlHashAddEntry(index, (const xmlChar *)l->list[i].path, &l->list[i]) != 0) {
            xmlHashFree(index, NULL);
            index = NULL;
        }
    return index;
}

static void compare(const struct layout *one, struct layout *other, xmlHashTablePtr index,
                    relais_differences *out)
{
    for (size_t i = 0; i < one->count; i++) {
        const struct answer *answer = &one->list[i];
        struct answer *met = xmlHashLookup(index, (const xmlChar *)answer->path);
        if (met != NULL)
            met->is_met = true;
        if (met == NULL || strcmp(met->value, answer->value) != 0)
            out->list[out->count++] =
                (relais_difference){answer->path, answer->value, met == NULL ? NULL : met->value};
    }
    for (size_t i = 0; i < other->count; i++)
        if (!other->list[i].is_met)
            out->list[out->count++] =
                (relais_difference){other->list[i].path, NULL, other->list[i].value};
}

bool relais_submission_differences(const relais_submission *one, const relais_submission *other,
                                   relais_arena *arena, relais_differences *out, relais_error *err)
{
    struct layout a, b;
    xmlHashTablePtr index;

    memset(out, 0, sizeof *out);
    if (!make_layout(&a, one, arena) || !make_layout(&b, other, arena))
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    out->list = relais_arena_alloc(arena, (a.count + b.count) * sizeof *out->list);
    index = index_paths(&b);
    if (out->list == NULL || index == NULL) {
        xmlHashFree(index, NULL);
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    }
    compare(&a, &b, index, out);
    xmlHashFree(index, NULL);
    return true;
}
