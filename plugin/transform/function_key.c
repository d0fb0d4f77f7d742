/*
 * The functions that protect people: canonical forms, keyed pseudonyms, coarser places. See
 * function.h; canonical.h and secrets.h do the work.
 */
#include "transform/function.h"

#include "base/text.h"
#include "transform/canonical.h"
#include "transform/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No name or number is longer; a text that is gives no canonical form, and so no key. */
enum { CANONICAL_MAX = 4096 };

static void give_canonical(xmlXPathParserContextPtr call, relais_buffer *form)
{
    bool is_good = form->failed == RELAIS_ERR_NONE && form->data != NULL;

    relais_function_return(call, is_good ? form->data : "");
    if (form->data != NULL)
        explicit_bzero(form->data, form->length);
    relais_buffer_free(form);
}

static void call_canonical(xmlXPathParserContextPtr call, int count,
                           void (*make)(const char *, relais_buffer *))
{
    relais_buffer form;
    char *text;

    if (!relais_function_has(call, count, 1))
        return;
    text = relais_function_pop(call);
    relais_buffer_init(&form, CANONICAL_MAX);
    if (text != NULL)
        make(text, &form);
    xmlFree(text);
    give_canonical(call, &form);
}

/* fold(name) */
void relais_call_fold(xmlXPathParserContextPtr call, int count)
{
    call_canonical(call, count, relais_canonical_name);
}

/* code(text) */
void relais_call_code(xmlXPathParserContextPtr call, int count)
{
    call_canonical(call, count, relais_canonical_code);
}

/* phone(text, country, digits) */
void relais_call_phone(xmlXPathParserContextPtr call, int count)
{
    relais_buffer form;
    uint64_t national = 0;
    char *digits, *country, *text;

    if (!relais_function_has(call, count, 3))
        return;
    digits = relais_function_pop(call);
    country = relais_function_pop(call);
    text = relais_function_pop(call);
    relais_buffer_init(&form, CANONICAL_MAX);
    if (text != NULL && country != NULL && digits != NULL &&
        relais_parse_number(digits, 15, &national))
        relais_canonical_phone(text, country, (size_t)national, &form);
    xmlFree(text);
    xmlFree(country);
    xmlFree(digits);
    give_canonical(call, &form);
}

/* hmac(kind, part, ...): a key over the parts in hex. Without one of them there is no key:
 * else all people whose answer is missing would be one. */
void relais_call_hmac(xmlXPathParserContextPtr call, int count)
{
    const relais_mapping *mapping;
    char *parts[RELAIS_ARGUMENTS_MAX] = {0};
    uint8_t key[RELAIS_SHA256_SIZE];
    char hex[2 * RELAIS_SHA256_SIZE + 1] = "";
    bool is_complete = true;

    if (!relais_function_has(call, count, 2))
        return;
    mapping = call->context->varLookupData;
    for (int i = count - 1; i >= 0; i--) {
        bool is_number = call->value != NULL && call->value->type == XPATH_NUMBER;
        bool is_none = is_number && xmlXPathIsNaN(call->value->floatval);
        parts[i] = relais_function_pop(call);
        if (is_none || parts[i] == NULL || parts[i][0] == '\0')
            is_complete = false;
    }
    /* Without secrets a mapping is not bound, and so only tried out. */
    if (is_complete && mapping->secrets != NULL && mapping->secrets->keys != NULL) {
        relais_secrets_key(mapping->secrets, (const char *const *)parts, (size_t)count, key);
        relais_hex(key, sizeof key, hex);
    }
    for (int i = 0; i < count; i++) {
        if (parts[i] != NULL)
            explicit_bzero(parts[i], strlen(parts[i]));
        xmlFree(parts[i]);
    }
    relais_function_return(call, hex);
}

/* A code that is not in the list lies nowhere: it is refused as one in a column with this list
 * would be, and not taken for a place that is too coarse. */
static bool is_listed(relais_mapping *mapping, const relais_list *list, const char *value)
{
    const relais_target *target = mapping->target;
    int found = target->member(target->context, list->table, list->column, list->where, list->is,
                               value, &mapping->failure);

    if (found == 0) {
        mapping->unlisted = list;
        snprintf(mapping->unlisted_code, sizeof mapping->unlisted_code, "%s", value);
    }
    return found > 0;
}

static bool climb(relais_mapping *mapping, const char *list_name, const char *value,
                  const char *level, const char **out)
{
    const relais_target *target = mapping->target;
    const relais_list *list = relais_list_find(mapping, list_name);
    relais_hierarchy hierarchy;

    *out = "";
    if (target == NULL || list == NULL || value[0] == '\0')
        return true;
    if (!is_listed(mapping, list, value))
        return false;
    hierarchy = (relais_hierarchy){list->table, list->column, list->parent, list->level};
    return target->ancestor(target->context, &hierarchy, value, level, out, &mapping->failure);
}

/* generalise(value, list, level): the code of this level that the value is, or lies in. */
void relais_call_generalise(xmlXPathParserContextPtr call, int count)
{
    relais_mapping *mapping;
    const char *found = "";
    char *level, *list, *value;
    bool ok;

    if (!relais_function_has(call, count, 3))
        return;
    mapping = call->context->varLookupData;
    level = relais_function_pop(call);
    list = relais_function_pop(call);
    value = relais_function_pop(call);
    ok = level == NULL || list == NULL || value == NULL ||
         climb(mapping, list, value, level, &found);
    if (ok)
        relais_function_return(call, found);
    else
        xmlXPathErr(call, XPATH_EXPR_ERROR);
    xmlFree(value);
    xmlFree(list);
    xmlFree(level);
}
