/*
 * Paths of elements. See where.h.
 */
#include "transform/where.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* `_private` of an element holds its index among siblings of its name, shifted by one, and
 * in the lowest bit whether it is the only one. */
static void count_siblings(xmlNodePtr node)
{
    xmlNodePtr first = NULL;
    uintptr_t index = 0;

    for (xmlNodePtr n = node->parent->children; n != NULL; n = n->next)
        if (n->type == XML_ELEMENT_NODE && xmlStrEqual(n->name, node->name)) {
            if (first == NULL)
                first = n;
            n->_private = (void *)(++index << 1);
        }
    if (index == 1)
        first->_private = (void *)(uintptr_t)(1 << 1 | 1);
}

/* base + "/" + name + tail: every value has a path, so this runs as often as anything. */
static const char *join(relais_arena *arena, const char *base, const char *name, const char *tail)
{
    size_t base_length = strlen(base), name_length = strlen(name), tail_length = strlen(tail);
    char *path = relais_arena_alloc(arena, base_length + 1 + name_length + tail_length + 1);

    if (path == NULL)
        return NULL;
    memcpy(path, base, base_length);
    path[base_length] = '/';
    memcpy(path + base_length + 1, name, name_length);
    memcpy(path + base_length + 1 + name_length, tail, tail_length);
    return path;
}

static const char *element_path(relais_where *where, xmlNodePtr node)
{
    char index[32] = ""; /* "[" and a 64-bit number and "]" */
    const char *parent;
    uintptr_t mark;

    if (node->parent == NULL || node->parent->type != XML_ELEMENT_NODE)
        return join(where->arena, "", (const char *)node->name, "");
    if (node->_private == NULL)
        count_siblings(node);
    if (where->parent != node->parent) {
        parent = element_path(where, node->parent);
        where->parent = node->parent;
        where->parent_path = parent;
    }
    parent = where->parent_path;
    if (parent == NULL)
        return NULL;
    mark = (uintptr_t)node->_private;
    if ((mark & 1) == 0)
        snprintf(index, sizeof index, "[%zu]", (size_t)(mark >> 1));
    return join(where->arena, parent, (const char *)node->name, index);
}

const char *relais_where_node(relais_where *where, xmlNodePtr node)
{
    while (node->type != XML_ELEMENT_NODE && node->parent != NULL)
        node = node->parent;
    if (node->type != XML_ELEMENT_NODE)
        return relais_arena_text(where->arena, "/");
    return element_path(where, node);
}

static bool starts_with(const relais_path *path, const relais_path *start)
{
    if (path->count < start->count)
        return false;
    for (size_t i = 0; i < start->count; i++)
        if (strcmp(path->steps[i], start->steps[i]) != 0)
            return false;
    return true;
}

static xmlNodePtr token_node(const relais_scope *scope)
{
    while (scope != NULL && !scope->has_token)
        scope = scope->parent;
    return scope == NULL ? NULL : scope->token_node;
}

const char *relais_where_missing(relais_where *where, const relais_expression *expression,
                                 const relais_scope *scope)
{
    const relais_path *origin = expression->origin, *start = NULL;
    xmlNodePtr choices = expression->uses_token ? token_node(scope) : NULL;
    const char *base = relais_where_node(where, choices != NULL ? choices : scope->node);
    relais_path rest;
    const char *tail;

    if (origin == NULL || choices != NULL || base == NULL)
        return base;
    for (size_t i = 0; i < scope->context->count && start == NULL; i++)
        if (starts_with(origin, scope->context->items[i]))
            start = scope->context->items[i];
    if (start == NULL) {
        xmlNodePtr root = xmlDocGetRootElement(scope->node->doc);
        return relais_path_text(origin, (const char *)root->name, where->arena);
    }
    rest =
        (relais_path){.steps = origin->steps + start->count, .count = origin->count - start->count};
    if (rest.count == 0)
        return base;
    tail = relais_path_text(&rest, RELAIS_STEP_ANY, where->arena);
    return tail == NULL ? NULL : join(where->arena, base, tail + 1, "");
}
