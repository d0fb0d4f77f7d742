/*
 * What an expression reads. See relais_path_read in path.h.
 *
 * A recursive descent over XPath 1.0's grammar that follows paths instead of values: the
 * state of the descent is the set of paths that the context node may have. Precedence of
 * operators does not change what is read, so that all of them are one level here.
 */
#include "transform/path.h"

#include "transform/function.h"
#include "transform/lexer.h"
#include "transform/nearest.h"

#include <stdio.h>
#include <string.h>

enum {
    NESTING_MAX = 40,  /* brackets in brackets; libxml2's own parser stops soon after */
    PATHS_MAX = 200,   /* of one expression; unions before a step multiply */
    STEPS_MAX = 100,   /* no submission is deeper */
    LENGTH_MAX = 4000, /* characters: a page of text */
};

struct parser {
    relais_lexer lexer;
    const relais_place *place;
    const relais_paths *context; /* of the bracket the parser is in */
    relais_arena *arena;
    relais_reading *out;
    int nesting;
    int predicates; /* how many [...] the parser is in */
    relais_error *err;
};

static bool read_expression(struct parser *parser, relais_paths *results);

/* Sets of paths */

static bool add(struct parser *parser, relais_paths *set, const relais_path *path)
{
    if (set->count >= PATHS_MAX)
        return relais_error_set(parser->err, RELAIS_ERR_CONFIG,
                                "the expression \"%s\" reads more than %d paths: split it by <let>",
                                parser->lexer.text, PATHS_MAX);
    return relais_paths_add(set, path, parser->arena, parser->err);
}

static bool add_all(struct parser *parser, relais_paths *set, const relais_paths *more)
{
    for (size_t i = 0; i < more->count; i++)
        if (!add(parser, set, more->items[i]))
            return false;
    return true;
}

static const relais_path *extend(struct parser *parser, const relais_path *path, const char *step)
{
    relais_path *longer = relais_arena_alloc(parser->arena, sizeof *longer);
    const char **steps = relais_arena_alloc(parser->arena, (path->count + 1) * sizeof *steps);

    if (longer == NULL || steps == NULL || path->count >= STEPS_MAX)
        return NULL;
    if (path->count > 0)
        memcpy(steps, path->steps, path->count * sizeof *steps);
    steps[path->count] = step;
    *longer = *path;
    longer->steps = steps;
    longer->count = path->count + 1;
    return longer;
}

/* Replaces each path by the one that is one step longer. */
static bool step_down(struct parser *parser, relais_paths *set, const char *step)
{
    relais_paths longer = {0};

    for (size_t i = 0; i < set->count; i++) {
        const relais_path *path = extend(parser, set->items[i], step);
        if (path == NULL)
            return relais_error_set(parser->err, RELAIS_ERR_LIMIT, "a path of \"%s\" is too long",
                                    parser->lexer.text);
        if (!add(parser, &longer, path))
            return false;
    }
    *set = longer;
    return true;
}

static const relais_path *copy_path(struct parser *parser, const relais_path *path)
{
    relais_path *copy = relais_arena_alloc(parser->arena, sizeof *copy);

    if (copy != NULL)
        *copy = *path;
    else
        relais_arena_error(parser->arena, parser->err);
    return copy;
}

static bool step_up(struct parser *parser, relais_paths *set)
{
    relais_paths shorter = {0};

    for (size_t i = 0; i < set->count; i++) {
        const relais_path *path = set->items[i];
        relais_path *parent;
        if (path->count == 0)
            continue;
        parent = (relais_path *)copy_path(parser, path);
        if (parent == NULL)
            return false;
        /* Above "any number of levels" lies the same place: the set may be too wide, never
         * too narrow. */
        if (strcmp(path->steps[path->count - 1], RELAIS_STEP_LEVELS) != 0)
            parent->count--;
        if (!add(parser, &shorter, parent))
            return false;
    }
    *set = shorter;
    return true;
}

