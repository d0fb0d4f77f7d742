/*
 * Telling an envelope from its content. See seal_layout.h.
 *
 *   ContentInfo ::= SEQUENCE { contentType, [0] SEQUENCE { ..., EncryptedContentInfo, ... } }
 *   EncryptedContentInfo ::= SEQUENCE { contentType, algorithm, [0] IMPLICIT OCTET STRING }
 *
 * The four outer ones are written anew with indefinite lengths, whatever they had; all that stands
 * in them is copied as it is.
 */
#include "xform/seal_layout.h"

#include <openssl/asn1.h>
#include <openssl/err.h>

#include <stdlib.h>
#include <string.h>

/* A tag of up to 5 bytes and a length of up to 9; longer ones are refused. */
enum { HEAD_MAX = 16 };

/* A place in the source. */
typedef struct cursor {
    const relais_seal_source *source;
    relais_buffer *out; /* NULL: nothing is copied */
    uint64_t at;
} cursor;

typedef struct element {
    int tag, class;
    bool is_constructed;
    uint64_t head;  /* where its tag stands */
    uint64_t start; /* where its contents begin */
    uint64_t end;   /* UINT64_MAX: indefinite */
} element;

static bool no_sealed_bytes(relais_error *err)
{
    ERR_clear_error();
    return relais_error_set(err, RELAIS_ERR_SYNTAX, "these are no sealed bytes");
}

static bool read_exactly(const relais_seal_source *source, uint64_t at, char *bytes, size_t size,
                         relais_error *err)
{
    size_t length;

    for (; size > 0; at += length, bytes += length, size -= length) {
        if (!source->read(source->data, at, bytes, size, &length, err))
            return false;
        if (length == 0)
            return no_sealed_bytes(err);
    }
    return true;
}

/* The element that stands at the cursor, which stays. */
static bool look(const cursor *c, element *out, relais_error *err)
{
    uint64_t left = c->at < c->source->length ? c->source->length - c->at : 0;
    char bytes[HEAD_MAX] = "";
    const unsigned char *p = (const unsigned char *)bytes;
    size_t size = left < sizeof bytes ? (size_t)left : sizeof bytes;
    uint64_t start;
    long length;
    int flags;

    memset(out, 0, sizeof *out);
    if (left == 0)
        return no_sealed_bytes(err);
    if (!read_exactly(c->source, c->at, bytes, size, err))
        return false;
    /* It is told of these bytes only, and complains that the contents are longer. */
    flags = ASN1_get_object(&p, &length, &out->tag, &out->class, (long)size);
    ERR_clear_error();
    start = (uint64_t)(p - (const unsigned char *)bytes);
    if (start == 0 || length < 0 || (uint64_t)length > left - start)
        return no_sealed_bytes(err);
    out->is_constructed = (flags & V_ASN1_CONSTRUCTED) != 0;
    out->head = c->at;
    out->start = c->at + start;
    out->end = (flags & 1) != 0 ? UINT64_MAX : out->start + (uint64_t)length;
    return true;
}

static bool is(const element *e, int class, int tag)
{
    return e->class == class && e->tag == tag;
}

static bool is_end_mark(const element *e)
{
    return is(e, V_ASN1_UNIVERSAL, V_ASN1_EOC) && e->end == e->start;
}

static bool copy(cursor *c, uint64_t from, uint64_t to, relais_error *err)
{
    char *room;

    if (to - from > RELAIS_SEAL_ENVELOPE_MAX)
        return no_sealed_bytes(err);
    room = relais_buffer_extend(c->out, (size_t)(to - from));
    return relais_buffer_check(c->out, "an envelope", err) &&
           read_exactly(c->source, from, room, (size_t)(to - from), err);
}

/* Opens a constructed element at the cursor, and in the copy one of indefinite length. */
static bool enter(cursor *c, int class, int tag, element *out, relais_error *err)
{
    char mark;

    if (!look(c, out, err))
        return false;
    if (!is(out, class, tag) || !out->is_constructed)
        return no_sealed_bytes(err);
    c->at = out->start;
    mark = (char)(class | V_ASN1_CONSTRUCTED | tag);
    relais_buffer_append(c->out, &mark, 1);
    relais_buffer_append_char(c->out, (char)0x80);
    return true;
}

/* True when the cursor stands where the element ends; its mark is passed. */
static bool has_ended(cursor *c, const element *of, bool *ended, relais_error *err)
{
    element next;

    *ended = c->at >= of->end;
    if (of->end != UINT64_MAX)
        return c->at <= of->end || no_sealed_bytes(err);
    if (!look(c, &next, err))
        return false;
    *ended = is_end_mark(&next);
    if (*ended)
        c->at = next.start;
    return true;
}

static bool leave(cursor *c, const element *of, relais_error *err)
{
    bool ended;

    if (!has_ended(c, of, &ended, err))
        return false;
    relais_buffer_append(c->out, "\0", 2);
    return ended || no_sealed_bytes(err);
}

/* Copies one element of known length. */
static bool take(cursor *c, element *out, relais_error *err)
{
    if (!look(c, out, err))
        return false;
    if (out->end == UINT64_MAX)
        return no_sealed_bytes(err);
    c->at = out->end;
    return copy(c, out->head, out->end, err);
}

/* ---- the content --------------------------------------------------------------------------- */

/* The next OCTET STRING at the cursor, whose bytes are passed; *is_end when there is none. */
static bool next_piece(cursor *c, uint64_t end, element *piece, bool *is_end, relais_error *err)
{
    const element whole = {.end = end};

    if (!has_ended(c, &whole, is_end, err))
        return false;
    if (*is_end)
        return true;
    if (!look(c, piece, err))
        return false;
    if (!is(piece, V_ASN1_UNIVERSAL, V_ASN1_OCTET_STRING) || piece->is_constructed)
        return no_sealed_bytes(err);
    c->at = piece->end;
    return true;
}

