/*
 * Decimal numbers, read exactly. See decimal.h.
 */
#include "transform/decimal.h"

#include <string.h>

enum { EXPONENT_MAX = 400 }; /* a Java double ends at 308 */

struct scan {
    const char *next, *end;
    const char *first;    /* the first digit that is not a leading zero */
    const char *last;     /* behind the last digit that is not zero */
    int digits;           /* of the mantissa */
    int fraction;         /* digits after the point */
    int zeros_after_last; /* digits after `last`, in the mantissa */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void scan_digits(struct scan *scan, bool is_fraction)
{
    for (; scan->next < scan->end && is_digit(*scan->next); scan->next++) {
        scan->digits++;
        scan->fraction += is_fraction;
        scan->zeros_after_last++;
        if (*scan->next == '0')
            continue;
        if (scan->first == NULL)
            scan->first = scan->next;
        scan->last = scan->next + 1;
        scan->zeros_after_last = 0;
    }
}

static bool scan_exponent(struct scan *scan, int *out)
{
    bool is_negative = false;
    const char *start;

    *out = 0;
    if (scan->next == scan->end)
        return true;
    if (*scan->next != 'e' && *scan->next != 'E')
        return false;
    scan->next++;
    if (scan->next < scan->end && (*scan->next == '-' || *scan->next == '+'))
        is_negative = *scan->next++ == '-';
    for (start = scan->next; scan->next < scan->end && is_digit(*scan->next); scan->next++)
        if (*out <= EXPONENT_MAX)
            *out = *out * 10 + (*scan->next - '0');
    if (scan->next == start || scan->next != scan->end || *out > EXPONENT_MAX)
        return false;
    if (is_negative)
        *out = -*out;
    return true;
}

static bool push_digit(long long *value, bool is_negative, int digit)
{
    return !__builtin_mul_overflow(*value, 10LL, value) &&
           !__builtin_add_overflow(*value, is_negative ? -digit : digit, value);
}

/* The digits from `first` to `last`, then `zeros` zeros. */
static bool make_value(const struct scan *scan, bool is_negative, int zeros, long long *out)
{
    *out = 0;
    for (const char *p = scan->first; p < scan->last; p++)
        if (*p != '.' && !push_digit(out, is_negative, *p - '0'))
            return false;
    for (; zeros > 0; zeros--)
        if (!push_digit(out, is_negative, 0))
            return false;
    return true;
}

bool relais_decimal_read(const char *text, size_t length, relais_decimal *out)
{
    struct scan scan = {.next = text, .end = text + length};
    bool is_negative = false;
    int exponent, zeros;

    *out = (relais_decimal){0};
    if (length > 0 && (*text == '-' || *text == '+'))
        is_negative = *scan.next++ == '-';
    scan_digits(&scan, false);
    if (scan.next < scan.end && *scan.next == '.') {
        scan.next++;
        scan_digits(&scan, true);
    }
    if (scan.digits == 0 || !scan_exponent(&scan, &exponent))
        return false;
    zeros = exponent - scan.fraction + scan.zeros_after_last;
    out->is_whole = scan.first == NULL || zeros >= 0;
    if (scan.first == NULL)
        out->fits = true;
    else
        out->fits = out->is_whole && make_value(&scan, is_negative, zeros, &out->value);
    return true;
}
