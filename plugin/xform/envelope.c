/*
 * Reading and opening envelopes. See envelope.h.
 */
#include "xform/envelope.h"

#include "base/text.h"
#include "xform/seal_bio.h"
#include "xform/xml.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

/* Of a key or signature in base64: RSA of 16,384 bits, and line breaks. */
enum { BASE64_MAX = 4096 };

enum { BLOCK = 16, PIECE = 64 * 1024 };

/* Names of files and their hashes, as the signature has them. */
#define SIGNED_TEXT_MAX ((size_t)RELAIS_ENVELOPE_FILES_MAX * 1200)

/* ---- reading ----------------------------------------------------------------------------- */

static const char *child_text(const xmlNode *root, const char *name, relais_arena *arena)
{
    return relais_xml_text(relais_xml_child(root, name), arena);
}

static size_t count_files(const xmlNode *root)
{
    size_t count = 0;

    for (const xmlNode *media = root->children; media != NULL; media = media->next)
        if (relais_xml_is(media, "media"))
            for (const xmlNode *file = media->children; file != NULL; file = file->next)
                count += relais_xml_is(file, "file");
    return count;
}

/* Media in document order; the XML's name is put behind them by the caller. */
static bool list_media(const xmlNode *root, relais_arena *arena, relais_envelope *out)
{
    for (const xmlNode *media = root->children; media != NULL; media = media->next) {
        if (!relais_xml_is(media, "media"))
            continue;
        for (const xmlNode *file = media->children; file != NULL; file = file->next) {
            if (!relais_xml_is(file, "file"))
                continue;
            out->files[out->file_count] = relais_xml_text(file, arena);
            if (out->files[out->file_count++] == NULL)
                return false;
        }
    }
    return true;
}

static bool check_envelope(const relais_envelope *out, relais_error *err)
{
    const char *missing = out->key[0] == '\0'                          ? "base64EncryptedKey"
                          : out->instance_id[0] == '\0'                ? "meta/instanceID"
                          : out->files[out->file_count - 1][0] == '\0' ? "encryptedXmlFile"
                                                                       : NULL;

    return missing == NULL ||
           relais_error_set(err, RELAIS_ERR_SYNTAX,
                            "the envelope of an encrypted submission has no %s", missing);
}

bool relais_envelope_read(const relais_submission *submission, relais_arena *arena,
                          relais_envelope *out, relais_error *err)
{
    const xmlNode *root = xmlDocGetRootElement(submission->doc);
    size_t media = count_files(root);

    memset(out, 0, sizeof *out);
    if (media >= RELAIS_ENVELOPE_FILES_MAX)
        return relais_error_set(err, RELAIS_ERR_LIMIT,
                                "an encrypted submission with more than %d files",
                                RELAIS_ENVELOPE_FILES_MAX);
    out->form_id = submission->form_id;
    out->version = submission->version;
    out->instance_id = submission->instance_id;
    out->key = child_text(root, "base64EncryptedKey", arena);
    out->signature = child_text(root, "base64EncryptedElementSignature", arena);
    out->files = relais_arena_alloc(arena, (media + 1) * sizeof *out->files);
    if (out->key == NULL || out->signature == NULL || out->files == NULL ||
        !list_media(root, arena, out))
        return relais_arena_error(arena, err);
    out->files[out->file_count] = child_text(root, "encryptedXmlFile", arena);
    if (out->files[out->file_count++] == NULL)
        return relais_arena_error(arena, err);
    return check_envelope(out, err);
}

/* ---- the lock ---------------------------------------------------------------------------- */

/* Decodes base64 with or without line breaks; 0 when it is none, or too long. */
static size_t decode_base64(const char *text, uint8_t *out)
{
    char tight[BASE64_MAX];
    size_t length = 0, padding = 0;
    int decoded;

    for (; *text != '\0'; text++) {
        if (relais_is_space(*text))
            continue;
        if (length == sizeof tight)
            return 0;
        padding += *text == '=';
        tight[length++] = *text;
    }
    decoded = EVP_DecodeBlock(out, (const unsigned char *)tight, (int)length);
    return decoded <= 0 || padding > 2 ? 0 : (size_t)decoded - padding;
}

static bool open_locked(const char *base64, const relais_form_keys *keys,
                        uint8_t out[RELAIS_FORM_KEYS_PLAIN], size_t *length, relais_error *err)
{
    uint8_t locked[BASE64_MAX];
    size_t locked_length = decode_base64(base64, locked);

    if (locked_length == 0)
        return relais_error_set(err, RELAIS_ERR_SYNTAX,
                                "the envelope's key or signature is not in base64");
    return relais_form_keys_open(keys, locked, locked_length, out, length, err);
}

