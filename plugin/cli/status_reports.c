/*
 * relais status: what the office must hear of. See status.h.
 */
#include "cli/status.h"

#include "cli/speak.h"
#include "cli/table.h"

#include <stdio.h>

/* --json names more. */
enum { SHOWN = 20 };

static size_t shown_of(size_t count)
{
    return count < SHOWN ? count : SHOWN;
}

/* Megabytes as phones and web servers count them, rounded up. */
static const char *size_text(long long bytes, relais_arena *arena)
{
    const char *text =
        bytes < 0 ? "-" : relais_arena_format(arena, _("%lld MB"), (bytes + 1048575) / 1048576);

    return relais_or_dash(text);
}

static void print_refused(const relais_reports *reports, relais_arena *arena)
{
    enum { COLUMNS = 8 };
    size_t shown = shown_of(reports->refused_count);
    const char **cells = relais_arena_alloc(arena, (shown + 1) * COLUMNS * sizeof *cells);
    const char **at = cells;

    if (cells == NULL || shown == 0)
        return;
    *at++ = _("TOO LARGE FROM");
    *at++ = _("USER");
    *at++ = _("FORM");
    *at++ = _("SUBMISSION");
    *at++ = _("SIZE");
    *at++ = _("LIMIT");
    *at++ = _("TRIES");
    *at++ = _("LAST");
    for (size_t i = 0; i < shown; i++) {
        const relais_refused *one = &reports->refused[i];
        *at++ = one->is_rest ? _("(many others)") : relais_or_dash(one->device);
        *at++ = relais_or_dash(one->user);
        *at++ = relais_or_dash(one->form);
        *at++ = relais_or_dash(one->instance);
        *at++ = size_text(one->size, arena);
        *at++ = size_text(one->limit, arena);
        *at++ = relais_or_dash(relais_arena_format(arena, "%lld", one->times));
        *at++ = relais_status_since(one->last, arena);
    }
    putchar('\n');
    relais_table_print(stdout, cells, shown + 1, COLUMNS);
    puts(_("These phones can never send them: raise the server's limit, or let the photo or film "
           "be made smaller."));
}

static void print_incidents(const relais_reports *reports, relais_arena *arena)
{
    enum { COLUMNS = 6 };
    size_t shown = shown_of(reports->incident_count);
    const char **cells = relais_arena_alloc(arena, (shown + 1) * COLUMNS * sizeof *cells);
    const char **at = cells;

    if (cells == NULL || shown == 0)
        return;
    *at++ = _("CAME IN THE CLEAR");
    *at++ = _("DEVICE");
    *at++ = _("USER");
    *at++ = _("FORM");
    *at++ = _("NOW");
    *at++ = _("PARCEL");
    for (size_t i = 0; i < shown; i++) {
        const relais_incident *one = &reports->incidents[i];
        *at++ = relais_status_since(one->found, arena);
        *at++ = relais_or_dash(one->device);
        *at++ = relais_or_dash(one->user);
        *at++ = relais_or_dash(one->form);
        *at++ = one->is_sealed ? _("sealed") : _("UNSEALED");
        *at++ = one->parcel;
    }
    putchar('\n');
    relais_table_print(stdout, cells, shown + 1, COLUMNS);
}

static void print_unmapped(const relais_reports *reports, relais_arena *arena)
{
    enum { COLUMNS = 3 };
    size_t shown = shown_of(reports->unmapped_count);
    const char **cells = relais_arena_alloc(arena, (shown + 1) * COLUMNS * sizeof *cells);
    const char **at = cells;

    if (cells == NULL || shown == 0)
        return;
    *at++ = _("FORM");
    *at++ = _("ANSWERS THAT NO COLUMN TAKES");
    *at++ = _("SUBMISSIONS");
    for (size_t i = 0; i < shown; i++) {
        *at++ = reports->unmapped[i].form;
        *at++ = reports->unmapped[i].path;
        *at++ =
            relais_or_dash(relais_arena_format(arena, "%lld", reports->unmapped[i].submissions));
    }
    putchar('\n');
    relais_table_print(stdout, cells, shown + 1, COLUMNS);
}

void relais_status_print_reports(const relais_reports *reports, relais_arena *arena)
{
    print_incidents(reports, arena);
    print_refused(reports, arena);
    print_unmapped(reports, arena);
}
