/*
 * The multipart parser: what each body means, and that it means the same however it is cut.
 *
 * Every case is fed whole, in runs of each size from 1 byte to the body's length, and cut in
 * two at every byte; all must give the same events. Events are written down as text:
 * "<name|filename|type@offset>content</length>".
 */
#include "openrosa/multipart.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LOG_MAX (1024 * 1024)

static bool log_begin(void *context, const relais_part *part, relais_error *err)
{
    relais_buffer *log = context;

    (void)err;
    relais_buffer_append_char(log, '<');
    relais_buffer_append(log, part->name, part->name_length);
    relais_buffer_append_char(log, '|');
    if (part->has_filename)
        relais_buffer_append(log, part->filename, part->filename_length);
    else
        relais_buffer_append_text(log, "none");
    relais_buffer_append_format(log, "|%s@%llu>", part->content_type,
                                (unsigned long long)part->offset);
    return true;
}

static bool log_data(void *context, const char *bytes, size_t length, relais_error *err)
{
    (void)err;
    assert_true(length > 0);
    relais_buffer_append(context, bytes, length);
    return true;
}

static bool log_end(void *context, uint64_t length, relais_error *err)
{
    (void)err;
    relais_buffer_append_format(context, "</%llu>", (unsigned long long)length);
    return true;
}

static const relais_multipart_events log_events = {log_begin, log_data, log_end};

/* Feeds the body in runs of `run` bytes after a first one of `first`. */
static bool parse(const char *boundary, const char *body, size_t length, size_t first, size_t run,
                  relais_buffer *log, relais_error *err)
{
    relais_multipart *parser = relais_multipart_create(boundary, &log_events, log);
    bool ok = true;

    assert_non_null(parser);
    relais_error_clear(err);
    relais_buffer_reset(log);
    for (size_t at = 0; ok && at < length;) {
        size_t size = at == 0 ? first : run;
        char *copy;

        if (size > length - at)
            size = length - at;
        /* An own allocation, so that the sanitizer sees a read past the run. */
        copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, body + at, size);
        ok = relais_multipart_feed(parser, copy, size, err);
        free(copy);
        at += size;
    }
    if (ok)
        ok = relais_multipart_finish(parser, err);
    relais_multipart_destroy(parser);
    relais_buffer_append_text(log, ok ? "." : "!");
    return ok;
}

static void check(const char *boundary, const char *body, size_t length, const char *expected)
{
    relais_buffer log;
    relais_error err;

    relais_buffer_init(&log, LOG_MAX);
    parse(boundary, body, length, length, length, &log, &err);
    assert_string_equal(log.data, expected);
    for (size_t run = 1; run <= length; run++) {
        parse(boundary, body, length, run, run, &log, &err);
        assert_string_equal(log.data, expected);
        parse(boundary, body, length, run, length, &log, &err);
        assert_string_equal(log.data, expected);
    }
    relais_buffer_free(&log);
}

#define CHECK(boundary, body, expected) check(boundary, body, sizeof(body) - 1, expected)

/* ---- whole bodies ---------------------------------------------------------------------- */

static void test_collect_body(void **state)
{
    (void)state;
    CHECK("3a9f",
          "--3a9f\r\n"
          "Content-Disposition: form-data; name=\"xml_submission_file\"; filename=\"Fiche.xml\"\r\n"
          "Content-Type: text/xml\r\nContent-Length: 3\r\n\r\n<a/>\r\n"
          "--3a9f\r\n"
          "Content-Disposition: form-data; name=\"1.jpg\"; filename=\"1.jpg\"\r\n"
          "Content-Type: image/jpeg\r\n\r\n\xff\xd8\r\n\r\n\r\n"
          "--3a9f\r\n"
          "Content-Disposition: form-data; name=\"*isIncomplete*\"\r\n\r\nyes\r\n"
          "--3a9f--\r\n",
          "<xml_submission_file|Fiche.xml|text/xml@135><a/></4>"
          "<1.jpg|1.jpg|image/jpeg@241>\xff\xd8\r\n\r\n</6>"
          "<*isIncomplete*|none|@314>yes</3>.");
}

static void test_no_part(void **state)
{
    (void)state;
    CHECK("b", "--b--", ".");
    CHECK("b", "--b--\r\n", ".");
    CHECK("b", "", "!");
    CHECK("b", "--b", "!");
    CHECK("b", "--b\r\n", "!");
}

