/*
 * From the file's elements to the model. See model.h.
 *
 * The grammar has been checked before: required attributes are there and elements stand
 * where they may. What the grammar cannot say is checked here: names that are used exist,
 * and are given once.
 */
#include "transform/expression.h"
#include "transform/nearest.h"

#include "base/text.h"
#include "transform/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    NESTING_MAX = 20, /* <row> and <when> in each other; the deepest known mapping has 4 */
    SHAPES_MAX = 500  /* rows in a mapping; the national ones have a dozen */
};

struct builder {
    relais_mapping *mapping;
    int nesting;
    relais_error *err;
};

static bool build_items(struct builder *builder, xmlNodePtr parent, relais_scope *scope,
                        relais_item **items);

/* Helpers */

static bool fail(struct builder *builder, long line, const char *format, ...) RELAIS_PRINTF(3, 4);

static bool fail(struct builder *builder, long line, const char *format, ...)
{
    char text[sizeof((relais_error *)NULL)->text];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, relais_translate(format), args);
    va_end(args);
    relais_error_set(builder->err, RELAIS_ERR_CONFIG, "%s", text);
    relais_error_at(builder->err, builder->mapping->file, line);
    return false;
}

static void *take(struct builder *builder, size_t size)
{
    void *place = relais_arena_alloc(builder->mapping->arena, size);

    if (place == NULL)
        relais_arena_error(builder->mapping->arena, builder->err);
    return place;
}

static bool is(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

/* *out is trimmed, and NULL when the attribute is not there. */
static bool read_attribute(struct builder *builder, const xmlNode *element, const char *name,
                           const char **out)
{
    xmlChar *value = xmlGetNoNsProp(element, (const xmlChar *)name);
    const char *start = (const char *)value;
    size_t length;

    *out = NULL;
    if (value == NULL)
        return true;
    length = strlen(start);
    relais_trim(&start, &length);
    *out = relais_arena_copy(builder->mapping->arena, start, length);
    xmlFree(value);
    return *out != NULL || relais_arena_error(builder->mapping->arena, builder->err);
}

struct wanted {
    const char *name;
    const char **out;
};

static bool read_attributes(struct builder *builder, const xmlNode *element,
                            const struct wanted *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!read_attribute(builder, element, wanted[i].name, wanted[i].out))
            return false;
    return true;
}

#define READ_ATTRIBUTES(builder, element, ...)                                                     \
    read_attributes(builder, element, (const struct wanted[]){__VA_ARGS__},                        \
                    sizeof((const struct wanted[]){__VA_ARGS__}) / sizeof(struct wanted))

static bool split_words(struct builder *builder, const char *text, const char *const **out,
                        size_t *count)
{
    const char **words = take(builder, (strlen(text) / 2 + 1) * sizeof *words);
    const char *start;
    size_t length;

    *out = words;
    *count = 0;
    if (words == NULL)
        return false;
    while (relais_token_next(&text, &start, &length)) {
        words[*count] = relais_arena_copy(builder->mapping->arena, start, length);
        if (words[(*count)++] == NULL)
            return relais_arena_error(builder->mapping->arena, builder->err);
    }
    return true;
}

static relais_expression *build_expression(struct builder *builder, const xmlNode *element,
                                           const char *attribute, relais_scope *scope)
{
    const char *text;

    if (!read_attribute(builder, element, attribute, &text))
        return NULL;
    return relais_expression_create(builder->mapping, scope, text == NULL ? "" : text,
                                    xmlGetLineNo(element), builder->err);
}

/* An expression that must lead to elements, not to a computed value. */
static relais_expression *build_path(struct builder *builder, const xmlNode *element,
                                     const char *attribute, relais_scope *scope)
{
    relais_expression *path = build_expression(builder, element, attribute, scope);

    if (path == NULL || path->reading.results.count > 0)
        return path;
    fail(builder, path->line, "%s=\"%s\" must be a path to answers", attribute, path->text);
    return NULL;
}

