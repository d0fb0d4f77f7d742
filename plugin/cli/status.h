/*
 * What relais status has found, and its two forms for programs.
 */
#ifndef RELAIS_CLI_STATUS_H
#define RELAIS_CLI_STATUS_H

#include "cli/overview.h"
#include "store/devices.h"
#include "store/reports.h"
#include "store/status.h"

#include <stdio.h>

typedef struct relais_status {
    relais_overview spool;
    bool has_spool;
    relais_ledger_status ledger;
    relais_reports reports;
    bool has_ledger;    /* with its reports */
    relais_heard heard; /* only for metrics */
    relais_devices devices;
    bool has_devices; /* they were asked for and could be read */
} relais_status;

/* Tables for people, of what there is to tell. */
void relais_status_print_reports(const relais_reports *reports, relais_arena *arena);

/* "2026-03-02T10:15:04.123Z (3 d)", or the instant alone without memory. */
const char *relais_status_since(const char *instant, relais_arena *arena);

/* One JSON object; false when it cannot be made or written. */
RELAIS_MUST_USE bool relais_status_print_json(const relais_status *found, FILE *out);

/* Metrics in the text format of Prometheus 0.0.4, for the textfile collector: names and labels
 * are those of relais(1) and stay. No device and no user is named unless has_devices. */
void relais_status_print_metrics(const relais_status *found, FILE *out);

#endif
