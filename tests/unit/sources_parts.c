/*
 * The small parts of pulling: addresses, times, credentials, whole XML, and the table of what
 * was seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sources/address.h"
#include "sources/briefcase.h"
#include "sources/credentials.h"
#include "sources/seen.h"
#include "sources/servertime.h"
#include "sources/whole.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- addresses --------------------------------------------------------------------------- */

static void addresses_of_the_configuration(void **state)
{
    static const struct {
        const char *url;
        bool is_good;
    } cases[] = {
        {"https://central.example.bf", true},
        {"https://odk.example.bf:8443/ODKAggregate/", true},
        {"http://127.0.0.1:8080", true},
        {"http://localhost", true},
        {"http://central.example.bf", false},
        {"http://127.0.0.1.example.bf.evil.example", false}, /* a name, not loopback */
        {"https://user:word@central.example.bf", false},
        {"https://central.example.bf/v1/key/abcdef/projects/3", false},
        {"https://central.example.bf/?st=abc", false},
        {"https://central.example.bf/#x", false},
        {"ftp://central.example.bf", false},
        {"central.example.bf", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        relais_error err = {0};
        if (relais_address_check(cases[i].url, &err) != cases[i].is_good)
            fail_msg("\"%s\": %s", cases[i].url, err.text);
    }
}

/* Where a link or a redirect leads; "" when it is refused, "-" in front without credentials. */
static void assert_leads(const char *base, const char *hosts, const char *target, bool is_redirect,
                         const char *expected)
{
    relais_arena *arena = relais_arena_create(64 * 1024);
    relais_address address = {0};
    relais_error err = {0};
    char got[256] = "";

    assert_non_null(arena);
    if (relais_address_find(base, hosts, target, is_redirect, arena, &address, &err))
        snprintf(got, sizeof got, "%s%s", address.is_own ? "" : "-", address.url);
    else
        assert_int_equal(err.code, RELAIS_ERR_CONFIG);
    assert_string_equal(got, expected);
    relais_arena_destroy(arena);
}

static void credentials_stay_on_the_host(void **state)
{
    static const char base[] = "https://odk.example.bf/agg/";

    (void)state;
    assert_leads(base, "", "/view/x?a=1", false, "https://odk.example.bf/agg/view/x?a=1");
    assert_leads(base, "", "https://odk.example.bf/other", true,
                 "https://odk.example.bf:443/other");
    assert_leads(base, "", "/other", true, "https://odk.example.bf:443/other");
    assert_leads(base, "", "https://evil.example/x", true, "");
    assert_leads(base, "", "//evil.example/x", true, "");
    assert_leads(base, "", "http://odk.example.bf/other", true, ""); /* leaves https */
    /* A server behind a proxy writes links as it sees itself. */
    assert_leads(base, "", "http://odk.example.bf:8080/m?k=1", false,
                 "https://odk.example.bf:443/m?k=1");
    assert_leads(base, "", "https://store.example/f", false, "");
    assert_leads(base, "a.example, store.example", "https://store.example/f?sig=1", true,
                 "-https://store.example:443/f?sig=1");
    assert_leads(base, "store.example", "http://store.example/f", true, "");
}

/* ---- times ------------------------------------------------------------------------------- */

static void times_of_servers_become_comparable(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"2026-03-02T10:15:04.123Z", "2026-03-02T10:15:04.123Z"},
        {"2026-03-02T10:15:04", "2026-03-02T10:15:04.000Z"},
        {"2026-03-02T10:15:04.987654+00:00", "2026-03-02T10:15:04.987Z"},
        {"2026-03-02T00:15:04+01:00", "2026-03-01T23:15:04.000Z"},
        {"2026-03-02", "2026-03-02T00:00:00.000Z"},
        {"yesterday", ""},
        {"", ""},
    };
    char out[RELAIS_TIME_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(relais_servertime_read(cases[i].text, out), cases[i].expected[0] != '\0');
        assert_string_equal(out, cases[i].expected);
    }
    relais_servertime_move("2026-03-01T00:05:00.250Z", -600, out);
    assert_string_equal(out, "2026-02-28T23:55:00.250Z");
}

/* ---- XML --------------------------------------------------------------------------------- */

