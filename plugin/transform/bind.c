/*
 * A mapping and a database. See relais_mapping_bind in mapping.h, and bind.h.
 */
#include "transform/bind.h"

#include "transform/nearest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { IDENTIFIER_MAX = 63 }; /* bytes: PostgreSQL cuts longer names, and then finds others */

struct comparison {
    const relais_target *target;
    relais_problem_visit *visit;
    void *data;
    relais_error *err;
};

static bool report(const struct comparison *comparison, long line, const char *format, ...)
    RELAIS_PRINTF(3, 4);

static bool report(const struct comparison *comparison, long line, const char *format, ...)
{
    char text[sizeof((relais_error *)NULL)->text];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, relais_translate(format), args);
    va_end(args);
    return comparison->visit(comparison->data, line, text);
}

const relais_column *relais_table_column(const relais_table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return &table->columns[i];
    return NULL;
}

static bool is_identifier(const struct comparison *comparison, const char *name, long line)
{
    const char *part = strchr(name, '.');
    size_t schema = part == NULL ? 0 : (size_t)(part - name);
    size_t rest = strlen(part == NULL ? name : part + 1);

    if (schema <= IDENTIFIER_MAX && rest <= IDENTIFIER_MAX)
        return true;
    return report(comparison, line, "the name \"%s\" is longer than PostgreSQL's %d bytes", name,
                  IDENTIFIER_MAX);
}

/* *out is NULL when there is none, which has been reported. */
static bool find_table(const struct comparison *comparison, const char *name, long line,
                       const relais_table **out)
{
    *out = comparison->target->table(comparison->target->context, name, comparison->err);
    if (*out != NULL)
        return true;
    if (comparison->err != NULL && comparison->err->code != RELAIS_ERR_NONE)
        return false;
    return report(comparison, line,
                  "there is no table %s in the database: correct the name, or create it with "
                  "`relais plan`",
                  name);
}

static bool report_no_column(const struct comparison *comparison, const relais_table *table,
                             const char *name, long line)
{
    relais_nearest nearest;

    relais_nearest_init(&nearest, name);
    for (size_t i = 0; i < table->column_count; i++)
        relais_nearest_consider(&nearest, table->columns[i].name);
    if (nearest.best != NULL)
        return report(comparison, line, "table %s has no column %s: did you mean %s?", table->name,
                      name, nearest.best);
    return report(comparison, line, "table %s has no column %s", table->name, name);
}

static bool lists_column(const relais_row_shape *shape, const char *name)
{
    for (size_t i = 0; i < shape->column_count; i++)
        if (strcmp(shape->columns[i], name) == 0)
            return true;
    return false;
}

/* A sealed value is bytes whatever the answers are. */
static bool compare_sealed(const struct comparison *comparison, const relais_filled *filled,
                           const relais_column *column)
{
    if (filled->fields == NULL || column->type == RELAIS_TYPE_BYTEA)
        return true;
    return report(comparison, filled->line,
                  "%s is of type %s, and what is sealed is bytes: make the column bytea",
                  filled->place, column->sql_type);
}

static bool compare_columns(const struct comparison *comparison, const relais_item *item,
                            const relais_table *table)
{
    for (size_t i = 0; i < item->column_count; i++) {
        const relais_filled *filled = &item->columns[i];
        const relais_column *column = relais_table_column(table, filled->name);
        if (column == NULL) {
            if (!report_no_column(comparison, table, filled->name, filled->line))
                return false;
        } else if (column->is_generated) {
            if (!report(comparison, filled->line,
                        "the database computes %s itself: take the column out", filled->place))
                return false;
        } else if (!compare_sealed(comparison, filled, column)) {
            return false;
        }
        if (!is_identifier(comparison, filled->name, filled->line))
            return false;
    }
    return true;
}

static bool compare_required(const struct comparison *comparison, const relais_row_shape *shape,
                             const relais_table *table)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const relais_column *column = &table->columns[i];
        if (!column->not_null || column->has_default || column->is_generated ||
            lists_column(shape, column->name))
            continue;
        if (!report(comparison, shape->line,
                    "the row of %s lacks the column %s (%s), which must have a value", table->name,
                    column->name, column->sql_type))
            return false;
    }
    return true;
}

/* Without its key, a row that is there already could not be found. */
static bool compare_key(const struct comparison *comparison, const relais_row_shape *shape,
                        const relais_table *table)
{
    if (shape->policy == RELAIS_ROW_REPLACED)
        return true;
    if (table->key_count == 0)
        return report(comparison, shape->line,
                      "table %s has no primary key, so that a row that is there already cannot be "
                      "found: use replace=\"...\"",
                      table->name);
    for (size_t i = 0; i < table->key_count; i++) {
        if (lists_column(shape, table->key[i]))
            continue;
        if (!report(comparison, shape->line, "the row of %s lacks the column %s of its primary key",
                    table->name, table->key[i]))
            return false;
    }
    return true;
}

