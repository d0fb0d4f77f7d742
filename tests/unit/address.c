/*
 * The address that a phone is given is the one it used, and nothing that a header smuggles in.
 */
#include "openrosa/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    relais_address address;
    const char *url;
} cases[] = {
    {{.host = "phone:8080", .scheme = "http", .path = "/o"}, "http://phone:8080/o"},
    {{.host = "phone", .scheme = "https", .path = ""}, "https://phone"},
    {{.host = "[::1]:80", .scheme = "http", .path = "/o"}, "http://[::1]:80/o"},
    {{.host = "phone", .scheme = "http", .path = "/o", .forwarded_proto = "HTTPS"},
     "https://phone/o"},
    {{.host = "in",
      .scheme = "http",
      .path = "/o",
      .forwarded_proto = "https, http",
      .forwarded_host = "forms.bf:8443, in"},
     "https://forms.bf:8443/o"},
    {{.host = "in", .scheme = "https", .path = "/o", .forwarded_proto = "http"}, "http://in/o"},
    {{.host = "in", .scheme = "http", .path = "/o", .forwarded_proto = "gopher"}, "http://in/o"},
    {{.host = "in", .scheme = "http", .path = "/o", .forwarded_host = "<evil>"}, "http://in/o"},
    {{.host = "in", .scheme = "http", .path = "/o", .forwarded_host = ""}, "http://in/o"},
    {{.host = "<evil>", .scheme = "http", .path = "/o"}, "http://server.bf/o"},
    {{.scheme = "http", .path = "/o"}, "http://server.bf/o"},
};

static void test_urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        relais_arena *arena = relais_arena_create(4096);
        relais_address address = cases[i].address;

        assert_non_null(arena);
        address.server_name = "server.bf";
        assert_string_equal(relais_base_url(&address, arena), cases[i].url);
        relais_arena_destroy(arena);
    }
}

static void test_a_host_of_any_length_is_no_host(void **state)
{
    relais_arena *arena = relais_arena_create(4096);
    char host[400];
    relais_address address = {.host = host, .server_name = "server.bf"};

    (void)state;
    assert_non_null(arena);
    memset(host, 'a', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    assert_string_equal(relais_address_host(&address, arena), "server.bf");
    relais_arena_destroy(arena);
}

static void test_paths(void **state)
{
    static const struct {
        const char *location, *path, *rest; /* NULL: not below */
    } paths[] = {
        {"/o", "/o/formList", "formList"},
        {"/o", "/o//formList", "formList"},
        {"/o", "/o/", ""},
        {"/o", "/o", ""},
        {"/o", "/other", NULL},
        {"/o", "/", NULL},
        {"", "/formList", "formList"},
        {"/a%20b", "/a%20b/x", "x"},
        {"/a%20b", "/a+b/x", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const char *rest = NULL;
        size_t length = 0;
        bool is_below = relais_path_below(paths[i].location, paths[i].path, strlen(paths[i].path),
                                          &rest, &length);

        assert_int_equal(is_below, paths[i].rest != NULL);
        if (is_below) {
            assert_int_equal(length, strlen(paths[i].rest));
            assert_memory_equal(rest, paths[i].rest, length);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_a_host_of_any_length_is_no_host),
        cmocka_unit_test(test_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
