/*
 * A database for tests of mappings: a few tables by hand, and a code list.
 */
#ifndef RELAIS_TESTS_FAKE_TARGET_H
#define RELAIS_TESTS_FAKE_TARGET_H

#include "transform/target.h"

#include <limits.h>
#include <string.h>

#define FAKE_TEXT(n)                                                                               \
    {                                                                                              \
        .name = n, .sql_type = "text", .type = RELAIS_TYPE_TEXT                                    \
    }
#define FAKE_CHAR(n, size)                                                                         \
    {                                                                                              \
        .name = n, .sql_type = "character", .type = RELAIS_TYPE_TEXT, .limit = size                \
    }
#define FAKE_SMALL(n)                                                                              \
    {                                                                                              \
        .name = n, .sql_type = "smallint", .type = RELAIS_TYPE_INTEGER, .minimum = -32768,         \
        .maximum = 32767                                                                           \
    }
#define FAKE_OF(n, sql, kind)                                                                      \
    {                                                                                              \
        .name = n, .sql_type = sql, .type = kind                                                   \
    }
#define FAKE_UUID(n) FAKE_OF(n, "uuid", RELAIS_TYPE_UUID)
#define FAKE_DATE(n) FAKE_OF(n, "date", RELAIS_TYPE_DATE)
#define FAKE_BOOL(n) FAKE_OF(n, "boolean", RELAIS_TYPE_BOOLEAN)

static const relais_column fake_victim[] = {
    {.name = "victim_id", .sql_type = "uuid", .type = RELAIS_TYPE_UUID, .not_null = true},
    FAKE_CHAR("national_code", 12),
    {.name = "created_at",
     .sql_type = "timestamp with time zone",
     .type = RELAIS_TYPE_TIMESTAMPTZ,
     .not_null = true,
     .has_default = true},
};

static const relais_column fake_identification[] = {
    {.name = "identification_id", .sql_type = "uuid", .type = RELAIS_TYPE_UUID, .not_null = true},
    {.name = "sub_id", .sql_type = "uuid", .type = RELAIS_TYPE_UUID, .not_null = true},
    {.name = "event_date", .sql_type = "date", .type = RELAIS_TYPE_DATE, .not_null = true},
    FAKE_TEXT("sex"),
    FAKE_SMALL("age"),
    FAKE_CHAR("citizenship", 3),
    {.name = "share_stats",
     .sql_type = "boolean",
     .type = RELAIS_TYPE_BOOLEAN,
     .not_null = true,
     .has_default = true},
    {.name = "is_child",
     .sql_type = "boolean",
     .type = RELAIS_TYPE_BOOLEAN,
     .has_default = true,
     .is_generated = true},
};

static const relais_column fake_item[] = {
    {.name = "identification_id", .sql_type = "uuid", .type = RELAIS_TYPE_UUID, .not_null = true},
    {.name = "code", .sql_type = "text", .type = RELAIS_TYPE_TEXT, .not_null = true},
};

static const relais_column fake_exploitation[] = {
    {.name = "identification_id", .sql_type = "uuid", .type = RELAIS_TYPE_UUID, .not_null = true},
    {.name = "seq",
     .sql_type = "smallint",
     .type = RELAIS_TYPE_INTEGER,
     .minimum = -32768,
     .maximum = 32767,
     .not_null = true},
    {.name = "form", .sql_type = "text", .type = RELAIS_TYPE_TEXT, .not_null = true},
    FAKE_DATE("month"),
    FAKE_BOOL("realised"),
};

static const relais_column fake_case[] = {
    {.name = "case_id", .sql_type = "uuid", .type = RELAIS_TYPE_UUID, .not_null = true},
    FAKE_DATE("stage_date"),
    {.name = "foreign_help",
     .sql_type = "character(3)[]",
     .type = RELAIS_TYPE_ARRAY,
     .element = RELAIS_TYPE_TEXT,
     .limit = 3},
};

