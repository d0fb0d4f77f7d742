/*
 * Progress of long work on standard error: a bar that is drawn over itself at a terminal, a
 * plain line every ten seconds elsewhere.
 */
#ifndef RELAIS_CLI_BAR_H
#define RELAIS_CLI_BAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct relais_bar {
    char label[96];
    bool is_terminal, is_drawn;
    double began, spoke; /* monotonic seconds */
} relais_bar;

/* `label` says what is under way; it is cut at the structure's size. */
void relais_bar_begin(relais_bar *bar, const char *label);

/* `total` 0: it is not known. */
void relais_bar_show(relais_bar *bar, uint64_t done, uint64_t total);

/* Takes the bar away, so that a message can be written; the next show draws it again. */
void relais_bar_hide(relais_bar *bar);

/* The same for work of one kind at a time, which needs no structure of its own: begins with the
 * first call, or when `what` changes. */
void relais_progress(const char *what, size_t done, size_t total);
void relais_progress_end(void);

#endif
