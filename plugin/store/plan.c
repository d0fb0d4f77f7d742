/*
 * A plan compared with the database, and written as a script. See plan.h.
 */
#include "store/plan.h"

#include "base/text.h"
#include "store/connection.h"

#include <string.h>

/* ---- against the database ----------------------------------------------------------------- */

static bool find_bookkeeping(relais_plan *plan, relais_store *store, relais_error *err)
{
    PGresult *result;

    if (!relais_pg_ask(
            store,
            "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'relais' AND c.relname = 'migration')",
            &result, err))
        return false;
    plan->has_bookkeeping = strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    PQclear(result);
    return true;
}

static relais_migration *find_migration(const relais_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->migration_count; i++)
        if (strcmp(plan->migrations[i].name, name) == 0)
            return &plan->migrations[i];
    return NULL;
}

static bool mark_applied(relais_migration *one, const char *sha256, const char *applied_at,
                         relais_arena *arena, relais_error *err)
{
    uint8_t applied[RELAIS_SHA256_SIZE];
    bool is_same = relais_unhex(sha256, applied, sizeof applied) &&
                   memcmp(applied, one->sha256, sizeof applied) == 0;

    one->applied_at = relais_arena_text(arena, applied_at);
    one->state = is_same ? RELAIS_MIGRATION_APPLIED : RELAIS_MIGRATION_CHANGED;
    return one->applied_at != NULL || relais_arena_error(arena, err);
}

/* The table of migrations with room for those that only the database knows. */
static bool widen(relais_plan *plan, size_t more, relais_arena *arena, relais_error *err)
{
    relais_migration *wider =
        relais_arena_alloc(arena, (plan->migration_count + more + 1) * sizeof *wider);

    if (wider == NULL)
        return relais_arena_error(arena, err);
    memcpy(wider, plan->migrations, plan->migration_count * sizeof *wider);
    plan->migrations = wider;
    return true;
}

static bool add_gone(relais_plan *plan, const char *name, const char *applied_at,
                     relais_arena *arena, relais_error *err)
{
    relais_migration *one = &plan->migrations[plan->migration_count];

    one->state = RELAIS_MIGRATION_GONE;
    one->name = relais_arena_text(arena, name);
    one->applied_at = relais_arena_text(arena, applied_at);
    if (one->name == NULL || one->applied_at == NULL)
        return relais_arena_error(arena, err);
    plan->migration_count++;
    return true;
}

static bool take_applied(relais_plan *plan, const PGresult *result, relais_arena *arena,
                         relais_error *err)
{
    int count = PQntuples(result);
    bool ok = widen(plan, (size_t)count, arena, err);

    for (int i = 0; ok && i < count; i++) {
        const char *name = PQgetvalue(result, i, 0);
        const char *applied_at = PQgetvalue(result, i, 2);
        relais_migration *one = find_migration(plan, name);
        ok = one == NULL ? add_gone(plan, name, applied_at, arena, err)
                         : mark_applied(one, PQgetvalue(result, i, 1), applied_at, arena, err);
    }
    return ok;
}

static bool compare_migrations(relais_plan *plan, relais_store *store, relais_arena *arena,
                               relais_error *err)
{
    PGresult *result;
    bool ok;

    if (!find_bookkeeping(plan, store, err))
        return false;
    if (!plan->has_bookkeeping)
        return true;
    if (!relais_pg_ask(store,
                       "SELECT name, encode(sha256, 'hex'),"
                       " to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
                       " FROM relais.migration ORDER BY name",
                       &result, err))
        return false;
    ok = take_applied(plan, result, arena, err);
    PQclear(result);
    return ok;
}

static bool has_pending(const relais_plan *plan)
{
    for (size_t i = 0; i < plan->migration_count; i++)
        if (plan->migrations[i].state == RELAIS_MIGRATION_PENDING)
            return true;
    return false;
}

static bool compare_references(relais_plan *plan, relais_store *store, relais_arena *arena,
                               relais_error *err)
{
    const char *const(*edges)[2];
    size_t edge_count;

    if (!relais_reference_edges(plan->references, plan->reference_count, store, arena, &edges,
                                &edge_count, err) ||
        !relais_reference_sort(plan->references, plan->reference_count, NULL, 0, edges, edge_count,
                               arena, err))
        return false;
    for (size_t i = 0; i < plan->reference_count; i++)
        if (!relais_reference_compare(&plan->references[i], store, has_pending(plan), arena, err))
            return false;
    return true;
}

