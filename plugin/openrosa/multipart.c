/*
 * The multipart parser. See multipart.h.
 *
 * Content is searched with memmem() for "\n--boundary", slice by slice, and reported where
 * it lies. Only a line that may be a delimiter, at a slice's end or after a hit, goes byte
 * by byte through a small automaton and is kept, since it is content after all when the
 * line does not end as a delimiter's does. A boundary holds no line end, so a line that
 * disappoints can only be followed by a new one that starts at the very byte it failed on.
 */
#include "openrosa/multipart.h"

#include "openrosa/header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Blanks after a delimiter that mail gateways may add (RFC 2046 "transport-padding"). No
 * phone writes any; a longer run makes the line content. */
#define PADDING_MAX 128

/* CR LF "--" boundary "--" padding CR */
#define LINE_MAX (2 + 2 + RELAIS_MULTIPART_BOUNDARY_MAX + 2 + PADDING_MAX + 1)

/* Longer Content-Type values are not written by anybody: OkHttp's is 67 bytes. */
#define CONTENT_TYPE_MAX 1024

enum state {
    STATE_PREAMBLE, /* as CONTENT, but nobody is told */
    STATE_HEADERS,
    STATE_CONTENT,
    STATE_EPILOGUE,
    STATE_FAILED
};

/* How far the line that may be a delimiter has come. */
enum line {
    LINE_NONE,     /* not in one: search */
    LINE_CR,       /* CR */
    LINE_DASHES,   /* [CR] LF and `matched` bytes of "--boundary" */
    LINE_BOUNDARY, /* the whole of it */
    LINE_DASH,     /* and one '-' */
    LINE_CLOSE,    /* and "--", blanks */
    LINE_CLOSE_CR, /* and CR */
    LINE_PADDING,  /* blanks without "--" */
    LINE_PADDING_CR
};

struct relais_multipart {
    relais_multipart_events events;
    void *context;
    enum state state;
    relais_error failure;

    char needle[1 + 2 + RELAIS_MULTIPART_BOUNDARY_MAX + 1]; /* LF "--" boundary */
    size_t needle_length;

    enum line line;
    size_t matched;
    char held[LINE_MAX];
    size_t held_length;

    char headers[RELAIS_MULTIPART_HEADER_MAX + 1];
    size_t headers_length;
    size_t header_line; /* where the line being read starts */

    uint64_t position; /* bytes consumed */
    uint64_t length;   /* of the content reported of this part */
    unsigned parts;
};

/* ---- the boundary ---------------------------------------------------------------------- */

/* RFC 2046 allows fewer characters, but any printable one can be found all the same. */
static bool is_boundary(relais_span value)
{
    if (value.length == 0 || value.length > RELAIS_MULTIPART_BOUNDARY_MAX ||
        value.bytes[value.length - 1] == ' ')
        return false;
    for (size_t i = 0; i < value.length; i++) {
        if (value.bytes[i] < 0x20 || value.bytes[i] > 0x7E)
            return false;
    }
    return true;
}

bool relais_multipart_boundary(const char *content_type, char *boundary, relais_error *err)
{
    char copy[CONTENT_TYPE_MAX];
    relais_span rest = {copy, strlen(content_type)};
    relais_param param;

    if (!relais_media_type_is(content_type, "multipart/form-data"))
        return relais_error_set(err, RELAIS_ERR_SYNTAX,
                                "the Content-Type is not multipart/form-data");
    if (rest.length >= sizeof copy)
        return relais_error_set(err, RELAIS_ERR_SYNTAX, "the Content-Type is too long");
    memcpy(copy, content_type, rest.length + 1);
    while (relais_param_next(&rest, &param)) {
        if (!relais_span_is(param.name, "boundary"))
            continue;
        if (!is_boundary(param.value))
            return relais_error_set(err, RELAIS_ERR_SYNTAX,
                                    "the boundary in the Content-Type is malformed");
        memcpy(boundary, param.value.bytes, param.value.length);
        boundary[param.value.length] = '\0';
        return true;
    }
    return relais_error_set(err, RELAIS_ERR_SYNTAX, "the Content-Type has no boundary");
}

/* ---- birth and death ------------------------------------------------------------------- */

/* The start of the body, or of a content, is the start of a line. */
static void start_line(relais_multipart *parser)
{
    parser->line = LINE_DASHES;
    parser->matched = 0;
    parser->held_length = 0;
}

