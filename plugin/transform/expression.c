/*
 * Expressions over libxml2's XPath. See expression.h.
 *
 * One xmlXPathContext serves all runs of a mapping. A <let> is evaluated by the variable
 * look-up, inside the evaluation that asks for it: the context's node and position are put
 * aside meanwhile, as libxslt does. libxml2's error messages go to a handler that drops
 * them, so that nothing is ever printed.
 */
#include "transform/expression.h"

#include "transform/function.h"
#include "transform/list.h"
#include "transform/nearest.h"

#include <libxml/parser.h>
#include <stddef.h>
#include <string.h>

enum {
    LETS_MAX = 30, /* that need each other in a chain: libxml2 recurses for each */
    /* Steps of XPath's machine in one run. An ordinary submission takes a few thousand; this
     * many take about a second, and end a path that goes through all repeats for each repeat. */
    OPERATIONS_MAX = 20 * 1000 * 1000,
};

/* Variables that every mapping knows. */
static const struct {
    const char *name;
    size_t offset;
} facts[] = {
    {"submission", offsetof(relais_facts, submission)},
    {"record", offsetof(relais_facts, record)},
    {"instance", offsetof(relais_facts, instance)},
    {"form", offsetof(relais_facts, form)},
    {"version", offsetof(relais_facts, version)},
    {"received", offsetof(relais_facts, received)},
    {"user", offsetof(relais_facts, user)},
    {"device", offsetof(relais_facts, device)},
};

enum { FACT_COUNT = sizeof facts / sizeof *facts };

static const char token_name[] = "token";

/* Variables of the forwarder's secrets: not secret themselves. */
static const char key_version_name[] = "key_version", seal_key_name[] = "seal_key";

static const char *const *fact_of(const relais_facts *values, const char *name)
{
    for (size_t i = 0; i < FACT_COUNT; i++)
        if (strcmp(facts[i].name, name) == 0)
            return (const char *const *)((const char *)values + facts[i].offset);
    return NULL;
}

static bool is_of_secrets(const char *name)
{
    return strcmp(name, key_version_name) == 0 || strcmp(name, seal_key_name) == 0;
}

bool relais_variable_is_given(const char *name)
{
    static const relais_facts none;

    return fact_of(&none, name) != NULL || strcmp(name, token_name) == 0 || is_of_secrets(name);
}

relais_let *relais_let_find(const relais_scope *scope, const char *name)
{
    for (; scope != NULL; scope = scope->parent)
        for (relais_let *let = scope->lets; let != NULL; let = let->next)
            if (strcmp(let->name, name) == 0)
                return let;
    return NULL;
}

/* Reading */

struct naming {
    relais_mapping *mapping;
    relais_expression *expression;
    const relais_path *origin; /* of the first <let> it reads */
    const relais_list *list;   /* of the generalise() that is being read */
};

static bool fail_variable(const struct naming *naming, const char *name, relais_error *err)
{
    relais_nearest nearest;

    relais_nearest_init(&nearest, name);
    for (size_t i = 0; i < FACT_COUNT; i++)
        relais_nearest_consider(&nearest, facts[i].name);
    relais_nearest_consider(&nearest, key_version_name);
    relais_nearest_consider(&nearest, seal_key_name);
    for (relais_scope *scope = naming->expression->scope; scope != NULL; scope = scope->parent)
        for (relais_let *let = scope->lets; let != NULL; let = let->next)
            relais_nearest_consider(&nearest, let->name);
    if (nearest.best != NULL)
        return relais_error_set(err, RELAIS_ERR_CONFIG, "$%s is not known here: did you mean $%s?",
                                name, nearest.best);
    return relais_error_set(err, RELAIS_ERR_CONFIG,
                            "$%s is not known here: name it with <let name=\"%s\" ...> in the same "
                            "element or one around it",
                            name, name);
}

static void depend_on(relais_expression *expression, relais_scope *scope)
{
    if (expression->depends == NULL || scope->depth > expression->depends->depth)
        expression->depends = scope;
}

static bool name_token(struct naming *naming, relais_error *err)
{
    relais_scope *scope = naming->expression->scope;

    while (scope != NULL && !scope->has_token)
        scope = scope->parent;
    naming->expression->uses_token = true;
    if (scope == NULL)
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "$token is known only inside a <row tokens=\"...\">");
    depend_on(naming->expression, scope);
    return true;
}

