/*
 * relais status: what waits, what was delivered, what needs a person.
 *
 * The spool's part needs no database, and is shown also when the database is away.
 */
#include "cli/status.h"

#include "cli/command.h"
#include "cli/options.h"
#include "cli/speak.h"
#include "cli/table.h"

#include <stdio.h>
#include <string.h>

/* Texts of some hundred forms, of as many quarantine classes, and of ten thousand devices. */
#define STATUS_MEMORY_MAX ((size_t)32 * 1024 * 1024)

/* How many missing files are named to a person; --json names more. */
enum { FILES_SHOWN = 20 };

typedef struct request {
    bool as_json, as_metrics, with_devices;
} request;

/* ---- for people ---------------------------------------------------------------------------- */

static const char *count_text(long long count, relais_arena *arena)
{
    const char *text = count < 0 ? "?" : relais_arena_format(arena, "%lld", count);

    return text == NULL ? "?" : text;
}

/* "2026-03-02T10:15:04.123Z" and how long ago that was. */
static void print_instant(const char *label, const char *instant, relais_arena *arena)
{
    if (instant[0] == '\0')
        printf("%s -\n", label);
    else
        printf(_("%s %s (%s ago)\n"), label, instant, relais_table_age(instant, arena));
}

static void print_spool(const relais_overview *spool, relais_arena *arena)
{
    printf(_("Spool: %zu waiting\n"), spool->waiting);
    if (spool->waiting > 0)
        print_instant(_("  oldest received:"), spool->oldest, arena);
    printf(_("Quarantine: %zu\n"), spool->quarantined);
    for (size_t i = 0; i < spool->class_count; i++)
        printf("  %s: %zu\n", spool->classes[i].word, spool->classes[i].count);
    if (spool->quarantined > 0)
        puts(_("  See them: relais quarantine list"));
}

static void print_forms(const relais_ledger_status *ledger, relais_arena *arena)
{
    enum { COLUMNS = 9 };
    size_t rows = ledger->count + 1;
    const char **cells = relais_arena_alloc(arena, rows * COLUMNS * sizeof *cells);
    const char **at = cells;

    if (cells == NULL)
        return;
    *at++ = _("FORM");
    *at++ = _("RECEIVED");
    *at++ = _("DELIVERED");
    *at++ = _("PARTIAL");
    *at++ = _("HELD");
    *at++ = _("QUARANTINED");
    *at++ = _("CONFLICT");
    *at++ = _("OLDEST UNDELIVERED");
    *at++ = _("LAST DELIVERED");
    for (size_t i = 0; i < ledger->count; i++) {
        const relais_form_status *form = &ledger->forms[i];
        *at++ = form->form;
        *at++ = count_text(form->received, arena);
        *at++ = count_text(relais_form_status_delivered(form), arena);
        *at++ = count_text(form->partial, arena);
        *at++ = count_text(form->held, arena);
        *at++ = count_text(form->quarantined, arena);
        *at++ = count_text(form->conflict, arena);
        *at++ = form->oldest_undelivered[0] == '\0' ? "-" : form->oldest_undelivered;
        *at++ = form->last_delivered[0] == '\0' ? "-" : form->last_delivered;
    }
    relais_table_print(stdout, cells, rows, COLUMNS);
}

/* What people call that which the ledger knows as a table, a list, or "file". */
static const struct thing {
    const char *what, *words;
} things[] = {
    {"file", N_("files")},
    {"victim", N_("a person")},
    {"identification", N_("an identification")},
    {"criminal_case", N_("a case")},
    {"suspect", N_("a suspect")},
    {"organisation", N_("an organisation")},
    {"place", N_("a place")},
    {"country", N_("a country")},
    {"", N_("something else")},
};

static const char *words_of(const char *what)
{
    for (size_t i = 0; i < sizeof things / sizeof *things; i++)
        if (strcmp(things[i].what, what) == 0)
            return _(things[i].words);
    return what;
}

const char *relais_status_since(const char *instant, relais_arena *arena)
{
    const char *text =
        relais_arena_format(arena, "%s (%s)", instant, relais_table_age(instant, arena));

    return text == NULL ? instant : text;
}

