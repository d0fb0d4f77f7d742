/*
 * Attributes, expressions and scopes of a mapping's elements. See build.h.
 *
 * The grammar has been checked before: required attributes are there. What the grammar
 * cannot say is checked here: a <let> is named once, and not as Relais names things.
 */
#include "transform/build.h"

#include "base/text.h"
#include "transform/answer.h"
#include "transform/expression.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool relais_build_fail(struct relais_builder *builder, long line, const char *format, ...)
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

void *relais_build_take(struct relais_builder *builder, size_t size)
{
    void *place = relais_arena_alloc(builder->mapping->arena, size);

    if (place == NULL)
        relais_arena_error(builder->mapping->arena, builder->err);
    return place;
}

bool relais_build_is(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

/* *out is trimmed, and NULL when the attribute is not there. */
static bool read_attribute(struct relais_builder *builder, const xmlNode *element, const char *name,
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

bool relais_build_attributes(struct relais_builder *builder, const xmlNode *element,
                             const struct relais_wanted *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!read_attribute(builder, element, wanted[i].name, wanted[i].out))
            return false;
    return true;
}

bool relais_build_words(struct relais_builder *builder, const char *text, const char *const **out,
                        size_t *count)
{
    const char **words = relais_build_take(builder, (strlen(text) / 2 + 1) * sizeof *words);
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

relais_expression *relais_build_expression(struct relais_builder *builder, const xmlNode *element,
                                           const char *attribute, relais_scope *scope)
{
    const char *text;

    if (!read_attribute(builder, element, attribute, &text))
        return NULL;
    return relais_expression_create(builder->mapping, scope, text == NULL ? "" : text,
                                    xmlGetLineNo(element), builder->err);
}

/* An expression that must lead to elements, not to a computed value. */
relais_expression *relais_build_path(struct relais_builder *builder, const xmlNode *element,
                                     const char *attribute, relais_scope *scope)
{
    relais_expression *path = relais_build_expression(builder, element, attribute, scope);

    if (path == NULL || path->reading.results.count > 0)
        return path;
    relais_build_fail(builder, path->line, "%s=\"%s\" must be a path to answers", attribute,
                      path->text);
    return NULL;
}

/* Scopes and <let> */

relais_scope *relais_build_scope(struct relais_builder *builder, relais_scope *parent)
{
    relais_scope *scope = relais_build_take(builder, sizeof *scope);

    if (scope == NULL)
        return NULL;
    scope->parent = parent;
    scope->context = parent == NULL ? NULL : parent->context;
    scope->depth = parent == NULL ? 0 : parent->depth + 1;
    scope->next = builder->mapping->scopes;
    builder->mapping->scopes = scope;
    return scope;
}

static bool build_let(struct relais_builder *builder, const xmlNode *element, relais_scope *scope)
{
    relais_let *let = relais_build_take(builder, sizeof *let), **end = &scope->lets;
    const relais_let *other;

    if (let == NULL ||
        !READ_ATTRIBUTES(builder, element, {"name", &let->name}, {"select", &let->text}))
        return false;
    let->line = xmlGetLineNo(element);
    let->scope = scope;
    if (relais_variable_is_given(let->name))
        return relais_build_fail(builder, let->line, "$%s is given by Relais: choose another name",
                                 let->name);
    other = relais_let_find(scope, let->name);
    if (other != NULL)
        return relais_build_fail(builder, let->line,
                                 "$%s has its value from line %ld: choose another name", let->name,
                                 other->line);
    while (*end != NULL)
        end = &(*end)->next;
    *end = let;
    return true;
}

/* All names first, so that the order of <let> does not matter. */
bool relais_build_lets(struct relais_builder *builder, xmlNodePtr parent, relais_scope *scope)
{
    for (xmlNodePtr child = parent->children; child != NULL; child = child->next)
        if (relais_build_is(child, "let") && !build_let(builder, child, scope))
            return false;
    for (relais_let *let = scope->lets; let != NULL; let = let->next)
        if (!relais_let_prepare(builder->mapping, let, builder->err))
            return false;
    return true;
}
