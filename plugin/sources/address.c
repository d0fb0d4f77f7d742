/*
 * Judging addresses with libcurl's own parser. See address.h.
 */
#include "sources/address.h"

#include "sources/words.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

/* The parts of an address that decide where a request goes; freed by free_parts(). */
typedef struct parts {
    CURLU *handle;
    char *scheme, *host, *port, *path, *query;
} parts;

static void free_parts(parts *of)
{
    curl_free(of->scheme);
    curl_free(of->host);
    curl_free(of->port);
    curl_free(of->path);
    curl_free(of->query);
    curl_url_cleanup(of->handle);
}

/* `url` may be relative to `base`, which may be NULL. */
static bool read_parts(const char *base, const char *url, parts *out)
{
    memset(out, 0, sizeof *out);
    out->handle = curl_url();
    if (out->handle == NULL)
        return false;
    return (base == NULL || curl_url_set(out->handle, CURLUPART_URL, base, 0) == CURLUE_OK) &&
           curl_url_set(out->handle, CURLUPART_URL, url, 0) == CURLUE_OK &&
           curl_url_get(out->handle, CURLUPART_SCHEME, &out->scheme, 0) == CURLUE_OK &&
           curl_url_get(out->handle, CURLUPART_HOST, &out->host, 0) == CURLUE_OK &&
           curl_url_get(out->handle, CURLUPART_PORT, &out->port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
           curl_url_get(out->handle, CURLUPART_PATH, &out->path, 0) == CURLUE_OK &&
           (curl_url_get(out->handle, CURLUPART_QUERY, &out->query, 0) == CURLUE_OK ||
            out->query == NULL);
}

/* By address, so that 127.0.0.1.example.org is the name that it is. */
static bool is_loopback(const char *host)
{
    struct in_addr address;

    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &address) == 1 &&
            ntohl(address.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET);
}

static bool is_private(const parts *of)
{
    return strcmp(of->scheme, "https") == 0 ||
           (strcmp(of->scheme, "http") == 0 && is_loopback(of->host));
}

static bool has_part(CURLU *handle, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(handle, part, &text, 0) == CURLUE_OK;

    curl_free(text);
    return has;
}

/* Central's tokens of app users and public links stand in paths. */
static bool has_token(const parts *of)
{
    return has_part(of->handle, CURLUPART_USER) || has_part(of->handle, CURLUPART_PASSWORD) ||
           strstr(of->path, "/key/") != NULL;
}

bool relais_address_check(const char *base, relais_error *err)
{
    parts of;
    bool ok = false;

    if (!read_parts(NULL, base, &of))
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "url is not an address; write it as https://HOST or https://HOST/PATH");
    else if (has_token(&of))
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "url carries credentials; put them into the credentials file, and the "
                         "address without them here");
    else if (of.query != NULL || has_part(of.handle, CURLUPART_FRAGMENT))
        relais_error_set(err, RELAIS_ERR_CONFIG, "url must end before \"?\" and \"#\"");
    else if (!is_private(&of))
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "url must begin with https:// (http:// only on this very machine)");
    else
        ok = true;
    free_parts(&of);
    return ok;
}

bool relais_address_is_private(const char *base)
{
    parts of;
    bool is = read_parts(NULL, base, &of) && is_private(&of);

    free_parts(&of);
    return is;
}

/* ---- where a server sends ---------------------------------------------------------------- */

static bool is_same_host(const parts *base, const parts *target)
{
    return strcasecmp(base->host, target->host) == 0;
}

static const char *with_origin(const parts *base, const parts *target, relais_arena *arena)
{
    return relais_arena_format(arena, "%s://%s:%s%s%s%s", base->scheme, base->host, base->port,
                               target->path, target->query == NULL ? "" : "?",
                               target->query == NULL ? "" : target->query);
}

static bool refuse_host(const char *host, relais_error *err)
{
    return relais_error_set(err, RELAIS_ERR_CONFIG,
                            "the server sends to another host, %s, and that is not followed; if "
                            "its files lie there, add the host to file_hosts",
                            host);
}

/* A redirect on the same host that leaves https, or a link whose scheme nobody speaks. */
static bool refuse_scheme(relais_error *err)
{
    return relais_error_set(err, RELAIS_ERR_CONFIG,
                            "the server sends to an address without https, and that is not "
                            "followed; mend url, or the server's own idea of its address");
}

static bool judge(const parts *base, const parts *target, const char *file_hosts, bool is_redirect,
                  relais_arena *arena, relais_address *out, relais_error *err)
{
    if (is_same_host(base, target)) {
        if (is_redirect && !is_private(target))
            return refuse_scheme(err);
        out->is_own = true;
        out->url = with_origin(base, target, arena);
    } else if (relais_words_have(file_hosts, target->host)) {
        if (strcmp(target->scheme, "https") != 0 && !is_loopback(target->host))
            return refuse_scheme(err);
        out->is_own = false;
        out->url = with_origin(target, target, arena);
    } else {
        return refuse_host(target->host, err);
    }
    return out->url != NULL || relais_arena_error(arena, err);
}

/* The path is joined as it stands: a base may have a path of its own (/ODKAggregate). */
static bool join(const char *base, const char *path, relais_arena *arena, relais_address *out,
                 relais_error *err)
{
    size_t length = strlen(base);

    while (length > 0 && base[length - 1] == '/')
        length--;
    out->is_own = true;
    out->url = relais_arena_format(arena, "%.*s%s", (int)length, base, path);
    return out->url != NULL || relais_arena_error(arena, err);
}

bool relais_address_find(const char *base, const char *file_hosts, const char *target,
                         bool is_redirect, relais_arena *arena, relais_address *out,
                         relais_error *err)
{
    parts own = {0}, other = {0};
    bool ok;

    if (!is_redirect && target[0] == '/')
        return join(base, target, arena, out, err);
    if (!read_parts(NULL, base, &own) || !read_parts(base, target, &other))
        ok = relais_error_set(err, RELAIS_ERR_CONFIG,
                              "the server names an address that is none; look at it in a browser");
    else
        ok = judge(&own, &other, file_hosts, is_redirect, arena, out, err);
    free_parts(&own);
    free_parts(&other);
    return ok;
}
