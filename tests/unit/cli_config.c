/*
 * The configuration file: what it takes, and that every mistake is told with its line.
 */
#include "cli/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];

static int make_file(void **state)
{
    int fd;

    (void)state;
    strcpy(path, "/tmp/relais-config-XXXXXX");
    fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_file(const char *text)
{
    FILE *stream = fopen(path, "w");

    assert_non_null(stream);
    fputs(text, stream);
    assert_int_equal(fclose(stream), 0);
}

static bool read_text(const char *text, relais_config *out, relais_error *err)
{
    write_file(text);
    relais_error_clear(err);
    return relais_config_read(path, out, err);
}

static void test_empty_file_has_every_default(void **state)
{
    relais_config config;
    relais_error err;

    (void)state;
    assert_true(read_text("", &config, &err));
    assert_string_equal(config.spool_directory, "/var/spool/relais");
    assert_int_equal(config.spool_floor, 256 * 1024 * 1024);
    assert_string_equal(config.store_conninfo, "service=relais");
    assert_int_equal(config.forward_batch, 500);
    assert_int_equal(config.forward_scan_seconds, 10);
    assert_int_equal(config.forward_sweep_seconds, 3600);
    assert_string_equal(config.log_level, "info");
    assert_string_equal(config.keys_secret, "");
    assert_int_equal(config.keys_version, 1);
    assert_string_equal(config.seal_certificate, "");
    relais_config_free(&config);
}

static void test_settings_are_taken(void **state)
{
    relais_config config;
    relais_error err;

    (void)state;
    assert_true(read_text("# a comment\n[spool]\ndirectory = /srv/spool\nfloor=2G\n"
                          "[store]\nconninfo = host=db dbname=national passfile=/etc/pgpass\n"
                          "[keys]\nsecret = /etc/relais/keys.secret\nversion = 2\n"
                          "[seal]\ncertificate = /etc/relais/seal.pem\n"
                          "[forward]\nbatch = 5000\n[log]\nlevel = debug\n",
                          &config, &err));
    assert_string_equal(config.spool_directory, "/srv/spool");
    assert_true(config.spool_floor == UINT64_C(2) << 30);
    assert_string_equal(config.store_conninfo, "host=db dbname=national passfile=/etc/pgpass");
    assert_int_equal(config.forward_batch, 5000);
    assert_string_equal(config.log_level, "debug");
    assert_string_equal(relais_config_secrets(&config).keys, "/etc/relais/keys.secret");
    assert_int_equal(relais_config_secrets(&config).key_version, 2);
    assert_string_equal(relais_config_secrets(&config).certificate, "/etc/relais/seal.pem");
    relais_config_free(&config);
}

static void test_sources_are_sections_of_their_own(void **state)
{
    static const struct {
        const char *text, *word;
        long line;
    } mistakes[] = {
        {"[source a]\nkind = kobo\nkind = ona\n", "second time", 3},
        {"[source a]\nconections = 3\n", "connections", 2},
        {"[source a]\nconnections = 65\n", "1 to 64", 2},
    };
    relais_config config;
    relais_error err;

    (void)state;
    assert_true(read_text("[source a]\nkind = central\nforms = x\nforms = y, z\n"
                          "[source b]\nkind = kobo\nrate = 5\n[source a]\nproject = 3\n",
                          &config, &err));
    assert_int_equal(config.source_count, 2);
    assert_string_equal(config.sources[0].forms, "x y, z");
    assert_string_equal(config.sources[0].project, "3");
    assert_int_equal(config.sources[0].connections, 8);
    assert_int_equal(config.sources[1].rate, 5);
    relais_config_free(&config);
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        assert_false(read_text(mistakes[i].text, &config, &err));
        assert_int_equal(err.line, mistakes[i].line);
        assert_non_null(strstr(err.text, mistakes[i].word));
    }
}

static void test_sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes; /* 0: refused */
    } sizes[] = {
        {"1048576", UINT64_C(1) << 20},
        {"1024K", UINT64_C(1) << 20},
        {"1m", UINT64_C(1) << 20},
        {"3G", UINT64_C(3) << 30},
        {"1K", 0},  /* below the least floor */
        {"12T", 0}, /* no such unit */
        {"-1M", 0},
        {"1.5M", 0},
        {"M", 0},
        {"99999999999999999999G", 0},
        {"18014398509481984K", 0}, /* 2^54 K would overflow */
    };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        relais_config config;
        relais_error err;
        char text[64];
        snprintf(text, sizeof text, "[spool]\nfloor = %s\n", sizes[i].text);
        if (sizes[i].bytes == 0) {
            assert_false(read_text(text, &config, &err));
            assert_int_equal(err.line, 2);
            assert_non_null(strstr(err.text, "256M"));
        } else {
            assert_true(read_text(text, &config, &err));
            assert_true(config.spool_floor == sizes[i].bytes);
            relais_config_free(&config);
        }
    }
}

