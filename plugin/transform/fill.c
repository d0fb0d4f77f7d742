/*
 * The value of one column: from its places in the form, through its list and its cast.
 * See run.h.
 */
#include "transform/run.h"

#include "transform/cast.h"
#include "transform/derive.h"
#include "transform/expression.h"

#include <string.h>

static bool may_still_come(const relais_list *list)
{
    return list->if_absent != NULL && strcmp(list->if_absent, "hold") == 0;
}

/* Like relais_run_refuse, of a code that its list has not, or not yet. */
static void refuse_unlisted(relais_run *run, const relais_list *list, const char *path,
                            const char *place, const char *value, size_t length)
{
    relais_rule rule = {.kind = RELAIS_RULE_LIST, .name = list->name};

    relais_run_refuse(run, &rule, path, place, value, length);
    run->misfit->is_held = may_still_come(list);
}

bool relais_run_refuse(relais_run *run, const relais_rule *rule, const char *path,
                       const char *place, const char *value, size_t length)
{
    relais_misfit *misfit = run->misfit;

    if (!relais_rule_describe(rule, value, length, run->arena, misfit, run->err))
        return false;
    misfit->path = path == NULL ? "" : path;
    misfit->column = place == NULL ? "" : place;
    relais_error_set(run->err, RELAIS_ERR_DATA, "expected %s, found %s%s%s", misfit->rule_en,
                     misfit->value_class_en, *misfit->column == '\0' ? "" : ", for column ",
                     misfit->column);
    relais_error_at(run->err, misfit->path, 0);
    return false;
}

static void refuse_expression(relais_run *run, const relais_expression *expression,
                              relais_scope *scope)
{
    const relais_list *unlisted = run->mapping->unlisted;
    relais_rule rule = {.kind = RELAIS_RULE_EXPRESSION, .number = expression->line};
    relais_error failure = {0};
    const char *path;

    relais_expression_fail(run->mapping, expression, &failure);
    if (failure.code != RELAIS_ERR_DATA) {
        if (run->err != NULL)
            *run->err = failure;
        return;
    }
    path = relais_where_missing(&run->where, expression, scope);
    if (unlisted != NULL)
        refuse_unlisted(run, unlisted, path, NULL, run->mapping->unlisted_code,
                        strlen(run->mapping->unlisted_code));
    else
        relais_run_refuse(run, &rule, path, NULL, NULL, 0);
}

xmlXPathObjectPtr relais_run_evaluate(relais_run *run, const relais_expression *expression,
                                      relais_scope *scope)
{
    xmlXPathObjectPtr value = relais_expression_evaluate(run->mapping, expression, scope);

    if (value == NULL)
        refuse_expression(run, expression, scope);
    return value;
}

bool relais_run_answer(relais_run *run, const relais_expression *expression, relais_scope *scope,
                       bool many, relais_answer *out)
{
    xmlXPathObjectPtr value = relais_run_evaluate(run, expression, scope);
    bool ok;

    if (value == NULL)
        return false;
    ok = relais_answer_take(value, many, run->arena, out, run->err);
    xmlXPathFreeObject(value);
    return ok;
}

/* An answer on its way into a column. */
struct filling {
    relais_run *run;
    const relais_filled *filled;
    const relais_column *column;
    relais_scope *scope;
    const relais_expression *source; /* the one that gave the answer, else the first */
    relais_answer answer;
    const char *path;
};

static bool refuse(struct filling *filling, relais_rule rule)
{
    return relais_run_refuse(filling->run, &rule, filling->path, filling->filled->place,
                             filling->answer.text, filling->answer.length);
}

