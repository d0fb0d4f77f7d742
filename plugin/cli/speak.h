/*
 * How the command speaks to people: in their language, on standard error, with an exit code
 * that says what kind of thing went wrong.
 *
 * Texts are English in the source and French in po/fr.po. Debian's smallest system has no
 * French locale; there French is chosen by LANGUAGE=fr, or by the name in LC_ALL, LC_MESSAGES
 * or LANG although the locale itself is missing.
 */
#ifndef RELAIS_CLI_SPEAK_H
#define RELAIS_CLI_SPEAK_H

#include "base/error.h"

#include <libintl.h>
#include <stdio.h>

#define _(text)  gettext(text)
#define N_(text) text

/* Sets the locale and finds the translations: beside the program (../share/locale, in the
 * build tree as in an installed one), else where the build was to be installed. */
void relais_speak_begin(void);

/* "relais: text" and a line end on standard error. */
void relais_say(const char *format, ...) RELAIS_PRINTF(1, 2);

/* Says the error and returns the exit code that fits it. */
int relais_say_error(const relais_error *err);

/* Says that writing to standard output failed, if it did; returns `code` or a failure. */
int relais_close_output(int code);

/* The number of columns that UTF-8 text takes on a terminal. */
size_t relais_text_columns(const char *text);

#endif
