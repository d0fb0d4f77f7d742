/*
 * The table of commands: each is one file, one row in the table of relais.c.
 */
#ifndef RELAIS_CLI_COMMAND_H
#define RELAIS_CLI_COMMAND_H

#include "cli/config.h"

#include <stdio.h>

/* Exit codes, the same for every command. */
enum {
    RELAIS_EXIT_OK = 0,
    RELAIS_EXIT_FAILED = 1, /* ran, and found or met something that a person must mend */
    RELAIS_EXIT_USAGE = 2,  /* was called wrongly */
    RELAIS_EXIT_LATER = 3   /* could not run now: database or spool not reachable */
};

typedef struct relais_command {
    const char *name;
    int (*run)(const relais_config *config, int argc, char **argv); /* argv[0] is the name */
    bool needs_config;     /* else `config` is NULL, and a faulty file is no obstacle */
    const char *arguments; /* for the usage line */
    const char *summary;   /* one line for `relais help`; marked for translation */
    const char *help;      /* the whole help text; marked for translation */
} relais_command;

int relais_command_forward(const relais_config *config, int argc, char **argv);
int relais_command_check(const relais_config *config, int argc, char **argv);
int relais_command_plan(const relais_config *config, int argc, char **argv);
int relais_command_status(const relais_config *config, int argc, char **argv);
int relais_command_quarantine(const relais_config *config, int argc, char **argv);
int relais_command_replay(const relais_config *config, int argc, char **argv);
int relais_command_conflict(const relais_config *config, int argc, char **argv);
int relais_command_erase(const relais_config *config, int argc, char **argv);
int relais_command_link(const relais_config *config, int argc, char **argv);
int relais_command_reconcile(const relais_config *config, int argc, char **argv);
int relais_command_pull(const relais_config *config, int argc, char **argv);
int relais_command_device(const relais_config *config, int argc, char **argv);
int relais_command_import(const relais_config *config, int argc, char **argv);
int relais_command_form(const relais_config *config, int argc, char **argv);
int relais_command_doctor(const relais_config *config, int argc, char **argv);

/* The usage line of a command, or of the whole when the name is not a command's. */
void relais_command_usage(FILE *out, const char *name);

/* The whole help of a command, or of the whole, on standard output. */
void relais_command_help(const char *name);

#endif
