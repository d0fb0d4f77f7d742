/*
 * Queueing inserts and deletes of rows. See rows.h.
 */
#include "store/rows.h"

#include <string.h>

/* What every function here hands on. */
struct loader {
    relais_store *store;
    relais_params *params;
    const relais_statements *statements;
    relais_rows_log *log;
};

static bool queue(const struct loader *l, const char *sql, size_t shape, relais_error *err)
{
    const char *name;

    if (!relais_pg_prepare(l->store, sql, &name, err) ||
        !relais_pipe_queue(l->store, name, l->params, err))
        return false;
    l->log->sent[l->log->count].statements = l->statements;
    l->log->sent[l->log->count].shape = shape;
    l->log->count++;
    return true;
}

static void begin_arrays(const struct loader *l, size_t count)
{
    relais_params_reset(l->params);
    for (size_t i = 0; i < count; i++)
        relais_params_text_array(l->params);
}

static void add_texts(const struct loader *l, size_t index, const char *const *texts, size_t count)
{
    relais_params_text_array(l->params);
    for (size_t i = 0; i < count; i++)
        relais_params_add_text(l->params, index, texts[i]);
}

static size_t add_rows(const struct loader *l, const relais_output *output, size_t shape)
{
    size_t columns = l->statements->shapes[shape].shape->column_count;
    size_t added = 0;

    for (size_t r = 0; r < output->count; r++) {
        if (output->rows[r].shape != shape)
            continue;
        for (size_t c = 0; c < columns; c++)
            relais_params_add_text(l->params, c, output->rows[r].values[c]);
        added++;
    }
    return added;
}

bool relais_rows_insert(relais_store *store, relais_params *params,
                        const relais_statements *statements, const relais_output *const *outputs,
                        size_t count, const char *const *versions, size_t version_count,
                        relais_rows_log *log, relais_error *err)
{
    struct loader l = {store, params, statements, log};

    for (size_t s = 0; s < statements->count; s++) {
        const relais_row_shape *shape = statements->shapes[s].shape;
        size_t rows = 0;
        begin_arrays(&l, shape->column_count);
        for (size_t i = 0; i < count; i++)
            rows += add_rows(&l, outputs[i], s);
        if (shape->policy == RELAIS_ROW_NEWEST)
            add_texts(&l, shape->column_count, versions, version_count);
        if (rows > 0 && !queue(&l, statements->shapes[s].insert, s, err))
            return false;
    }
    return true;
}

bool relais_rows_prepare_removal(relais_store *store, const relais_statements *statements,
                                 relais_error *err)
{
    const char *name;

    for (size_t s = 0; s < statements->count; s++) {
        const relais_shape_sql *sql = &statements->shapes[s];
        const char *const texts[] = {sql->clear, sql->retire, sql->sweep, sql->unclaim,
                                     sql->restore};
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
            if (texts[i] != NULL && !relais_pg_prepare(store, texts[i], &name, err))
                return false;
    }
    return true;
}

static size_t add_clearances(const struct loader *l, const relais_output *output, size_t shape)
{
    size_t columns = l->statements->shapes[shape].shape->replace_count;
    size_t added = 0;

    for (size_t r = 0; output != NULL && r < output->clearance_count; r++) {
        if (output->clearances[r].shape != shape)
            continue;
        for (size_t c = 0; c < columns; c++)
            relais_params_add_text(l->params, c, output->clearances[r].values[c]);
        added++;
    }
    return added;
}

/* Both what the earlier version put under its parent and what stands where the new goes. */
static bool queue_clear(const struct loader *l, const relais_rows_change *change, size_t shape,
                        relais_error *err)
{
    const relais_shape_sql *sql = &l->statements->shapes[shape];
    size_t clearances;

    begin_arrays(l, sql->shape->replace_count);
    clearances = add_clearances(l, change->after, shape);
    for (size_t i = 0; i < change->before_count; i++)
        clearances += add_clearances(l, change->before[i], shape);
    return clearances == 0 || queue(l, sql->clear, shape, err);
}

