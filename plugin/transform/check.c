/*
 * A mapping against its form and the database. See check.h.
 *
 * Paths were resolved when the mapping was read; here each is looked for among the form's
 * nodes. Findings are collected, then told in the order of lines: the mapping's first, then
 * the form's.
 */
#include "transform/check.h"

#include "transform/agree.h"
#include "transform/bind.h"
#include "transform/nearest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MEMORY_MAX = 32 * 1024 * 1024,
    FINDINGS_MAX = 1000 /* nobody reads more; the first ones mended, the rest show */
};

/* A node of the form, with its path in steps. */
struct known {
    const relais_form_node *node;
    const char *const *names;
    size_t count;
};

struct check {
    relais_mapping *mapping;
    const relais_form *form;
    const relais_target *target;
    relais_arena *arena;
    struct known *known;
    relais_finding *findings;
    size_t count;
    bool is_failed;
    relais_error *err;
};

/* Findings */

static void add_finding(struct check *check, relais_severity severity, const char *file, long line,
                        const char *text)
{
    const char *copy = relais_arena_text(check->arena, text);

    if (copy == NULL)
        check->is_failed = !relais_arena_error(check->arena, check->err);
    else if (check->count < FINDINGS_MAX)
        check->findings[check->count++] = (relais_finding){severity, file, line, copy};
}

static void find_in(struct check *check, relais_severity severity, const char *file, long line,
                    const char *format, va_list args) RELAIS_PRINTF(5, 0);

static void find_in(struct check *check, relais_severity severity, const char *file, long line,
                    const char *format, va_list args)
{
    char text[sizeof((relais_error *)NULL)->text];

    vsnprintf(text, sizeof text, relais_translate(format), args);
    add_finding(check, severity, file, line, text);
}

static void error(struct check *check, long line, const char *format, ...) RELAIS_PRINTF(3, 4);
static void warning(struct check *check, long line, const char *format, ...) RELAIS_PRINTF(3, 4);
static void form_error(struct check *check, long line, const char *format, ...) RELAIS_PRINTF(3, 4);

static void error(struct check *check, long line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    find_in(check, RELAIS_FINDING_ERROR, check->mapping->file, line, format, args);
    va_end(args);
}

static void warning(struct check *check, long line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    find_in(check, RELAIS_FINDING_WARNING, check->mapping->file, line, format, args);
    va_end(args);
}

static void form_error(struct check *check, long line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    find_in(check, RELAIS_FINDING_ERROR, check->form->file, line, format, args);
    va_end(args);
}

/* The form's nodes */

static bool split_path(struct check *check, const char *path, struct known *out)
{
    char *copy = relais_arena_text(check->arena, path);
    size_t slashes = 0;
    const char **names;
    char *rest = NULL;

    for (const char *p = path; *p != '\0'; p++)
        slashes += *p == '/';
    names = relais_arena_alloc(check->arena, (slashes + 1) * sizeof *names);
    if (copy == NULL || names == NULL)
        return relais_arena_error(check->arena, check->err);
    for (char *name = strtok_r(copy, "/", &rest); name != NULL; name = strtok_r(NULL, "/", &rest))
        names[out->count++] = name;
    out->names = names;
    return true;
}

static bool know_form(struct check *check)
{
    check->known =
        relais_arena_alloc(check->arena, (check->form->count + 1) * sizeof *check->known);
    if (check->known == NULL)
        return relais_arena_error(check->arena, check->err);
    for (size_t i = 0; i < check->form->count; i++) {
        check->known[i].node = &check->form->nodes[i];
        if (!split_path(check, check->form->nodes[i].path, &check->known[i]))
            return false;
    }
    return true;
}

static bool leads_to(const relais_path *path, const struct known *known)
{
    return relais_path_matches(path, known->names, known->count);
}

/* The form's root stands for itself: it need not be among the nodes. */
static bool exists(const struct check *check, const relais_path *path)
{
    const char *root[] = {check->form->root};

    if (path->count == 0 || relais_path_matches(path, root, 1))
        return true;
    for (size_t i = 0; i < check->form->count; i++)
        if (leads_to(path, &check->known[i]))
            return true;
    return false;
}

/* Paths that the form does not have */

