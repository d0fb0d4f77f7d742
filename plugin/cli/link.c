/*
 * relais link: shows pairs of people who may be one, and takes down what a person decides.
 *
 * What is shown is masked by the database: month, kind of organisation, province, sex, age,
 * which keys agree. Never an identity, a card or a day.
 */
#include "store/link.h"

#include "base/uuid.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/speak.h"
#include "cli/table.h"

#include <stdio.h>
#include <string.h>

/* Ten thousand pairs, each of some twenty short texts. */
#define LINK_MEMORY_MAX ((size_t)64 * 1024 * 1024)

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 10000 };

typedef struct request request;

typedef struct work {
    const request *wish;
    relais_store *store;
    relais_arena *arena;
} work;

typedef struct action {
    const char *name;
    bool (*run)(const work *w, relais_error *err);
    bool takes_pair, takes_decision, takes_author, takes_json, takes_list_options;
} action;

struct request {
    const action *action;
    bool all, open, as_json;
    uint64_t limit;
    relais_link_name pair;
    const char *decision;
    relais_link_author author;
};

/* ---- words ---------------------------------------------------------------------------------- */

static const struct {
    const char *code, *words;
} reasons[] = {
    {"K4", N_("same identity document")},
    {"K1", N_("same surname, given names, sex and date of birth")},
    {"K2+K3", N_("same surname, given names, sex, year of birth, mother and province")},
    {"K3", N_("same surname, given names, mother and province of origin")},
    {"K5", N_("same telephone and sex, ages within two years")},
    {"K2", N_("same surname, given names, sex and year of birth")},
    {"card", N_("same card, but sex or age contradict")},
    {"K4 conflict", N_("same document, but sex or age contradict")},
};

/* The reasons of a pair are codes, separated by ", ". */
static void print_reasons(const char *codes)
{
    while (*codes != '\0') {
        size_t length = strcspn(codes, ",");
        for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
            if (strlen(reasons[i].code) == length && strncmp(reasons[i].code, codes, length) == 0)
                printf("  %s: %s\n", reasons[i].code, _(reasons[i].words));
        codes += length;
        codes += strspn(codes, ", ");
    }
}

/* ---- list ----------------------------------------------------------------------------------- */

static const char *summary(const relais_link_person *person, relais_arena *arena)
{
    return relais_arena_format(arena, "%s %s %s %s %s (%lld)", relais_or_dash(person->sex),
                               relais_or_dash(person->age), relais_or_dash(person->place),
                               relais_or_dash(person->month), relais_or_dash(person->org_type),
                               person->recordings);
}

static bool list_table(const work *w, const relais_link_pairs *pairs, relais_error *err)
{
    enum { COLUMNS = 7 };
    size_t rows = pairs->count + 1;
    const char **cells = relais_arena_alloc(w->arena, rows * COLUMNS * sizeof *cells);
    const char **at = cells;

    if (cells == NULL)
        return relais_arena_error(w->arena, err);
    *at++ = _("PAIR");
    *at++ = _("SCORE");
    *at++ = _("SINCE");
    *at++ = _("DECISION");
    *at++ = _("A: SEX, AGE, PLACE, MONTH, ORGANISATION");
    *at++ = _("B");
    *at++ = _("REASON");
    for (size_t i = 0; i < pairs->count; i++) {
        const relais_link_pair *pair = &pairs->list[i];
        *at++ = relais_arena_format(w->arena, "%lld", pair->id);
        *at++ = pair->score;
        *at++ = pair->found;
        *at++ = pair->decision;
        *at++ = summary(&pair->a, w->arena);
        *at++ = summary(&pair->b, w->arena);
        *at++ = pair->reason;
    }
    for (size_t i = 0; i < rows * COLUMNS; i++)
        if (cells[i] == NULL)
            return relais_arena_error(w->arena, err);
    relais_table_print(stdout, cells, rows, COLUMNS);
    return true;
}

static json_t *json_person(const relais_link_person *person)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "victim", person->victim, "sex",
                     person->sex, "age", person->age, "place", person->place, "month",
                     person->month, "organisation_type", person->org_type, "recordings",
                     (json_int_t)person->recordings);
}

static json_t *json_pair(const relais_link_pair *pair)
{
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:o}", "pair", (json_int_t)pair->id,
                     "score", pair->score, "reason", pair->reason, "found", pair->found, "decision",
                     pair->decision, "decided_by", pair->decided_by, "join", (json_int_t)pair->join,
                     "a", json_person(&pair->a), "b", json_person(&pair->b));
}

