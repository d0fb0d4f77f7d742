/*
 * One transfer by libcurl: a request goes out, its answer comes in, and what stands in the way
 * is told apart into what may pass and what will not.
 */
#ifndef RELAIS_SOURCES_TRANSFER_H
#define RELAIS_SOURCES_TRANSFER_H

#include "sources/address.h"
#include "sources/http.h"

typedef struct relais_transfer relais_transfer;

typedef enum {
    RELAIS_TRANSFER_ANSWERED, /* with some status */
    RELAIS_TRANSFER_LOST,     /* err says how: worth another try */
    RELAIS_TRANSFER_REFUSED,  /* err says why: no try will help */
    RELAIS_TRANSFER_STOPPED
} relais_transfer_end;

typedef struct relais_reception {
    long status;          /* 0 when there was none */
    const char *location; /* of a redirect, or NULL; valid until the next transfer */
    double retry_after;   /* seconds, 0 when the server names none */
    time_t date;
} relais_reception;

RELAIS_MUST_USE relais_transfer *relais_transfer_create(const relais_site *site);
void relais_transfer_destroy(relais_transfer *transfer);

/* `authorization` is a whole header line, or "". */
RELAIS_MUST_USE relais_transfer_end relais_transfer_run(relais_transfer *transfer,
                                                        const relais_ask *ask,
                                                        const relais_address *address,
                                                        const char *authorization,
                                                        relais_reception *got, relais_error *err);

#endif