static void report_missing(struct check *check, relais_severity severity, long line,
                           const relais_path *path)
{
    const char *text = relais_path_text(path, check->form->root, check->arena);
    relais_nearest nearest;

    if (text == NULL) {
        check->is_failed = !relais_arena_error(check->arena, check->err);
        return;
    }
    relais_nearest_init(&nearest, text);
    for (size_t i = 0; i < check->form->count; i++)
        relais_nearest_consider(&nearest, check->form->nodes[i].path);
    if (severity == RELAIS_FINDING_WARNING)
        warning(check, line,
                "this version of the form has no %s, only another <from> of the column", text);
    else if (nearest.best != NULL)
        error(check, line, "the form has no %s: did you mean %s?", text, nearest.best);
    else
        error(check, line, "the form has no %s", text);
}

static bool all_exist(const struct check *check, const relais_expression *expression)
{
    for (size_t i = 0; i < expression->reading.paths.count; i++)
        if (!expression->reading.paths.items[i]->is_attribute &&
            !exists(check, expression->reading.paths.items[i]))
            return false;
    return true;
}

/* True when another place of the same column is in this version of the form. */
static bool has_alternative(const struct check *check, const relais_item *items,
                            const relais_expression *expression)
{
    for (const relais_item *item = items; item != NULL; item = item->next) {
        for (size_t i = 0; i < item->column_count; i++) {
            bool is_here = false, is_good = false;
            const relais_source *source = item->columns[i].sources;
            for (; source != NULL; source = source->next) {
                is_here = is_here || source->select == expression;
                is_good = is_good || all_exist(check, source->select);
            }
            if (is_here)
                return is_good;
        }
        if (has_alternative(check, item->children, expression))
            return true;
    }
    return false;
}

static void check_paths(struct check *check)
{
    for (const relais_expression *e = check->mapping->expressions; e != NULL; e = e->next) {
        bool is_spare = !all_exist(check, e) && has_alternative(check, check->mapping->items, e);
        for (size_t i = 0; i < e->reading.paths.count; i++) {
            const relais_path *path = e->reading.paths.items[i];
            if (!path->is_attribute && !exists(check, path))
                report_missing(check, is_spare ? RELAIS_FINDING_WARNING : RELAIS_FINDING_ERROR,
                               e->line, path);
        }
    }
}

/* Answers that nothing reads */

static void check_coverage(struct check *check)
{
    for (size_t i = 0; i < check->form->count; i++) {
        const struct known *known = &check->known[i];
        if (known->node->kind == RELAIS_NODE_LEAF && relais_form_node_takes_answer(known->node) &&
            !relais_cover_reads(check->mapping->cover, known->names, known->count))
            form_error(check, known->node->line,
                       "nothing in %s reads %s: put it in a column, or say why not with <ignore "
                       "select=\"%s\" reason=\"...\"/>",
                       check->mapping->file, known->node->path, known->node->path);
    }
}

/* Columns and what fills them */

struct filling {
    const relais_filled *filled;
    const relais_column *column; /* NULL when the database is not asked, or has none */
    bool is_untyped;             /* only the database could say what the column takes */
    const relais_expression *source;
};

static bool is_below(const struct known *inner, const struct known *outer)
{
    if (inner->count < outer->count)
        return false;
    for (size_t i = 0; i < outer->count; i++)
        if (strcmp(inner->names[i], outer->names[i]) != 0)
            return false;
    return true;
}

/* True when the expression already stands inside this repeat. */
static bool is_inside(const relais_expression *expression, const struct known *repeat)
{
    const relais_paths *context = expression->scope->context;

    for (size_t i = 0; i < context->count; i++) {
        relais_path start = *context->items[i];
        for (; start.count > 0; start.count--)
            if (leads_to(&start, repeat))
                return true;
    }
    return false;
}

static void report_repeat(struct check *check, const struct filling *filling,
                          const relais_form_node *answer, const relais_form_node *repeat)
{
    if (filling->is_untyped)
        warning(check, filling->source->line,
                "%s is one of several in the repeat %s: unless %s is an array column, use <row "
                "for-each=\"...\">",
                answer->path, repeat->path, filling->filled->place);
    else
        error(check, filling->source->line,
              "%s is one of several in the repeat %s, and %s takes one: use <row "
              "for-each=\"...\">",
              answer->path, repeat->path, filling->filled->place);
}

