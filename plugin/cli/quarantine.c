/*
 * relais quarantine: looks at parcels that no program could deliver, gives them back to the
 * forwarder, or removes them for good.
 *
 * Guarantee: answers are never printed, except by show --raw, which exists for that. What is
 * sealed is opened by whoever has the key, in memory or on its way into new/, nowhere else.
 */
#include "spool/quarantine.h"

#include "cli/bar.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/key.h"
#include "cli/options.h"
#include "cli/parts.h"
#include "cli/selection.h"
#include "cli/speak.h"
#include "cli/table.h"
#include "cli/unseal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What one run of an action works with. */
typedef struct work {
    relais_spool *spool;
    relais_arena *arena;
    const relais_selection *chosen;
    relais_seal_key *key; /* or NULL */
    size_t left;          /* parcels that were to be replayed and stay, for lack of their key */
    bool as_json;
    bool raw;
} work;

/* ---- list ------------------------------------------------------------------------------------ */

static const char *place_of(const relais_quarantined *one)
{
    return one->column[0] != '\0' ? one->column : one->path[0] != '\0' ? one->path : "-";
}

/* As much of a key's id as tells two apart. */
static const char *shorten(relais_arena *arena, const char *key)
{
    const char *text = relais_arena_format(arena, "%.8s", key);

    return text == NULL ? key : text;
}

static bool list_table(const work *w, relais_error *err)
{
    enum { COLUMNS = 6 };
    size_t rows = w->chosen->count + 1;
    const char **cells = relais_arena_alloc(w->arena, rows * COLUMNS * sizeof *cells);
    const char **at = cells;

    if (cells == NULL)
        return relais_arena_error(w->arena, err);
    if (w->chosen->count == 0) {
        puts(_("The quarantine is empty."));
        return true;
    }
    *at++ = _("NAME");
    *at++ = _("CLASS");
    *at++ = _("FORM");
    *at++ = _("SINCE");
    *at++ = _("KEY");
    *at++ = _("WHERE");
    for (size_t i = 0; i < w->chosen->count; i++) {
        const relais_quarantined *one = &w->chosen->items[i];
        *at++ = one->name;
        *at++ = one->class_word;
        *at++ = one->form[0] == '\0' ? "-" : one->form;
        *at++ = one->at[0] == '\0' ? "-" : one->at;
        *at++ = one->sealed[0] == '\0' ? "-" : shorten(w->arena, one->sealed);
        *at++ = place_of(one);
    }
    relais_table_print(stdout, cells, rows, COLUMNS);
    return true;
}

static bool list_json(const work *w, relais_error *err)
{
    json_t *list = json_array();
    bool ok = list != NULL;

    for (size_t i = 0; ok && i < w->chosen->count; i++) {
        const relais_quarantined *one = &w->chosen->items[i];
        json_t *item = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", one->name,
                                 "class", one->class_word, "form", one->form, "at", one->at, "path",
                                 one->path, "column", one->column, "rule", one->rule, "text",
                                 one->text, "sealed", one->sealed);
        ok = json_array_append_new(list, item) == 0;
    }
    if (!ok) {
        json_decref(list);
        list = NULL;
    }
    return relais_json_print(list, err);
}

static bool run_list(work *w, relais_error *err)
{
    return w->as_json ? list_json(w, err) : list_table(w, err);
}

/* ---- show ------------------------------------------------------------------------------------ */

static void print_line(const char *label, const char *value)
{
    if (value[0] == '\0')
        return;
    printf("%s: ", label);
    relais_print_plain(stdout, value);
    putchar('\n');
}

/* A reason is worded by the forwarder, in its language; a fixed sentence has a translation. */
static const char *translated(const char *text)
{
    return text[0] == '\0' ? "" : gettext(text);
}

static void print_reason(const relais_reason *reason)
{
    print_line(_("Class"), reason->class_word);
    print_line(_("Since"), reason->at);
    print_line(_("Reason"), translated(reason->text));
    print_line(_("Answer"), reason->path);
    print_line(_("Column"), reason->column);
    print_line(_("Expected"), reason->rule);
    if (reason->line > 0)
        printf(_("Line: %ld\n"), reason->line);
    if (reason->offset >= 0)
        printf(_("Byte offset in the XML: %lld\n"), (long long)reason->offset);
}

static void print_head(const relais_parcel_head *head)
{
    print_line(_("Form"), head->form);
    print_line(_("Version"), head->version);
    print_line(_("Instance"), head->instance);
    print_line(_("Received"), head->received);
    print_line(_("Source"), head->source);
    print_line(_("User"), head->user);
    print_line(_("Device"), head->device);
}

