/*
 * Where the content of an envelope stands, so that it is decrypted where it lies.
 *
 * OpenSSL reads an envelope whole before it opens it, three times its size in memory. It also opens
 * one whose content is kept elsewhere (RFC 5652 section 6.1): so the envelope is told from its
 * content here, by the lengths in it alone, and OpenSSL judges the rest.
 */
#ifndef RELAIS_XFORM_SEAL_LAYOUT_H
#define RELAIS_XFORM_SEAL_LAYOUT_H

#include "xform/seal.h"

#include <openssl/bio.h>

/* All of an envelope but its content; what has a certificate or more in it is not ours. */
#define RELAIS_SEAL_ENVELOPE_MAX ((size_t)256 * 1024)

typedef struct relais_seal_layout {
    const relais_seal_source *source;
    relais_buffer envelope; /* BER, without the content */
    uint64_t content;       /* where it begins */
    uint64_t content_end;   /* UINT64_MAX: at an end-of-contents mark */
    bool is_in_pieces;      /* OCTET STRINGs one after another, else the bytes themselves */
} relais_seal_layout;

/* RELAIS_ERR_SYNTAX when these are no sealed bytes. The source must outlive the layout; also after
 * false it is freed. */
RELAIS_MUST_USE bool relais_seal_layout_read(const relais_seal_source *source,
                                             relais_seal_layout *out, relais_error *err);
void relais_seal_layout_free(relais_seal_layout *layout);

/* The content as a stream of bytes. When that cannot be read it ends early with *err set, which
 * must outlive it, as the layout must; NULL without memory. */
BIO *relais_seal_content_bio(const relais_seal_layout *layout, relais_error *err);

#endif
