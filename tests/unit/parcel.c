/*
 * The parcel's head as text, and the open parcel: what is written is read back, and nothing
 * that is not exactly a head is taken for one.
 */
#include "spool_fixture.h"

#define HASH "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define HEAD                                                                                       \
    "relais-parcel: 1\nreceived: 2026-03-02T10:15:04.123Z\nsource: serve\nform: f\n"               \
    "content-type: text/xml\nlength: 4\nsha256: " HASH "\n"

static bool read_text(fixture *f, const char *text, relais_parcel_head *head, relais_error *err)
{
    size_t head_length;

    memset(err, 0, sizeof *err);
    return relais_parcel_head_read(text, strlen(text), f->arena, head, &head_length, err);
}

static void test_written_is_read(void **state)
{
    fixture *f = *state;
    relais_parcel_head head, back;
    relais_error err = {0};
    relais_buffer out;
    size_t head_length;

    fixture_head(&head, "body", 4);
    head.received = "2026-03-02T10:15:04.123Z";
    head.version = "2026030100";
    head.instance = "uuid:1";
    head.user = "agent 100%\r\nlength: 7\x7f\t";
    head.device = "collect:d\xc3\xa9j\xc3\xa0";
    head.host = "odk.bf:8443";
    relais_buffer_init(&out, RELAIS_PARCEL_HEAD_MAX);
    assert_ok(relais_parcel_head_write(&head, &out, &err), err);
    assert_non_null(strstr(out.data, "user: agent 100%25%0D%0Alength: 7%7F%09\n"));
    assert_true(strncmp(out.data, "relais-parcel: 1\n", 17) == 0);
    relais_buffer_append_text(&out, "body");
    assert_ok(relais_parcel_head_read(out.data, out.length, f->arena, &back, &head_length, &err),
              err);
    assert_string_equal(out.data + head_length, "body");
    assert_string_equal(back.received, head.received);
    assert_string_equal(back.source, head.source);
    assert_string_equal(back.form, head.form);
    assert_string_equal(back.version, head.version);
    assert_string_equal(back.instance, head.instance);
    assert_string_equal(back.user, head.user);
    assert_string_equal(back.device, head.device);
    assert_string_equal(back.host, head.host);
    assert_string_equal(back.content_type, head.content_type);
    assert_int_equal(back.length, 4);
    assert_memory_equal(back.sha256, head.sha256, sizeof head.sha256);
    relais_buffer_free(&out);
}

/* Written first without its length and hash, then over itself: its size may not change. */
static void test_sealed_head_has_one_size(void **state)
{
    static const uint64_t lengths[] = {0, 1, 4711, UINT64_C(999999999999)};
    fixture *f = *state;
    relais_parcel_head head, back;
    relais_error err = {0};
    size_t size = 0;

    fixture_head(&head, "body", 4);
    head.sealed = HASH;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        relais_buffer out;
        head.length = lengths[i];
        relais_buffer_init(&out, RELAIS_PARCEL_HEAD_MAX);
        assert_ok(relais_parcel_head_write(&head, &out, &err), err);
        assert_true(size == 0 || size == out.length);
        size = out.length;
        assert_true(read_text(f, out.data, &back, &err));
        assert_string_equal(back.sealed, HASH);
        assert_int_equal(back.length, lengths[i]);
        relais_buffer_free(&out);
    }
    assert_true(read_text(f, HEAD "\n", &back, &err));
    assert_string_equal(back.sealed, "");
}

static void test_received_becomes_now(void **state)
{
    fixture *f = *state;
    relais_parcel_head head, back;
    relais_error err = {0};
    relais_buffer out;
    char now[RELAIS_TIME_TEXT_SIZE];

    fixture_head(&head, "", 0);
    relais_buffer_init(&out, RELAIS_PARCEL_HEAD_MAX);
    assert_ok(relais_parcel_head_write(&head, &out, &err), err);
    assert_true(read_text(f, out.data, &back, &err));
    relais_time_now(now);
    assert_true(strcmp(back.received, now) <= 0);
    assert_true(strncmp(back.received, now, 10) == 0 || strcmp(back.received, now) < 0);
    relais_buffer_free(&out);
}

static void test_long_value_is_refused_by_key(void **state)
{
    relais_parcel_head head;
    relais_error err = {0};
    relais_buffer out;
    char text[RELAIS_PARCEL_VALUE_MAX + 2];

    (void)state;
    memset(text, 'a', sizeof text);
    text[RELAIS_PARCEL_VALUE_MAX] = '\0';
    fixture_head(&head, "", 0);
    head.user = text;
    relais_buffer_init(&out, RELAIS_PARCEL_HEAD_MAX);
    assert_ok(relais_parcel_head_write(&head, &out, &err), err);
    text[RELAIS_PARCEL_VALUE_MAX] = 'a';
    text[RELAIS_PARCEL_VALUE_MAX + 1] = '\0';
    relais_buffer_reset(&out);
    assert_false(relais_parcel_head_write(&head, &out, &err));
    assert_int_equal(err.code, RELAIS_ERR_LIMIT);
    assert_non_null(strstr(err.text, "\"user\""));
    relais_buffer_free(&out);
}

