/*
 * A tokenizer just good enough to know text from tags from attribute values. See repair.h.
 */
#include "xform/repair.h"

#include <stdint.h>
#include <string.h>

struct scanner {
    const char *p;
    const char *end;
    char quote; /* of the attribute value we are in, or NUL */
    bool in_tag;
    relais_buffer *out;
    relais_repairs *made;
};

enum { NOT_A_CHARACTER = 0x110000, REPLACEMENT = 0xfffd };

/* ---- references ------------------------------------------------------------------------- */

static int digit_value(char c, unsigned base)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (base == 16 && c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (base == 16 && c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Reads "&#...;" at p: its length, or 0 when it is not one. Past Unicode, however long the
 * number, the code is NOT_A_CHARACTER. */
static size_t read_reference(const char *p, const char *end, uint32_t *code)
{
    const char *start = p;
    unsigned base = 10;
    size_t digits = 0;

    if (end - p < 4 || p[0] != '&' || p[1] != '#')
        return 0;
    p += 2;
    if (*p == 'x') {
        base = 16;
        p++;
    }
    *code = 0;
    for (int d; p < end && (d = digit_value(*p, base)) >= 0; p++, digits++) {
        *code = *code * base + (unsigned)d;
        if (*code > NOT_A_CHARACTER)
            *code = NOT_A_CHARACTER;
    }
    return digits > 0 && p < end && *p == ';' ? (size_t)(p + 1 - start) : 0;
}

/* XML 1.0 section 2.2, production Char. */
static bool is_xml_character(uint32_t code)
{
    return code == 0x9 || code == 0xa || code == 0xd || (code >= 0x20 && code <= 0xd7ff) ||
           (code >= 0xe000 && code <= 0xfffd) || (code >= 0x10000 && code <= 0x10ffff);
}

static void append_utf8(relais_buffer *out, uint32_t code)
{
    char bytes[4] = {(char)(0xf0 | code >> 18), (char)(0x80 | (code >> 12 & 0x3f)),
                     (char)(0x80 | (code >> 6 & 0x3f)), (char)(0x80 | (code & 0x3f))};

    if (code < 0x10000) {
        bytes[1] = (char)(0xe0 | code >> 12);
        relais_buffer_append(out, bytes + 1, 3);
    } else {
        relais_buffer_append(out, bytes, 4);
    }
}

static bool is_high_surrogate(uint32_t code)
{
    return code >= 0xd800 && code <= 0xdbff;
}

static bool is_low_surrogate(uint32_t code)
{
    return code >= 0xdc00 && code <= 0xdfff;
}

/* Takes a reference, or the '&' that only looks like one. */
static void take_reference(struct scanner *s)
{
    uint32_t code, low;
    size_t length = read_reference(s->p, s->end, &code), more;

    if (length == 0 || is_xml_character(code)) {
        length = length == 0 ? 1 : length;
        relais_buffer_append(s->out, s->p, length);
    } else if (is_high_surrogate(code) &&
               (more = read_reference(s->p + length, s->end, &low)) > 0 && is_low_surrogate(low)) {
        append_utf8(s->out, 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00));
        s->made->surrogates++;
        length += more;
    } else {
        append_utf8(s->out, REPLACEMENT);
        s->made->forbidden++;
    }
    s->p += length;
}

/* ---- the scan --------------------------------------------------------------------------- */

/* Sections whose content is not markup and holds no references. */
static const struct section {
    const char *begin;
    const char *end;
} sections[] = {{"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}};

/* Copies a comment, CDATA section or instruction whole; false when none begins here. */
static bool take_section(struct scanner *s)
{
    size_t left = (size_t)(s->end - s->p);

    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        size_t n = strlen(sections[i].begin);
        const char *stop;
        if (left < n || memcmp(s->p, sections[i].begin, n) != 0)
            continue;
        stop = memmem(s->p + n, left - n, sections[i].end, strlen(sections[i].end));
        n = stop == NULL ? left : (size_t)(stop - s->p) + strlen(sections[i].end);
        relais_buffer_append(s->out, s->p, n);
        s->p += n;
        return true;
    }
    return false;
}

static void take_plain(struct scanner *s)
{
    relais_buffer_append_char(s->out, *s->p++);
}

static void take_in_value(struct scanner *s)
{
    if (*s->p == '&') {
        take_reference(s);
    } else if (*s->p == '<') {
        relais_buffer_append_text(s->out, "&lt;");
        s->made->less_thans++;
        s->p++;
    } else {
        if (*s->p == s->quote)
            s->quote = '\0';
        take_plain(s);
    }
}

static void take_in_tag(struct scanner *s)
{
    if (*s->p == '"' || *s->p == '\'')
        s->quote = *s->p;
    else if (*s->p == '>')
        s->in_tag = false;
    take_plain(s);
}

static void take_in_text(struct scanner *s)
{
    if (*s->p == '&') {
        take_reference(s);
    } else if (*s->p != '<') {
        take_plain(s);
    } else if (!take_section(s)) {
        s->in_tag = true;
        take_plain(s);
    }
}

bool relais_xml_repair(const char *xml, size_t length, relais_buffer *out, relais_repairs *made)
{
    struct scanner s = {.p = xml, .end = xml + length, .out = out, .made = made};

    memset(made, 0, sizeof *made);
    while (s.p < s.end) {
        if (s.quote != '\0')
            take_in_value(&s);
        else if (s.in_tag)
            take_in_tag(&s);
        else
            take_in_text(&s);
    }
    return out->failed == RELAIS_ERR_NONE &&
           made->surrogates + made->forbidden + made->less_thans > 0;
}

/* ---- words ------------------------------------------------------------------------------ */

static void say(relais_buffer *out, size_t count, const char *text)
{
    if (count > 0)
        relais_buffer_append_format(out, "%s%s (%zu times)", out->length > 0 ? "; " : "", text,
                                    count);
}

void relais_repairs_say(const relais_repairs *made, const char *undeclared, relais_buffer *out)
{
    say(out, made->surrogates, "a pair of references to surrogates became its one character");
    say(out, made->forbidden, "a reference to a character that XML forbids became U+FFFD");
    say(out, made->less_thans, "a '<' in an attribute became &lt;");
    if (undeclared[0] != '\0')
        relais_buffer_append_format(out, "%sundeclared namespace prefixes were removed: %s",
                                    out->length > 0 ? "; " : "", undeclared);
}
