/*
 * What an OpenRosa path below the location's prefix means, and the documents it asks for.
 *
 *   formList                                  GET, HEAD   (?formID= filters)
 *   forms/ID/VERSION/form.xml                 GET, HEAD
 *   forms/ID/VERSION/manifest                 GET, HEAD
 *   forms/ID/VERSION/media/FILENAME           GET, HEAD
 *   submission                                HEAD, POST
 *
 * ID, VERSION and FILENAME are percent-encoded; an empty version is written "-", and a
 * version that begins with "-" gets one more. URLs carry id and version, so that a phone
 * cannot mix the media of two versions.
 */
#ifndef RELAIS_OPENROSA_ROUTES_H
#define RELAIS_OPENROSA_ROUTES_H

#include "base/arena.h"
#include "openrosa/forms.h"

typedef enum {
    RELAIS_ROUTE_NONE,
    RELAIS_ROUTE_FORM_LIST,
    RELAIS_ROUTE_FORM,
    RELAIS_ROUTE_MANIFEST,
    RELAIS_ROUTE_MEDIA,
    RELAIS_ROUTE_SUBMISSION
} relais_route_kind;

typedef struct relais_route {
    relais_route_kind kind;
    const char *form_id;
    const char *version;
    const char *filename;
} relais_route;

/* `rest` is the still percent-encoded path after the location's prefix, without query. */
RELAIS_MUST_USE bool relais_route_parse(const char *rest, size_t length, relais_arena *arena,
                                        relais_route *out, relais_error *err);

/* The formList document (OpenRosa form list API). `base_url` has no trailing slash;
 * `form_id` NULL lists all. Every hash is "md5:" + lower-case hex of the bytes served. */
void relais_form_list_render(const relais_snapshot *snapshot, const char *base_url,
                             const char *form_id, relais_buffer *out);

/* The manifest of one form; a form without media has an empty manifest. */
void relais_manifest_render(const relais_form_entry *form, const char *base_url,
                            relais_buffer *out);

/* A quoted strong ETag of some bytes, or of an MD5 known already. `out` has room for 35. */
void relais_etag_of(const void *bytes, size_t length, char out[35]);
void relais_etag_from_md5(const char *md5_hex, char out[35]);

/* True when an If-None-Match value (list, weak tags, or '*') names the tag: answer 304. */
bool relais_etag_matches(const char *if_none_match, size_t length, const char *etag);

#endif
