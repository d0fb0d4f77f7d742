/*
 * Names of parcels: "20260302T101504.123456Z-<32 hex>.parcel". See spool.h for why.
 */
#include "spool/layout.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { RANDOM_BYTES = 16 };

/* '0' stands for a digit, 'x' for a lower-case hexadecimal digit. */
static const char shape[] = "00000000T000000.000000Z-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.parcel";

_Static_assert(sizeof shape <= RELAIS_SPOOL_NAME_SIZE, "own names fit");

static bool fill_random(uint8_t *bytes, size_t length, relais_error *err)
{
    size_t done = 0;

    while (done < length) {
        ssize_t n = getrandom(bytes + done, length - done, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return relais_error_system(err, errno, NULL, "the system gives no random bytes");
        done += (size_t)n;
    }
    return true;
}

bool relais_spool_name_make(char name[RELAIS_SPOOL_NAME_SIZE], relais_error *err)
{
    char hex[2 * RANDOM_BYTES + 1];
    uint8_t bytes[RANDOM_BYTES];
    struct timespec now;
    struct tm utc;
    char date[32];

    if (!fill_random(bytes, sizeof bytes, err))
        return false;
    relais_hex(bytes, sizeof bytes, hex);
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(date, sizeof date, "%Y%m%dT%H%M%S", &utc);
    snprintf(name, RELAIS_SPOOL_NAME_SIZE, "%.15s.%06ldZ-%s" RELAIS_PARCEL_SUFFIX, date,
             now.tv_nsec / 1000 % 1000000, hex);
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool relais_spool_name_is_own(const char *name)
{
    size_t i;

    for (i = 0; shape[i] != '\0'; i++) {
        bool fits = shape[i] == '0'   ? is_digit(name[i])
                    : shape[i] == 'x' ? is_digit(name[i]) || (name[i] >= 'a' && name[i] <= 'f')
                                      : name[i] == shape[i];
        if (!fits)
            return false;
    }
    return name[i] == '\0';
}

bool relais_spool_name_is_parcel(const char *name)
{
    const size_t suffix = sizeof RELAIS_PARCEL_SUFFIX - 1;
    size_t length = strlen(name);

    return length > suffix && length < RELAIS_SPOOL_NAME_SIZE && name[0] != '.' &&
           strchr(name, '/') == NULL && strcmp(name + length - suffix, RELAIS_PARCEL_SUFFIX) == 0;
}
