/*
 * Reading answers. See answer.h.
 */
#include "answer.h"

#include "stream.h"

#include <stdlib.h>
#include <string.h>

/* The text up to the mark, which is taken off and replaced by a NUL; NULL at the end. */
static char *read_until(struct stream *in, const char *mark)
{
    char *end, *text;

    while ((end = strstr(in->bytes + in->start, mark)) == NULL)
        if (!stream_fill(in))
            return NULL;
    *end = '\0';
    text = in->bytes + in->start;
    in->start = (size_t)(end - in->bytes) + strlen(mark);
    return text;
}

static bool skip(struct stream *in, long length, long *counted)
{
    while (length > 0) {
        long have = (long)(in->end - in->start);
        long n = have < length ? have : length;
        if (n == 0) {
            if (!stream_fill(in))
                return false;
            continue;
        }
        in->start += (size_t)n;
        length -= n;
        *counted += n;
    }
    return true;
}

static bool read_chunks(struct stream *in, struct answer *out)
{
    char *line;
    long size, ignored = 0;

    do {
        line = read_until(in, "\r\n");
        if (line == NULL)
            return false;
        size = strtol(line, NULL, 16);
        if (!skip(in, size, &out->size) || !skip(in, 2, &ignored))
            return false;
    } while (size > 0);
    return true;
}

static void read_rest(struct stream *in, struct answer *out)
{
    do {
        out->size += (long)(in->end - in->start);
        in->start = in->end;
    } while (stream_fill(in));
}

static void read_body(struct stream *in, const char *head, struct answer *out)
{
    const char *length = strcasestr(head, "\r\ncontent-length:");

    if (out->status == 204 || out->status == 304) {
        out->is_whole = true;
    } else if (strcasestr(head, "\r\ntransfer-encoding: chunked") != NULL) {
        out->is_whole = read_chunks(in, out);
    } else if (length != NULL) {
        out->is_whole = skip(in, strtol(length + 17, NULL, 10), &out->size);
    } else {
        read_rest(in, out);
        out->is_closing = out->is_whole = true;
    }
}

/* "close" may be one of several words. */
static bool says_close(const char *head)
{
    const char *value = strcasestr(head, "\r\nconnection:");
    const char *end = value == NULL ? NULL : strstr(value + 2, "\r\n");
    const char *close = value == NULL ? NULL : strcasestr(value, "close");

    return close != NULL && (end == NULL || close < end);
}

void answer_read(int fd, struct answer *out)
{
    struct stream in = {.fd = fd};
    char *head;

    *out = (struct answer){.is_closing = true};
    do {
        head = read_until(&in, "\r\n\r\n");
        if (head == NULL || strncmp(head, "HTTP/1.1 ", 9) != 0)
            return;
        out->status = strtol(head + 9, NULL, 10);
    } while (out->status < 200);
    out->is_closing = says_close(head);
    read_body(&in, head, out);
    out->is_closing = out->is_closing || !out->is_whole;
}