/* Values that are short but triple when escaped must not make a head that reading refuses. */
static void test_head_that_would_be_too_long_is_refused(void **state)
{
    relais_parcel_head head;
    relais_error err = {0};
    relais_buffer out;
    char text[RELAIS_PARCEL_VALUE_MAX + 1];

    (void)state;
    memset(text, '\t', sizeof text);
    text[RELAIS_PARCEL_VALUE_MAX] = '\0';
    fixture_head(&head, "", 0);
    head.form = head.version = head.instance = head.user = head.device = head.host =
        head.content_type = text;
    relais_buffer_init(&out, 1024 * 1024);
    assert_false(relais_parcel_head_write(&head, &out, &err));
    assert_int_equal(err.code, RELAIS_ERR_LIMIT);
    relais_buffer_free(&out);
}

static void test_any_order_and_unknown_keys(void **state)
{
    fixture *f = *state;
    relais_parcel_head head;
    relais_error err = {0};

    assert_true(read_text(f,
                          "relais-parcel: 1\nsha256: " HASH "\nlength: 0\ncontent-type:\n"
                          "colour: blue\nform: \xc3\xa9%25\nsource: import\ncolour: red\n"
                          "received: 2026-03-02T10:15:04.123Z\n\n",
                          &head, &err));
    assert_string_equal(head.form, "\xc3\xa9%");
    assert_string_equal(head.source, "import");
    assert_string_equal(head.content_type, "");
    assert_string_equal(head.user, "");
}

static void test_damaged_heads(void **state)
{
    static const struct {
        const char *text;
        long line;
    } cases[] = {
        {"", 1},
        {"\n", 1},
        {"relais-parcel: 1", 1},
        {"relais-parcel: 2\n\n", 1},
        {"relais-parcel: 11\n\n", 1},
        {"form: f\nrelais-parcel: 1\n\n", 1},
        {"relais-parcel: 1\n\n", 2},
        {HEAD, 8}, /* no empty line */
        {HEAD "form: g\n\n", 8},
        {HEAD "length: 4\n\n", 8},
        {HEAD "sha256: " HASH "\n\n", 8},
        {HEAD "relais-parcel: 1\n\n", 8},
        {HEAD "user: a\rb\n\n", 8},
        {HEAD "user: a\tb\n\n", 8},
        {HEAD "user: a%0\n\n", 8},
        {HEAD "user: a%\n\n", 8},
        {HEAD "user: a%zz\n\n", 8},
        {HEAD "user: a%00b\n\n", 8},
        {HEAD "no colon\n\n", 8},
        {HEAD "User: a\n\n", 8},
        {HEAD ": a\n\n", 8},
        {HEAD "\r\n", 8},
        {"relais-parcel: 1\nreceived: 2026-03-02T10:15:04Z\n\n", 2},
        {"relais-parcel: 1\nreceived: 2026-03-02T10:15:04.1234\n\n", 2},
        {"relais-parcel: 1\nlength: -1\n\n", 2},
        {"relais-parcel: 1\nlength: 9223372036854775808\n\n", 2},
        {"relais-parcel: 1\nlength: 1e3\n\n", 2},
        {"relais-parcel: 1\nsha256: 00\n\n", 2},
        {"relais-parcel: 1\nsha256: " HASH "0\n\n", 2},
    };
    fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        relais_parcel_head head;
        relais_error err;
        if (read_text(f, cases[i].text, &head, &err))
            fail_msg("case %zu was taken for a head", i);
        assert_int_equal(err.code, RELAIS_ERR_DAMAGED);
        if (err.line != cases[i].line)
            fail_msg("case %zu: line %ld, not %ld: %s", i, err.line, cases[i].line, err.text);
    }
}

static void test_each_required_key_is_missed(void **state)
{
    static const char *const keys[] = {"received",     "source", "form",
                                       "content-type", "length", "sha256"};
    fixture *f = *state;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char text[512] = HEAD "\n", quoted[32];
        relais_parcel_head head;
        relais_error err;
        char *line, *rest;
        snprintf(quoted, sizeof quoted, "\n%s:", keys[i]);
        line = strstr(text, quoted);
        assert_non_null(line);
        rest = strchr(line + 1, '\n');
        memmove(line, rest, strlen(rest) + 1);
        assert_false(read_text(f, text, &head, &err));
        assert_int_equal(err.code, RELAIS_ERR_DAMAGED);
        snprintf(quoted, sizeof quoted, "\"%s\"", keys[i]);
        assert_non_null(strstr(err.text, quoted));
    }
}

static void test_nul_byte_is_damage(void **state)
{
    static const char text[] = HEAD "user: a\0b\n\n";
    fixture *f = *state;
    relais_parcel_head head;
    relais_error err = {0};
    size_t head_length;

    assert_false(
        relais_parcel_head_read(text, sizeof text - 1, f->arena, &head, &head_length, &err));
    assert_int_equal(err.code, RELAIS_ERR_DAMAGED);
}

