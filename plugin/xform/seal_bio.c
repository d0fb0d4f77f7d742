/*
 * OpenSSL's streams and errors in this project's terms. See seal_bio.h.
 */
#include "xform/seal_bio.h"

#include "base/digest.h"
#include "base/text.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int sink_write(BIO *bio, const char *bytes, size_t length, size_t *written)
{
    relais_seal_sink *sink = BIO_get_data(bio);

    if (!sink->has_failed && length > 0)
        sink->has_failed = !sink->write(sink->data, bytes, length, sink->err);
    *written = sink->has_failed ? 0 : length;
    return sink->has_failed ? 0 : 1;
}

static long sink_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *make_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "relais sink");

    if (method != NULL) {
        BIO_meth_set_write_ex(method, sink_write);
        BIO_meth_set_ctrl(method, sink_control);
    }
    return method;
}

/* Made once for the process: a BIO refers to its method as long as it lives. */
static CRYPTO_ONCE method_once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *sink_method;

static void free_method(void)
{
    BIO_meth_free(sink_method);
    sink_method = NULL;
}

static void make_method_once(void)
{
    sink_method = make_method();
    OPENSSL_atexit(free_method);
}

BIO *relais_seal_sink_bio(relais_seal_sink *sink)
{
    BIO *bio;

    if (!CRYPTO_THREAD_run_once(&method_once, make_method_once) || sink_method == NULL)
        return NULL;
    bio = BIO_new(sink_method);
    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, sink);
    BIO_set_init(bio, 1);
    return bio;
}

bool relais_seal_to_buffer(void *buffer, const char *bytes, size_t length, relais_error *err)
{
    relais_buffer_append(buffer, bytes, length);
    return relais_buffer_check(buffer, "what is sealed or opened", err);
}

bool relais_seal_fail(relais_error *err, relais_error_code code, const char *path,
                      const char *sentence)
{
    unsigned long number = ERR_peek_last_error();
    const char *reason = number == 0 ? NULL : ERR_reason_error_string(number);

    ERR_clear_error();
    if (reason == NULL)
        relais_error_set(err, code, "%s", relais_translate(sentence));
    else
        relais_error_set(err, code, "%s (OpenSSL: %s)", relais_translate(sentence), reason);
    relais_error_at(err, path, 0);
    return false;
}

bool relais_seal_identify(EVP_PKEY *key, char out[RELAIS_SEAL_KEY_ID_SIZE], relais_error *err)
{
    relais_digest_state state;
    uint8_t digest[RELAIS_SHA256_SIZE];
    unsigned char *der = NULL;
    int length = i2d_PUBKEY(key, &der);

    if (length <= 0)
        return relais_seal_fail(err, RELAIS_ERR_CONFIG, NULL, "the public key cannot be encoded");
    relais_sha256_begin(&state);
    relais_sha256_add(&state, der, (size_t)length);
    relais_sha256_end(&state, digest);
    relais_hex(digest, sizeof digest, out);
    OPENSSL_free(der);
    return true;
}

bool relais_seal_slurp(const char *path, relais_buffer *out, relais_error *err)
{
    char chunk[4096];
    size_t length;
    FILE *file = fopen(path, "re");
    bool ok;

    if (file == NULL)
        return relais_error_system(err, errno, path, "the file cannot be opened");
    while ((length = fread(chunk, 1, sizeof chunk, file)) > 0)
        relais_buffer_append(out, chunk, length);
    ok = !ferror(file) || relais_error_system(err, errno, path, "the file cannot be read");
    fclose(file);
    explicit_bzero(chunk, sizeof chunk);
    if (!ok)
        return false;
    if (relais_buffer_check(out, "the file", err))
        return true;
    relais_error_at(err, path, 0);
    return false;
}
