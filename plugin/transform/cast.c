/*
 * One function a type, and a table of them. See cast.h.
 */
#include "transform/cast.h"

#include "base/buffer.h"
#include "base/text.h"
#include "base/uuid.h"
#include "transform/answer.h"
#include "transform/decimal.h"
#include "transform/moment.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The value to be cast; a caster sets `result`, or leaves it NULL with `broken` set. A NULL
 * result without a broken rule means that memory ran out. */
struct casting {
    const relais_column *column;
    const char *text;
    size_t length;
    relais_arena *arena;
    const char *result;
    relais_rule *broken;
    bool is_misfit;
};

static void refuse(struct casting *casting, relais_rule rule)
{
    *casting->broken = rule;
    casting->is_misfit = true;
}

static void cast_text(struct casting *casting)
{
    int limit = casting->column->limit;

    if (limit > 0 && relais_utf8_count(casting->text, casting->length) > (size_t)limit)
        refuse(casting, (relais_rule){.kind = RELAIS_RULE_LENGTH, .number = limit});
    else
        casting->result = casting->text;
}

static void cast_integer(struct casting *casting)
{
    const relais_column *column = casting->column;
    relais_decimal decimal;

    if (!relais_decimal_read(casting->text, casting->length, &decimal) || !decimal.is_whole)
        refuse(casting, (relais_rule){.kind = RELAIS_RULE_INTEGER});
    else if (!decimal.fits || decimal.value < column->minimum || decimal.value > column->maximum)
        refuse(casting, (relais_rule){.kind = RELAIS_RULE_RANGE,
                                      .number = column->minimum,
                                      .maximum = column->maximum});
    else
        casting->result = relais_arena_format(casting->arena, "%lld", decimal.value);
}

static void cast_numeric(struct casting *casting)
{
    relais_decimal decimal;

    if (relais_decimal_read(casting->text, casting->length, &decimal))
        casting->result = casting->text;
    else
        refuse(casting, (relais_rule){.kind = RELAIS_RULE_NUMERIC});
}

static void cast_boolean(struct casting *casting)
{
    static const struct {
        const char *word, *value;
    } words[] = {{"yes", "true"},  {"no", "false"},    {"oui", "true"}, {"non", "false"},
                 {"true", "true"}, {"false", "false"}, {"1", "true"},   {"0", "false"}};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(words[i].word, casting->text) == 0)
            casting->result = words[i].value;
    if (casting->result == NULL)
        refuse(casting, (relais_rule){.kind = RELAIS_RULE_BOOLEAN});
}

/* A time of day is left off: the date is the one on the clock that was read, not UTC's. */
static void cast_date(struct casting *casting)
{
    relais_moment moment;

    if (relais_moment_read(casting->text, casting->length, &moment))
        casting->result = relais_arena_format(casting->arena, "%04d-%02d-%02d", moment.year,
                                              moment.month, moment.day);
    else
        refuse(casting, (relais_rule){.kind = RELAIS_RULE_DATE});
}

/* Without its offset, PostgreSQL would read the time in the server's own zone. */
static void cast_timestamptz(struct casting *casting)
{
    relais_moment moment;
    int offset;

    if (!relais_moment_read(casting->text, casting->length, &moment) || !moment.has_time) {
        refuse(casting, (relais_rule){.kind = RELAIS_RULE_TIME});
        return;
    }
    if (!moment.has_offset) {
        refuse(casting, (relais_rule){.kind = RELAIS_RULE_OFFSET});
        return;
    }
    offset = abs(moment.offset);
    casting->result =
        relais_arena_format(casting->arena, "%04d-%02d-%02dT%.*s%c%02d:%02d", moment.year,
                            moment.month, moment.day, (int)moment.clock_length, moment.clock,
                            moment.offset < 0 ? '-' : '+', offset / 60, offset % 60);
}