static void test_empty_line_past_the_maximum(void **state)
{
    fixture *f = *state;
    char *text = calloc(1, RELAIS_PARCEL_HEAD_MAX + 64);
    size_t length = sizeof HEAD - 1;
    relais_parcel_head head;
    relais_error err = {0};
    size_t head_length;

    memcpy(text, HEAD, length);
    while (length < RELAIS_PARCEL_HEAD_MAX) {
        memcpy(text + length, "x: y\n", 5);
        length += 5;
    }
    text[length++] = '\n';
    assert_false(relais_parcel_head_read(text, length, f->arena, &head, &head_length, &err));
    assert_int_equal(err.code, RELAIS_ERR_DAMAGED);
    free(text);
}

static bool open_bytes(fixture *f, const char *bytes, relais_parcel *out, relais_error *err)
{
    int dirfd = open(f->directory, O_PATH | O_DIRECTORY);
    char path[128];
    bool ok;

    snprintf(path, sizeof path, "%s/p", f->directory);
    fixture_write(path, bytes, strlen(bytes));
    memset(err, 0, sizeof *err);
    ok = relais_parcel_open(dirfd, "p", f->arena, out, err);
    close(dirfd);
    return ok;
}

static void test_open_and_read_by_position(void **state)
{
    fixture *f = *state;
    relais_parcel parcel;
    relais_error err;
    char two[3] = "";

    assert_ok(open_bytes(f, HEAD "\nbody", &parcel, &err), err);
    assert_true(relais_parcel_read(&parcel, 2, two, 2, &err));
    assert_string_equal(two, "dy");
    assert_true(relais_parcel_read(&parcel, 4, two, 0, &err));
    assert_false(relais_parcel_read(&parcel, 3, two, 2, &err));
    relais_error_clear(&err);
    assert_false(relais_parcel_read(&parcel, UINT64_MAX, two, 2, &err));
}

static void test_size_must_match(void **state)
{
    fixture *f = *state;
    relais_parcel parcel;
    relais_error err;

    assert_false(open_bytes(f, HEAD "\nbod", &parcel, &err));
    assert_int_equal(err.code, RELAIS_ERR_DAMAGED);
    assert_false(open_bytes(f, HEAD "\nbody!", &parcel, &err));
    assert_int_equal(err.code, RELAIS_ERR_DAMAGED);
    assert_string_equal(err.path, "p");
    assert_false(open_bytes(f, "", &parcel, &err));
    assert_int_equal(err.code, RELAIS_ERR_DAMAGED);
}

static void test_only_regular_files(void **state)
{
    fixture *f = *state;
    int dirfd = open(f->directory, O_PATH | O_DIRECTORY);
    relais_parcel parcel;
    relais_error err = {0};

    assert_int_equal(mkfifoat(dirfd, "fifo", 0600), 0);
    assert_int_equal(symlinkat("fifo", dirfd, "link"), 0);
    assert_false(relais_parcel_open(dirfd, "fifo", f->arena, &parcel, &err));
    assert_int_equal(err.code, RELAIS_ERR_DAMAGED);
    relais_error_clear(&err);
    assert_false(relais_parcel_open(dirfd, "link", f->arena, &parcel, &err));
    assert_int_equal(err.code, RELAIS_ERR_DAMAGED);
    relais_error_clear(&err);
    assert_false(relais_parcel_open(dirfd, "00", f->arena, &parcel, &err));
    assert_int_equal(err.code, RELAIS_ERR_DAMAGED);
    relais_error_clear(&err);
    assert_false(relais_parcel_open(dirfd, "gone", f->arena, &parcel, &err));
    assert_int_equal(err.code, RELAIS_ERR_MISSING);
    close(dirfd);
}

static size_t count_descriptors(void)
{
    return fixture_count_files("/proc/self/fd");
}

static void test_arena_closes_the_file(void **state)
{
    fixture *f = *state;
    size_t before = count_descriptors();
    relais_parcel parcel;
    relais_error err;

    assert_true(open_bytes(f, HEAD "\nbody", &parcel, &err));
    assert_false(open_bytes(f, HEAD "\nbad", &parcel, &err));
    assert_int_equal(count_descriptors(), before + 2);
    relais_arena_reset(f->arena);
    assert_int_equal(count_descriptors(), before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_written_is_read),
        TEST(test_sealed_head_has_one_size),
        TEST(test_received_becomes_now),
        TEST(test_long_value_is_refused_by_key),
        TEST(test_head_that_would_be_too_long_is_refused),
        TEST(test_any_order_and_unknown_keys),
        TEST(test_damaged_heads),
        TEST(test_each_required_key_is_missed),
        TEST(test_nul_byte_is_damage),
        TEST(test_empty_line_past_the_maximum),
        TEST(test_open_and_read_by_position),
        TEST(test_size_must_match),
        TEST(test_only_regular_files),
        TEST(test_arena_closes_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