static bool print_parts(const relais_parcel *parcel, relais_error *err)
{
    printf(_("Parts (bytes, name, type) of %llu bytes:\n"),
           (unsigned long long)parcel->head.length);
    return relais_parts_print(parcel, stdout, err);
}

/* What is known without the key, and how to know more. */
static void print_seal(const relais_parcel *sealed)
{
    print_line(_("Sealed to the key"), sealed->head.sealed);
    puts(_("To see its parts: relais quarantine show NAME --key FILE"));
}

static bool show_sealed(const work *w, const char *name, const relais_parcel *sealed,
                        relais_error *err)
{
    relais_parcel original;
    int fd;

    if (!w->raw)
        print_head(&sealed->head);
    if (w->key == NULL && w->raw)
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "this parcel is sealed; give the private key by --key FILE");
    if (w->key == NULL) {
        print_seal(sealed);
        return true;
    }
    if (!relais_unseal_file(w->key, sealed, w->arena, &fd, err))
        return false;
    if (relais_parcel_examine(fd, name, w->arena, &original, w->raw ? NULL : err))
        return w->raw ? relais_parts_raw(&original, stdout, err) : print_parts(&original, err);
    return w->raw && relais_parts_file(fd, stdout, err);
}

static bool run_show(work *w, relais_error *err)
{
    const char *name = w->chosen->items[0].name;
    relais_parcel parcel;
    relais_reason reason;
    bool is_open;

    relais_reason_init(&reason);
    is_open = relais_quarantine_parcel(w->spool, name, w->arena, &parcel, &reason, err);
    if (!w->raw) {
        print_line(_("Name"), name);
        print_reason(&reason); /* also of a parcel that is damaged */
    }
    if (!is_open)
        return false;
    if (parcel.head.sealed[0] != '\0')
        return show_sealed(w, name, &parcel, err);
    if (w->raw)
        return relais_parts_raw(&parcel, stdout, err);
    print_head(&parcel.head);
    return print_parts(&parcel, err);
}

/* ---- replay and drop ---------------------------------------------------------------------------
 */

static bool each_parcel(work *w, const char *what,
                        bool (*act)(work *w, const relais_quarantined *one, relais_error *err),
                        size_t *done, relais_error *err)
{
    for (size_t i = 0; i < w->chosen->count; i++) {
        if (!act(w, &w->chosen->items[i], err)) {
            relais_progress_end();
            return false;
        }
        (*done)++;
        relais_progress(what, *done, w->chosen->count);
    }
    relais_progress_end();
    return true;
}

static bool replay_one(work *w, const relais_quarantined *one, relais_error *err)
{
    if (one->sealed[0] == '\0')
        return relais_quarantine_replay(w->spool, one->name, err);
    if (w->key != NULL && strcmp(relais_seal_key_id_of(w->key), one->sealed) == 0)
        return relais_quarantine_replay_sealed(w->spool, one->name, relais_unseal_convert, w->key,
                                               err);
    w->left++;
    return true;
}

static void say_left(const work *w)
{
    if (w->left == 0)
        return;
    if (w->key == NULL)
        relais_say(ngettext("%zu parcel is sealed and stays. Give its private key: --key FILE",
                            "%zu parcels are sealed and stay. Give their private key: --key FILE",
                            w->left),
                   w->left);
    else
        relais_say(ngettext("%zu parcel is sealed to another key than this one (%s) and stays. "
                            "Give the file of its key; show names it",
                            "%zu parcels are sealed to another key than this one (%s) and stay. "
                            "Give the file of their key; show names it",
                            w->left),
                   w->left, relais_seal_key_id_of(w->key));
}

static bool run_replay(work *w, relais_error *err)
{
    size_t done = 0;
    bool ok = each_parcel(w, _("replaying"), replay_one, &done, err);

    done -= w->left;
    printf(ngettext("%zu parcel given back to the forwarder.\n",
                    "%zu parcels given back to the forwarder.\n", done),
           done);
    say_left(w);
    return ok;
}

static bool drop_one(work *w, const relais_quarantined *one, relais_error *err)
{
    return relais_quarantine_drop(w->spool, one->name, err);
}

static bool run_drop(work *w, relais_error *err)
{
    size_t done = 0;
    bool ok = each_parcel(w, _("removing"), drop_one, &done, err);

    printf(ngettext("%zu parcel removed for good.\n", "%zu parcels removed for good.\n", done),
           done);
    return ok;
}

/* ---- the command -------------------------------------------------------------------------------
 */

typedef struct action {
    const char *name;
    bool (*run)(work *w, relais_error *err);
    bool takes_names;
    bool takes_filter; /* --all, --class, --form */
    int most_names;    /* 0: any number */
} action;

