/*
 * Reading binds and body controls. See binds.h.
 *
 * Forms by pyxform use absolute paths throughout; forms by hand also nest binds, write paths
 * relative to the enclosing group, and refer to binds by id.
 */
#include "xform/binds.h"

#include "xform/xml.h"

#include <string.h>

/* ---- paths ------------------------------------------------------------------------------ */

/* Removes the last step of a path, but never the root element. */
static void drop_step(char *path)
{
    char *slash = strrchr(path, '/');

    if (slash != NULL && slash != path)
        *slash = '\0';
}

static void append_step(char *path, const char *name, size_t length)
{
    char *end = path + strlen(path);

    *end++ = '/';
    memcpy(end, name, length);
    end[length] = '\0';
}

/* Length of the step at p: to the next '/' outside predicates. */
static size_t step_length(const char *p)
{
    size_t n = 0;
    int open = 0;

    for (; p[n] != '\0' && (open > 0 || p[n] != '/'); n++)
        open += p[n] == '[' ? 1 : p[n] == ']' ? -1 : 0;
    return n;
}

/* Applies one step to the path in `out`; false for what is no plain child step. */
static bool take_step(char *out, const char *step, size_t length)
{
    size_t name = strcspn(step, "[/");
    const char *colon;

    if (name > length)
        name = length;
    while (name > 0 && step[name - 1] == ' ')
        name--;
    if (name == 0 || (name == 1 && step[0] == '.'))
        return true;
    if (name == 2 && memcmp(step, "..", 2) == 0) {
        drop_step(out);
        return true;
    }
    if (memchr(step, '(', name) != NULL || memchr(step, '@', name) != NULL)
        return false;
    colon = memchr(step, ':', name);
    if (colon != NULL) {
        name -= (size_t)(colon + 1 - step);
        step = colon + 1;
    }
    append_step(out, step, name);
    return true;
}

const char *relais_path_resolve(const char *context, const char *path, relais_arena *arena)
{
    static const char current[] = "current()/";
    char *out = relais_arena_alloc(arena, strlen(context) + strlen(path) + 2);

    if (out == NULL)
        return NULL;
    path += strspn(path, " \t\r\n");
    if (strncmp(path, current, sizeof current - 1) == 0)
        path += sizeof current - 1;
    if (*path != '/')
        memcpy(out, context, strlen(context) + 1);
    while (*path != '\0') {
        size_t length = step_length(path);
        if (!take_step(out, path, length))
            return NULL;
        path += length;
        path += *path == '/' ? 1 : 0;
    }
    return out;
}

static relais_form_node *find_node(const relais_node_table *table, const char *path)
{
    return path == NULL ? NULL : xmlHashLookup(table->by_path, (const xmlChar *)path);
}

/* ---- binds ------------------------------------------------------------------------------ */

static const char *without_prefix(const char *name)
{
    const char *colon = strrchr(name, ':');

    return colon == NULL ? name : colon + 1;
}

/* The path that an element's first given attribute of these names points to; `context` when
 * it has none of them; NULL when it leads nowhere. */
static const char *path_of(const xmlNode *node, const char *const *names, const char *context,
                           const relais_node_table *table)
{
    for (; *names != NULL; names++) {
        const char *path = relais_xml_attribute(node, *names, table->arena);
        if (path != NULL && *path != '\0')
            return relais_path_resolve(context, path, table->arena);
    }
    return context;
}

/* What in a bind gives its node a value of the form's own. */
static bool is_filled_by(const xmlNode *bind, relais_arena *arena)
{
    static const char *const names[] = {"calculate", "preload", NULL};

    for (const char *const *name = names; *name != NULL; name++) {
        const char *value = relais_xml_attribute(bind, *name, arena);
        if (value == NULL || *value != '\0') /* without memory another reading fails too */
            return true;
    }
    return false;
}

