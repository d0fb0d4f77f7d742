/*
 * The words of an XPath expression. See lexer.h.
 *
 * Names with a prefix are refused here: a submission's namespaces are removed before a
 * mapping sees it, so that such a name could never match.
 */
#include "transform/lexer.h"

#include "base/text.h"

#include <string.h>

static const struct {
    const char *text;
    relais_lex_kind kind;
} signs[] = {
    /* Longer ones first: the first that fits is taken. */
    {"//", RELAIS_LEX_SLASHES},     {"..", RELAIS_LEX_DOTS},     {"::", RELAIS_LEX_AXIS},
    {"!=", RELAIS_LEX_OPERATOR},    {"<=", RELAIS_LEX_OPERATOR}, {">=", RELAIS_LEX_OPERATOR},
    {"/", RELAIS_LEX_SLASH},        {".", RELAIS_LEX_DOT},       {"@", RELAIS_LEX_AT},
    {"(", RELAIS_LEX_OPEN},         {")", RELAIS_LEX_CLOSE},     {"[", RELAIS_LEX_OPEN_SQUARE},
    {"]", RELAIS_LEX_CLOSE_SQUARE}, {",", RELAIS_LEX_COMMA},     {"=", RELAIS_LEX_OPERATOR},
    {"<", RELAIS_LEX_OPERATOR},     {">", RELAIS_LEX_OPERATOR},  {"+", RELAIS_LEX_OPERATOR},
    {"-", RELAIS_LEX_OPERATOR},     {"|", RELAIS_LEX_OPERATOR},
};

static const char *const operator_names[] = {"and", "or", "mod", "div"};

void relais_lexer_init(relais_lexer *lexer, const char *text)
{
    *lexer = (relais_lexer){.text = text, .next = text, .kind = RELAIS_LEX_END, .start = text};
}

bool relais_lexer_is(const relais_lexer *lexer, const char *text)
{
    return strlen(text) == lexer->length && memcmp(text, lexer->start, lexer->length) == 0;
}

int relais_lexer_place(const relais_lexer *lexer)
{
    return (int)relais_utf8_count(lexer->text, (size_t)(lexer->start - lexer->text)) + 1;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes above 127 belong to letters of other alphabets; libxml2 has the last word on them. */
static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 128;
}

static bool is_name_char(char c)
{
    return is_name_start(c) || is_digit(c) || c == '-' || c == '.';
}

static size_t name_length(const char *text)
{
    size_t length = 0;

    if (!is_name_start(*text))
        return 0;
    while (is_name_char(text[length]))
        length++;
    return length;
}

/* Section 3.7: after an operand, '*' multiplies and a name is an operator's name. */
static bool is_after_operand(relais_lex_kind kind)
{
    return kind == RELAIS_LEX_NAME || kind == RELAIS_LEX_STAR || kind == RELAIS_LEX_LITERAL ||
           kind == RELAIS_LEX_NUMBER || kind == RELAIS_LEX_VARIABLE || kind == RELAIS_LEX_DOT ||
           kind == RELAIS_LEX_DOTS || kind == RELAIS_LEX_CLOSE || kind == RELAIS_LEX_CLOSE_SQUARE;
}

static bool take(relais_lexer *lexer, relais_lex_kind kind, const char *start, size_t length,
                 const char *next)
{
    lexer->kind = kind;
    lexer->start = start;
    lexer->length = length;
    lexer->next = next;
    return true;
}

static bool fail(relais_lexer *lexer, const char *at, const char *what, relais_error *err)
{
    lexer->start = at;
    return relais_error_set(err, RELAIS_ERR_CONFIG, "%s at character %d of \"%s\"",
                            relais_translate(what), relais_lexer_place(lexer), lexer->text);
}

static bool take_literal(relais_lexer *lexer, const char *at, relais_error *err)
{
    const char *end = strchr(at + 1, *at);

    if (end == NULL)
        return fail(lexer, at, "a quote that is not closed", err);
    return take(lexer, RELAIS_LEX_LITERAL, at + 1, (size_t)(end - at - 1), end + 1);
}

static bool take_number(relais_lexer *lexer, const char *at)
{
    const char *end = at;

    while (is_digit(*end))
        end++;
    if (*end == '.')
        end++;
    while (is_digit(*end))
        end++;
    return take(lexer, RELAIS_LEX_NUMBER, at, (size_t)(end - at), end);
}

static bool take_name(relais_lexer *lexer, const char *at, bool is_operand_before,
                      relais_error *err)
{
    size_t length = name_length(at);

    if (is_operand_before) {
        for (size_t i = 0; i < sizeof operator_names / sizeof *operator_names; i++)
            if (strlen(operator_names[i]) == length && memcmp(operator_names[i], at, length) == 0)
                return take(lexer, RELAIS_LEX_OPERATOR, at, length, at + length);
        return fail(lexer, at, "a name where an operator or the end was expected", err);
    }
    if (at[length] == ':' && at[length + 1] != ':')
        return fail(lexer, at,
                    "a name with a prefix (submissions are read without namespaces, "
                    "write the name alone)",
                    err);
    return take(lexer, RELAIS_LEX_NAME, at, length, at + length);
}

static bool take_variable(relais_lexer *lexer, const char *at, relais_error *err)
{
    size_t length = name_length(at + 1);

    if (length == 0 || at[1 + length] == ':')
        return fail(lexer, at, "a '$' without the name of a variable", err);
    return take(lexer, RELAIS_LEX_VARIABLE, at + 1, length, at + 1 + length);
}

static bool take_sign(relais_lexer *lexer, const char *at, relais_error *err)
{
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        size_t length = strlen(signs[i].text);
        if (strncmp(signs[i].text, at, length) == 0)
            return take(lexer, signs[i].kind, at, length, at + length);
    }
    return fail(lexer, at, "a sign that XPath does not know", err);
}

bool relais_lexer_next(relais_lexer *lexer, relais_error *err)
{
    bool is_operand_before = lexer->next != lexer->text && is_after_operand(lexer->kind);
    const char *at = lexer->next;

    while (relais_is_space(*at))
        at++;
    if (*at == '\0')
        return take(lexer, RELAIS_LEX_END, at, 0, at);
    if (*at == '\'' || *at == '"')
        return take_literal(lexer, at, err);
    if (is_digit(*at) || (*at == '.' && is_digit(at[1])))
        return take_number(lexer, at);
    if (*at == '$')
        return take_variable(lexer, at, err);
    if (*at == '*')
        return take(lexer, is_operand_before ? RELAIS_LEX_OPERATOR : RELAIS_LEX_STAR, at, 1,
                    at + 1);
    if (is_name_start(*at))
        return take_name(lexer, at, is_operand_before, err);
    return take_sign(lexer, at, err);
}
