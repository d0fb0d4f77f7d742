/*
 * relais status --json. See status.h.
 */
#include "cli/status.h"

#include <jansson.h>

static json_t *json_text(const char *instant)
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
                     json_text(spool->oldest));
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
        (json_int_t)form->erased, "oldest_undelivered", json_text(form->oldest_undelivered),
        "last_delivered", json_text(form->last_delivered));
}

static json_t *json_forms(const relais_ledger_status *ledger)
{
    json_t *forms = json_array();

    for (size_t i = 0; i < ledger->count; i++)
        json_array_append_new(forms, json_form(&ledger->forms[i]));
    return forms;
}

static json_t *json_waits(const relais_ledger_status *ledger)
{
    json_t *waits = json_array();

    for (size_t i = 0; i < ledger->wait_count; i++) {
        const relais_wait *wait = &ledger->waits[i];
        json_array_append_new(waits,
                              json_pack("{s:s, s:s, s:o, s:I, s:I, s:s}", "form", wait->form,
                                        "state", wait->state, "for", json_text(wait->what),
                                        "submissions", (json_int_t)wait->count, "files",
                                        (json_int_t)wait->files, "oldest_received", wait->oldest));
    }
    return waits;
}

static json_t *json_files(const relais_ledger_status *ledger)
{
    json_t *files = json_array();

    for (size_t i = 0; i < ledger->file_count; i++) {
        const relais_missing_file *file = &ledger->files[i];
        json_array_append_new(files, json_pack("{s:s, s:s, s:s, s:s}", "form", file->form,
                                               "instance", file->instance, "file", file->name,
                                               "received", file->received));
    }
    return files;
}

static json_t *json_refused(const relais_reports *reports)
{
    json_t *items = json_array();

    for (size_t i = 0; i < reports->refused_count; i++) {
        const relais_refused *one = &reports->refused[i];
        json_array_append_new(
            items, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:s, s:s, s:b}", "device",
                             json_text(one->device), "user", json_text(one->user), "form",
                             json_text(one->form), "instance", json_text(one->instance), "size",
                             json_count(one->size), "limit", json_count(one->limit), "times",
                             (json_int_t)one->times, "first", one->first, "last", one->last, "many",
                             one->is_rest));
    }
    return items;
}

static json_t *json_incidents(const relais_reports *reports)
{
    json_t *items = json_array();

    for (size_t i = 0; i < reports->incident_count; i++) {
        const relais_incident *one = &reports->incidents[i];
        json_array_append_new(
            items, json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:b}", "kind", one->kind, "found",
                             one->found, "parcel", one->parcel, "form", json_text(one->form),
                             "instance", json_text(one->instance), "device", json_text(one->device),
                             "user", json_text(one->user), "sealed", one->is_sealed));
    }
    return items;
}

static json_t *json_unmapped(const relais_reports *reports)
{
    json_t *items = json_array();

    for (size_t i = 0; i < reports->unmapped_count; i++) {
        const relais_unmapped *one = &reports->unmapped[i];
        json_array_append_new(items,
                              json_pack("{s:s, s:s, s:I}", "form", one->form, "path", one->path,
                                        "submissions", (json_int_t)one->submissions));
    }
    return items;
}

static json_t *json_ledger(const relais_status *found)
{
    const relais_ledger_status *ledger = &found->ledger;

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "last_delivered",
                     json_text(ledger->last_delivered), "forms", json_forms(ledger), "waiting",
                     json_waits(ledger), "missing_files", json_files(ledger), "too_large",
                     json_refused(&found->reports), "incidents", json_incidents(&found->reports),
                     "unmapped", json_unmapped(&found->reports));
}

static json_t *json_device(const relais_device *device)
{
    return json_pack("{s:o, s:o, s:s, s:s, s:o, s:I, s:I, s:I, s:I}", "device",
                     json_text(device->device), "user", json_text(device->user), "last_received",
                     device->last_received, "first_received", device->first_received, "silent_from",
                     json_text(device->silent_from), "silent_days", (json_int_t)device->silent_days,
                     "submissions", (json_int_t)device->submissions, "conflicts",
                     (json_int_t)device->conflicts, "waiting", (json_int_t)device->waiting);
}

static json_t *json_devices(const relais_devices *devices)
{
    json_t *items = json_array();

    for (size_t i = 0; i < devices->count; i++)
        json_array_append_new(items, json_device(&devices->items[i]));
    return items;
}

bool relais_status_print_json(const relais_status *found, FILE *out)
{
    json_t *root = json_pack(
        "{s:o, s:o, s:o}", "spool", found->has_spool ? json_spool(&found->spool) : json_null(),
        "quarantine", found->has_spool ? json_quarantine(&found->spool) : json_null(), "ledger",
        found->has_ledger ? json_ledger(found) : json_null());
    bool ok;

    if (root != NULL && found->has_devices)
        json_object_set_new(root, "devices", json_devices(&found->devices));
    ok = root != NULL && json_dumpf(root, out, JSON_INDENT(2)) == 0;
    fputc('\n', out);
    json_decref(root);
    return ok;
}