static void test_mistakes_name_line_and_what_was_possible(void **state)
{
    static const struct {
        const char *text;
        long line;
        const char *expected;
    } mistakes[] = {
        {"[spool]\ndirektory = /x\n", 2, "did you mean \"directory\""},
        {"[spool]\n\nx = 1\n", 3, "[spool] directory, [spool] floor"},
        {"[pool]\ndirectory = /x\n", 2, "[log] level"},
        {"directory = /x\n", 1, "[spool] directory"},
        {"[spool]\ndirectory = spool\n", 2, "begins with \"/\""},
        {"[spool]\ndirectory =\n", 2, "begins with \"/\""},
        {"[spool]\ndirectory = /a\ndirectory = /b\n", 3, "first is on line 2"},
        {"[keys]\nsecret = keys.secret\n", 2, "begins with"},
        {"[keys]\nversion = 0\n", 2, "from 1 to 32767"},
        {"[keys]\nversion = 40000\n", 2, "from 1 to 32767"},
        {"[seal]\ncertificat = /x\n", 2, "did you mean \"certificate\""},
        {"[forward]\nbatch = 0\n", 2, "from 1 to 5000"},
        {"[forward]\nbatch = 5001\n", 2, "from 1 to 5000"},
        {"[log]\nlevel = loud\n", 2, "error, warn, info or debug"},
        {"[log]\nlevel\n", 2, "name = value"},
        {"[log\nlevel = info\n", 1, "[section]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        relais_config config;
        relais_error err;
        assert_false(read_text(mistakes[i].text, &config, &err));
        assert_int_equal(err.code, RELAIS_ERR_CONFIG);
        assert_string_equal(err.path, path);
        assert_int_equal(err.line, mistakes[i].line);
        if (strstr(err.text, mistakes[i].expected) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", err.text, mistakes[i].expected);
    }
}

static void test_passwords_are_refused_and_not_repeated(void **state)
{
    static const char *const conninfos[] = {
        "host=db password=geheim dbname=x",  "host=db password = 'geheim'",
        "postgresql://relais:geheim@db/x",   "postgresql://db/x?password=geheim",
        "host=db sslpassword=geheim user=a", "host=db geheim",
    };

    (void)state;
    for (size_t i = 0; i < sizeof conninfos / sizeof conninfos[0]; i++) {
        relais_config config;
        relais_error err;
        char text[256];
        snprintf(text, sizeof text, "[store]\nconninfo = %s\n", conninfos[i]);
        assert_false(read_text(text, &config, &err));
        assert_int_equal(err.code, RELAIS_ERR_CONFIG);
        assert_int_equal(err.line, 2);
        assert_null(strstr(err.text, "geheim"));
    }
}

static void test_a_long_line_is_refused_whole(void **state)
{
    relais_config config;
    relais_error err;
    char text[512];

    (void)state;
    snprintf(text, sizeof text, "[store]\nconninfo = host=db%0250d\n[log]\nlevel = info\n", 1);
    assert_false(read_text(text, &config, &err));
    assert_int_equal(err.line, 2);
    assert_non_null(strstr(err.text, "service"));
}

static void test_a_named_file_must_be_there(void **state)
{
    relais_config config;
    relais_error err = {0};

    (void)state;
    assert_false(relais_config_read("/nonexistent/relais.conf", &config, &err));
    assert_string_equal(err.path, "/nonexistent/relais.conf");
    relais_error_clear(&err);
    setenv("RELAIS_CONF", "/nonexistent/other.conf", 1);
    assert_false(relais_config_read(NULL, &config, &err));
    assert_string_equal(err.path, "/nonexistent/other.conf");
    unsetenv("RELAIS_CONF");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_file_has_every_default),
        cmocka_unit_test(test_settings_are_taken),
        cmocka_unit_test(test_sources_are_sections_of_their_own),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_mistakes_name_line_and_what_was_possible),
        cmocka_unit_test(test_passwords_are_refused_and_not_repeated),
        cmocka_unit_test(test_a_long_line_is_refused_whole),
        cmocka_unit_test(test_a_named_file_must_be_there),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
