/*
 * The value of a column with a <seal>. See relais_run_seal in run.h.
 *
 * The answers are an object in JSON, UTF-8, its members in the order of the mapping, those
 * without an answer left out:
 *
 *     {"surname":"Ouédraogo","given_names":"Awa"}
 */
#include "transform/run.h"

#include "base/text.h"

#include <jansson.h>

#include <stdlib.h>
#include <string.h>

/* An identity is half a kilobyte; this keeps a text of megabytes from becoming a sealed one. */
enum { SEALED_MAX = 256 * 1024 };

/* Beside the content: the head of the envelope with the sealed key. */
enum { ENVELOPE_MAX = 16 * 1024 };

static bool add_field(relais_run *run, const relais_filled *field, relais_scope *scope,
                      json_t *object)
{
    const relais_rule several = {.kind = RELAIS_RULE_SINGLE};
    relais_answer answer;

    if (!relais_run_answer(run, field->sources->select, scope, false, &answer))
        return false;
    if (answer.is_several)
        return relais_run_refuse(run, &several, relais_where_node(&run->where, answer.node),
                                 field->place, answer.text, answer.length);
    if (answer.text == NULL)
        return true;
    return json_object_set_new(object, field->name, json_stringn(answer.text, answer.length)) ==
               0 ||
           relais_error_set(run->err, RELAIS_ERR_MEMORY, "no memory left for what is sealed");
}

static bool add_fields(relais_run *run, const relais_filled *filled, relais_scope *scope,
                       json_t *object)
{
    for (size_t i = 0; i < filled->field_count; i++)
        if (!add_field(run, &filled->fields[i], scope, object))
            return false;
    return true;
}

/* PostgreSQL's hexadecimal format of bytea. */
static bool write_hex(relais_run *run, const relais_buffer *sealed, const char **value)
{
    char *hex = relais_arena_alloc(run->arena, 2 + 2 * sealed->length + 1);

    if (hex == NULL)
        return relais_arena_error(run->arena, run->err);
    memcpy(hex, "\\x", 2);
    relais_hex((const uint8_t *)sealed->data, sealed->length, hex + 2);
    *value = hex;
    return true;
}

static bool seal_text(relais_run *run, const relais_filled *filled, const char *text,
                      const char *path, const char **value)
{
    const relais_rule too_long = {.kind = RELAIS_RULE_SEALED, .number = SEALED_MAX};
    relais_buffer sealed;
    bool ok;

    if (strlen(text) > SEALED_MAX)
        return relais_run_refuse(run, &too_long, path, filled->place, text, strlen(text));
    relais_buffer_init(&sealed, SEALED_MAX + ENVELOPE_MAX);
    ok = relais_seal_bytes(run->mapping->secrets->seal, text, strlen(text), &sealed, run->err) &&
         write_hex(run, &sealed, value);
    relais_buffer_free(&sealed);
    return ok;
}

static bool seal_object(relais_run *run, const relais_filled *filled, const json_t *object,
                        const char *path, const char **value)
{
    char *text = json_dumps(object, JSON_COMPACT);
    bool ok;

    if (text == NULL)
        return relais_error_set(run->err, RELAIS_ERR_MEMORY, "no memory left for what is sealed");
    ok = seal_text(run, filled, text, path, value);
    explicit_bzero(text, strlen(text));
    free(text);
    return ok;
}

bool relais_run_seal(relais_run *run, const relais_filled *filled, relais_scope *scope,
                     const char **value, const char **path)
{
    json_t *object = json_object();
    bool ok;

    *value = NULL;
    *path = relais_where_missing(&run->where, filled->fields[0].sources->select, scope);
    if (*path == NULL)
        ok = relais_arena_error(run->arena, run->err);
    else if (object == NULL)
        ok = relais_error_set(run->err, RELAIS_ERR_MEMORY, "no memory left for what is sealed");
    else
        ok = add_fields(run, filled, scope, object) &&
             (json_object_size(object) == 0 || seal_object(run, filled, object, *path, value));
    json_decref(object);
    return ok;
}
