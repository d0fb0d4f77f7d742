/*
 * Addresses and the two documents that list them. See routes.h.
 */
#include "openrosa/routes.h"

#include "base/text.h"

#include <string.h>

/* ---- reading an address ---------------------------------------------------------------- */

struct step {
    const char *text;
    size_t length;
};

enum { STEPS_MAX = 5 }; /* forms/ID/VERSION/media/FILENAME */

static bool is_step(const struct step *step, const char *text)
{
    return step->length == strlen(text) && memcmp(step->text, text, step->length) == 0;
}

/* The number of steps between slashes; STEPS_MAX + 1 stands for more. */
static size_t split(const char *rest, size_t length, struct step steps[STEPS_MAX])
{
    const char *end = rest + length;

    for (size_t count = 0; count < STEPS_MAX; count++) {
        const char *slash = memchr(rest, '/', (size_t)(end - rest));

        steps[count] = (struct step){rest, (size_t)((slash == NULL ? end : slash) - rest)};
        if (slash == NULL)
            return count + 1;
        rest = slash + 1;
    }
    return STEPS_MAX + 1;
}

/* *out is NULL when the step holds a NUL byte or nothing. */
static bool decode(const struct step *step, relais_arena *arena, const char **out,
                   relais_error *err)
{
    char *text = relais_arena_copy(arena, step->text, step->length);
    size_t length;

    *out = NULL;
    if (text == NULL)
        return relais_arena_error(arena, err);
    length = relais_percent_decode(text, step->length);
    text[length] = '\0';
    if (length > 0 && strlen(text) == length)
        *out = text;
    return true;
}

/* "-" is the empty version; it also marks versions that begin with it. */
static const char *version_of(const char *text)
{
    return text[0] == '-' ? text + 1 : text;
}

static bool is_file_name(const char *text)
{
    return strchr(text, '/') == NULL && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

static relais_route_kind kind_of(const struct step *steps, size_t count)
{
    if (count == 1)
        return is_step(&steps[0], "formList")     ? RELAIS_ROUTE_FORM_LIST
               : is_step(&steps[0], "submission") ? RELAIS_ROUTE_SUBMISSION
                                                  : RELAIS_ROUTE_NONE;
    if (count < 4 || count > STEPS_MAX || !is_step(&steps[0], "forms"))
        return RELAIS_ROUTE_NONE;
    if (count == STEPS_MAX)
        return is_step(&steps[3], "media") ? RELAIS_ROUTE_MEDIA : RELAIS_ROUTE_NONE;
    return is_step(&steps[3], "form.xml")   ? RELAIS_ROUTE_FORM
           : is_step(&steps[3], "manifest") ? RELAIS_ROUTE_MANIFEST
                                            : RELAIS_ROUTE_NONE;
}

bool relais_route_parse(const char *rest, size_t length, relais_arena *arena, relais_route *out,
                        relais_error *err)
{
    struct step steps[STEPS_MAX];
    size_t count;
    relais_route_kind kind;
    const char *id, *version, *filename = NULL;

    *out = (relais_route){.kind = RELAIS_ROUTE_NONE};
    if (length > 0 && rest[0] == '/') {
        rest++;
        length--;
    }
    count = split(rest, length, steps);
    kind = kind_of(steps, count);
    if (kind == RELAIS_ROUTE_NONE || count == 1) {
        out->kind = kind;
        return true;
    }
    if (!decode(&steps[1], arena, &id, err) || !decode(&steps[2], arena, &version, err) ||
        (kind == RELAIS_ROUTE_MEDIA && !decode(&steps[4], arena, &filename, err)))
        return false;
    if (id == NULL || version == NULL ||
        (kind == RELAIS_ROUTE_MEDIA && (filename == NULL || !is_file_name(filename))))
        return true;
    *out = (relais_route){kind, id, version_of(version), filename};
    return true;
}

/* ---- writing addresses and documents --------------------------------------------------- */

static void append_base(relais_buffer *out, const char *base_url)
{
    size_t length = strlen(base_url);

    relais_buffer_append_xml(out, base_url);
    while (length-- > 0 && base_url[length] == '/' && out->failed == RELAIS_ERR_NONE)
        out->data[--out->length] = '\0';
}

/* BASE/forms/ID/VERSION/ as element content: what is percent-encoded needs no escape. */
static void append_form_url(relais_buffer *out, const char *base_url, const relais_form_entry *form)
{
    append_base(out, base_url);
    relais_buffer_append_text(out, "/forms/");
    relais_append_percent(out, form->id, strlen(form->id));
    relais_buffer_append_char(out, '/');
    if (form->version[0] == '\0' || form->version[0] == '-')
        relais_buffer_append_char(out, '-');
    relais_append_percent(out, form->version, strlen(form->version));
    relais_buffer_append_char(out, '/');
}

static void append_element(relais_buffer *out, const char *name, const char *text)
{
    relais_buffer_append_format(out, "<%s>", name);
    relais_buffer_append_xml(out, text);
    relais_buffer_append_format(out, "</%s>", name);
}

static void append_hash(relais_buffer *out, const char *md5)
{
    relais_buffer_append_format(out, "<hash>md5:%s</hash>", md5);
}

/* Collect drops the whole list when one entry lacks formID, name or downloadUrl, and cannot
 * download one without hash; relais_form_entry never does. */
static void append_form(relais_buffer *out, const char *base_url, const relais_form_entry *form)
{
    relais_buffer_append_text(out, "  <xform>");
    append_element(out, "formID", form->id);
    append_element(out, "name", form->title);
    if (form->version[0] != '\0')
        append_element(out, "version", form->version);
    append_hash(out, form->md5);
    relais_buffer_append_text(out, "<downloadUrl>");
    append_form_url(out, base_url, form);
    relais_buffer_append_text(out, "form.xml</downloadUrl>");
    if (form->media_count > 0) {
        relais_buffer_append_text(out, "<manifestUrl>");
        append_form_url(out, base_url, form);
        relais_buffer_append_text(out, "manifest</manifestUrl>");
    }
    relais_buffer_append_text(out, "</xform>\n");
}

void relais_form_list_render(const relais_snapshot *snapshot, const char *base_url,
                             const char *form_id, relais_buffer *out)
{
    size_t count;
    const relais_form_entry *forms = relais_snapshot_forms(snapshot, &count);

    relais_buffer_append_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                                   "<xforms xmlns=\"http://openrosa.org/xforms/xformsList\">\n");
    for (size_t i = 0; i < count; i++) {
        if (form_id == NULL || strcmp(forms[i].id, form_id) == 0)
            append_form(out, base_url, &forms[i]);
    }
    relais_buffer_append_text(out, "</xforms>\n");
}

