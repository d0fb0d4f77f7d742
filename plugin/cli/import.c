/*
 * relais import: submissions out of a phone's folder, a zip of it or Briefcase's storage, into
 * the spool.
 */
#include "sources/import.h"

#include "cli/bar.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/speak.h"
#include "cli/table.h"

#include <inttypes.h>
#include <string.h>

/* One run of the command. */
typedef struct work {
    const relais_config *config;
    relais_spool *spool;
    bool is_trial;
    json_t *report; /* NULL: for people */
    const char *path;
} work;

/* ---- what is said ------------------------------------------------------------------------ */

static void say_refused(void *context, const char *path, const char *why)
{
    work *w = context;

    if (w->report != NULL) {
        json_array_append_new(
            json_object_get(w->report, "refused"),
            json_pack("{s:s, s:s, s:s}", "in", w->path, "file", path, "why", why));
        return;
    }
    relais_progress_end();
    fprintf(stderr, "%s: ", w->path);
    relais_print_plain(stderr, path);
    fprintf(stderr, ": %s\n", why);
}

static void say_progress(void *context, size_t done, size_t total)
{
    (void)context;
    relais_progress(_("importing"), done, total);
}

static void add_count(json_t *report, const char *key, uint64_t count)
{
    json_int_t before = json_integer_value(json_object_get(report, key));

    json_object_set_new(report, key, json_integer(before + (json_int_t)count));
}

static void say_counts(const work *w, const relais_import_counts *counts)
{
    if (w->report != NULL) {
        add_count(w->report, "submissions", counts->submissions);
        add_count(w->report, "files", counts->files);
        add_count(w->report, "others", counts->others);
        return;
    }
    printf(w->is_trial ? _("%s: %" PRIu64 " submissions with %" PRIu64 " files could be imported, "
                           "%" PRIu64 " refused, %" PRIu64 " other files left.\n")
                       : _("%s: %" PRIu64 " submissions with %" PRIu64 " files imported, %" PRIu64
                           " refused, %" PRIu64 " other files left.\n"),
           w->path, counts->submissions, counts->files, counts->refused, counts->others);
}

/* ---- the work ---------------------------------------------------------------------------- */

static int import_path(work *w)
{
    const relais_import_options options = {
        .path = w->path,
        .spool = w->spool,
        .directory = w->config->spool_directory,
        .is_trial = w->is_trial,
        .refused = say_refused,
        .progress = say_progress,
        .context = w,
    };
    relais_import_counts counts;
    relais_error err = {0};
    int code;
    bool ok = relais_import_run(&options, &counts, &err);

    if (w->report == NULL)
        relais_progress_end();
    if (ok || counts.submissions > 0)
        say_counts(w, &counts);
    if (!ok) {
        if (w->report != NULL)
            say_refused(w, "", err.text);
        code = relais_say_error(&err);
        return err.code == RELAIS_ERR_FULL ? RELAIS_EXIT_LATER : code;
    }
    return counts.refused > 0 ? RELAIS_EXIT_FAILED : RELAIS_EXIT_OK;
}

static int import_paths(work *w, int count, char **paths)
{
    int code = RELAIS_EXIT_OK;

    for (int i = 0; i < count; i++) {
        int one;
        w->path = paths[i];
        one = import_path(w);
        if (one != RELAIS_EXIT_OK)
            code = one;
        if (one == RELAIS_EXIT_LATER) /* the spool is full: the next would not fit either */
            break;
    }
    return code;
}

int relais_command_import(const relais_config *config, int argc, char **argv)
{
    work w = {.config = config};
    bool as_json = false;
    const relais_option options[] = {
        {"dry-run", RELAIS_OPTION_FLAG, &w.is_trial, 0, 0},
        {"json", RELAIS_OPTION_FLAG, &as_json, 0, 0},
    };
    relais_operands operands =
        relais_options_read(options, sizeof options / sizeof options[0], argc, argv);
    relais_error err = {0};
    int code;

    if (operands.is_done)
        return operands.exit_code;
    if (operands.first == argc) {
        relais_say(_("say what to import: a folder or a zip file."));
        return relais_usage_error(argv[0]);
    }
    if (!w.is_trial &&
        !relais_spool_open(config->spool_directory, config->spool_floor, &w.spool, &err)) {
        relais_say_error(&err);
        return RELAIS_EXIT_LATER;
    }
    if (as_json)
        w.report = json_pack("{s:[]}", "refused");
    code = import_paths(&w, argc - operands.first, argv + operands.first);
    if (w.report != NULL && !relais_json_print(w.report, &err))
        code = relais_say_error(&err);
    relais_spool_close(w.spool);
    return relais_close_output(code);
}
