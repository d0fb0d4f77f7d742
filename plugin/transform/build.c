/*
 * The whole of a mapping: its head, lists and items, and what they read. See build.h, and
 * relais_mapping_build in model.h.
 */
#include "transform/build.h"

#include "transform/expression.h"
#include "transform/list.h"

#include <string.h>

enum {
    NESTING_MAX = 20, /* <row> and <when> in each other; the deepest known mapping has 4 */
    SHAPES_MAX = 500  /* rows in a mapping; the national ones have a dozen */
};

/* <list> */

static bool build_list(struct relais_builder *builder, const xmlNode *element)
{
    relais_list **end = &builder->mapping->lists;
    relais_list *list = relais_build_take(builder, sizeof *list);

    if (list == NULL ||
        !READ_ATTRIBUTES(builder, element, {"name", &list->name}, {"table", &list->table},
                         {"column", &list->column}, {"where", &list->where}, {"is", &list->is},
                         {"parent", &list->parent}, {"level", &list->level},
                         {"if-absent", &list->if_absent}))
        return false;
    list->line = xmlGetLineNo(element);
    if (relais_list_find(builder->mapping, list->name) != NULL)
        return relais_build_fail(builder, list->line,
                                 "the list \"%s\" is defined on line %ld already", list->name,
                                 relais_list_find(builder->mapping, list->name)->line);
    while (*end != NULL)
        end = &(*end)->next;
    *end = list;
    return true;
}

static bool build_lists(struct relais_builder *builder, xmlNodePtr root)
{
    for (xmlNodePtr child = root->children; child != NULL; child = child->next)
        if (relais_build_is(child, "list") && !build_list(builder, child))
            return false;
    return true;
}

/* The other items */

static bool build_when(struct relais_builder *builder, xmlNodePtr element, relais_scope *outer,
                       relais_item *when)
{
    when->kind = RELAIS_ITEM_WHEN;
    when->scope = relais_build_scope(builder, outer);
    if (when->scope == NULL || !relais_build_lets(builder, element, when->scope))
        return false;
    when->test = relais_build_expression(builder, element, "test", when->scope);
    return when->test != NULL && relais_build_items(builder, element, when->scope, &when->children);
}

static bool build_file(struct relais_builder *builder, xmlNodePtr element, relais_scope *outer,
                       relais_item *file)
{
    file->kind = RELAIS_ITEM_FILE;
    file->scope = outer;
    file->test = relais_build_expression(builder, element, "select", outer);
    return file->test != NULL;
}

static bool build_ignore(struct relais_builder *builder, xmlNodePtr element, relais_scope *outer)
{
    relais_ignore *ignore = relais_build_take(builder, sizeof *ignore);

    if (ignore == NULL)
        return false;
    ignore->select = relais_build_path(builder, element, "select", outer);
    ignore->next = builder->mapping->ignores;
    builder->mapping->ignores = ignore;
    return ignore->select != NULL;
}

static const struct {
    const char *name;
    bool (*build)(struct relais_builder *, xmlNodePtr, relais_scope *, relais_item *);
} kinds[] = {{"row", relais_build_row}, {"when", build_when}, {"file", build_file}};

static bool build_item(struct relais_builder *builder, xmlNodePtr element, relais_scope *scope,
                       relais_item ***end)
{
    if (relais_build_is(element, "ignore"))
        return build_ignore(builder, element, scope);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        relais_item *item;
        if (!relais_build_is(element, kinds[i].name))
            continue;
        item = relais_build_take(builder, sizeof *item);
        if (item == NULL)
            return false;
        item->line = xmlGetLineNo(element);
        **end = item;
        *end = &item->next;
        return kinds[i].build(builder, element, scope, item);
    }
    return true;
}

bool relais_build_items(struct relais_builder *builder, xmlNodePtr parent, relais_scope *scope,
                        relais_item **items)
{
    if (builder->nesting >= NESTING_MAX)
        return relais_build_fail(builder, xmlGetLineNo(parent),
                                 "<row> and <when> nest deeper than %d", NESTING_MAX);
    builder->nesting++;
    for (xmlNodePtr child = parent->children; child != NULL; child = child->next)
        if (!build_item(builder, child, scope, &items))
            return false;
    builder->nesting--;
    return true;
}

/* The whole */

static size_t count_rows(const xmlNode *element)
{
    size_t count = 0;

    for (const xmlNode *child = element->children; child != NULL; child = child->next)
        if (child->type == XML_ELEMENT_NODE)
            count += relais_build_is(child, "row") + count_rows(child);
    return count;
}

static bool build_cover(struct relais_builder *builder)
{
    relais_mapping *mapping = builder->mapping;

    mapping->cover = relais_cover_create(mapping->arena);
    if (mapping->cover == NULL)
        return relais_arena_error(mapping->arena, builder->err);
    for (const relais_expression *e = mapping->expressions; e != NULL; e = e->next)
        for (size_t i = 0; i < e->reading.paths.count; i++)
            if (!relais_cover_add(mapping->cover, e->reading.paths.items[i], false, mapping->arena,
                                  builder->err))
                return false;
    for (const relais_ignore *ignore = mapping->ignores; ignore != NULL; ignore = ignore->next)
        for (size_t i = 0; i < ignore->select->reading.results.count; i++)
            if (!relais_cover_add(mapping->cover, ignore->select->reading.results.items[i], true,
                                  mapping->arena, builder->err))
                return false;
    return true;
}

static bool build_root_scope(struct relais_builder *builder, xmlNodePtr root)
{
    static const char *const any[] = {RELAIS_STEP_ANY};
    static const relais_path path = {.steps = any, .count = 1};
    relais_scope *scope = relais_build_scope(builder, NULL);
    relais_paths *context = relais_build_take(builder, sizeof *context);

    if (scope == NULL || context == NULL ||
        !relais_paths_add(context, &path, builder->mapping->arena, builder->err))
        return false;
    scope->context = context;
    builder->mapping->scope = scope;
    return relais_build_lets(builder, root, scope);
}

static bool build_head(struct relais_builder *builder, xmlNodePtr root)
{
    relais_mapping *mapping = builder->mapping;
    const char *versions, *sensitive, *encrypted;
    size_t rows = count_rows(root);

    if (!READ_ATTRIBUTES(builder, root, {"form", &mapping->form}, {"versions", &versions},
                         {"sensitive", &sensitive}, {"encrypted", &encrypted}))
        return false;
    mapping->line = xmlGetLineNo(root);
    mapping->is_sensitive = sensitive != NULL && strcmp(sensitive, "yes") == 0;
    mapping->is_encrypted = encrypted != NULL && strcmp(encrypted, "yes") == 0;
    if (versions != NULL &&
        !relais_build_words(builder, versions, &mapping->versions, &mapping->version_count))
        return false;
    if (rows > SHAPES_MAX)
        return relais_build_fail(builder, xmlGetLineNo(root), "a mapping has more than %d <row>",
                                 SHAPES_MAX);
    mapping->shapes = relais_build_take(builder, (rows + 1) * sizeof *mapping->shapes);
    return mapping->shapes != NULL;
}

bool relais_mapping_build(relais_mapping *mapping, xmlNodePtr root, relais_error *err)
{
    struct relais_builder builder = {.mapping = mapping, .err = err};

    return relais_expression_begin(mapping, err) && build_head(&builder, root) &&
           build_lists(&builder, root) && build_root_scope(&builder, root) &&
           relais_build_items(&builder, root, mapping->scope, &mapping->items) &&
           build_cover(&builder) && relais_expression_try_all(mapping, err);
}
