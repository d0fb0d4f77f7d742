/*
 * relais pull: brings what is new on other servers into the spool.
 */
#include "cli/bar.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/pull_json.h"
#include "cli/source_config.h"
#include "cli/speak.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Names of deleted submissions and of files that are told one by one. */
enum { NAMES_TOLD = 20 };

static atomic_bool stop;

/* One round over some sources. */
typedef struct round {
    const relais_config *config;
    const char *since, *form;
    json_t *document; /* NULL: for people */
    /* of the source in hand: */
    const relais_source *source;
    json_t *json;
    relais_bar progress;
    char shown[256]; /* the form that the bar is of */
    size_t told;     /* names of the form in hand */
} round_state;

/* ---- signals ----------------------------------------------------------------------------- */

/* A second signal ends at once: nothing is lost by it. */
static void take_signal(int number)
{
    (void)number;
    atomic_store(&stop, true);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = take_signal, .sa_flags = SA_RESETHAND};

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- events ------------------------------------------------------------------------------ */

static void turn_to(round_state *r, const char *form)
{
    char label[96];

    if (strcmp(r->shown, form) == 0)
        return;
    snprintf(r->shown, sizeof r->shown, "%s", form);
    snprintf(label, sizeof label, "%s %s", r->source->name, form);
    relais_bar_begin(&r->progress, label);
    r->told = 0;
}

static void print_counts(const round_state *r, const char *form, const relais_pull_counts *counts)
{
    printf(_("%s %s: %llu pulled with %llu files, %llu known"), r->source->name, form,
           (unsigned long long)counts->pulled, (unsigned long long)counts->files,
           (unsigned long long)counts->known);
    if (counts->waiting > 0)
        printf(_(", %llu wait for files"), (unsigned long long)counts->waiting);
    if (counts->failed > 0)
        printf(_(", %llu to be asked for again"), (unsigned long long)counts->failed);
    if (counts->rejected > 0)
        printf(_(", %llu rejected by a reviewer there"), (unsigned long long)counts->rejected);
    if (counts->deleted > 0)
        printf(_(", %llu deleted there"), (unsigned long long)counts->deleted);
    putchar('\n');
}

static void on_progress(void *context, const char *form, const relais_pull_counts *counts,
                        bool is_end)
{
    round_state *r = context;

    turn_to(r, form);
    if (!is_end) {
        relais_bar_show(&r->progress, counts->known + counts->pulled, counts->total);
        return;
    }
    relais_bar_hide(&r->progress);
    if (r->document != NULL) {
        relais_pull_json_counts(relais_pull_json_form(r->json, form), counts);
        return;
    }
    print_counts(r, form, counts);
    if (counts->deleted > 0)
        printf(_("  What is deleted there stays here until somebody erases it: relais erase "
                 "--instance ID\n"));
    fflush(stdout);
}

static bool may_tell(round_state *r, const char *form)
{
    turn_to(r, form);
    relais_bar_hide(&r->progress);
    if (++r->told == NAMES_TOLD + 1)
        relais_say(_("%s: there are more like these; --json lists them all"), form);
    return r->told <= NAMES_TOLD;
}

static void on_failed(void *context, const char *form, const char *id, const relais_error *why)
{
    round_state *r = context;
    char text[1024];

    if (r->document != NULL)
        relais_pull_json_failed(relais_pull_json_form(r->json, form), id, why);
    else if (may_tell(r, form))
        relais_say("%s %s: %s", form, id, relais_error_format(why, text, sizeof text));
}

static void on_given_up(void *context, const char *form, const char *id, const char *file)
{
    round_state *r = context;

    if (r->document != NULL)
        relais_pull_json_given_up(relais_pull_json_form(r->json, form), id, file);
    else if (may_tell(r, form))
        relais_say(_("%s %s: its file \"%s\" has not come in %llu days; it is not asked for any "
                     "more"),
                   form, id, file, (unsigned long long)r->source->patience);
}

static void on_deleted(void *context, const char *form, const char *id)
{
    round_state *r = context;

    if (r->document != NULL)
        relais_pull_json_deleted(relais_pull_json_form(r->json, form), id);
    else if (may_tell(r, form))
        relais_say(_("%s %s: was deleted on the server"), form, id);
}

static void on_stopped(void *context, const char *form, const relais_error *why)
{
    round_state *r = context;

    if (r->document != NULL)
        relais_pull_json_error(relais_pull_json_form(r->json, form), why);
}

