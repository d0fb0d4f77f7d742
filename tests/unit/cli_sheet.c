/*
 * The settings code: read back the way Collect reads it.
 */
#include "cli/sheet.h"

#include <jansson.h>
#include <nettle/base64.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

static relais_arena *arena;

static int make_arena(void **state)
{
    (void)state;
    arena = relais_arena_create(1024 * 1024);
    return arena == NULL;
}

static int free_arena(void **state)
{
    (void)state;
    relais_arena_destroy(arena);
    return 0;
}

/* base64, then zlib, then JSON, as Collect does it. */
static json_t *read_code(const char *text)
{
    struct base64_decode_ctx base64;
    uint8_t packed[4096];
    size_t packed_length = sizeof packed;
    static char json[8192];
    uLongf length = sizeof json - 1;

    assert_null(strpbrk(text, "\r\n -_"));
    base64_decode_init(&base64);
    assert_int_equal(base64_decode_update(&base64, &packed_length, packed, strlen(text), text), 1);
    assert_int_equal(base64_decode_final(&base64), 1);
    assert_int_equal(uncompress((Bytef *)json, &length, packed, packed_length), Z_OK);
    json[length] = '\0';
    return json_loads(json, 0, NULL);
}

static const char *text_at(json_t *root, const char *object, const char *key)
{
    const char *text = json_string_value(json_object_get(json_object_get(root, object), key));

    return text == NULL ? "" : text;
}

static void test_collect_reads_every_setting(void **state)
{
    relais_sheet sheet = {"https://relais.example.bf/openrosa/", "Équipe 4", "agent-017",
                          "pass \"phrase\""};
    relais_error err = {0};
    char *text = relais_sheet_text(&sheet, arena, &err);
    json_t *root, *general;

    (void)state;
    assert_non_null(text);
    root = read_code(text);
    assert_non_null(root);
    general = json_object_get(root, "general");
    assert_string_equal(text_at(root, "general", "server_url"),
                        "https://relais.example.bf/openrosa");
    assert_string_equal(text_at(root, "general", "username"), "agent-017");
    assert_string_equal(text_at(root, "general", "password"), "pass \"phrase\"");
    assert_string_equal(text_at(root, "general", "protocol"), "odk_default");
    assert_string_equal(text_at(root, "general", "form_update_mode"), "match_exactly");
    assert_string_equal(text_at(root, "general", "autosend"), "wifi_and_cellular");
    assert_string_equal(text_at(root, "general", "constraint_behavior"), "on_swipe");
    assert_true(json_is_true(json_object_get(general, "delete_send")));
    assert_true(json_is_true(json_object_get(general, "automatic_update")));
    assert_string_equal(text_at(root, "project", "name"), "Équipe 4");
    assert_string_equal(text_at(root, "project", "icon"), "É");
    assert_true(json_is_object(json_object_get(root, "admin")));
    assert_int_equal(json_object_size(json_object_get(root, "admin")), 0);
    json_decref(root);
}

static void test_without_user_there_is_no_empty_credential(void **state)
{
    relais_sheet sheet = {"http://127.0.0.1:8080/openrosa", "Relais", NULL, NULL};
    relais_error err = {0};
    json_t *root = read_code(relais_sheet_text(&sheet, arena, &err));

    (void)state;
    assert_null(json_object_get(json_object_get(root, "general"), "username"));
    assert_null(json_object_get(json_object_get(root, "general"), "password"));
    json_decref(root);
}

static void test_for_people_the_password_is_masked(void **state)
{
    relais_sheet sheet = {"https://relais.example.bf", "Relais", "agent-017", "geheim"};
    relais_error err = {0};
    char *json = relais_sheet_json(&sheet, true, arena, &err);

    (void)state;
    assert_non_null(json);
    assert_null(strstr(json, "geheim"));
    assert_non_null(strstr(json, "\"password\": \"********\""));
}

/* Noise does not compress, so that the base64 text passes Collect's limit. */
static void test_a_code_that_collect_would_not_read_is_refused(void **state)
{
    static char noise[3400];
    relais_sheet sheet = {"https://relais.example.bf", noise, NULL, NULL};
    relais_error err = {0};
    unsigned seed = 1;

    (void)state;
    for (size_t i = 0; i < sizeof noise - 1; i++) {
        seed = seed * 1103515245u + 12345u;
        noise[i] = (char)('0' + (seed >> 16) % 75);
        if (noise[i] == '\\' || noise[i] == '"')
            noise[i] = '!';
    }
    assert_null(relais_sheet_text(&sheet, arena, &err));
    assert_int_equal(err.code, RELAIS_ERR_LIMIT);
    assert_non_null(strstr(err.text, "4000"));
}

static void test_addresses(void **state)
{
    static const struct {
        const char *url;
        const char *refusal; /* NULL: accepted */
    } addresses[] = {
        {"https://relais.example.bf", NULL},
        {"http://[::1]:8080/openrosa/", NULL},
        {"https://relais.example.bf/key/a@b", NULL},
        {"relais.example.bf", "https://"},
        {"https://", "a host"},
        {"ftp://relais.example.bf", "https://"},
        {"https://agent:geheim@relais.example.bf/", "--user"},
        {"https://relais.example.bf/formList", "without /formList"},
        {"https://relais.example.bf/FORMLIST", "without /formList"},
        {"https://relais.example.bf/submission", "without /formList"},
        {"https://relais.example.bf/?a=b", "\"?\""},
        {"https://relais.example.bf/a b", "blank"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        relais_error err = {0};
        bool ok = relais_sheet_check_url(addresses[i].url, &err);
        assert_int_equal(ok, addresses[i].refusal == NULL);
        if (!ok && strstr(err.text, addresses[i].refusal) == NULL)
            fail_msg("%s: \"%s\"", addresses[i].url, err.text);
        assert_null(strstr(err.text, "geheim"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collect_reads_every_setting),
        cmocka_unit_test(test_without_user_there_is_no_empty_credential),
        cmocka_unit_test(test_for_people_the_password_is_masked),
        cmocka_unit_test(test_a_code_that_collect_would_not_read_is_refused),
        cmocka_unit_test(test_addresses),
    };

    return cmocka_run_group_tests(tests, make_arena, free_arena);
}
