/*
 * From the file's elements to the model: what the three files of the builder share.
 * element.c reads attributes, expressions and scopes; build_row.c makes <row> and <column>;
 * build.c the rest and the whole.
 */
#ifndef RELAIS_TRANSFORM_BUILD_H
#define RELAIS_TRANSFORM_BUILD_H

#include "transform/model.h"

struct relais_builder {
    relais_mapping *mapping;
    int nesting;
    relais_error *err;
};

/* Sets RELAIS_ERR_CONFIG with the mapping's file and the line; returns false. */
bool relais_build_fail(struct relais_builder *builder, long line, const char *format, ...)
    RELAIS_PRINTF(3, 4);

/* Memory that goes with the mapping; NULL with err. */
void *relais_build_take(struct relais_builder *builder, size_t size);

bool relais_build_is(const xmlNode *node, const char *name);

/* An attribute, and where its value goes: trimmed, and NULL when it is not there. */
struct relais_wanted {
    const char *name;
    const char **out;
};

RELAIS_MUST_USE bool relais_build_attributes(struct relais_builder *builder, const xmlNode *element,
                                             const struct relais_wanted *wanted, size_t count);

#define READ_ATTRIBUTES(builder, element, ...)                                                     \
    relais_build_attributes(builder, element, (const struct relais_wanted[]){__VA_ARGS__},         \
                            sizeof((const struct relais_wanted[]){__VA_ARGS__}) /                  \
                                sizeof(struct relais_wanted))

/* The words of an attribute's value. */
RELAIS_MUST_USE bool relais_build_words(struct relais_builder *builder, const char *text,
                                        const char *const **out, size_t *count);

/* The expression in an attribute; as a path, it must lead to elements. */
RELAIS_MUST_USE relais_expression *relais_build_expression(struct relais_builder *builder,
                                                           const xmlNode *element,
                                                           const char *attribute,
                                                           relais_scope *scope);
RELAIS_MUST_USE relais_expression *relais_build_path(struct relais_builder *builder,
                                                     const xmlNode *element, const char *attribute,
                                                     relais_scope *scope);

RELAIS_MUST_USE relais_scope *relais_build_scope(struct relais_builder *builder,
                                                 relais_scope *parent);

/* Reads the <let> of an element. */
RELAIS_MUST_USE bool relais_build_lets(struct relais_builder *builder, xmlNodePtr parent,
                                       relais_scope *scope);

RELAIS_MUST_USE bool relais_build_row(struct relais_builder *builder, xmlNodePtr element,
                                      relais_scope *outer, relais_item *row);
RELAIS_MUST_USE bool relais_build_items(struct relais_builder *builder, xmlNodePtr parent,
                                        relais_scope *scope, relais_item **items);

#endif
