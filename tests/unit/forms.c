/*
 * The watched directory: what is published when, what is said about the rest, and that a
 * half-written file never is.
 */
#include "openrosa/forms.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <libxml/parser.h>

#include "forms_directory.h"
#include "forms_watched.h"

/* The ids and versions published, as text: "a/1 b/". */
static void check_published(const char *expected)
{
    relais_snapshot *snapshot = look();
    relais_buffer text;
    size_t count;
    const relais_form_entry *entries = relais_snapshot_forms(snapshot, &count);

    relais_buffer_init(&text, 4096);
    relais_buffer_append_text(&text, "");
    for (size_t i = 0; i < count; i++)
        relais_buffer_append_format(&text, "%s%s/%s", i == 0 ? "" : " ", entries[i].id,
                                    entries[i].version);
    assert_string_equal(text.data, expected);
    relais_buffer_free(&text);
    relais_snapshot_release(snapshot);
}

/* The one complaint there is contains the text. */
static void check_complaint(const char *expected)
{
    relais_snapshot *snapshot = look();

    assert_int_equal(relais_snapshot_complaints(snapshot), 1);
    if (strstr(relais_snapshot_complaint(snapshot, 0, NULL), expected) == NULL)
        fail_msg("%s", relais_snapshot_complaint(snapshot, 0, NULL));
    relais_snapshot_release(snapshot);
}

static void check_no_complaint(void)
{
    relais_snapshot *snapshot = look();

    if (relais_snapshot_complaints(snapshot) > 0)
        fail_msg("%s", relais_snapshot_complaint(snapshot, 0, NULL));
    relais_snapshot_release(snapshot);
}

static void check_md5(const void *bytes, size_t length, const char *hex)
{
    relais_digest_state digest;
    uint8_t md5[RELAIS_MD5_SIZE];
    char expected[2 * RELAIS_MD5_SIZE + 1];

    relais_md5_begin(&digest);
    relais_md5_add(&digest, bytes, length);
    relais_md5_end(&digest, md5);
    relais_hex(md5, sizeof md5, expected);
    assert_string_equal(hex, expected);
}

/* ---- what is published ----------------------------------------------------------------- */

static void test_a_form_with_media(void **state)
{
    static const char xml[] = FORM("f", "7", "Ménage");
    relais_snapshot *snapshot;
    const relais_form_entry *form;
    const relais_media *media;

    (void)state;
    make_directory("menage-media");
    write_file("menage-media/z.csv", "name\nz\n", OLD);
    write_file("menage-media/été.jpg", "jpg", OLD);
    write_file("menage-media/empty", "", OLD);
    write_file("menage-media/.hidden", "", OLD);
    write_file("menage-media/a.csv~", "", OLD);
    write_file("menage-media/a.csv.part", "", OLD);
    make_directory("menage-media/sub");
    write_file("menage.xml", xml, OLD);
    snapshot = look();
    form = relais_snapshot_find(snapshot, "f", "7");
    assert_non_null(form);
    assert_ptr_equal(form, relais_snapshot_find(snapshot, "f", NULL));
    assert_null(relais_snapshot_find(snapshot, "f", "8"));
    assert_null(relais_snapshot_find(snapshot, "g", NULL));
    assert_string_equal(form->title, "Ménage");
    assert_string_equal(form->file, "menage.xml");
    assert_int_equal(form->xml_length, sizeof xml - 1);
    assert_memory_equal(form->xml, xml, sizeof xml - 1);
    check_md5(xml, sizeof xml - 1, form->md5);
    assert_int_equal(form->media_count, 3);
    assert_string_equal(form->media[0].filename, "empty");
    media = relais_form_media(form, "z.csv");
    assert_non_null(media);
    assert_string_equal(media->path, path_in_directory("menage-media/z.csv"));
    assert_int_equal(media->size, 7);
    check_md5("name\nz\n", 7, media->md5);
    assert_null(relais_form_media(form, "../menage.xml"));
    relais_snapshot_release(snapshot);
    check_no_complaint();
}

static void test_an_empty_directory(void **state)
{
    (void)state;
    check_published("");
    check_no_complaint();
}

static void test_ignored_files(void **state)
{
    (void)state;
    write_file(".f.xml", FORM("a", "", ""), OLD);
    write_file("f.xml~", FORM("b", "", ""), OLD);
    write_file("f.xml.tmp", FORM("c", "", ""), OLD);
    write_file("f.xml.part", FORM("d", "", ""), OLD);
    write_file("f.xlsx", "not xml", OLD);
    write_file(".xml", FORM("e", "", ""), OLD);
    make_directory("dir.xml");
    assert_int_equal(mkfifo(path_in_directory("pipe.xml"), 0644), 0);
    check_published("");
    check_no_complaint();
}