static const relais_column fake_types[] = {
    FAKE_TEXT("t"),
    FAKE_CHAR("c3", 3),
    FAKE_SMALL("i2"),
    {.name = "i8",
     .sql_type = "bigint",
     .type = RELAIS_TYPE_INTEGER,
     .minimum = LLONG_MIN,
     .maximum = LLONG_MAX},
    FAKE_OF("n", "numeric", RELAIS_TYPE_NUMERIC),
    FAKE_BOOL("b"),
    FAKE_DATE("d"),
    FAKE_OF("ts", "timestamp with time zone", RELAIS_TYPE_TIMESTAMPTZ),
    FAKE_UUID("u"),
    FAKE_OF("x", "bytea", RELAIS_TYPE_BYTEA),
    {.name = "ta", .sql_type = "text[]", .type = RELAIS_TYPE_ARRAY, .element = RELAIS_TYPE_TEXT},
    {.name = "ia",
     .sql_type = "smallint[]",
     .type = RELAIS_TYPE_ARRAY,
     .element = RELAIS_TYPE_INTEGER,
     .minimum = -32768,
     .maximum = 32767},
    FAKE_OF("o", "jsonb", RELAIS_TYPE_OTHER),
};

static const relais_column fake_code[] = {
    FAKE_TEXT("code"),
    FAKE_TEXT("list"),
};

static const relais_column fake_log[] = {FAKE_TEXT("what")};

/* The tables of the example in transforms/README.md. */
static const relais_column fake_person[] = {
    {.name = "person_id", .sql_type = "uuid", .type = RELAIS_TYPE_UUID, .not_null = true},
    {.name = "sub_id", .sql_type = "uuid", .type = RELAIS_TYPE_UUID, .not_null = true},
    {.name = "seen_on", .sql_type = "date", .type = RELAIS_TYPE_DATE, .not_null = true},
    FAKE_TEXT("sex"),
    FAKE_SMALL("age"),
};

static const relais_column fake_language[] = {
    {.name = "person_id", .sql_type = "uuid", .type = RELAIS_TYPE_UUID, .not_null = true},
    {.name = "code", .sql_type = "text", .type = RELAIS_TYPE_TEXT, .not_null = true},
};

static const relais_column fake_trip[] = {
    {.name = "person_id", .sql_type = "uuid", .type = RELAIS_TYPE_UUID, .not_null = true},
    {.name = "seq",
     .sql_type = "smallint",
     .type = RELAIS_TYPE_INTEGER,
     .minimum = -32768,
     .maximum = 32767,
     .not_null = true},
    {.name = "country",
     .sql_type = "character(3)",
     .type = RELAIS_TYPE_TEXT,
     .limit = 3,
     .not_null = true},
    FAKE_DATE("month"),
};

/* Keys, a sealed identity, and places that lie in each other. */
static const relais_column fake_match_key[] = {
    {.name = "identification_id", .sql_type = "uuid", .type = RELAIS_TYPE_UUID, .not_null = true},
    {.name = "kind", .sql_type = "text", .type = RELAIS_TYPE_TEXT, .not_null = true},
    FAKE_SMALL("key_version"),
    {.name = "hmac", .sql_type = "bytea", .type = RELAIS_TYPE_BYTEA, .not_null = true},
};

static const relais_column fake_sealed[] = {
    {.name = "identification_id", .sql_type = "uuid", .type = RELAIS_TYPE_UUID, .not_null = true},
    FAKE_OF("sealed", "bytea", RELAIS_TYPE_BYTEA),
    {.name = "must_seal",
     .sql_type = "bytea",
     .type = RELAIS_TYPE_BYTEA,
     .not_null = true,
     .has_default = true},
    FAKE_TEXT("seal_key"),
};

static const relais_column fake_place[] = {
    FAKE_TEXT("place_code"),
    FAKE_TEXT("level"),
    FAKE_TEXT("parent"),
};

static const char *const fake_match_key_key[] = {"identification_id", "kind", "hmac"};
static const char *const fake_sealed_key[] = {"identification_id"};
static const char *const fake_place_key[] = {"place_code"};
static const char *const fake_person_key[] = {"person_id"};
static const char *const fake_language_key[] = {"person_id", "code"};
static const char *const fake_trip_key[] = {"person_id", "seq"};
static const char *const fake_victim_key[] = {"victim_id"};
static const char *const fake_identification_key[] = {"identification_id"};
static const char *const fake_item_key[] = {"identification_id", "code"};
static const char *const fake_exploitation_key[] = {"identification_id", "seq"};
static const char *const fake_case_key[] = {"case_id"};
static const char *const fake_types_key[] = {"t"};
static const char *const fake_code_key[] = {"code"};

