/*
 * Options of a command, by getopt_long: unique prefixes are accepted, and a mistake prints
 * what was possible and what was probably meant.
 */
#ifndef RELAIS_CLI_OPTIONS_H
#define RELAIS_CLI_OPTIONS_H

#include "cli/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    RELAIS_OPTION_FLAG,  /* `target` is a bool that becomes true */
    RELAIS_OPTION_TEXT,  /* `target` is a const char * */
    RELAIS_OPTION_NUMBER /* `target` is a uint64_t, `minimum` .. `maximum` */
} relais_option_kind;

typedef struct relais_option {
    const char *name; /* without the dashes */
    relais_option_kind kind;
    void *target;
    uint64_t minimum, maximum;
} relais_option;

/* A command has a handful of options; getopt's own table is built on the stack. */
#define RELAIS_OPTIONS_MAX 16

/* Where the operands begin, and whether the command goes on or ends with an exit code. */
typedef struct relais_operands {
    int first;
    bool is_done;
    int exit_code;
} relais_operands;

/* Reads the options of argv[0]. --help is understood for every command and prints its help.
 * Options may stand among operands. */
relais_operands relais_options_read(const relais_option *options, size_t count, int argc,
                                    char **argv);

/* The same for what stands before the command: stops at the first operand. */
relais_operands relais_options_read_first(const relais_option *options, size_t count, int argc,
                                          char **argv);

/* Ends a command that was called wrongly, once what is wrong has been said: prints the usage
 * line and returns the exit code. */
int relais_usage_error(const char *command);

/* The row of the action that argv[first] names, of the command argv[0]. NULL: it has been said
 * what was possible, and the command ends with RELAIS_EXIT_USAGE. */
const void *relais_action_choose(relais_names actions, int argc, char **argv, int first);

#endif