bool relais_plan_compare(relais_plan *plan, relais_store *store, relais_arena *arena,
                         relais_error *err)
{
    return compare_migrations(plan, store, arena, err) &&
           compare_references(plan, store, arena, err);
}

bool relais_plan_check(const relais_plan *plan, relais_error *err)
{
    for (size_t i = 0; i < plan->migration_count; i++) {
        const relais_migration *one = &plan->migrations[i];
        if (one->state != RELAIS_MIGRATION_CHANGED)
            continue;
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "the file was changed after it was applied on %s; restore it, and put "
                         "the change into a new file with the next number",
                         one->applied_at);
        relais_error_at(err, one->file, 0);
        return false;
    }
    return true;
}

bool relais_plan_is_empty(const relais_plan *plan)
{
    for (size_t i = 0; i < plan->reference_count; i++)
        if (plan->references[i].differing > 0)
            return false;
    return !has_pending(plan);
}

/* ---- the script --------------------------------------------------------------------------- */

static void write_bookkeeping(relais_buffer *out)
{
    relais_buffer_append_text(out,
                              "\nCREATE SCHEMA IF NOT EXISTS relais;\n"
                              "CREATE TABLE IF NOT EXISTS relais.migration (\n"
                              "    name       text PRIMARY KEY,\n"
                              "    sha256     bytea NOT NULL CHECK (octet_length(sha256) = 32),\n"
                              "    applied_at timestamptz NOT NULL DEFAULT now()\n"
                              ");\n"
                              "COMMENT ON TABLE relais.migration IS"
                              " 'Fichiers de schéma appliqués, avec leur empreinte';\n");
}

/* The file and the note of it are one transaction: what failed can be planned again. */
static void write_migration(const relais_migration *one, relais_buffer *out)
{
    char sha256[2 * RELAIS_SHA256_SIZE + 1];

    relais_hex(one->sha256, RELAIS_SHA256_SIZE, sha256);
    relais_buffer_append_format(out, "\n-- schema/%s\nBEGIN;\n", one->name);
    relais_buffer_append(out, one->sql, one->length);
    if (one->length > 0 && one->sql[one->length - 1] != '\n')
        relais_buffer_append_char(out, '\n');
    relais_buffer_append_format(out,
                                "INSERT INTO relais.migration (name, sha256)"
                                " VALUES ('%s', '\\x%s');\nCOMMIT;\n",
                                one->name, sha256);
}

static void write_migrations(const relais_plan *plan, relais_buffer *out)
{
    if (!plan->has_bookkeeping && has_pending(plan))
        write_bookkeeping(out);
    for (size_t i = 0; i < plan->migration_count; i++)
        if (plan->migrations[i].state == RELAIS_MIGRATION_PENDING)
            write_migration(&plan->migrations[i], out);
}

static void write_references(const relais_plan *plan, relais_buffer *out)
{
    bool is_open = false;

    for (size_t i = 0; i < plan->reference_count; i++) {
        if (plan->references[i].differing == 0)
            continue;
        if (!is_open)
            relais_buffer_append_text(out, "\n-- codes/\nBEGIN;\n");
        is_open = true;
        relais_reference_write(&plan->references[i], out);
    }
    if (is_open)
        relais_buffer_append_text(out, "\nCOMMIT;\n");
}

void relais_plan_write(const relais_plan *plan, relais_buffer *out)
{
    if (relais_plan_is_empty(plan)) {
        relais_buffer_append_text(out, "-- Nothing to apply: the database has every schema file "
                                       "and all reference data.\n");
        return;
    }
    relais_buffer_append_text(out, "-- What the database lacks, by Relais " RELAIS_VERSION
                                   ". Apply it with psql.\n"
                                   "\\set ON_ERROR_STOP on\n"
                                   "\\encoding UTF8\n"
                                   "SET standard_conforming_strings = on;\n"
                                   "SET client_min_messages = warning;\n");
    write_migrations(plan, out);
    write_references(plan, out);
}
