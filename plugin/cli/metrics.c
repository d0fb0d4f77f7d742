/*
 * relais status --prometheus. See status.h.
 *
 * A metric's heading stands once, before all of its samples; a value that is not known has no
 * sample. Times are given as ages where an alarm compares them, and as instants elsewhere.
 */
#include "cli/status.h"

#include "cli/table.h"

#include <string.h>
#include <time.h>

/* Classes that always have a sample, so that an alarm sees them go from 0 to 1. */
static const char *const classes[] = {"unknown-form", "unknown-version", "data",
                                      "syntax",       "limit",           "damaged"};
enum { CLASSES = sizeof classes / sizeof *classes };

typedef struct label {
    const char *name;
    const char *value;
} label;

static void print_heading(FILE *out, const char *metric, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n", metric, help, metric);
}

/* Label values are UTF-8 with three escapes; other controls have no place in a line. */
static void print_value(FILE *out, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            fputc('\\', out);
        if (*value == '\n')
            fputs("\\n", out);
        else
            fputc((unsigned char)*value < ' ' ? '?' : *value, out);
    }
}

static void print_sample(FILE *out, const char *metric, const label *labels, size_t count,
                         long long value)
{
    fputs(metric, out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s%s=\"", i == 0 ? "{" : ",", labels[i].name);
        print_value(out, labels[i].value);
        fputc('"', out);
    }
    fprintf(out, "%s %lld\n", count == 0 ? "" : "}", value);
}

static void print_plain(FILE *out, const char *metric, const char *help, long long value)
{
    print_heading(out, metric, help);
    print_sample(out, metric, NULL, 0, value);
}

static long long age_of(const char *instant)
{
    long long then = relais_instant_seconds(instant), now = (long long)time(NULL);

    return then < 0 || then > now ? 0 : now - then;
}

/* ---- the spool --------------------------------------------------------------------------- */

static bool is_known_class(const char *word)
{
    for (size_t i = 0; i < CLASSES; i++)
        if (strcmp(classes[i], word) == 0)
            return true;
    return false;
}

static long long count_of_class(const relais_overview *spool, const char *word)
{
    for (size_t i = 0; i < spool->class_count; i++)
        if (strcmp(spool->classes[i].word, word) == 0)
            return (long long)spool->classes[i].count;
    return 0;
}

static void print_spool(FILE *out, const relais_overview *spool)
{
    static const char quarantine[] = "relais_quarantine_parcels";

    print_plain(out, "relais_spool_waiting_parcels", "Parcels that wait for the forwarder.",
                (long long)spool->waiting);
    print_plain(out, "relais_spool_oldest_seconds",
                "How long ago the oldest waiting parcel was received; 0 when none waits.",
                age_of(spool->oldest));
    print_heading(out, quarantine, "Parcels in quarantine, by class: a person must look.");
    for (size_t i = 0; i < CLASSES; i++)
        print_sample(out, quarantine, &(label){"class", classes[i]}, 1,
                     count_of_class(spool, classes[i]));
    for (size_t i = 0; i < spool->class_count; i++)
        if (!is_known_class(spool->classes[i].word))
            print_sample(out, quarantine, &(label){"class", spool->classes[i].word}, 1,
                         (long long)spool->classes[i].count);
}

/* ---- the ledger -------------------------------------------------------------------------- */

static void print_states_of(FILE *out, const char *metric, const relais_form_status *form)
{
    const struct {
        const char *state;
        long long count;
    } states[] = {
        {"delivered", relais_form_status_delivered(form)},
        {"partial", form->partial},
        {"held", form->held},
        {"quarantined", form->quarantined},
        {"conflict", form->conflict},
        {"erased", form->erased},
    };

    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (states[i].count >= 0)
            print_sample(out, metric,
                         (const label[]){{"form", form->form}, {"state", states[i].state}}, 2,
                         states[i].count);
}

static void print_forms(FILE *out, const relais_ledger_status *ledger)
{
    static const char states[] = "relais_ledger_submissions";
    static const char last[] = "relais_ledger_last_delivered_timestamp_seconds";

    print_heading(out, states, "Versions of submissions in the ledger, by form and state.");
    for (size_t i = 0; i < ledger->count; i++)
        print_states_of(out, states, &ledger->forms[i]);
    print_heading(out, last, "When rows of the form were last committed.");
    for (size_t i = 0; i < ledger->count; i++)
        if (ledger->forms[i].last_delivered[0] != '\0')
            print_sample(out, last, &(label){"form", ledger->forms[i].form}, 1,
                         relais_instant_seconds(ledger->forms[i].last_delivered));
}

