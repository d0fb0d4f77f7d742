/*
 * Addresses as phones know them. See address.h.
 */
#include "openrosa/address.h"

#include <string.h>
#include <strings.h>

/* A DNS name has at most 253 characters; a port and brackets come on top. */
enum { HOST_MAX = 300 };

/* The first of a list, as each proxy adds its own at the end. */
static size_t first_length(const char *list)
{
    return strcspn(list, ", ");
}

static bool first_is(const char *list, const char *text)
{
    size_t length = list == NULL ? 0 : first_length(list);

    return length == strlen(text) && strncasecmp(list, text, length) == 0;
}

/* A name or address, with or without a port. */
static bool is_host(const char *host, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char c = host[i];
        bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        bool is_digit = c >= '0' && c <= '9';

        if (!is_letter && !is_digit && strchr(".-_:[]", c) == NULL)
            return false;
    }
    return length > 0 && length <= HOST_MAX;
}

static const char *scheme_of(const relais_address *address)
{
    if (first_is(address->forwarded_proto, "https"))
        return "https";
    if (first_is(address->forwarded_proto, "http"))
        return "http";
    return address->scheme;
}

static const char *host_of(const relais_address *address, size_t *length)
{
    const char *forwarded = address->forwarded_host;

    *length = forwarded == NULL ? 0 : first_length(forwarded);
    if (*length > 0 && is_host(forwarded, *length))
        return forwarded;
    *length = address->host == NULL ? 0 : strlen(address->host);
    if (*length > 0 && is_host(address->host, *length))
        return address->host;
    *length = strlen(address->server_name);
    return address->server_name;
}

const char *relais_address_host(const relais_address *address, relais_arena *arena)
{
    size_t length;
    const char *host = host_of(address, &length);

    return relais_arena_copy(arena, host, length);
}

const char *relais_base_url(const relais_address *address, relais_arena *arena)
{
    size_t length;
    const char *host = host_of(address, &length);

    return relais_arena_format(arena, "%s://%.*s%s", scheme_of(address), (int)length, host,
                               address->path);
}

bool relais_path_below(const char *location, const char *path, size_t length, const char **rest,
                       size_t *rest_length)
{
    size_t start = strlen(location);

    if (length < start || memcmp(path, location, start) != 0)
        return false;
    *rest = "";
    *rest_length = 0;
    if (start == length)
        return true;
    if (path[start] != '/')
        return false;
    while (start < length && path[start] == '/')
        start++;
    *rest = path + start;
    *rest_length = length - start;
    return true;
}
