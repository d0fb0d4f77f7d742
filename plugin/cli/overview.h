/*
 * What lies in the spool, counted: without the database, and without opening bodies.
 */
#ifndef RELAIS_CLI_OVERVIEW_H
#define RELAIS_CLI_OVERVIEW_H

#include "base/arena.h"
#include "cli/config.h"

/* The classes are a dozen words; what does not fit is counted as "other". */
#define RELAIS_CLASSES_MAX 32

typedef struct relais_class_count {
    const char *word;
    size_t count;
} relais_class_count;

typedef struct relais_overview {
    size_t waiting;
    const char *oldest; /* when the oldest waiting parcel was received, ISO 8601; "" when none */
    size_t quarantined;
    relais_class_count classes[RELAIS_CLASSES_MAX];
    size_t class_count;
} relais_overview;

RELAIS_MUST_USE bool relais_overview_read(const relais_config *config, relais_arena *arena,
                                          relais_overview *out, relais_error *err);

#endif
