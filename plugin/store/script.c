/*
 * A lexer for PostgreSQL's scripts and the two patterns looked for. See script.h.
 */
#include "store/script.h"

#include <string.h>
#include <strings.h>

typedef enum { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_OTHER } token_kind;

typedef struct token {
    token_kind kind;
    const char *text; /* of a quoted identifier without the quotes */
    size_t length;
} token;

typedef struct cursor {
    const char *at, *end;
} cursor;

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

static bool starts(const cursor *c, const char *text)
{
    size_t length = strlen(text);

    return (size_t)(c->end - c->at) >= length && memcmp(c->at, text, length) == 0;
}

static void skip_line(cursor *c)
{
    while (c->at < c->end && *c->at != '\n')
        c->at++;
}

/* Comments nest in PostgreSQL. */
static void skip_comment(cursor *c)
{
    unsigned depth = 0;

    do {
        if (starts(c, "/*")) {
            depth++;
            c->at += 2;
        } else if (starts(c, "*/")) {
            depth--;
            c->at += 2;
        } else {
            c->at++;
        }
    } while (depth > 0 && c->at < c->end);
}

/* Past the closing quote; a doubled quote, or in E'' texts a backslash, does not close. */
static void skip_quoted(cursor *c, char quote, bool has_escapes)
{
    for (c->at++; c->at < c->end; c->at++) {
        if (has_escapes && *c->at == '\\' && c->at + 1 < c->end)
            c->at++;
        else if (*c->at == quote && c->at + 1 < c->end && c->at[1] == quote)
            c->at++;
        else if (*c->at == quote)
            break;
    }
    if (c->at < c->end)
        c->at++;
}

/* True, and past the body, when a dollar-quoted text begins here. */
static bool skip_dollar(cursor *c)
{
    const char *tag_end = c->at + 1;
    size_t length;

    while (tag_end < c->end && *tag_end != '$' && is_word_byte(*tag_end))
        tag_end++;
    if (tag_end >= c->end || *tag_end != '$' || (c->at[1] >= '0' && c->at[1] <= '9'))
        return false;
    length = (size_t)(tag_end - c->at) + 1;
    for (const char *at = c->at + length; at + length <= c->end; at++) {
        if (memcmp(at, c->at, length) == 0) {
            c->at = at + length;
            return true;
        }
    }
    c->at = c->end;
    return true;
}

static token take_word(cursor *c)
{
    token word = {TOKEN_WORD, c->at, 0};

    while (c->at < c->end && is_word_byte(*c->at))
        c->at++;
    word.length = (size_t)(c->at - word.text);
    if (word.length == 1 && (*word.text == 'E' || *word.text == 'e') && c->at < c->end &&
        *c->at == '\'') {
        skip_quoted(c, '\'', true);
        word.kind = TOKEN_OTHER;
    }
    return word;
}

static token take_quoted(cursor *c)
{
    token quoted = {TOKEN_QUOTED, c->at + 1, 0};

    skip_quoted(c, '"', false);
    if (c->at - quoted.text > 0)
        quoted.length = (size_t)(c->at - quoted.text) - 1;
    return quoted;
}

static token next_token(cursor *c)
{
    while (c->at < c->end) {
        if (starts(c, "--"))
            skip_line(c);
        else if (starts(c, "/*"))
            skip_comment(c);
        else if (*c->at == '"')
            return take_quoted(c);
        else if (*c->at == '\'')
            skip_quoted(c, '\'', false);
        else if (*c->at == '$' && skip_dollar(c))
            continue;
        else if (is_word_byte(*c->at) && *c->at != '$')
            return take_word(c);
        else if (strchr(" \t\r\n\f\v", *c->at) != NULL && *c->at != '\0')
            c->at++;
        else
            return (token){TOKEN_OTHER, c->at++, 1};
    }
    return (token){TOKEN_END, c->end, 0};
}

static bool is_word(token t, const char *word)
{
    return t.kind == TOKEN_WORD && t.length == strlen(word) &&
           strncasecmp(t.text, word, t.length) == 0;
}

/* A part of a name as PostgreSQL stores it: folded to lower case unless it was quoted. */
static char *name_part(token t, relais_arena *arena)
{
    char *copy = relais_arena_copy(arena, t.text, t.length);

    for (char *c = copy; c != NULL && *c != '\0' && t.kind == TOKEN_WORD; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c += 'a' - 'A';
    return copy;
}

static bool add_name(relais_names *names, const char *name, relais_arena *arena, relais_error *err)
{
    if (name != NULL && names->count == names->capacity) {
        size_t capacity = names->capacity == 0 ? 32 : names->capacity * 2;
        const char **items = relais_arena_alloc(arena, capacity * sizeof *items);
        if (items == NULL)
            return relais_arena_error(arena, err);
        if (names->count > 0)
            memcpy(items, names->items, names->count * sizeof *items);
        names->items = items;
        names->capacity = capacity;
    }
    if (name == NULL)
        return relais_arena_error(arena, err);
    names->items[names->count++] = name;
    return true;
}

/* After CREATE TABLE: [IF NOT EXISTS] name ["." name]. */
static bool take_table(cursor *c, relais_names *out, relais_arena *arena, relais_error *err)
{
    token first = next_token(c);
    const char *name;
    cursor ahead;
    token dot;

    if (is_word(first, "if")) {
        next_token(c);
        next_token(c);
        first = next_token(c);
    }
    if (first.kind != TOKEN_WORD && first.kind != TOKEN_QUOTED)
        return true;
    name = name_part(first, arena);
    ahead = *c;
    dot = next_token(&ahead);
    if (name != NULL && dot.kind == TOKEN_OTHER && *dot.text == '.') {
        const char *part = name_part(next_token(&ahead), arena);
        *c = ahead;
        name = part == NULL ? NULL : relais_arena_format(arena, "%s.%s", name, part);
    }
    return add_name(out, name, arena, err);
}

bool relais_script_tables(const char *sql, size_t length, relais_names *out, relais_arena *arena,
                          relais_error *err)
{
    cursor c = {sql, sql + length};
    bool after_create = false;

    for (token t = next_token(&c); t.kind != TOKEN_END; t = next_token(&c)) {
        if (is_word(t, "table") && after_create) {
            if (!take_table(&c, out, arena, err))
                return false;
            after_create = false;
        } else {
            after_create = is_word(t, "create") || (after_create && is_word(t, "unlogged"));
        }
    }
    return true;
}

static bool is_transaction_word(token t)
{
    static const char *const words[] = {"begin", "start", "commit", "rollback", "abort"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (is_word(t, words[i]))
            return true;
    return false;
}

static long line_of(const char *sql, const char *at)
{
    long line = 1;

    for (; sql < at; sql++)
        line += *sql == '\n';
    return line;
}

long relais_script_transaction(const char *sql, size_t length)
{
    cursor c = {sql, sql + length};
    bool is_first = true; /* word of a statement */

    for (token t = next_token(&c); t.kind != TOKEN_END; t = next_token(&c)) {
        if (is_first && is_transaction_word(t))
            return line_of(sql, t.text);
        is_first = t.kind == TOKEN_OTHER && t.length == 1 && *t.text == ';';
    }
    return 0;
}
