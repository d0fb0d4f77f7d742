/*
 * One submission through a mapping: which rows there are. See relais_mapping_run in mapping.h.
 *
 * The items are walked in the order of the file, with the document; the rows are put in the
 * order of shapes at the end. What memory a run needs comes from the caller's arena.
 */
#include "transform/run.h"

#include "transform/cast.h"
#include "transform/derive.h"
#include "transform/expression.h"

#include <string.h>

/* The largest national form gives 60 rows; this is ten thousand repeats of one person. */
enum { ROWS_MAX = 10000, FILES_MAX = 10000 };

static bool run_items(relais_run *run, relais_item *items);

/* Makes room for one more item in an array of the arena's; doubles it when full. */
static void *grow(relais_run *run, void *items, size_t count, size_t *room, size_t size)
{
    size_t wanted = *room == 0 ? 16 : *room * 2;
    void *more;

    if (count < *room)
        return items;
    more = relais_arena_alloc(run->arena, wanted * size);
    if (more == NULL) {
        relais_arena_error(run->arena, run->err);
        return NULL;
    }
    if (count > 0)
        memcpy(more, items, count * size);
    *room = wanted;
    return more;
}

static bool refuse_count(relais_run *run, relais_rule_kind kind, long long most, xmlNodePtr node,
                         const char *place)
{
    relais_rule rule = {.kind = kind, .number = most};

    return relais_run_refuse(run, &rule, relais_where_node(&run->where, node), place, NULL, 0);
}

/* Clearances */

static bool add_clearance(relais_run *run, const relais_item *item, const char *const *values)
{
    relais_output *out = run->out;

    if (out->clearance_count == ROWS_MAX)
        return refuse_count(run, RELAIS_RULE_ROWS, ROWS_MAX, item->anchor->node,
                            run->mapping->shapes[item->shape].table_name);
    out->clearances = grow(run, out->clearances, out->clearance_count, &run->clearance_room,
                           sizeof *out->clearances);
    if (out->clearances == NULL)
        return false;
    out->clearances[out->clearance_count++] = (relais_clearance){item->shape, values};
    return true;
}

/* Says which rows of the parent go. Where the parent has no id, it has no rows either. */
static bool clear(relais_run *run, const relais_item *item)
{
    const relais_row_shape *shape = &run->mapping->shapes[item->shape];
    const char **values = relais_arena_alloc(run->arena, item->replace_count * sizeof *values);

    if (values == NULL)
        return relais_arena_error(run->arena, run->err);
    for (size_t i = 0; i < item->replace_count; i++) {
        size_t column = item->replace[i];
        relais_column bound = *shape->bound[column];
        const char *path;
        bound.not_null = false;
        if (!relais_run_fill(run, &item->columns[column], &bound, item->anchor, &values[i], &path))
            return false;
        if (values[i] == NULL)
            return true;
    }
    return add_clearance(run, item, values);
}

/* Makes a scope stand at a node, and tells the clearances that are known there: also of rows
 * that will not come, because a <when> does not hold or no repeat is left. */
static bool enter(relais_run *run, relais_scope *scope, xmlNodePtr node, int position, int size,
                  const char *token)
{
    relais_scope_enter(scope, node, position, size, token);
    for (const relais_item *item = scope->anchored; item != NULL; item = item->next_anchored)
        if (!clear(run, item))
            return false;
    return true;
}

static bool enter_below(relais_run *run, relais_scope *scope)
{
    const relais_scope *outer = scope->parent;

    return enter(run, scope, outer->node, outer->position, outer->size, NULL);
}

/* Goes through rows that are not there, for the clearances that are known inside them. What
 * hangs on a repeat goes with the rows of the repeat. */
static bool clear_items(relais_run *run, relais_item *items)
{
    for (relais_item *item = items; item != NULL; item = item->next) {
        if (item->kind == RELAIS_ITEM_FILE || item->scope->iterates)
            continue;
        if (!enter_below(run, item->scope) || !clear_items(run, item->children))
            return false;
    }
    return true;
}

/* Rows */

