/*
 * relais doctor: looks at a whole installation, says what is well and what is not, and prints
 * the line to change.
 *
 * Guarantee: it changes nothing. What it makes in the spool to see whether the web server's
 * user can, it removes again; such files are hidden and never taken for parcels.
 */
#include "cli/doctor.h"

#include "cli/json.h"
#include "cli/options.h"
#include "cli/speak.h"
#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The web server's whole configuration is read into it. */
#define DOCTOR_MEMORY_MAX (RELAIS_WEBCONF_MEMORY_MAX + RELAIS_WEBCONF_TEXT_MAX)

static const struct check {
    const char *name;
    void (*run)(relais_doctor *doctor);
} checks[] = {
    {"nginx", relais_doctor_nginx},    {"apache", relais_doctor_apache},
    {"spool", relais_doctor_spool},    {"keys", relais_doctor_secrets},
    {"database", relais_doctor_store}, {"address", relais_doctor_address},
};

enum { CHECKS = sizeof checks / sizeof checks[0] };

static const char *const words[] = {
    [RELAIS_FINDING_OK] = "ok",
    [RELAIS_FINDING_NOTE] = "note",
    [RELAIS_FINDING_WARN] = "warning",
    [RELAIS_FINDING_FAULT] = "fault",
};

enum { LABEL_COLUMNS = 7 };

/* What people see in front of a line. */
static const char *label(relais_finding finding)
{
    switch (finding) {
    case RELAIS_FINDING_OK:
        return _("well");
    case RELAIS_FINDING_NOTE:
        return _("note");
    case RELAIS_FINDING_WARN:
        return _("WARN");
    default:
        return _("FAULT");
    }
}

static void print_label(const char *text)
{
    size_t columns = relais_text_columns(text);

    printf("%s%*s", text, columns < LABEL_COLUMNS ? (int)(LABEL_COLUMNS - columns) : 1, "");
}

static void write_text(relais_doctor *doctor, relais_finding finding, const char *text)
{
    if (doctor->list != NULL) {
        json_array_append_new(doctor->list,
                              json_pack("{s:s, s:s, s:s, s:[]}", "part", doctor->part, "finding",
                                        words[finding], "text", text, "do"));
        return;
    }
    print_label(label(finding));
    printf("%-9s ", doctor->part);
    relais_print_plain(stdout, text);
    putchar('\n');
}

static void write_advice(relais_doctor *doctor, const char *text)
{
    size_t last;

    if (doctor->list == NULL) {
        printf("       %-9s   -> ", "");
        relais_print_plain(stdout, text);
        putchar('\n');
        return;
    }
    last = json_array_size(doctor->list);
    if (last > 0)
        json_array_append_new(json_object_get(json_array_get(doctor->list, last - 1), "do"),
                              json_string(text));
}

/* Paths and messages of servers; longer ones are cut. */
enum { TEXT_MAX = 2048 };

void relais_doctor_say(relais_doctor *doctor, relais_finding finding, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    doctor->counts[finding]++;
    write_text(doctor, finding, text);
}

void relais_doctor_advise(relais_doctor *doctor, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    write_advice(doctor, text);
}

void relais_doctor_say_error(relais_doctor *doctor, relais_finding finding, const relais_error *err)
{
    char text[TEXT_MAX];

    relais_doctor_say(doctor, finding, "%s", relais_error_format(err, text, sizeof text));
}

static void say_sum(const relais_doctor *doctor)
{
    size_t faults = doctor->counts[RELAIS_FINDING_FAULT];
    size_t warnings = doctor->counts[RELAIS_FINDING_WARN];

    putchar('\n');
    if (faults == 0 && warnings == 0) {
        puts(_("All that was looked at is well. relais check says whether forms, mappings and "
               "database fit together."));
        return;
    }
    printf(ngettext("%zu fault", "%zu faults", faults), faults);
    printf(ngettext(", %zu warning.\n", ", %zu warnings.\n", warnings), warnings);
}

static int run_checks(relais_doctor *doctor)
{
    relais_error err = {0};

    for (size_t i = 0; i < CHECKS; i++) {
        doctor->part = checks[i].name;
        checks[i].run(doctor);
        fflush(stdout);
    }
    if (doctor->list == NULL)
        say_sum(doctor);
    else if (!relais_json_print(json_incref(doctor->list), &err))
        return relais_say_error(&err);
    return doctor->counts[RELAIS_FINDING_FAULT] > 0 ? RELAIS_EXIT_FAILED : RELAIS_EXIT_OK;
}

int relais_command_doctor(const relais_config *config, int argc, char **argv)
{
    relais_doctor doctor = {.config = config};
    bool as_json = false;
    const relais_option options[] = {
        {"nginx-dump", RELAIS_OPTION_TEXT, &doctor.nginx_dump, 0, 0},
        {"url", RELAIS_OPTION_TEXT, &doctor.url, 0, 0},
        {"web-user", RELAIS_OPTION_TEXT, &doctor.web_user, 0, 0},
        {"json", RELAIS_OPTION_FLAG, &as_json, 0, 0},
    };
    relais_operands operands =
        relais_options_read(options, sizeof options / sizeof options[0], argc, argv);
    int code = RELAIS_EXIT_FAILED;

    if (operands.is_done)
        return operands.exit_code;
    if (operands.first < argc) {
        relais_say(_("doctor takes no \"%s\"."), argv[operands.first]);
        return relais_usage_error(argv[0]);
    }
    doctor.arena = relais_arena_create(DOCTOR_MEMORY_MAX);
    doctor.list = as_json ? json_array() : NULL;
    if (doctor.arena == NULL || (as_json && doctor.list == NULL))
        relais_say(_("no memory left"));
    else
        code = run_checks(&doctor);
    json_decref(doctor.list);
    relais_arena_destroy(doctor.arena);
    return relais_close_output(code);
}