static void append_medium(relais_buffer *out, const char *base_url, const relais_form_entry *form,
                          const relais_media *medium)
{
    relais_buffer_append_text(out, "  <mediaFile>");
    append_element(out, "filename", medium->filename);
    append_hash(out, medium->md5);
    relais_buffer_append_text(out, "<downloadUrl>");
    append_form_url(out, base_url, form);
    relais_buffer_append_text(out, "media/");
    relais_append_percent(out, medium->filename, strlen(medium->filename));
    relais_buffer_append_text(out, "</downloadUrl></mediaFile>\n");
}

void relais_manifest_render(const relais_form_entry *form, const char *base_url, relais_buffer *out)
{
    relais_buffer_append_text(out,
                              "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                              "<manifest xmlns=\"http://openrosa.org/xforms/xformsManifest\">\n");
    for (size_t i = 0; i < form->media_count; i++)
        append_medium(out, base_url, form, &form->media[i]);
    relais_buffer_append_text(out, "</manifest>\n");
}

/* ---- ETags ----------------------------------------------------------------------------- */

void relais_etag_from_md5(const char *md5_hex, char out[35])
{
    out[0] = '"';
    memcpy(out + 1, md5_hex, 2 * RELAIS_MD5_SIZE);
    out[33] = '"';
    out[34] = '\0';
}

void relais_etag_of(const void *bytes, size_t length, char out[35])
{
    relais_digest_state digest;
    uint8_t md5[RELAIS_MD5_SIZE];
    char hex[2 * RELAIS_MD5_SIZE + 1];

    relais_md5_begin(&digest);
    relais_md5_add(&digest, bytes, length);
    relais_md5_end(&digest, md5);
    relais_hex(md5, sizeof md5, hex);
    relais_etag_from_md5(hex, out);
}

/* Weak comparison (RFC 9110 section 8.8.3.2): web servers weaken the tag of what they
 * compress. */
static bool is_tag(const char *text, size_t length, const char *etag)
{
    relais_trim(&text, &length);
    if (length == 1 && text[0] == '*')
        return true;
    if (length > 2 && text[0] == 'W' && text[1] == '/') {
        text += 2;
        length -= 2;
    }
    return length == strlen(etag) && memcmp(text, etag, length) == 0;
}

/* A tag may hold a comma, but ours never does: the pieces of another's match nothing. */
bool relais_etag_matches(const char *if_none_match, size_t length, const char *etag)
{
    while (if_none_match != NULL && length > 0) {
        const char *comma = memchr(if_none_match, ',', length);
        size_t size = comma == NULL ? length : (size_t)(comma - if_none_match);

        if (is_tag(if_none_match, size, etag))
            return true;
        size += comma == NULL ? 0 : 1;
        if_none_match += size;
        length -= size;
    }
    return false;
}