static bool run_list(const work *w, relais_error *err)
{
    relais_link_pairs pairs;
    json_t *list;

    if (!relais_link_list(w->store, w->wish->all, (size_t)w->wish->limit, w->arena, &pairs, err))
        return false;
    if (!w->wish->as_json && pairs.count > 0)
        return list_table(w, &pairs, err);
    if (!w->wish->as_json) {
        puts(w->wish->all ? _("No pair was ever proposed.") : _("No pair waits for a decision."));
        return true;
    }
    list = json_array();
    for (size_t i = 0; i < pairs.count; i++)
        json_array_append_new(list, json_pair(&pairs.list[i]));
    return relais_json_print(list, err);
}

/* ---- show ----------------------------------------------------------------------------------- */

static void print_pair(const relais_link_pair *pair)
{
    if (pair->id == 0) {
        puts(_("Nothing proposed this pair."));
    } else {
        printf(_("Pair %lld: score %s, found on %s, %s\n"), pair->id, pair->score, pair->found,
               pair->decision);
        print_reasons(pair->reason);
    }
    if (pair->decided_by != NULL && pair->decided_by[0] != '\0') {
        fputs(_("Decided by: "), stdout);
        relais_print_plain(stdout, pair->decided_by);
        putchar('\n');
    }
    if (pair->join != 0)
        printf(_("These two are joined (join %lld).\n"), pair->join);
    printf("A: %s\nB: %s\n\n", pair->a.victim, pair->b.victim);
}

static bool print_recordings(const work *w, const relais_link_recordings *recordings,
                             relais_error *err)
{
    enum { COLUMNS = 12 };
    size_t rows = recordings->count + 1;
    const char **cells = relais_arena_alloc(w->arena, rows * COLUMNS * sizeof *cells);
    const char *headings[COLUMNS] = {"",
                                     _("MONTH"),
                                     _("ORGANISATION"),
                                     _("PLACE"),
                                     _("SEX"),
                                     _("AGE"),
                                     _("AGE BASIS"),
                                     _("STATUS"),
                                     _("FORM OF EXPLOITATION"),
                                     _("CITIZENSHIP"),
                                     _("ORIGIN"),
                                     _("KEYS")};

    if (cells == NULL)
        return relais_arena_error(w->arena, err);
    memcpy(cells, headings, sizeof headings);
    for (size_t i = 0; i < recordings->count; i++) {
        const relais_link_recording *one = &recordings->list[i];
        const char *row[COLUMNS] = {one->side, one->month,       one->org_type,  one->place,
                                    one->sex,  one->age,         one->age_basis, one->status,
                                    one->form, one->citizenship, one->origin,    one->keys};
        for (size_t c = 0; c < COLUMNS; c++)
            cells[(i + 1) * COLUMNS + c] = relais_or_dash(row[c]);
    }
    relais_table_print(stdout, cells, rows, COLUMNS);
    return true;
}

static json_t *json_recording(const relais_link_recording *one)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "side",
                     one->side, "month", one->month, "organisation_type", one->org_type, "place",
                     one->place, "sex", one->sex, "age", one->age, "age_basis", one->age_basis,
                     "status", one->status, "form", one->form, "citizenship", one->citizenship,
                     "origin", one->origin, "keys", one->keys);
}

static bool run_show(const work *w, relais_error *err)
{
    relais_link_pair pair;
    relais_link_recordings recordings;
    json_t *root, *list;

    if (!relais_link_find(w->store, &w->wish->pair, w->arena, &pair, err) ||
        !relais_link_read(w->store, &pair, w->arena, &recordings, err))
        return false;
    if (!w->wish->as_json) {
        print_pair(&pair);
        return print_recordings(w, &recordings, err);
    }
    list = json_array();
    for (size_t i = 0; i < recordings.count; i++)
        json_array_append_new(list, json_recording(&recordings.list[i]));
    root = json_pair(&pair);
    json_object_set_new(root, "recordings", list);
    return relais_json_print(root, err);
}

/* ---- decide and undo --------------------------------------------------------------------------
 */

static bool run_decide(const work *w, relais_error *err)
{
    relais_link_pair pair;

    if (!relais_link_find(w->store, &w->wish->pair, w->arena, &pair, err) ||
        !relais_link_decide(w->store, &pair, w->wish->decision, &w->wish->author, err))
        return false;
    printf(_("Decided: %s. To take it back: relais link undo\n"), w->wish->decision);
    return true;
}

static bool run_undo(const work *w, relais_error *err)
{
    relais_link_pair pair;

    if (!relais_link_find(w->store, &w->wish->pair, w->arena, &pair, err) ||
        !relais_link_undo(w->store, &pair, &w->wish->author, err))
        return false;
    puts(_("Taken back."));
    return true;
}