static bool mark(struct parser *parser, relais_paths *set, bool has_predicate, bool is_attribute)
{
    relais_paths marked = {0};

    for (size_t i = 0; i < set->count; i++) {
        relais_path *path = (relais_path *)copy_path(parser, set->items[i]);
        if (path == NULL)
            return false;
        path->has_predicate = path->has_predicate || has_predicate;
        path->is_attribute = path->is_attribute || is_attribute;
        if (!add(parser, &marked, path))
            return false;
    }
    *set = marked;
    return true;
}

/* Words */

static bool next(struct parser *parser)
{
    return relais_lexer_next(&parser->lexer, parser->err);
}

static bool fail(struct parser *parser, const char *expected)
{
    return relais_error_set(parser->err, RELAIS_ERR_CONFIG, "expected %s at character %d of \"%s\"",
                            expected, relais_lexer_place(&parser->lexer), parser->lexer.text);
}

static bool expect(struct parser *parser, relais_lex_kind kind, const char *what)
{
    return parser->lexer.kind == kind ? next(parser) : fail(parser, what);
}

static const char *word(struct parser *parser)
{
    const char *text = relais_arena_copy(parser->arena, parser->lexer.start, parser->lexer.length);

    if (text == NULL)
        relais_arena_error(parser->arena, parser->err);
    return text;
}

/* Steps */

typedef enum { AXIS_CHILD, AXIS_SELF, AXIS_PARENT, AXIS_BELOW, AXIS_ATTRIBUTE } axis;

static const struct {
    const char *name;
    axis axis;
} axes[] = {
    {"child", AXIS_CHILD},
    {"self", AXIS_SELF},
    {"parent", AXIS_PARENT},
    {"descendant", AXIS_BELOW},
    {"descendant-or-self", AXIS_BELOW},
    {"attribute", AXIS_ATTRIBUTE},
};

static bool find_axis(struct parser *parser, const char *start, size_t length, axis *out)
{
    for (size_t i = 0; i < sizeof axes / sizeof *axes; i++)
        if (strlen(axes[i].name) == length && memcmp(axes[i].name, start, length) == 0) {
            *out = axes[i].axis;
            return true;
        }
    return relais_error_set(parser->err, RELAIS_ERR_CONFIG,
                            "the axis \"%.*s\" of \"%s\" is not one of child, self, parent, "
                            "descendant, descendant-or-self, attribute",
                            (int)length, start, parser->lexer.text);
}

static bool is_node_type(const relais_lexer *lexer)
{
    return relais_lexer_is(lexer, "text") || relais_lexer_is(lexer, "node");
}

/* Reads "name", "*", "text()" or "node()"; *step is NULL for text(), whose path is that of
 * the element it is in. */
static bool read_node_test(struct parser *parser, const char **step)
{
    bool is_text = relais_lexer_is(&parser->lexer, "text");
    bool is_type = is_node_type(&parser->lexer);

    *step = RELAIS_STEP_ANY;
    if (parser->lexer.kind == RELAIS_LEX_STAR)
        return next(parser);
    if (parser->lexer.kind != RELAIS_LEX_NAME)
        return fail(parser, relais_translate("the name of an answer or group"));
    *step = word(parser);
    if (*step == NULL || !next(parser))
        return false;
    if (parser->lexer.kind != RELAIS_LEX_OPEN)
        return true;
    if (!is_type)
        return fail(parser, relais_translate("a name without brackets"));
    *step = is_text ? NULL : RELAIS_STEP_ANY;
    return next(parser) && expect(parser, RELAIS_LEX_CLOSE, "')'");
}

static bool go(struct parser *parser, relais_paths *set, axis along, const char *step)
{
    switch (along) {
    case AXIS_PARENT:
        return step_up(parser, set);
    case AXIS_ATTRIBUTE:
        return mark(parser, set, false, true);
    case AXIS_BELOW:
        return step_down(parser, set, RELAIS_STEP_LEVELS) &&
               (step == NULL || step_down(parser, set, step));
    case AXIS_CHILD:
        return step == NULL || step_down(parser, set, step);
    case AXIS_SELF:
        break;
    }
    return true;
}

