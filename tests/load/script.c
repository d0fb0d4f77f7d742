/*
 * Reading a script. See script.h.
 */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void take_number(const char *value, long *out)
{
    *out = strtol(value, NULL, 10);
}

static void take_framing(const char *value, enum framing *out)
{
    *out = strcmp(value, "chunked") == 0 ? FRAMING_CHUNKED
           : strcmp(value, "close") == 0 ? FRAMING_CLOSE
                                         : FRAMING_LENGTH;
}

static void take_word(const char *key, const char *value, struct script *out)
{
    const struct {
        const char *key;
        long *number;
    } numbers[] = {{"status", &out->status},
                   {"size", &out->size},
                   {"delay", &out->delay},
                   {"pause", &out->pause},
                   {"cut", &out->cut}};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strcmp(key, numbers[i].key) == 0)
            take_number(value, numbers[i].number);
    }
    if (strcmp(key, "framing") == 0)
        take_framing(value, &out->framing);
    else if (strcmp(key, "end") == 0)
        out->is_reset = strcmp(value, "reset") == 0;
    else if (strcmp(key, "early") == 0)
        out->is_early = true;
    else if (strcmp(key, "header") == 0)
        snprintf(out->header, sizeof out->header, "%s", value);
}

void script_read(const char *text, struct script *out)
{
    char copy[SCRIPT_MAX], *rest, *word;

    *out = (struct script){.status = 201, .size = 200, .cut = SCRIPT_NO_CUT};
    snprintf(copy, sizeof copy, "%s", text == NULL ? "" : text);
    for (word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '=');
        if (equals == NULL)
            continue;
        *equals = '\0';
        take_word(word, equals + 1, out);
    }
}
