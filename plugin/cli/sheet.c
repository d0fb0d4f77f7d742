/*
 * Collect's settings as JSON, zlib and base64. See sheet.h.
 */
#include "cli/sheet.h"

#include <jansson.h>
#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define MASK "********"

/* ---- the address ----------------------------------------------------------------------------- */

static const char *after_scheme(const char *url)
{
    if (strncasecmp(url, "https://", 8) == 0)
        return url + 8;
    return strncasecmp(url, "http://", 7) == 0 ? url + 7 : NULL;
}

static bool ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text), ending_length = strlen(ending);

    return length >= ending_length && strcasecmp(text + length - ending_length, ending) == 0;
}

static bool has_blank_or_control(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return true;
    return false;
}

bool relais_sheet_check_url(const char *url, relais_error *err)
{
    const char *host = after_scheme(url);
    const char *at;

    if (host == NULL || *host == '\0' || *host == '/')
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "the address begins with https:// (or http://) and a host");
    at = strchr(host, '@');
    if (at != NULL && at < host + strcspn(host, "/"))
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "the address carries a name or password; use --user and "
                                "--password-file");
    if (has_blank_or_control(url) || strpbrk(host, "?#") != NULL)
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "the address has a blank, a \"?\" or a \"#\"; give only the part "
                                "before /formList");
    if (ends_with(host, "/formList") || ends_with(host, "/submission"))
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "give the address without /formList or /submission: Collect "
                                "appends them");
    return true;
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

/* "https://host/path/" and "https://host/path" are the same server. */
static json_t *json_url(const char *url)
{
    size_t length = strlen(url);

    while (length > 0 && url[length - 1] == '/')
        length--;
    return json_stringn(url, length);
}

/* form_update_mode, autosend: forms and submissions travel without anybody pressing a button.
 * delete_send: a 201 means on disk, so the phone need not keep what it has sent.
 * constraint_behavior: a wrong answer is pointed out where it was given.
 * high_resolution, image_size: photos are evidence and stay as they were taken.
 * analytics: nothing about the forms goes to third parties. */
static json_t *general_settings(const relais_sheet *sheet, bool for_people)
{
    json_t *general =
        json_pack("{s:o, s:s, s:s, s:s, s:b, s:b, s:s, s:b, s:s, s:b, s:s, s:s, s:b, s:b}",
                  "server_url", json_url(sheet->url), "protocol", "odk_default", "form_update_mode",
                  "match_exactly", "periodic_form_updates_check", "every_fifteen_minutes",
                  "automatic_update", 1, "hide_old_form_versions", 1, "autosend",
                  "wifi_and_cellular", "delete_send", 1, "constraint_behavior", "on_swipe",
                  "high_resolution", 1, "image_size", "original_image_size", "guidance_hint",
                  "yes_collapsed", "instance_sync", 1, "analytics", 0);

    if (general != NULL && sheet->user != NULL)
        json_object_set_new(general, "username", json_string(sheet->user));
    if (general != NULL && sheet->password != NULL)
        json_object_set_new(general, "password", json_string(for_people ? MASK : sheet->password));
    return general;
}

static size_t first_character(const char *text)
{
    size_t length = text[0] == '\0' ? 0 : 1;

    while (((unsigned char)text[length] & 0xc0) == 0x80)
        length++;
    return length;
}

static json_t *project_settings(const char *name)
{
    json_t *project = json_pack("{s:s, s:s}", "name", name, "color", "#0b6e4f");

    if (project != NULL)
        json_object_set_new(project, "icon", json_stringn(name, first_character(name)));
    return project;
}

char *relais_sheet_json(const relais_sheet *sheet, bool for_people, relais_arena *arena,
                        relais_error *err)
{
    json_t *root = json_pack("{s:o, s:{}, s:o}", "general", general_settings(sheet, for_people),
                             "admin", "project", project_settings(sheet->name));
    char *text = root == NULL ? NULL : json_dumps(root, for_people ? JSON_INDENT(2) : JSON_COMPACT);
    char *kept = NULL;

    if (text == NULL)
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "the settings cannot be written as JSON; are they UTF-8?");
    else
        kept = relais_arena_text(arena, text);
    if (text != NULL && kept == NULL)
        relais_arena_error(arena, err);
    free(text);
    json_decref(root);
    return kept;
}

/* ---- the code's text ---------------------------------------------------------------------------
 */

static unsigned char *deflate_text(const char *text, relais_arena *arena, unsigned long *length,
                                   relais_error *err)
{
    unsigned char *bytes;

    *length = compressBound(strlen(text));
    bytes = relais_arena_alloc(arena, *length);
    if (bytes == NULL) {
        relais_arena_error(arena, err);
        return NULL;
    }
    if (compress2(bytes, length, (const unsigned char *)text, strlen(text), Z_BEST_COMPRESSION) ==
        Z_OK)
        return bytes;
    relais_error_set(err, RELAIS_ERR_MEMORY, "the settings cannot be compressed");
    return NULL;
}

char *relais_sheet_text(const relais_sheet *sheet, relais_arena *arena, relais_error *err)
{
    char *json = relais_sheet_json(sheet, false, arena, err);
    unsigned long length;
    unsigned char *bytes = json == NULL ? NULL : deflate_text(json, arena, &length, err);
    size_t size;
    char *text;

    if (bytes == NULL)
        return NULL;
    size = BASE64_ENCODE_RAW_LENGTH(length);
    if (size > RELAIS_SHEET_TEXT_MAX) {
        relais_error_set(err, RELAIS_ERR_LIMIT,
                         "the code would have %zu characters, and Collect reads no more than %d; "
                         "shorten the address, the name or the password",
                         size, RELAIS_SHEET_TEXT_MAX);
        return NULL;
    }
    text = relais_arena_alloc(arena, size + 1);
    if (text == NULL)
        relais_arena_error(arena, err);
    else
        base64_encode_raw(text, length, bytes);
    return text;
}
