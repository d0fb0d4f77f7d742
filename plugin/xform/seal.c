/*
 * Sealing to a certificate by OpenSSL's CMS. See seal.h.
 */
#include "xform/seal.h"

#include "xform/seal_bio.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* NIST SP 800-57 part 1, table 4: RSA-3072 and P-256 are worth 128 bits, good beyond 2030. */
enum { RSA_BITS_MIN = 3072, CURVE_BITS_MIN = 256 };

/* A certificate with its chain and comments is a few KB. */
enum { CERTIFICATE_FILE_MAX = 64 * 1024 };

/* Read at a time: large enough that a 500 MB video is not a million calls. */
enum { STREAM_CHUNK = 64 * 1024 };

struct relais_seal {
    X509 *certificate;
    char key_id[RELAIS_SEAL_KEY_ID_SIZE];
};

/* ---- The certificate ---- */

static bool check_key(EVP_PKEY *key, relais_error *err)
{
    int bits = key == NULL ? 0 : EVP_PKEY_get_bits(key);

    if (key != NULL && EVP_PKEY_is_a(key, "RSA"))
        return bits >= RSA_BITS_MIN ||
               relais_error_set(err, RELAIS_ERR_CONFIG,
                                "the certificate's RSA key has %d bits: make one of %d bits", bits,
                                RSA_BITS_MIN);
    if (key != NULL && EVP_PKEY_is_a(key, "EC"))
        return bits >= CURVE_BITS_MIN ||
               relais_error_set(err, RELAIS_ERR_CONFIG,
                                "the certificate's curve has %d bits: make a key on P-256 or "
                                "larger",
                                bits);
    return relais_error_set(err, RELAIS_ERR_CONFIG,
                            "nothing can be sealed for this kind of key: make a certificate with "
                            "an RSA key of %d bits",
                            RSA_BITS_MIN);
}

static bool parse(const relais_buffer *pem, relais_seal *seal, relais_error *err)
{
    BIO *bio;

    if (pem->length > 0 && memmem(pem->data, pem->length, "PRIVATE KEY-----", 16) != NULL)
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "this file holds a private key, which must never be on this "
                                "machine: keep the key elsewhere, and leave only the certificate "
                                "here");
    bio = BIO_new_mem_buf(pem->length == 0 ? "" : pem->data, (int)pem->length);
    seal->certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (seal->certificate == NULL)
        return relais_seal_fail(err, RELAIS_ERR_CONFIG, NULL,
                                "this is no X.509 certificate in PEM form");
    return check_key(X509_get0_pubkey(seal->certificate), err) &&
           relais_seal_identify(X509_get0_pubkey(seal->certificate), seal->key_id, err);
}

bool relais_seal_read(const char *path, relais_seal **out, relais_error *err)
{
    relais_buffer pem;
    relais_seal *seal = calloc(1, sizeof *seal);
    bool ok;

    if (seal == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    relais_buffer_init(&pem, CERTIFICATE_FILE_MAX);
    ok = relais_seal_slurp(path, &pem, err) && parse(&pem, seal, err);
    if (pem.data != NULL)
        explicit_bzero(pem.data, pem.length); /* it might have been a private key */
    relais_buffer_free(&pem);
    if (!ok) {
        relais_error_at(err, path, 0);
        relais_seal_free(seal);
        return false;
    }
    *out = seal;
    return true;
}

void relais_seal_free(relais_seal *seal)
{
    if (seal == NULL)
        return;
    X509_free(seal->certificate);
    free(seal);
}

const char *relais_seal_key_id(const relais_seal *seal)
{
    return seal->key_id;
}

/* ---- Sealing ---- */

/* OpenSSL's own choice would be PKCS #1 v1.5 for RSA and SHA-1 for curves. */
static bool set_method(CMS_RecipientInfo *recipient)
{
    EVP_PKEY_CTX *context = CMS_RecipientInfo_get0_pkey_ctx(recipient);

    if (context == NULL)
        return false;
    if (CMS_RecipientInfo_type(recipient) == CMS_RECIPINFO_AGREE)
        return EVP_PKEY_CTX_set_ecdh_kdf_md(context, EVP_sha256()) > 0;
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) > 0 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) > 0;
}

/* An envelope for the recipient with nothing in it yet. */
static CMS_ContentInfo *make_envelope(const relais_seal *seal, unsigned flags)
{
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, EVP_aes_256_gcm(), flags);
    CMS_RecipientInfo *recipient =
        cms == NULL ? NULL : CMS_add1_recipient_cert(cms, seal->certificate, CMS_KEY_PARAM);

    if (recipient != NULL && set_method(recipient))
        return cms;
    CMS_ContentInfo_free(cms);
    return NULL;
}