#define FAKE_TABLE(n, c)                                                                           \
    {                                                                                              \
        .name = n, .columns = fake_##c, .column_count = sizeof fake_##c / sizeof *fake_##c,        \
        .key = fake_##c##_key, .key_count = sizeof fake_##c##_key / sizeof *fake_##c##_key         \
    }

static const relais_table fake_tables[] = {
    FAKE_TABLE("tip.victim", victim),
    FAKE_TABLE("tip.identification", identification),
    FAKE_TABLE("tip.identification_item", item),
    FAKE_TABLE("tip.exploitation", exploitation),
    FAKE_TABLE("tip.criminal_case", case),
    FAKE_TABLE("test.types", types),
    FAKE_TABLE("ref.code", code),
    FAKE_TABLE("census.person", person),
    FAKE_TABLE("census.language", language),
    FAKE_TABLE("census.trip", trip),
    FAKE_TABLE("link.match_key", match_key),
    FAKE_TABLE("identity.person", sealed),
    FAKE_TABLE("ref.place", place),
    {.name = "test.log", .columns = fake_log, .column_count = 1},
};

static const relais_table *fake_table(void *context, const char *name, relais_error *err)
{
    (void)context;
    (void)err;
    for (size_t i = 0; i < sizeof fake_tables / sizeof *fake_tables; i++)
        if (strcmp(fake_tables[i].name, name) == 0)
            return &fake_tables[i];
    return NULL;
}

/* Communes in provinces in regions in a country. */
static const struct {
    const char *code, *level, *parent;
} fake_places[] = {
    {"BFA", "country", NULL},
    {"BF-01", "region", "BFA"},
    {"BF-KAD", "province", "BF-01"},
    {"BF-KAD-1", "commune", "BF-KAD"},
};

enum { FAKE_PLACES = sizeof fake_places / sizeof *fake_places };

static int fake_has_place(const char *column, const char *value)
{
    for (size_t i = 0; i < FAKE_PLACES; i++)
        if (strcmp(strcmp(column, "level") == 0 ? fake_places[i].level : fake_places[i].code,
                   value) == 0)
            return 1;
    return strcmp(value, "lost") == 0;
}

/* The place "lost" stands for a database that went away. */
static bool fake_ancestor(void *context, const relais_hierarchy *hierarchy, const char *value,
                          const char *level, const char **out, relais_error *err)
{
    (void)context;
    (void)hierarchy;
    *out = "";
    if (strcmp(value, "lost") == 0)
        return relais_error_set(err, RELAIS_ERR_TRANSIENT, "the database went away");
    for (size_t i = FAKE_PLACES; i-- > 0 && value != NULL;) {
        if (strcmp(fake_places[i].code, value) != 0)
            continue;
        if (strcmp(fake_places[i].level, level) == 0)
            *out = value;
        value = fake_places[i].parent;
    }
    return true;
}

/* ref.code, where a code starts with the name of its list and '_'. */
static int fake_member(void *context, const char *table, const char *column,
                       const char *filter_column, const char *filter_value, const char *value,
                       relais_error *err)
{
    static const char *const codes[] = {"sx_f", "sx_m", "ac_recr", "ac_trpt", "ex_l_gold", "ex_s"};

    (void)context;
    (void)err;
    if (strcmp(table, "ref.place") == 0)
        return fake_has_place(column, value);
    if (strcmp(table, "ref.code") != 0 || strcmp(column, "code") != 0)
        return 0;
    if (filter_column != NULL && strncmp(value, filter_value, strlen(filter_value)) != 0)
        return 0;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcmp(codes[i], value) == 0)
            return 1;
    return 0;
}

static const relais_target fake_target = {NULL, fake_table, fake_member, fake_ancestor};

#endif
