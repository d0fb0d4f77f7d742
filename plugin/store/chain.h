/*
 * Which version of a record is current: a function of the versions that are known and of the
 * times at which the web servers received them, never of the order in which they arrive here.
 *
 * An edit names the version that it replaces (deprecatedID); versions so linked are one
 * record, named after its first version's instanceID. The newest version on the line from
 * the first is current, those before it are superseded. Of two edits of one version, or two
 * contents under one instanceID, the one received first stays on the line and the other is a
 * conflict, for a person to look at. The first version may never have come: then its name is
 * known from the edit, and the record is named after it all the same.
 *
 * Some servers give a submission out only in XML of their own making (Aggregate's Briefcase
 * API: other bytes, times in the server's zone). Such a copy stands for its instanceID as long
 * as the original has not come, and is superseded by it, whichever came first.
 *
 * A person may choose another version (relais conflict choose). A choice is known like a version:
 * of rivals the one chosen last stays on the line, with the edits that lead to it, and what was
 * known beside it then is superseded, no longer a conflict.
 */
#ifndef RELAIS_STORE_CHAIN_H
#define RELAIS_STORE_CHAIN_H

#include "base/uuid.h"
#include "store/state.h"

#include <stdbool.h>
#include <stddef.h>

/* A record with more versions is a client gone wild. */
#define RELAIS_CHAIN_MAX 2000

typedef enum {
    RELAIS_ROLE_CURRENT,
    RELAIS_ROLE_SUPERSEDED, /* before the current one on the line */
    RELAIS_ROLE_WAITING,    /* after the current one, not loadable */
    RELAIS_ROLE_CONFLICT    /* beside the line */
} relais_role;

typedef struct relais_version {
    char sub_id[RELAIS_UUID_TEXT_SIZE];
    const char *instance;
    const char *deprecated; /* "" when it is not an edit */
    const char *record;     /* as the ledger has it */
    relais_state ledger_state;
    relais_state state;       /* the same, or what it is known to become */
    const char *reason_class; /* why it waits, as the ledger has it; "" when it does not */
    const char *awaited;      /* array literal of the files without which it cannot be opened */
    bool is_sealed;           /* the ledger's copy can be read with a key only */
    bool is_loadable;         /* its rows may be tried */
    bool is_suspect;          /* quarantined: others are preferred for its place on the line */
    bool is_copy;             /* a server's own rendering of what a phone sent */
    long long choice;         /* the last choice of it by a person; 0: none */
    bool is_judged;           /* it was known beside what a person chose */
    long long rank;           /* found: the last choice of it, or of an edit of it */
    relais_role role;         /* found by relais_chain_resolve */
    const char *root;         /* the same: the record's name */
} relais_version;

/* `versions` in the order in which they were received. */
void relais_chain_resolve(relais_version *versions, size_t count);

#endif
