/*
 * Numbers as forms write them: "62", "62.0", "1.0E-4" (JavaRosa prints doubles so).
 */
#ifndef RELAIS_TRANSFORM_DECIMAL_H
#define RELAIS_TRANSFORM_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>

typedef struct relais_decimal {
    bool is_whole;   /* no fraction, whatever the notation */
    bool fits;       /* whole, and `value` holds it */
    long long value; /* when `fits` */
} relais_decimal;

/* False when the text is not a number in decimal notation. Exact: no floating point. */
bool relais_decimal_read(const char *text, size_t length, relais_decimal *out);

#endif