static void test_preamble_and_epilogue(void **state)
{
    (void)state;
    CHECK("b", "two\r\nlines --b\r\n--b\r\n\r\nx\r\n--b--\r\nbye\r\n--b\r\n\r\n",
          "<|none|@23>x</1>.");
    CHECK("b", "\r\n--b\r\n\r\nx\r\n--b--", "<|none|@9>x</1>.");
}

static void test_transport_padding(void **state)
{
    (void)state;
    CHECK("b", "--b \t \r\n\r\nx\r\n--b\t\r\n\r\ny\r\n--b-- \t\r\n",
          "<|none|@10>x</1><|none|@21>y</1>.");
    CHECK("b", "--b\r\n\r\nx\r\n--b--  ", "<|none|@7>x</1>.");
}

static void test_bare_line_feeds(void **state)
{
    (void)state;
    CHECK("b",
          "--b\nContent-Disposition: form-data; name=a\nContent-Type: text/xml\n\nx\ny\n--b--\n",
          "<a|none|text/xml@67>x\ny</3>.");
}

static void test_empty_content(void **state)
{
    (void)state;
    CHECK("b", "--b\r\n\r\n\r\n--b--", "<|none|@7></0>.");
    /* RFC 2046 lets the empty line be the delimiter's own. */
    CHECK("b", "--b\r\nContent-Type: a/b\r\n\r\n--b--", "<|none|a/b@26></0>.");
}

/* ---- what only looks like a delimiter -------------------------------------------------- */

static void test_near_delimiters_are_content(void **state)
{
    (void)state;
    CHECK("bond",
          "--bond\r\n\r\n"
          "--bon\r\n--bondd\r\n-bond\r\n --bond\r\nx--bond\r\n--bond-\r\n--bond--x\r\n--bond x\r\n"
          "\r\r\n--bond\rx\n--bon\n\n\r\n\r--Bond--\r\n"
          "\r\n--bond--",
          "<|none|@10>"
          "--bon\r\n--bondd\r\n-bond\r\n --bond\r\nx--bond\r\n--bond-\r\n--bond--x\r\n--bond x\r\n"
          "\r\r\n--bond\rx\n--bon\n\n\r\n\r--Bond--\r\n</103>.");
}

static void test_delimiter_after_disappointment(void **state)
{
    (void)state;
    CHECK("b", "--b\r\n\r\nx\r\r\n--b--", "<|none|@7>x\r</2>.");
    CHECK("b", "--b\r\n\r\nx\r\n\r\n--b--", "<|none|@7>x\r\n</3>.");
    CHECK("b", "--b\r\n\r\nx\r\n--\r\n--b--", "<|none|@7>x\r\n--</5>.");
    CHECK("b", "--b\r\n\r\nx\r\n--b-\r\n--b--", "<|none|@7>x\r\n--b-</7>.");
    CHECK("b", "--b\r\n\r\nx\r\n--b\r\r\n--b--", "<|none|@7>x\r\n--b\r</7>.");
    CHECK("b", "--b\r\n\r\nx\r\n--b--\r\r\n--b--", "<|none|@7>x\r\n--b--\r</9>.");
}

static void test_boundary_of_dashes(void **state)
{
    (void)state;
    CHECK("---", "-----\r\n\r\n----\r\n------\r\n-------x\r\n-------",
          "<|none|@9>----\r\n------\r\n-------x</22>.");
}

static void test_nul_bytes(void **state)
{
    static const char body[] = "--b\r\n\r\n\0a\0\r\n--b\0\r\n--b--";
    static const char content[] = "\0a\0\r\n--b\0";
    relais_buffer log;
    relais_error err;

    (void)state;
    relais_buffer_init(&log, LOG_MAX);
    for (size_t run = 1; run < sizeof body; run++) {
        assert_true(parse("b", body, sizeof body - 1, run, run, &log, &err));
        assert_int_equal(log.length, sizeof "<|none|@7>" - 1 + sizeof content - 1 + 5);
        assert_memory_equal(log.data + sizeof "<|none|@7>" - 1, content, sizeof content - 1);
    }
    relais_buffer_free(&log);
}

