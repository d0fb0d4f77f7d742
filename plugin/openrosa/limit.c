/*
 * The announced length. See limit.h.
 */
#include "openrosa/limit.h"

enum { MEGABYTE = 1048576 };

int64_t relais_limit_megabytes(int64_t bytes)
{
    return (bytes + MEGABYTE - 1) / MEGABYTE;
}

bool relais_limit_settle(int64_t accept, int64_t body, relais_limit *out)
{
    int64_t least = accept < 0 ? RELAIS_COLLECT_LIMIT : accept;

    out->megabytes = (unsigned)(body == 0 ? RELAIS_LIMIT_WITHOUT_LIMIT / 1000000 : body / MEGABYTE);
    if (out->megabytes == 0)
        out->megabytes = 1;
    out->needed = least + RELAIS_MULTIPART_OVERHEAD;
    if (accept >= 0)
        out->announced = accept;
    else
        out->announced = body == 0 ? RELAIS_LIMIT_WITHOUT_LIMIT : body - RELAIS_MULTIPART_OVERHEAD;
    return body == 0 || body >= out->needed;
}