static bool find_content(cursor *c, relais_seal_layout *out, relais_error *err)
{
    element content, piece;
    bool is_end = false;

    if (!look(c, &content, err))
        return false;
    if (!is(&content, V_ASN1_CONTEXT_SPECIFIC, 0))
        return no_sealed_bytes(err);
    out->is_in_pieces = content.is_constructed;
    out->content = c->at = content.start;
    out->content_end = content.end;
    if (!out->is_in_pieces)
        c->at = content.end;
    while (out->is_in_pieces && !is_end)
        if (!next_piece(c, content.end, &piece, &is_end, err))
            return false;
    return true;
}

/* ---- the envelope -------------------------------------------------------------------------- */

static bool read_content_info(cursor *c, relais_seal_layout *out, relais_error *err)
{
    element info, type, algorithm;

    return enter(c, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &info, err) && take(c, &type, err) &&
           take(c, &algorithm, err) && find_content(c, out, err) && leave(c, &info, err);
}

/* Before the content's own sequence stand no other sequences, and behind it anything may. */
static bool read_enveloped(cursor *c, relais_seal_layout *out, relais_error *err)
{
    element whole, next;
    bool has_content = false, ended = false;

    if (!enter(c, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &whole, err))
        return false;
    while (has_ended(c, &whole, &ended, err) && !ended) {
        bool is_content;
        if (!look(c, &next, err))
            return false;
        is_content = !has_content && is(&next, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE);
        has_content = has_content || is_content;
        if (!(is_content ? read_content_info(c, out, err) : take(c, &next, err)))
            return false;
    }
    relais_buffer_append(c->out, "\0", 2);
    return ended && (has_content || no_sealed_bytes(err));
}

bool relais_seal_layout_read(const relais_seal_source *source, relais_seal_layout *out,
                             relais_error *err)
{
    cursor c = {.source = source, .out = &out->envelope};
    element info, type, content;

    memset(out, 0, sizeof *out);
    out->source = source;
    relais_buffer_init(&out->envelope, RELAIS_SEAL_ENVELOPE_MAX);
    ERR_clear_error();
    return enter(&c, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &info, err) && take(&c, &type, err) &&
           enter(&c, V_ASN1_CONTEXT_SPECIFIC, 0, &content, err) && read_enveloped(&c, out, err) &&
           leave(&c, &content, err) && leave(&c, &info, err) &&
           relais_buffer_check(&out->envelope, "an envelope", err);
}

void relais_seal_layout_free(relais_seal_layout *layout)
{
    relais_buffer_free(&layout->envelope);
}

/* ---- the stream ---------------------------------------------------------------------------- */

typedef struct stream {
    const relais_seal_layout *layout;
    relais_error *err;
    cursor next;      /* the piece behind the one in hand */
    uint64_t at, end; /* of the piece in hand */
    bool is_end;
} stream;

/* Moves on to a piece with bytes in it; at the end there is none. */
static bool find_bytes(stream *s)
{
    element piece;

    while (s->at == s->end && !s->is_end) {
        if (!next_piece(&s->next, s->layout->content_end, &piece, &s->is_end, s->err))
            return false;
        if (s->is_end)
            break;
        s->at = piece.start;
        s->end = piece.end;
    }
    return true;
}

static int stream_read(BIO *bio, char *bytes, size_t size, size_t *length)
{
    stream *s = BIO_get_data(bio);
    const relais_seal_source *source = s->layout->source;

    *length = 0;
    if (!find_bytes(s) || s->is_end)
        return 0;
    if (size > s->end - s->at)
        size = (size_t)(s->end - s->at);
    if (!source->read(source->data, s->at, bytes, size, length, s->err))
        return 0;
    s->at += *length;
    return *length > 0;
}

static long stream_control(BIO *bio, int command, long number, void *pointer)
{
    const stream *s = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    return command == BIO_CTRL_EOF ? s->is_end : command == BIO_CTRL_FLUSH;
}

static int stream_destroy(BIO *bio)
{
    free(BIO_get_data(bio));
    BIO_set_data(bio, NULL);
    return 1;
}

/* Made once for the process: a BIO refers to its method as long as it lives. */
static CRYPTO_ONCE method_once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *stream_method;

static void free_method(void)
{
    BIO_meth_free(stream_method);
    stream_method = NULL;
}

static void make_method(void)
{
    stream_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "relais content");
    if (stream_method != NULL) {
        BIO_meth_set_read_ex(stream_method, stream_read);
        BIO_meth_set_ctrl(stream_method, stream_control);
        BIO_meth_set_destroy(stream_method, stream_destroy);
    }
    OPENSSL_atexit(free_method);
}

BIO *relais_seal_content_bio(const relais_seal_layout *layout, relais_error *err)
{
    stream *s;
    BIO *bio;

    if (!CRYPTO_THREAD_run_once(&method_once, make_method) || stream_method == NULL)
        return NULL;
    bio = BIO_new(stream_method);
    s = bio == NULL ? NULL : calloc(1, sizeof *s);
    if (s == NULL) {
        BIO_free(bio);
        return NULL;
    }
    s->layout = layout;
    s->err = err;
    s->next = (cursor){.source = layout->source, .at = layout->content};
    if (!layout->is_in_pieces) {
        s->at = layout->content;
        s->end = layout->content_end;
        s->next.at = s->end; /* nothing comes behind it */
    }
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    return bio;
}
