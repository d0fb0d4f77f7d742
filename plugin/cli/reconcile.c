/*
 * relais reconcile: what a server has and the ledger lacks, by form and day.
 *
 * The two sides meet here and nowhere else: sources list, the store knows.
 */
#include "store/known.h"

#include "cli/bar.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/overview.h"
#include "cli/source_config.h"
#include "cli/speak.h"
#include "cli/table.h"

#include <jansson.h>
#include <string.h>

/* Days of some years, of some hundred forms. */
#define RECONCILE_MEMORY_MAX ((size_t)64 * 1024 * 1024)

typedef struct comparison {
    const relais_config *config;
    relais_store *store;
    const relais_source *source;
    json_t *document, *json; /* of the whole, of the source in hand */
    relais_bar bar;
    char shown[256];
    uint64_t lacking, pulled;
    bool fills;
} comparison;

/* ---- counting ---------------------------------------------------------------------------- */

static json_t *object_of(json_t *object, const char *name)
{
    json_t *one = json_object_get(object, name);

    if (one == NULL && json_object_set_new(object, name, json_object()) == 0)
        one = json_object_get(object, name);
    return one;
}

static void add_one(json_t *object, const char *name)
{
    json_object_set_new(object, name,
                        json_integer(json_integer_value(json_object_get(object, name)) + 1));
}

/* {"forms": {FORM: {"days": {DAY: {"there": n, "lacking": n}}, "lacking_ids": [...]}}} */
static void count_row(comparison *c, const char *form, const char *id, const char *day, bool lacks)
{
    json_t *own = object_of(object_of(c->json, "forms"), form);
    json_t *counts = object_of(object_of(own, "days"), day[0] == '\0' ? "-" : day);

    add_one(counts, "there");
    if (!lacks)
        return;
    c->lacking++;
    add_one(counts, "lacking");
    if (json_object_get(own, "lacking_ids") == NULL)
        json_object_set_new(own, "lacking_ids", json_array());
    json_array_append_new(json_object_get(own, "lacking_ids"), json_string(id));
}

/* KoBo and Ona call forms by ids of their own. */
static const char *ledger_form(const relais_source *source, const char *form)
{
    bool has_own_names = strcmp(source->kind, "kobo") == 0 || strcmp(source->kind, "ona") == 0;

    return has_own_names ? NULL : form;
}

