/*
 * What PostgreSQL refused, told apart by class: what heals by waiting, what is one
 * submission's fault, and what a person must mend for a whole form.
 *
 * PostgreSQL's own texts are not kept where they may hold an answer (DETAIL always, the
 * primary message of classes 22, 23 and P0): the text is worded here from the SQLSTATE and
 * the names of table, column and constraint.
 */
#ifndef RELAIS_STORE_FAULT_H
#define RELAIS_STORE_FAULT_H

#include "base/error.h"

#include <libpq-fe.h>

#define RELAIS_IDENTIFIER_SIZE 64 /* PostgreSQL's NAMEDATALEN */

/* Names that the server gave with its last refusal; "" where it gave none. */
typedef struct relais_fault {
    char sqlstate[6];
    char schema[RELAIS_IDENTIFIER_SIZE];
    char table[RELAIS_IDENTIFIER_SIZE];
    char column[RELAIS_IDENTIFIER_SIZE];
    char constraint[RELAIS_IDENTIFIER_SIZE];
} relais_fault;

/* What a SQLSTATE means, in a few words for people. */
const char *relais_sqlstate_words(const char *sqlstate);

/* Whose fault it is that submissions cannot be delivered, and so what becomes of them. */
typedef enum {
    RELAIS_BLAME_DATA,    /* one submission's answers: it is refused */
    RELAIS_BLAME_MACHINE, /* one submission that a machine cannot take now: it waits */
    RELAIS_BLAME_ALL      /* nobody's among them: all wait */
} relais_blame;

/* Of an error that one submission, or one among many, met. The server's want of memory (53200)
 * is blamed on a very large file, which must not hold up the small ones. */
relais_blame relais_blame_of(const relais_error *err);

/* True when a lock could not be had in time: somebody keeps a table. */
bool relais_fault_is_lock(const relais_error *err);

/* Fills fault and err from a failed result; a NULL result or one without SQLSTATE means that
 * the connection was lost (RELAIS_ERR_TRANSIENT). Returns false. */
bool relais_fault_set(const PGconn *conn, const PGresult *result, relais_fault *fault,
                      relais_error *err);

#endif
