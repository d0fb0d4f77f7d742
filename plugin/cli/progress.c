/*
 * Bars and lines. See progress.h.
 */
#include "cli/progress.h"

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

void relais_progress_begin(relais_progress *progress, const char *label)
{
    memset(progress, 0, sizeof *progress);
    snprintf(progress->label, sizeof progress->label, "%s", label);
    progress->is_terminal = isatty(STDERR_FILENO) == 1;
    progress->began = progress->spoke = now();
}

static void draw(relais_progress *progress, uint64_t done, uint64_t total, double seconds)
{
    char bar[BAR_COLUMNS + 1];
    double share = total == 0 ? 0 : (double)done / (double)total;
    size_t filled = share >= 1 ? BAR_COLUMNS : (size_t)(share * BAR_COLUMNS);

    memset(bar, '-', BAR_COLUMNS);
    memset(bar, '#', filled);
    bar[BAR_COLUMNS] = '\0';
    fprintf(stderr, "\r%s [%s] %llu", progress->label, bar, (unsigned long long)done);
    if (total > 0)
        fprintf(stderr, " / %llu", (unsigned long long)total);
    fprintf(stderr, _("  %.0f a second"), seconds > 0 ? (double)done / seconds : 0);
    fputs("\033[K", stderr);
    fflush(stderr);
    progress->is_drawn = true;
}

void relais_progress_show(relais_progress *progress, uint64_t done, uint64_t total)
{
    double at = now();

    if (progress->is_terminal) {
        draw(progress, done, total, at - progress->began);
    } else if (at - progress->spoke >= LINE_SECONDS) {
        progress->spoke = at;
        if (total > 0)
            relais_say(_("%s: %llu of %llu"), progress->label, (unsigned long long)done,
                       (unsigned long long)total);
        else
            relais_say(_("%s: %llu"), progress->label, (unsigned long long)done);
    }
}

void relais_progress_hide(relais_progress *progress)
{
    if (progress->is_drawn)
        fputs("\r\033[K", stderr);
    progress->is_drawn = false;
}
