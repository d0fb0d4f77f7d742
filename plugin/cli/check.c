/*
 * relais check: forms, mappings and the database compared before anything runs.
 */
#include "transform/check.h"

#include "cli/bar.h"
#include "cli/command.h"
#include "cli/lint.h"
#include "cli/options.h"
#include "cli/sources.h"
#include "cli/speak.h"
#include "cli/table.h"
#include "store/store.h"

#include <libxml/parser.h>
#include <stdio.h>
#include <string.h>

typedef struct check {
    const relais_config *config;
    relais_arena *arena;
    relais_sources sources;
    const relais_target *target; /* NULL: the database is not asked */
    relais_secrets secrets;
    bool has_secrets; /* those that are configured could be read */
    size_t errors, warnings;
} check;

static void print_finding(void *context, const relais_finding *finding)
{
    check *c = context;
    bool is_error = finding->severity == RELAIS_FINDING_ERROR;

    if (finding->line > 0)
        printf("%s:%ld: ", finding->file, finding->line);
    else
        printf("%s: ", finding->file);
    fputs(is_error ? "error: " : "warning: ", stdout);
    relais_print_plain(stdout, finding->text);
    putchar('\n');
    if (is_error)
        c->errors++;
    else
        c->warnings++;
}

/* An error of a file becomes a finding of that file. */
static void print_fault(check *c, relais_severity severity, const char *file,
                        const relais_error *err)
{
    relais_error without_place = *err;
    char text[1024];
    relais_finding finding = {severity, err->path[0] == '\0' ? file : err->path, err->line, text};

    without_place.path[0] = '\0';
    without_place.line = 0;
    relais_error_format(&without_place, text, sizeof text);
    print_finding(c, &finding);
}

static void print_error(check *c, const char *file, const relais_error *err)
{
    print_fault(c, RELAIS_FINDING_ERROR, file, err);
}

static void print_simple(check *c, relais_severity severity, const char *file, const char *text)
{
    relais_finding finding = {severity, file, 0, text};

    print_finding(c, &finding);
}

/* ---- forms and mappings -----------------------------------------------------------------------
 */

static void check_form(check *c, relais_source_file *source)
{
    relais_error err = {0};

    if (source->fault.code != RELAIS_ERR_NONE) {
        print_error(c, source->file, &source->fault);
        return;
    }
    if (!relais_form_lint(source->file, c->arena, print_finding, c, &err))
        print_error(c, source->file, &err);
    if (relais_sources_mapping(&c->sources, source->form.id) == NULL)
        print_simple(c, RELAIS_FINDING_WARNING, source->file,
                     _("no mapping is for this form, so its submissions go to quarantine"));
}

static void report_twin(check *c, const relais_source_file *source)
{
    const relais_source_file *twin = relais_sources_twin(&c->sources, source);
    const char *form = relais_source_form(source), *text;

    if (twin == NULL)
        return;
    if (source->is_form)
        text = relais_arena_format(c->arena, _("the form \"%s\" is in %s too"), form, twin->file);
    else
        text = relais_arena_format(c->arena, _("the form \"%s\" has another mapping in %s"), form,
                                   twin->file);
    print_simple(c, RELAIS_FINDING_ERROR, source->file, text == NULL ? "" : text);
}

/* Where there is no database there is no forwarder either, and nothing to seal. */
static relais_severity severity_of_secrets(const check *c)
{
    return c->target == NULL ? RELAIS_FINDING_WARNING : RELAIS_FINDING_ERROR;
}

static void check_secrets(check *c, const relais_source_file *source)
{
    relais_error err = {0};

    if (c->has_secrets && !relais_mapping_suffices(source->mapping, &c->secrets, &err))
        print_fault(c, severity_of_secrets(c), source->file, &err);
}

/* What a form that is encrypted, or should be, brings in the clear must not be delivered. */
static void check_encryption(check *c, const relais_source_file *source, const relais_form *form)
{
    bool is_said = relais_mapping_is_encrypted(source->mapping);

    if (form->is_encrypted && !is_said)
        print_simple(c, RELAIS_FINDING_WARNING, source->file,
                     _("the form is encrypted and its mapping does not say so: write "
                       "encrypted=\"yes\", so that what comes in the clear is not delivered"));
    else if (is_said && !form->is_encrypted)
        print_simple(c, RELAIS_FINDING_WARNING, source->file,
                     _("the mapping says that the form is encrypted, and the form has no key in "
                       "it: run `relais form encrypt`, or all that phones send is put aside"));
    else if (is_said && c->has_secrets && c->secrets.form_keys == NULL)
        print_simple(c, severity_of_secrets(c), source->file,
                     _("the form is encrypted and no key to read it is configured: set "
                       "[encryption] keys"));
}

