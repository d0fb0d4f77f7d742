/*
 * The states of a received version, as the ledger's CHECK has them.
 */
#ifndef RELAIS_STORE_STATE_H
#define RELAIS_STORE_STATE_H

#include <stdbool.h>

typedef enum {
    RELAIS_STATE_DELIVERED,   /* current: its rows stand */
    RELAIS_STATE_PARTIAL,     /* current: its rows stand, files that answers name are missing */
    RELAIS_STATE_HELD,        /* waits for a row that it refers to; tried again */
    RELAIS_STATE_QUARANTINED, /* a person must look; its parcel lies in the spool's quarantine */
    RELAIS_STATE_SUPERSEDED,  /* a later version of the record is current */
    RELAIS_STATE_CONFLICT,    /* kept for review beside a version received earlier */
    RELAIS_STATE_ERASED,      /* its answers were erased on request */
    RELAIS_STATE_COUNT
} relais_state;

const char *relais_state_word(relais_state state);

/* RELAIS_STATE_COUNT for a word that is none of them. */
relais_state relais_state_read(const char *word);

/* True for the two states whose rows stand in the national tables. */
static inline bool relais_state_is_current(relais_state state)
{
    return state == RELAIS_STATE_DELIVERED || state == RELAIS_STATE_PARTIAL;
}

#endif