/* ---- the command ------------------------------------------------------------------------------
 */

static const action actions[] = {
    {"list", run_list, false, false, false, true, true},
    {"show", run_show, true, false, false, true, false},
    {"decide", run_decide, true, true, true, false, false},
    {"undo", run_undo, true, false, true, false, false},
};

static const char *const decisions[] = {"same", "different", "new_episode"};

enum { DECISIONS = sizeof decisions / sizeof decisions[0] };

static bool is_number(const char *text)
{
    return text[0] != '\0' && strlen(text) < 19 && text[strspn(text, "0123456789")] == '\0';
}

/* Takes a pair from the words; returns how many were its own, 0 when they are none. */
static int take_pair(char **words, int count, relais_link_name *out)
{
    if (count >= 1 && is_number(words[0])) {
        out->id = words[0];
        return 1;
    }
    if (count < 2 || !relais_uuid_is(words[0], strlen(words[0])) ||
        !relais_uuid_is(words[1], strlen(words[1])))
        return 0;
    out->victims[0] = words[0];
    out->victims[1] = words[1];
    return 2;
}

static bool is_decision(const char *word)
{
    for (size_t i = 0; i < DECISIONS; i++)
        if (strcmp(decisions[i], word) == 0)
            return true;
    return false;
}

static const char *find_mistake(request *wish, char **words, int count)
{
    const action *what = wish->action;
    int used = 0;

    if (what->takes_pair) {
        used = take_pair(words, count, &wish->pair);
        if (used == 0)
            return N_("name the pair by its number, or by the ids of its two people");
    }
    if (what->takes_decision) {
        if (used == count || !is_decision(words[used]))
            return N_("say what is decided: same, different or new_episode");
        wish->decision = words[used++];
    }
    if (used < count)
        return N_("there is a word too many");
    if (what->takes_author && (wish->author.by == NULL || wish->author.by[0] == '\0'))
        return N_("--by says who decides");
    if (!what->takes_author && (wish->author.by != NULL || wish->author.reason != NULL))
        return N_("only decide and undo take --by and --reason");
    if (wish->as_json && !what->takes_json)
        return N_("only list and show take --json");
    if ((wish->all || wish->open || wish->limit != 0) && !what->takes_list_options)
        return N_("only list takes --open, --all and --limit");
    if (wish->all && wish->open)
        return N_("give either --open or --all");
    return NULL;
}

/* What the functions of the schema link refuse, in words for whoever decides. */
static int say_failure(const relais_error *err)
{
    static const struct {
        const char *sqlstate, *words;
    } hints[] = {
        {"55000", N_("these two stay joined through a third person; undo that join first")},
        {"22023", N_("this name cannot decide; write the name of a person")},
        {"42501", N_("this login may not link; let the conninfo of --config name one that may")},
        {"3F000", N_("the database cannot link yet. Apply the schema: relais plan | psql")},
        {"42883", N_("the database cannot link yet. Apply the schema: relais plan | psql")},
    };
    int code = relais_say_error(err);

    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
        if (strcmp(hints[i].sqlstate, err->sqlstate) == 0)
            relais_say("%s", _(hints[i].words));
    return code;
}

static int run(const relais_config *config, const request *wish)
{
    work w = {.wish = wish, .arena = relais_arena_create(LINK_MEMORY_MAX)};
    int code = RELAIS_EXIT_OK;
    relais_error err = {0};

    if (w.arena == NULL)
        relais_error_set(&err, RELAIS_ERR_MEMORY, "no memory left");
    else if (relais_store_open(config->store_conninfo, &w.store, &err) &&
             wish->action->run(&w, &err))
        goto done;
    code = say_failure(&err);

done:
    relais_store_close(w.store);
    relais_arena_destroy(w.arena);
    return relais_close_output(code);
}

int relais_command_link(const relais_config *config, int argc, char **argv)
{
    request wish = {0};
    const relais_option options[] = {
        {"open", RELAIS_OPTION_FLAG, &wish.open, 0, 0},
        {"all", RELAIS_OPTION_FLAG, &wish.all, 0, 0},
        {"json", RELAIS_OPTION_FLAG, &wish.as_json, 0, 0},
        {"limit", RELAIS_OPTION_NUMBER, &wish.limit, 1, LIMIT_MAX},
        {"by", RELAIS_OPTION_TEXT, &wish.author.by, 0, 0},
        {"reason", RELAIS_OPTION_TEXT, &wish.author.reason, 0, 0},
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