/* Scopes and <let> */

static relais_scope *add_scope(struct builder *builder, relais_scope *parent)
{
    relais_scope *scope = take(builder, sizeof *scope);

    if (scope == NULL)
        return NULL;
    scope->parent = parent;
    scope->context = parent == NULL ? NULL : parent->context;
    scope->depth = parent == NULL ? 0 : parent->depth + 1;
    scope->next = builder->mapping->scopes;
    builder->mapping->scopes = scope;
    return scope;
}

static bool build_let(struct builder *builder, const xmlNode *element, relais_scope *scope)
{
    relais_let *let = take(builder, sizeof *let), **end = &scope->lets;
    const relais_let *other;

    if (let == NULL ||
        !READ_ATTRIBUTES(builder, element, {"name", &let->name}, {"select", &let->text}))
        return false;
    let->line = xmlGetLineNo(element);
    let->scope = scope;
    if (relais_variable_is_given(let->name))
        return fail(builder, let->line, "$%s is given by Relais: choose another name", let->name);
    other = relais_let_find(scope, let->name);
    if (other != NULL)
        return fail(builder, let->line, "$%s has its value from line %ld: choose another name",
                    let->name, other->line);
    while (*end != NULL)
        end = &(*end)->next;
    *end = let;
    return true;
}

/* All names first, so that the order of <let> does not matter. */
static bool build_lets(struct builder *builder, xmlNodePtr parent, relais_scope *scope)
{
    for (xmlNodePtr child = parent->children; child != NULL; child = child->next)
        if (is(child, "let") && !build_let(builder, child, scope))
            return false;
    return true;
}

static bool prepare_lets(struct builder *builder, relais_scope *scope)
{
    for (relais_let *let = scope->lets; let != NULL; let = let->next)
        if (!relais_let_prepare(builder->mapping, let, builder->err))
            return false;
    return true;
}

/* <list> */

static relais_list *find_list(const relais_mapping *mapping, const char *name)
{
    relais_list *list = mapping->lists;

    while (list != NULL && strcmp(list->name, name) != 0)
        list = list->next;
    return list;
}

static bool build_list(struct builder *builder, const xmlNode *element)
{
    relais_list **end = &builder->mapping->lists;
    relais_list *list = take(builder, sizeof *list);

    if (list == NULL ||
        !READ_ATTRIBUTES(builder, element, {"name", &list->name}, {"table", &list->table},
                         {"column", &list->column}, {"where", &list->where}, {"is", &list->is}))
        return false;
    list->line = xmlGetLineNo(element);
    if (find_list(builder->mapping, list->name) != NULL)
        return fail(builder, list->line, "the list \"%s\" is defined on line %ld already",
                    list->name, find_list(builder->mapping, list->name)->line);
    while (*end != NULL)
        end = &(*end)->next;
    *end = list;
    return true;
}

static bool build_lists(struct builder *builder, xmlNodePtr root)
{
    for (xmlNodePtr child = root->children; child != NULL; child = child->next)
        if (is(child, "list") && !build_list(builder, child))
            return false;
    return true;
}

static bool use_list(struct builder *builder, relais_filled *filled, const char *name)
{
    relais_nearest nearest;

    if (name == NULL)
        return true;
    filled->list = find_list(builder->mapping, name);
    if (filled->list != NULL) {
        filled->list->is_used = true;
        return true;
    }
    relais_nearest_init(&nearest, name);
    for (const relais_list *list = builder->mapping->lists; list != NULL; list = list->next)
        relais_nearest_consider(&nearest, list->name);
    if (nearest.best != NULL)
        return fail(builder, filled->line, "there is no list \"%s\": did you mean \"%s\"?", name,
                    nearest.best);
    return fail(builder, filled->line,
                "there is no list \"%s\": define it with <list name=\"%s\" "
                "...> below <mapping>",
                name, name);
}

/* <column> */

