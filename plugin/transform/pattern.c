/*
 * Compiled patterns. See pattern.h.
 *
 * glibc's matcher takes time in proportion to the text for patterns without back-references,
 * and memory in proportion to the product of the counts in braces. Both are refused or
 * bounded here, so that no answer from a phone can make a pattern run away.
 */
#include "transform/pattern.h"

#include "base/buffer.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT_MAX = 500,   /* characters of a pattern: the longest national one has 60 */
    COUNTS_MAX = 1000 /* product of the {n} of a pattern: states of the automaton */
};

struct relais_pattern {
    relais_pattern *next;
    const char *text;
    regex_t compiled;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool check_counts(const char *text, relais_error *err)
{
    unsigned long product = 1;

    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\\' && is_digit(p[1]) && p[1] != '0')
            return relais_error_set(err, RELAIS_ERR_CONFIG,
                                    "the pattern \"%s\" refers back to a group (\\%c): its time "
                                    "has no bound, write it without",
                                    text, p[1]);
        if (*p == '\\' && p[1] != '\0') {
            p++;
        } else if (*p == '{' || (*p == ',' && is_digit(p[1]))) {
            unsigned long count = strtoul(p + 1, NULL, 10);
            product *= count > COUNTS_MAX ? COUNTS_MAX + 1 : (count > 1 ? count : 1);
        }
        if (product > COUNTS_MAX)
            return relais_error_set(err, RELAIS_ERR_CONFIG,
                                    "the counts in braces of the pattern \"%s\" multiply to more "
                                    "than %d: write it shorter",
                                    text, COUNTS_MAX);
    }
    return true;
}

/* POSIX has no \d; the pattern is wrapped so that it must fit the whole text. */
static void translate(const char *text, relais_buffer *out)
{
    bool is_bracket = false;

    relais_buffer_append_text(out, "^(");
    for (const char *p = text; *p != '\0'; p++) {
        if (p[0] == '\\' && p[1] == 'd') {
            relais_buffer_append_text(out, is_bracket ? "0-9" : "[0-9]");
            p++;
            continue;
        }
        if (*p == '[')
            is_bracket = true;
        else if (*p == ']')
            is_bracket = false;
        relais_buffer_append_char(out, *p);
        if (p[0] == '\\' && p[1] != '\0' && !is_bracket)
            relais_buffer_append_char(out, *++p);
    }
    relais_buffer_append_text(out, ")$");
}

static void release(void *data)
{
    relais_pattern *pattern = data;

    regfree(&pattern->compiled);
}

static bool compile(relais_pattern *pattern, relais_error *err)
{
    relais_buffer source;
    int status;

    relais_buffer_init(&source, TEXT_MAX * 4);
    translate(pattern->text, &source);
    status = source.failed != RELAIS_ERR_NONE
                 ? REG_ESPACE
                 : regcomp(&pattern->compiled, source.data, REG_EXTENDED | REG_NOSUB);
    relais_buffer_free(&source);
    if (status != 0)
        return relais_error_set(err, RELAIS_ERR_CONFIG, "\"%s\" is not a regular expression",
                                pattern->text);
    return true;
}

bool relais_pattern_add(relais_pattern **list, const char *text, relais_arena *arena,
                        relais_error *err)
{
    relais_pattern *pattern;

    if (relais_pattern_find(*list, text) != NULL)
        return true;
    if (strlen(text) > TEXT_MAX)
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "a pattern of regex() has more than %d characters", TEXT_MAX);
    if (!check_counts(text, err))
        return false;
    pattern = relais_arena_alloc(arena, sizeof *pattern);
    if (pattern == NULL)
        return relais_arena_error(arena, err);
    pattern->text = text;
    if (!compile(pattern, err))
        return false;
    if (!relais_arena_cleanup(arena, release, pattern))
        return relais_arena_error(arena, err);
    pattern->next = *list;
    *list = pattern;
    return true;
}

const relais_pattern *relais_pattern_find(const relais_pattern *list, const char *text)
{
    while (list != NULL && strcmp(list->text, text) != 0)
        list = list->next;
    return list;
}

bool relais_pattern_fits(const relais_pattern *pattern, const char *value)
{
    return regexec(&pattern->compiled, value, 0, NULL, 0) == 0;
}
