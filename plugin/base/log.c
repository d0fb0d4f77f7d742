/*
 * Structured log lines. See log.h.
 */
#include "base/log.h"

#include "base/buffer.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 8 * 1024 }; /* a longer line is of no use in a log */

static _Atomic int threshold = RELAIS_LOG_INFO;
static const char *const level_words[] = {"error", "warn", "info", "debug"};

void relais_log_set_level(relais_log_level level)
{
    atomic_store(&threshold, (int)level);
}

static bool needs_quotes(const char *value)
{
    return *value == '\0' || strpbrk(value, " \"=\\\t\r\n") != NULL;
}

static void append_value(relais_buffer *line, const char *value)
{
    bool quoted;

    if (value == NULL)
        value = "-";
    quoted = needs_quotes(value);
    if (quoted)
        relais_buffer_append_char(line, '"');
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;
        if (c == '"' || c == '\\')
            relais_buffer_append_char(line, '\\');
        if (c < 0x20 || c == 0x7f)
            relais_buffer_append_format(line, "\\x%02x", c);
        else
            relais_buffer_append_char(line, (char)c);
    }
    if (quoted)
        relais_buffer_append_char(line, '"');
}

void relais_log(relais_log_level level, const char *event, ...)
{
    relais_buffer line;
    char now[RELAIS_TIME_TEXT_SIZE];
    va_list args;
    const char *key;

    if ((int)level > atomic_load(&threshold))
        return;
    relais_buffer_init(&line, LINE_MAX_BYTES);
    relais_time_now(now);
    relais_buffer_append_format(&line, "%s level=%s event=%s", now, level_words[level], event);
    va_start(args, event);
    while ((key = va_arg(args, const char *)) != NULL) {
        relais_buffer_append_format(&line, " %s=", key);
        append_value(&line, va_arg(args, const char *));
    }
    va_end(args);
    if (line.failed == RELAIS_ERR_LIMIT && line.length == LINE_MAX_BYTES)
        line.length--;
    line.failed = RELAIS_ERR_NONE;
    relais_buffer_append_char(&line, '\n');
    if (line.data != NULL && write(STDERR_FILENO, line.data, line.length) < 0) {
        /* Standard error is gone: there is nobody left to tell. */
    }
    relais_buffer_free(&line);
}
