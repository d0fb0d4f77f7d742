/*
 * Reading a submission out of a parcel: multipart and raw bodies, attachments, damage, and
 * bodies larger than the memory that may be used.
 */
#include "spool_fixture.h"

#include "xform/submission.h"

#include <sys/resource.h>

#define XML     "<d id='f'><photo>a.jpg</photo><meta><instanceID>uuid:1</instanceID></meta></d>"
#define TYPE    "multipart/form-data; boundary=BB"
#define DISPOSE "Content-Disposition: form-data; name="

/* Commits a body under a content type and opens the parcel. */
static relais_parcel put(fixture *f, const char *type, const void *body, size_t length)
{
    relais_segment segment = {.data = body, .length = length};
    relais_spool_entry entry;
    relais_parcel_head head;
    relais_staged staged;
    relais_parcel parcel;
    relais_error err = {0};

    fixture_head(&head, body, length);
    head.content_type = type;
    assert_ok(relais_spool_stage(f->spool, &head, &segment, 1, &staged, &err), err);
    entry.shard = staged.shard;
    memcpy(entry.name, staged.name, sizeof entry.name);
    assert_ok(relais_spool_commit(f->spool, &staged, &err), err);
    assert_ok(relais_spool_parcel(f->spool, &entry, f->arena, &parcel, &err), err);
    return parcel;
}

static relais_submission read_body(fixture *f, const char *type, const char *body)
{
    relais_parcel parcel = put(f, type, body, strlen(body));
    relais_submission submission;
    relais_error err = {0};
    int64_t offset;

    assert_ok(relais_submission_read(&parcel, f->arena, &submission, &offset, &err), err);
    return submission;
}

static relais_error refuse_body(fixture *f, const char *type, const char *body)
{
    relais_parcel parcel = put(f, type, body, strlen(body));
    relais_submission submission;
    relais_error err = {0};
    int64_t offset;

    assert_false(relais_submission_read(&parcel, f->arena, &submission, &offset, &err));
    return err;
}

static void assert_attachment(const relais_attachment *attachment, const char *body,
                              const char *name, const char *type, const char *content)
{
    uint8_t sha256[RELAIS_SHA256_SIZE];
    relais_digest_state state;

    assert_string_equal(attachment->name, name);
    assert_int_equal(attachment->name_length, strlen(name));
    assert_string_equal(attachment->media_type, type);
    assert_int_equal(attachment->size, strlen(content));
    assert_memory_equal(body + attachment->offset, content, strlen(content));
    relais_sha256_begin(&state);
    relais_sha256_add(&state, content, strlen(content));
    relais_sha256_end(&state, sha256);
    assert_memory_equal(attachment->sha256, sha256, sizeof sha256);
}

static void test_collect_multipart(void **state)
{
    static const char body[] =
        "--BB\r\n" DISPOSE "\"xml_submission_file\"; filename=\"T_2026-03-02.xml\"\r\n"
        "Content-Type: text/xml\r\n\r\n" XML "\r\n"
        "--BB\r\n" DISPOSE "\"a.jpg\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
        "\xff\xd8--B\r\n-\r\n"
        "--BB\r\n" DISPOSE "\"audit.csv\"; filename=\"audit.csv\"\r\n"
        "Content-Type: text/csv\r\n\r\n\r\n"
        "--BB\r\n" DISPOSE "\"*isIncomplete*\"\r\n\r\nyes\r\n--BB--\r\n";
    fixture *f = *state;
    relais_submission s = read_body(f, TYPE, body);

    assert_string_equal(s.form_id, "f");
    assert_string_equal(s.instance_id, "uuid:1");
    assert_int_equal(s.xml_length, strlen(XML));
    assert_string_equal(s.xml, XML);
    assert_int_equal(s.attachment_count, 2);
    assert_attachment(&s.attachments[0], body, "a.jpg", "image/jpeg", "\xff\xd8--B\r\n-");
    assert_attachment(&s.attachments[1], body, "audit.csv", "text/csv", "");
}

