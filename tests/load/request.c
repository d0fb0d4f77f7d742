/*
 * Reading requests. See request.h.
 */
#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { UWSGI_HEAD = 4 };

static bool need(struct stream *in, size_t length)
{
    while (in->end - in->start < length)
        if (!stream_fill(in))
            return false;
    return true;
}

static void take_variable(struct request *out, const char *name, const char *value)
{
    if (strcmp(name, "CONTENT_LENGTH") == 0)
        out->length = strtol(value, NULL, 10);
    else if (strcmp(name, "REQUEST_METHOD") == 0)
        snprintf(out->method, sizeof out->method, "%s", value);
    else if (strcmp(name, "HTTP_X_SCRIPT") == 0)
        snprintf(out->script, sizeof out->script, "%s", value);
}

/* ---- HTTP ------------------------------------------------------------------------------- */

static void take_header(struct request *out, char *line)
{
    char *value = strchr(line, ':');

    if (value == NULL)
        return;
    *value++ = '\0';
    value += strspn(value, " ");
    if (strcasecmp(line, "Content-Length") == 0)
        out->length = strtol(value, NULL, 10);
    else if (strcasecmp(line, "Transfer-Encoding") == 0)
        out->is_chunked = strcasecmp(value, "chunked") == 0;
    else if (strcasecmp(line, "Connection") == 0 && strcasecmp(value, "close") == 0)
        out->is_keepalive = false;
    else if (strcasecmp(line, "X-Script") == 0)
        snprintf(out->script, sizeof out->script, "%s", value);
}

static bool read_http(struct stream *in, struct request *out)
{
    char *end, *line, *rest;

    while ((end = strstr(in->bytes + in->start, "\r\n\r\n")) == NULL)
        if (!stream_fill(in))
            return false;
    *end = '\0';
    line = strtok_r(in->bytes + in->start, "\r\n", &rest);
    if (line == NULL)
        return false;
    sscanf(line, "%15s", out->method);
    out->is_keepalive = strstr(line, "HTTP/1.1") != NULL;
    while ((line = strtok_r(NULL, "\r\n", &rest)) != NULL)
        take_header(out, line);
    in->start = (size_t)(end + 4 - in->bytes);
    return true;
}

/* ---- uwsgi and SCGI --------------------------------------------------------------------- */

static size_t little_endian(const char *bytes)
{
    return (unsigned char)bytes[0] | (size_t)(unsigned char)bytes[1] << 8;
}

/* Takes a text of 16 bits' length; NULL when it goes beyond `end`. */
static char *next_text(char **at, const char *end, char *out, size_t size)
{
    size_t length;

    if (end - *at < 2)
        return NULL;
    length = little_endian(*at);
    if ((size_t)(end - *at) < 2 + length)
        return NULL;
    snprintf(out, size, "%.*s", (int)length, *at + 2);
    *at += 2 + length;
    return out;
}

static bool read_uwsgi(struct stream *in, struct request *out)
{
    char name[256], value[4096], *at, *end;
    size_t size;

    if (!need(in, UWSGI_HEAD))
        return false;
    size = little_endian(in->bytes + in->start + 1);
    if (!need(in, UWSGI_HEAD + size))
        return false;
    at = in->bytes + in->start + UWSGI_HEAD;
    end = at + size;
    while (next_text(&at, end, name, sizeof name) != NULL &&
           next_text(&at, end, value, sizeof value) != NULL)
        take_variable(out, name, value);
    in->start += UWSGI_HEAD + size;
    return true;
}

/* A netstring of texts that end with NUL: name, value, name... */
static bool read_scgi(struct stream *in, struct request *out)
{
    char *colon, *at, *end;
    size_t size, head;

    out->is_scgi = true;
    while ((colon = memchr(in->bytes + in->start, ':', in->end - in->start)) == NULL)
        if (!stream_fill(in))
            return false;
    size = strtoul(in->bytes + in->start, NULL, 10);
    head = (size_t)(colon + 1 - in->bytes) - in->start;
    if (!need(in, head + size + 1))
        return false;
    at = in->bytes + in->start + head;
    end = at + size;
    while (at < end) {
        char *value = at + strlen(at) + 1;
        take_variable(out, at, value < end ? value : "");
        at = value + strlen(value) + 1;
    }
    in->start += head + size + 1;
    return true;
}

bool request_read(struct stream *in, struct request *out)
{
    memset(out, 0, sizeof *out);
    if (!need(in, 1))
        return false;
    in->bytes[in->end] = '\0';
    if (in->bytes[in->start] == '\0')
        return read_uwsgi(in, out);
    if (in->bytes[in->start] >= '0' && in->bytes[in->start] <= '9')
        return read_scgi(in, out);
    out->is_http = true;
    return read_http(in, out);
}

/* ---- bodies ----------------------------------------------------------------------------- */

static bool read_run(struct stream *in, size_t length, request_take *take, void *context)
{
    while (length > 0) {
        size_t have = in->end - in->start;
        size_t n = have < length ? have : length;

        if (n == 0) {
            if (!stream_fill(in))
                return false;
            continue;
        }
        if (take != NULL)
            take(context, in->bytes + in->start, n);
        in->start += n;
        length -= n;
    }
    return true;
}

static bool read_line(struct stream *in, char *out, size_t size)
{
    char *end;

    while ((end = memchr(in->bytes + in->start, '\n', in->end - in->start)) == NULL)
        if (!stream_fill(in))
            return false;
    snprintf(out, size, "%.*s", (int)(end - in->bytes - (long)in->start), in->bytes + in->start);
    in->start = (size_t)(end + 1 - in->bytes);
    return true;
}

static bool read_chunks(struct stream *in, request_take *take, void *context)
{
    char line[64];
    unsigned long size;

    do {
        if (!read_line(in, line, sizeof line))
            return false;
        size = strtoul(line, NULL, 16);
        if (!read_run(in, size, take, context) || !read_line(in, line, sizeof line))
            return false;
    } while (size > 0);
    return true;
}

bool request_read_body(struct stream *in, const struct request *of, request_take *take,
                       void *context)
{
    return of->is_chunked ? read_chunks(in, take, context)
                          : read_run(in, (size_t)of->length, take, context);
}