static bool add_source(struct builder *builder, relais_filled *filled, const xmlNode *element,
                       relais_scope *scope)
{
    relais_source **end = &filled->sources;
    relais_source *source = take(builder, sizeof *source);

    if (source == NULL)
        return false;
    source->select = build_expression(builder, element, "select", scope);
    while (*end != NULL)
        end = &(*end)->next;
    *end = source;
    return source->select != NULL;
}

static bool build_column(struct builder *builder, xmlNodePtr element, relais_item *row,
                         const char *table)
{
    relais_filled *filled = &row->columns[row->column_count];
    const char *list;

    if (!READ_ATTRIBUTES(builder, element, {"name", &filled->name}, {"list", &list},
                         {"default", &filled->fallback}))
        return false;
    filled->line = xmlGetLineNo(element);
    for (size_t i = 0; i < row->column_count; i++)
        if (strcmp(row->columns[i].name, filled->name) == 0)
            return fail(builder, filled->line, "the column %s stands on line %ld already",
                        filled->name, row->columns[i].line);
    row->column_count++;
    filled->place = relais_arena_format(builder->mapping->arena, "%s.%s", table, filled->name);
    if (filled->place == NULL)
        return relais_arena_error(builder->mapping->arena, builder->err);
    if (!use_list(builder, filled, list))
        return false;
    if (xmlHasProp(element, (const xmlChar *)"select") != NULL)
        return add_source(builder, filled, element, row->scope);
    for (xmlNodePtr child = element->children; child != NULL; child = child->next)
        if (is(child, "from") && !add_source(builder, filled, child, row->scope))
            return false;
    return true;
}

static size_t count_columns(const xmlNode *row)
{
    size_t count = 0;

    for (const xmlNode *child = row->children; child != NULL; child = child->next)
        count += is(child, "column");
    return count;
}

static bool build_columns(struct builder *builder, xmlNodePtr element, relais_item *row,
                          relais_row_shape *shape)
{
    size_t count = count_columns(element);
    const char **names;

    if (count == 0)
        return fail(builder, row->line, "the row of %s has no <column>", shape->table_name);
    row->columns = take(builder, count * sizeof *row->columns);
    names = take(builder, count * sizeof *names);
    shape->bound = take(builder, count * sizeof *shape->bound);
    if (row->columns == NULL || names == NULL || shape->bound == NULL)
        return false;
    for (xmlNodePtr child = element->children; child != NULL; child = child->next)
        if (is(child, "column") && !build_column(builder, child, row, shape->table_name))
            return false;
    for (size_t i = 0; i < count; i++)
        names[i] = row->columns[i].name;
    shape->columns = names;
    shape->column_count = count;
    return true;
}

/* <row> */

static bool find_column(struct builder *builder, const relais_item *row, const char *attribute,
                        const char *name, size_t *index)
{
    for (*index = 0; *index < row->column_count; (*index)++)
        if (strcmp(row->columns[*index].name, name) == 0)
            return true;
    return fail(builder, row->line, "%s=\"%s\" names a column that the row does not have",
                attribute, name);
}

/* The value must be the same for all rows that replace each other; then it is known in a
 * scope outside the row, or in the row's own when there is one row. */
static bool anchor_to(struct builder *builder, relais_item *row, const relais_filled *filled)
{
    for (const relais_source *source = filled->sources; source != NULL; source = source->next) {
        const relais_expression *select = source->select;
        if (row->scope->iterates && select->depends == row->scope)
            return fail(builder, filled->line,
                        "%s ties the rows to their parent, so \"%s\" must not depend on the row: "
                        "use a variable from outside the row",
                        filled->name, select->text);
        if (row->anchor == NULL || select->depends->depth > row->anchor->depth)
            row->anchor = select->depends;
    }
    return true;
}

