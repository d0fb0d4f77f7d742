/*
 * Counting '=' outside of quotes between '<' and '>'. See tags.h.
 */
#include "openrosa/tags.h"

#include <string.h>
#include <strings.h>

/* An XML declaration is at most this long in any writer's habit. */
enum { DECLARATION_MAX = 512 };

static bool is_wide(const char *bytes, size_t length)
{
    return length >= 4 && (memchr(bytes, 0, 4) != NULL || memcmp(bytes, "\xfe\xff", 2) == 0 ||
                           memcmp(bytes, "\xff\xfe", 2) == 0);
}

/* '<' stands in no value: phones that write one there have it mended before it is parsed. So each
 * '<' begins anew, and nothing that stands before an element can hide its attributes. */
static void pass_byte(relais_tags *tags, char byte)
{
    if (byte == '<')
        *tags = (relais_tags){.is_begun = true, .is_in_tag = true, .is_first = true};
    else if (!tags->is_in_tag)
        return;
    else if (tags->quote != 0)
        tags->quote = byte == tags->quote ? 0 : tags->quote;
    else if (byte == '"' || byte == '\'')
        tags->quote = byte;
    else if (byte == '=')
        tags->count++;
    else if (byte == '>' || (tags->is_first && (byte == '!' || byte == '?')))
        tags->is_in_tag = false;
    tags->is_first = byte == '<';
}

size_t relais_tags_pass(relais_tags *tags, const char *bytes, size_t length)
{
    unsigned maximum;

    if (!tags->is_begun) {
        tags->is_begun = true;
        tags->is_wide = is_wide(bytes, length);
    }
    maximum = tags->is_wide ? RELAIS_ATTRIBUTES_WIDE_MAX : RELAIS_ATTRIBUTES_MAX;
    for (size_t i = 0; i < length; i++) {
        if (tags->is_wide)
            tags->count += bytes[i] == '=';
        else
            pass_byte(tags, bytes[i]);
        if (tags->count > maximum)
            return i;
    }
    return length;
}

/* The beginning as text: without NULs, which is how UTF-16 writes ASCII. */
static void copy_head(const char *bytes, size_t length, char head[DECLARATION_MAX + 1])
{
    size_t n = 0;

    for (size_t i = 0; i < length && n < DECLARATION_MAX; i++)
        if (bytes[i] != '\0')
            head[n++] = bytes[i];
    head[n] = '\0';
}

static bool is_countable(const char *name, bool is_wide)
{
    static const char *const plain[] = {"utf-8",     "utf8",  "us-ascii",   "ascii",
                                        "iso-8859-", "latin", "windows-125"};

    if (is_wide)
        return strncasecmp(name, "utf-16", 6) == 0;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (strncasecmp(name, plain[i], strlen(plain[i])) == 0)
            return true;
    return false;
}

bool relais_tags_can_count(const char *bytes, size_t length)
{
    char head[DECLARATION_MAX + 1];
    const char *start;
    char *end, *encoding;

    if (length >= 4 && memcmp(bytes, "\x4c\x6f\xa7\x94", 4) == 0)
        return false; /* "<?xm" in EBCDIC */
    copy_head(bytes, length, head);
    start = strstr(head, "<?xml");
    if (start == NULL || start - head > 3) /* a BOM may stand before it */
        return true;
    end = strstr(start, "?>");
    if (end == NULL)
        return length < DECLARATION_MAX; /* cut: it will not be parsed far */
    *end = '\0';
    encoding = strstr(head, "encoding");
    if (encoding == NULL)
        return true;
    encoding = strpbrk(encoding, "\"'");
    return encoding != NULL && is_countable(encoding + 1, is_wide(bytes, length));
}
