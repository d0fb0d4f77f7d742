/*
 * The order of reference data: a table comes after those that it refers to. See reference.h.
 */
#include "store/connection.h"
#include "store/reference.h"

#include <string.h>

static size_t creation_rank(const char *table, const char *const *tables, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(tables[i], table) == 0)
            return i;
    return count; /* made by somebody else: after ours, in order of names */
}

static void insert_by_rank(relais_reference *references, size_t count, const char *const *tables,
                           size_t table_count)
{
    for (size_t i = 1; i < count; i++) {
        relais_reference moved = references[i];
        size_t rank = creation_rank(moved.table, tables, table_count);
        size_t at = i;
        for (; at > 0; at--) {
            if (creation_rank(references[at - 1].table, tables, table_count) <= rank)
                break;
            references[at] = references[at - 1];
        }
        references[at] = moved;
    }
}

/* True when nothing that is still to be placed is referred to by this table. */
static bool is_free(const relais_reference *references, const bool *placed, size_t count,
                    const char *table, const char *const (*edges)[2], size_t edge_count)
{
    for (size_t e = 0; e < edge_count; e++) {
        if (strcmp(edges[e][0], table) != 0 || strcmp(edges[e][1], table) == 0)
            continue;
        for (size_t i = 0; i < count; i++)
            if (!placed[i] && strcmp(references[i].table, edges[e][1]) == 0)
                return false;
    }
    return true;
}

/* Tables in a ring of foreign keys keep the order of creation: only deferred keys allow one. */
static size_t next_free(const relais_reference *references, const bool *placed, size_t count,
                        const char *const (*edges)[2], size_t edge_count)
{
    size_t first = count;

    for (size_t i = 0; i < count; i++) {
        if (placed[i])
            continue;
        if (is_free(references, placed, count, references[i].table, edges, edge_count))
            return i;
        if (first == count)
            first = i;
    }
    return first;
}

bool relais_reference_sort(relais_reference *references, size_t count, const char *const *tables,
                           size_t table_count, const char *const (*edges)[2], size_t edge_count,
                           relais_arena *arena, relais_error *err)
{
    relais_reference *sorted = relais_arena_alloc(arena, (count + 1) * sizeof *sorted);
    bool *placed = relais_arena_alloc(arena, (count + 1) * sizeof *placed);

    if (sorted == NULL || placed == NULL)
        return relais_arena_error(arena, err);
    insert_by_rank(references, count, tables, table_count);
    for (size_t i = 0; i < count; i++) {
        size_t next = next_free(references, placed, count, edges, edge_count);
        sorted[i] = references[next];
        placed[next] = true;
    }
    if (count > 0)
        memcpy(references, sorted, count * sizeof *sorted);
    return true;
}

bool relais_reference_edges(const relais_reference *references, size_t count, relais_store *store,
                            relais_arena *arena, const char *const (**edges)[2], size_t *edge_count,
                            relais_error *err)
{
    static const char sql[] =
        "SELECT cn.nspname || '.' || c.relname, fn.nspname || '.' || f.relname"
        "  FROM pg_constraint k"
        "  JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace"
        "  JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace"
        " WHERE k.contype = 'f' AND cn.nspname || '.' || c.relname = ANY ($1::text[])";
    const char *(*pairs)[2] = NULL;
    relais_params params;
    PGresult *result = NULL;
    bool ok;

    relais_params_init(&params);
    relais_params_text_array(&params);
    for (size_t i = 0; i < count; i++)
        relais_params_add_text(&params, 0, references[i].table);
    ok = relais_pg_call(store, sql, &params, &result, err);
    *edge_count = ok ? (size_t)PQntuples(result) : 0;
    if (ok)
        pairs = relais_arena_alloc(arena, (*edge_count + 1) * sizeof *pairs);
    for (size_t i = 0; pairs != NULL && i < *edge_count; i++) {
        for (int side = 0; side < 2 && pairs != NULL; side++) {
            pairs[i][side] = relais_arena_text(arena, PQgetvalue(result, (int)i, side));
            if (pairs[i][side] == NULL)
                pairs = NULL;
        }
    }
    if (ok && pairs == NULL)
        ok = relais_arena_error(arena, err);
    *edges = (const char *const(*)[2])pairs;
    PQclear(result);
    relais_params_free(&params);
    return ok;
}
