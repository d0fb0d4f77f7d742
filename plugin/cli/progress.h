/*
 * Progress of long work on standard error: a bar that is drawn over itself at a terminal, a
 * plain line every ten seconds elsewhere.
 */
#ifndef RELAIS_CLI_PROGRESS_H
#define RELAIS_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct relais_progress {
    char label[96];
    bool is_terminal, is_drawn;
    double began, spoke; /* monotonic seconds */
} relais_progress;

/* `label` says what is under way; it is cut at the structure's size. */
void relais_progress_begin(relais_progress *progress, const char *label);

/* `total` 0: it is not known. */
void relais_progress_show(relais_progress *progress, uint64_t done, uint64_t total);

/* Takes the bar away, so that a message can be written; the next show draws it again. */
void relais_progress_hide(relais_progress *progress);

#endif
