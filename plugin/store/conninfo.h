/*
 * The connection string of the configuration, looked at before anything connects.
 */
#ifndef RELAIS_STORE_CONNINFO_H
#define RELAIS_STORE_CONNINFO_H

#include "base/error.h"

/* RELAIS_ERR_CONFIG when libpq cannot read it, or when it carries a password: configuration
 * files are shown, copied and backed up, so secrets stay in libpq's own password file. The
 * text never repeats a part of the string. */
RELAIS_MUST_USE bool relais_conninfo_check(const char *conninfo, relais_error *err);

#endif