static bool read_predicates(struct parser *parser, relais_paths *set)
{
    while (parser->lexer.kind == RELAIS_LEX_OPEN_SQUARE) {
        const relais_paths *outer = parser->context;
        relais_paths inner = *set, ignored = {0};
        bool ok;
        parser->context = &inner;
        parser->predicates++;
        ok = next(parser) && read_expression(parser, &ignored) &&
             expect(parser, RELAIS_LEX_CLOSE_SQUARE, "']'");
        parser->predicates--;
        parser->context = outer;
        if (!ok || !mark(parser, set, true, false))
            return false;
    }
    return true;
}

static bool read_step(struct parser *parser, relais_paths *set)
{
    relais_lexer *lexer = &parser->lexer;
    axis along = AXIS_CHILD;
    const char *step;

    if (lexer->kind == RELAIS_LEX_DOT)
        return next(parser);
    if (lexer->kind == RELAIS_LEX_DOTS)
        return step_up(parser, set) && next(parser);
    if (lexer->kind == RELAIS_LEX_AT) {
        along = AXIS_ATTRIBUTE;
        if (!next(parser))
            return false;
    } else if (lexer->kind == RELAIS_LEX_NAME) {
        relais_lexer ahead = *lexer;
        if (!relais_lexer_next(&ahead, parser->err))
            return false;
        if (ahead.kind == RELAIS_LEX_AXIS &&
            (!find_axis(parser, lexer->start, lexer->length, &along) || !next(parser) ||
             !next(parser)))
            return false;
    }
    return read_node_test(parser, &step) && go(parser, set, along, step) &&
           read_predicates(parser, set);
}

static bool read_relative(struct parser *parser, relais_paths *set)
{
    if (!read_step(parser, set))
        return false;
    while (parser->lexer.kind == RELAIS_LEX_SLASH || parser->lexer.kind == RELAIS_LEX_SLASHES) {
        if (parser->lexer.kind == RELAIS_LEX_SLASHES && !step_down(parser, set, RELAIS_STEP_LEVELS))
            return false;
        if (!next(parser) || !read_step(parser, set))
            return false;
    }
    return true;
}

static bool starts_step(const relais_lexer *lexer)
{
    return lexer->kind == RELAIS_LEX_NAME || lexer->kind == RELAIS_LEX_STAR ||
           lexer->kind == RELAIS_LEX_DOT || lexer->kind == RELAIS_LEX_DOTS ||
           lexer->kind == RELAIS_LEX_AT;
}

static bool read_absolute(struct parser *parser, relais_paths *set)
{
    static const relais_path document = {0};
    bool is_deep = parser->lexer.kind == RELAIS_LEX_SLASHES;

    if (!add(parser, set, &document) || !next(parser))
        return false;
    if (is_deep && !step_down(parser, set, RELAIS_STEP_LEVELS))
        return false;
    if (!is_deep && !starts_step(&parser->lexer))
        return true;
    return read_relative(parser, set);
}

/* Functions and variables */

static void consider_name(void *data, const char *name)
{
    relais_nearest_consider(data, name);
}

static bool fail_function(struct parser *parser, const char *name)
{
    relais_nearest nearest;

    relais_nearest_init(&nearest, name);
    relais_function_names(consider_name, &nearest);
    if (nearest.best != NULL)
        return relais_error_set(parser->err, RELAIS_ERR_CONFIG,
                                "there is no function %s(): did you mean %s()?", name,
                                nearest.best);
    return relais_error_set(parser->err, RELAIS_ERR_CONFIG,
                            "there is no function %s(): see \"Functions\" in transforms/README.md",
                            name);
}

