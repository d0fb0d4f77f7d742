/*
 * relais status: what waits, what was delivered, what needs a person.
 *
 * The spool's part needs no database, and is shown also when the database is away.
 */
#include "store/status.h"

#include "cli/command.h"
#include "cli/options.h"
#include "cli/overview.h"
#include "cli/speak.h"
#include "cli/table.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Texts of some hundred forms and of as many quarantine classes. */
#define STATUS_MEMORY_MAX ((size_t)16 * 1024 * 1024)

typedef struct status {
    relais_overview spool;
    bool has_spool;
    relais_ledger_status ledger;
    bool has_ledger;
} status;

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

static void print_ledger(const relais_ledger_status *ledger, relais_arena *arena)
{
    print_instant(_("Last delivered:"), ledger->last_delivered, arena);
    putchar('\n');
    if (ledger->count == 0)
        puts(_("No submission has been delivered yet."));
    else
        print_forms(ledger, arena);
    puts(_("\nRetries: while the database is away parcels wait, for as long as it takes; what "
           "fits no column goes to quarantine at once."));
}

/* ---- for programs --------------------------------------------------------------------------- */

static json_t *json_instant(const char *instant)
{
    return instant[0] == '\0' ? json_null() : json_string(instant);
}

static json_t *json_count(long long count)
{
    return count < 0 ? json_null() : json_integer(count);
}

static json_t *json_spool(const relais_overview *spool)
{
    return json_pack("{s:I, s:o}", "waiting", (json_int_t)spool->waiting, "oldest_received",
                     json_instant(spool->oldest));
}

static json_t *json_quarantine(const relais_overview *spool)
{
    json_t *classes = json_object();

    for (size_t i = 0; i < spool->class_count; i++)
        json_object_set_new(classes, spool->classes[i].word,
                            json_integer((json_int_t)spool->classes[i].count));
    return json_pack("{s:I, s:o}", "count", (json_int_t)spool->quarantined, "classes", classes);
}

static json_t *json_form(const relais_form_status *form)
{
    return json_pack(
        "{s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "form", form->form, "received",
        json_count(form->received), "delivered", json_count(relais_form_status_delivered(form)),
        "partial", (json_int_t)form->partial, "held", (json_int_t)form->held, "quarantined",
        (json_int_t)form->quarantined, "conflict", (json_int_t)form->conflict, "erased",
        (json_int_t)form->erased, "oldest_undelivered", json_instant(form->oldest_undelivered),
        "last_delivered", json_instant(form->last_delivered));
}

static json_t *json_ledger(const relais_ledger_status *ledger)
{
    json_t *forms = json_array();

    for (size_t i = 0; i < ledger->count; i++)
        json_array_append_new(forms, json_form(&ledger->forms[i]));
    return json_pack("{s:o, s:o}", "last_delivered", json_instant(ledger->last_delivered), "forms",
                     forms);
}

static bool print_json(const status *found)
{
    json_t *root = json_pack(
        "{s:o, s:o, s:o}", "spool", found->has_spool ? json_spool(&found->spool) : json_null(),
        "quarantine", found->has_spool ? json_quarantine(&found->spool) : json_null(), "ledger",
        found->has_ledger ? json_ledger(&found->ledger) : json_null());
    bool ok = root != NULL && json_dumpf(root, stdout, JSON_INDENT(2)) == 0;

    putchar('\n');
    json_decref(root);
    return ok;
}

/* ---- the command ------------------------------------------------------------------------------
 */

static bool read_ledger(const relais_config *config, relais_arena *arena, relais_ledger_status *out,
                        relais_error *err)
{
    relais_store *store = NULL;
    bool ok = relais_store_open(config->store_conninfo, &store, err) &&
              relais_ledger_status_read(store, arena, out, err);

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

static int gather(const relais_config *config, relais_arena *arena, status *out)
{
    relais_error spool_error = {0}, ledger_error = {0};
    int code = RELAIS_EXIT_OK;

    out->has_spool = relais_overview_read(config, arena, &out->spool, &spool_error);
    if (!out->has_spool) {
        note_failure(code, &spool_error);
        code = RELAIS_EXIT_LATER;
    }
    out->has_ledger = read_ledger(config, arena, &out->ledger, &ledger_error);
    if (!out->has_ledger)
        code = note_failure(code, &ledger_error);
    return code;
}

static int show_status(const relais_config *config, relais_arena *arena, bool as_json)
{
    status found = {0};
    int code = gather(config, arena, &found);

    if (as_json) {
        if (!print_json(&found))
            code = RELAIS_EXIT_FAILED;
        return code;
    }
    if (found.has_spool)
        print_spool(&found.spool, arena);
    if (found.has_ledger)
        print_ledger(&found.ledger, arena);
    return code;
}

int relais_command_status(const relais_config *config, int argc, char **argv)
{
    bool as_json = false;
    const relais_option options[] = {{"json", RELAIS_OPTION_FLAG, &as_json, 0, 0}};
    relais_operands operands = relais_options_read(options, 1, argc, argv);
    relais_arena *arena;
    int code;

    if (operands.is_done)
        return operands.exit_code;
    if (operands.first < argc) {
        relais_say(_("status takes no \"%s\"."), argv[operands.first]);
        return relais_usage_error(argv[0]);
    }
    arena = relais_arena_create(STATUS_MEMORY_MAX);
    if (arena == NULL) {
        relais_say(_("no memory left"));
        return RELAIS_EXIT_FAILED;
    }
    code = show_status(config, arena, as_json);
    relais_arena_destroy(arena);
    return relais_close_output(code);
}