static bool emit(relais_run *run, relais_item *item)
{
    const relais_row_shape *shape = &run->mapping->shapes[item->shape];
    relais_output *out = run->out;
    size_t count = item->column_count;
    const char **values, **paths;

    if (out->count == ROWS_MAX)
        return refuse_count(run, RELAIS_RULE_ROWS, ROWS_MAX, item->scope->node, shape->table_name);
    out->rows = grow(run, out->rows, out->count, &run->row_room, sizeof *out->rows);
    values = relais_arena_alloc(run->arena, 2 * count * sizeof *values);
    if (out->rows == NULL || values == NULL)
        return relais_arena_error(run->arena, run->err);
    paths = values + count;
    for (size_t i = 0; i < count; i++)
        if (!relais_run_fill(run, &item->columns[i], shape->bound[i], item->scope, &values[i],
                             &paths[i]))
            return false;
    out->rows[out->count++] = (relais_row){item->shape, values, paths};
    return true;
}

static bool run_once(relais_run *run, relais_item *item, xmlNodePtr node, int position, int size,
                     const char *token)
{
    return enter(run, item->scope, node, position, size, token) && emit(run, item) &&
           run_items(run, item->children);
}

/* The distinct tokens of an answer, in their order. */
static bool split(relais_run *run, relais_item *item, const relais_answer *answer,
                  const char ***out, int *count)
{
    const char *rest = answer->text, *start;
    const char **tokens = relais_arena_alloc(run->arena, RELAIS_TOKENS_MAX * sizeof *tokens);
    size_t length;

    if (tokens == NULL)
        return relais_arena_error(run->arena, run->err);
    *out = tokens;
    *count = 0;
    while (relais_token_next(&rest, &start, &length)) {
        const char *token = relais_arena_copy(run->arena, start, length);
        int i = 0;
        if (token == NULL)
            return relais_arena_error(run->arena, run->err);
        while (i < *count && strcmp(tokens[i], token) != 0)
            i++;
        if (i < *count)
            continue;
        if (*count == RELAIS_TOKENS_MAX)
            return refuse_count(run, RELAIS_RULE_TOKENS, RELAIS_TOKENS_MAX, answer->node,
                                run->mapping->shapes[item->shape].table_name);
        tokens[(*count)++] = token;
    }
    return true;
}

static bool run_tokens(relais_run *run, relais_item *item, xmlNodePtr node, int position, int size)
{
    relais_answer answer;
    const char **tokens = NULL;
    int count = 0;

    /* The path to the choices starts from the repeat, where the row has one. */
    relais_scope_enter(item->scope, node, position, size, NULL);
    if (!relais_run_answer(run, item->tokens, item->scope, true, &answer))
        return false;
    if (answer.text == NULL)
        return true;
    if (answer.node == NULL)
        answer.node = node;
    if (!split(run, item, &answer, &tokens, &count))
        return false;
    item->scope->token_node = answer.node;
    for (int i = 0; i < count; i++)
        if (!run_once(run, item, node, i + 1, count, tokens[i]))
            return false;
    return true;
}

static bool run_at(relais_run *run, relais_item *item, xmlNodePtr node, int position, int size)
{
    if (item->tokens != NULL)
        return run_tokens(run, item, node, position, size);
    return run_once(run, item, node, position, size, NULL);
}

static bool run_repeats(relais_run *run, relais_item *item)
{
    xmlXPathObjectPtr value = relais_run_evaluate(run, item->for_each, item->scope->parent);
    xmlNodeSetPtr nodes;
    bool ok = true;

    if (value == NULL)
        return false;
    nodes = value->type == XPATH_NODESET ? value->nodesetval : NULL;
    for (int i = 0; ok && nodes != NULL && i < nodes->nodeNr; i++)
        if (nodes->nodeTab[i]->type == XML_ELEMENT_NODE)
            ok = run_at(run, item, nodes->nodeTab[i], i + 1, nodes->nodeNr);
    xmlXPathFreeObject(value);
    return ok;
}

/* Items */

static bool run_row(relais_run *run, relais_item *item)
{
    const relais_scope *outer = item->scope->parent;

    if (item->for_each != NULL)
        return run_repeats(run, item);
    return run_at(run, item, outer->node, outer->position, outer->size);
}

static bool run_when(relais_run *run, relais_item *item)
{
    xmlXPathObjectPtr value;
    bool holds;

    if (!enter_below(run, item->scope))
        return false;
    value = relais_run_evaluate(run, item->test, item->scope);
    if (value == NULL)
        return false;
    holds = xmlXPathCastToBoolean(value) != 0;
    xmlXPathFreeObject(value);
    return holds ? run_items(run, item->children) : clear_items(run, item->children);
}