static void test_padding_that_is_too_long_is_content(void **state)
{
    char body[600] = "--b\r\n\r\nx\r\n--b";
    size_t length = strlen(body);
    relais_buffer log;
    relais_error err;

    (void)state;
    memset(body + length, ' ', 500);
    length += 500;
    memcpy(body + length, "\r\n--b--", 7);
    length += 7;
    relais_buffer_init(&log, LOG_MAX);
    for (size_t run = 1; run <= length; run++) {
        assert_true(parse("b", body, length, run, run, &log, &err));
        assert_true(strstr(log.data, "</506>.") != NULL);
    }
    relais_buffer_free(&log);
}

/* ---- cut bodies ------------------------------------------------------------------------ */

static void test_every_cut_is_noticed(void **state)
{
    static const char body[] =
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b\r\n"
        "\r\ny\r\n--b--";
    relais_buffer log;
    relais_error err;

    (void)state;
    relais_buffer_init(&log, LOG_MAX);
    for (size_t length = 0; length < sizeof body - 1; length++) {
        assert_false(parse("b", body, length, length, 1, &log, &err));
        assert_int_equal(err.code, RELAIS_ERR_SYNTAX);
    }
    assert_true(parse("b", body, sizeof body - 1, 1, 1, &log, &err));
    relais_buffer_free(&log);
}

/* ---- headers --------------------------------------------------------------------------- */

#define PART(header, expected) check_header("--b\r\n" header "\r\n\r\nx\r\n--b--", expected)

static void check_header(const char *body, const char *expected)
{
    relais_buffer log;
    relais_error err;

    relais_buffer_init(&log, LOG_MAX);
    for (size_t run = 1; run <= strlen(body); run++) {
        assert_true(parse("b", body, strlen(body), run, run, &log, &err));
        *strchr(log.data, '@') = '\0';
        assert_string_equal(log.data, expected);
    }
    relais_buffer_free(&log);
}

static void test_names(void **state)
{
    (void)state;
    PART("Content-Disposition: form-data; name=\"a\"; filename=\"\"", "<a||");
    PART("content-disposition:form-data;name=a;filename=b.jpg", "<a|b.jpg|");
    PART("CONTENT-DISPOSITION : form-data ; NAME = \"a b\" ; FileName = \"c;d=e\"", "<a b|c;d=e|");
    PART("Content-Disposition: form-data; filename=\"f\"; name=\"n\"", "<n|f|");
    PART("Content-Disposition: form-data", "<|none|");
    PART("Content-Disposition: form-data; name=\"a\"; name=\"b\"", "<a|none|");
    PART("Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: x; name=\"b\"",
         "<a|none|");
    PART("X-Other: 1\r\nnothing at all\r\nContent-Disposition: form-data; name=a", "<a|none|");
    PART("Content-Disposition: form-data; name=\"a", "<a|none|");
    PART("Content-Disposition: form-data; name=", "<|none|");
}

static void test_raw_utf8(void **state)
{
    (void)state;
    PART("Content-Disposition: form-data; name=\"été 📷.jpg\"; filename=\"été 📷.jpg\"",
         "<été 📷.jpg|été 📷.jpg|");
}

static void test_escapes(void **state)
{
    (void)state;
    PART("Content-Disposition: form-data; name=\"a%22b%0D%0a\"; filename=\"50%25%2\"",
         "<a\"b\r\n|50%25%2|");
    PART("Content-Disposition: form-data; name=\"a\\\"b\\\\c\"; filename=\"C:\\photo.jpg\"",
         "<a\"b\\c|C:\\photo.jpg|");
}

static void test_extended_filename(void **state)
{
    (void)state;
    PART("Content-Disposition: form-data; filename=\"x\"; filename*=UTF-8''%c3%A9t%C3%A9.jpg",
         "<|été.jpg|");
    PART("Content-Disposition: form-data; filename*=utf-8'fr'a%20b; filename=\"x\"", "<|a b|");
    PART("Content-Disposition: form-data; filename*=iso-8859-1''%E9t%e9", "<|été|");
    PART("Content-Disposition: form-data; filename=\"x\"; filename*=UTF-8''%zz", "<|x|");
    PART("Content-Disposition: form-data; filename=\"x\"; filename*=KOI8-R''%C1", "<|x|");
    PART("Content-Disposition: form-data; filename=\"x\"; filename*=UTF-8'", "<|x|");
    PART("Content-Disposition: form-data; filename*=plain", "<|none|");
}