/* The keys that an output gives to a table, whichever of its shapes makes the row. */
static size_t add_keys(const struct loader *l, const relais_output *output, const char *table,
                       size_t first)
{
    size_t added = 0;

    for (size_t r = 0; output != NULL && r < output->count; r++) {
        const relais_row *row = &output->rows[r];
        const relais_shape_sql *sql = &l->statements->shapes[row->shape];
        if (sql->key_count == 0 || strcmp(sql->shape->table_name, table) != 0)
            continue;
        for (size_t k = 0; k < sql->key_count; k++)
            relais_params_add_text(l->params, first + k, row->values[sql->key[k]]);
        added++;
    }
    return added;
}

static bool queue_retire(const struct loader *l, const relais_rows_change *change, size_t shape,
                         relais_error *err)
{
    const relais_shape_sql *sql = &l->statements->shapes[shape];
    const char *table = sql->shape->table_name;
    size_t keys = 0;

    begin_arrays(l, 2 * sql->key_count);
    for (size_t i = 0; i < change->before_count; i++)
        keys += add_keys(l, change->before[i], table, 0);
    add_keys(l, change->after, table, sql->key_count);
    if (sql->has_provenance)
        add_texts(l, 2 * sql->key_count, change->versions, change->version_count);
    return keys == 0 || queue(l, sql->retire, shape, err);
}

static bool queue_versions(const struct loader *l, const relais_rows_change *change,
                           const char *statement, size_t shape, relais_error *err)
{
    begin_arrays(l, 0);
    add_texts(l, 0, change->versions, change->version_count);
    return queue(l, statement, shape, err);
}

/* The record's rows, found by sub_id, that are not made again. */
static bool queue_sweep(const struct loader *l, const relais_rows_change *change, size_t shape,
                        relais_error *err)
{
    const relais_shape_sql *sql = &l->statements->shapes[shape];

    begin_arrays(l, sql->key_count);
    add_keys(l, change->after, sql->shape->table_name, 0);
    add_texts(l, sql->key_count, change->versions, change->version_count);
    return queue(l, sql->sweep, shape, err);
}

/* What others say of a shared row comes back; the row goes when nobody else speaks of it. */
static bool withdraw_newest(const struct loader *l, const relais_rows_change *change, size_t shape,
                            relais_error *err)
{
    const relais_shape_sql *sql = &l->statements->shapes[shape];

    return sql->sweep == NULL || (queue_versions(l, change, sql->unclaim, shape, err) &&
                                  queue_versions(l, change, sql->restore, shape, err) &&
                                  queue_sweep(l, change, shape, err));
}

/* By parent; and by sub_id where the parents of the earlier rows cannot be known again. */
static bool withdraw_replaced(const struct loader *l, const relais_rows_change *change,
                              size_t shape, relais_error *err)
{
    const relais_shape_sql *sql = &l->statements->shapes[shape];

    return queue_clear(l, change, shape, err) &&
           (!change->is_sweeping || sql->sweep == NULL ||
            queue_versions(l, change, sql->sweep, shape, err));
}

/* By the earlier keys; by sub_id where they cannot be known again, or the key is not in the
 * shape (an identity column). */
static bool withdraw_upserted(const struct loader *l, const relais_rows_change *change,
                              size_t shape, relais_error *err)
{
    const relais_shape_sql *sql = &l->statements->shapes[shape];

    if (sql->sweep != NULL && (change->is_sweeping || sql->key_count == 0))
        return queue_sweep(l, change, shape, err);
    return sql->retire == NULL || queue_retire(l, change, shape, err);
}

bool relais_rows_remove(relais_store *store, relais_params *params,
                        const relais_statements *statements, const relais_rows_change *change,
                        relais_rows_log *log, relais_error *err)
{
    static bool (*const withdraw[])(const struct loader *, const relais_rows_change *, size_t,
                                    relais_error *) = {
        [RELAIS_ROW_UPSERT] = withdraw_upserted,
        [RELAIS_ROW_NEWEST] = withdraw_newest,
        [RELAIS_ROW_REPLACED] = withdraw_replaced,
        [RELAIS_ROW_ABSENT] = NULL, /* a stub says nothing, and may be anybody's by now */
    };
    struct loader l = {store, params, statements, log};

    for (size_t s = statements->count; s-- > 0;) {
        relais_row_policy policy = statements->shapes[s].shape->policy;
        if (withdraw[policy] != NULL && !withdraw[policy](&l, change, s, err))
            return false;
    }
    return true;
}
