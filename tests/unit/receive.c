/*
 * Receiving: which bodies are taken, which are refused and with which answer, and what is
 * written down about those taken.
 *
 * Every case is received from memory in one piece, cut in two at every byte (long ones at
 * some), and from a file; all must give the same answer. The bodies that real clients send are the
 * fuzzers' seeds (tests/fuzz/corpus/receive: the Content-Type's line, then the body).
 */
#include "openrosa/receive.h"

#include "base/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <libxml/parser.h>

#define ARENA_MAX  (64 * 1024)
#define MULTIPART  "multipart/form-data; boundary=b"
#define XML_HEADER "--b\r\nContent-Disposition: form-data; name=\"xml_submission_file\"\r\n\r\n"
#define BODY(xml)  XML_HEADER xml "\r\n--b--\r\n"

/* One answer with what it left. */
struct answer {
    relais_arena *arena;
    relais_parcel_head head;
    relais_error err;
    relais_reply reply;
};

static bool knows_all(void *context, const char *form_id)
{
    (void)context;
    return strcmp(form_id, "unknown") != 0;
}

static void receive(struct answer *answer, const relais_request *request)
{
    answer->arena = relais_arena_create(ARENA_MAX);
    assert_non_null(answer->arena);
    relais_error_clear(&answer->err);
    answer->reply =
        relais_receive(request, knows_all, NULL, answer->arena, &answer->head, &answer->err);
    assert_true((answer->reply == RELAIS_REPLY_RECEIVED) == (answer->err.code == RELAIS_ERR_NONE));
}

static void release(struct answer *answer)
{
    relais_arena_destroy(answer->arena);
}

static relais_request request_of(const char *content_type, const relais_segment *segments,
                                 size_t count)
{
    return (relais_request){.content_type = content_type,
                            .content_length = -1,
                            .segments = segments,
                            .count = count,
                            .source = "serve",
                            .user = "agent-017",
                            .device = "collect:abc",
                            .host = "odk.bf"};
}

static void check_same(const struct answer *a, const struct answer *b)
{
    assert_int_equal(a->reply, b->reply);
    assert_string_equal(a->head.form, b->head.form);
    assert_string_equal(a->head.version, b->head.version);
    assert_string_equal(a->head.instance, b->head.instance);
    assert_int_equal(a->head.length, b->head.length);
    assert_memory_equal(a->head.sha256, b->head.sha256, RELAIS_SHA256_SIZE);
}

static void check_cut_in_two(const char *content_type, const char *body, size_t length, size_t at,
                             const struct answer *whole)
{
    relais_segment halves[2] = {{.data = body, .length = at, .fd = -1},
                                {.data = body + at, .length = length - at, .fd = -1}};
    relais_request request = request_of(content_type, halves, 2);
    struct answer answer;

    receive(&answer, &request);
    check_same(&answer, whole);
    release(&answer);
}

static int body_in_file(const char *body, size_t length)
{
    char name[] = "/tmp/relais-receive-XXXXXX";
    int fd = mkstemp(name);

    assert_true(fd >= 0);
    unlink(name);
    assert_int_equal(write(fd, "junk", 4), 4);
    assert_int_equal(write(fd, body, length), length);
    return fd;
}

static void check_from_file(const char *content_type, const char *body, size_t length,
                            const struct answer *whole)
{
    int fd = body_in_file(body, length);
    relais_segment segments[2] = {
        {.data = body, .length = length / 3, .fd = -1},
        {.length = length - length / 3, .fd = fd, .offset = 4 + (off_t)(length / 3)}};
    relais_request request = request_of(content_type, segments, 2);
    struct answer answer;

    receive(&answer, &request);
    check_same(&answer, whole);
    release(&answer);
    close(fd);
}

/* Receives in all ways; the caller releases *answer. */
static void receive_bytes(struct answer *answer, const char *content_type, const char *body,
                          size_t length)
{
    relais_segment segment = {.data = body, .length = length, .fd = -1};
    relais_request request = request_of(content_type, &segment, 1);
    size_t step = length < 4096 ? 1 : length / 16;

    receive(answer, &request);
    for (size_t at = 1; at < length; at += step)
        check_cut_in_two(content_type, body, length, at, answer);
    check_from_file(content_type, body, length, answer);
}

