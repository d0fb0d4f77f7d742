/*
 * What a settings QR code of ODK Collect carries: the standard base64, without line breaks,
 * of the zlib stream of a JSON text with the objects "general" and "admin".
 *
 * Collect forgets every setting that a code does not name, so each one that Relais relies on
 * stands in it. An administrator's password never does: whoever scans a code can read it.
 */
#ifndef RELAIS_CLI_SHEET_H
#define RELAIS_CLI_SHEET_H

#include "base/arena.h"

/* Collect itself makes no code above this, so phones are not known to read one. */
#define RELAIS_SHEET_TEXT_MAX 4000

typedef struct relais_sheet {
    const char *url;      /* the server's address, without /formList */
    const char *name;     /* of the project in Collect */
    const char *user;     /* or NULL */
    const char *password; /* or NULL */
} relais_sheet;

/* Checks the address: http or https, a host, no credentials, no query, no /formList.
 * RELAIS_ERR_CONFIG says what to write instead. */
RELAIS_MUST_USE bool relais_sheet_check_url(const char *url, relais_error *err);

/* The settings as JSON. With `for_people` it is indented and the password is masked. */
RELAIS_MUST_USE char *relais_sheet_json(const relais_sheet *sheet, bool for_people,
                                        relais_arena *arena, relais_error *err);

/* The text of the code. */
RELAIS_MUST_USE char *relais_sheet_text(const relais_sheet *sheet, relais_arena *arena,
                                        relais_error *err);

#endif