static void print_waits(const relais_ledger_status *ledger, relais_arena *arena)
{
    enum { COLUMNS = 6 };
    size_t rows = ledger->wait_count + 1;
    const char **cells = relais_arena_alloc(arena, rows * COLUMNS * sizeof *cells);
    const char **at = cells;

    if (cells == NULL || ledger->wait_count == 0)
        return;
    *at++ = _("FORM");
    *at++ = _("STATE");
    *at++ = _("WAITS FOR");
    *at++ = _("SUBMISSIONS");
    *at++ = _("FILES");
    *at++ = _("SINCE");
    for (size_t i = 0; i < ledger->wait_count; i++) {
        const relais_wait *wait = &ledger->waits[i];
        *at++ = wait->form;
        *at++ = wait->state;
        *at++ = words_of(wait->what);
        *at++ = count_text(wait->count, arena);
        *at++ = wait->files == 0 ? "-" : count_text(wait->files, arena);
        *at++ = relais_status_since(wait->oldest, arena);
    }
    putchar('\n');
    relais_table_print(stdout, cells, rows, COLUMNS);
}

static void print_files(const relais_ledger_status *ledger, relais_arena *arena)
{
    enum { COLUMNS = 4 };
    size_t shown = ledger->file_count < FILES_SHOWN ? ledger->file_count : FILES_SHOWN;
    const char **cells = relais_arena_alloc(arena, (shown + 1) * COLUMNS * sizeof *cells);
    const char **at = cells;

    if (cells == NULL || shown == 0)
        return;
    *at++ = _("FORM");
    *at++ = _("MISSING FILE");
    *at++ = _("SUBMISSION");
    *at++ = _("SINCE");
    for (size_t i = 0; i < shown; i++) {
        *at++ = ledger->files[i].form;
        *at++ = ledger->files[i].name;
        *at++ = ledger->files[i].instance;
        *at++ = relais_status_since(ledger->files[i].received, arena);
    }
    putchar('\n');
    relais_table_print(stdout, cells, shown + 1, COLUMNS);
}

static void print_ledger(const relais_status *found, relais_arena *arena)
{
    const relais_ledger_status *ledger = &found->ledger;

    print_instant(_("Last delivered:"), ledger->last_delivered, arena);
    putchar('\n');
    if (ledger->count == 0)
        puts(_("No submission has been delivered yet."));
    else
        print_forms(ledger, arena);
    print_waits(ledger, arena);
    print_files(ledger, arena);
    relais_status_print_reports(&found->reports, arena);
    puts(_("\nRetries: while the database is away parcels wait, for as long as it takes; what "
           "fits no column goes to quarantine at once."));
}

/* "12 d from 2026-03-02": nothing for less than a day. */
static const char *silence_text(const relais_device *device, relais_arena *arena)
{
    const char *text = device->silent_days < 1
                           ? "-"
                           : relais_arena_format(arena, _("%lld d from %.10s"), device->silent_days,
                                                 device->silent_from);

    return text == NULL ? "-" : text;
}

static void print_devices(const relais_devices *devices, relais_arena *arena)
{
    enum { COLUMNS = 7 };
    size_t rows = devices->count + 1;
    const char **cells = relais_arena_alloc(arena, rows * COLUMNS * sizeof *cells);
    const char **at = cells;

    if (cells == NULL)
        return;
    *at++ = _("DEVICE");
    *at++ = _("USER");
    *at++ = _("LAST HEARD");
    *at++ = _("LONGEST SILENCE");
    *at++ = _("SUBMISSIONS");
    *at++ = _("WAITING");
    *at++ = _("CONFLICT");
    for (size_t i = 0; i < devices->count; i++) {
        const relais_device *device = &devices->items[i];
        *at++ = relais_or_dash(device->device);
        *at++ = relais_or_dash(device->user);
        *at++ = relais_status_since(device->last_received, arena);
        *at++ = silence_text(device, arena);
        *at++ = count_text(device->submissions, arena);
        *at++ = count_text(device->waiting, arena);
        *at++ = count_text(device->conflicts, arena);
    }
    relais_table_print(stdout, cells, rows, COLUMNS);
}

