/*
 * <row> and <column>: their values, lists and policies. See build.h.
 */
#include "transform/build.h"

#include "transform/expression.h"
#include "transform/list.h"

#include <string.h>

/* <column> */

static bool use_list(struct relais_builder *builder, relais_filled *filled, const char *name)
{
    if (name == NULL)
        return true;
    filled->list = relais_list_use(builder->mapping, name, builder->err);
    if (filled->list == NULL)
        relais_error_at(builder->err, builder->mapping->file, filled->line);
    return filled->list != NULL;
}

static bool add_source(struct relais_builder *builder, relais_filled *filled,
                       const xmlNode *element, relais_scope *scope)
{
    relais_source **end = &filled->sources;
    relais_source *source = relais_build_take(builder, sizeof *source);

    if (source == NULL)
        return false;
    source->select = relais_build_expression(builder, element, "select", scope);
    while (*end != NULL)
        end = &(*end)->next;
    *end = source;
    return source->select != NULL;
}

static size_t count_children(const xmlNode *element, const char *name)
{
    size_t count = 0;

    for (const xmlNode *child = element->children; child != NULL; child = child->next)
        count += relais_build_is(child, name);
    return count;
}

static bool build_field(struct relais_builder *builder, xmlNodePtr element, relais_filled *sealed,
                        relais_scope *scope)
{
    relais_filled *field = &sealed->fields[sealed->field_count];

    if (!READ_ATTRIBUTES(builder, element, {"name", &field->name}))
        return false;
    field->line = xmlGetLineNo(element);
    field->place = sealed->place;
    for (size_t i = 0; i < sealed->field_count; i++)
        if (strcmp(sealed->fields[i].name, field->name) == 0)
            return relais_build_fail(builder, field->line,
                                     "the field %s stands on line %ld already", field->name,
                                     sealed->fields[i].line);
    sealed->field_count++;
    return add_source(builder, field, element, scope);
}

static bool build_seal(struct relais_builder *builder, xmlNodePtr seal, relais_filled *sealed,
                       relais_scope *scope)
{
    relais_mapping *mapping = builder->mapping;

    if (mapping->seal_line == 0)
        mapping->seal_line = xmlGetLineNo(seal);
    sealed->fields =
        relais_build_take(builder, count_children(seal, "field") * sizeof *sealed->fields);
    if (sealed->fields == NULL)
        return false;
    for (xmlNodePtr child = seal->children; child != NULL; child = child->next)
        if (relais_build_is(child, "field") && !build_field(builder, child, sealed, scope))
            return false;
    return true;
}

/* Where the value of a column without select="..." comes from. */
static bool build_content(struct relais_builder *builder, xmlNodePtr element, relais_filled *filled,
                          relais_scope *scope)
{
    for (xmlNodePtr child = element->children; child != NULL; child = child->next) {
        if (relais_build_is(child, "from") && !add_source(builder, filled, child, scope))
            return false;
        if (relais_build_is(child, "seal") && !build_seal(builder, child, filled, scope))
            return false;
    }
    return true;
}

static bool build_column(struct relais_builder *builder, xmlNodePtr element, relais_item *row,
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
            return relais_build_fail(builder, filled->line,
                                     "the column %s stands on line %ld already", filled->name,
                                     row->columns[i].line);
    row->column_count++;
    filled->place = relais_arena_format(builder->mapping->arena, "%s.%s", table, filled->name);
    if (filled->place == NULL)
        return relais_arena_error(builder->mapping->arena, builder->err);
    if (!use_list(builder, filled, list))
        return false;
    if (xmlHasProp(element, (const xmlChar *)"select") != NULL)
        return add_source(builder, filled, element, row->scope);
    return build_content(builder, element, filled, row->scope);
}

static bool build_columns(struct relais_builder *builder, xmlNodePtr element, relais_item *row,
                          relais_row_shape *shape)
{
    size_t count = count_children(element, "column");
    const char **names;

    if (count == 0)
        return relais_build_fail(builder, row->line, "the row of %s has no <column>",
                                 shape->table_name);
    row->columns = relais_build_take(builder, count * sizeof *row->columns);
    names = relais_build_take(builder, count * sizeof *names);
    shape->bound = relais_build_take(builder, count * sizeof *shape->bound);
    if (row->columns == NULL || names == NULL || shape->bound == NULL)
        return false;
    for (xmlNodePtr child = element->children; child != NULL; child = child->next)
        if (relais_build_is(child, "column") &&
            !build_column(builder, child, row, shape->table_name))
            return false;
    for (size_t i = 0; i < count; i++)
        names[i] = row->columns[i].name;
    shape->columns = names;
    shape->column_count = count;
    return true;
}

/* <row> */

static bool find_column(struct relais_builder *builder, const relais_item *row,
                        const char *attribute, const char *name, size_t *index)
{
    for (*index = 0; *index < row->column_count; (*index)++)
        if (strcmp(row->columns[*index].name, name) == 0)
            return true;
    return relais_build_fail(
        builder, row->line, "%s=\"%s\" names a column that the row does not have", attribute, name);
}

/* The value must be the same for all rows that replace each other; then it is known in a
 * scope outside the row, or in the row's own when there is one row. */
static bool anchor_to(struct relais_builder *builder, relais_item *row, const relais_filled *filled)
{
    if (filled->fields != NULL)
        return relais_build_fail(builder, filled->line,
                                 "%s is sealed, which gives other bytes each time: it cannot tie "
                                 "the rows to their parent",
                                 filled->name);
    for (const relais_source *source = filled->sources; source != NULL; source = source->next) {
        const relais_expression *select = source->select;
        if (row->scope->iterates && select->depends == row->scope)
            return relais_build_fail(
                builder, filled->line,
                "%s ties the rows to their parent, so \"%s\" must not depend on the row: "
                "use a variable from outside the row",
                filled->name, select->text);
        if (row->anchor == NULL || select->depends->depth > row->anchor->depth)
            row->anchor = select->depends;
    }
    return true;
}

static bool build_replace(struct relais_builder *builder, relais_item *row, relais_row_shape *shape,
                          const char *names)
{
    size_t *indexes;

    if (!relais_build_words(builder, names, &shape->replace, &shape->replace_count))
        return false;
    indexes = relais_build_take(builder, shape->replace_count * sizeof *indexes);
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

static bool build_policy(struct relais_builder *builder, xmlNodePtr element, relais_item *row,
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
static bool build_row_scope(struct relais_builder *builder, xmlNodePtr element, relais_scope *outer,
                            relais_item *row)
{
    row->scope = relais_build_scope(builder, outer);
    if (row->scope == NULL)
        return false;
    if (xmlHasProp(element, (const xmlChar *)"for-each") != NULL) {
        row->for_each = relais_build_path(builder, element, "for-each", outer);
        if (row->for_each == NULL)
            return false;
        row->scope->context = &row->for_each->reading.results;
        row->scope->iterates = true;
    }
    if (xmlHasProp(element, (const xmlChar *)"tokens") != NULL) {
        row->tokens = relais_build_expression(builder, element, "tokens", row->scope);
        if (row->tokens == NULL)
            return false;
        row->scope->has_token = row->scope->iterates = true;
    }
    return relais_build_lets(builder, element, row->scope);
}

bool relais_build_row(struct relais_builder *builder, xmlNodePtr element, relais_scope *outer,
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
           relais_build_items(builder, element, row->scope, &row->children);
}
