/*
 * relais plan: prints what the database lacks as one SQL script, or as a list.
 *
 * Guarantee: standard output is a whole script or empty, so that `relais plan | psql` never
 * applies half of one.
 */
#include "store/plan.h"

#include "cli/command.h"
#include "cli/options.h"
#include "cli/speak.h"
#include "cli/table.h"

#include <stdio.h>
#include <string.h>

static const char *state_word(relais_migration_state state)
{
    switch (state) {
    case RELAIS_MIGRATION_PENDING:
        return _("pending");
    case RELAIS_MIGRATION_APPLIED:
        return _("applied");
    case RELAIS_MIGRATION_CHANGED:
        return _("changed after it was applied");
    case RELAIS_MIGRATION_GONE:
        break;
    }
    return _("applied, but there is no such file here");
}

static const char *reference_word(const relais_reference *reference, relais_arena *arena)
{
    if (reference->differing == 0)
        return relais_arena_format(arena, _("same, %zu rows"), reference->row_count);
    return relais_arena_format(arena, _("pending, %zu of %zu rows"), reference->differing,
                               reference->row_count);
}

static bool print_list(const relais_plan *plan, relais_arena *arena, relais_error *err)
{
    size_t rows = plan->migration_count + plan->reference_count + 1;
    const char **cells = relais_arena_alloc(arena, rows * 3 * sizeof *cells);
    const char **at = cells;

    if (cells == NULL)
        return relais_arena_error(arena, err);
    *at++ = _("FILE");
    *at++ = _("APPLIED");
    *at++ = _("STATE");
    for (size_t i = 0; i < plan->migration_count; i++) {
        const relais_migration *one = &plan->migrations[i];
        *at++ = relais_arena_format(arena, "schema/%s", one->name);
        *at++ = one->applied_at[0] == '\0' ? "-" : one->applied_at;
        *at++ = state_word(one->state);
    }
    for (size_t i = 0; i < plan->reference_count; i++) {
        *at++ = relais_arena_format(arena, "codes/%s.csv", plan->references[i].table);
        *at++ = "-";
        *at++ = reference_word(&plan->references[i], arena);
    }
    for (size_t i = 0; i < rows * 3; i++)
        if (cells[i] == NULL)
            return relais_arena_error(arena, err);
    relais_table_print(stdout, cells, rows, 3);
    return true;
}

/* A database that is ahead of these files is worth a word, and no reason to stop. */
static void warn_gone(const relais_plan *plan)
{
    for (size_t i = 0; i < plan->migration_count; i++)
        if (plan->migrations[i].state == RELAIS_MIGRATION_GONE)
            relais_say(_("warning: %s was applied to this database, but there is no such file "
                         "here. Is this an older version of Relais?"),
                       plan->migrations[i].name);
}

static bool print_script(const relais_plan *plan, relais_error *err)
{
    relais_buffer script;
    bool ok;

    warn_gone(plan);
    relais_buffer_init(&script, RELAIS_PLAN_SCRIPT_MAX);
    relais_plan_write(plan, &script);
    ok = relais_plan_check(plan, err) && relais_buffer_check(&script, "script", err);
    if (ok)
        fwrite(script.data, 1, script.length, stdout);
    relais_buffer_free(&script);
    return ok;
}

static bool make_plan(const relais_config *config, relais_arena *arena, relais_plan *plan,
                      relais_error *err)
{
    relais_store *store = NULL;
    bool ok = relais_plan_read(config->mappings_directory, arena, plan, err) &&
              relais_store_open(config->store_conninfo, &store, err) &&
              relais_plan_compare(plan, store, arena, err);

    relais_store_close(store);
    return ok;
}

int relais_command_plan(const relais_config *config, int argc, char **argv)
{
    bool as_list = false, ok;
    const relais_option options[] = {{"list", RELAIS_OPTION_FLAG, &as_list, 0, 0}};
    relais_operands operands = relais_options_read(options, 1, argc, argv);
    relais_error err = {0};
    relais_arena *arena;
    relais_plan plan = {0};

    if (operands.is_done)
        return operands.exit_code;
    if (operands.first < argc) {
        relais_say(_("plan takes no \"%s\"."), argv[operands.first]);
        return relais_usage_error(argv[0]);
    }
    arena = relais_arena_create(RELAIS_PLAN_MEMORY_MAX);
    ok = arena != NULL ? make_plan(config, arena, &plan, &err)
                       : relais_error_set(&err, RELAIS_ERR_MEMORY, "no memory left");
    if (ok)
        ok = as_list ? print_list(&plan, arena, &err) : print_script(&plan, &err);
    relais_arena_destroy(arena);
    return relais_close_output(ok ? RELAIS_EXIT_OK : relais_say_error(&err));
}