static void test_order_is_by_file_name(void **state)
{
    (void)state;
    write_file("b.xml", FORM("one", "", ""), OLD);
    write_file("a.xml", FORM("two", "", ""), OLD);
    write_file("C.xml", FORM("three", "", ""), OLD);
    check_published("three/ two/ one/");
}

/* ---- definitions ----------------------------------------------------------------------- */

static void check_definition(const char *xml, const char *id, const char *version,
                             const char *title)
{
    relais_snapshot *snapshot;
    const relais_form_entry *form;
    size_t count;

    write_file("f.xml", xml, OLD);
    check_no_complaint();
    snapshot = look();
    form = relais_snapshot_forms(snapshot, &count);
    assert_int_equal(count, 1);
    assert_string_equal(form->id, id);
    assert_string_equal(form->version, version);
    assert_string_equal(form->title, title);
    relais_snapshot_release(snapshot);
}

#define HTML(head)                                                                                 \
    "<html xmlns:h='http://www.w3.org/1999/xhtml'><head>" head "</head><body>"                     \
    "<title>no</title><model><instance><x id='no'/></instance></model></body></html>"

static void test_definitions(void **state)
{
    (void)state;
    check_definition(FORM("f", "", ""), "f", "", "f");
    check_definition(HTML("<title> a <!-- c -->&amp; <![CDATA[<b>]]>\n</title><model>"
                          "<instance><d id=' f '/></instance>"
                          "<instance id='choices'><root id='no' version='no'/></instance></model>"),
                     "f", "", "a & <b>");
    check_definition(HTML("<model><bind/><instance><d id='f' version='1'><d id='no'/></d>"
                          "<e id='no'/></instance></model><model><instance><d id='no'/></instance>"
                          "</model><title>t</title>"),
                     "f", "1", "t");
    /* Collect reads only the version without prefix. */
    check_definition(HTML("<model><instance><d xmlns:orx='u' orx:version='1' id='f'/>"
                          "</instance></model>"),
                     "f", "", "f");
    check_definition(HTML("<model><instance><d undeclared:x='1' id='f'/></instance></model>"), "f",
                     "", "f");
}

static void check_refused(const char *xml, const char *complaint)
{
    write_file("f.xml", xml, OLD);
    check_published("");
    check_complaint(complaint);
    remove_file("f.xml");
}

static void test_refused_definitions(void **state)
{
    (void)state;
    check_refused("", "f.xml:");
    check_refused("<a>\n<b>\n</a>\n", "f.xml:3: the form is not well-formed: Opening and ending");
    check_refused(FORM("f", "", "") "<more/>", "f.xml:11: the form is not well-formed");
    check_refused(HTML("<model><instance>\n<d/></instance></model>"), "f.xml:2: ");
    check_refused(HTML("<model><instance/></model>"), "no primary instance");
    check_refused("<data id='f'/>", "no primary instance");
    check_refused(FORM("..", "", ""), "dots");
    check_refused(FORM("f", ".", ""), "dots");
    check_refused(FORM("<", "", ""), "f.xml:6: the form is not well-formed");
}

static void test_long_identity(void **state)
{
    char *xml = test_malloc(4096);

    (void)state;
    snprintf(xml, 4096, HTML("<model><instance><d id='%01024d'/></instance></model>"), 0);
    write_file("f.xml", xml, OLD);
    check_no_complaint();
    snprintf(xml, 4096, HTML("<model><instance><d id='%01025d'/></instance></model>"), 0);
    remove_file("f.xml");
    check_published("");
    check_refused(xml, "longer than 1024 bytes");
    test_free(xml);
}

/* ---- changes --------------------------------------------------------------------------- */

static void test_a_fresh_file_waits(void **state)
{
    (void)state;
    write_file("f.xml", FORM("f", "1", ""), 0);
    check_published("");
    check_no_complaint();
    write_file("f.xml", FORM("f", "1", ""), 1);
    check_published("");
    write_file("f.xml", FORM("f", "1", ""), RELAIS_FORMS_SETTLE);
    check_published("f/1");
}

static void test_a_file_settles_by_itself(void **state)
{
    (void)state;
    write_file("a.xml", FORM("a", "1", ""), 0);
    write_file("b.xml", FORM("b", "1", ""), -OLD); /* from a machine whose clock is ahead */
    check_published("");
    sleep(RELAIS_FORMS_SETTLE + 1);
    check_published("a/1 b/1");
}