static const action actions[] = {
    {"list", run_list, false, true, 0},
    {"show", run_show, true, false, 1},
    {"replay", run_replay, true, true, 0},
    {"drop", run_drop, true, false, 0},
};

typedef struct request {
    const action *action;
    bool as_json, all, yes, raw;
    const char *class_word, *form, *key;
    uint64_t passphrase_fd;
    char **names;
    int name_count;
} request;

static bool has_filter(const request *wish)
{
    return wish->all || wish->class_word != NULL || wish->form != NULL;
}

/* What is wrong with the request as it was typed, or NULL. */
static const char *find_mistake(const request *wish)
{
    const action *what = wish->action;

    if (wish->name_count > 0 && !what->takes_names)
        return N_("list takes no names; show NAME tells about one");
    if (has_filter(wish) && !what->takes_filter)
        return N_("only list and replay take --all, --class and --form");
    if (has_filter(wish) && wish->name_count > 0)
        return N_("give either names or --all, --class, --form");
    if (what->takes_names && wish->name_count == 0 && !has_filter(wish))
        return what->takes_filter ? N_("name the parcels, or give --all, --class or --form")
                                  : N_("name the parcel; relais quarantine list shows the names");
    if (what->most_names > 0 && wish->name_count > what->most_names)
        return N_("show takes one name");
    if (what->run == run_drop && !wish->yes)
        return N_("drop removes parcels for good; say --yes as well");
    if (what->run != run_drop && wish->yes)
        return N_("only drop takes --yes");
    if (wish->raw && what->run != run_show)
        return N_("only show takes --raw");
    if (wish->as_json && what->run != run_list)
        return N_("only list takes --json");
    if (wish->key != NULL && what->run != run_show && what->run != run_replay)
        return N_("only show and replay take --key");
    if (wish->key == NULL && wish->passphrase_fd != RELAIS_CLI_TERMINAL)
        return N_("--passphrase-fd goes with --key");
    return NULL;
}

static bool run_request(relais_spool *spool, const request *wish, relais_arena *arena, int *code,
                        relais_error *err)
{
    relais_filter filter = {wish->class_word, wish->form, (const char *const *)wish->names,
                            (size_t)wish->name_count};
    relais_selection chosen;
    work w = {.spool = spool,
              .arena = arena,
              .chosen = &chosen,
              .as_json = wish->as_json,
              .raw = wish->raw};
    bool ok = relais_selection_make(spool, &filter, arena, &chosen, err) &&
              relais_cli_key_read(wish->key, wish->passphrase_fd, &w.key, err) &&
              wish->action->run(&w, err);

    relais_seal_key_free(w.key);
    if (w.left > 0)
        *code = RELAIS_EXIT_FAILED;
    return ok;
}

static int act(const relais_config *config, const request *wish)
{
    relais_arena *arena = relais_arena_create(RELAIS_SELECTION_MEMORY_MAX);
    relais_spool *spool = NULL;
    relais_error err = {0};
    int code = RELAIS_EXIT_OK;

    if (arena == NULL)
        relais_error_set(&err, RELAIS_ERR_MEMORY, "no memory left");
    else if (!relais_spool_open(config->spool_directory, config->spool_floor, &spool, &err))
        code = RELAIS_EXIT_LATER;
    else if (run_request(spool, wish, arena, &code, &err))
        goto done;
    relais_say_error(&err);
    if (code == RELAIS_EXIT_OK)
        code = RELAIS_EXIT_FAILED;

done:
    relais_spool_close(spool);
    relais_arena_destroy(arena);
    return relais_close_output(code);
}

int relais_command_quarantine(const relais_config *config, int argc, char **argv)
{
    request wish = {.passphrase_fd = RELAIS_CLI_TERMINAL};
    const relais_option options[] = {
        {"json", RELAIS_OPTION_FLAG, &wish.as_json, 0, 0},
        {"all", RELAIS_OPTION_FLAG, &wish.all, 0, 0},
        {"class", RELAIS_OPTION_TEXT, &wish.class_word, 0, 0},
        {"form", RELAIS_OPTION_TEXT, &wish.form, 0, 0},
        {"yes", RELAIS_OPTION_FLAG, &wish.yes, 0, 0},
        {"raw", RELAIS_OPTION_FLAG, &wish.raw, 0, 0},
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
    wish.names = argv + operands.first + 1;
    wish.name_count = argc - operands.first - 1;
    mistake = find_mistake(&wish);
    if (mistake != NULL) {
        relais_say("%s", _(mistake));
        return relais_usage_error(argv[0]);
    }
    return act(config, &wish);
}
