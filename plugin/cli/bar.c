/*
 * Bars and lines. See bar.h.
 */
#include "cli/bar.h"

#include "cli/speak.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR_COLUMNS = 24 };

static const double LINE_SECONDS = 10;

static double now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

void relais_bar_begin(relais_bar *bar, const char *label)
{
    memset(bar, 0, sizeof *bar);
    snprintf(bar->label, sizeof bar->label, "%s", label);
    bar->is_terminal = isatty(STDERR_FILENO) == 1;
    bar->began = bar->spoke = now();
}

static void draw(relais_bar *bar, uint64_t done, uint64_t total, double seconds)
{
    char marks[BAR_COLUMNS + 1];
    double share = total == 0 ? 0 : (double)done / (double)total;
    size_t filled = share >= 1 ? BAR_COLUMNS : (size_t)(share * BAR_COLUMNS);

    memset(marks, '-', BAR_COLUMNS);
    memset(marks, '#', filled);
    marks[BAR_COLUMNS] = '\0';
    fprintf(stderr, "\r%s [%s] %llu", bar->label, marks, (unsigned long long)done);
    if (total > 0)
        fprintf(stderr, " / %llu", (unsigned long long)total);
    fprintf(stderr, _("  %.0f a second"), seconds > 0 ? (double)done / seconds : 0);
    fputs("\033[K", stderr);
    fflush(stderr);
    bar->is_drawn = true;
}

void relais_bar_show(relais_bar *bar, uint64_t done, uint64_t total)
{
    double at = now();

    if (bar->is_terminal) {
        draw(bar, done, total, at - bar->began);
    } else if (at - bar->spoke >= LINE_SECONDS) {
        bar->spoke = at;
        if (total > 0)
            relais_say(_("%s: %llu of %llu"), bar->label, (unsigned long long)done,
                       (unsigned long long)total);
        else
            relais_say(_("%s: %llu"), bar->label, (unsigned long long)done);
    }
}

void relais_bar_hide(relais_bar *bar)
{
    if (bar->is_drawn)
        fputs("\r\033[K", stderr);
    bar->is_drawn = false;
}

static relais_bar current;

void relais_progress(const char *what, size_t done, size_t total)
{
    if (strncmp(current.label, what, sizeof current.label - 1) != 0)
        relais_bar_begin(&current, what);
    relais_bar_show(&current, done, total);
}

void relais_progress_end(void)
{
    relais_bar_hide(&current);
}