static void check(const char *content_type, const char *body, size_t length, relais_reply reply)
{
    struct answer answer;

    receive_bytes(&answer, content_type, body, length);
    if (answer.reply != reply)
        fail_msg("reply %d instead of %d: %s", answer.reply, reply, answer.err.text);
    release(&answer);
}

#define CHECK(type, body, reply) check(type, body, sizeof(body) - 1, reply)

static void check_read(const char *content_type, const char *body, size_t length, const char *form,
                       const char *version, const char *instance)
{
    struct answer answer;

    receive_bytes(&answer, content_type, body, length);
    if (answer.reply != RELAIS_REPLY_RECEIVED)
        fail_msg("reply %d: %s", answer.reply, answer.err.text);
    assert_string_equal(answer.head.form, form);
    assert_string_equal(answer.head.version, version);
    assert_string_equal(answer.head.instance, instance);
    release(&answer);
}

#define CHECK_XML(xml, form, version, instance)                                                    \
    check_read(MULTIPART, BODY(xml), sizeof(BODY(xml)) - 1, form, version, instance)

/* ---- real clients ---------------------------------------------------------------------- */

static void receive_seed(const char *directory, const char *name)
{
    static char bytes[64 * 1024];
    char path[512], *body;
    struct answer answer;
    size_t length;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "rb");
    assert_non_null(file);
    length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    body = memchr(bytes, '\n', length);
    assert_non_null(body);
    *body++ = '\0';
    receive_bytes(&answer, bytes, body, length - (size_t)(body - bytes));
    if (answer.reply != RELAIS_REPLY_RECEIVED)
        fail_msg("%s: reply %d: %s", name, answer.reply, answer.err.text);
    assert_memory_equal(answer.head.form, "bf_", 3);
    assert_true(answer.head.version[0] != '\0');
    if (strcmp(name, "collect-surrogates") != 0)
        assert_memory_equal(answer.head.instance, "uuid:", 5);
    release(&answer);
}