static bool judge(void *context, const char *form, const char *const *ids, const char *const *days,
                  size_t count, bool *lacks, relais_error *err)
{
    comparison *c = context;

    if (!relais_ledger_known(c->store, ledger_form(c->source, form), ids, count, lacks, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        lacks[i] = !lacks[i];
        count_row(c, form, ids[i], days[i], lacks[i]);
    }
    return true;
}

/* ---- events ------------------------------------------------------------------------------ */

static void on_progress(void *context, const char *form, const relais_pull_counts *counts,
                        bool is_end)
{
    comparison *c = context;
    char label[96];

    if (strcmp(c->shown, form) != 0) {
        snprintf(c->shown, sizeof c->shown, "%s", form);
        snprintf(label, sizeof label, "%s %s", c->source->name, form);
        relais_bar_begin(&c->bar, label);
    }
    if (is_end) {
        relais_bar_hide(&c->bar);
        c->pulled += counts->pulled;
        object_of(object_of(object_of(c->json, "forms"), form), "days");
    } else {
        relais_bar_show(&c->bar, counts->listed, counts->total);
    }
}

static void on_failed(void *context, const char *form, const char *id, const relais_error *why)
{
    comparison *c = context;
    char text[1024];

    relais_bar_hide(&c->bar);
    relais_say("%s %s: %s", form, id, relais_error_format(why, text, sizeof text));
}

/* ---- for people -------------------------------------------------------------------------- */

static const char *number(json_t *object, const char *name, relais_arena *arena)
{
    const char *text = relais_arena_format(
        arena, "%lld", (long long)json_integer_value(json_object_get(object, name)));

    return text == NULL ? "?" : text;
}

/* Days on which nothing is lacking are left out: there are many, and all is well with them. */
static size_t fill_days(const char *form, json_t *days, const char **cells, relais_arena *arena)
{
    const char *day;
    json_t *counts;
    size_t rows = 0;

    json_object_foreach(days, day, counts)
    {
        if (json_object_get(counts, "lacking") == NULL)
            continue;
        *cells++ = form;
        *cells++ = day;
        *cells++ = number(counts, "there", arena);
        *cells++ = number(counts, "lacking", arena);
        rows++;
    }
    return rows;
}

static void print_form(const comparison *c, const char *form, json_t *own, relais_arena *arena)
{
    enum { COLUMNS = 4 };
    json_t *days = json_object_get(own, "days"), *counts;
    const char **cells =
        relais_arena_alloc(arena, (json_object_size(days) + 1) * COLUMNS * sizeof *cells);
    long long there = 0;
    const char *day;
    size_t rows;

    json_object_foreach(days, day, counts) there +=
        json_integer_value(json_object_get(counts, "there"));
    printf(_("%s %s: %lld there, %zu of them not here\n"), c->source->name, form, there,
           json_array_size(json_object_get(own, "lacking_ids")));
    if (cells == NULL || json_object_get(own, "lacking_ids") == NULL)
        return;
    cells[0] = _("FORM");
    cells[1] = _("DAY");
    cells[2] = _("THERE");
    cells[3] = _("NOT HERE");
    rows = fill_days(form, days, cells + COLUMNS, arena);
    relais_table_print(stdout, cells, rows + 1, COLUMNS);
}

static void print_source(const comparison *c)
{
    relais_arena *arena = relais_arena_create(RECONCILE_MEMORY_MAX);
    const char *form;
    json_t *own;

    if (arena == NULL)
        return;
    json_object_foreach(json_object_get(c->json, "forms"), form, own)
        print_form(c, form, own, arena);
    relais_arena_destroy(arena);
}

/* ---- the command ------------------------------------------------------------------------- */

static int compare_source(comparison *c, const relais_source *source, const char *form,
                          const char *since, bool is_json)
{
    const relais_pull_options options = {
        .source = source,
        .spool = c->config->spool_directory,
        .floor = c->config->spool_floor,
        .since = since,
        .form = form,
        .judge = judge,
        .fills = c->fills,
        .events = {.context = c, .progress = on_progress, .failed = on_failed},
    };
    relais_error err = {0};
    uint64_t failed = 0;
    bool ok;

    c->source = source;
    c->shown[0] = '\0';
    c->json = json_pack("{s:s, s:{}}", "source", source->name, "forms");
    if (c->json == NULL || json_array_append_new(c->document, c->json) != 0)
        return RELAIS_EXIT_FAILED;
    relais_bar_begin(&c->bar, source->name);
    ok = relais_pull_run(&options, &failed, &err);
    relais_bar_hide(&c->bar);
    if (!is_json)
        print_source(c);
    if (!ok)
        return relais_say_error(&err);
    return failed > 0 ? RELAIS_EXIT_FAILED : RELAIS_EXIT_OK;
}

/* What waits in the spool is not lacking: the forwarder brings it. */
static void say_waiting(const comparison *c)
{
    relais_arena *arena = relais_arena_create(RECONCILE_MEMORY_MAX);
    relais_overview overview;
    relais_error ignored = {0};

    if (arena != NULL && c->lacking > 0 &&
        relais_overview_read(c->config, arena, &overview, &ignored) &&
        overview.waiting + overview.quarantined > 0)
        relais_say(_("%zu parcels wait in the spool and %zu are in quarantine; they may be among "
                     "what is not here. Compare again once they are delivered."),
                   overview.waiting, overview.quarantined);
    relais_arena_destroy(arena);
}

static int finish(const comparison *c, int code, bool is_json)
{
    if (is_json) {
        json_dumpf(c->document, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (c->fills) {
        printf(_("%llu pulled; the forwarder delivers them\n"), (unsigned long long)c->pulled);
    }
    if (code != RELAIS_EXIT_OK)
        return code;
    return c->lacking > 0 && !c->fills ? RELAIS_EXIT_FAILED : RELAIS_EXIT_OK;
}

static int compare_all(comparison *c, int argc, char **argv, int first, const char *form,
                       const char *since, bool is_json)
{
    int code = RELAIS_EXIT_OK;

    for (size_t i = 0; i < c->config->source_count && code == RELAIS_EXIT_OK; i++) {
        const relais_source *source = &c->config->sources[i];
        bool is_named = first == argc;
        for (int word = first; word < argc; word++)
            is_named = is_named || strcmp(argv[word], source->name) == 0;
        if (is_named)
            code = compare_source(c, source, form, since, is_json);
    }
    say_waiting(c);
    return finish(c, code, is_json);
}

int relais_command_reconcile(const relais_config *config, int argc, char **argv)
{
    comparison c = {.config = config};
    const char *form = NULL, *since = NULL;
    bool is_json = false;
    const relais_option options[] = {
        {"form", RELAIS_OPTION_TEXT, &form, 0, 0},
        {"since", RELAIS_OPTION_TEXT, &since, 0, 0},
        {"fill", RELAIS_OPTION_FLAG, &c.fills, 0, 0},
        {"json", RELAIS_OPTION_FLAG, &is_json, 0, 0},
    };
    relais_operands operands = relais_options_read(options, 4, argc, argv);
    relais_error err = {0};
    int code;

    if (operands.is_done)
        return operands.exit_code;
    if (!relais_sources_named(config, argc, argv, operands.first))
        return RELAIS_EXIT_USAGE;
    if (!relais_store_open(config->store_conninfo, &c.store, &err))
        return relais_say_error(&err);
    c.document = json_array();
    code = compare_all(&c, argc, argv, operands.first, form, since, is_json);
    json_decref(c.document);
    relais_store_close(c.store);
    return relais_close_output(code);
}
