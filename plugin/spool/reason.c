/*
 * Writing and reading a .reason file by one table of keys. See quarantine.h.
 */
#include "spool/reason.h"

#include "base/text.h"
#include "spool/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct text_key {
    const char *key;
    size_t offset;
} text_keys[] = {
    {"class", offsetof(relais_reason, class_word)}, {"at", offsetof(relais_reason, at)},
    {"form", offsetof(relais_reason, form)},        {"path", offsetof(relais_reason, path)},
    {"column", offsetof(relais_reason, column)},    {"rule", offsetof(relais_reason, rule)},
    {"text", offsetof(relais_reason, text)},
};

enum { TEXT_KEYS = sizeof text_keys / sizeof *text_keys };

void relais_reason_init(relais_reason *reason)
{
    memset(reason, 0, sizeof *reason);
    for (size_t i = 0; i < TEXT_KEYS; i++)
        *(const char **)((char *)reason + text_keys[i].offset) = "";
    reason->offset = -1;
}

/* Copies a text into `out`, cut before a character that does not fit whole. */
static void cut_text(const char *text, char out[RELAIS_REASON_VALUE_MAX + 1])
{
    size_t length = strnlen(text, RELAIS_REASON_VALUE_MAX + 1);

    if (length > RELAIS_REASON_VALUE_MAX) {
        length = RELAIS_REASON_VALUE_MAX;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
            length--;
    }
    memcpy(out, text, length);
    out[length] = '\0';
}

void relais_reason_write(const relais_reason *reason, relais_buffer *out)
{
    char now[RELAIS_TIME_TEXT_SIZE], value[RELAIS_REASON_VALUE_MAX + 1];

    for (size_t i = 0; i < TEXT_KEYS; i++) {
        cut_text(*(const char *const *)((const char *)reason + text_keys[i].offset), value);
        if (text_keys[i].offset == offsetof(relais_reason, at) && value[0] == '\0') {
            relais_time_now(now);
            relais_line_append(out, text_keys[i].key, now);
        } else if (value[0] != '\0') {
            relais_line_append(out, text_keys[i].key, value);
        }
    }
    if (reason->line > 0)
        relais_buffer_append_format(out, "line: %ld\n", reason->line);
    if (reason->offset >= 0)
        relais_buffer_append_format(out, "offset: %" PRId64 "\n", reason->offset);
}

static void take_number(const char *text, uint64_t maximum, int64_t *out)
{
    uint64_t number;

    if (relais_parse_number(text, maximum, &number))
        *out = (int64_t)number;
}

static void take_line(const relais_line *line, relais_reason *out)
{
    int64_t number = 0;

    for (size_t i = 0; i < TEXT_KEYS; i++)
        if (relais_line_is(line, text_keys[i].key))
            *(const char **)((char *)out + text_keys[i].offset) = line->value;
    if (relais_line_is(line, "line")) {
        take_number(line->value, INT32_MAX, &number);
        out->line = (long)number;
    } else if (relais_line_is(line, "offset")) {
        take_number(line->value, INT64_MAX, &out->offset);
    }
}

bool relais_reason_read(const char *bytes, size_t length, relais_arena *arena, relais_reason *out,
                        relais_error *err)
{
    relais_line_reader reader = {.next = bytes, .end = bytes + length};
    relais_line line;

    relais_reason_init(out);
    while (reader.next < reader.end) {
        if (!relais_line_read(&reader, RELAIS_REASON_VALUE_MAX, arena, &line, err))
            return false;
        take_line(&line, out);
    }
    if (out->class_word[0] == '\0')
        return relais_error_set(err, RELAIS_ERR_DAMAGED, "the reason names no class");
    return true;
}
