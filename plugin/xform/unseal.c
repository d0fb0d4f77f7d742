/*
 * Opening what seal.c sealed, with the recipient's private key. See seal.h.
 */
#include "xform/seal.h"

#include "xform/seal_bio.h"
#include "xform/seal_layout.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <stdlib.h>
#include <string.h>

/* An encrypted RSA-16384 key is 13 KB. */
enum { KEY_FILE_MAX = 64 * 1024 };

struct relais_seal_key {
    EVP_PKEY *key;
    char id[RELAIS_SEAL_KEY_ID_SIZE];
};

/* ---- The private key ---- */

typedef struct asking {
    relais_seal_passphrase *ask;
    void *data;
    bool was_asked;
} asking;

static int give_passphrase(char *out, int size, int is_for_writing, void *data)
{
    asking *asked = data;
    size_t length = 0;

    (void)is_for_writing;
    asked->was_asked = true;
    if (asked->ask == NULL || !asked->ask(asked->data, out, (size_t)size, &length) ||
        length > (size_t)size)
        return -1;
    return (int)length;
}

static bool parse(const relais_buffer *pem, asking *asked, relais_seal_key *key, relais_error *err)
{
    BIO *bio = BIO_new_mem_buf(pem->length == 0 ? "" : pem->data, (int)pem->length);

    ERR_clear_error();
    key->key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, asked);
    BIO_free(bio);
    if (key->key != NULL)
        return relais_seal_identify(key->key, key->id, err);
    if (asked->was_asked)
        return relais_seal_fail(err, RELAIS_ERR_CONFIG, NULL,
                                "the private key does not open: give its passphrase");
    return relais_seal_fail(err, RELAIS_ERR_CONFIG, NULL, "this is no private key in PEM form");
}

bool relais_seal_key_read(const char *path, relais_seal_passphrase *ask, void *data,
                          relais_seal_key **out, relais_error *err)
{
    asking asked = {.ask = ask, .data = data};
    relais_buffer pem;
    relais_seal_key *key = calloc(1, sizeof *key);
    bool ok;

    if (key == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    relais_buffer_init(&pem, KEY_FILE_MAX);
    ok = relais_seal_slurp(path, &pem, err) && parse(&pem, &asked, key, err);
    if (pem.data != NULL)
        explicit_bzero(pem.data, pem.length);
    relais_buffer_free(&pem);
    if (!ok) {
        relais_error_at(err, path, 0);
        relais_seal_key_free(key);
        return false;
    }
    *out = key;
    return true;
}

void relais_seal_key_free(relais_seal_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->key); /* OpenSSL wipes it */
    free(key);
}

const char *relais_seal_key_id_of(const relais_seal_key *key)
{
    return key->id;
}

/* ---- Opening ---- */

static bool decrypt(const relais_seal_key *key, const relais_seal_layout *layout,
                    relais_seal_sink *sink, relais_error *err)
{
    BIO *in = BIO_new_mem_buf(layout->envelope.data, (int)layout->envelope.length);
    CMS_ContentInfo *cms = in == NULL ? NULL : d2i_CMS_bio(in, NULL);
    BIO *content = relais_seal_content_bio(layout, err);
    BIO *end = relais_seal_sink_bio(sink);
    bool ok = cms != NULL && content != NULL && end != NULL &&
              CMS_decrypt(cms, key->key, NULL, content, end, CMS_BINARY) > 0 && !sink->has_failed &&
              err->code == RELAIS_ERR_NONE;

    if (cms == NULL)
        relais_seal_fail(err, RELAIS_ERR_SYNTAX, NULL, "these are no sealed bytes");
    else if (!ok)
        relais_seal_fail(err, RELAIS_ERR_DAMAGED, NULL,
                         "it was sealed for another key, or changed since");
    BIO_free(content);
    BIO_free(end);
    BIO_free(in);
    CMS_ContentInfo_free(cms);
    return ok;
}

bool relais_unseal(const relais_seal_key *key, const relais_seal_source *source,
                   relais_seal_writer *write, void *write_data, relais_error *err)
{
    relais_error why = {0}; /* the first that fails says why */
    relais_seal_sink sink = {.write = write, .data = write_data, .err = &why};
    relais_seal_layout layout;
    bool ok = relais_seal_layout_read(source, &layout, &why) && decrypt(key, &layout, &sink, &why);

    relais_seal_layout_free(&layout);
    if (!ok && err != NULL)
        *err = why;
    return ok;
}

/* ---- In memory ---- */

typedef struct memory {
    const char *bytes;
    size_t length;
} memory;

static bool read_memory(void *data, uint64_t offset, char *bytes, size_t size, size_t *length,
                        relais_error *err)
{
    const memory *from = data;
    size_t left = offset < from->length ? from->length - (size_t)offset : 0;

    (void)err;
    *length = left < size ? left : size;
    if (*length > 0)
        memcpy(bytes, from->bytes + offset, *length);
    return true;
}

bool relais_unseal_bytes(const relais_seal_key *key, const void *bytes, size_t length,
                         relais_buffer *out, relais_error *err)
{
    memory from = {bytes, length};
    const relais_seal_source source = {read_memory, &from, length};
    size_t before = out->length;

    if (relais_unseal(key, &source, relais_seal_to_buffer, out, err))
        return true;
    if (out->data != NULL) {
        explicit_bzero(out->data + before, out->length - before);
        out->length = before;
        out->data[before] = '\0';
    }
    return false;
}