static void test_every_client_is_received(void **state)
{
    const char *directory = RELAIS_SOURCE_DIR "/tests/fuzz/corpus/receive";
    DIR *stream = opendir(directory);
    struct dirent *entry;
    int count = 0;

    (void)state;
    assert_non_null(stream);
    while ((entry = readdir(stream)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        receive_seed(directory, entry->d_name);
        count++;
    }
    closedir(stream);
    assert_true(count >= 15);
}

/* ---- the head -------------------------------------------------------------------------- */

static void test_head(void **state)
{
    static const char body[] = BODY("<d id='f' version='7'/>");
    relais_segment segment = {.data = body, .length = sizeof body - 1, .fd = -1};
    relais_request request = request_of(MULTIPART, &segment, 1);
    relais_digest_state digest;
    uint8_t expected[RELAIS_SHA256_SIZE];
    struct answer answer;

    (void)state;
    request.content_length = sizeof body - 1;
    receive(&answer, &request);
    assert_int_equal(answer.reply, RELAIS_REPLY_RECEIVED);
    assert_string_equal(answer.head.received, "");
    assert_string_equal(answer.head.source, "serve");
    assert_string_equal(answer.head.user, "agent-017");
    assert_string_equal(answer.head.device, "collect:abc");
    assert_string_equal(answer.head.host, "odk.bf");
    assert_string_equal(answer.head.content_type, MULTIPART);
    assert_int_equal(answer.head.length, sizeof body - 1);
    relais_sha256_begin(&digest);
    relais_sha256_add(&digest, body, sizeof body - 1);
    relais_sha256_end(&digest, expected);
    assert_memory_equal(answer.head.sha256, expected, sizeof expected);
    release(&answer);

    request.source = request.user = request.device = request.host = NULL;
    receive(&answer, &request);
    assert_string_equal(answer.head.source, "");
    assert_string_equal(answer.head.user, "");
    release(&answer);
}

static void test_long_values_are_cut_between_characters(void **state)
{
    static const char body[] = BODY("<d id='f'/>");
    relais_segment segment = {.data = body, .length = sizeof body - 1, .fd = -1};
    relais_request request = request_of(MULTIPART, &segment, 1);
    char device[3001];
    struct answer answer;
    relais_buffer head;

    (void)state;
    for (size_t i = 0; i < 3000; i += 3)
        memcpy(device + i, "€", 4);
    request.device = device;
    receive(&answer, &request);
    assert_int_equal(answer.reply, RELAIS_REPLY_RECEIVED);
    assert_int_equal(strlen(answer.head.device), 1023);
    assert_true(relais_utf8_valid(answer.head.device, 1023));
    relais_buffer_init(&head, RELAIS_PARCEL_HEAD_MAX);
    answer.head.received = "2026-03-02T10:15:04.123Z";
    assert_true(relais_parcel_head_write(&answer.head, &head, NULL));
    relais_buffer_free(&head);
    release(&answer);
}

/* A body whose root has `count` times `text` as its id, version or instanceID. */
static void receive_long(struct answer *answer, const char *before, const char *text, size_t count,
                         const char *after)
{
    relais_buffer body;

    relais_buffer_init(&body, 4 * 1024 * 1024);
    relais_buffer_append_text(&body, XML_HEADER);
    relais_buffer_append_text(&body, before);
    for (size_t i = 0; i < count; i++)
        relais_buffer_append_text(&body, text);
    relais_buffer_append_text(&body, after);
    relais_buffer_append_text(&body, "\r\n--b--");
    assert_int_equal(body.failed, RELAIS_ERR_NONE);
    receive_bytes(answer, MULTIPART, body.data, body.length);
    relais_buffer_free(&body);
}

static void test_long_identities(void **state)
{
    struct answer answer;

    (void)state;
    receive_long(&answer, "<d id='", "x", 1024, "'/>");
    assert_int_equal(answer.reply, RELAIS_REPLY_RECEIVED);
    assert_int_equal(strlen(answer.head.form), 1024);
    release(&answer);
    receive_long(&answer, "<d id='", "x", 1025, "'/>");
    assert_int_equal(answer.reply, RELAIS_REPLY_NO_ID);
    release(&answer);
    receive_long(&answer, "<d id='f' version='", "é", 513, "'/>");
    assert_int_equal(answer.reply, RELAIS_REPLY_RECEIVED);
    assert_int_equal(strlen(answer.head.version), 1024);
    release(&answer);
    receive_long(&answer, "<d id='f' version='v", "é", 512, "'/>");
    assert_int_equal(strlen(answer.head.version), 1023);
    release(&answer);
    receive_long(&answer, "<d id='f'><meta><instanceID>", "x", 1024, "</instanceID></meta></d>");
    assert_int_equal(strlen(answer.head.instance), 1024);
    release(&answer);
    receive_long(&answer, "<d id='f'><meta><instanceID>", "x", 1025, "</instanceID></meta></d>");
    assert_int_equal(answer.reply, RELAIS_REPLY_RECEIVED);
    assert_string_equal(answer.head.instance, "");
    release(&answer);
}

/* ---- the identity ---------------------------------------------------------------------- */

static void test_identity(void **state)
{
    (void)state;
    CHECK_XML("<d id='f'/>", "f", "", "");
    CHECK_XML("<d id=' f ' version=' 1 '/>", "f", "1", "");
    CHECK_XML("<d xmlns:o='u' o:id='g' id='f' o:version='2'/>", "f", "2", "");
    CHECK_XML("<x:d x:id='f' y:version='2'/>", "f", "2", "");
    CHECK_XML("<d id='a&amp;b&#233;'/>", "a&bé", "", "");
    CHECK_XML("<!-- c --><?pi?><d id='f'/>", "f", "", "");
    CHECK_XML("\n <d id='f'/>", "f", "", "");
}

static void test_instance_id(void **state)
{
    (void)state;
    CHECK_XML("<d id='f'><meta><instanceID> uuid:1\n</instanceID></meta></d>", "f", "", "uuid:1");
    CHECK_XML("<d id='f'><a:meta><b:instanceID>a&amp;<![CDATA[<b>]]></b:instanceID></a:meta></d>",
              "f", "", "a&<b>");
    CHECK_XML("<d id='f'><g><meta><instanceID>no</instanceID></meta></g>"
              "<instanceID>no</instanceID><meta><x><instanceID>no</instanceID></x></meta></d>",
              "f", "", "");
    CHECK_XML("<d id='f'><meta><instanceID/></meta><meta><instanceID>2</instanceID></meta></d>",
              "f", "", "2");
    CHECK_XML("<d id='f'><meta><instanceID>1<x>2</x>3</instanceID></meta></d>", "f", "", "13");
}

static void test_xml_that_breaks_after_the_root(void **state)
{
    (void)state;
    CHECK_XML("<d id='f' version='1'>", "f", "1", "");
    CHECK_XML("<d id='f'><a>&#0;</a><meta><instanceID>1</instanceID></meta></d>", "f", "", "");
    CHECK_XML("<d id='f'><a>&#55357;&#56832;</a></d>", "f", "", "");
    CHECK_XML("<d id='f'></e>", "f", "", "");
    CHECK_XML("<d id='f'><meta><instanceID>half", "f", "", "");
    CHECK_XML("<d id='f'>&undeclared;</d>", "f", "", "");
    CHECK_XML("<d id='f'>\0</d>", "f", "", "");
    CHECK_XML("<d id='f'>\xff</d>", "f", "", "");
    CHECK_XML("<d id='f'/><d id='g'/>", "f", "", "");
}

static void test_late_instance_id(void **state)
{
    struct answer answer;

    (void)state;
    /* Past the first block, but within the scan. */
    receive_long(&answer, "<d id='f'>", "<a>1234567</a>", 30000,
                 "<meta><instanceID>late</instanceID></meta></d>");
    assert_string_equal(answer.head.instance, "late");
    release(&answer);
    /* Past the scan: still received. */
    receive_long(&answer, "<d id='f'>", "<a>1234567</a>", 100000,
                 "<meta><instanceID>later</instanceID></meta></d>");
    assert_int_equal(answer.reply, RELAIS_REPLY_RECEIVED);
    assert_string_equal(answer.head.instance, "");
    release(&answer);
}

static void test_encodings(void **state)
{
    static const char utf16[] = "\xfe\xff\0<\0d\0 \0i\0d\0=\0'\0f\0'\0/\0>";

    (void)state;
    CHECK_XML("\xef\xbb\xbf<?xml version='1.0' encoding='UTF-8'?><d id='é'/>", "é", "", "");
    CHECK_XML("<?xml version='1.0' encoding='ISO-8859-1'?><d id='\xe9'/>", "é", "", "");
    check_read("text/xml", utf16, sizeof utf16 - 1, "f", "", "");
}

/* ---- refusals -------------------------------------------------------------------------- */

static void test_content_types(void **state)
{
    (void)state;
    CHECK("multipart/form-data", BODY("<d id='f'/>"), RELAIS_REPLY_NOT_MULTIPART);
    CHECK("multipart/mixed; boundary=b", BODY("<d id='f'/>"), RELAIS_REPLY_NOT_MULTIPART);
    CHECK("application/x-www-form-urlencoded", "a=b", RELAIS_REPLY_NOT_MULTIPART);
    CHECK("", "<d id='f'/>", RELAIS_REPLY_NOT_MULTIPART);
    CHECK("text/xmlish", "<d id='f'/>", RELAIS_REPLY_NOT_MULTIPART);
    CHECK(NULL, "<d id='f'/>", RELAIS_REPLY_NOT_MULTIPART);
    CHECK("Text/XML", "<d id='f'/>", RELAIS_REPLY_RECEIVED);
    CHECK("application/xml;charset=utf-8", "<d id='f'/>", RELAIS_REPLY_RECEIVED);
}

static void test_cut(void **state)
{
    static const char body[] = BODY("<d id='f'/>");
    relais_segment segment = {.data = body, .fd = -1};
    relais_request request = request_of(MULTIPART, &segment, 1);
    struct answer answer;

    (void)state;
    for (size_t length = 0; length < sizeof body - 3; length++) {
        segment.length = length;
        receive(&answer, &request);
        assert_int_equal(answer.reply, RELAIS_REPLY_CUT);
        release(&answer);
    }
    /* Closed, but shorter than announced. */
    segment.length = sizeof body - 3;
    request.content_length = sizeof body - 1;
    receive(&answer, &request);
    assert_int_equal(answer.reply, RELAIS_REPLY_CUT);
    release(&answer);
    /* A raw body only has its length. */
    request = request_of("text/xml", &segment, 1);
    segment.data = "<d id='f'/>";
    segment.length = 11;
    request.content_length = 12;
    receive(&answer, &request);
    assert_int_equal(answer.reply, RELAIS_REPLY_CUT);
    release(&answer);
}

static void test_no_xml(void **state)
{
    (void)state;
    CHECK(MULTIPART, "--b--", RELAIS_REPLY_NO_XML);
    CHECK(MULTIPART,
          "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n<d id='f'/>\r\n--b--",
          RELAIS_REPLY_NO_XML);
    CHECK(MULTIPART, BODY(""), RELAIS_REPLY_NO_XML);
    CHECK("text/xml", "", RELAIS_REPLY_NO_XML);
    /* The first part of the name counts. */
    CHECK(MULTIPART, XML_HEADER "\r\n" BODY("<d id='f'/>"), RELAIS_REPLY_NO_XML);
}

static void test_bad_xml(void **state)
{
    (void)state;
    CHECK(MULTIPART, BODY("yes"), RELAIS_REPLY_BAD_XML);
    CHECK(MULTIPART, BODY(" "), RELAIS_REPLY_BAD_XML);
    CHECK(MULTIPART, BODY("<d id='f'"), RELAIS_REPLY_BAD_XML);
    CHECK(MULTIPART, BODY("<d id='f' id='g'/>"), RELAIS_REPLY_BAD_XML);
    CHECK(MULTIPART, BODY("<d id='f\0g'/>"), RELAIS_REPLY_BAD_XML);
    CHECK(MULTIPART, BODY("\0<d id='f'/>"), RELAIS_REPLY_BAD_XML);
    CHECK(MULTIPART, BODY("<d id='&x;'/>"), RELAIS_REPLY_BAD_XML);
    CHECK(MULTIPART, BODY("<d id='\xff'/>"), RELAIS_REPLY_BAD_XML);
    CHECK(MULTIPART, BODY("{\"id\":\"f\"}"), RELAIS_REPLY_BAD_XML);
}

static void test_doctype(void **state)
{
    (void)state;
    CHECK(MULTIPART, BODY("<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><d id='&x;'/>"),
          RELAIS_REPLY_DOCTYPE);
    CHECK(MULTIPART, BODY("<?xml version='1.0'?>\n<!DOCTYPE d><d id='f'/>"), RELAIS_REPLY_DOCTYPE);
    CHECK(MULTIPART, BODY("<!DOCTYPE d ["), RELAIS_REPLY_DOCTYPE);
    CHECK(MULTIPART, BODY("<!ENTITY x 'y'><d id='f'/>"), RELAIS_REPLY_DOCTYPE);
    CHECK(MULTIPART, BODY("<d id='f'><!-- <!DOCTYPE d> --></d>"), RELAIS_REPLY_RECEIVED);
}

static void test_root_beyond_its_limit(void **state)
{
    struct answer answer;

    (void)state;
    receive_long(&answer, "<d id='f' ", " ", 63 * 1024, "/>");
    assert_int_equal(answer.reply, RELAIS_REPLY_RECEIVED);
    release(&answer);
    receive_long(&answer, "<d id='f' ", " ", 64 * 1024, "/>");
    assert_int_equal(answer.reply, RELAIS_REPLY_BAD_XML);
    release(&answer);
}

static void test_no_id(void **state)
{
    (void)state;
    CHECK(MULTIPART, BODY("<d/>"), RELAIS_REPLY_NO_ID);
    CHECK(MULTIPART, BODY("<d id=''/>"), RELAIS_REPLY_NO_ID);
    CHECK(MULTIPART, BODY("<d id=' '/>"), RELAIS_REPLY_NO_ID);
    CHECK(MULTIPART, BODY("<d version='1'><e id='f'/></d>"), RELAIS_REPLY_NO_ID);
}

static void test_unknown_form(void **state)
{
    static const char body[] = BODY("<d id='unknown'/>");
    relais_segment segment = {.data = body, .length = sizeof body - 1, .fd = -1};
    relais_request request = request_of(MULTIPART, &segment, 1);
    relais_arena *arena = relais_arena_create(ARENA_MAX);
    relais_parcel_head head;

    (void)state;
    CHECK(MULTIPART, BODY("<d id='unknown'/>"), RELAIS_REPLY_UNKNOWN_FORM);
    assert_int_equal(relais_receive(&request, NULL, NULL, arena, &head, NULL),
                     RELAIS_REPLY_RECEIVED);
    relais_arena_destroy(arena);
}

static void test_malformed_part(void **state)
{
    struct answer answer;

    (void)state;
    receive_long(&answer, "<d id='f'/>\r\n--b\r\nX: ", "12345678", 1024, "\r\n\r\n");
    assert_int_equal(answer.reply, RELAIS_REPLY_NOT_MULTIPART);
    release(&answer);
}

static void test_body_that_cannot_be_read(void **state)
{
    static const char body[] = BODY("<d id='f'/>");
    int fd = body_in_file(body, sizeof body - 1);
    relais_segment segment = {.length = sizeof body, .fd = fd, .offset = 4};
    relais_request request = request_of(MULTIPART, &segment, 1);
    struct answer answer;

    (void)state;
    receive(&answer, &request);
    assert_int_equal(answer.reply, RELAIS_REPLY_BROKEN);
    assert_int_equal(answer.err.code, RELAIS_ERR_SYSTEM);
    release(&answer);
    close(fd);
    segment.fd = -1;
    receive(&answer, &request);
    assert_int_equal(answer.reply, RELAIS_REPLY_BROKEN);
    release(&answer);
}

static void test_no_room_for_the_head(void **state)
{
    static const char body[] = BODY("<d id='f'/>");
    relais_segment segment = {.data = body, .length = sizeof body - 1, .fd = -1};
    relais_request request = request_of(MULTIPART, &segment, 1);
    relais_arena *arena = relais_arena_create(20);
    relais_parcel_head head;
    relais_error err;

    (void)state;
    relais_error_clear(&err);
    assert_int_equal(relais_receive(&request, NULL, NULL, arena, &head, &err), RELAIS_REPLY_BROKEN);
    assert_int_equal(err.code, RELAIS_ERR_LIMIT);
    assert_string_equal(head.form, "");
    relais_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_client_is_received),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_long_values_are_cut_between_characters),
        cmocka_unit_test(test_long_identities),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_instance_id),
        cmocka_unit_test(test_xml_that_breaks_after_the_root),
        cmocka_unit_test(test_late_instance_id),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_content_types),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_no_xml),
        cmocka_unit_test(test_bad_xml),
        cmocka_unit_test(test_doctype),
        cmocka_unit_test(test_root_beyond_its_limit),
        cmocka_unit_test(test_no_id),
        cmocka_unit_test(test_unknown_form),
        cmocka_unit_test(test_malformed_part),
        cmocka_unit_test(test_body_that_cannot_be_read),
        cmocka_unit_test(test_no_room_for_the_head),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    xmlCleanupParser();
    return failed;
}