static bool check_count(struct parser *parser, const relais_function *function, int count)
{
    if (count >= function->fewest && count <= function->most)
        return true;
    if (function->fewest == function->most)
        return relais_error_set(parser->err, RELAIS_ERR_CONFIG, "%s() takes %d argument%s, not %d",
                                function->name, function->fewest, function->fewest == 1 ? "" : "s",
                                count);
    return relais_error_set(parser->err, RELAIS_ERR_CONFIG, "%s() takes %d to %d arguments, not %d",
                            function->name, function->fewest, function->most, count);
}

/* What is settled when the mapping is read (a pattern, the name of a list) must be there
 * already. */
static bool read_quoted(struct parser *parser, const relais_function *function, int index)
{
    relais_lexer ahead = parser->lexer;
    const char *text;
    char expected[64];

    snprintf(expected, sizeof expected, relais_translate("argument %d of %s() alone, in quotes"),
             index + 1, function->name);
    if (parser->lexer.kind != RELAIS_LEX_LITERAL)
        return fail(parser, expected);
    text = word(parser);
    if (text == NULL || !relais_lexer_next(&ahead, parser->err))
        return false;
    if (ahead.kind != RELAIS_LEX_CLOSE && ahead.kind != RELAIS_LEX_COMMA)
        return fail(parser, expected);
    return parser->place->quoted(parser->place->data, function->name, index, text, parser->err);
}

static bool read_argument(struct parser *parser, const relais_function *function, int index,
                          relais_paths *results)
{
    relais_paths argument = {0};

    if ((function->quoted >> index & 1) != 0 && !read_quoted(parser, function, index))
        return false;
    if (!read_expression(parser, &argument))
        return false;
    if (function->result_from < 0 || index < function->result_from)
        return true;
    return add_all(parser, results, &argument);
}

static bool read_call(struct parser *parser, relais_paths *results)
{
    const relais_function *function =
        relais_function_find(parser->lexer.start, parser->lexer.length);
    const char *name = word(parser);
    int count = 0;

    if (name == NULL)
        return false;
    if (function == NULL)
        return fail_function(parser, name);
    if (function->most == 0 && parser->predicates == 0 &&
        (strcmp(name, "position") == 0 || strcmp(name, "last") == 0))
        parser->out->uses_position = true;
    parser->out->uses_keys = parser->out->uses_keys || function->uses_keys;
    if (!next(parser) || !expect(parser, RELAIS_LEX_OPEN, "'('"))
        return false;
    while (parser->lexer.kind != RELAIS_LEX_CLOSE) {
        if (count > 0 && !expect(parser, RELAIS_LEX_COMMA, "',' or ')'"))
            return false;
        if (count >= RELAIS_ARGUMENTS_MAX)
            return check_count(parser, function, count + 1);
        if (!read_argument(parser, function, count++, results))
            return false;
    }
    return check_count(parser, function, count) && next(parser);
}

static bool read_variable(struct parser *parser, relais_paths *results)
{
    const relais_paths *nodes = NULL;
    const char *name = word(parser);

    if (name == NULL || !parser->place->variable(parser->place->data, name, &nodes, parser->err))
        return false;
    if (nodes != NULL && !add_all(parser, results, nodes))
        return false;
    return next(parser);
}

/* Expressions */

static bool starts_call(struct parser *parser, bool *out)
{
    relais_lexer ahead = parser->lexer;

    if (!relais_lexer_next(&ahead, parser->err))
        return false;
    *out = ahead.kind == RELAIS_LEX_OPEN && !is_node_type(&parser->lexer);
    return true;
}

static bool read_primary(struct parser *parser, relais_paths *results)
{
    switch (parser->lexer.kind) {
    case RELAIS_LEX_LITERAL:
    case RELAIS_LEX_NUMBER:
        return next(parser);
    case RELAIS_LEX_VARIABLE:
        return read_variable(parser, results);
    case RELAIS_LEX_OPEN:
        return next(parser) && read_expression(parser, results) &&
               expect(parser, RELAIS_LEX_CLOSE, "')'");
    default:
        return read_call(parser, results);
    }
}