relais_multipart *relais_multipart_create(const char *boundary,
                                          const relais_multipart_events *events, void *context)
{
    relais_multipart *parser;

    if (strlen(boundary) > RELAIS_MULTIPART_BOUNDARY_MAX)
        return NULL;
    parser = calloc(1, sizeof *parser);
    if (parser == NULL)
        return NULL;
    parser->events = *events;
    parser->context = context;
    parser->needle_length =
        (size_t)snprintf(parser->needle, sizeof parser->needle, "\n--%s", boundary);
    start_line(parser);
    return parser;
}

void relais_multipart_destroy(relais_multipart *parser)
{
    free(parser);
}

/* ---- part headers ---------------------------------------------------------------------- */

/* Long values may go on in lines that begin with a blank (RFC 5322 section 2.2.3). */
static void unfold(char *headers, size_t length)
{
    for (size_t i = 0; i + 1 < length; i++) {
        if (headers[i] != '\n' || (headers[i + 1] != ' ' && headers[i + 1] != '\t'))
            continue;
        headers[i] = ' ';
        if (i > 0 && headers[i - 1] == '\r')
            headers[i - 1] = ' ';
    }
}

/* Names and file names of a Content-Disposition; the first of each kind counts. */
static void read_disposition(relais_span value, relais_part *part)
{
    bool has_name = false, is_extended = false;
    relais_param param;

    while (relais_param_next(&value, &param)) {
        if (relais_span_is(param.name, "name") && !has_name) {
            relais_span_unescape(&param.value);
            part->name = param.value.bytes;
            part->name_length = param.value.length;
            has_name = true;
        } else if (relais_span_is(param.name, "filename") && !part->has_filename) {
            relais_span_unescape(&param.value);
            part->filename = param.value.bytes;
            part->filename_length = param.value.length;
            part->has_filename = true;
        } else if (relais_span_is(param.name, "filename*") && !is_extended &&
                   relais_span_decode_extended(&param.value)) {
            part->filename = param.value.bytes;
            part->filename_length = param.value.length;
            part->has_filename = is_extended = true;
        }
    }
}

/* One unfolded header line without its end; the byte after it may be overwritten. */
static void read_header(relais_span line, relais_part *part, bool *has_disposition)
{
    char *colon = memchr(line.bytes, ':', line.length);
    relais_span name, value;

    if (colon == NULL)
        return;
    name = (relais_span){line.bytes, (size_t)(colon - line.bytes)};
    value = (relais_span){colon + 1, line.length - name.length - 1};
    while (name.length > 0 && (name.bytes[name.length - 1] == ' '))
        name.length--;
    if (relais_span_is(name, "Content-Disposition") && !*has_disposition) {
        *has_disposition = true;
        read_disposition(value, part);
    } else if (relais_span_is(name, "Content-Type") && part->content_type[0] == '\0') {
        while (value.length > 0 && (value.bytes[0] == ' ' || value.bytes[0] == '\t')) {
            value.bytes++;
            value.length--;
        }
        value.bytes[value.length] = '\0';
        part->content_type = value.bytes;
    }
}

static void read_headers(relais_multipart *parser, relais_part *part)
{
    char *at = parser->headers;
    char *end = parser->headers + parser->headers_length;
    bool has_disposition = false;

    *part =
        (relais_part){.name = "", .filename = "", .content_type = "", .offset = parser->position};
    unfold(parser->headers, parser->headers_length);
    while (at < end) {
        char *next = memchr(at, '\n', (size_t)(end - at));
        relais_span line = {at, (size_t)((next == NULL ? end : next) - at)};

        if (line.length > 0 && line.bytes[line.length - 1] == '\r')
            line.length--;
        read_header(line, part, &has_disposition);
        at = next == NULL ? end : next + 1;
    }
}

static bool begin_part(relais_multipart *parser, relais_error *err)
{
    relais_part part;

    if (parser->parts == RELAIS_MULTIPART_PARTS_MAX)
        return relais_error_set(err, RELAIS_ERR_LIMIT, "the body has more than %d parts",
                                RELAIS_MULTIPART_PARTS_MAX);
    parser->parts++;
    parser->length = 0;
    read_headers(parser, &part);
    parser->state = STATE_CONTENT;
    start_line(parser);
    return parser->events.begin == NULL || parser->events.begin(parser->context, &part, err);
}