static void print_waits(FILE *out, const relais_ledger_status *ledger)
{
    static const struct {
        const char *metric, *help;
    } metrics[] = {
        {"relais_ledger_waiting_submissions",
         "Submissions that wait, by what they wait for: a table, a code list, or file."},
        {"relais_ledger_waiting_oldest_seconds", "How long the oldest of them has waited."},
        {"relais_ledger_missing_files", "Files that answers name and that have not come."},
    };

    for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++) {
        print_heading(out, metrics[m].metric, metrics[m].help);
        for (size_t i = 0; i < ledger->wait_count; i++) {
            const relais_wait *wait = &ledger->waits[i];
            const label labels[] = {
                {"form", wait->form}, {"state", wait->state}, {"for", wait->what}};
            const long long values[] = {wait->count, age_of(wait->oldest), wait->files};
            if (m < 2)
                print_sample(out, metrics[m].metric, labels, 3, values[m]);
            else if (strcmp(wait->state, "partial") == 0)
                print_sample(out, metrics[m].metric, labels, 1, values[m]);
        }
    }
}

/* ---- what the office must hear of --------------------------------------------------------- */

static void print_reports(FILE *out, const relais_reports *reports)
{
    print_plain(out, "relais_refused_submissions",
                "Submissions that were too large for the server in the last day.",
                reports->refused_today);
    print_plain(out, "relais_incidents",
                "Submissions of encrypted forms that came in the clear in the last 30 days.",
                (long long)reports->incident_count);
    print_plain(out, "relais_unmapped_paths", "Paths of answers that no mapping reads.",
                (long long)reports->unmapped_count);
}

/* ---- the phones -------------------------------------------------------------------------- */

static void print_heard(FILE *out, const relais_heard *heard)
{
    static const char metric[] = "relais_devices_heard";
    const struct {
        const char *within;
        long long count;
    } spans[] = {{"1d", heard->day}, {"7d", heard->week}, {"30d", heard->month}};

    if (heard->day < 0)
        return;
    print_heading(out, metric, "Devices whose submissions were received within this time.");
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
        print_sample(out, metric, &(label){"within", spans[i].within}, 1, spans[i].count);
}

static void print_devices(FILE *out, const relais_devices *devices)
{
    static const struct {
        const char *metric, *help;
    } metrics[] = {
        {"relais_device_last_received_timestamp_seconds",
         "When something of this device and user was last received."},
        {"relais_device_submissions", "Versions of submissions of this device and user."},
        {"relais_device_conflicts", "Submissions of it that came twice with different answers."},
    };

    for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++) {
        print_heading(out, metrics[m].metric, metrics[m].help);
        for (size_t i = 0; i < devices->count; i++) {
            const relais_device *device = &devices->items[i];
            const long long values[] = {relais_instant_seconds(device->last_received),
                                        device->submissions, device->conflicts};
            print_sample(out, metrics[m].metric,
                         (const label[]){{"device", device->device}, {"user", device->user}}, 2,
                         values[m]);
        }
    }
}

/* ---- together ---------------------------------------------------------------------------- */

static void print_up(FILE *out, const relais_status *found)
{
    static const char metric[] = "relais_up";

    print_heading(out, metric, "Whether this part could be read: 1, or 0.");
    print_sample(out, metric, &(label){"part", "spool"}, 1, found->has_spool);
    print_sample(out, metric, &(label){"part", "ledger"}, 1, found->has_ledger);
}

void relais_status_print_metrics(const relais_status *found, FILE *out)
{
    print_up(out, found);
    print_plain(out, "relais_status_timestamp_seconds", "When these values were read.",
                (long long)time(NULL));
    if (found->has_spool)
        print_spool(out, &found->spool);
    if (found->has_ledger) {
        print_forms(out, &found->ledger);
        print_waits(out, &found->ledger);
        print_reports(out, &found->reports);
        print_heard(out, &found->heard);
    }
    if (found->has_devices)
        print_devices(out, &found->devices);
}
