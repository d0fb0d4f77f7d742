/*
 * Opening encrypted submissions from the ledger. See encrypted.h.
 */
#include "store/encrypted.h"

#include "store/item.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Two files of one name are a file that was cut and the one that was sent again: the later one
 * counts. What the forwarder has sealed was no locked file. */
const char relais_encrypted_files_sql[] =
    "SELECT a.name, encode(a.sha256, 'hex') FROM relais.attachment a"
    " WHERE a.sub_id = $1::uuid AND a.seal IS NULL ORDER BY a.received_at DESC, a.sha256";

/* Attachments are stored uncompressed, so that a piece is read without the rest. */
const char relais_encrypted_piece_sql[] =
    "SELECT substring(a.bytes FROM $4::integer FOR $5::integer) FROM relais.attachment a"
    " WHERE a.sub_id = $1::uuid AND a.name = $2 AND a.sha256 = decode($3, 'hex')";

/* ---- objections --------------------------------------------------------------------------- */

typedef enum {
    OBJECT_NONE,
    OBJECT_PLAINTEXT,
    OBJECT_ENVELOPE,
    OBJECT_MANY,
    OBJECT_NO_KEYS,
    OBJECT_NO_KEY,
    OBJECT_DAMAGED,
    OBJECT_SIZE,
    OBJECT_SIGNATURE,
    OBJECT_CHANGED,
    OBJECT_SYNTAX,
    OBJECT_OTHER
} object;

static relais_objection objection_of(object which)
{
    switch (which) {
    case OBJECT_PLAINTEXT:
        return (relais_objection){
            RELAIS_REASON_PLAINTEXT,
            relais_translate("this submission came in the clear although its form is encrypted: "
                             "find out why that phone has a form without the key")};
    case OBJECT_ENVELOPE:
        return (relais_objection){
            RELAIS_REASON_ENVELOPE,
            relais_translate("this encrypted submission has not the parts of one; it was made by "
                             "no known client")};
    case OBJECT_MANY:
        return (relais_objection){
            relais_error_word(RELAIS_ERR_LIMIT),
            relais_translate("this encrypted submission names more than 10,000 files")};
    case OBJECT_NO_KEYS:
        return (relais_objection){
            RELAIS_REASON_NO_KEY,
            relais_translate("this submission is encrypted and no key to read it is configured: "
                             "set [encryption] keys, restart the forwarder and replay it")};
    case OBJECT_NO_KEY:
        return (relais_objection){
            RELAIS_REASON_NO_KEY,
            relais_translate("none of the keys of [encryption] keys opens this submission: put "
                             "the one that its form was published with there, restart the "
                             "forwarder and replay it")};
    case OBJECT_DAMAGED:
        return (relais_objection){
            RELAIS_REASON_DAMAGED,
            relais_translate("a file of this encrypted submission does not open: it was cut or "
                             "changed on its way; let the phone send it again")};
    case OBJECT_SIZE:
        return (relais_objection){
            relais_error_word(RELAIS_ERR_LIMIT),
            relais_translate("the XML of this encrypted submission is larger than 8 MB")};
    case OBJECT_SIGNATURE:
        return (relais_objection){
            RELAIS_REASON_SIGNATURE,
            relais_translate("the files of this encrypted submission are not those that the phone "
                             "signed: one was changed or exchanged; let the phone send it again")};
    case OBJECT_CHANGED:
        return (relais_objection){
            RELAIS_REASON_DAMAGED,
            relais_translate("what this encrypted submission holds is no XML: it was changed on "
                             "its way; let the phone send it again")};
    case OBJECT_SYNTAX:
        return (relais_objection){
            relais_error_word(RELAIS_ERR_SYNTAX),
            relais_translate("what this encrypted submission holds is not well-formed XML")};
    case OBJECT_OTHER:
        return (relais_objection){
            RELAIS_REASON_ENVELOPE,
            relais_translate("what this encrypted submission holds is of another form or has "
                             "another instanceID than it says outside")};
    default:
        return (relais_objection){NULL, NULL};
    }
}

relais_objection relais_encrypted_plaintext(void)
{
    return objection_of(OBJECT_PLAINTEXT);
}

/* What may be the submission's own fault; the rest is the machine's. */
static bool is_its_own(const relais_error *why)
{
    return why->code == RELAIS_ERR_SYNTAX || why->code == RELAIS_ERR_DAMAGED ||
           why->code == RELAIS_ERR_MISSING || why->code == RELAIS_ERR_LIMIT ||
           why->code == RELAIS_ERR_DATA;
}

/* True when the objection says it all; false with `err` when the machine failed. */
static bool object_to(object which, const relais_error *why, relais_objection *out,
                      relais_error *err)
{
    if (!is_its_own(why)) {
        *err = *why;
        return false;
    }
    *out = objection_of(which);
    return true;
}

/* ---- the envelope ------------------------------------------------------------------------- */

