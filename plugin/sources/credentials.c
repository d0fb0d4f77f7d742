/*
 * Reading credentials. See credentials.h. The values stay in the secret's locked pages and are
 * cut into texts there, so that no copy is left behind.
 */
#include "sources/credentials.h"

#include "base/text.h"

#include <string.h>

/* One line within the secret's pages, without its line end. */
typedef struct line {
    char *bytes;
    size_t length;
    long number;
} line;

/* Cuts the value of "name: value" off the line as a text of its own; NULL for another name. */
static char *take_value(const line *one, const char *name)
{
    size_t length = strlen(name);
    char *value;

    if (one->length <= length || memcmp(one->bytes, name, length) != 0 || one->bytes[length] != ':')
        return NULL;
    value = one->bytes + length + 1;
    one->bytes[one->length] = '\0';
    while (relais_is_space(*value))
        value++;
    return value;
}

static bool take_line(const line *one, relais_credentials *out)
{
    struct {
        const char *name;
        char **value;
    } known[] = {{"user", &out->user}, {"password", &out->password}, {"token", &out->token}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char *value = take_value(one, known[i].name);
        if (value == NULL)
            continue;
        if (*known[i].value != NULL || *value == '\0')
            return false;
        *known[i].value = value;
        return true;
    }
    return false;
}

static bool refuse_line(const char *path, long number, relais_error *err)
{
    relais_error_set(err, RELAIS_ERR_CONFIG,
                     "this line is none of \"user: NAME\", \"password: WORD\" and \"token: WORD\", "
                     "or says something again");
    relais_error_at(err, path, number);
    return false;
}

static bool take_lines(char *bytes, size_t length, const char *path, relais_credentials *out,
                       relais_error *err)
{
    char *end = bytes + length;
    long number = 0;

    while (bytes < end) {
        char *stop = memchr(bytes, '\n', (size_t)(end - bytes));
        char *next = stop == NULL ? end : stop + 1;
        line one = {bytes, (size_t)((stop == NULL ? end : stop) - bytes), ++number};
        while (one.length > 0 && relais_is_space(one.bytes[one.length - 1]))
            one.length--;
        if (one.length > 0 && one.bytes[0] != '#' && !take_line(&one, out))
            return refuse_line(path, number, err);
        bytes = next;
    }
    return true;
}

bool relais_credentials_read(const char *path, relais_credentials *out, relais_error *err)
{
    size_t length;
    char *bytes;

    memset(out, 0, sizeof *out);
    if (!relais_secret_read(path, 1, RELAIS_CREDENTIAL_MAX, &out->file, err))
        return false;
    /* The pages are private, writable, and longer than the longest secret. */
    bytes = (char *)relais_secret_bytes(out->file, &length);
    if (!take_lines(bytes, length, path, out, err))
        goto fail;
    if (out->token == NULL && (out->user == NULL || out->password == NULL)) {
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "the file holds no credentials: write the lines \"user: NAME\" and "
                         "\"password: WORD\", or \"token: WORD\"");
        relais_error_at(err, path, 0);
        goto fail;
    }
    return true;

fail:
    relais_credentials_free(out);
    return false;
}

void relais_credentials_free(relais_credentials *credentials)
{
    relais_secret_free(credentials->file);
    memset(credentials, 0, sizeof *credentials);
}
