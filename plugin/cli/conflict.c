/*
 * relais conflict: versions of one submission that contradict each other, for the person who must
 * choose. See conflict.h.
 *
 * Guarantee: answers are printed by show alone, on standard output, and never logged. Choosing is
 * one transaction, is noted with the name of whoever chose, and is undone by another choice.
 */
#include "cli/conflict.h"

#include "base/log.h"
#include "base/uuid.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/key.h"
#include "cli/options.h"
#include "cli/speak.h"
#include "cli/table.h"

#include <stdio.h>
#include <string.h>

enum { LIMIT_DEFAULT = 200, LIMIT_MAX = 100000 };

typedef struct request request;

typedef struct work {
    const relais_config *config;
    const request *wish;
    relais_store *store;
    relais_arena *arena;
    relais_seal_key *key; /* or NULL */
} work;

/* Runs and returns the exit code; false for an error. */
typedef bool run_action(const work *w, int *code, relais_error *err);

typedef struct action {
    const char *name;
    run_action *run;
    bool takes_version, takes_author, takes_json, takes_key, takes_list_options;
} action;

struct request {
    const action *action;
    const char *version, *with, *by, *reason, *key;
    bool all, as_json;
    uint64_t limit, passphrase_fd;
};

/* ---- list ----------------------------------------------------------------------------------- */

static const char *chosen_text(const relais_rival *one, relais_arena *arena)
{
    return one->chosen_by[0] == '\0'
               ? "-"
               : relais_arena_format(arena, "%.10s %s", one->chosen_at, one->chosen_by);
}

bool relais_conflict_print(const relais_rivals *rivals, relais_arena *arena, relais_error *err)
{
    enum { COLUMNS = 8 };
    size_t rows = rivals->count + 1;
    const char **cells = relais_arena_alloc(arena, rows * COLUMNS * sizeof *cells);
    const char *headings[COLUMNS] = {_("VERSION"),  _("FORM"), _("RECORD"), _("STATE"),
                                     _("RECEIVED"), _("USER"), _("DEVICE"), _("CHOSEN")};

    if (cells == NULL)
        return relais_arena_error(arena, err);
    memcpy(cells, headings, sizeof headings);
    for (size_t i = 0; i < rivals->count; i++) {
        const relais_rival *one = &rivals->list[i];
        const char *row[COLUMNS] = {one->sub_id,
                                    one->form,
                                    one->record,
                                    one->state,
                                    one->received,
                                    relais_or_dash(one->user),
                                    relais_or_dash(one->device),
                                    chosen_text(one, arena)};
        if (row[COLUMNS - 1] == NULL)
            return relais_arena_error(arena, err);
        memcpy(&cells[(i + 1) * COLUMNS], row, sizeof row);
    }
    relais_table_print(stdout, cells, rows, COLUMNS);
    return true;
}

static json_t *rival_json(const relais_rival *one)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b}",
        "version", one->sub_id, "form", one->form, "record", one->record, "instance", one->instance,
        "replaces", one->deprecated, "state", one->state, "received", one->received, "source",
        one->source, "user", one->user, "device", one->device, "form_version", one->version,
        "sealed", one->seal, "chosen_at", one->chosen_at, "chosen_by", one->chosen_by, "reason",
        one->reason, "beside", (int)one->is_beside);
}