/* ---- rounds ------------------------------------------------------------------------------ */

static int worse(int a, int b)
{
    /* What a person must mend is told before what passes by itself. */
    static const int order[] = {RELAIS_EXIT_USAGE, RELAIS_EXIT_FAILED, RELAIS_EXIT_LATER};

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return RELAIS_EXIT_OK;
}

static int say_source_error(round_state *r, const relais_error *err)
{
    char text[1024];

    relais_bar_hide(&r->progress);
    if (r->document != NULL)
        relais_pull_json_error(r->json, err);
    relais_say("%s: %s", r->source->name, relais_error_format(err, text, sizeof text));
    return err->code == RELAIS_ERR_TRANSIENT || err->code == RELAIS_ERR_FULL ? RELAIS_EXIT_LATER
                                                                             : RELAIS_EXIT_FAILED;
}

static int pull_source(round_state *r, const relais_source *source)
{
    const relais_pull_options options = {
        .source = source,
        .spool = r->config->spool_directory,
        .floor = r->config->spool_floor,
        .since = r->since,
        .form = r->form,
        .stop = &stop,
        .events = {.context = r,
                   .progress = on_progress,
                   .failed = on_failed,
                   .given_up = on_given_up,
                   .deleted = on_deleted,
                   .stopped = on_stopped},
    };
    relais_error err = {0};
    uint64_t failed = 0;
    bool ok;

    r->source = source;
    r->shown[0] = '\0';
    relais_bar_begin(&r->progress, source->name);
    r->json = r->document == NULL ? NULL : relais_pull_json_source(r->document, source);
    ok = relais_pull_run(&options, &failed, &err);
    if (!ok && err.code != RELAIS_ERR_NONE)
        return say_source_error(r, &err);
    return failed > 0 ? RELAIS_EXIT_FAILED : RELAIS_EXIT_OK;
}

static int print_document(json_t *document)
{
    if (json_dumpf(document, stdout, JSON_COMPACT) == 0) {
        putchar('\n');
        return relais_close_output(RELAIS_EXIT_OK);
    }
    relais_say(_("the answer cannot be written as JSON"));
    return RELAIS_EXIT_FAILED;
}

/* The named sources, or all. */
static int run_round(round_state *r, int argc, char **argv, int first, bool is_json)
{
    int code = RELAIS_EXIT_OK;

    r->document = is_json ? json_pack("{s:[]}", "sources") : NULL;
    for (size_t i = 0; first == argc && i < r->config->source_count && !stop; i++)
        code = worse(code, pull_source(r, &r->config->sources[i]));
    for (int i = first; i < argc && !stop; i++)
        code = worse(code, pull_source(r, relais_source_find(r->config, argv[i])));
    if (is_json)
        code = worse(code, print_document(r->document));
    json_decref(r->document);
    return code;
}

static void wait_minutes(uint64_t minutes)
{
    for (uint64_t naps = minutes * 60 * 5; naps > 0 && !stop; naps--) {
        struct timespec nap = {0, 200 * 1000 * 1000};
        nanosleep(&nap, NULL);
    }
}

/* ---- the command ------------------------------------------------------------------------- */

int relais_command_pull(const relais_config *config, int argc, char **argv)
{
    round_state r = {.config = config};
    bool once = false, is_json = false;
    uint64_t every = 0;
    const relais_option options[] = {
        {"since", RELAIS_OPTION_TEXT, &r.since, 0, 0},
        {"form", RELAIS_OPTION_TEXT, &r.form, 0, 0},
        {"once", RELAIS_OPTION_FLAG, &once, 0, 0},
        {"every", RELAIS_OPTION_NUMBER, &every, 1, 10080},
        {"json", RELAIS_OPTION_FLAG, &is_json, 0, 0},
    };
    relais_operands operands =
        relais_options_read(options, sizeof options / sizeof options[0], argc, argv);
    int code;

    if (operands.is_done)
        return operands.exit_code;
    if (!relais_sources_named(config, argc, argv, operands.first))
        return RELAIS_EXIT_USAGE;
    catch_signals();
    for (;;) {
        code = run_round(&r, argc, argv, operands.first, is_json);
        if (every == 0 || once || stop)
            return relais_close_output(code);
        wait_minutes(every);
        if (stop)
            return relais_close_output(code);
        r.since = NULL; /* of the first round only */
    }
}