static void test_folded_header(void **state)
{
    (void)state;
    PART("Content-Disposition: form-data;\r\n name=\"a\";\r\n\tfilename=\"b\"", "<a|b|");
}

static void test_content_type(void **state)
{
    (void)state;
    PART("content-type:text/xml; charset=utf-8", "<|none|text/xml; charset=utf-8");
}

/* ---- limits ---------------------------------------------------------------------------- */

static void test_header_limit(void **state)
{
    size_t length = RELAIS_MULTIPART_HEADER_MAX + 100;
    char *body = malloc(length);
    relais_buffer log;
    relais_error err;

    (void)state;
    assert_non_null(body);
    memset(body, 'a', length);
    memcpy(body, "--b\r\n", 5);
    relais_buffer_init(&log, LOG_MAX);
    for (size_t run = 1; run <= length; run = run * 3 + 1) {
        assert_false(parse("b", body, length, run, run, &log, &err));
        assert_int_equal(err.code, RELAIS_ERR_LIMIT);
    }
    /* Just fitting: header line, its end and the empty line. */
    memcpy(body + 5 + RELAIS_MULTIPART_HEADER_MAX - 4, "\r\n\r\n\r\n--b--", 11);
    length = 5 + RELAIS_MULTIPART_HEADER_MAX + 7;
    for (size_t run = 1; run <= length; run = run * 3 + 1)
        assert_true(parse("b", body, length, run, run, &log, &err));
    relais_buffer_free(&log);
    free(body);
}

static void test_parts_limit(void **state)
{
    static const char part[] = "--b\r\n\r\n\r\n";
    relais_buffer body, log;
    relais_error err;

    (void)state;
    relais_buffer_init(&body, LOG_MAX);
    relais_buffer_init(&log, LOG_MAX);
    for (int i = 0; i < RELAIS_MULTIPART_PARTS_MAX; i++)
        relais_buffer_append_text(&body, part);
    relais_buffer_append_text(&body, "--b--");
    assert_true(parse("b", body.data, body.length, body.length, 1, &log, &err));
    relais_buffer_reset(&body);
    for (int i = 0; i < RELAIS_MULTIPART_PARTS_MAX + 1; i++)
        relais_buffer_append_text(&body, part);
    relais_buffer_append_text(&body, "--b--");
    assert_false(parse("b", body.data, body.length, body.length, 1, &log, &err));
    assert_int_equal(err.code, RELAIS_ERR_LIMIT);
    relais_buffer_free(&body);
    relais_buffer_free(&log);
}

/* ---- stopping -------------------------------------------------------------------------- */

static bool stop_at_begin(void *context, const relais_part *part, relais_error *err)
{
    (void)context;
    (void)part;
    return relais_error_set(err, RELAIS_ERR_DATA, "enough");
}

static bool stop_silently(void *context, const char *bytes, size_t length, relais_error *err)
{
    (void)context;
    (void)bytes;
    (void)length;
    (void)err;
    return false;
}

static void test_callback_stops(void **state)
{
    static const relais_multipart_events at_begin = {.begin = stop_at_begin};
    static const relais_multipart_events silent = {.data = stop_silently};
    static const relais_multipart_events none = {0};
    static const char body[] = "--b\r\n\r\nx\r\n--b--";
    relais_multipart *parser = relais_multipart_create("b", &at_begin, NULL);
    relais_error err;

    (void)state;
    relais_error_clear(&err);
    assert_false(relais_multipart_feed(parser, body, sizeof body - 1, &err));
    assert_int_equal(err.code, RELAIS_ERR_DATA);
    relais_error_clear(&err);
    assert_false(relais_multipart_feed(parser, body, sizeof body - 1, &err));
    assert_int_equal(err.code, RELAIS_ERR_DATA);
    assert_false(relais_multipart_finish(parser, NULL));
    relais_multipart_destroy(parser);

    relais_error_clear(&err);
    parser = relais_multipart_create("b", &silent, NULL);
    assert_false(relais_multipart_feed(parser, body, sizeof body - 1, &err));
    assert_int_not_equal(err.code, RELAIS_ERR_NONE);
    relais_multipart_destroy(parser);

    parser = relais_multipart_create("b", &none, NULL);
    assert_true(relais_multipart_feed(parser, body, sizeof body - 1, NULL));
    assert_true(relais_multipart_finish(parser, NULL));
    relais_multipart_destroy(parser);
}