static void read_secrets(check *c)
{
    const relais_secret_files files = relais_config_secrets(c->config);
    relais_error err = {0};

    c->has_secrets = relais_secrets_read(&files, &c->secrets, &err);
    if (!c->has_secrets)
        print_fault(c, severity_of_secrets(c), c->config->file, &err);
}

static void check_mapping(check *c, relais_source_file *source)
{
    const relais_source_file *form;
    relais_error err = {0};

    if (source->fault.code != RELAIS_ERR_NONE) {
        print_error(c, source->file, &source->fault);
        return;
    }
    form = relais_sources_form(&c->sources, relais_mapping_form(source->mapping));
    if (form == NULL) {
        const char *text =
            relais_arena_format(c->arena, _("there is no form \"%s\" in %s"),
                                relais_mapping_form(source->mapping), c->config->forms_directory);
        print_simple(c, RELAIS_FINDING_ERROR, source->file, text == NULL ? "" : text);
        return;
    }
    if (form->fault.code != RELAIS_ERR_NONE)
        return; /* said with the form */
    if (!relais_mapping_check(source->mapping, &form->form, c->target, print_finding, c, &err))
        print_error(c, source->file, &err);
    check_secrets(c, source);
    check_encryption(c, source, &form->form);
}

static void check_all(check *c)
{
    read_secrets(c);
    for (size_t i = 0; i < c->sources.count; i++) {
        relais_source_file *source = &c->sources.items[i];
        if (!source->is_wanted)
            continue;
        relais_progress(_("checking"), i, c->sources.count);
        if (source->is_form)
            check_form(c, source);
        else
            check_mapping(c, source);
        report_twin(c, source);
    }
    relais_progress_end();
    if (c->has_secrets)
        relais_secrets_free(&c->secrets);
}

/* ---- the command ------------------------------------------------------------------------------
 */

static int print_summary(const check *c, int code)
{
    size_t files = 0;

    for (size_t i = 0; i < c->sources.count; i++)
        files += c->sources.items[i].is_wanted;
    relais_say(_("%zu errors, %zu warnings in %zu files"), c->errors, c->warnings, files);
    return c->errors > 0 ? RELAIS_EXIT_FAILED : code;
}

/* Without the database the rest is checked all the same; the exit code tells. */
static int check_with_database(check *c, bool use_database)
{
    relais_store *store = NULL;
    relais_error err = {0};
    int code = RELAIS_EXIT_OK;

    if (use_database && !relais_store_open(c->config->store_conninfo, &store, &err)) {
        code = relais_say_error(&err);
        relais_say(_("forms and mappings are checked without the database; --no-database leaves "
                     "it out on purpose"));
    }
    if (store != NULL)
        c->target = relais_store_target(store);
    check_all(c);
    relais_store_close(store);
    return print_summary(c, code);
}

static int run_check(const relais_config *config, char **files, size_t count, bool use_database)
{
    check c = {.config = config, .arena = relais_arena_create(RELAIS_SOURCES_MEMORY_MAX)};
    relais_error err = {0};
    int code;

    if (c.arena == NULL)
        relais_error_set(&err, RELAIS_ERR_MEMORY, "no memory left");
    if (c.arena != NULL &&
        relais_sources_read(&c.sources, config, (const char *const *)files, count, c.arena, &err))
        code = check_with_database(&c, use_database);
    else
        code = relais_say_error(&err);
    relais_sources_free(&c.sources);
    relais_arena_destroy(c.arena);
    return relais_close_output(code);
}

int relais_command_check(const relais_config *config, int argc, char **argv)
{
    bool no_database = false;
    const relais_option options[] = {{"no-database", RELAIS_OPTION_FLAG, &no_database, 0, 0}};
    relais_operands operands = relais_options_read(options, 1, argc, argv);

    if (operands.is_done)
        return operands.exit_code;
    xmlInitParser();
    return run_check(config, argv + operands.first, (size_t)(argc - operands.first), !no_database);
}