/* A primary that steps follow: `$person/age`, `(a | b)[1]`. */
static bool read_filtered(struct parser *parser, relais_paths *results)
{
    bool is_path = false;

    if (!read_primary(parser, results) || !read_predicates(parser, results))
        return false;
    while (parser->lexer.kind == RELAIS_LEX_SLASH || parser->lexer.kind == RELAIS_LEX_SLASHES) {
        is_path = true;
        if (parser->lexer.kind == RELAIS_LEX_SLASHES &&
            !step_down(parser, results, RELAIS_STEP_LEVELS))
            return false;
        if (!next(parser) || !read_step(parser, results))
            return false;
    }
    return !is_path || add_all(parser, &parser->out->paths, results);
}

static bool read_location(struct parser *parser, relais_paths *results)
{
    bool ok;

    if (parser->lexer.kind == RELAIS_LEX_SLASH || parser->lexer.kind == RELAIS_LEX_SLASHES) {
        ok = read_absolute(parser, results);
    } else {
        if (parser->predicates == 0)
            parser->out->is_relative = true;
        ok = add_all(parser, results, parser->context) && read_relative(parser, results);
    }
    return ok && add_all(parser, &parser->out->paths, results);
}

static bool read_operand(struct parser *parser, relais_paths *results)
{
    bool is_call = false;

    switch (parser->lexer.kind) {
    case RELAIS_LEX_SLASH:
    case RELAIS_LEX_SLASHES:
    case RELAIS_LEX_STAR:
    case RELAIS_LEX_DOT:
    case RELAIS_LEX_DOTS:
    case RELAIS_LEX_AT:
        return read_location(parser, results);
    case RELAIS_LEX_NAME:
        if (!starts_call(parser, &is_call))
            return false;
        return is_call ? read_filtered(parser, results) : read_location(parser, results);
    case RELAIS_LEX_LITERAL:
    case RELAIS_LEX_NUMBER:
    case RELAIS_LEX_VARIABLE:
    case RELAIS_LEX_OPEN:
        return read_filtered(parser, results);
    default:
        return fail(parser, relais_translate("a path, a value or a function"));
    }
}

static bool read_signed(struct parser *parser, relais_paths *results, bool *is_computed)
{
    while (parser->lexer.kind == RELAIS_LEX_OPERATOR && relais_lexer_is(&parser->lexer, "-")) {
        *is_computed = true;
        if (!next(parser))
            return false;
    }
    return read_operand(parser, results);
}

static bool read_operands(struct parser *parser, relais_paths *results)
{
    bool is_computed = false;

    if (!read_signed(parser, results, &is_computed))
        return false;
    while (parser->lexer.kind == RELAIS_LEX_OPERATOR) {
        relais_paths more = {0};
        if (!relais_lexer_is(&parser->lexer, "|"))
            is_computed = true;
        if (!next(parser) || !read_signed(parser, &more, &is_computed) ||
            !add_all(parser, results, &more))
            return false;
    }
    if (is_computed)
        *results = (relais_paths){0};
    return true;
}

static bool read_expression(struct parser *parser, relais_paths *results)
{
    bool ok;

    if (parser->nesting >= NESTING_MAX)
        return relais_error_set(parser->err, RELAIS_ERR_CONFIG,
                                "an expression nests deeper than %d brackets: split it by <let>",
                                NESTING_MAX);
    parser->nesting++;
    ok = read_operands(parser, results);
    parser->nesting--;
    return ok;
}

bool relais_path_read(const char *text, const relais_place *place, relais_arena *arena,
                      relais_reading *out, relais_error *err)
{
    struct parser parser = {
        .place = place, .context = place->context, .arena = arena, .out = out, .err = err};

    if (strlen(text) > LENGTH_MAX)
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "an expression is longer than %d characters: split it by <let>",
                                LENGTH_MAX);
    relais_lexer_init(&parser.lexer, text);
    if (!next(&parser) || !read_expression(&parser, &out->results))
        return false;
    return parser.lexer.kind == RELAIS_LEX_END ||
           fail(&parser, relais_translate("an operator or the end"));
}