static bool build_replace(struct builder *builder, relais_item *row, relais_row_shape *shape,
                          const char *names)
{
    size_t *indexes;

    if (!split_words(builder, names, &shape->replace, &shape->replace_count))
        return false;
    indexes = take(builder, shape->replace_count * sizeof *indexes);
    if (indexes == NULL)
        return false;
    row->replace = indexes;
    for (; row->replace_count < shape->replace_count; row->replace_count++) {
        size_t *index = &indexes[row->replace_count];
        if (!find_column(builder, row, "replace", shape->replace[row->replace_count], index) ||
            !anchor_to(builder, row, &row->columns[*index]))
            return false;
    }
    row->next_anchored = row->anchor->anchored;
    row->anchor->anchored = row;
    return true;
}

static bool build_policy(struct builder *builder, xmlNodePtr element, relais_item *row,
                         relais_row_shape *shape)
{
    const char *if_exists, *replace;
    size_t index;

    if (!READ_ATTRIBUTES(builder, element, {"if-exists", &if_exists}, {"newest", &shape->newest},
                         {"replace", &replace}))
        return false;
    shape->policy = RELAIS_ROW_UPSERT;
    if (if_exists != NULL && strcmp(if_exists, "keep") == 0)
        shape->policy = RELAIS_ROW_ABSENT;
    if (shape->newest != NULL) {
        shape->policy = RELAIS_ROW_NEWEST;
        if (!find_column(builder, row, "newest", shape->newest, &index))
            return false;
    }
    if (replace == NULL)
        return true;
    shape->policy = RELAIS_ROW_REPLACED;
    return build_replace(builder, row, shape, replace);
}

/* The order matters: a path inside the row starts from the repeat, and $token is known inside
 * the row but not in the path to the choices. */
static bool build_row_scope(struct builder *builder, xmlNodePtr element, relais_scope *outer,
                            relais_item *row)
{
    row->scope = add_scope(builder, outer);
    if (row->scope == NULL)
        return false;
    if (xmlHasProp(element, (const xmlChar *)"for-each") != NULL) {
        row->for_each = build_path(builder, element, "for-each", outer);
        if (row->for_each == NULL)
            return false;
        row->scope->context = &row->for_each->reading.results;
        row->scope->iterates = true;
    }
    if (xmlHasProp(element, (const xmlChar *)"tokens") != NULL) {
        row->tokens = build_expression(builder, element, "tokens", row->scope);
        if (row->tokens == NULL)
            return false;
        row->scope->has_token = row->scope->iterates = true;
    }
    return build_lets(builder, element, row->scope) && prepare_lets(builder, row->scope);
}

static size_t count_rows(const xmlNode *element)
{
    size_t count = 0;

    for (const xmlNode *child = element->children; child != NULL; child = child->next)
        if (child->type == XML_ELEMENT_NODE)
            count += is(child, "row") + count_rows(child);
    return count;
}

static bool build_row(struct builder *builder, xmlNodePtr element, relais_scope *outer,
                      relais_item *row)
{
    relais_row_shape *shape;

    row->kind = RELAIS_ITEM_ROW;
    row->shape = builder->mapping->shape_count++;
    shape = &builder->mapping->shapes[row->shape];
    shape->line = row->line;
    return READ_ATTRIBUTES(builder, element, {"table", &shape->table_name}) &&
           build_row_scope(builder, element, outer, row) &&
           build_columns(builder, element, row, shape) &&
           build_policy(builder, element, row, shape) &&
           build_items(builder, element, row->scope, &row->children);
}

/* The other items */

static bool build_when(struct builder *builder, xmlNodePtr element, relais_scope *outer,
                       relais_item *when)
{
    when->kind = RELAIS_ITEM_WHEN;
    when->scope = add_scope(builder, outer);
    if (when->scope == NULL || !build_lets(builder, element, when->scope) ||
        !prepare_lets(builder, when->scope))
        return false;
    when->test = build_expression(builder, element, "test", when->scope);
    return when->test != NULL && build_items(builder, element, when->scope, &when->children);
}