static void cut_xml_is_told_from_whole(void **state)
{
    static const struct {
        const char *xml;
        bool is_whole;
    } cases[] = {
        {"<?xml version='1.0' ?><data id=\"f\"><a>1</a></data>", true},
        {"\xEF\xBB\xBF<!-- c --><h:data id=\"f\"><a/></h:data >\n", true},
        {"<data id=\"f\"/>", true},
        {"<data id=\"f\"><a>&#0;</a></data>", true}, /* not well-formed, but all there */
        {"<data id=\"f\"><a>1</a></dat", false},
        {"<data id=\"f\"><a>1</a>", false},
        {"<data id=\"f\"><b/>", false},
        {"<data id=\"f\"", false},
        {"{\"detail\":\"x\"}", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        relais_error err = {0};
        if (relais_xml_is_whole(cases[i].xml, strlen(cases[i].xml), &err) != cases[i].is_whole)
            fail_msg("\"%s\"", cases[i].xml);
    }
}

/* ---- credentials ------------------------------------------------------------------------- */

static bool read_text(const char *text, mode_t mode, relais_credentials *out, relais_error *err)
{
    char path[] = "/tmp/relais-credentials-XXXXXX";
    int fd = mkstemp(path);
    bool ok;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    relais_error_clear(err);
    ok = relais_credentials_read(path, out, err);
    unlink(path);
    return ok;
}

static void credentials_are_lines(void **state)
{
    relais_credentials got;
    relais_error err;

    (void)state;
    assert_true(read_text("# Central\nuser: a@b.bf \r\npassword:  p: w#d\n", 0600, &got, &err));
    assert_string_equal(got.user, "a@b.bf");
    assert_string_equal(got.password, "p: w#d");
    assert_null(got.token);
    relais_credentials_free(&got);
    assert_true(read_text("token: abc", 0640, &got, &err));
    assert_string_equal(got.token, "abc");
    relais_credentials_free(&got);
    assert_false(read_text("user: a\n", 0600, &got, &err));
    assert_false(read_text("user: a\nuser: b\npassword: c\n", 0600, &got, &err));
    assert_int_equal(err.line, 2);
    assert_false(read_text("SECRETWORD\n", 0600, &got, &err));
    assert_null(strstr(err.text, "SECRETWORD"));
    assert_false(read_text("token: abc\n", 0644, &got, &err));
}

/* ---- what was seen ----------------------------------------------------------------------- */

static bool note_gone(void *context, uint64_t id, relais_error *err)
{
    uint64_t *sum = context;

    (void)err;
    *sum = *sum * 10 + id;
    return true;
}

static void records_seen_are_compared(void **state)
{
    static const uint64_t keep[] = {3, 9};
    relais_seen seen = {0};
    relais_error err = {0};
    uint64_t gone = 0;

    (void)state;
    for (uint64_t id = 1; id <= 9; id += 2)
        assert_true(relais_seen_set(&seen, id, id * 7, &err));
    assert_true(relais_seen_set(&seen, 4, 28, &err));
    assert_true(relais_seen_has(&seen, 4, 28));
    assert_false(relais_seen_has(&seen, 4, 29));
    assert_false(relais_seen_has(&seen, 2, 14));
    assert_true(relais_seen_set(&seen, 4, 29, &err));
    assert_true(relais_seen_has(&seen, 4, 29));
    assert_true(relais_seen_keep(&seen, 2, 9, keep, 2, note_gone, &gone, &err));
    assert_int_equal(gone, 457);
    assert_int_equal(seen.count, 3);
    assert_true(relais_seen_has(&seen, 1, 7) && relais_seen_has(&seen, 9, 63));
    relais_seen_free(&seen);
}

/* ---- a server's documents ---------------------------------------------------------------- */

static bool is_taken(relais_buffer *bytes)
{
    relais_arena *arena = relais_arena_create(1 << 20);
    relais_error err = {0};
    xmlDocPtr doc = relais_briefcase_parse(bytes, "idChunk", "a list", arena, &err);

    relais_arena_destroy(arena);
    assert_int_equal(err.code, doc == NULL ? RELAIS_ERR_DATA : RELAIS_ERR_NONE);
    return doc != NULL;
}

/* libxml2 would take a quarter of a minute for the second, and any memory for the third. */
static void hostile_documents_are_refused_unread(void **state)
{
    relais_buffer bytes;

    (void)state;
    relais_buffer_init(&bytes, 1 << 20);
    relais_buffer_append_text(&bytes,
                              "<idChunk xmlns='x'><idList><id>uuid:1</id></idList></idChunk>");
    assert_true(is_taken(&bytes));
    relais_buffer_reset(&bytes);
    relais_buffer_append_text(&bytes, "<idChunk");
    for (int i = 0; i < 50000; i++)
        relais_buffer_append_format(&bytes, " a%d='1'", i);
    relais_buffer_append_text(&bytes, "/>");
    assert_false(is_taken(&bytes));
    relais_buffer_reset(&bytes);
    relais_buffer_append_text(&bytes, "<!DOCTYPE idChunk [<!ENTITY a 'aaaaaaaaaa'>"
                                      "<!ENTITY b '&a;&a;&a;&a;&a;&a;&a;'>]><idChunk c='&b;'/>");
    assert_false(is_taken(&bytes));
    relais_buffer_reset(&bytes);
    relais_buffer_append_text(&bytes, "<idChunk><note><![CDATA[<!DOCTYPE ]]></note></idChunk>");
    assert_true(is_taken(&bytes)); /* what somebody wrote is no document type */
    relais_buffer_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_the_configuration),
        cmocka_unit_test(credentials_stay_on_the_host),
        cmocka_unit_test(times_of_servers_become_comparable),
        cmocka_unit_test(cut_xml_is_told_from_whole),
        cmocka_unit_test(credentials_are_lines),
        cmocka_unit_test(records_seen_are_compared),
        cmocka_unit_test(hostile_documents_are_refused_unread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