static void test_order_and_fields_of_other_clients(void **state)
{
    static const char body[] =
        "--BB\r\n" DISPOSE "\"Date\"\r\n\r\nMon, 02 Mar 2026\r\n"
        "--BB\r\n" DISPOSE "\"__csrf\"\r\n\r\ntoken\r\n"
        "--BB\r\n" DISPOSE "\"\"; filename=\"b.txt\"\r\n\r\nB\r\n"
        "--BB\r\n" DISPOSE "\"note\"\r\n\r\nkept\r\n"
        "--BB\r\n" DISPOSE "\"Date\"; filename=\"Date\"\r\n\r\nfile\r\n"
        "--BB\r\n" DISPOSE "\"xml_submission_file\"; filename=\"xml_submission_file\"\r\n\r\n" XML
        "\r\n--BB\r\n" DISPOSE "\"xml_submission_file\"; filename=\"second.xml\"\r\n\r\n<x/>\r\n"
        "--BB--";
    fixture *f = *state;
    relais_submission s = read_body(f, TYPE, body);

    assert_string_equal(s.instance_id, "uuid:1");
    assert_int_equal(s.attachment_count, 4);
    assert_attachment(&s.attachments[0], body, "b.txt", "", "B");
    assert_attachment(&s.attachments[1], body, "note", "", "kept");
    assert_attachment(&s.attachments[2], body, "Date", "", "file");
    assert_attachment(&s.attachments[3], body, "xml_submission_file", "", "<x/>");
}

/* The answer says "a.jpg": a part named after the question has its file's name in filename. */
static void test_part_named_after_the_question(void **state)
{
    static const char body[] =
        "--BB\r\n" DISPOSE "\"photo\"; filename=\"a.jpg\"\r\n\r\nJ\r\n"
        "--BB\r\n" DISPOSE "\"a.jpg\"; filename=\"other.jpg\"\r\n\r\nK\r\n"
        "--BB\r\n" DISPOSE "\"x\"; filename=\"unknown.jpg\"\r\n\r\nL\r\n"
        "--BB\r\n" DISPOSE "\"xml_submission_file\"; filename=\"s\"\r\n\r\n" XML "\r\n--BB--\r\n";
    fixture *f = *state;
    relais_submission s = read_body(f, TYPE, body);

    assert_int_equal(s.attachment_count, 3);
    assert_attachment(&s.attachments[0], body, "a.jpg", "", "J");
    assert_attachment(&s.attachments[1], body, "a.jpg", "", "K");
    assert_attachment(&s.attachments[2], body, "x", "", "L");
}

static void test_raw_xml(void **state)
{
    fixture *f = *state;
    relais_submission s = read_body(f, "text/xml; charset=utf-8", XML);

    assert_string_equal(s.xml, XML);
    assert_int_equal(s.attachment_count, 0);
    s = read_body(f, "", XML);
    assert_string_equal(s.instance_id, "uuid:1");
}

static void test_broken_bodies(void **state)
{
    static const struct {
        const char *type, *body;
    } cases[] = {
        {TYPE, ""},
        {TYPE, "no delimiter"},
        {TYPE, "--BB\r\n" DISPOSE "\"xml_submission_file\"\r\n\r\n" XML}, /* cut */
        {TYPE, "--BB\r\n" DISPOSE "\"xml_submission_file\"\r\n\r\n" XML "\r\n--BB\r\n"},
        {TYPE, "--BB\r\n" DISPOSE "\"a\"; filename=\"a\"\r\n\r\nno xml\r\n--BB--\r\n"},
        {TYPE, "--BB\r\n" DISPOSE "\"xml_submission_file\"\r\n\r\n\r\n--BB--\r\n"},
        {"multipart/form-data", "--BB\r\n"},
        {"text/xml", ""},
    };
    fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        relais_error err = refuse_body(f, cases[i].type, cases[i].body);
        if (err.code != RELAIS_ERR_SYNTAX)
            fail_msg("case %zu: %s: %s", i, relais_error_word(err.code), err.text);
    }
}

static void test_offset_is_in_the_xml(void **state)
{
    static const char body[] = "--BB\r\n" DISPOSE "\"xml_submission_file\"\r\n\r\n"
                               "<d id='f'>\xff</d>\r\n--BB--\r\n";
    fixture *f = *state;
    relais_parcel parcel = put(f, TYPE, body, strlen(body));
    relais_submission s;
    relais_error err = {0};
    int64_t offset;

    assert_false(relais_submission_read(&parcel, f->arena, &s, &offset, &err));
    assert_int_equal(offset, 10);
    assert_int_equal(s.xml_length, 15); /* the bytes are there for whoever wants to look */
}