static bool fail_sealing(relais_error *err)
{
    return relais_seal_fail(err, RELAIS_ERR_SYSTEM, NULL, "sealing failed");
}

static bool write_whole(const relais_seal *seal, BIO *in, BIO *out)
{
    const unsigned flags = CMS_BINARY | CMS_PARTIAL;
    CMS_ContentInfo *cms = make_envelope(seal, flags);
    bool ok = cms != NULL && CMS_final(cms, in, NULL, flags) > 0 && i2d_CMS_bio(out, cms) > 0;

    CMS_ContentInfo_free(cms);
    return ok;
}

bool relais_seal_bytes(const relais_seal *seal, const void *bytes, size_t length,
                       relais_buffer *out, relais_error *err)
{
    relais_seal_sink sink = {.write = relais_seal_to_buffer, .data = out, .err = err};
    BIO *in, *end;
    bool ok;

    if (length > INT_MAX)
        return relais_error_set(err, RELAIS_ERR_LIMIT, "too much to be sealed in one piece");
    ERR_clear_error();
    in = BIO_new_mem_buf(length == 0 ? "" : bytes, (int)length);
    end = relais_seal_sink_bio(&sink);
    ok = in != NULL && end != NULL && write_whole(seal, in, end);
    BIO_free(in);
    BIO_free(end);
    return ok || fail_sealing(err);
}

/* Moves all that the reader gives into the stream, and counts it. */
static bool pump(BIO *stream, relais_seal_reader *read, void *data, uint64_t *total,
                 relais_error *err)
{
    size_t length, written;
    char *chunk = malloc(STREAM_CHUNK);
    bool ok = chunk != NULL || relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");

    *total = 0;
    while (ok && (ok = read(data, chunk, STREAM_CHUNK, &length, err)) && length > 0) {
        ok = BIO_write_ex(stream, chunk, length, &written) > 0 && written == length;
        *total += length;
    }
    if (chunk != NULL)
        explicit_bzero(chunk, STREAM_CHUNK);
    free(chunk);
    return ok;
}

/* OpenSSL's stream cannot end before it has begun: nothing is sealed in one piece. */
static bool write_nothing(const relais_seal *seal, BIO *end)
{
    BIO *in = BIO_new_mem_buf("", 0);
    bool ok = in != NULL && write_whole(seal, in, end);

    BIO_free(in);
    return ok;
}

/* Frees what BIO_new_CMS put above `end`, which stays. */
static void free_above(BIO *stream, const BIO *end)
{
    while (stream != NULL && stream != end) {
        BIO *below = BIO_pop(stream);
        BIO_free(stream);
        stream = below;
    }
}

bool relais_seal_stream(const relais_seal *seal, relais_seal_reader *read, void *read_data,
                        relais_seal_writer *write, void *write_data, relais_error *err)
{
    relais_seal_sink sink = {.write = write, .data = write_data, .err = err};
    CMS_ContentInfo *cms;
    BIO *end, *stream;
    uint64_t total;
    bool ok;

    ERR_clear_error();
    cms = make_envelope(seal, CMS_BINARY | CMS_PARTIAL | CMS_STREAM);
    end = relais_seal_sink_bio(&sink);
    stream = cms == NULL || end == NULL ? NULL : BIO_new_CMS(end, cms);
    ok = stream != NULL && pump(stream, read, read_data, &total, err) &&
         (total > 0 ? BIO_flush(stream) > 0 : write_nothing(seal, end));
    free_above(stream, end);
    BIO_free(end);
    CMS_ContentInfo_free(cms);
    return ok || fail_sealing(err);
}

/* ---- Telling sealed bytes ---- */

bool relais_is_sealed(const void *bytes, size_t length)
{
    /* id-ct-authEnvelopedData 1.2.840.113549.1.9.16.1.23, id-envelopedData 1.2.840.113549.1.7.3 */
    static const unsigned char authenticated[] = {0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7,
                                                  0x0d, 0x01, 0x09, 0x10, 0x01, 0x17};
    static const unsigned char enveloped[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                              0xf7, 0x0d, 0x01, 0x07, 0x03};
    const unsigned char *at = bytes;
    size_t head;

    /* SEQUENCE, its length in one byte (also "indefinite") or in up to eight more, the type. */
    if (length < RELAIS_SEALED_HEAD || at[0] != 0x30 || at[1] > 0x88)
        return false;
    head = 2 + (size_t)(at[1] < 0x80 ? 0 : at[1] - 0x80);
    return memcmp(at + head, authenticated, sizeof authenticated) == 0 ||
           memcmp(at + head, enveloped, sizeof enveloped) == 0;
}