static bool compare_row(const struct comparison *comparison, const relais_mapping *mapping,
                        const relais_item *item)
{
    const relais_row_shape *shape = &mapping->shapes[item->shape];
    const relais_table *table;

    if (!is_identifier(comparison, shape->table_name, shape->line) ||
        !find_table(comparison, shape->table_name, shape->line, &table))
        return false;
    return table == NULL ||
           (compare_columns(comparison, item, table) &&
            compare_required(comparison, shape, table) && compare_key(comparison, shape, table));
}

static bool compare_items(const struct comparison *comparison, const relais_mapping *mapping,
                          const relais_item *items)
{
    for (const relais_item *item = items; item != NULL; item = item->next) {
        if (item->kind == RELAIS_ITEM_ROW && !compare_row(comparison, mapping, item))
            return false;
        if (!compare_items(comparison, mapping, item->children))
            return false;
    }
    return true;
}

static bool compare_list(const struct comparison *comparison, const relais_list *list)
{
    const char *const names[] = {list->column, list->where, list->parent, list->level};
    const relais_table *table;

    if (!find_table(comparison, list->table, list->line, &table))
        return false;
    for (size_t i = 0; table != NULL && i < sizeof names / sizeof *names; i++)
        if (names[i] != NULL && relais_table_column(table, names[i]) == NULL &&
            !report_no_column(comparison, table, names[i], list->line))
            return false;
    return true;
}

/* A level that no row has would generalise every place to nothing. */
static bool compare_climb(const struct comparison *comparison, const relais_climb *climb)
{
    const relais_target *target = comparison->target;
    const relais_list *list = climb->list;
    relais_error *err = comparison->err;
    const relais_table *table = target->table(target->context, list->table, err);
    int found;

    if (table == NULL || relais_table_column(table, list->level) == NULL)
        return err == NULL || err->code == RELAIS_ERR_NONE; /* reported with the list */
    found =
        target->member(target->context, list->table, list->level, NULL, NULL, climb->level, err);
    if (found != 0)
        return found > 0;
    return report(comparison, climb->line,
                  "no row of %s has the %s \"%s\": correct it, or load the reference data first",
                  list->table, list->level, climb->level);
}

bool relais_bind_compare(const relais_mapping *mapping, const relais_target *target,
                         relais_problem_visit *visit, void *data, relais_error *err)
{
    struct comparison comparison = {.target = target, .visit = visit, .data = data, .err = err};

    for (const relais_list *list = mapping->lists; list != NULL; list = list->next)
        if (!compare_list(&comparison, list))
            return false;
    for (const relais_climb *climb = mapping->climbs; climb != NULL; climb = climb->next)
        if (!compare_climb(&comparison, climb))
            return false;
    return compare_items(&comparison, mapping, mapping->items);
}

struct first {
    const relais_mapping *mapping;
    relais_error *err;
};

static bool stop_at_first(void *data, long line, const char *text)
{
    const struct first *first = data;

    relais_error_set(first->err, RELAIS_ERR_CONFIG, "%s", text);
    relais_error_at(first->err, first->mapping->file, line);
    return false;
}

/* All tables and columns are there: this was compared before. */
static bool attach(relais_row_shape *shape, const relais_target *target, relais_error *err)
{
    const relais_column **bound = (const relais_column **)shape->bound;

    shape->table = target->table(target->context, shape->table_name, err);
    if (shape->table == NULL)
        return relais_error_set(err, RELAIS_ERR_MISSING, "the table %s went away",
                                shape->table_name);
    for (size_t i = 0; i < shape->column_count; i++) {
        bound[i] = relais_table_column(shape->table, shape->columns[i]);
        if (bound[i] == NULL)
            return relais_error_set(err, RELAIS_ERR_MISSING, "the column %s.%s went away",
                                    shape->table_name, shape->columns[i]);
    }
    return true;
}

bool relais_mapping_bind(relais_mapping *mapping, const relais_target *target,
                         const relais_secrets *secrets, relais_error *err)
{
    struct first first = {.mapping = mapping, .err = err};

    mapping->is_bound = false;
    mapping->secrets = secrets;
    if (!relais_bind_compare(mapping, target, stop_at_first, &first, err) ||
        !relais_mapping_suffices(mapping, secrets, err))
        return false;
    for (size_t i = 0; i < mapping->shape_count; i++)
        if (!attach(&mapping->shapes[i], target, err))
            return false;
    mapping->is_bound = true;
    return true;
}