static bool find_answer(struct filling *filling)
{
    bool many = filling->column->type == RELAIS_TYPE_ARRAY;
    const relais_source *source = filling->filled->sources;
    relais_answer first = {0};

    filling->source = source->select;
    for (; source != NULL; source = source->next) {
        if (!relais_run_answer(filling->run, source->select, filling->scope, many,
                               &filling->answer))
            return false;
        if (filling->answer.text != NULL) {
            filling->source = source->select;
            return true;
        }
        if (first.node == NULL && filling->answer.node != NULL) {
            first = filling->answer;
            filling->source = source->select;
        }
    }
    filling->answer = first;
    return true;
}

static bool find_path(struct filling *filling)
{
    filling->path =
        filling->answer.node != NULL
            ? relais_where_node(&filling->run->where, filling->answer.node)
            : relais_where_missing(&filling->run->where, filling->source, filling->scope);
    return filling->path != NULL || relais_arena_error(filling->run->arena, filling->run->err);
}

static bool is_member(struct filling *filling, const char *value)
{
    const relais_target *target = filling->run->target;
    const relais_list *list = filling->filled->list;
    int found = target->member(target->context, list->table, list->column, list->where, list->is,
                               value, filling->run->err);

    if (found == 0 && filling->run->mapping->derivation != NULL && may_still_come(list))
        return relais_derivation_await(filling->run->mapping->derivation, list->name, value,
                                       filling->run->err);
    if (found == 0)
        refuse_unlisted(filling->run, list, filling->path, filling->filled->place,
                        filling->answer.text, filling->answer.length);
    return found > 0;
}

static bool are_members(struct filling *filling)
{
    const char *rest = filling->answer.text, *start;
    size_t length;

    while (relais_token_next(&rest, &start, &length)) {
        const char *token = relais_arena_copy(filling->run->arena, start, length);
        if (token == NULL)
            return relais_arena_error(filling->run->arena, filling->run->err);
        if (!is_member(filling, token))
            return false;
    }
    return true;
}

static bool check_list(struct filling *filling)
{
    if (filling->filled->list == NULL)
        return true;
    if (filling->column->type == RELAIS_TYPE_ARRAY)
        return are_members(filling);
    return is_member(filling, filling->answer.text);
}

static bool cast(struct filling *filling, const char **value)
{
    relais_rule broken = {0};

    switch (relais_cast(filling->column, filling->answer.text, filling->answer.length,
                        filling->run->arena, value, &broken, filling->run->err)) {
    case RELAIS_CAST_DONE:
        return true;
    case RELAIS_CAST_MISFIT:
        return refuse(filling, broken);
    case RELAIS_CAST_FAILED:
        break;
    }
    return false;
}

static bool fill_none(struct filling *filling, const char **value)
{
    *value = NULL;
    if (filling->column->not_null && !filling->column->has_default)
        return refuse(filling, (relais_rule){.kind = RELAIS_RULE_REQUIRED});
    return true;
}

static bool fill_answer(struct filling *filling, const char **value, const char **path)
{
    const char *fallback = filling->filled->fallback;

    if (!find_answer(filling) || !find_path(filling))
        return false;
    *path = filling->path;
    if (filling->answer.is_several)
        return refuse(filling, (relais_rule){.kind = RELAIS_RULE_SINGLE});
    if (filling->answer.text == NULL && fallback != NULL) {
        filling->answer.text = fallback;
        filling->answer.length = strlen(fallback);
    }
    if (filling->answer.text == NULL)
        return fill_none(filling, value);
    return check_list(filling) && cast(filling, value);
}

static bool fill_sealed(struct filling *filling, const char **value, const char **path)
{
    if (!relais_run_seal(filling->run, filling->filled, filling->scope, value, &filling->path))
        return false;
    *path = filling->path;
    return *value != NULL || fill_none(filling, value);
}

bool relais_run_fill(relais_run *run, const relais_filled *filled, const relais_column *column,
                     relais_scope *scope, const char **value, const char **path)
{
    struct filling filling = {.run = run, .filled = filled, .column = column, .scope = scope};

    return filled->fields == NULL ? fill_answer(&filling, value, path)
                                  : fill_sealed(&filling, value, path);
}