static bool unlock(const relais_envelope *envelope, const relais_form_keys *keys,
                   relais_envelope_lock *lock, relais_objection *objection, relais_error *err)
{
    relais_error why = {0};

    if (keys == NULL || relais_form_keys_count(keys) == 0) {
        *objection = objection_of(OBJECT_NO_KEYS);
        return true;
    }
    return relais_envelope_unlock(envelope, keys, lock, &why) ||
           object_to(why.code == RELAIS_ERR_MISSING ? OBJECT_NO_KEY : OBJECT_ENVELOPE, &why,
                     objection, err);
}

static bool read_envelope(const relais_submission *outer, const relais_form_keys *keys,
                          relais_arena *arena, relais_envelope *out, relais_envelope_lock *lock,
                          relais_objection *objection, relais_error *err)
{
    relais_error why = {0};

    *objection = objection_of(OBJECT_NONE);
    if (!relais_envelope_read(outer, arena, out, &why))
        return object_to(why.code == RELAIS_ERR_LIMIT ? OBJECT_MANY : OBJECT_ENVELOPE, &why,
                         objection, err);
    return unlock(out, keys, lock, objection, err);
}

bool relais_encrypted_check(const relais_submission *outer, const relais_form_keys *keys,
                            relais_arena *arena, relais_envelope *out, relais_objection *objection,
                            relais_error *err)
{
    relais_envelope_lock lock = {0};
    bool ok;

    memset(out, 0, sizeof *out);
    ok = read_envelope(outer, keys, arena, out, &lock, objection, err);
    relais_envelope_forget(&lock);
    return ok;
}

/* ---- its files ---------------------------------------------------------------------------- */

/* One file of the envelope as the ledger has it. */
struct locked {
    const char *name, *sha256; /* NULL: it has not come */
};

static bool find_file(const PGresult *rows, const char *name, relais_arena *arena,
                      struct locked *out)
{
    enum { F_NAME, F_SHA256 };

    for (int i = 0; i < PQntuples(rows); i++) {
        const char *kept = PQgetvalue(rows, i, F_NAME);
        if (!relais_filename_equal(name, strlen(name), kept, strlen(kept)))
            continue;
        out->name = relais_arena_text(arena, kept);
        out->sha256 = relais_arena_text(arena, PQgetvalue(rows, i, F_SHA256));
        return out->name != NULL && out->sha256 != NULL;
    }
    return true;
}

/* The ledger's files, parallel to the envelope's; lists those that have not come. */
static bool find_files(const relais_encrypted_source *source, const relais_envelope *envelope,
                       relais_arena *arena, struct locked **files, relais_encrypted *out,
                       relais_error *err)
{
    size_t count = envelope->file_count;
    PGresult *rows;
    bool ok = true;

    *files = relais_arena_alloc(arena, count * sizeof **files);
    out->missing = relais_arena_alloc(arena, count * sizeof *out->missing);
    if (*files == NULL || out->missing == NULL)
        return relais_arena_error(arena, err);
    relais_params_reset(source->params);
    relais_params_text(source->params, source->sub_id);
    if (!relais_pg_call(source->store, relais_encrypted_files_sql, source->params, &rows, err))
        return false;
    for (size_t i = 0; i < count && ok; i++) {
        const char *name =
            relais_item_file_name(arena, envelope->files[i], strlen(envelope->files[i]));
        ok = name != NULL && find_file(rows, name, arena, &(*files)[i]);
        if (ok && (*files)[i].name == NULL)
            out->missing[out->missing_count++] = name;
    }
    PQclear(rows);
    return ok || relais_arena_error(arena, err);
}

/* A file being read from the ledger, piece by piece. */
struct reading {
    const relais_encrypted_source *source;
    const struct locked *file;
    uint64_t done;
};

static bool read_piece(void *data, char *bytes, size_t size, size_t *length, relais_error *err)
{
    struct reading *r = data;
    relais_params *params = r->source->params;
    char from[24], wanted[24];
    PGresult *rows;
    bool ok;

    snprintf(from, sizeof from, "%" PRIu64, r->done + 1);
    snprintf(wanted, sizeof wanted, "%zu", size);
    relais_params_reset(params);
    relais_params_text(params, r->source->sub_id);
    relais_params_text(params, r->file->name);
    relais_params_text(params, r->file->sha256);
    relais_params_text(params, from);
    relais_params_text(params, wanted);
    if (!relais_pg_call_binary(r->source->store, relais_encrypted_piece_sql, params, &rows, err))
        return false;
    ok = PQntuples(rows) == 1 && (size_t)PQgetlength(rows, 0, 0) <= size;
    if (ok) {
        *length = (size_t)PQgetlength(rows, 0, 0);
        memcpy(bytes, PQgetvalue(rows, 0, 0), *length);
        r->done += *length;
    } else {
        relais_error_set(err, RELAIS_ERR_TRANSIENT, "a file vanished from the ledger");
    }
    PQclear(rows);
    return ok;
}