static void make_seed(const relais_envelope *envelope, relais_envelope_lock *lock)
{
    relais_digest_state state;

    relais_md5_begin(&state);
    relais_md5_add(&state, envelope->instance_id, strlen(envelope->instance_id));
    relais_md5_add(&state, lock->key, sizeof lock->key);
    relais_md5_end(&state, lock->seed);
}

bool relais_envelope_unlock(const relais_envelope *envelope, const relais_form_keys *keys,
                            relais_envelope_lock *out, relais_error *err)
{
    uint8_t plain[RELAIS_FORM_KEYS_PLAIN];
    size_t length;
    bool ok = open_locked(envelope->key, keys, plain, &length, err);

    if (ok && length != sizeof out->key)
        ok = relais_error_set(err, RELAIS_ERR_SYNTAX,
                              "the envelope's key has %zu bytes instead of %zu", length,
                              sizeof out->key);
    if (ok) {
        memcpy(out->key, plain, sizeof out->key);
        make_seed(envelope, out);
    }
    explicit_bzero(plain, sizeof plain);
    return ok;
}

void relais_envelope_forget(relais_envelope_lock *lock)
{
    explicit_bzero(lock, sizeof *lock);
}

/* ---- files ------------------------------------------------------------------------------- */

/* The seed, one of its bytes one higher for each file so far, this one included. */
static void make_vector(const relais_envelope_lock *lock, size_t index,
                        uint8_t out[RELAIS_ENVELOPE_SEED_SIZE])
{
    memcpy(out, lock->seed, RELAIS_ENVELOPE_SEED_SIZE);
    for (size_t i = 0; i <= index; i++)
        out[i % RELAIS_ENVELOPE_SEED_SIZE]++;
}

/* A file being opened. The last block is kept back until it is known to be the last. */
struct opening {
    EVP_CIPHER_CTX *cipher;
    relais_seal_writer *write;
    void *write_data;
    relais_digest_state md5;
    uint8_t kept[BLOCK];
    size_t kept_length;
};

static bool hand_on(struct opening *o, const uint8_t *bytes, size_t length, relais_error *err)
{
    if (length == 0)
        return true;
    relais_md5_add(&o->md5, bytes, length);
    return o->write(o->write_data, (const char *)bytes, length, err);
}

/* Hands on everything but the last block of what has come. */
static bool take(struct opening *o, const uint8_t *bytes, size_t length, relais_error *err)
{
    size_t early;

    if (o->kept_length + length <= BLOCK) {
        memcpy(o->kept + o->kept_length, bytes, length);
        o->kept_length += length;
        return true;
    }
    early = o->kept_length + length - BLOCK; /* of kept and bytes together */
    if (early < o->kept_length) {
        if (!hand_on(o, o->kept, early, err))
            return false;
        memmove(o->kept, o->kept + early, o->kept_length - early);
        memcpy(o->kept + o->kept_length - early, bytes, length);
    } else {
        if (!hand_on(o, o->kept, o->kept_length, err) ||
            !hand_on(o, bytes, early - o->kept_length, err))
            return false;
        memcpy(o->kept, bytes + length - BLOCK, BLOCK);
    }
    o->kept_length = BLOCK;
    return true;
}

/* PKCS #7: the last block ends with N bytes of the value N, 1 to 16. */
static bool finish(struct opening *o, uint64_t total, relais_error *err)
{
    uint8_t padding = o->kept_length == BLOCK ? o->kept[BLOCK - 1] : 0;
    bool is_good = total % BLOCK == 0 && padding >= 1 && padding <= BLOCK;

    for (size_t i = 1; is_good && i <= padding; i++)
        is_good = o->kept[BLOCK - i] == padding;
    if (!is_good)
        return relais_error_set(err, RELAIS_ERR_DAMAGED,
                                "an encrypted file does not open: it is cut, another submission's, "
                                "or was locked with another key");
    return hand_on(o, o->kept, BLOCK - (size_t)padding, err);
}

static bool decrypt_all(struct opening *o, relais_seal_reader *read, void *read_data,
                        relais_error *err)
{
    uint8_t *piece = malloc(2 * PIECE);
    uint64_t total = 0;
    bool ok = piece != NULL || relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");

    while (ok) {
        size_t length;
        int made = 0;
        ok = read(read_data, (char *)piece, PIECE, &length, err);
        if (!ok || length == 0)
            break;
        total += length;
        ok = EVP_DecryptUpdate(o->cipher, piece + PIECE, &made, piece, (int)length) == 1
                 ? take(o, piece + PIECE, (size_t)made, err)
                 : relais_seal_fail(err, RELAIS_ERR_DAMAGED, NULL, "an encrypted file");
    }
    ok = ok && finish(o, total, err);
    if (piece != NULL)
        explicit_bzero(piece, 2 * PIECE);
    free(piece);
    return ok;
}