json_t *relais_conflict_json(const relais_rivals *rivals)
{
    json_t *list = json_array();

    for (size_t i = 0; i < rivals->count; i++)
        if (json_array_append_new(list, rival_json(&rivals->list[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static bool run_list(const work *w, int *code, relais_error *err)
{
    relais_rivals rivals;

    (void)code;
    if (!relais_conflict_list(w->store, w->wish->all, (size_t)w->wish->limit, w->arena, &rivals,
                              err))
        return false;
    if (w->wish->as_json)
        return relais_json_print(relais_conflict_json(&rivals), err);
    if (rivals.count > 0)
        return relais_conflict_print(&rivals, w->arena, err);
    puts(w->wish->all ? _("There never was a conflict.") : _("No conflict waits for a choice."));
    return true;
}

/* ---- show ----------------------------------------------------------------------------------- */

static bool is_version(const char *word)
{
    return relais_uuid_is(word, strlen(word));
}

static bool run_show(const work *w, int *code, relais_error *err)
{
    relais_conflict_wish wish = {w->wish->version, w->wish->with, w->key, w->wish->as_json};
    bool is_sealed = false;

    if (!is_version(wish.sub_id) &&
        !relais_conflict_named(w->store, wish.sub_id, w->arena, &wish.sub_id, err))
        return false;
    if (!relais_conflict_show(w->store, &wish, w->arena, &is_sealed, err))
        return false;
    if (is_sealed)
        *code = RELAIS_EXIT_FAILED;
    return true;
}

/* ---- choose --------------------------------------------------------------------------------- */

static const struct {
    const char *words;
    int code;
} outcomes[] = {
    [RELAIS_CHOICE_DONE] = {N_("This version is now the current one. To take it back, choose "
                               "another: relais conflict list --all"),
                            RELAIS_EXIT_OK},
    [RELAIS_CHOICE_SAME] = {N_("This version is the current one already; nothing was changed."),
                            RELAIS_EXIT_OK},
    [RELAIS_CHOICE_BESIDE] = {N_("an edit of this version is known, which stands after it; choose "
                                 "that edit"),
                              RELAIS_EXIT_FAILED},
    [RELAIS_CHOICE_REFUSED] = {N_("its rows are refused; nothing was changed"), RELAIS_EXIT_FAILED},
    [RELAIS_CHOICE_GONE] = {N_("its record was erased"), RELAIS_EXIT_FAILED},
    [RELAIS_CHOICE_STOPPED] = {N_("the mapping of its form cannot be used: relais check says why"),
                               RELAIS_EXIT_FAILED},
};

static void say_outcome(relais_choice_outcome outcome, const relais_reason *reason)
{
    const char *where = reason->path[0] != '\0' ? reason->path : reason->column;

    if (outcomes[outcome].code == RELAIS_EXIT_OK) {
        puts(_(outcomes[outcome].words));
        return;
    }
    relais_say("%s", _(outcomes[outcome].words));
    if (outcome == RELAIS_CHOICE_REFUSED)
        relais_say("%s %s", reason->text[0] == '\0' ? reason->class_word : gettext(reason->text),
                   where);
}

static bool run_choose(const work *w, int *code, relais_error *err)
{
    const relais_secret_files files = relais_config_secrets(w->config);
    relais_secrets secrets = {0};
    const relais_conflict_choice choice = {.mappings = w->config->mappings_directory,
                                           .secrets = &secrets,
                                           .key = w->key,
                                           .sub_id = w->wish->version,
                                           .by = w->wish->by,
                                           .reason = w->wish->reason};
    relais_choice_outcome outcome;
    relais_reason reason;
    bool ok = relais_secrets_read(&files, &secrets, err) &&
              relais_conflict_choose(w->store, &choice, w->arena, &outcome, &reason, err);

    relais_secrets_free(&secrets);
    if (!ok)
        return false;
    say_outcome(outcome, &reason);
    *code = outcomes[outcome].code;
    return true;
}

/* ---- the command ---------------------------------------------------------------------------- */

static const action actions[] = {
    {"list", run_list, false, false, true, false, true},
    {"show", run_show, true, false, true, true, false},
    {"choose", run_choose, true, true, false, true, false},
};

static const char *find_mistake(request *wish, char **words, int count)
{
    const action *what = wish->action;

    if (what->takes_version && (count == 0 || (what->run == run_choose && !is_version(words[0]))))
        return N_("name the version by its id, as relais conflict list shows it");
    if (what->takes_version)
        wish->version = words[0];
    if (count > (what->takes_version ? 1 : 0))
        return N_("there is a word too many");
    if (wish->with != NULL && (what->run != run_show || !is_version(wish->with)))
        return N_("--with names, for show, the version to compare with by its id");
    if (what->takes_author && (wish->by == NULL || wish->by[0] == '\0'))
        return N_("--by says who chooses");
    if (!what->takes_author && (wish->by != NULL || wish->reason != NULL))
        return N_("only choose takes --by and --reason");
    if (wish->as_json && !what->takes_json)
        return N_("only list and show take --json");
    if ((wish->all || wish->limit != 0) && !what->takes_list_options)
        return N_("only list takes --all and --limit");
    if (wish->key != NULL && !what->takes_key)
        return N_("only show and choose take --key");
    if (wish->passphrase_fd != RELAIS_CLI_TERMINAL && wish->key == NULL)
        return N_("--passphrase-fd goes with --key");
    return NULL;
}

static int run(const relais_config *config, const request *wish)
{
    work w = {
        .config = config, .wish = wish, .arena = relais_arena_create(RELAIS_CONFLICT_MEMORY_MAX)};
    int code = RELAIS_EXIT_OK;
    relais_error err = {0};

    relais_log_set_level(RELAIS_LOG_ERROR); /* what mappings were read is the forwarder's news */
    if (w.arena == NULL)
        relais_error_set(&err, RELAIS_ERR_MEMORY, "no memory left");
    else if (relais_cli_key_read(wish->key, wish->passphrase_fd, &w.key, &err) &&
             relais_store_open(config->store_conninfo, &w.store, &err) &&
             wish->action->run(&w, &code, &err))
        goto done;
    code = relais_say_error(&err);

done:
    relais_store_close(w.store);
    relais_seal_key_free(w.key);
    relais_arena_destroy(w.arena);
    return relais_close_output(code);
}

int relais_command_conflict(const relais_config *config, int argc, char **argv)
{
    request wish = {.passphrase_fd = RELAIS_CLI_TERMINAL};
    const relais_option options[] = {
        {"all", RELAIS_OPTION_FLAG, &wish.all, 0, 0},
        {"json", RELAIS_OPTION_FLAG, &wish.as_json, 0, 0},
        {"limit", RELAIS_OPTION_NUMBER, &wish.limit, 1, LIMIT_MAX},
        {"with", RELAIS_OPTION_TEXT, &wish.with, 0, 0},
        {"by", RELAIS_OPTION_TEXT, &wish.by, 0, 0},
        {"reason", RELAIS_OPTION_TEXT, &wish.reason, 0, 0},
        {"key", RELAIS_OPTION_TEXT, &wish.key, 0, 0},
        {"passphrase-fd", RELAIS_OPTION_NUMBER, &wish.passphrase_fd, 0, RELAIS_CLI_FD_MAX},
    };
    relais_operands operands =
        relais_options_read(options, sizeof options / sizeof options[0], argc, argv);
    const char *mistake;

    if (operands.is_done)
        return operands.exit_code;
    wish.action = relais_action_choose(RELAIS_NAMES(actions), argc, argv, operands.first);
    if (wish.action == NULL)
        return RELAIS_EXIT_USAGE;
    mistake = find_mistake(&wish, argv + operands.first + 1, argc - operands.first - 1);
    if (mistake != NULL) {
        relais_say("%s", _(mistake));
        return relais_usage_error(argv[0]);
    }
    if (wish.limit == 0)
        wish.limit = LIMIT_DEFAULT;
    return run(config, &wish);
}