/* An instanceID is a UUID behind "uuid:". */
static void cast_uuid(struct casting *casting)
{
    static const char prefix[] = "uuid:";
    const char *text = casting->text;
    size_t length = casting->length;
    char *copy;

    if (strncmp(text, prefix, sizeof prefix - 1) == 0) {
        text += sizeof prefix - 1;
        length -= sizeof prefix - 1;
    }
    if (!relais_uuid_is(text, length)) {
        refuse(casting, (relais_rule){.kind = RELAIS_RULE_UUID});
        return;
    }
    copy = relais_arena_copy(casting->arena, text, length);
    for (char *p = copy; p != NULL && *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'F')
            *p = (char)(*p - 'A' + 'a');
    casting->result = copy;
}

static void cast_bytea(struct casting *casting)
{
    const char *text = casting->text;
    size_t length = casting->length;
    bool is_good;

    if (strncmp(text, "\\x", 2) == 0) {
        text += 2;
        length -= 2;
    }
    is_good = length % 2 == 0;
    for (size_t i = 0; is_good && i < length; i++)
        is_good = isxdigit((unsigned char)text[i]);
    if (is_good)
        casting->result = relais_arena_format(casting->arena, "\\x%s", text);
    else
        refuse(casting, (relais_rule){.kind = RELAIS_RULE_HEX});
}

static void cast_other(struct casting *casting)
{
    casting->result = casting->text;
}

typedef void caster(struct casting *casting);

static caster *const casters[] = {
    [RELAIS_TYPE_TEXT] = cast_text,       [RELAIS_TYPE_INTEGER] = cast_integer,
    [RELAIS_TYPE_NUMERIC] = cast_numeric, [RELAIS_TYPE_BOOLEAN] = cast_boolean,
    [RELAIS_TYPE_DATE] = cast_date,       [RELAIS_TYPE_TIMESTAMPTZ] = cast_timestamptz,
    [RELAIS_TYPE_UUID] = cast_uuid,       [RELAIS_TYPE_BYTEA] = cast_bytea,
    [RELAIS_TYPE_ARRAY] = cast_other,     [RELAIS_TYPE_OTHER] = cast_other,
};

/* An array's element in quotes, with quotes and backslashes escaped. */
static void append_element(relais_buffer *out, const char *text)
{
    if (out->length > 1)
        relais_buffer_append_char(out, ',');
    relais_buffer_append_char(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            relais_buffer_append_char(out, '\\');
        relais_buffer_append_char(out, *text);
    }
    relais_buffer_append_char(out, '"');
}

static bool cast_elements(struct casting *casting, relais_buffer *out)
{
    const char *list = casting->text, *start;
    size_t length;
    int count = 0;

    relais_buffer_append_char(out, '{');
    while (relais_token_next(&list, &start, &length)) {
        struct casting element = *casting;
        if (++count > RELAIS_TOKENS_MAX) {
            refuse(casting, (relais_rule){.kind = RELAIS_RULE_TOKENS, .number = RELAIS_TOKENS_MAX});
            return false;
        }
        element.text = relais_arena_copy(casting->arena, start, length);
        element.length = length;
        if (element.text == NULL)
            return false;
        casters[casting->column->element](&element);
        casting->is_misfit = element.is_misfit;
        if (element.result == NULL)
            return false;
        append_element(out, element.result);
    }
    relais_buffer_append_char(out, '}');
    return true;
}

/* Choices become the array's elements, in their order. */
static void cast_array(struct casting *casting)
{
    relais_buffer literal;

    /* Casts lengthen a token a little (an offset's minutes), escapes double it. */
    relais_buffer_init(&literal, casting->length * 16 + 64);
    if (cast_elements(casting, &literal) && literal.failed == RELAIS_ERR_NONE)
        casting->result = relais_arena_copy(casting->arena, literal.data, literal.length);
    relais_buffer_free(&literal);
}

relais_cast_result relais_cast(const relais_column *column, const char *text, size_t length,
                               relais_arena *arena, const char **out, relais_rule *broken,
                               relais_error *err)
{
    struct casting casting = {
        .column = column, .text = text, .length = length, .arena = arena, .broken = broken};

    if (column->type == RELAIS_TYPE_ARRAY)
        cast_array(&casting);
    else
        casters[column->type](&casting);
    *out = casting.result;
    if (casting.result != NULL)
        return RELAIS_CAST_DONE;
    if (casting.is_misfit)
        return RELAIS_CAST_MISFIT;
    relais_arena_error(arena, err);
    return RELAIS_CAST_FAILED;
}
