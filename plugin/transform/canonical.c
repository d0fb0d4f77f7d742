/*
 * Canonical forms. See canonical.h.
 *
 * Names pass through a row of steps over code points, each a sentence of the header, in its
 * order: a step sees what the one before made.
 */
#include "transform/canonical.h"

#include "base/text.h"

#include <utf8proc.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- From text to code points and back ---- */

typedef struct points {
    utf8proc_int32_t *items;
    size_t count;
} points;

static bool is_accent(utf8proc_int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);

    return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC ||
           category == UTF8PROC_CATEGORY_ME;
}

static utf8proc_int32_t to_upper(utf8proc_int32_t c, void *data)
{
    (void)data;
    return utf8proc_toupper(c);
}

/* Upper case and NFKD. Upper case again, for what NFKD takes apart (the ligature "fi"). */
static bool decompose(const char *text, points *out)
{
    const utf8proc_option_t options = UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT;
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text;
    utf8proc_ssize_t length = (utf8proc_ssize_t)strlen(text), count;

    count = utf8proc_decompose_custom(bytes, length, NULL, 0, options, to_upper, NULL);
    if (count < 0)
        return false;
    out->items = malloc(((size_t)count + 1) * sizeof *out->items);
    if (out->items == NULL)
        return false;
    count = utf8proc_decompose_custom(bytes, length, out->items, count, options, to_upper, NULL);
    out->count = count < 0 ? 0 : (size_t)count;
    for (size_t i = 0; i < out->count; i++)
        out->items[i] = utf8proc_toupper(out->items[i]);
    return true;
}

static void append_points(const points *text, relais_buffer *out)
{
    utf8proc_uint8_t bytes[4];

    for (size_t i = 0; i < text->count; i++)
        relais_buffer_append(out, bytes, (size_t)utf8proc_encode_char(text->items[i], bytes));
}

/* ---- The steps ---- */

/* Modifier letters (U+02BC, an apostrophe) are letters to Unicode, and to nobody else. */
static bool is_letter(utf8proc_int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);

    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
           category == UTF8PROC_CATEGORY_LT || category == UTF8PROC_CATEGORY_LO;
}

static bool is_letter_or_digit(utf8proc_int32_t c)
{
    return is_letter(c) || utf8proc_category(c) == UTF8PROC_CATEGORY_ND;
}

static bool is_no_accent(utf8proc_int32_t c)
{
    return !is_accent(c);
}

static bool is_no_h(utf8proc_int32_t c)
{
    return c != 'H';
}

static void keep_only(points *text, bool (*is_kept)(utf8proc_int32_t))
{
    size_t kept = 0;

    for (size_t i = 0; i < text->count; i++)
        if (is_kept(text->items[i]))
            text->items[kept++] = text->items[i];
    text->count = kept;
}

static bool is_vowel(utf8proc_int32_t c)
{
    return c != 0 && c < 0x80 && strchr("AEIOUY", (int)c) != NULL;
}

static bool is_any(utf8proc_int32_t c)
{
    (void)c;
    return true;
}

/* Each pair of letters, where what comes after it will do, becomes the one letter. */
static void replace_pairs(points *text, const char *pair, utf8proc_int32_t by,
                          bool (*goes_before)(utf8proc_int32_t))
{
    size_t kept = 0;

    for (size_t i = 0; i < text->count; i++) {
        bool is_pair = i + 1 < text->count && text->items[i] == pair[0] &&
                       text->items[i + 1] == pair[1] &&
                       goes_before(i + 2 < text->count ? text->items[i + 2] : 0);
        text->items[kept++] = is_pair ? by : text->items[i];
        i += is_pair;
    }
    text->count = kept;
}

static void replace(points *text, utf8proc_int32_t letter, utf8proc_int32_t by)
{
    for (size_t i = 0; i < text->count; i++)
        if (text->items[i] == letter)
            text->items[i] = by;
}

static void single_doubles(points *text)
{
    size_t kept = 0;

    for (size_t i = 0; i < text->count; i++)
        if (kept == 0 || text->items[kept - 1] != text->items[i])
            text->items[kept++] = text->items[i];
    text->count = kept;
}

/* ---- The forms ---- */

void relais_canonical_name(const char *text, relais_buffer *out)
{
    points name;

    if (!decompose(text, &name))
        return;
    keep_only(&name, is_no_accent);
    keep_only(&name, is_letter);
    replace_pairs(&name, "PH", 'F', is_any);
    keep_only(&name, is_no_h);
    replace_pairs(&name, "OU", 'W', is_vowel);
    replace(&name, 'V', 'W');
    replace(&name, 'Y', 'I');
    single_doubles(&name);
    append_points(&name, out);
    explicit_bzero(name.items, name.count * sizeof *name.items);
    free(name.items);
}

void relais_canonical_code(const char *text, relais_buffer *out)
{
    points code;

    if (!decompose(text, &code))
        return;
    keep_only(&code, is_no_accent);
    keep_only(&code, is_letter_or_digit);
    append_points(&code, out);
    explicit_bzero(code.items, code.count * sizeof *code.items);
    free(code.items);
}

/* E.164 section 6: at most 15 digits; no national plan has a whole number below 8. */
enum { PHONE_DIGITS_MIN = 8, PHONE_DIGITS_MAX = 15 };

/* The digits of a number, and whether it begins with "+". False for any other character, and
 * for too many digits. */
static bool read_digits(const char *text, char digits[PHONE_DIGITS_MAX + 3], size_t *count,
                        bool *has_plus)
{
    *has_plus = *text == '+';
    *count = 0;
    for (text += *has_plus; *text != '\0'; text++) {
        if (*text >= '0' && *text <= '9' && *count < PHONE_DIGITS_MAX + 2)
            digits[(*count)++] = *text;
        else if (strchr(" .-/()\t\r\n", *text) == NULL)
            return false;
    }
    digits[*count] = '\0';
    return true;
}

void relais_canonical_phone(const char *text, const char *country, size_t national,
                            relais_buffer *out)
{
    char digits[PHONE_DIGITS_MAX + 3], *start = digits;
    size_t code = strlen(country), count;
    bool has_plus;

    while (relais_is_space(*text))
        text++;
    if (!read_digits(text, digits, &count, &has_plus))
        return;
    if (!has_plus && strncmp(digits, "00", 2) == 0) {
        has_plus = true;
        start += 2;
        count -= 2;
    }
    if (!has_plus && count == national)
        relais_buffer_append_format(out, "+%s%s", country, start);
    else if ((has_plus && count >= PHONE_DIGITS_MIN && count <= PHONE_DIGITS_MAX) ||
             (!has_plus && count == code + national && strncmp(start, country, code) == 0))
        relais_buffer_append_format(out, "+%s", start);
}