static void check_repeats(struct check *check, const struct filling *filling,
                          const struct known *answer)
{
    for (size_t i = 0; i < check->form->count; i++) {
        const struct known *repeat = &check->known[i];
        if (repeat->node->kind != RELAIS_NODE_REPEAT || !is_below(answer, repeat) ||
            is_inside(filling->source, repeat))
            continue;
        report_repeat(check, filling, answer->node, repeat->node);
        return;
    }
}

static bool is_array(const struct filling *filling)
{
    return filling->column != NULL && filling->column->type == RELAIS_TYPE_ARRAY;
}

static void check_multiple(struct check *check, const struct filling *filling,
                           const struct known *answer)
{
    if (!answer->node->is_multiple || filling->is_untyped || is_array(filling))
        return;
    error(check, filling->source->line,
          "%s holds several choices, and %s takes one: use <row tokens=\"...\"> with $token",
          answer->node->path, filling->filled->place);
}

static void check_types(struct check *check, const struct filling *filling,
                        const struct known *answer)
{
    const relais_column *column = filling->column;
    relais_type type;

    if (column == NULL || answer->node->type == NULL)
        return;
    type = column->type == RELAIS_TYPE_ARRAY ? column->element : column->type;
    switch (relais_agree(answer->node->type, type)) {
    case RELAIS_AGREE_NEVER:
        error(check, filling->source->line,
              "%s is of type %s in the form, which can never be the %s of %s", answer->node->path,
              answer->node->type, column->sql_type, filling->filled->place);
        break;
    case RELAIS_AGREE_SOMETIMES:
        warning(check, filling->source->line,
                "%s is of type %s in the form: answers that are not the %s of %s go to the "
                "quarantine",
                answer->node->path, answer->node->type, column->sql_type, filling->filled->place);
        break;
    case RELAIS_AGREE_ALWAYS:
        break;
    }
}

static void check_answer(struct check *check, const struct filling *filling,
                         const relais_path *path, const struct known *answer)
{
    if (answer->node->kind == RELAIS_NODE_LEAF) {
        check_multiple(check, filling, answer);
        check_types(check, filling, answer);
    } else {
        error(check, filling->source->line, "%s is a group of answers, and %s takes one",
              answer->node->path, filling->filled->place);
    }
    if (!path->has_predicate && !is_array(filling))
        check_repeats(check, filling, answer);
}

static void check_source(struct check *check, const struct filling *filling)
{
    const relais_paths *results = &filling->source->reading.results;

    for (size_t i = 0; i < results->count; i++)
        for (size_t j = 0; j < check->form->count && !results->items[i]->is_attribute; j++)
            if (leads_to(results->items[i], &check->known[j]))
                check_answer(check, filling, results->items[i], &check->known[j]);
}

static void check_sources(struct check *check, struct filling *filling)
{
    for (const relais_source *s = filling->filled->sources; s != NULL; s = s->next) {
        filling->source = s->select;
        check_source(check, filling);
    }
}

/* The fields of a <seal> take any one answer each. */
static void check_fields(struct check *check, const relais_filled *sealed)
{
    for (size_t i = 0; i < sealed->field_count; i++) {
        struct filling filling = {.filled = &sealed->fields[i]};
        check_sources(check, &filling);
    }
}

static void check_columns(struct check *check, const relais_item *row)
{
    const char *name = check->mapping->shapes[row->shape].table_name;
    const relais_table *table = NULL;

    if (check->target != NULL)
        table = check->target->table(check->target->context, name, check->err);
    for (size_t i = 0; i < row->column_count; i++) {
        struct filling filling = {.filled = &row->columns[i]};
        if (table != NULL)
            filling.column = relais_table_column(table, row->columns[i].name);
        filling.is_untyped = filling.column == NULL;
        check_sources(check, &filling);
        check_fields(check, &row->columns[i]);
    }
}

/* Rows */

static void check_for_each(struct check *check, const relais_expression *for_each)
{
    for (size_t i = 0; i < check->form->count; i++) {
        const relais_form_node *node = check->known[i].node;
        for (size_t j = 0; j < for_each->reading.results.count; j++)
            if (node->kind != RELAIS_NODE_REPEAT &&
                leads_to(for_each->reading.results.items[j], &check->known[i]))
                warning(check, for_each->line, "%s is not a repeat: there is at most one row",
                        node->path);
    }
}

