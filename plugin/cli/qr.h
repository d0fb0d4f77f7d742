/*
 * A text as a QR code: at a terminal, or as a PNG file for printing.
 */
#ifndef RELAIS_CLI_QR_H
#define RELAIS_CLI_QR_H

#include "base/error.h"

#include <stdio.h>

/* Prints half blocks. With `has_colours` white on black is set, whatever the terminal's own
 * colours are; without, the code is right on a dark background. */
RELAIS_MUST_USE bool relais_qr_print(const char *text, bool has_colours, FILE *out,
                                     relais_error *err);

/* The columns that the printed code takes, 0 when the text cannot be a code. */
int relais_qr_columns(const char *text);

/* Writes a PNG file; an existing one is replaced. Only its owner may read it, since a code may
 * carry a password. */
RELAIS_MUST_USE bool relais_qr_png(const char *text, const char *file, relais_error *err);

#endif