/* Damage is told before anything else that is wrong, since it explains the rest. */
static void test_damage_comes_first(void **state)
{
    fixture *f = *state;
    relais_parcel parcel = put(f, TYPE, "no delimiter", 12);
    relais_submission s;
    relais_error err = {0};
    int64_t offset;

    parcel.head.sha256[0] ^= 1;
    assert_false(relais_submission_read(&parcel, f->arena, &s, &offset, &err));
    assert_int_equal(err.code, RELAIS_ERR_DAMAGED);
    parcel = put(f, "text/xml", XML, strlen(XML));
    parcel.head.sha256[31] ^= 1;
    relais_error_clear(&err);
    assert_false(relais_submission_read(&parcel, f->arena, &s, &offset, &err));
    assert_int_equal(err.code, RELAIS_ERR_DAMAGED);
}

static void test_xml_above_its_maximum(void **state)
{
    fixture *f = *state;
    size_t size = RELAIS_SUBMISSION_XML_MAX + 1;
    char *body = malloc(size);
    relais_submission s;
    relais_parcel parcel;
    relais_error err = {0};
    int64_t offset;

    memset(body, ' ', size);
    memcpy(body, XML, strlen(XML));
    parcel = put(f, "text/xml", body, size);
    assert_false(relais_submission_read(&parcel, f->arena, &s, &offset, &err));
    assert_int_equal(err.code, RELAIS_ERR_LIMIT);
    free(body);
}

static relais_parcel *put_film(fixture *f, size_t size)
{
    static const char front[] = "--BB\r\n" DISPOSE "\"v.mp4\"; filename=\"v.mp4\"\r\n\r\n";
    static const char back[] =
        "\r\n--BB\r\n" DISPOSE "\"xml_submission_file\"\r\n\r\n" XML "\r\n--BB--\r\n";
    relais_segment segments[3] = {{.data = front, .length = sizeof front - 1},
                                  {.length = size},
                                  {.data = back, .length = sizeof back - 1}};
    static char zeros[65536];
    relais_digest_state state;
    relais_spool_entry entry;
    relais_parcel_head head;
    relais_parcel *parcel = relais_arena_alloc(f->arena, sizeof *parcel);
    relais_staged staged;
    relais_error err = {0};
    char path[128];

    snprintf(path, sizeof path, "%s/video", f->directory);
    segments[1].fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(ftruncate(segments[1].fd, (off_t)size), 0);
    fixture_head(&head, "", 0);
    head.content_type = TYPE;
    relais_sha256_begin(&state);
    relais_sha256_add(&state, front, sizeof front - 1);
    for (size_t done = 0; done < size; done += sizeof zeros)
        relais_sha256_add(&state, zeros, sizeof zeros);
    relais_sha256_add(&state, back, sizeof back - 1);
    relais_sha256_end(&state, head.sha256);
    head.length = sizeof front - 1 + size + sizeof back - 1;
    assert_ok(relais_spool_stage(f->spool, &head, segments, 3, &staged, &err), err);
    close(segments[1].fd);
    entry.shard = staged.shard;
    memcpy(entry.name, staged.name, sizeof entry.name);
    assert_ok(relais_spool_commit(f->spool, &staged, &err), err);
    assert_ok(relais_spool_parcel(f->spool, &entry, f->arena, parcel, &err), err);
    return parcel;
}

/* A film of 100 MB passes through while memory grows by no more than a few buffers. */
static void test_large_body_in_fixed_memory(void **state)
{
    enum { SIZE = 100 * 1024 * 1024, ALLOWED_KB = 8 * 1024 };
    fixture *f = *state;
    relais_parcel *parcel = put_film(f, SIZE);
    relais_submission s;
    struct rusage before, after;
    relais_error err = {0};
    int64_t offset;

    getrusage(RUSAGE_SELF, &before);
    assert_ok(relais_submission_read(parcel, f->arena, &s, &offset, &err), err);
    getrusage(RUSAGE_SELF, &after);
    assert_int_equal(s.attachment_count, 1);
    assert_int_equal(s.attachments[0].size, SIZE);
    assert_string_equal(s.instance_id, "uuid:1");
    assert_in_range(after.ru_maxrss - before.ru_maxrss, 0, ALLOWED_KB);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_large_body_in_fixed_memory), /* first: the peak is the process's */
        TEST(test_collect_multipart),
        TEST(test_order_and_fields_of_other_clients),
        TEST(test_part_named_after_the_question),
        TEST(test_raw_xml),
        TEST(test_broken_bodies),
        TEST(test_offset_is_in_the_xml),
        TEST(test_damage_comes_first),
        TEST(test_xml_above_its_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