static void need(long *line, const relais_expression *expression)
{
    if (*line == 0)
        *line = expression->line;
}

static bool name_secret(struct naming *naming, const char *name)
{
    need(strcmp(name, seal_key_name) == 0 ? &naming->mapping->seal_line
                                          : &naming->mapping->keys_line,
         naming->expression);
    return true;
}

static bool name_variable(void *data, const char *name, const relais_paths **results,
                          relais_error *err)
{
    static const relais_facts none;
    struct naming *naming = data;
    relais_let *let = relais_let_find(naming->expression->scope, name);

    if (let == NULL && strcmp(name, token_name) == 0)
        return name_token(naming, err);
    if (let == NULL && is_of_secrets(name))
        return name_secret(naming, name);
    if (let == NULL)
        return fact_of(&none, name) != NULL || fail_variable(naming, name, err);
    let->is_used = true;
    depend_on(naming->expression, let->scope);
    if (!relais_let_prepare(naming->mapping, let, err))
        return false;
    if (naming->origin == NULL)
        naming->origin = let->select->origin;
    *results = &let->select->reading.results;
    return true;
}

/* generalise(): its list, which must be a hierarchy. */
static bool name_hierarchy(struct naming *naming, const char *name, relais_error *err)
{
    naming->list = relais_list_use(naming->mapping, name, err);
    if (naming->list == NULL)
        return false;
    return naming->list->parent != NULL ||
           relais_error_set(err, RELAIS_ERR_CONFIG,
                            "generalise() climbs from place to place, and the list \"%s\" does "
                            "not say how: give it parent=\"...\" and level=\"...\"",
                            name);
}

static bool name_level(struct naming *naming, const char *level, relais_error *err)
{
    relais_arena *arena = naming->mapping->arena;
    relais_climb *climb = relais_arena_alloc(arena, sizeof *climb);

    if (climb == NULL)
        return relais_arena_error(arena, err);
    *climb = (relais_climb){.next = naming->mapping->climbs,
                            .list = naming->list,
                            .level = level,
                            .line = naming->expression->line};
    naming->mapping->climbs = climb;
    return true;
}

static bool name_quoted(void *data, const char *function, int index, const char *text,
                        relais_error *err)
{
    struct naming *naming = data;

    if (strcmp(function, "generalise") != 0)
        return relais_pattern_add(&naming->mapping->patterns, text, naming->mapping->arena, err);
    return index == 1 ? name_hierarchy(naming, text, err) : name_level(naming, text, err);
}

static void release_compiled(void *data)
{
    xmlXPathFreeCompExpr(data);
}

/* In brackets, because libxml2 evaluates a bare path by a walk over the whole document that
 * its limit of operations does not count. */
static bool compile(relais_mapping *mapping, relais_expression *expression, relais_error *err)
{
    const char *text = relais_arena_format(mapping->arena, "(%s)", expression->text);

    if (text == NULL)
        return relais_arena_error(mapping->arena, err);
    expression->compiled = xmlXPathCtxtCompile(mapping->xpath, (const xmlChar *)text);
    if (expression->compiled == NULL)
        return relais_error_set(err, RELAIS_ERR_CONFIG, "\"%s\" is not an XPath 1.0 expression",
                                expression->text);
    if (!relais_arena_cleanup(mapping->arena, release_compiled, expression->compiled))
        return relais_arena_error(mapping->arena, err);
    return true;
}

static const relais_path *first_path(const relais_expression *expression)
{
    if (expression->reading.results.count > 0)
        return expression->reading.results.items[0];
    if (expression->reading.paths.count > 0)
        return expression->reading.paths.items[0];
    return NULL;
}

/* Paths and positions are those of the nearest repeat or choice around the expression. */
static void depend_on_context(relais_expression *expression)
{
    relais_scope *scope = expression->scope;

    while (scope->parent != NULL && !scope->iterates)
        scope = scope->parent;
    depend_on(expression, scope);
}

