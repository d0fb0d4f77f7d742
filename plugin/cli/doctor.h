/*
 * relais doctor: what its checks share. Each check looks at one part of an installation and
 * says what it found; doctor.c has the table of them and prints.
 */
#ifndef RELAIS_CLI_DOCTOR_H
#define RELAIS_CLI_DOCTOR_H

#include "cli/command.h"
#include "cli/webconf.h"

#include <jansson.h>

typedef enum {
    RELAIS_FINDING_OK,
    RELAIS_FINDING_NOTE,  /* could not be looked at, or worth knowing */
    RELAIS_FINDING_WARN,  /* works, and will hurt */
    RELAIS_FINDING_FAULT, /* submissions are lost, refused or late until it is mended */
} relais_finding;

typedef struct relais_doctor {
    const relais_config *config;
    relais_arena *arena;
    const char *part;       /* name of the check that speaks */
    const char *nginx_dump; /* file with what `nginx -T` printed; NULL: it is asked */
    const char *url;        /* as phones know it; NULL: not looked at */
    const char *web_user;   /* NULL: as nginx's configuration says, else www-data */
    json_t *list;           /* NULL: lines for people */
    size_t counts[RELAIS_FINDING_FAULT + 1];
} relais_doctor;

/* Says one finding: a sentence, in the user's language. */
void relais_doctor_say(relais_doctor *doctor, relais_finding finding, const char *format, ...)
    RELAIS_PRINTF(3, 4);

/* Adds to the finding just said what is to be done: a command, or the line to write and where. */
void relais_doctor_advise(relais_doctor *doctor, const char *format, ...) RELAIS_PRINTF(2, 3);

/* Says an error as a finding. */
void relais_doctor_say_error(relais_doctor *doctor, relais_finding finding,
                             const relais_error *err);

/* The checks. The web server's comes first: it finds out who the web user is. */
void relais_doctor_nginx(relais_doctor *doctor);
void relais_doctor_apache(relais_doctor *doctor);
void relais_doctor_spool(relais_doctor *doctor);
void relais_doctor_secrets(relais_doctor *doctor);
void relais_doctor_store(relais_doctor *doctor);
void relais_doctor_address(relais_doctor *doctor);

#endif
