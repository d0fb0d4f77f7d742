/*
 * A form with a key: the document is read, one attribute is set, and it is written again.
 * See encrypt.h.
 */
#include "xform/encrypt.h"

#include "xform/form.h"
#include "xform/seal_bio.h"
#include "xform/xml.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <libxml/tree.h>

#include <stdlib.h>
#include <string.h>

/* Collect and Central make keys of 2,048 bits; below that nothing is locked any more. */
enum { RSA_BITS_MIN = 2048, KEY_FILE_MAX = 64 * 1024 };

/* The form's document and what is looked up in it. */
#define FORM_MEMORY_MAX ((size_t)128 * 1024 * 1024)

/* ---- the key ----------------------------------------------------------------------------- */

static EVP_PKEY *parse_key(const relais_buffer *pem)
{
    BIO *bio = BIO_new_mem_buf(pem->length == 0 ? "" : pem->data, (int)pem->length);
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;

    if (bio != NULL)
        key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    if (bio != NULL && key == NULL && BIO_reset(bio) == 1)
        certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (certificate != NULL)
        key = X509_get_pubkey(certificate);
    if (bio != NULL && key == NULL && BIO_reset(bio) == 1)
        key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) "");
    X509_free(certificate);
    BIO_free(bio);
    return key;
}

static bool write_base64(EVP_PKEY *key, relais_buffer *out, relais_error *err)
{
    unsigned char *der = NULL;
    int length = i2d_PUBKEY(key, &der);
    char *room = length <= 0 ? NULL : relais_buffer_extend(out, (size_t)(length + 2) / 3 * 4 + 1);

    if (room == NULL) {
        OPENSSL_free(der);
        return relais_seal_fail(err, RELAIS_ERR_CONFIG, NULL, "the public key cannot be written");
    }
    out->length -= 1; /* the NUL that EVP_EncodeBlock writes */
    EVP_EncodeBlock((unsigned char *)room, der, length);
    OPENSSL_free(der);
    return true;
}

static bool read_key(const char *path, relais_buffer *base64, relais_error *err)
{
    relais_buffer pem;
    EVP_PKEY *key = NULL;
    bool ok;

    ERR_clear_error();
    relais_buffer_init(&pem, KEY_FILE_MAX);
    ok = relais_seal_slurp(path, &pem, err);
    if (ok) {
        key = parse_key(&pem);
        if (key == NULL)
            ok = relais_seal_fail(err, RELAIS_ERR_CONFIG, path,
                                  "this is no public key, certificate or private key without "
                                  "passphrase, in PEM form");
        else if (!EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
            ok = relais_error_set(err, RELAIS_ERR_CONFIG,
                                  "a key of encrypted forms is RSA with at least %d bits",
                                  RSA_BITS_MIN);
        else
            ok = write_base64(key, base64, err);
    }
    ERR_clear_error();
    EVP_PKEY_free(key);
    if (pem.data != NULL)
        explicit_bzero(pem.data, pem.length);
    relais_buffer_free(&pem);
    if (!ok)
        relais_error_at(err, path, 0);
    return ok;
}

/* ---- the form ---------------------------------------------------------------------------- */

static xmlNodePtr find_model(xmlDocPtr doc)
{
    const xmlNode *root = xmlDocGetRootElement(doc);
    const xmlNode *head = root == NULL ? NULL : relais_xml_child(root, "head");

    return head == NULL ? NULL : relais_xml_child(head, "model");
}

/* meta/instanceID in the primary instance: without it nothing can be locked. */
static bool has_instance_id(const xmlNode *model)
{
    const xmlNode *instance = relais_xml_child(model, "instance");

    for (const xmlNode *node = instance; node != NULL; node = relais_xml_next(node, instance))
        if (relais_xml_is(node, "meta") && relais_xml_child(node, "instanceID") != NULL)
            return true;
    return false;
}

/* Behind the instances, where form designers' tools put it. */
static xmlNodePtr add_submission(xmlNodePtr model)
{
    xmlNodePtr made = xmlNewNode(model->ns, (const xmlChar *)"submission"), last = NULL;

    for (xmlNodePtr node = model->children; node != NULL; node = node->next)
        if (relais_xml_is(node, "instance"))
            last = node;
    if (made != NULL && last != NULL)
        xmlAddNextSibling(last, made);
    return made;
}

static bool set_key(xmlDocPtr doc, const char *base64, relais_error *err)
{
    xmlNodePtr model = find_model(doc), submission;

    if (model == NULL)
        return relais_error_set(err, RELAIS_ERR_CONFIG, "this is no form: it has no model");
    if (!has_instance_id(model))
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "the form has no meta/instanceID; phones lock nothing without it");
    submission = relais_xml_child(model, "submission");
    if (submission == NULL)
        submission = add_submission(model);
    if (submission == NULL || xmlSetProp(submission, (const xmlChar *)"base64RsaPublicKey",
                                         (const xmlChar *)base64) == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for the form");
    return true;
}

static bool write_form(xmlDocPtr doc, relais_buffer *out, relais_error *err)
{
    xmlChar *text = NULL;
    int length = 0;

    xmlDocDumpMemoryEnc(doc, &text, &length, "UTF-8");
    if (text == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for the form");
    relais_buffer_append(out, text, (size_t)length);
    xmlFree(text);
    return relais_buffer_check(out, "the form", err);
}

static bool encrypt(const char *form_file, const char *base64, relais_arena *arena,
                    relais_buffer *out, relais_error *err)
{
    relais_buffer bytes;
    relais_xml_fault fault;
    xmlDocPtr doc;
    bool ok;

    relais_buffer_init(&bytes, RELAIS_ENCRYPT_FORM_MAX);
    ok = relais_seal_slurp(form_file, &bytes, err) &&
         relais_xml_parse(bytes.length == 0 ? "" : bytes.data, bytes.length, &RELAIS_FORM_LIMITS,
                          arena, &doc, &fault, err) &&
         set_key(doc, base64, err) && write_form(doc, out, err);
    relais_buffer_free(&bytes);
    if (!ok)
        relais_error_at(err, form_file, 0);
    return ok;
}

bool relais_form_encrypt(const char *form_file, const char *key_file, relais_buffer *out,
                         relais_error *err)
{
    relais_arena *arena = relais_arena_create(FORM_MEMORY_MAX);
    relais_buffer base64;
    bool ok;

    if (arena == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for the form");
    relais_buffer_init(&base64, KEY_FILE_MAX);
    ok = read_key(key_file, &base64, err) && encrypt(form_file, base64.data, arena, out, err);
    relais_buffer_free(&base64);
    relais_arena_destroy(arena);
    return ok;
}
