/*
 * The functions of the mapping language. See function.h.
 *
 * Relais's own functions take answers as they come from phones: texts are trimmed, and an
 * answer of blanks only is no answer. They never fail on an answer, only on misuse.
 */
#include "transform/function.h"

#include "base/text.h"
#include "base/uuid.h"
#include "transform/answer.h"
#include "transform/derive.h"
#include "transform/model.h"
#include "transform/moment.h"

#include <string.h>

static bool is_blank(const xmlChar *text)
{
    const char *start = (const char *)text;
    size_t length = strlen(start);

    relais_trim(&start, &length);
    return length == 0;
}

/* The last argument as trimmed text that xmlFree releases; NULL without memory. */
char *relais_function_pop(xmlXPathParserContextPtr call)
{
    xmlChar *text = xmlXPathPopString(call);
    const char *start = (const char *)text;
    size_t length;

    if (text == NULL)
        return NULL;
    length = strlen(start);
    relais_trim(&start, &length);
    memmove(text, start, length);
    text[length] = '\0';
    return (char *)text;
}

void relais_function_return(xmlXPathParserContextPtr call, const char *text)
{
    valuePush(call, xmlXPathNewString((const xmlChar *)text));
}

bool relais_function_has(xmlXPathParserContextPtr call, int count, int fewest)
{
    if (count >= fewest && count <= RELAIS_ARGUMENTS_MAX && call->valueNr >= count)
        return true;
    xmlXPathErr(call, XPATH_INVALID_ARITY);
    return false;
}

/* False, with the call's error set, when there is no memory. */
static bool note_id(xmlXPathParserContextPtr call, char *const *parts, int count, const char *id)
{
    relais_mapping *mapping = call->context->varLookupData;

    if (mapping->derivation == NULL ||
        relais_derivation_note(mapping->derivation, (const char *const *)parts, (size_t)count, id,
                               &mapping->failure))
        return true;
    xmlXPathErr(call, XPATH_EXPR_ERROR);
    return false;
}

/* uuid5(part, ...): the same parts give the same id everywhere. A part without an answer
 * gives no id: else all records that lack the part would share one. */
static void call_uuid5(xmlXPathParserContextPtr call, int count)
{
    char *parts[RELAIS_ARGUMENTS_MAX] = {0};
    char id[RELAIS_UUID_TEXT_SIZE] = "";
    bool is_complete = true, is_noted;

    if (!relais_function_has(call, count, 1))
        return;
    for (int i = count - 1; i >= 0; i--) {
        parts[i] = relais_function_pop(call);
        if (parts[i] == NULL || parts[i][0] == '\0')
            is_complete = false;
    }
    if (is_complete)
        relais_uuid5((const char *const *)parts, (size_t)count, id);
    is_noted = !is_complete || note_id(call, parts, count, id);
    for (int i = 0; i < count; i++)
        xmlFree(parts[i]);
    if (is_noted)
        relais_function_return(call, id);
}

static bool has_answer(xmlXPathObjectPtr object)
{
    xmlChar *text = xmlXPathCastToString(object);
    bool is_answer = text != NULL && !is_blank(text) &&
                     !(object->type == XPATH_NUMBER && xmlXPathIsNaN(object->floatval));

    xmlFree(text);
    return is_answer;
}

/* coalesce(a, ...): the first argument that has an answer, as it is. */
static void call_coalesce(xmlXPathParserContextPtr call, int count)
{
    xmlXPathObjectPtr chosen = NULL;

    if (!relais_function_has(call, count, 1))
        return;
    for (int i = 0; i < count; i++) {
        xmlXPathObjectPtr object = valuePop(call);
        if (chosen == NULL || (object != NULL && has_answer(object))) {
            xmlXPathFreeObject(chosen);
            chosen = object;
        } else {
            xmlXPathFreeObject(object);
        }
    }
    valuePush(call, chosen);
}

/* if(test, a, b) */
static void call_if(xmlXPathParserContextPtr call, int count)
{
    xmlXPathObjectPtr yes, no;
    bool holds;

    if (!relais_function_has(call, count, 3))
        return;
    no = valuePop(call);
    yes = valuePop(call);
    holds = xmlXPathPopBoolean(call) != 0;
    xmlXPathFreeObject(holds ? no : yes);
    valuePush(call, holds ? yes : no);
}

static bool has_token(const char *list, const char *token)
{
    size_t wanted = strlen(token), length;
    const char *start;

    while (relais_token_next(&list, &start, &length))
        if (length == wanted && memcmp(start, token, length) == 0)
            return true;
    return false;
}

/* selected(list, code): true when the code is among the choices of a multiple answer. */
static void call_selected(xmlXPathParserContextPtr call, int count)
{
    char *list, *code;

    if (!relais_function_has(call, count, 2))
        return;
    code = relais_function_pop(call);
    list = relais_function_pop(call);
    valuePush(call, xmlXPathNewBoolean(list != NULL && code != NULL && has_token(list, code)));
    xmlFree(list);
    xmlFree(code);
}

