/*
 * What relais status has found, and its two forms for programs.
 */
#ifndef RELAIS_CLI_STATUS_H
#define RELAIS_CLI_STATUS_H

#include "cli/overview.h"
#include "store/devices.h"
#include "store/status.h"

#include <stdio.h>

typedef struct relais_status {
    relais_overview spool;
    bool has_spool;
    relais_ledger_status ledger;
    bool has_ledger;
    relais_heard heard; /* only for metrics */
    relais_devices devices;
    bool has_devices; /* they were asked for and could be read */
} relais_status;

/* One JSON object; false when it cannot be made or written. */
RELAIS_MUST_USE bool relais_status_print_json(const relais_status *found, FILE *out);

/* Metrics in the text format of Prometheus 0.0.4, for the textfile collector: names and labels
 * are those of relais(1) and stay. No device and no user is named unless has_devices. */
void relais_status_print_metrics(const relais_status *found, FILE *out);

#endif
