/*
 * The table of kinds, and what the configuration must say for each.
 */
#include "sources/address.h"
#include "sources/kind.h"
#include "sources/pool.h"

#include <string.h>

static const relais_kind *const kinds[] = {
    &relais_kind_central,
    &relais_kind_briefcase,
    &relais_kind_kobo,
    &relais_kind_ona,
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

const relais_kind *relais_kind_find(const char *name)
{
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

const char *relais_source_kinds(void)
{
    static const char names[] = "central, briefcase, kobo, ona";

    return names;
}

static bool is_number(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* The name becomes a directory's. */
static bool is_name(const char *text)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    return text[0] != '\0' && text[strspn(text, letters)] == '\0';
}

bool relais_source_check(const relais_source *source, relais_error *err)
{
    const relais_kind *kind = relais_kind_find(source->kind);

    if (!is_name(source->name))
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "[source %s]: a source's name is made of letters, digits, - and _",
                                source->name);
    if (kind == NULL)
        return relais_error_set(err, RELAIS_ERR_CONFIG, "[source %s] kind can be %s, not \"%s\"",
                                source->name, relais_source_kinds(), source->kind);
    if (source->url[0] == '\0' || source->credentials[0] == '\0')
        return relais_error_set(err, RELAIS_ERR_CONFIG, "[source %s] needs url and credentials",
                                source->name);
    if (kind->has_project && !is_number(source->project))
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "[source %s] project needs the project's number, as it stands in "
                                "the address of its page",
                                source->name);
    if (kind->needs_forms && source->forms[0] == '\0')
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "[source %s] forms needs the ids of the forms to pull",
                                source->name);
    return relais_address_check(source->url, err);
}