static void test_a_half_written_change_keeps_the_old(void **state)
{
    relais_snapshot *snapshot;

    (void)state;
    write_file("f.xml", FORM("f", "1", ""), OLD);
    check_published("f/1");
    write_file("f.xml", "<h:html", 0);
    check_published("f/1");
    check_no_complaint();
    snapshot = look();
    assert_memory_equal(relais_snapshot_find(snapshot, "f", "1")->xml, FORM("f", "1", ""), 100);
    relais_snapshot_release(snapshot);
    /* Broken for good: still the old, and a complaint that says so. */
    write_file("f.xml", "<h:html", OLD);
    check_published("f/1");
    check_complaint("last good state stays");
    write_file("f.xml", FORM("f", "2", ""), OLD);
    check_published("f/2");
    check_no_complaint();
}

static void test_renaming_into_place(void **state)
{
    (void)state;
    write_file("f.xml", FORM("f", "1", ""), OLD);
    check_published("f/1");
    write_file("next", FORM("f", "2", ""), OLD);
    rename_file("next", "f.xml");
    check_published("f/2");
    remove_file("f.xml");
    check_published("");
}

static void test_a_complaint_is_fresh_once(void **state)
{
    relais_snapshot *snapshot;
    bool fresh;

    (void)state;
    write_file("f.xml", "<a", OLD);
    snapshot = look();
    relais_snapshot_complaint(snapshot, 0, &fresh);
    assert_true(fresh);
    relais_snapshot_complaint(snapshot, 0, &fresh);
    assert_false(fresh);
    relais_snapshot_release(snapshot);
    /* Another snapshot with the same complaint. */
    write_file("g.xml", FORM("g", "", ""), OLD);
    snapshot = look();
    assert_int_equal(relais_snapshot_complaints(snapshot), 1);
    relais_snapshot_complaint(snapshot, 0, &fresh);
    assert_false(fresh);
    relais_snapshot_release(snapshot);
}

static void test_an_id_in_two_files(void **state)
{
    (void)state;
    write_file("a.xml", FORM("f", "1", ""), OLD);
    write_file("b.xml", FORM("f", "2", ""), OLD);
    check_published("f/1");
    check_complaint("b.xml: form id f is published from a.xml already");
    remove_file("a.xml");
    check_published("f/2");
    check_no_complaint();
}

/* ---- media ----------------------------------------------------------------------------- */

static void check_media(const char *expected)
{
    relais_snapshot *snapshot = look();
    const relais_form_entry *form = relais_snapshot_find(snapshot, "f", NULL);
    relais_buffer text;

    assert_non_null(form);
    relais_buffer_init(&text, 4096);
    relais_buffer_append_text(&text, "");
    for (size_t i = 0; i < form->media_count; i++)
        relais_buffer_append_format(&text, "%s ", form->media[i].filename);
    assert_string_equal(text.data, expected);
    relais_buffer_free(&text);
    relais_snapshot_release(snapshot);
}

static void test_media_that_change(void **state)
{
    relais_snapshot *first, *second;

    (void)state;
    write_file("f.xml", FORM("f", "1", ""), OLD);
    check_media("");
    make_directory("f-media");
    write_file("f-media/a", "1", OLD);
    first = look();
    check_media("a ");
    write_file("f-media/b", "1", 0);
    check_media("a ");
    write_file("f-media/b", "1", OLD);
    check_media("a b ");
    second = look();
    assert_ptr_not_equal(first, second);
    /* The XML is the one read before. */
    assert_ptr_equal(relais_snapshot_find(first, "f", NULL)->xml,
                     relais_snapshot_find(second, "f", NULL)->xml);
    /* What a snapshot's holder has stays as it was. */
    assert_int_equal(relais_snapshot_find(first, "f", NULL)->media_count, 1);
    relais_snapshot_release(first);
    relais_snapshot_release(second);
    write_file("f-media/a", "2", OLD);
    second = look();
    check_md5("2", 1, relais_form_media(relais_snapshot_find(second, "f", NULL), "a")->md5);
    relais_snapshot_release(second);
    remove_file("f-media/a");
    check_media("b ");
}

static void test_a_form_waits_for_its_media(void **state)
{
    (void)state;
    make_directory("f-media");
    write_file("f-media/a", "1", 0);
    write_file("f.xml", FORM("f", "1", ""), OLD);
    check_published("");
    write_file("f-media/a", "1", OLD);
    check_published("f/1");
}

static void test_media_names(void **state)
{
    (void)state;
    make_directory("f-media");
    write_file("f.xml", FORM("f", "1", ""), OLD);
    write_file("f-media/\xe9", "", OLD);
    check_published("");
    check_complaint("f.xml: the name of one of its media");
    remove_file("f-media/\xe9");
    write_file("f-media/a\nb", "", OLD);
    check_complaint("f.xml: the name of one of its media");
    remove_file("f-media/a\nb");
    check_published("f/1");
}

