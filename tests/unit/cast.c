/*
 * Every type's good and bad values, and the words of the rules they break.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_target.h"
#include "transform/cast.h"

static relais_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = relais_arena_create(1024 * 1024);
    return arena == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    relais_arena_destroy(arena);
    return 0;
}

struct good {
    const char *column, *text, *value;
};

static const struct good good[] = {
    {"t", "Aïcha", "Aïcha"},
    {"c3", "BFA", "BFA"},
    {"c3", "éàü", "éàü"}, /* characters, not bytes */
    {"c3", "B", "B"},
    {"i2", "62", "62"},
    {"i2", "62.0", "62"},
    {"i2", "+7", "7"},
    {"i2", "-32768", "-32768"},
    {"i2", "32767", "32767"},
    {"i2", "007", "7"},
    {"i2", "0", "0"},
    {"i2", "-0.0", "0"},
    {"i2", "0E10", "0"},
    {"i2", "1.5E3", "1500"},
    {"i2", "1.2e+2", "120"},
    {"i2", "1200E-2", "12"},
    {"i2", "10.", "10"},
    {"i8", "9223372036854775807", "9223372036854775807"},
    {"i8", "-9223372036854775808", "-9223372036854775808"},
    {"i8", "1.23456789012E11", "123456789012"},
    {"n", "1.0E-4", "1.0E-4"},
    {"n", "-12.50", "-12.50"},
    {"n", ".5", ".5"},
    {"n", "35000.0", "35000.0"},
    {"b", "yes", "true"},
    {"b", "no", "false"},
    {"b", "oui", "true"},
    {"b", "non", "false"},
    {"b", "True", "true"},
    {"b", "FALSE", "false"},
    {"b", "1", "true"},
    {"b", "0", "false"},
    {"d", "2026-03-02", "2026-03-02"},
    {"d", "2024-02-29", "2024-02-29"},
    {"d", "2000-02-29", "2000-02-29"},
    {"d", "0001-01-01", "0001-01-01"},
    /* The day on the phone's clock, though it is the day before in UTC. */
    {"d", "2026-03-02T00:30:00.000+01:00", "2026-03-02"},
    {"d", "2026-03-02T23:30:00", "2026-03-02"},
    {"ts", "2026-03-02T10:15:04.123Z", "2026-03-02T10:15:04.123+00:00"},
    {"ts", "2026-03-02T10:15:04.123+01", "2026-03-02T10:15:04.123+01:00"},
    {"ts", "2026-03-02T10:15:04-0330", "2026-03-02T10:15:04-03:30"},
    {"ts", "2026-03-02T10:15+05:45", "2026-03-02T10:15+05:45"},
    {"ts", "2026-03-02 10:15:04Z", "2026-03-02T10:15:04+00:00"},
    {"u", "00000000-0000-5000-8000-00000000ABCD", "00000000-0000-5000-8000-00000000abcd"},
    {"u", "uuid:00000000-0000-5000-8000-00000000abcd", "00000000-0000-5000-8000-00000000abcd"},
    {"x", "00fF", "\\x00fF"},
    {"x", "\\x00ff", "\\x00ff"},
    {"ta", "a b", "{\"a\",\"b\"}"},
    {"ta", "a\"b c\\d {e}, NULL", "{\"a\\\"b\",\"c\\\\d\",\"{e},\",\"NULL\"}"},
    {"ta", "BFA\tMLI\n CIV", "{\"BFA\",\"MLI\",\"CIV\"}"},
    {"ia", "1 2.0", "{\"1\",\"2\"}"},
    {"o", "{\"a\": 1}", "{\"a\": 1}"},
};

struct bad {
    const char *column, *text, *code, *value_class;
};

static const struct bad bad[] = {
    {"c3", "BFAS", "length", "texte de 4 caractères"},
    {"c3", "éàüö", "length", "texte de 4 caractères"},
    {"i2", "62.5", "integer", "nombre décimal"},
    {"i2", "soixante", "integer", "texte de 8 caractères"},
    {"i2", "1e", "integer", "texte de 2 caractères"},
    {"i2", "1E-1", "integer", "nombre décimal"},
    {"i2", "0x10", "integer", "texte de 4 caractères"},
    {"i2", "--1", "integer", "texte de 3 caractères"},
    {"i2", "1 2", "integer", "texte de 3 caractères"},
    {"i2", ".", "integer", "texte de 1 caractère"},
    {"i2", "32768", "range", "nombre entier"},
    {"i2", "-32769", "range", "nombre entier"},
    {"i2", "1E400", "range", "nombre entier"},
    {"i2", "99999999999999999999", "range", "nombre entier"},
    {"i8", "9223372036854775808", "range", "nombre entier"},
    {"i2", "2026-03-02", "integer", "date"},
    {"n", "12,5", "number", "texte de 4 caractères"},
    {"n", "NaN", "number", "texte de 3 caractères"},
    {"n", "Infinity", "number", "texte de 8 caractères"},
    {"n", "1E9999", "number", "texte de 6 caractères"},
    {"b", "peut-être", "boolean", "texte de 9 caractères"},
    {"b", "2", "boolean", "nombre entier"},
    {"d", "2026-02-29", "date", "texte de 10 caractères"},
    {"d", "1900-02-29", "date", "texte de 10 caractères"},
    {"d", "2026-13-01", "date", "texte de 10 caractères"},
    {"d", "2026-00-01", "date", "texte de 10 caractères"},
    {"d", "2026-04-31", "date", "texte de 10 caractères"},
    {"d", "0000-01-01", "date", "texte de 10 caractères"},
    {"d", "02/03/2026", "date", "texte de 10 caractères"},
    {"d", "2026-3-2", "date", "texte de 8 caractères"},
    {"d", "2026-03", "date", "texte de 7 caractères"},
    {"d", "2026-03-02T", "date", "texte de 11 caractères"},
    {"d", "2026-03-02T25:00", "date", "texte de 16 caractères"},
    {"ts", "2026-03-02T10:15:04.123", "offset", "date et heure"},
    {"ts", "2026-03-02", "time", "date"},
    {"ts", "2026-03-02T10:60:00Z", "time", "texte de 20 caractères"},
    {"ts", "2026-03-02T10:15:04+16", "time", "texte de 22 caractères"},
    {"ts", "2026-03-02T10:15:04+01:60", "time", "texte de 25 caractères"},
    {"ts", "2026-03-02T10:15:04.Z", "time", "texte de 21 caractères"},
    {"ts", "2026-03-02T10:15:04Zulu", "time", "texte de 23 caractères"},
    {"ts", "2026-03-02T10:15:04+1", "time", "texte de 21 caractères"},
    {"u", "00000000-0000-5000-8000-00000000abc", "uuid", "texte de 35 caractères"},
    {"u", "00000000-0000-5000-8000-00000000abcg", "uuid", "texte de 36 caractères"},
    {"u", "000000000000-5000-8000-00000000abcdef", "uuid", "texte de 37 caractères"},
    {"x", "0ff", "hex", "texte de 3 caractères"},
    {"x", "0g", "hex", "texte de 2 caractères"},
    {"ia", "1 x", "integer", "texte de 3 caractères"},
    {"ia", "1 40000", "range", "texte de 7 caractères"},
};

