/*
 * What libpq understands of a connection string. See conninfo.h.
 */
#include "store/conninfo.h"

#include <libpq-fe.h>
#include <string.h>

static bool has_secret(const PQconninfoOption *options)
{
    for (; options->keyword != NULL; options++) {
        bool is_secret = strcmp(options->keyword, "password") == 0 ||
                         strcmp(options->keyword, "sslpassword") == 0;
        if (is_secret && options->val != NULL)
            return true;
    }
    return false;
}

bool relais_conninfo_check(const char *conninfo, relais_error *err)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    bool ok;

    if (options == NULL)
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "conninfo is not a connection string of PostgreSQL's: write "
                                "service=NAME, or pairs such as host=db dbname=relais user=relais");
    ok = !has_secret(options);
    PQconninfoFree(options);
    if (ok)
        return true;
    return relais_error_set(err, RELAIS_ERR_CONFIG,
                            "conninfo carries a password: take it out, put it into a password file "
                            "of mode 0600 and name that by passfile=FILE, or use a service file");
}