static bool header_line_is_empty(const relais_multipart *parser)
{
    size_t length = parser->headers_length - parser->header_line;
    const char *line = parser->headers + parser->header_line;

    return length == 1 || (length == 2 && line[0] == '\r');
}

/* Consumes up to and with one line end; the empty line ends the headers. */
static bool feed_headers(relais_multipart *parser, const char **bytes, const char *end,
                         relais_error *err)
{
    const char *newline = memchr(*bytes, '\n', (size_t)(end - *bytes));
    size_t length = (size_t)((newline == NULL ? end : newline + 1) - *bytes);

    if (length > RELAIS_MULTIPART_HEADER_MAX - parser->headers_length)
        return relais_error_set(err, RELAIS_ERR_LIMIT,
                                "the headers of the part at byte %llu are longer than %d bytes",
                                (unsigned long long)(parser->position - parser->headers_length),
                                RELAIS_MULTIPART_HEADER_MAX);
    memcpy(parser->headers + parser->headers_length, *bytes, length);
    parser->headers_length += length;
    parser->position += length;
    *bytes += length;
    if (newline == NULL)
        return true;
    if (header_line_is_empty(parser))
        return begin_part(parser, err);
    parser->header_line = parser->headers_length;
    return true;
}

/* ---- content --------------------------------------------------------------------------- */

static bool emit(relais_multipart *parser, const char *bytes, size_t length, relais_error *err)
{
    if (parser->state != STATE_CONTENT || length == 0)
        return true;
    parser->length += length;
    return parser->events.data == NULL || parser->events.data(parser->context, bytes, length, err);
}

static bool end_part(relais_multipart *parser, relais_error *err)
{
    if (parser->state != STATE_CONTENT || parser->events.end == NULL)
        return true;
    return parser->events.end(parser->context, parser->length, err);
}

static bool end_line(relais_multipart *parser, enum state next, relais_error *err)
{
    if (!end_part(parser, err))
        return false;
    parser->state = next;
    parser->line = LINE_NONE;
    parser->held_length = 0;
    parser->headers_length = 0;
    parser->header_line = 0;
    return true;
}

/* Moves on by one byte; LINE_NONE when it does not belong to a delimiter. The line end that
 * completes a delimiter is seen by the caller. */
static enum line advance_line(relais_multipart *parser, char c)
{
    bool is_padding = (c == ' ' || c == '\t') && parser->held_length < LINE_MAX - 1;

    switch (parser->line) {
    case LINE_CR:
        parser->matched = 0;
        return c == '\n' ? LINE_DASHES : LINE_NONE;
    case LINE_DASHES:
        if (c != parser->needle[1 + parser->matched])
            return LINE_NONE;
        parser->matched++;
        return 1 + parser->matched == parser->needle_length ? LINE_BOUNDARY : LINE_DASHES;
    case LINE_BOUNDARY:
        if (c == '-')
            return LINE_DASH;
        return is_padding ? LINE_PADDING : c == '\r' ? LINE_PADDING_CR : LINE_NONE;
    case LINE_DASH:
        return c == '-' ? LINE_CLOSE : LINE_NONE;
    case LINE_CLOSE:
        return is_padding ? LINE_CLOSE : c == '\r' ? LINE_CLOSE_CR : LINE_NONE;
    case LINE_PADDING:
        return is_padding ? LINE_PADDING : c == '\r' ? LINE_PADDING_CR : LINE_NONE;
    default:
        return LINE_NONE;
    }
}

/* Keeps bytes that are, as far as they go, "[CR] LF --boundary". */
static void hold(relais_multipart *parser, const char *bytes, size_t length)
{
    size_t start = bytes[0] == '\r' ? 1 : 0;

    memcpy(parser->held, bytes, length);
    parser->held_length = length;
    parser->matched = length > start ? length - start - 1 : 0;
    if (length == start)
        parser->line = LINE_CR;
    else
        parser->line = length - start == parser->needle_length ? LINE_BOUNDARY : LINE_DASHES;
}

static bool is_close(enum line line)
{
    return line == LINE_CLOSE || line == LINE_CLOSE_CR;
}

static bool is_delimiter(enum line line)
{
    return line == LINE_BOUNDARY || line == LINE_PADDING || line == LINE_PADDING_CR;
}

/* Takes one byte into the line that may be a delimiter. *is_taken stays false when the line
 * was content and the byte is to be searched with what follows it. */