static void check_tokens(struct check *check, const relais_expression *tokens)
{
    for (size_t i = 0; i < check->form->count; i++) {
        const relais_form_node *node = check->known[i].node;
        for (size_t j = 0; j < tokens->reading.results.count; j++)
            if (!node->is_multiple && leads_to(tokens->reading.results.items[j], &check->known[i]))
                warning(check, tokens->line,
                        "%s is not a question with several choices: its answer is cut at blanks",
                        node->path);
    }
}

static void check_items(struct check *check, const relais_item *items)
{
    for (const relais_item *item = items; item != NULL; item = item->next) {
        if (item->kind == RELAIS_ITEM_ROW)
            check_columns(check, item);
        if (item->for_each != NULL)
            check_for_each(check, item->for_each);
        if (item->tokens != NULL)
            check_tokens(check, item->tokens);
        check_items(check, item->children);
    }
}

/* The rest */

static void check_names(struct check *check)
{
    for (const relais_list *list = check->mapping->lists; list != NULL; list = list->next)
        if (!list->is_used)
            warning(check, list->line, "no column uses the list \"%s\"", list->name);
    for (const relais_scope *scope = check->mapping->scopes; scope != NULL; scope = scope->next)
        for (const relais_let *let = scope->lets; let != NULL; let = let->next)
            if (!let->is_used)
                warning(check, let->line, "nothing uses $%s", let->name);
}

static void check_head(struct check *check)
{
    const relais_mapping *mapping = check->mapping;

    if (strcmp(mapping->form, check->form->id) != 0)
        error(check, mapping->line, "this mapping is for the form \"%s\", and %s is \"%s\"",
              mapping->form, check->form->file, check->form->id);
    if (check->form->version != NULL &&
        !relais_mapping_knows_version(mapping, check->form->version))
        warning(check, mapping->line, "version \"%s\" of %s is not among versions=\"...\"",
                check->form->version, check->form->file);
}

static bool note_problem(void *data, long line, const char *text)
{
    struct check *check = data;

    add_finding(check, RELAIS_FINDING_ERROR, check->mapping->file, line, text);
    return true;
}

static bool check_all(struct check *check)
{
    check->findings = relais_arena_alloc(check->arena, FINDINGS_MAX * sizeof *check->findings);
    if (check->findings == NULL)
        return relais_arena_error(check->arena, check->err);
    if (!know_form(check))
        return false;
    check_head(check);
    check_paths(check);
    check_items(check, check->mapping->items);
    check_coverage(check);
    check_names(check);
    if (check->target != NULL &&
        !relais_bind_compare(check->mapping, check->target, note_problem, check, check->err))
        return false;
    return !check->is_failed;
}

static int compare_findings(const void *left, const void *right)
{
    const relais_finding *a = left, *b = right;

    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->severity != b->severity)
        return a->severity < b->severity ? -1 : 1;
    return strcmp(a->text, b->text);
}

/* Two paths of one expression may give the same finding: it is told once. */
static bool is_repeated(const relais_finding *findings, size_t i)
{
    return i > 0 && findings[i].file == findings[i - 1].file &&
           compare_findings(&findings[i], &findings[i - 1]) == 0;
}

static void tell(const struct check *check, const char *file, relais_finding_visit *visit,
                 void *context)
{
    for (size_t i = 0; i < check->count; i++)
        if (check->findings[i].file == file && !is_repeated(check->findings, i))
            visit(context, &check->findings[i]);
}

bool relais_mapping_check(relais_mapping *mapping, const relais_form *form,
                          const relais_target *target, relais_finding_visit *visit, void *context,
                          relais_error *err)
{
    struct check check = {.mapping = mapping, .form = form, .target = target, .err = err};
    bool ok;

    check.arena = relais_arena_create(MEMORY_MAX);
    if (check.arena == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for a check");
    ok = check_all(&check);
    if (ok) {
        qsort(check.findings, check.count, sizeof *check.findings, compare_findings);
        tell(&check, mapping->file, visit, context);
        tell(&check, form->file, visit, context);
    }
    relais_arena_destroy(check.arena);
    return ok;
}