/* ---- the command ---------------------------------------------------------------------------- */

static bool read_store(relais_store *store, const request *asked, relais_arena *arena,
                       relais_status *out, relais_error *err)
{
    out->has_ledger = relais_ledger_status_read(store, arena, &out->ledger, err) &&
                      relais_reports_read(store, arena, &out->reports, err) &&
                      (!asked->as_metrics || relais_heard_read(store, &out->heard, err));
    out->has_devices = out->has_ledger && asked->with_devices &&
                       relais_devices_read(store, arena, &out->devices, err);
    return out->has_ledger && (out->has_devices || !asked->with_devices);
}

static bool read_ledger(const relais_config *config, const request *asked, relais_arena *arena,
                        relais_status *out, relais_error *err)
{
    relais_store *store = NULL;
    bool ok = relais_store_open(config->store_conninfo, &store, err) &&
              read_store(store, asked, arena, out, err);

    relais_store_close(store);
    return ok;
}

/* Says what failed; the worse of two exit codes wins, and "later" is the milder one. */
static int note_failure(int code, const relais_error *err)
{
    int own = relais_say_error(err);

    if (strcmp(err->sqlstate, "42P01") == 0 || strcmp(err->sqlstate, "3F000") == 0)
        relais_say(_("the ledger's tables are missing. Apply the schema: relais plan | psql"));
    return code == RELAIS_EXIT_OK || own == RELAIS_EXIT_FAILED ? own : code;
}

static int gather(const relais_config *config, const request *asked, relais_arena *arena,
                  relais_status *out)
{
    relais_error spool_error = {0}, ledger_error = {0};
    int code = RELAIS_EXIT_OK;

    out->has_spool = relais_overview_read(config, arena, &out->spool, &spool_error);
    if (!out->has_spool) {
        note_failure(code, &spool_error);
        code = RELAIS_EXIT_LATER;
    }
    if (!read_ledger(config, asked, arena, out, &ledger_error))
        code = note_failure(code, &ledger_error);
    return code;
}

static void print_text(const relais_status *found, const request *asked, relais_arena *arena)
{
    if (asked->with_devices) {
        if (found->has_devices)
            print_devices(&found->devices, arena);
        return;
    }
    if (found->has_spool)
        print_spool(&found->spool, arena);
    if (found->has_ledger)
        print_ledger(found, arena);
}

static int show_status(const relais_config *config, const request *asked, relais_arena *arena)
{
    relais_status found = {0};
    int code = gather(config, asked, arena, &found);

    if (asked->as_metrics)
        relais_status_print_metrics(&found, stdout);
    else if (!asked->as_json)
        print_text(&found, asked, arena);
    else if (!relais_status_print_json(&found, stdout))
        code = RELAIS_EXIT_FAILED;
    return code;
}

int relais_command_status(const relais_config *config, int argc, char **argv)
{
    request asked = {0};
    const relais_option options[] = {
        {"json", RELAIS_OPTION_FLAG, &asked.as_json, 0, 0},
        {"prometheus", RELAIS_OPTION_FLAG, &asked.as_metrics, 0, 0},
        {"devices", RELAIS_OPTION_FLAG, &asked.with_devices, 0, 0},
    };
    relais_operands operands = relais_options_read(options, 3, argc, argv);
    relais_arena *arena;
    int code;

    if (operands.is_done)
        return operands.exit_code;
    if (operands.first < argc) {
        relais_say(_("status takes no \"%s\"."), argv[operands.first]);
        return relais_usage_error(argv[0]);
    }
    if (asked.as_json && asked.as_metrics) {
        relais_say(_("--json and --prometheus are two ways to show the same: choose one."));
        return relais_usage_error(argv[0]);
    }
    arena = relais_arena_create(STATUS_MEMORY_MAX);
    if (arena == NULL) {
        relais_say(_("no memory left"));
        return RELAIS_EXIT_FAILED;
    }
    code = show_status(config, &asked, arena);
    relais_arena_destroy(arena);
    return relais_close_output(code);
}