relais_expression *relais_expression_create(relais_mapping *mapping, relais_scope *scope,
                                            const char *text, long line, relais_error *err)
{
    relais_expression *expression = relais_arena_alloc(mapping->arena, sizeof *expression);
    struct naming naming = {.mapping = mapping, .expression = expression};
    relais_place place = {.context = scope->context,
                          .data = &naming,
                          .variable = name_variable,
                          .quoted = name_quoted};

    if (expression == NULL) {
        relais_arena_error(mapping->arena, err);
        return NULL;
    }
    expression->text = text;
    expression->line = line;
    expression->scope = scope;
    depend_on(expression, mapping->scope);
    if (!relais_path_read(text, &place, mapping->arena, &expression->reading, err) ||
        !compile(mapping, expression, err)) {
        relais_error_at(err, mapping->file, line);
        return NULL;
    }
    if (expression->reading.uses_keys)
        need(&mapping->keys_line, expression);
    if (expression->reading.is_relative || expression->reading.uses_position)
        depend_on_context(expression);
    expression->origin = first_path(expression);
    if (expression->origin == NULL)
        expression->origin = naming.origin;
    expression->next = mapping->expressions;
    mapping->expressions = expression;
    return expression;
}

static bool fail_cycle(const relais_mapping *mapping, const relais_let *let, relais_error *err)
{
    relais_error_set(err, RELAIS_ERR_CONFIG, "$%s needs its own value", let->name);
    relais_error_at(err, mapping->file, let->line);
    return false;
}

static int count_being_read(const relais_mapping *mapping)
{
    int count = 0;

    for (const relais_scope *scope = mapping->scopes; scope != NULL; scope = scope->next)
        for (const relais_let *let = scope->lets; let != NULL; let = let->next)
            count += let->is_being_read;
    return count;
}

bool relais_let_prepare(relais_mapping *mapping, relais_let *let, relais_error *err)
{
    if (let->select != NULL)
        return true;
    if (let->is_being_read)
        return fail_cycle(mapping, let, err);
    if (count_being_read(mapping) >= LETS_MAX) {
        relais_error_set(err, RELAIS_ERR_CONFIG, "more than %d <let> need each other in a chain",
                         LETS_MAX);
        relais_error_at(err, mapping->file, let->line);
        return false;
    }
    let->is_being_read = true;
    let->select = relais_expression_create(mapping, let->scope, let->text, let->line, err);
    let->is_being_read = false;
    return let->select != NULL;
}

/* Running */

void relais_scope_enter(relais_scope *scope, xmlNodePtr node, int position, int size,
                        const char *token)
{
    for (relais_let *let = scope->lets; let != NULL; let = let->next) {
        xmlXPathFreeObject(let->value);
        let->value = NULL;
    }
    scope->node = node;
    scope->position = position;
    scope->size = size;
    scope->token = token;
}

void relais_scopes_leave(relais_mapping *mapping)
{
    for (relais_scope *scope = mapping->scopes; scope != NULL; scope = scope->next) {
        relais_scope_enter(scope, NULL, 0, 0, NULL);
        scope->token_node = NULL;
    }
    mapping->facts = NULL;
    mapping->target = NULL;
    mapping->xpath->doc = NULL;
    mapping->xpath->node = NULL;
}

void relais_expression_start(relais_mapping *mapping, xmlDocPtr doc, const relais_facts *values,
                             const relais_target *target)
{
    mapping->facts = values;
    mapping->target = target;
    relais_error_clear(&mapping->failure);
    mapping->unlisted = NULL;
    mapping->xpath->doc = doc;
    mapping->xpath->opCount = 0;
    mapping->xpath->depth = 0;
}

xmlXPathObjectPtr relais_expression_evaluate(relais_mapping *mapping,
                                             const relais_expression *expression,
                                             relais_scope *scope)
{
    xmlXPathContextPtr xpath = mapping->xpath;
    relais_scope *running = mapping->running;
    xmlNodePtr node = xpath->node;
    int position = xpath->proximityPosition, size = xpath->contextSize, depth = xpath->depth;
    xmlXPathObjectPtr value;

    mapping->running = scope;
    xpath->node = scope->node;
    xpath->proximityPosition = scope->position;
    xpath->contextSize = scope->size;
    value = xmlXPathCompiledEval(expression->compiled, xpath);
    mapping->running = running;
    xpath->node = node;
    xpath->proximityPosition = position;
    xpath->contextSize = size;
    xpath->depth = depth;
    return value;
}

static const char *present_token(const relais_scope *scope)
{
    while (scope != NULL && !scope->has_token)
        scope = scope->parent;
    return scope == NULL ? NULL : scope->token;
}