static void test_media_limit(void **state)
{
    char name[64];

    (void)state;
    make_directory("f-media");
    write_file("f.xml", FORM("f", "1", ""), OLD);
    for (int i = 0; i < RELAIS_FORM_MEDIA_MAX; i++) {
        snprintf(name, sizeof name, "f-media/%d", i);
        write_file(name, "", OLD);
    }
    check_published("f/1");
    write_file("f-media/more", "", OLD);
    check_complaint("more media than");
    check_published("f/1");
}

/* ---- limits and failures --------------------------------------------------------------- */

static void test_form_size_limit(void **state)
{
    struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    int fd = open(path_in_directory("f.xml"), O_WRONLY | O_CREAT, 0644);

    (void)state;
    assert_int_equal(ftruncate(fd, RELAIS_FORM_XML_MAX + 1), 0);
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
    check_published("");
    check_complaint("f.xml: the form is larger than");
}

static void test_large_form(void **state)
{
    size_t size = 15 * 1024 * 1024;
    char *xml = malloc(size);
    static const char head[] =
        "<html><head><model><instance><d id='f'/></instance></model></head><body>";
    static const char tail[] = "</body></html>";

    (void)state;
    assert_non_null(xml);
    memset(xml, ' ', size);
    memcpy(xml, head, sizeof head - 1);
    memcpy(xml + size - sizeof tail + 1, tail, sizeof tail - 1);
    write_bytes("f.xml", xml, size, OLD);
    free(xml);
    check_published("f/");
    check_no_complaint();
}

static void test_forms_limit(void **state)
{
    char name[64], xml[1024];

    (void)state;
    for (int i = 0; i <= RELAIS_FORMS_MAX; i++) {
        snprintf(name, sizeof name, "%05d.xml", i);
        snprintf(xml, sizeof xml, HTML("<model><instance><d id='%d'/></instance></model>"), i);
        write_file(name, xml, OLD);
    }
    check_complaint("more forms than");
    remove_file("00000.xml");
    check_no_complaint();
}

static void test_a_directory_that_goes_away(void **state)
{
    relais_snapshot *snapshot;
    relais_error err;
    relais_forms *none;

    (void)state;
    relais_error_clear(&err);
    assert_false(relais_forms_open("/nonexistent/forms", &none, &err));
    assert_int_equal(err.code, RELAIS_ERR_SYSTEM);
    assert_null(none);

    teardown_directory(state);
    relais_error_clear(&err);
    assert_null(relais_forms_acquire(forms, false, &err));
    assert_int_equal(err.code, RELAIS_ERR_SYSTEM);
    assert_int_equal(mkdir(directory, 0755), 0);
    write_file("f.xml", FORM("f", "1", ""), OLD);
    check_published("f/1");
    teardown_directory(state);
    relais_error_clear(&err);
    snapshot = relais_forms_acquire(forms, true, &err);
    assert_int_equal(err.code, RELAIS_ERR_SYSTEM);
    assert_non_null(relais_snapshot_find(snapshot, "f", "1"));
    relais_snapshot_release(snapshot);
}

static void test_it_looks_once_a_second(void **state)
{
    relais_snapshot *snapshot;

    (void)state;
    check_published("");
    write_file("f.xml", FORM("f", "1", ""), OLD);
    snapshot = relais_forms_acquire(forms, false, NULL);
    assert_null(relais_snapshot_find(snapshot, "f", NULL));
    relais_snapshot_release(snapshot);
    usleep(1100 * 1000);
    snapshot = relais_forms_acquire(forms, false, NULL);
    assert_non_null(relais_snapshot_find(snapshot, "f", NULL));
    relais_snapshot_release(snapshot);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_form_with_media),
        TEST(test_an_empty_directory),
        TEST(test_ignored_files),
        TEST(test_order_is_by_file_name),
        TEST(test_definitions),
        TEST(test_refused_definitions),
        TEST(test_long_identity),
        TEST(test_a_fresh_file_waits),
        TEST(test_a_file_settles_by_itself),
        TEST(test_a_half_written_change_keeps_the_old),
        TEST(test_renaming_into_place),
        TEST(test_a_complaint_is_fresh_once),
        TEST(test_an_id_in_two_files),
        TEST(test_media_that_change),
        TEST(test_a_form_waits_for_its_media),
        TEST(test_media_names),
        TEST(test_media_limit),
        TEST(test_form_size_limit),
        TEST(test_large_form),
        TEST(test_forms_limit),
        TEST(test_a_directory_that_goes_away),
        TEST(test_it_looks_once_a_second),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    xmlCleanupParser();
    return failed;
}
