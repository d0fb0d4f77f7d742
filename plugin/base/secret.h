/*
 * A secret read from a file: kept out of swap and core dumps where the system allows it, and
 * wiped when it is no longer needed.
 *
 * A secret's file must be closed to strangers: nobody but its owner may write it, and only the
 * owner and one group may read it (mode 0600 or 0640). Its bytes are those of the file without
 * white space at the end, so that a secret made by `openssl rand -hex 32` and one that passed
 * through an editor are the same.
 */
#ifndef RELAIS_BASE_SECRET_H
#define RELAIS_BASE_SECRET_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct relais_secret relais_secret;

/* RELAIS_ERR_SYSTEM when the file cannot be read, RELAIS_ERR_CONFIG when it is open to others,
 * shorter than `minimum` bytes or longer than `maximum`. */
RELAIS_MUST_USE bool relais_secret_read(const char *path, size_t minimum, size_t maximum,
                                        relais_secret **out, relais_error *err);

/* Wipes and frees. NULL is allowed. */
void relais_secret_free(relais_secret *secret);

/* For a program that will hold secrets or answers: no core dump of it is written, and no other
 * program of the same user may look into its memory. A system that cannot do it is no worse. */
void relais_secret_forbid_dumps(void);

const uint8_t *relais_secret_bytes(const relais_secret *secret, size_t *length);

#endif
