/*
 * Binary array parameters. See params.h; the format is array_recv() of PostgreSQL: number of
 * dimensions, null flag, element type, then length and lower bound of the dimension, then
 * each element as length (-1 for NULL) and bytes, all big-endian 32 bits.
 */
#include "store/params.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum {
    OID_BYTEA = 17,
    OID_TEXT = 25,
    HEADER_SIZE = 20,
    HEADER_SIZE_EMPTY = 12, /* an empty array has no dimension */
    FIRST_CAPACITY = 32
};

void relais_params_init(relais_params *params)
{
    memset(params, 0, sizeof *params);
}

void relais_params_free(relais_params *params)
{
    for (size_t i = 0; i < params->capacity; i++)
        relais_buffer_free(&params->list[i].bytes);
    free(params->list);
    free(params->values);
    free(params->lengths);
    free(params->formats);
    relais_params_init(params);
}

void relais_params_reset(relais_params *params)
{
    params->count = 0;
    params->failed = RELAIS_ERR_NONE;
}

static bool grow_array(void **array, size_t count, size_t size)
{
    void *grown = reallocarray(*array, count, size);

    if (grown != NULL)
        *array = grown;
    return grown != NULL;
}

static bool grow(relais_params *params)
{
    size_t capacity = params->capacity == 0 ? FIRST_CAPACITY : params->capacity * 2;

    if (!grow_array((void **)&params->list, capacity, sizeof *params->list) ||
        !grow_array((void **)&params->values, capacity, sizeof *params->values) ||
        !grow_array((void **)&params->lengths, capacity, sizeof *params->lengths) ||
        !grow_array((void **)&params->formats, capacity, sizeof *params->formats))
        return false;
    for (size_t i = params->capacity; i < capacity; i++) {
        memset(&params->list[i], 0, sizeof params->list[i]);
        relais_buffer_init(&params->list[i].bytes, RELAIS_PARAMS_ARRAY_MAX);
    }
    params->capacity = capacity;
    return true;
}

static relais_param *append_param(relais_params *params, relais_param_kind kind)
{
    relais_param *param;

    if (params->count == params->capacity && !grow(params)) {
        params->failed = RELAIS_ERR_MEMORY;
        return NULL;
    }
    param = &params->list[params->count++];
    param->kind = kind;
    param->is_null = false;
    param->has_null = false;
    param->elements = 0;
    relais_buffer_reset(&param->bytes);
    return param;
}

void relais_params_text(relais_params *params, const char *text)
{
    relais_param *param = append_param(params, RELAIS_PARAM_TEXT);

    if (param == NULL)
        return;
    param->is_null = text == NULL;
    relais_buffer_append_text(&param->bytes, text == NULL ? "" : text);
}

static void append_array(relais_params *params, relais_param_kind kind)
{
    relais_param *param = append_param(params, kind);

    if (param != NULL)
        relais_buffer_extend(&param->bytes, HEADER_SIZE);
}

void relais_params_text_array(relais_params *params)
{
    append_array(params, RELAIS_PARAM_TEXT_ARRAY);
}

void relais_params_bytea_array(relais_params *params)
{
    append_array(params, RELAIS_PARAM_BYTEA_ARRAY);
}

void relais_params_add(relais_params *params, size_t index, const void *bytes, size_t length)
{
    relais_param *param;
    uint32_t size = bytes == NULL ? UINT32_MAX : htonl((uint32_t)length);

    if (index >= params->count) {
        params->failed = params->failed == RELAIS_ERR_NONE ? RELAIS_ERR_LIMIT : params->failed;
        return;
    }
    param = &params->list[index];
    relais_buffer_append(&param->bytes, &size, sizeof size);
    if (bytes != NULL)
        relais_buffer_append(&param->bytes, bytes, length);
    else
        param->has_null = true;
    param->elements++;
}

void relais_params_add_text(relais_params *params, size_t index, const char *text)
{
    relais_params_add(params, index, text, text == NULL ? 0 : strlen(text));
}

static void write_header(relais_param *param)
{
    uint32_t header[5] = {
        htonl(param->elements == 0 ? 0 : 1),
        htonl(param->has_null ? 1 : 0),
        htonl(param->kind == RELAIS_PARAM_TEXT_ARRAY ? OID_TEXT : OID_BYTEA),
        htonl(param->elements),
        htonl(1),
    };

    if (param->elements == 0)
        param->bytes.length = HEADER_SIZE_EMPTY;
    memcpy(param->bytes.data, header, param->elements == 0 ? HEADER_SIZE_EMPTY : HEADER_SIZE);
}

bool relais_params_seal(relais_params *params, relais_error *err)
{
    if (params->failed != RELAIS_ERR_NONE)
        return relais_error_set(err, params->failed, "no memory left for a statement's values");
    for (size_t i = 0; i < params->count; i++) {
        relais_param *param = &params->list[i];
        if (!relais_buffer_check(&param->bytes, "a statement's value", err))
            return false;
        if (param->kind != RELAIS_PARAM_TEXT)
            write_header(param);
        params->values[i] = param->is_null ? NULL : param->bytes.data;
        params->lengths[i] = (int)param->bytes.length;
        params->formats[i] = param->kind == RELAIS_PARAM_TEXT ? 0 : 1;
    }
    return true;
}

char *relais_array_literal(relais_arena *arena, const char *const *texts, size_t count)
{
    size_t room = 3;
    char *literal, *p;

    for (size_t i = 0; i < count; i++)
        room += 2 * strlen(texts[i]) + 3;
    literal = p = relais_arena_alloc(arena, room);
    if (literal == NULL)
        return NULL;
    *p++ = '{';
    for (size_t i = 0; i < count; i++) {
        *p++ = '"';
        for (const char *c = texts[i]; *c != '\0'; c++) {
            if (*c == '"' || *c == '\\')
                *p++ = '\\';
            *p++ = *c;
        }
        *p++ = '"';
        if (i + 1 < count)
            *p++ = ',';
    }
    *p++ = '}';
    return literal;
}