static const relais_column *column_of(const char *name)
{
    for (size_t i = 0; i < sizeof fake_types / sizeof *fake_types; i++)
        if (strcmp(fake_types[i].name, name) == 0)
            return &fake_types[i];
    fail_msg("no column %s", name);
    return NULL;
}

static relais_cast_result cast(const char *column, const char *text, const char **value,
                               relais_rule *broken)
{
    relais_error err = {0};

    return relais_cast(column_of(column), text, strlen(text), arena, value, broken, &err);
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        const char *value = NULL;
        relais_rule broken;
        if (cast(good[i].column, good[i].text, &value, &broken) != RELAIS_CAST_DONE)
            fail_msg("%s refuses %s", good[i].column, good[i].text);
        assert_string_equal(value, good[i].value);
    }
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *value = NULL;
        relais_rule broken = {0};
        relais_misfit misfit = {0};
        relais_error err = {0};
        if (cast(bad[i].column, bad[i].text, &value, &broken) != RELAIS_CAST_MISFIT)
            fail_msg("%s takes %s", bad[i].column, bad[i].text);
        assert_true(
            relais_rule_describe(&broken, bad[i].text, strlen(bad[i].text), arena, &misfit, &err));
        if (strcmp(misfit.code, bad[i].code) != 0 ||
            strcmp(misfit.value_class, bad[i].value_class) != 0)
            fail_msg("%s with %s gives %s, %s", bad[i].column, bad[i].text, misfit.code,
                     misfit.value_class);
        /* The bounds of a range, and short words, may be the rule's own. */
        if (strlen(bad[i].text) > 5 && strcmp(misfit.code, "range") != 0)
            assert_null(strstr(misfit.rule, bad[i].text));
        assert_null(strchr(misfit.rule, '%'));
        assert_null(strchr(misfit.rule_en, '%'));
    }
}

static void test_range_in_words(void **state)
{
    const relais_rule rule = {.kind = RELAIS_RULE_RANGE, .number = -32768, .maximum = 32767};
    relais_misfit misfit = {0};
    relais_error err = {0};

    (void)state;
    assert_true(relais_rule_describe(&rule, "40000", 5, arena, &misfit, &err));
    assert_string_equal(misfit.rule, "un nombre entier de -32768 à 32767");
    assert_string_equal(misfit.rule_en, "a whole number from -32768 to 32767");
    assert_string_equal(misfit.value_class_en, "whole number");
}

static void test_too_many_tokens(void **state)
{
    char text[2 * (RELAIS_TOKENS_MAX + 1) + 1];
    const char *value;
    relais_rule broken;

    (void)state;
    for (int i = 0; i <= RELAIS_TOKENS_MAX; i++)
        memcpy(text + 2 * i, "a ", 3);
    text[2 * RELAIS_TOKENS_MAX] = '\0';
    assert_int_equal(cast("ta", text, &value, &broken), RELAIS_CAST_DONE);
    text[2 * RELAIS_TOKENS_MAX] = 'a';
    assert_int_equal(cast("ta", text, &value, &broken), RELAIS_CAST_MISFIT);
    assert_int_equal(broken.kind, RELAIS_RULE_TOKENS);
}

/* Memory is a failure of the machine, not of the answer. */
static void test_no_memory(void **state)
{
    relais_arena *small = relais_arena_create(8);
    const char *value;
    relais_rule broken;
    relais_error err = {0};

    (void)state;
    assert_int_equal(relais_cast(column_of("d"), "2026-03-02", 10, small, &value, &broken, &err),
                     RELAIS_CAST_FAILED);
    assert_int_equal(err.code, RELAIS_ERR_LIMIT);
    relais_arena_destroy(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),           cmocka_unit_test(test_bad),
        cmocka_unit_test(test_range_in_words), cmocka_unit_test(test_too_many_tokens),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("cast", tests, set_up, tear_down);
}
