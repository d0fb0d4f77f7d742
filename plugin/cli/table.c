/*
 * Aligned columns, ages, a progress line. See table.h.
 */
#include "cli/table.h"

#include "cli/speak.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { COLUMNS_MAX = 16, GAP = 2 };

/* U+0080 to U+009F, which terminals obey as they obey ESC sequences. */
static bool is_high_control(const char *text)
{
    return (unsigned char)text[0] == 0xC2 && (unsigned char)text[1] >= 0x80 &&
           (unsigned char)text[1] < 0xA0;
}

const char *relais_or_dash(const char *text)
{
    return text == NULL || text[0] == '\0' ? "-" : text;
}

void relais_print_plain(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool is_high = is_high_control(text);
        fputc(c < 0x20 || c == 0x7f || is_high ? '?' : c, out);
        if (is_high)
            text++;
    }
}

static bool is_number(const char *cell)
{
    return cell[0] != '\0' && cell[strspn(cell, "0123456789")] == '\0';
}

static void print_cell(FILE *out, const char *cell, size_t width, bool is_last)
{
    size_t used = relais_text_columns(cell);
    int fill = used < width ? (int)(width - used) : 0;

    if (is_number(cell))
        fprintf(out, "%*s", fill, "");
    relais_print_plain(out, cell);
    if (is_last)
        return;
    fprintf(out, "%*s", GAP + (is_number(cell) ? 0 : fill), "");
}

void relais_table_print(FILE *out, const char *const *cells, size_t rows, size_t columns)
{
    size_t widths[COLUMNS_MAX] = {0};

    for (size_t i = 0; i < rows * columns; i++) {
        size_t width = relais_text_columns(cells[i]);
        if (width > widths[i % columns])
            widths[i % columns] = width;
    }
    for (size_t i = 0; i < rows * columns; i++) {
        bool is_last = i % columns == columns - 1;
        print_cell(out, cells[i], widths[i % columns], is_last);
        if (is_last)
            fputc('\n', out);
    }
}

long long relais_instant_seconds(const char *instant)
{
    struct tm at = {0};

    return strptime(instant, "%Y-%m-%dT%H:%M:%S", &at) == NULL ? -1 : (long long)timegm(&at);
}

const char *relais_table_age(const char *instant, relais_arena *arena)
{
    long long then = relais_instant_seconds(instant);
    const char *text;
    long seconds;

    if (then < 0)
        return "";
    seconds = (long)((long long)time(NULL) - then);
    if (seconds < 60)
        text = relais_arena_format(arena, _("%ld s"), seconds < 0 ? 0 : seconds);
    else if (seconds < 3600)
        text = relais_arena_format(arena, _("%ld min"), seconds / 60);
    else if (seconds < 2 * 86400)
        text = relais_arena_format(arena, _("%ld h"), seconds / 3600);
    else
        text = relais_arena_format(arena, _("%ld d"), seconds / 86400);
    return text == NULL ? "" : text;
}
