/*
 * A mapping as callers hold it. See mapping.h.
 */
#include "transform/list.h"
#include "transform/model.h"
#include "transform/source.h"

#include <stdlib.h>
#include <string.h>

/* A mapping's file may have a megabyte; its expressions and paths take a few times that. */
enum { MEMORY_MAX = 32 * 1024 * 1024 };

static bool read_mapping(relais_mapping *mapping, const char *file, relais_error *err)
{
    relais_digest_state state;
    xmlDocPtr doc;

    mapping->file = relais_arena_text(mapping->arena, file);
    if (mapping->file == NULL)
        return relais_arena_error(mapping->arena, err);
    if (!relais_source_load(file, mapping->arena, &mapping->text, &mapping->length, err))
        return false;
    relais_sha256_begin(&state);
    relais_sha256_add(&state, mapping->text, mapping->length);
    relais_sha256_end(&state, mapping->sha256);
    doc = relais_source_parse(mapping->file, mapping->text, mapping->length, mapping->arena, err);
    return doc != NULL && relais_mapping_build(mapping, xmlDocGetRootElement(doc), err);
}

bool relais_mapping_read(const char *file, relais_mapping **out, relais_error *err)
{
    relais_mapping *mapping = calloc(1, sizeof *mapping);

    *out = NULL;
    if (mapping != NULL)
        mapping->arena = relais_arena_create(MEMORY_MAX);
    if (mapping == NULL || mapping->arena == NULL) {
        free(mapping);
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for a mapping");
    }
    if (!read_mapping(mapping, file, err)) {
        relais_error_at(err, file, 0);
        relais_mapping_free(mapping);
        return false;
    }
    *out = mapping;
    return true;
}

void relais_mapping_free(relais_mapping *mapping)
{
    if (mapping == NULL)
        return;
    relais_arena_destroy(mapping->arena);
    free(mapping);
}

const char *relais_mapping_form(const relais_mapping *mapping)
{
    return mapping->form;
}

bool relais_mapping_is_sensitive(const relais_mapping *mapping)
{
    return mapping->is_sensitive;
}

bool relais_mapping_is_encrypted(const relais_mapping *mapping)
{
    return mapping->is_encrypted;
}

const uint8_t *relais_mapping_sha256(const relais_mapping *mapping)
{
    return mapping->sha256;
}

const char *relais_mapping_text(const relais_mapping *mapping, size_t *length)
{
    *length = mapping->length;
    return mapping->text;
}

const relais_row_shape *relais_mapping_shapes(const relais_mapping *mapping, size_t *count)
{
    *count = mapping->shape_count;
    return mapping->shapes;
}

bool relais_mapping_has_code(const relais_mapping *mapping, const relais_target *target,
                             const relais_awaited *awaited, bool *has, relais_error *err)
{
    const relais_list *list = relais_list_find(mapping, awaited->list);
    int found = list == NULL ? 1
                             : target->member(target->context, list->table, list->column,
                                              list->where, list->is, awaited->value, err);

    *has = found > 0;
    return found >= 0;
}

bool relais_mapping_knows_version(const relais_mapping *mapping, const char *version)
{
    for (size_t i = 0; i < mapping->version_count; i++)
        if (strcmp(mapping->versions[i], version) == 0)
            return true;
    return mapping->version_count == 0;
}

static bool lack(const relais_mapping *mapping, long line, const char *text, relais_error *err)
{
    relais_error_set(err, RELAIS_ERR_CONFIG, "%s", text);
    relais_error_at(err, mapping->file, line);
    return false;
}

bool relais_mapping_suffices(const relais_mapping *mapping, const relais_secrets *secrets,
                             relais_error *err)
{
    if (mapping->keys_line > 0 && (secrets == NULL || secrets->keys == NULL))
        return lack(mapping, mapping->keys_line,
                    relais_translate("this makes keys, and no secret is configured for them: set "
                                     "[keys] secret to a file made by `openssl rand -hex 32`"),
                    err);
    if (mapping->seal_line > 0 && (secrets == NULL || secrets->seal == NULL))
        return lack(mapping, mapping->seal_line,
                    relais_translate("this seals answers, and no certificate is configured to seal "
                                     "them to: set [seal] certificate to its file"),
                    err);
    if (mapping->is_sensitive && (secrets == NULL || secrets->seal == NULL))
        return lack(mapping, mapping->line,
                    relais_translate("the mapping is marked sensitive, and no certificate is "
                                     "configured to seal what is received to: set [seal] "
                                     "certificate to its file"),
                    err);
    return true;
}