/* Content is reported where it lies, in one slice. */
static const char *slice_start;
static size_t slice_length;

static bool see_slice(void *context, const char *bytes, size_t length, relais_error *err)
{
    (void)context;
    (void)err;
    slice_start = bytes;
    slice_length = length;
    return true;
}

static void test_content_is_not_copied(void **state)
{
    static const relais_multipart_events events = {.data = see_slice};
    static char content[100000];
    relais_multipart *parser = relais_multipart_create("b", &events, NULL);

    (void)state;
    memset(content, '\r', sizeof content);
    content[sizeof content - 1] = 'x';
    assert_true(relais_multipart_feed(parser, "--b\r\n\r\nx", 8, NULL));
    assert_true(relais_multipart_feed(parser, content, sizeof content, NULL));
    assert_ptr_equal(slice_start, content);
    assert_int_equal(slice_length, sizeof content);
    relais_multipart_destroy(parser);
}

/* ---- the boundary in the Content-Type -------------------------------------------------- */

static void check_boundary(const char *content_type, const char *expected)
{
    char boundary[RELAIS_MULTIPART_BOUNDARY_MAX + 1] = "untouched";
    relais_error err;

    relais_error_clear(&err);
    if (expected == NULL) {
        assert_false(relais_multipart_boundary(content_type, boundary, &err));
        assert_int_equal(err.code, RELAIS_ERR_SYNTAX);
        return;
    }
    assert_true(relais_multipart_boundary(content_type, boundary, &err));
    assert_string_equal(boundary, expected);
}

static void test_boundary(void **state)
{
    static const char seventy[] =
        "1234567890123456789012345678901234567890123456789012345678901234567890";
    char type[2000];

    (void)state;
    check_boundary("multipart/form-data; boundary=3a9f-11", "3a9f-11");
    check_boundary("Multipart/Form-Data;charset=utf-8;BOUNDARY=\"a b\" ; x=y", "a b");
    check_boundary("multipart/form-data; boundary=a=b;", "a=b");
    check_boundary("multipart/form-data; boundary=\"a;b\"", "a;b");
    check_boundary("multipart/form-data", NULL);
    check_boundary("multipart/form-data; boundary=", NULL);
    check_boundary("multipart/form-data; boundary=\"a \"", NULL);
    check_boundary("multipart/form-data; boundary=\xc3\xa9", NULL);
    check_boundary("multipart/mixed; boundary=a", NULL);
    check_boundary("multipart/form-dataset; boundary=a", NULL);
    check_boundary("text/xml", NULL);
    check_boundary("", NULL);
    snprintf(type, sizeof type, "multipart/form-data; boundary=%s", seventy);
    check_boundary(type, seventy);
    snprintf(type, sizeof type, "multipart/form-data; boundary=%s1", seventy);
    check_boundary(type, NULL);
    snprintf(type, sizeof type, "multipart/form-data; x=%01500d; boundary=a", 0);
    check_boundary(type, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collect_body),
        cmocka_unit_test(test_no_part),
        cmocka_unit_test(test_preamble_and_epilogue),
        cmocka_unit_test(test_transport_padding),
        cmocka_unit_test(test_bare_line_feeds),
        cmocka_unit_test(test_empty_content),
        cmocka_unit_test(test_near_delimiters_are_content),
        cmocka_unit_test(test_delimiter_after_disappointment),
        cmocka_unit_test(test_boundary_of_dashes),
        cmocka_unit_test(test_nul_bytes),
        cmocka_unit_test(test_padding_that_is_too_long_is_content),
        cmocka_unit_test(test_every_cut_is_noticed),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_raw_utf8),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_extended_filename),
        cmocka_unit_test(test_folded_header),
        cmocka_unit_test(test_content_type),
        cmocka_unit_test(test_header_limit),
        cmocka_unit_test(test_parts_limit),
        cmocka_unit_test(test_callback_stops),
        cmocka_unit_test(test_content_is_not_copied),
        cmocka_unit_test(test_boundary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