static bool apply_bind(const xmlNode *bind, const char *path, relais_node_table *table,
                       relais_error *err)
{
    const char *type = relais_xml_attribute(bind, "type", table->arena);
    const char *required = relais_xml_attribute(bind, "required", table->arena);
    const char *readonly = relais_xml_attribute(bind, "readonly", table->arena);
    const char *id = relais_xml_attribute(bind, "id", table->arena);
    relais_form_node *node = find_node(table, path);

    if (type == NULL || required == NULL || readonly == NULL || id == NULL)
        return relais_arena_error(table->arena, err);
    if (*id != '\0' && path != NULL)
        xmlHashAddEntry(table->by_bind, (const xmlChar *)id, (void *)path);
    if (node == NULL) /* attributes have binds too, and are no nodes here */
        return true;
    if (*type != '\0')
        node->type = without_prefix(type);
    node->required = strcmp(required, "true()") == 0;
    node->is_readonly = strcmp(readonly, "true()") == 0;
    node->is_filled = node->is_filled || is_filled_by(bind, table->arena);
    node->is_multiple = strcmp(node->type, "select") == 0 || strcmp(node->type, "rank") == 0;
    return true;
}

static bool apply_binds_in(const xmlNode *parent, const char *context, relais_node_table *table,
                           relais_error *err)
{
    static const char *const names[] = {"nodeset", "ref", NULL};

    for (const xmlNode *node = parent->children; node != NULL; node = node->next) {
        const char *path;
        if (!relais_xml_is(node, "bind"))
            continue;
        path = path_of(node, names, context, table);
        if (!apply_bind(node, path, table, err) ||
            !apply_binds_in(node, path == NULL ? context : path, table, err))
            return false;
    }
    return true;
}

bool relais_binds_apply(const xmlNode *model, relais_node_table *table, relais_error *err)
{
    return apply_binds_in(model, table->root, table, err);
}

/* ---- controls --------------------------------------------------------------------------- */

static void be_repeat(relais_form_node *node)
{
    node->kind = RELAIS_NODE_REPEAT;
}

static void be_asked(relais_form_node *node)
{
    node->is_asked = true;
}

static void be_multiple(relais_form_node *node)
{
    node->is_asked = true;
    node->is_multiple = true;
}

static void be_upload(relais_form_node *node)
{
    node->is_asked = true;
    node->type = "binary";
}

static void be_filled(relais_form_node *node)
{
    node->is_filled = true;
}

static const struct control {
    const char *name;
    void (*apply)(relais_form_node *);
} controls[] = {
    {"repeat", be_repeat},      {"select", be_multiple}, {"rank", be_multiple},
    {"upload", be_upload},      {"input", be_asked},     {"select1", be_asked},
    {"range", be_asked},        {"trigger", be_asked},   {"secret", be_asked},
    {"textarea", be_asked},     {"setvalue", be_filled}, {"setgeopoint", be_filled},
    {"recordaudio", be_filled},
};

static const char *control_path(const xmlNode *node, const char *context,
                                const relais_node_table *table)
{
    static const char *const names[] = {"nodeset", "ref", NULL};
    const char *bind = relais_xml_attribute(node, "bind", table->arena);

    if (bind != NULL && *bind != '\0')
        return xmlHashLookup(table->by_bind, (const xmlChar *)bind);
    return path_of(node, names, context, table);
}

static void apply_control(const xmlNode *node, const char *path, const relais_node_table *table)
{
    relais_form_node *target = find_node(table, path);

    for (size_t i = 0; target != NULL && i < sizeof controls / sizeof *controls; i++)
        if (relais_xml_is(node, controls[i].name))
            controls[i].apply(target);
}

static void apply_controls_in(const xmlNode *parent, const char *context, relais_node_table *table)
{
    for (const xmlNode *node = parent->children; node != NULL; node = node->next) {
        const char *path;
        if (node->type != XML_ELEMENT_NODE || relais_xml_is(node, "model"))
            continue;
        path = control_path(node, context, table);
        apply_control(node, path, table);
        apply_controls_in(node, path == NULL ? context : path, table);
    }
}

/* Actions stand in the model too, beside the instances, whose elements may have any name. */
static void apply_actions_of(const xmlNode *model, const relais_node_table *table)
{
    for (const xmlNode *node = model->children; node != NULL; node = node->next)
        if (node->type == XML_ELEMENT_NODE && !relais_xml_is(node, "instance") &&
            !relais_xml_is(node, "bind"))
            apply_control(node, control_path(node, table->root, table), table);
}

void relais_controls_apply(const xmlNode *top, const xmlNode *model, relais_node_table *table)
{
    apply_controls_in(top, table->root, table);
    apply_actions_of(model, table);
}
