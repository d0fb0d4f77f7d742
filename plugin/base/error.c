/*
 * The error value: set once, carried upwards, worded at the end. See error.h.
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const words[] = {
    [RELAIS_ERR_NONE] = "none",         [RELAIS_ERR_MEMORY] = "memory",
    [RELAIS_ERR_LIMIT] = "limit",       [RELAIS_ERR_SYSTEM] = "system",
    [RELAIS_ERR_SYNTAX] = "syntax",     [RELAIS_ERR_CONFIG] = "config",
    [RELAIS_ERR_DATA] = "data",         [RELAIS_ERR_DAMAGED] = "damaged",
    [RELAIS_ERR_MISSING] = "missing",   [RELAIS_ERR_FULL] = "full",
    [RELAIS_ERR_DATABASE] = "database", [RELAIS_ERR_TRANSIENT] = "transient",
};

static relais_translator *translator;

void relais_error_translate_by(relais_translator *installed)
{
    translator = installed;
}

const char *relais_translate(const char *text)
{
    return translator == NULL ? text : translator(text);
}

void relais_error_clear(relais_error *err)
{
    if (err != NULL)
        memset(err, 0, sizeof *err);
}

static bool is_settable(const relais_error *err)
{
    return err != NULL && err->code == RELAIS_ERR_NONE;
}

bool relais_error_set(relais_error *err, relais_error_code code, const char *format, ...)
{
    va_list args;

    if (!is_settable(err))
        return false;
    err->code = code;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, relais_translate(format), args);
    va_end(args);
    return false;
}

bool relais_error_system(relais_error *err, int sys, const char *path, const char *format, ...)
{
    va_list args;

    if (!is_settable(err))
        return false;
    err->code = RELAIS_ERR_SYSTEM;
    err->sys = sys;
    if (path != NULL)
        snprintf(err->path, sizeof err->path, "%s", path);
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, relais_translate(format), args);
    va_end(args);
    return false;
}

void relais_error_at(relais_error *err, const char *path, long line)
{
    if (err == NULL)
        return;
    if (err->path[0] == '\0' && path != NULL)
        snprintf(err->path, sizeof err->path, "%s", path);
    if (err->line == 0)
        err->line = line;
}

const char *relais_error_format(const relais_error *err, char *out, size_t size)
{
    char reason[128] = "";
    char line[32] = "";

    if (err->sys != 0) {
        char scratch[96];
        snprintf(reason, sizeof reason, ": %s", strerror_r(err->sys, scratch, sizeof scratch));
    } else if (err->sqlstate[0] != '\0') {
        snprintf(reason, sizeof reason, " (SQLSTATE %s)", err->sqlstate);
    }
    if (err->line > 0)
        snprintf(line, sizeof line, "%ld: ", err->line);
    snprintf(out, size, "%s%s%s%s%s", err->path,
             err->path[0] == '\0' ? "" : (err->line > 0 ? ":" : ": "), line, err->text, reason);
    return out;
}

const char *relais_error_word(relais_error_code code)
{
    return words[code];
}