/* month(date): the first of its month. What is not a date stays as it is, so that the
 * column's own rule refuses it by name. */
static void call_month(xmlXPathParserContextPtr call, int count)
{
    relais_moment moment;
    char *text;

    if (!relais_function_has(call, count, 1))
        return;
    text = relais_function_pop(call);
    if (text == NULL) {
        relais_function_return(call, "");
        return;
    }
    if (relais_moment_read(text, strlen(text), &moment)) {
        memcpy(text + 8, "01", 2);
        text[10] = '\0';
    }
    relais_function_return(call, text);
    xmlFree(text);
}

/* regex(text, pattern): true when the pattern fits the whole text. */
static void call_regex(xmlXPathParserContextPtr call, int count)
{
    const relais_mapping *mapping = call->context->varLookupData;
    const relais_pattern *pattern = NULL;
    xmlChar *source;
    char *text;

    if (!relais_function_has(call, count, 2))
        return;
    source = xmlXPathPopString(call);
    text = relais_function_pop(call);
    if (source != NULL)
        pattern = relais_pattern_find(mapping->patterns, (const char *)source);
    valuePush(call, xmlXPathNewBoolean(pattern != NULL && text != NULL &&
                                       relais_pattern_fits(pattern, text)));
    xmlFree(source);
    xmlFree(text);
}

static const relais_function functions[] = {
    {"boolean", 1, 1, -1, NULL, 0, false},
    {"ceiling", 1, 1, -1, NULL, 0, false},
    {"coalesce", 1, RELAIS_ARGUMENTS_MAX, 0, call_coalesce, 0, false},
    {"code", 1, 1, -1, relais_call_code, 0, false},
    {"concat", 2, RELAIS_ARGUMENTS_MAX, -1, NULL, 0, false},
    {"contains", 2, 2, -1, NULL, 0, false},
    {"count", 1, 1, -1, NULL, 0, false},
    {"false", 0, 0, -1, NULL, 0, false},
    {"floor", 1, 1, -1, NULL, 0, false},
    {"fold", 1, 1, -1, relais_call_fold, 0, false},
    {"generalise", 3, 3, -1, relais_call_generalise, 1 << 1 | 1 << 2, false},
    {"hmac", 2, RELAIS_ARGUMENTS_MAX, -1, relais_call_hmac, 0, true},
    {"if", 3, 3, 1, call_if, 0, false},
    {"last", 0, 0, -1, NULL, 0, false},
    {"local-name", 0, 1, -1, NULL, 0, false},
    {"month", 1, 1, -1, call_month, 0, false},
    {"name", 0, 1, -1, NULL, 0, false},
    {"normalize-space", 0, 1, -1, NULL, 0, false},
    {"not", 1, 1, -1, NULL, 0, false},
    {"number", 0, 1, -1, NULL, 0, false},
    {"phone", 3, 3, -1, relais_call_phone, 0, false},
    {"position", 0, 0, -1, NULL, 0, false},
    {"regex", 2, 2, -1, call_regex, 1 << 1, false},
    {"round", 1, 1, -1, NULL, 0, false},
    {"selected", 2, 2, -1, call_selected, 0, false},
    {"starts-with", 2, 2, -1, NULL, 0, false},
    {"string", 0, 1, -1, NULL, 0, false},
    {"string-length", 0, 1, -1, NULL, 0, false},
    {"substring", 2, 3, -1, NULL, 0, false},
    {"substring-after", 2, 2, -1, NULL, 0, false},
    {"substring-before", 2, 2, -1, NULL, 0, false},
    {"sum", 1, 1, -1, NULL, 0, false},
    {"translate", 3, 3, -1, NULL, 0, false},
    {"true", 0, 0, -1, NULL, 0, false},
    {"uuid5", 1, RELAIS_ARGUMENTS_MAX, -1, call_uuid5, 0, false},
};

enum { FUNCTION_COUNT = sizeof functions / sizeof *functions };

const relais_function *relais_function_find(const char *name, size_t length)
{
    for (size_t i = 0; i < FUNCTION_COUNT; i++)
        if (strlen(functions[i].name) == length && memcmp(functions[i].name, name, length) == 0)
            return &functions[i];
    return NULL;
}

void relais_function_names(void (*visit)(void *data, const char *name), void *data)
{
    for (size_t i = 0; i < FUNCTION_COUNT; i++)
        visit(data, functions[i].name);
}

bool relais_function_register(xmlXPathContextPtr context, relais_error *err)
{
    for (size_t i = 0; i < FUNCTION_COUNT; i++)
        if (functions[i].call != NULL &&
            xmlXPathRegisterFunc(context, (const xmlChar *)functions[i].name, functions[i].call) !=
                0)
            return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for XPath");
    return true;
}