static bool build_file(struct builder *builder, xmlNodePtr element, relais_scope *outer,
                       relais_item *file)
{
    file->kind = RELAIS_ITEM_FILE;
    file->scope = outer;
    file->test = build_expression(builder, element, "select", outer);
    return file->test != NULL;
}

static bool build_ignore(struct builder *builder, xmlNodePtr element, relais_scope *outer)
{
    relais_ignore *ignore = take(builder, sizeof *ignore);

    if (ignore == NULL)
        return false;
    ignore->select = build_path(builder, element, "select", outer);
    ignore->next = builder->mapping->ignores;
    builder->mapping->ignores = ignore;
    return ignore->select != NULL;
}

static const struct {
    const char *name;
    bool (*build)(struct builder *, xmlNodePtr, relais_scope *, relais_item *);
} kinds[] = {{"row", build_row}, {"when", build_when}, {"file", build_file}};

static bool build_item(struct builder *builder, xmlNodePtr element, relais_scope *scope,
                       relais_item ***end)
{
    if (is(element, "ignore"))
        return build_ignore(builder, element, scope);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        relais_item *item;
        if (!is(element, kinds[i].name))
            continue;
        item = take(builder, sizeof *item);
        if (item == NULL)
            return false;
        item->line = xmlGetLineNo(element);
        **end = item;
        *end = &item->next;
        return kinds[i].build(builder, element, scope, item);
    }
    return true;
}

static bool build_items(struct builder *builder, xmlNodePtr parent, relais_scope *scope,
                        relais_item **items)
{
    if (builder->nesting >= NESTING_MAX)
        return fail(builder, xmlGetLineNo(parent), "<row> and <when> nest deeper than %d",
                    NESTING_MAX);
    builder->nesting++;
    for (xmlNodePtr child = parent->children; child != NULL; child = child->next)
        if (!build_item(builder, child, scope, &items))
            return false;
    builder->nesting--;
    return true;
}

/* The whole */

static bool build_cover(struct builder *builder)
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

static bool build_root_scope(struct builder *builder, xmlNodePtr root)
{
    static const char *const any[] = {RELAIS_STEP_ANY};
    static const relais_path path = {.steps = any, .count = 1};
    relais_scope *scope = add_scope(builder, NULL);
    relais_paths *context = take(builder, sizeof *context);

    if (scope == NULL || context == NULL ||
        !relais_paths_add(context, &path, builder->mapping->arena, builder->err))
        return false;
    scope->context = context;
    builder->mapping->scope = scope;
    return build_lets(builder, root, scope) && prepare_lets(builder, scope);
}

static bool build_head(struct builder *builder, xmlNodePtr root)
{
    relais_mapping *mapping = builder->mapping;
    const char *versions, *sensitive;
    size_t rows = count_rows(root);

    if (!READ_ATTRIBUTES(builder, root, {"form", &mapping->form}, {"versions", &versions},
                         {"sensitive", &sensitive}))
        return false;
    mapping->line = xmlGetLineNo(root);
    mapping->is_sensitive = sensitive != NULL && strcmp(sensitive, "yes") == 0;
    if (versions != NULL &&
        !split_words(builder, versions, &mapping->versions, &mapping->version_count))
        return false;
    if (rows > SHAPES_MAX)
        return fail(builder, xmlGetLineNo(root), "a mapping has more than %d <row>", SHAPES_MAX);
    mapping->shapes = take(builder, (rows + 1) * sizeof *mapping->shapes);
    return mapping->shapes != NULL;
}

bool relais_mapping_build(relais_mapping *mapping, xmlNodePtr root, relais_error *err)
{
    struct builder builder = {.mapping = mapping, .err = err};

    return relais_expression_begin(mapping, err) && build_head(&builder, root) &&
           build_lists(&builder, root) && build_root_scope(&builder, root) &&
           build_items(&builder, root, mapping->scope, &mapping->items) && build_cover(&builder) &&
           relais_expression_try_all(mapping, err);
}
