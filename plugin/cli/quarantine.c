/*
 * relais quarantine: looks at parcels that no program could deliver, gives them back to the
 * forwarder, or removes them for good.
 *
 * Guarantee: answers are never printed, except by show --raw, which exists for that.
 */
#include "spool/quarantine.h"

#include "cli/command.h"
#include "cli/options.h"
#include "cli/parts.h"
#include "cli/selection.h"
#include "cli/speak.h"
#include "cli/table.h"
#include "transform/nearest.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* What one run of an action works with. */
typedef struct work {
    relais_spool *spool;
    relais_arena *arena;
    const relais_selection *chosen;
    bool as_json;
    bool raw;
} work;

/* ---- list ------------------------------------------------------------------------------------ */

static const char *place_of(const relais_quarantined *one)
{
    return one->column[0] != '\0' ? one->column : one->path[0] != '\0' ? one->path : "-";
}

static bool list_table(const work *w, relais_error *err)
{
    enum { COLUMNS = 5 };
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
    *at++ = _("WHERE");
    for (size_t i = 0; i < w->chosen->count; i++) {
        const relais_quarantined *one = &w->chosen->items[i];
        *at++ = one->name;
        *at++ = one->class_word;
        *at++ = one->form[0] == '\0' ? "-" : one->form;
        *at++ = one->at[0] == '\0' ? "-" : one->at;
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
        json_t *item =
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", one->name, "class",
                      one->class_word, "form", one->form, "at", one->at, "path", one->path,
                      "column", one->column, "rule", one->rule, "text", one->text);
        ok = json_array_append_new(list, item) == 0;
    }
    ok = ok && json_dumpf(list, stdout, JSON_INDENT(2)) == 0;
    putchar('\n');
    json_decref(list);
    return ok || relais_error_set(err, RELAIS_ERR_MEMORY, "the list cannot be written as JSON");
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

static bool run_show(work *w, relais_error *err)
{
    const char *name = w->chosen->items[0].name;
    relais_parcel parcel;
    relais_reason reason;

    bool is_open;

    relais_reason_init(&reason);
    is_open = relais_quarantine_parcel(w->spool, name, w->arena, &parcel, &reason, err);
    if (w->raw)
        return is_open && relais_parts_raw(&parcel, stdout, err);
    print_line(_("Name"), name);
    print_reason(&reason); /* also of a parcel that is damaged */
    if (!is_open)
        return false;
    print_head(&parcel.head);
    printf(_("Parts (bytes, name, type) of %llu bytes:\n"), (unsigned long long)parcel.head.length);
    return relais_parts_print(&parcel, stdout, err);
}

/* ---- replay and drop ---------------------------------------------------------------------------
 */

static bool each_parcel(work *w, const char *what,
                        bool (*act)(relais_spool *spool, const char *name, relais_error *err),
                        size_t *done, relais_error *err)
{
    for (size_t i = 0; i < w->chosen->count; i++) {
        if (!act(w->spool, w->chosen->items[i].name, err)) {
            relais_progress_end();
            return false;
        }
        (*done)++;
        relais_progress(what, *done, w->chosen->count);
    }
    relais_progress_end();
    return true;
}

static bool run_replay(work *w, relais_error *err)
{
    size_t done = 0;
    bool ok = each_parcel(w, _("replaying"), relais_quarantine_replay, &done, err);

    printf(ngettext("%zu parcel given back to the forwarder.\n",
                    "%zu parcels given back to the forwarder.\n", done),
           done);
    return ok;
}

static bool run_drop(work *w, relais_error *err)
{
    size_t done = 0;
    bool ok = each_parcel(w, _("removing"), relais_quarantine_drop, &done, err);

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

enum { ACTIONS = sizeof actions / sizeof actions[0] };

/* By name or by a prefix that only one has. */
static const action *find_action(const char *word)
{
    const action *found = NULL;
    size_t length = strlen(word);

    for (size_t i = 0; i < ACTIONS; i++) {
        if (length == 0 || strncmp(actions[i].name, word, length) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = &actions[i];
    }
    return found;
}

static void refuse_action(const char *word)
{
    relais_nearest nearest;

    relais_nearest_init(&nearest, word);
    for (size_t i = 0; i < ACTIONS; i++)
        relais_nearest_consider(&nearest, actions[i].name);
    if (nearest.best != NULL)
        relais_say(_("quarantine has no action \"%s\". Did you mean %s?"), word, nearest.best);
    else
        relais_say(_("quarantine has no action \"%s\"."), word);
}

typedef struct request {
    const action *action;
    bool as_json, all, yes, raw;
    const char *class_word, *form;
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
    return NULL;
}

static bool run_request(relais_spool *spool, const request *wish, relais_arena *arena,
                        relais_error *err)
{
    relais_filter filter = {wish->class_word, wish->form, (const char *const *)wish->names,
                            (size_t)wish->name_count};
    relais_selection chosen;
    work w = {spool, arena, &chosen, wish->as_json, wish->raw};

    return relais_selection_make(spool, &filter, arena, &chosen, err) && wish->action->run(&w, err);
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
    else if (run_request(spool, wish, arena, &err))
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
    request wish = {0};
    const relais_option options[] = {
        {"json", RELAIS_OPTION_FLAG, &wish.as_json, 0, 0},
        {"all", RELAIS_OPTION_FLAG, &wish.all, 0, 0},
        {"class", RELAIS_OPTION_TEXT, &wish.class_word, 0, 0},
        {"form", RELAIS_OPTION_TEXT, &wish.form, 0, 0},
        {"yes", RELAIS_OPTION_FLAG, &wish.yes, 0, 0},
        {"raw", RELAIS_OPTION_FLAG, &wish.raw, 0, 0},
    };
    relais_operands operands =
        relais_options_read(options, sizeof options / sizeof options[0], argc, argv);
    const char *mistake;

    if (operands.is_done)
        return operands.exit_code;
    if (operands.first == argc) {
        relais_say(_("say what to do: list, show, replay or drop."));
        return relais_usage_error(argv[0]);
    }
    wish.action = find_action(argv[operands.first]);
    if (wish.action == NULL) {
        refuse_action(argv[operands.first]);
        return relais_usage_error(argv[0]);
    }
    wish.names = argv + operands.first + 1;
    wish.name_count = argc - operands.first - 1;
    mistake = find_mistake(&wish);
    if (mistake != NULL) {
        relais_say("%s", _(mistake));
        return relais_usage_error(argv[0]);
    }
    return act(config, &wish);
}
