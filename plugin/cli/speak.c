/*
 * Locale, messages, exit codes. See speak.h.
 */
#include "cli/speak.h"

#include "cli/command.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

static const char *wanted_locale(void)
{
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0')
            return value;
    }
    return NULL;
}

/* gettext translates in no locale called "C", so a missing locale becomes C.UTF-8, which every
 * Debian has, with the language of the one that was asked for. */
static void set_locale(void)
{
    const char *wanted = wanted_locale();
    char language[32] = "";

    if (setlocale(LC_ALL, "") == NULL) {
        if (wanted != NULL && strlen(wanted) < sizeof language)
            memcpy(language, wanted, strcspn(wanted, ".@"));
        setlocale(LC_ALL, "C.UTF-8");
        if (language[0] != '\0')
            setenv("LANGUAGE", language, 0);
    } else if (wanted == NULL && getenv("LANGUAGE") != NULL) {
        setlocale(LC_ALL, "C.UTF-8");
    }
    setlocale(LC_NUMERIC, "C"); /* numbers are read by programs */
}

/* PREFIX/bin/relais has its translations in PREFIX/share/locale. */
static bool find_translations(char *path, size_t size)
{
    static const char below[] = "/share/locale";
    ssize_t length = readlink("/proc/self/exe", path, size - 1);

    if (length <= 0)
        return false;
    path[length] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(path, '/');
        if (slash == NULL)
            return false;
        *slash = '\0';
    }
    if (strlen(path) + sizeof below > size)
        return false;
    memcpy(path + strlen(path), below, sizeof below);
    return access(path, R_OK | X_OK) == 0;
}

void relais_speak_begin(void)
{
    char path[4096];

    set_locale();
    bindtextdomain("relais", find_translations(path, sizeof path) ? path : RELAIS_LOCALE_DIR);
    bind_textdomain_codeset("relais", "UTF-8");
    textdomain("relais");
    relais_error_translate_by((relais_translator *)gettext);
}

void relais_say(const char *format, ...)
{
    va_list args;

    fputs("relais: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

int relais_say_error(const relais_error *err)
{
    char text[1024];

    relais_say("%s", relais_error_format(err, text, sizeof text));
    return err->code == RELAIS_ERR_TRANSIENT ? RELAIS_EXIT_LATER : RELAIS_EXIT_FAILED;
}

int relais_close_output(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    relais_say(_("standard output could not be written: %s"), strerror(errno));
    return code == RELAIS_EXIT_OK ? RELAIS_EXIT_FAILED : code;
}

size_t relais_text_columns(const char *text)
{
    mbstate_t state = {0};
    size_t columns = 0;

    while (*text != '\0') {
        wchar_t wide;
        size_t bytes = mbrtowc(&wide, text, MB_CUR_MAX, &state);
        int width = bytes == (size_t)-1 || bytes == (size_t)-2 ? -1 : wcwidth(wide);
        if (width < 0) { /* not a character here: one byte, one column */
            memset(&state, 0, sizeof state);
            bytes = 1;
            width = 1;
        }
        columns += (size_t)width;
        text += bytes;
    }
    return columns;
}
