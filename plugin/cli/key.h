/*
 * The private key that opens what was sealed at rest, as the person who holds it gives it to a
 * command: a PEM file and, when that is encrypted, its passphrase from the terminal or from a
 * file descriptor, never from the command line or the environment.
 */
#ifndef RELAIS_CLI_KEY_H
#define RELAIS_CLI_KEY_H

#include "xform/seal.h"

#include <stdint.h>

/* For an option --passphrase-fd: its upper bound, and what its target holds when it was not given,
 * which asks at the terminal. */
#define RELAIS_CLI_FD_MAX   1023
#define RELAIS_CLI_TERMINAL UINT64_MAX

/* Reads the key; without a path there is none, and *out is NULL. The passphrase is asked for only
 * when the file needs one: its first line from the descriptor, else at the terminal, unseen; Ctrl-C
 * there ends the question, not the command. RELAIS_ERR_CONFIG says what to do. Freed by
 * relais_seal_key_free. */
RELAIS_MUST_USE bool relais_cli_key_read(const char *path, uint64_t passphrase_fd,
                                         relais_seal_key **out, relais_error *err);

#endif
