/*
 * Before the forwarder touches a parcel, and when doctor looks: whoever could read answers that are
 * not for him, or the private key where it must not be, is found and said, with the command that
 * mends it.
 */
#ifndef RELAIS_CLI_GUARD_H
#define RELAIS_CLI_GUARD_H

#include "cli/config.h"

/* Says what is doubtful on standard error. RELAIS_ERR_CONFIG when something is open that must
 * not be: the spool's directories. `seal` may be NULL. */
RELAIS_MUST_USE bool relais_guard_check(const relais_config *config, const relais_seal *seal,
                                        relais_error *err);

/* Calls `found` for each file beside the certificate that holds its private key, which should be on
 * no machine that takes submissions. */
typedef void relais_guard_key_found(void *context, const char *path);
void relais_guard_find_keys(const char *certificate, const relais_seal *seal,
                            relais_guard_key_found *found, void *context);

#endif
