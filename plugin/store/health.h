/*
 * What a connection says about the server behind it: for whoever looks at an installation.
 */
#ifndef RELAIS_STORE_HEALTH_H
#define RELAIS_STORE_HEALTH_H

#include "store/store.h"

typedef struct relais_store_health {
    int version;            /* as PostgreSQL numbers itself: 150018 */
    bool is_local;          /* by a socket, or on a loopback address */
    bool is_encrypted;      /* by TLS */
    bool is_durable;        /* fsync and synchronous_commit are on */
    bool is_discreet;       /* its log quotes neither refused rows nor statements: logging.sql */
    bool is_read_only;      /* a standby, or default_transaction_read_only */
    bool has_ledger;        /* relais.submission is there */
    bool may_write;         /* into the ledger */
    bool may_read_identity; /* the forwarder must not */
    double skew;            /* seconds by which the server's clock is ahead of this machine's */
} relais_store_health;

RELAIS_MUST_USE bool relais_store_health_read(relais_store *store, relais_store_health *out,
                                              relais_error *err);

#endif