static bool feed_line(relais_multipart *parser, char c, bool *is_taken, relais_error *err)
{
    enum line next;

    *is_taken = true;
    if (c == '\n' && is_close(parser->line))
        return end_line(parser, STATE_EPILOGUE, err);
    if (c == '\n' && is_delimiter(parser->line))
        return end_line(parser, STATE_HEADERS, err);
    next = advance_line(parser, c);
    if (next != LINE_NONE) {
        parser->line = next;
        parser->held[parser->held_length++] = c;
        return true;
    }
    *is_taken = false;
    parser->line = LINE_NONE;
    return emit(parser, parser->held, parser->held_length, err);
}

/* Where the slice's last bytes may be the beginning of a delimiter's line; `end` if nowhere.
 * Only the last line end counts, since "--boundary" holds none. */
static const char *find_line_tail(const relais_multipart *parser, const char *bytes,
                                  const char *end)
{
    size_t length = (size_t)(end - bytes);
    size_t reach = length < parser->needle_length ? length : parser->needle_length;
    const char *newline = memrchr(end - reach, '\n', reach);

    if (newline != NULL && memcmp(newline, parser->needle, (size_t)(end - newline)) == 0)
        return newline > bytes && newline[-1] == '\r' ? newline - 1 : newline;
    return end[-1] == '\r' ? end - 1 : end;
}

/* Reports what is surely content and holds what may be a delimiter. */
static bool feed_search(relais_multipart *parser, const char **bytes, const char *end,
                        relais_error *err)
{
    const char *start = *bytes;
    const char *from = memmem(start, (size_t)(end - start), parser->needle, parser->needle_length);
    const char *to = end;

    if (from == NULL) {
        from = find_line_tail(parser, start, end);
    } else {
        to = from + parser->needle_length;
        if (from > start && from[-1] == '\r')
            from--;
    }
    parser->position += (size_t)(to - start);
    *bytes = to;
    if (from < to)
        hold(parser, from, (size_t)(to - from));
    return emit(parser, start, (size_t)(from - start), err);
}

static bool feed_content(relais_multipart *parser, const char **bytes, const char *end,
                         relais_error *err)
{
    bool is_taken;

    if (parser->line == LINE_NONE)
        return feed_search(parser, bytes, end, err);
    if (!feed_line(parser, **bytes, &is_taken, err))
        return false;
    if (is_taken) {
        parser->position++;
        (*bytes)++;
    }
    return true;
}

/* ---- feeding --------------------------------------------------------------------------- */

static bool feed_some(relais_multipart *parser, const char **bytes, const char *end,
                      relais_error *err)
{
    switch (parser->state) {
    case STATE_PREAMBLE:
    case STATE_CONTENT:
        return feed_content(parser, bytes, end, err);
    case STATE_HEADERS:
        return feed_headers(parser, bytes, end, err);
    default:
        parser->position += (uint64_t)(end - *bytes);
        *bytes = end;
        return true;
    }
}

/* Keeps the first failure, so that later calls say the same. */
static bool fail(relais_multipart *parser, relais_error *err)
{
    parser->state = STATE_FAILED;
    if (parser->failure.code == RELAIS_ERR_NONE)
        relais_error_set(&parser->failure, RELAIS_ERR_SYNTAX, "reading the body was stopped");
    if (err != NULL && err->code == RELAIS_ERR_NONE)
        *err = parser->failure;
    return false;
}

bool relais_multipart_feed(relais_multipart *parser, const char *bytes, size_t length,
                           relais_error *err)
{
    const char *end = bytes + length;

    if (parser->state == STATE_FAILED)
        return fail(parser, err);
    while (bytes < end) {
        if (!feed_some(parser, &bytes, end, &parser->failure))
            return fail(parser, err);
    }
    return true;
}

bool relais_multipart_finish(relais_multipart *parser, relais_error *err)
{
    bool is_open = parser->state == STATE_PREAMBLE || parser->state == STATE_CONTENT;

    if (parser->state == STATE_EPILOGUE)
        return true;
    if (parser->state == STATE_FAILED)
        return fail(parser, err);
    /* The body may end with the closing delimiter itself, without a line end. */
    if (is_open && is_close(parser->line))
        return end_line(parser, STATE_EPILOGUE, &parser->failure) || fail(parser, err);
    relais_error_set(&parser->failure, RELAIS_ERR_SYNTAX,
                     "the body ends after %llu bytes without its closing delimiter",
                     (unsigned long long)parser->position);
    return fail(parser, err);
}
