/*
 * The root's two ends. See whole.h.
 */
#include "sources/whole.h"

#include "base/text.h"

#include <string.h>

typedef struct span {
    const char *at, *end;
} span;

static bool begins(span text, const char *with)
{
    size_t length = strlen(with);

    return (size_t)(text.end - text.at) >= length && memcmp(text.at, with, length) == 0;
}

/* Past the next `mark`; to the end when there is none. */
static const char *past(span text, const char *mark)
{
    const char *found = memmem(text.at, (size_t)(text.end - text.at), mark, strlen(mark));

    return found == NULL ? text.end : found + strlen(mark);
}

/* To the root's '<': past a byte order mark, white space, declarations and comments. */
static span skip_prolog(span text)
{
    if (begins(text, "\xEF\xBB\xBF"))
        text.at += 3;
    for (;;) {
        while (text.at < text.end && relais_is_space(*text.at))
            text.at++;
        if (begins(text, "<!--"))
            text.at = past(text, "-->");
        else if (begins(text, "<?"))
            text.at = past(text, "?>");
        else
            return text;
    }
}

static bool is_name_end(char c)
{
    return relais_is_space(c) || c == '>' || c == '/';
}

/* "</name>" stands at the very end, or the whole root is "<name .../>". */
static bool is_closed(span root)
{
    const char *name = root.at + 1;
    size_t length = 0, left;
    const char *at = root.end;

    while (name + length < root.end && !is_name_end(name[length]))
        length++;
    while (at > root.at && relais_is_space(at[-1]))
        at--;
    if (at == root.at || *--at != '>')
        return false;
    if (at > name && at[-1] == '/')
        return memchr(name, '>', (size_t)(at - name)) == NULL;
    while (at > root.at && relais_is_space(at[-1]))
        at--;
    left = (size_t)(at - root.at);
    return left >= length + 2 && memcmp(at - length, name, length) == 0 &&
           memcmp(at - length - 2, "</", 2) == 0;
}

bool relais_xml_is_whole(const char *xml, size_t length, relais_error *err)
{
    span root = skip_prolog((span){xml, xml + length});

    if (root.at < root.end && *root.at == '<' && is_closed(root))
        return true;
    return relais_error_set(err, RELAIS_ERR_DATA,
                            "the XML that the server sent is cut, or is none (%zu bytes); it is "
                            "asked for again next time",
                            length);
}