/* Of a photo only its MD5 is wanted. */
static bool drop_piece(void *data, const char *bytes, size_t length, relais_error *err)
{
    (void)data;
    (void)bytes;
    (void)length;
    (void)err;
    return true;
}

static bool open_file(const relais_encrypted_source *source, const relais_envelope_lock *lock,
                      const struct locked *files, size_t index, relais_seal_writer *write,
                      void *write_data, uint8_t md5[RELAIS_MD5_SIZE], relais_objection *objection,
                      relais_error *err)
{
    struct reading reading = {.source = source, .file = &files[index]};
    relais_error why = {0};

    return relais_envelope_decrypt(lock, index, read_piece, &reading, write, write_data, md5,
                                   &why) ||
           object_to(why.code == RELAIS_ERR_LIMIT ? OBJECT_SIZE : OBJECT_DAMAGED, &why, objection,
                     err);
}

/* ---- the submission ----------------------------------------------------------------------- */

static bool append_piece(void *data, const char *bytes, size_t length, relais_error *err)
{
    relais_buffer *xml = data;

    relais_buffer_append(xml, bytes, length);
    return relais_buffer_check(xml, "the XML of an encrypted submission", err);
}

/* What a submission is being opened from. */
struct opening {
    const relais_encrypted_source *source;
    const relais_envelope *envelope;
    const relais_envelope_lock *lock;
    const struct locked *files;
    relais_encrypted *out;
};

static bool open_files(const struct opening *o, bool is_whole, relais_buffer *xml,
                       relais_arena *arena, relais_error *err)
{
    size_t last = o->envelope->file_count - 1;
    relais_objection *objection = &o->out->objection;
    uint8_t(*md5s)[RELAIS_MD5_SIZE] = relais_arena_alloc(arena, (last + 1) * sizeof *md5s);
    relais_error why = {0};

    if (md5s == NULL)
        return relais_arena_error(arena, err);
    for (size_t i = 0; is_whole && i < last && objection->class_word == NULL; i++)
        if (!open_file(o->source, o->lock, o->files, i, drop_piece, NULL, md5s[i], objection, err))
            return false;
    if (objection->class_word != NULL)
        return true;
    if (!open_file(o->source, o->lock, o->files, last, append_piece, xml, md5s[last], objection,
                   err))
        return false;
    if (!is_whole || objection->class_word != NULL)
        return true;
    return relais_envelope_verify(o->envelope, o->source->keys,
                                  (const uint8_t(*)[RELAIS_MD5_SIZE])md5s, &why) ||
           object_to(OBJECT_SIGNATURE, &why, objection, err);
}

static bool is_same(const relais_submission *inner, const relais_envelope *envelope)
{
    return strcmp(inner->form_id, envelope->form_id) == 0 &&
           strcmp(inner->instance_id, envelope->instance_id) == 0 && !inner->is_encrypted;
}

static bool read_inner(const struct opening *o, const relais_buffer *xml, relais_arena *arena,
                       relais_error *err)
{
    relais_submission *inner = &o->out->inner;
    relais_error why = {0};
    int64_t offset;

    if (!relais_submission_parse(xml->data == NULL ? "" : xml->data, xml->length, arena, inner,
                                 &offset, &why))
        return object_to(o->envelope->signature[0] == '\0' ? OBJECT_CHANGED : OBJECT_SYNTAX, &why,
                         &o->out->objection, err);
    if (!is_same(inner, o->envelope))
        o->out->objection = objection_of(OBJECT_OTHER);
    return true;
}

static bool open_submission(const struct opening *o, bool is_whole, relais_arena *arena,
                            relais_error *err)
{
    relais_buffer xml;
    bool ok;

    relais_buffer_init(&xml, RELAIS_SUBMISSION_XML_MAX);
    ok = open_files(o, is_whole, &xml, arena, err) &&
         (o->out->objection.class_word != NULL || read_inner(o, &xml, arena, err));
    if (xml.data != NULL)
        explicit_bzero(xml.data, xml.length);
    relais_buffer_free(&xml);
    return ok;
}

bool relais_encrypted_open(const relais_encrypted_source *source, const relais_submission *outer,
                           bool is_whole, relais_arena *arena, relais_encrypted *out,
                           relais_error *err)
{
    relais_envelope envelope;
    relais_envelope_lock lock = {0};
    struct locked *files = NULL;
    struct opening opening = {.source = source, .envelope = &envelope, .lock = &lock, .out = out};
    bool ok;

    memset(out, 0, sizeof *out);
    ok = read_envelope(outer, source->keys, arena, &envelope, &lock, &out->objection, err);
    if (ok && out->objection.class_word == NULL) {
        ok = find_files(source, &envelope, arena, &files, out, err);
        opening.files = files;
        if (ok && out->missing_count == 0)
            ok = open_submission(&opening, is_whole, arena, err);
    }
    relais_envelope_forget(&lock);
    return ok;
}
