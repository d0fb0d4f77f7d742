/*
 * Private keys of encrypted forms, by OpenSSL. See formkeys.h.
 */
#include "xform/formkeys.h"

#include "base/secret.h"
#include "xform/seal_bio.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An encrypted RSA-16384 key is 13 KB; ODK's own are of 2,048 bits. */
enum { KEY_FILE_MIN = 64, KEY_FILE_MAX = 64 * 1024, PASSPHRASE_MAX = 1024, RSA_BITS_MIN = 2048 };

struct relais_form_keys {
    EVP_PKEY *list[RELAIS_FORM_KEYS_MAX];
    size_t count;
};

/* ---- reading ----------------------------------------------------------------------------- */

static int give_passphrase(char *out, int size, int is_for_writing, void *data)
{
    const relais_secret *passphrase = data;
    const uint8_t *bytes;
    size_t length;

    (void)is_for_writing;
    if (passphrase == NULL)
        return -1;
    bytes = relais_secret_bytes(passphrase, &length);
    if (length > (size_t)size)
        return -1;
    memcpy(out, bytes, length);
    return (int)length;
}

/* NAME.pem → NAME.passphrase; *out is NULL when there is none. */
static bool read_passphrase(const char *path, relais_secret **out, relais_error *err)
{
    char name[PATH_MAX];
    size_t stem = strlen(path) - strlen(".pem");

    *out = NULL;
    if (snprintf(name, sizeof name, "%.*s.passphrase", (int)stem, path) >= (int)sizeof name)
        return relais_error_set(err, RELAIS_ERR_LIMIT, "the key's path is too long");
    if (access(name, F_OK) != 0 && errno == ENOENT)
        return true;
    return relais_secret_read(name, 1, PASSPHRASE_MAX, out, err);
}

static EVP_PKEY *parse_key(const relais_secret *pem, const relais_secret *passphrase)
{
    size_t length;
    const uint8_t *bytes = relais_secret_bytes(pem, &length);
    BIO *bio = BIO_new_mem_buf(bytes, (int)length);
    EVP_PKEY *key = NULL;

    if (bio != NULL)
        key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, (void *)(uintptr_t)passphrase);
    BIO_free(bio);
    return key;
}

static bool check_key(const char *path, EVP_PKEY *key, relais_error *err)
{
    if (key == NULL)
        relais_seal_fail(err, RELAIS_ERR_CONFIG, path,
                         "this is no private key in PEM form, or NAME.passphrase beside NAME.pem "
                         "does not open it");
    else if (!EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "a key of encrypted forms is RSA with at least %d bits", RSA_BITS_MIN);
    else
        return true;
    relais_error_at(err, path, 0);
    return false;
}

static bool read_key(relais_form_keys *keys, const char *path, relais_error *err)
{
    relais_secret *pem = NULL, *passphrase = NULL;
    EVP_PKEY *key = NULL;
    bool ok;

    ERR_clear_error();
    ok = relais_secret_read(path, KEY_FILE_MIN, KEY_FILE_MAX, &pem, err) &&
         read_passphrase(path, &passphrase, err);
    if (ok) {
        key = parse_key(pem, passphrase);
        ok = check_key(path, key, err);
    }
    relais_secret_free(pem);
    relais_secret_free(passphrase);
    if (!ok)
        EVP_PKEY_free(key);
    else
        keys->list[keys->count++] = key;
    return ok;
}

static int is_key_file(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot != NULL && strcmp(dot, ".pem") == 0;
}

static bool read_keys(relais_form_keys *keys, const char *directory, struct dirent **names,
                      int count, relais_error *err)
{
    if (count > RELAIS_FORM_KEYS_MAX)
        return relais_error_set(err, RELAIS_ERR_LIMIT, "more than %d keys of encrypted forms",
                                RELAIS_FORM_KEYS_MAX);
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s/%s", directory, names[i]->d_name) >= (int)sizeof path)
            return relais_error_set(err, RELAIS_ERR_LIMIT, "the key's path is too long");
        if (!read_key(keys, path, err))
            return false;
    }
    return true;
}

bool relais_form_keys_read(const char *directory, relais_form_keys **out, relais_error *err)
{
    relais_form_keys *keys = calloc(1, sizeof *keys);
    struct dirent **names = NULL;
    int count;
    bool ok;

    *out = NULL;
    if (keys == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    count = scandir(directory, &names, is_key_file, alphasort);
    ok = count >= 0 ? read_keys(keys, directory, names, count, err)
                    : relais_error_system(err, errno, directory,
                                          "the keys of encrypted forms cannot be read");
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
    if (!ok) {
        relais_form_keys_free(keys);
        return false;
    }
    *out = keys;
    return true;
}

void relais_form_keys_free(relais_form_keys *keys)
{
    if (keys == NULL)
        return;
    for (size_t i = 0; i < keys->count; i++)
        EVP_PKEY_free(keys->list[i]); /* OpenSSL wipes it */
    free(keys);
}

size_t relais_form_keys_count(const relais_form_keys *keys)
{
    return keys == NULL ? 0 : keys->count;
}

/* ---- opening ----------------------------------------------------------------------------- */

static bool open_by(EVP_PKEY *key, const uint8_t *locked, size_t locked_length, uint8_t *out,
                    size_t *length)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    bool ok;

    *length = RELAIS_FORM_KEYS_PLAIN;
    ok = context != NULL && EVP_PKEY_decrypt_init(context) > 0 &&
         EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) > 0 &&
         EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) > 0 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) > 0 &&
         EVP_PKEY_decrypt(context, out, length, locked, locked_length) > 0;
    EVP_PKEY_CTX_free(context);
    return ok;
}

bool relais_form_keys_open(const relais_form_keys *keys, const uint8_t *locked,
                           size_t locked_length, uint8_t *out, size_t *length, relais_error *err)
{
    for (size_t i = 0; i < relais_form_keys_count(keys); i++)
        if ((size_t)EVP_PKEY_get_size(keys->list[i]) == locked_length &&
            open_by(keys->list[i], locked, locked_length, out, length))
            return true;
    ERR_clear_error();
    return relais_error_set(err, RELAIS_ERR_MISSING,
                            "no key of encrypted forms opens this submission; put the private key "
                            "of its form into the directory of keys, and replay");
}