static const char *present_secret(const relais_mapping *mapping, const char *name)
{
    const relais_secrets *secrets = mapping->secrets;

    if (secrets == NULL)
        return NULL;
    if (strcmp(name, key_version_name) == 0)
        return secrets->key_version;
    return secrets->seal == NULL ? NULL : relais_seal_key_id(secrets->seal);
}

static xmlXPathObjectPtr look_up(void *data, const xmlChar *name, const xmlChar *uri)
{
    relais_mapping *mapping = data;
    relais_let *let = uri == NULL ? relais_let_find(mapping->running, (const char *)name) : NULL;
    const char *const *fact;
    const char *text;

    if (let != NULL) {
        if (let->value == NULL)
            let->value = relais_expression_evaluate(mapping, let->select, let->scope);
        return let->value == NULL ? NULL : xmlXPathObjectCopy(let->value);
    }
    fact = fact_of(mapping->facts, (const char *)name);
    if (fact != NULL)
        text = *fact;
    else if (is_of_secrets((const char *)name))
        text = present_secret(mapping, (const char *)name);
    else
        text = present_token(mapping->running);
    return xmlXPathNewString((const xmlChar *)(text == NULL ? "" : text));
}

bool relais_expression_fail(const relais_mapping *mapping, const relais_expression *expression,
                            relais_error *err)
{
    if (mapping->failure.code != RELAIS_ERR_NONE) {
        *err = mapping->failure;
        return false;
    }
    if (mapping->xpath->lastError.code == XML_ERR_NO_MEMORY ||
        mapping->xpath->lastError.code == XML_XPATH_MEMORY_ERROR)
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for XPath");
    else
        relais_error_set(err, RELAIS_ERR_DATA, "the expression \"%s\" cannot be computed",
                         expression->text);
    relais_error_at(err, mapping->file, expression->line);
    return false;
}

/* Trying out, and the context */

static void drop_message(void *data, xmlErrorPtr error)
{
    (void)data;
    (void)error;
}

static void release_context(void *data)
{
    xmlXPathContextPtr xpath = data;
    relais_mapping *mapping = xpath->userData;

    relais_scopes_leave(mapping);
    xmlXPathFreeContext(xpath);
}

bool relais_expression_begin(relais_mapping *mapping, relais_error *err)
{
    xmlXPathContextPtr xpath = xmlXPathNewContext(NULL);

    if (xpath == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for XPath");
    mapping->xpath = xpath;
    xpath->userData = mapping;
    xpath->error = drop_message;
    xpath->opLimit = OPERATIONS_MAX;
    xmlXPathRegisterVariableLookup(xpath, look_up, mapping);
    if (!relais_arena_cleanup(mapping->arena, release_context, xpath))
        return relais_arena_error(mapping->arena, err);
    xmlXPathContextSetCache(xpath, 1, -1, 0);
    return relais_function_register(xpath, err);
}

static bool try_one(relais_mapping *mapping, const relais_expression *expression, relais_error *err)
{
    xmlXPathObjectPtr value = relais_expression_evaluate(mapping, expression, expression->scope);
    relais_error failure = {0};

    if (value != NULL) {
        xmlXPathFreeObject(value);
        return true;
    }
    relais_expression_fail(mapping, expression, &failure);
    if (failure.code == RELAIS_ERR_DATA)
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "\"%s\" cannot be computed: it takes a text or number for a path, or "
                         "the other way round",
                         expression->text);
    else
        relais_error_set(err, failure.code, "%s", failure.text);
    relais_error_at(err, mapping->file, expression->line);
    return false;
}

bool relais_expression_try_all(relais_mapping *mapping, relais_error *err)
{
    static const relais_facts none;
    xmlDocPtr doc = xmlNewDoc((const xmlChar *)"1.0");
    xmlNodePtr root = xmlNewNode(NULL, (const xmlChar *)"data");
    bool ok = doc != NULL && root != NULL;

    if (ok) {
        xmlDocSetRootElement(doc, root);
        for (relais_scope *scope = mapping->scopes; scope != NULL; scope = scope->next)
            relais_scope_enter(scope, root, 1, 1, "x");
        relais_expression_start(mapping, doc, &none, NULL);
        for (relais_expression *e = mapping->expressions; ok && e != NULL; e = e->next)
            ok = try_one(mapping, e, err);
        relais_scopes_leave(mapping);
    } else {
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for XPath");
        xmlFreeNode(root);
    }
    xmlFreeDoc(doc);
    return ok;
}