static bool add_file(relais_run *run, const char *name)
{
    relais_output *out = run->out;

    for (size_t i = 0; i < out->file_count; i++)
        if (strcmp(out->files[i], name) == 0)
            return true;
    if (out->file_count == FILES_MAX)
        return refuse_count(run, RELAIS_RULE_FILES, FILES_MAX, run->mapping->scope->node, NULL);
    out->files = grow(run, out->files, out->file_count, &run->file_room, sizeof *out->files);
    if (out->files == NULL)
        return false;
    out->files[out->file_count++] = name;
    return true;
}

/* Each element is a name of its own: file names may hold blanks. */
static bool add_named(relais_run *run, xmlXPathObjectPtr value)
{
    xmlNodeSetPtr nodes = value->type == XPATH_NODESET ? value->nodesetval : NULL;
    relais_answer answer;

    if (value->type != XPATH_NODESET)
        return relais_answer_take(value, false, run->arena, &answer, run->err) &&
               (answer.text == NULL || add_file(run, answer.text));
    for (int i = 0; nodes != NULL && i < nodes->nodeNr; i++) {
        xmlNodePtr node = nodes->nodeTab[i];
        xmlNodeSet one = {.nodeNr = 1, .nodeMax = 1, .nodeTab = &node};
        xmlXPathObject single = {.type = XPATH_NODESET, .nodesetval = &one};
        if (!relais_answer_take(&single, false, run->arena, &answer, run->err))
            return false;
        if (answer.text != NULL && !add_file(run, answer.text))
            return false;
    }
    return true;
}

static bool run_file(relais_run *run, relais_item *item)
{
    xmlXPathObjectPtr value = relais_run_evaluate(run, item->test, item->scope);
    bool ok;

    if (value == NULL)
        return false;
    ok = add_named(run, value);
    xmlXPathFreeObject(value);
    return ok;
}

static bool run_items(relais_run *run, relais_item *items)
{
    static bool (*const runners[])(relais_run *, relais_item *) = {
        [RELAIS_ITEM_ROW] = run_row,
        [RELAIS_ITEM_WHEN] = run_when,
        [RELAIS_ITEM_FILE] = run_file,
    };

    for (relais_item *item = items; item != NULL; item = item->next)
        if (!runners[item->kind](run, item))
            return false;
    return true;
}

/* The whole */

/* Stable: rows of one shape stay in the order of the document. */
static bool sort_rows(relais_run *run)
{
    relais_output *out = run->out;
    size_t shapes = run->mapping->shape_count;
    size_t *starts = relais_arena_alloc(run->arena, (shapes + 1) * sizeof *starts);
    relais_row *sorted = relais_arena_alloc(run->arena, (out->count + 1) * sizeof *sorted);

    if (starts == NULL || sorted == NULL)
        return relais_arena_error(run->arena, run->err);
    for (size_t i = 0; i < out->count; i++)
        starts[out->rows[i].shape + 1]++;
    for (size_t i = 1; i <= shapes; i++)
        starts[i] += starts[i - 1];
    for (size_t i = 0; i < out->count; i++)
        sorted[starts[out->rows[i].shape]++] = out->rows[i];
    out->rows = sorted;
    return true;
}

static bool run_document(relais_run *run, xmlNodePtr root)
{
    relais_output *out = run->out;

    return enter(run, run->mapping->scope, root, 1, 1, NULL) &&
           run_items(run, run->mapping->items) && sort_rows(run) &&
           relais_cover_find_gaps(run->mapping->cover, root, run->arena, &out->unmapped,
                                  &out->unmapped_count, run->err);
}

bool relais_mapping_run(relais_mapping *mapping, const relais_submission *submission,
                        const relais_facts *facts, const relais_target *target, relais_arena *arena,
                        relais_output *out, relais_misfit *misfit, relais_error *err)
{
    relais_run run = {.mapping = mapping,
                      .target = target,
                      .arena = arena,
                      .where = {.arena = arena},
                      .out = out,
                      .misfit = misfit,
                      .err = err};
    relais_derivation derivation = {.record = facts->record, .arena = arena};
    xmlNodePtr root = xmlDocGetRootElement(submission->doc);
    bool ok;

    memset(out, 0, sizeof *out);
    memset(misfit, 0, sizeof *misfit);
    if (!mapping->is_bound || root == NULL)
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "the mapping of form %s is not bound to a database", mapping->form);
    relais_expression_start(mapping, submission->doc, facts, target);
    mapping->derivation = facts->is_for_keeping ? &derivation : NULL;
    ok = run_document(&run, root);
    mapping->derivation = NULL;
    relais_derivation_finish(&derivation, out);
    relais_scopes_leave(mapping);
    return ok;
}