bool relais_envelope_decrypt(const relais_envelope_lock *lock, size_t index,
                             relais_seal_reader *read, void *read_data, relais_seal_writer *write,
                             void *write_data, uint8_t md5[RELAIS_MD5_SIZE], relais_error *err)
{
    struct opening o = {.cipher = EVP_CIPHER_CTX_new(), .write = write, .write_data = write_data};
    uint8_t vector[RELAIS_ENVELOPE_SEED_SIZE];
    bool ok;

    make_vector(lock, index, vector);
    relais_md5_begin(&o.md5);
    ok = o.cipher != NULL &&
         EVP_DecryptInit_ex2(o.cipher, EVP_aes_256_cfb128(), lock->key, vector, NULL) == 1;
    if (!ok)
        relais_seal_fail(err, RELAIS_ERR_MEMORY, NULL, "an encrypted file cannot be opened");
    ok = ok && decrypt_all(&o, read, read_data, err);
    if (ok && md5 != NULL)
        relais_md5_end(&o.md5, md5);
    EVP_CIPHER_CTX_free(o.cipher);
    explicit_bzero(&o, sizeof o);
    return ok;
}

/* ---- from memory ------------------------------------------------------------------------- */

struct memory {
    const char *at;
    size_t left;
};

static bool read_memory(void *data, char *bytes, size_t size, size_t *length, relais_error *err)
{
    struct memory *m = data;

    (void)err;
    *length = m->left < size ? m->left : size;
    memcpy(bytes, m->at, *length);
    m->at += *length;
    m->left -= *length;
    return true;
}

bool relais_envelope_decrypt_bytes(const relais_envelope_lock *lock, size_t index,
                                   const void *bytes, size_t length, relais_buffer *out,
                                   uint8_t md5[RELAIS_MD5_SIZE], relais_error *err)
{
    struct memory from = {bytes, length};

    if (relais_envelope_decrypt(lock, index, read_memory, &from, relais_seal_to_buffer, out, md5,
                                err))
        return true;
    if (out->data != NULL)
        explicit_bzero(out->data, out->length);
    relais_buffer_reset(out);
    return false;
}

/* ---- the signature ----------------------------------------------------------------------- */

/* "photo.jpg.enc" is signed by its own name. */
static void append_plain_name(relais_buffer *out, const char *name)
{
    size_t length = strlen(name);

    if (length > 4 && strcmp(name + length - 4, ".enc") == 0)
        length -= 4;
    relais_buffer_append(out, name, length);
}

static void write_signed_text(const relais_envelope *envelope,
                              const uint8_t (*md5s)[RELAIS_MD5_SIZE], relais_buffer *out)
{
    relais_buffer_append_format(out, "%s\n", envelope->form_id);
    if (envelope->version[0] != '\0')
        relais_buffer_append_format(out, "%s\n", envelope->version);
    relais_buffer_append_format(out, "%s\n%s\n", envelope->key, envelope->instance_id);
    for (size_t i = 0; i < envelope->file_count; i++) {
        char hex[2 * RELAIS_MD5_SIZE + 1];
        relais_hex(md5s[i], RELAIS_MD5_SIZE, hex);
        append_plain_name(out, envelope->files[i]);
        relais_buffer_append_format(out, "::%s\n", hex);
    }
}

static bool compare_signature(const relais_envelope *envelope, const uint8_t *plain, size_t length,
                              const uint8_t (*md5s)[RELAIS_MD5_SIZE], relais_error *err)
{
    uint8_t wanted[RELAIS_MD5_SIZE];
    relais_digest_state state;
    relais_buffer text;
    bool ok;

    relais_buffer_init(&text, SIGNED_TEXT_MAX);
    write_signed_text(envelope, md5s, &text);
    ok = relais_buffer_check(&text, "what a signature signs", err);
    if (ok) {
        relais_md5_begin(&state);
        relais_md5_add(&state, text.data, text.length);
        relais_md5_end(&state, wanted);
    }
    relais_buffer_free(&text);
    if (!ok)
        return false;
    return (length == sizeof wanted && memcmp(plain, wanted, sizeof wanted) == 0) ||
           relais_error_set(err, RELAIS_ERR_DAMAGED,
                            "the signature of the encrypted submission is not that of its files");
}

bool relais_envelope_verify(const relais_envelope *envelope, const relais_form_keys *keys,
                            const uint8_t (*md5s)[RELAIS_MD5_SIZE], relais_error *err)
{
    uint8_t plain[RELAIS_FORM_KEYS_PLAIN];
    size_t length;

    if (envelope->signature[0] == '\0')
        return true; /* ODK Web Forms makes none */
    return open_locked(envelope->signature, keys, plain, &length, err) &&
           compare_signature(envelope, plain, length, md5s, err);
}
