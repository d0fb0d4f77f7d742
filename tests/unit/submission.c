/*
 * Submissions as clients really write them: meta, edits, envelopes, repairs, refusals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "xform/submission.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/xpath.h>

static relais_arena *arena;
static relais_error err;
static int64_t offset;

static int setup(void **state)
{
    (void)state;
    arena = relais_arena_create(64 * 1024 * 1024);
    memset(&err, 0, sizeof err);
    return arena == NULL;
}

static int teardown(void **state)
{
    (void)state;
    relais_arena_destroy(arena);
    return 0;
}

static relais_submission parse(const char *xml)
{
    relais_submission submission;
    char said[1024];

    if (!relais_submission_parse(xml, strlen(xml), arena, &submission, &offset, &err))
        fail_msg("%s\n%s", relais_error_format(&err, said, sizeof said), xml);
    assert_int_equal(offset, -1);
    assert_string_equal(submission.xml, xml);
    return submission;
}

static void refuse(const char *xml, relais_error_code code)
{
    relais_submission submission;

    relais_error_clear(&err);
    if (relais_submission_parse(xml, strlen(xml), arena, &submission, &offset, &err))
        fail_msg("accepted: %s", xml);
    if (err.code != code)
        fail_msg("%s instead: %s\n%s", relais_error_word(err.code), err.text, xml);
}

/* The string value of an XPath in a submission's document. */
static const char *value(const relais_submission *submission, const char *path)
{
    xmlXPathContextPtr context = xmlXPathNewContext(submission->doc);
    xmlXPathObjectPtr found = xmlXPathEvalExpression((const xmlChar *)path, context);
    xmlChar *text;
    const char *copy;

    assert_non_null(found);
    text = xmlXPathCastToString(found);
    copy = relais_arena_text(arena, (const char *)text);
    xmlFree(text);
    xmlXPathFreeObject(found);
    xmlXPathFreeContext(context);
    return copy;
}

/* ---- shapes ------------------------------------------------------------------------------ */

static void test_collect(void **state)
{
    relais_submission s = parse(
        "<?xml version='1.0' ?><data xmlns:jr=\"http://openrosa.org/javarosa\" "
        "xmlns:orx=\"http://openrosa.org/xforms\" xmlns:odk=\"http://www.opendatakit.org/xforms\" "
        "id=\"bf_tip_ident\" version=\"2026030100\"><person><age>14</age><sex /></person>"
        "<orx:meta><orx:instanceID>uuid:5f2c</orx:instanceID></orx:meta></data>");

    (void)state;
    assert_string_equal(s.form_id, "bf_tip_ident");
    assert_string_equal(s.version, "2026030100");
    assert_string_equal(s.instance_id, "uuid:5f2c");
    assert_string_equal(s.deprecated_id, "");
    assert_string_equal(s.repairs, "");
    assert_false(s.is_encrypted);
    assert_int_equal(s.attachment_count, 0);
    assert_string_equal(value(&s, "/data/person/age"), "14");
    assert_string_equal(value(&s, "/data/meta/instanceID"), "uuid:5f2c");
    assert_string_equal(value(&s, "count(//namespace::*[name() != 'xml'])"), "0");
}

static void test_collect_edit_has_deprecated_id_without_prefix(void **state)
{
    relais_submission s =
        parse("<?xml version='1.0' ?><data xmlns:orx=\"http://openrosa.org/xforms\" id=\"f\">"
              "<orx:meta><orx:instanceID>uuid:new</orx:instanceID>"
              "<deprecatedID>uuid:old</deprecatedID></orx:meta></data>");

    (void)state;
    assert_string_equal(s.instance_id, "uuid:new");
    assert_string_equal(s.deprecated_id, "uuid:old");
}

static void test_enketo_pretty_printed(void **state)
{
    relais_submission s =
        parse("<data xmlns=\"http://example.org/f\" "
              "xmlns:orx=\"http://openrosa.org/xforms/\" id=\"f\" version=\"2\">\n"
              "  <name>\n    A\n  </name>\n"
              "  <orx:meta>\n    <orx:instanceID>\n      uuid:e\n    "
              "</orx:instanceID>\n  </orx:meta>\n</data>\n");

    (void)state;
    assert_string_equal(s.instance_id, "uuid:e");
    assert_string_equal(s.version, "2");
    assert_string_equal(value(&s, "normalize-space(/data/name)"), "A");
}

static void test_other_places_of_the_id(void **state)
{
    static const struct {
        const char *xml;
        const char *instance;
    } cases[] = {
        /* pyxform: no namespace at all */
        {"<d id='f'><meta><instanceID>a</instanceID></meta></d>", "a"},
        /* the XForms default namespace on the whole */
        {"<d xmlns='http://www.w3.org/2002/xforms' "
         "id='f'><meta><instanceID>a</instanceID></meta></d>",
         "a"},
        /* meta below a group, as Aggregate allowed */
        {"<d id='f'><g><h><meta><instanceID>a</instanceID></meta></h></g></d>", "a"},
        /* the direct child wins over a deeper one that stands before it */
        {"<d id='f'><g><meta><instanceID>deep</instanceID></meta></g>"
         "<meta><instanceID>a</instanceID></meta></d>",
         "a"},
        /* a meta that only holds an entity, in a repeat */
        {"<d id='f'><r><meta><entity "
         "dataset='x'/></meta></r><meta><instanceID>a</instanceID></meta></d>",
         "a"},
        /* a question group called meta before the real one */
        {"<d id='f'><meta><age>3</age></meta><meta><instanceID>a</instanceID></meta></d>", "a"},
        /* an attribute of the root; meta wins */
        {"<d id='f' instanceID='a'/>", "a"},
        {"<d id='f' instanceID='attr'><meta><instanceID>a</instanceID></meta></d>", "a"},
        {"<d id='f' instanceID='a'><meta><instanceID/></meta></d>", "a"},
        /* directly below the root; the attribute wins */
        {"<d id='f'><instanceID>a</instanceID></d>", "a"},
        {"<d id='f' instanceID='a'><instanceID>child</instanceID></d>", "a"},
        /* none */
        {"<d id='f'><x/></d>", ""},
        {"<d id='f'><meta><instanceID>  </instanceID></meta></d>", ""},
        /* in CDATA */
        {"<d id='f'><meta><instanceID><![CDATA[a]]></instanceID></meta></d>", "a"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        relais_submission s = parse(cases[i].xml);
        if (strcmp(s.instance_id, cases[i].instance) != 0)
            fail_msg("case %zu: \"%s\"", i, s.instance_id);
    }
}

static void test_prefixed_attributes(void **state)
{
    relais_submission s = parse("<d xmlns:orx='http://openrosa.org/xforms' orx:version='9' "
                                "version='2' orx:id='no' id='f'/>");

    (void)state;
    assert_string_equal(s.form_id, "f");
    assert_string_equal(s.version, "2");
    s = parse("<d xmlns:orx='http://openrosa.org/xforms' orx:version='9' id='f'/>");
    assert_string_equal(s.version, "9");
}

static void test_envelopes(void **state)
{
    relais_submission s = parse(
        "<data id=\"f\" version=\"1\" encrypted=\"yes\" "
        "xmlns=\"http://www.opendatakit.org/xforms/encrypted\"><base64EncryptedKey>k"
        "</base64EncryptedKey><orx:meta xmlns:orx=\"http://openrosa.org/xforms\">\n<orx:instanceID>"
        "uuid:1</orx:instanceID></orx:meta>\n<encryptedXmlFile>submission.xml.enc</"
        "encryptedXmlFile>"
        "</data>");

    (void)state;
    assert_true(s.is_encrypted);
    assert_string_equal(s.instance_id, "uuid:1");
    assert_string_equal(value(&s, "/data/encryptedXmlFile"), "submission.xml.enc");
    s = parse(
        "<data xmlns=\"http://opendatakit.org/submissions\" encrypted=\"yes\" id=\"f\">"
        "<encryptedXmlFile>x</encryptedXmlFile>"
        "<meta xmlns=\"http://openrosa.org/xforms\"><instanceID>uuid:2</instanceID></meta></data>");
    assert_true(s.is_encrypted);
    assert_string_equal(s.instance_id, "uuid:2");
    assert_false(parse("<data encrypted='no' id='f'/>").is_encrypted);
}

static void test_hash_is_of_the_bytes_received(void **state)
{
    relais_submission s = parse("<d id='f'/>");
    char hex[2 * RELAIS_SHA256_SIZE + 1];

    (void)state;
    relais_hex(s.xml_sha256, RELAIS_SHA256_SIZE, hex);
    /* printf "<d id='f'/>" | sha256sum */
    assert_string_equal(hex, "27770225d6e49fee87b15cf82bd21346efc8d3f76a92039b0dff8c7995c5de8d");
}

static void test_other_encodings(void **state)
{
    relais_submission s =
        parse("<?xml version='1.0' encoding='ISO-8859-1'?><d id='f'><n>\xe9</n></d>");

    (void)state;
    assert_string_equal(value(&s, "/d/n"), "\xc3\xa9");
    s = parse("\xef\xbb\xbf<d id='f'><n>\xc3\xa9</n></d>");
    assert_string_equal(value(&s, "/d/n"), "\xc3\xa9");
}

static void test_cdata_is_text(void **state)
{
    relais_submission s = parse("<d id='f'><n><![CDATA[a < b]]></n></d>");

    (void)state;
    assert_string_equal(value(&s, "/d/n"), "a < b");
    assert_string_equal(s.repairs, "");
}

/* ---- repairs ----------------------------------------------------------------------------- */

static void test_repairs(void **state)
{
    static const struct {
        const char *in; /* between <n> and </n>, or a whole tag */
        const char *out;
        const char *said;
    } cases[] = {
        {"a&#55357;&#56832;b",
         "a\xf0\x9f\x98\x80"
         "b",
         "surrogates"},
        {"&#xD83D;&#xDE00;", "\xf0\x9f\x98\x80", "surrogates"},
        {"&#55357;&#xde00;&#55357;&#56832;", "\xf0\x9f\x98\x80\xf0\x9f\x98\x80", "(2 times)"},
        {"&#xDBFF;&#xDFFF;", "\xf4\x8f\xbf\xbf", "surrogates"},
        {"&#55357;x", "\xef\xbf\xbdx", "U+FFFD"},
        {"&#56832;&#55357;", "\xef\xbf\xbd\xef\xbf\xbd", "(2 times)"},
        {"&#0;", "\xef\xbf\xbd", "U+FFFD"},
        {"&#x1F;&#xFFFE;", "\xef\xbf\xbd\xef\xbf\xbd", "U+FFFD"},
        {"&#1114112;&#99999999999999999999;", "\xef\xbf\xbd\xef\xbf\xbd", "U+FFFD"},
        {"&#65;&#9;&#0;", "A\t\xef\xbf\xbd", "(1 times)"},
        {"&#0;<!-- &#0; < --><?pi &#0;?><![CDATA[&#0;]]>", "\xef\xbf\xbd&#0;", "(1 times)"},
        {"<m q='1 < 2'/>", "", "'<' in an attribute"},
        {"<m q=\"'<a>'\">x</m>", "x", "'<' in an attribute"},
        {"<m q='&#0;'/>", "", "U+FFFD"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char xml[512];
        relais_submission s;
        snprintf(xml, sizeof xml, "<d id='f'><n>%s</n></d>", cases[i].in);
        s = parse(xml);
        if (strcmp(value(&s, "/d/n"), cases[i].out) != 0)
            fail_msg("case %zu gave %s", i, value(&s, "/d/n"));
        if (strstr(s.repairs, cases[i].said) == NULL)
            fail_msg("case %zu said \"%s\"", i, s.repairs);
    }
}

static void test_less_than_in_attribute_keeps_its_text(void **state)
{
    relais_submission s = parse("<d id='f' note='a<b>c'/>");

    (void)state;
    assert_string_equal(value(&s, "/d/@note"), "a<b>c");
}

static void test_undeclared_prefixes(void **state)
{
    relais_submission s = parse("<d id='f' odk:x='1'><orx:meta><orx:instanceID>a</orx:instanceID>"
                                "</orx:meta><orx:b>2</orx:b></d>");

    (void)state;
    assert_string_equal(s.instance_id, "a");
    assert_string_equal(value(&s, "/d/b"), "2");
    assert_string_equal(value(&s, "/d/@x"), "1");
    assert_non_null(strstr(s.repairs, "were removed: "));
    assert_non_null(strstr(s.repairs, "odk"));
    assert_non_null(strstr(s.repairs, "orx"));
    assert_null(strstr(strstr(s.repairs, "orx") + 1, "orx")); /* each once */
}

/* A repair that does not lead to well-formed XML is none: the first error counts. */
static void test_repair_does_not_hide_the_first_error(void **state)
{
    (void)state;
    refuse("<d id='f'><n a='&#0;'></m></d>", RELAIS_ERR_SYNTAX);
    assert_non_null(strstr(err.text, "not allowed in XML"));
    refuse("<d id='f'><n a='x><m b='y'/></n></d>", RELAIS_ERR_SYNTAX);
}

/* ---- refusals ---------------------------------------------------------------------------- */

static void test_refusals_with_offset(void **state)
{
    static const struct {
        const char *xml;
        int64_t from, to; /* the offset must lie here */
    } cases[] = {
        {"<d id='f'><a></b></d>", 13, 18},
        {"<d id='f'><a>", 10, 13},
        {"<d id='f'>\xe9 is Latin</d>", 10, 10},
        {"<d id='f'><a>\xed\xa0\xbd\xed\xb8\x80</a></d>", 13, 13}, /* CESU-8 */
        {"<d id='f'>a & b</d>", 12, 14},
        {"<d id='f'>&eacute;</d>", 10, 18},
        {"<d id='f'>\x01</d>", 10, 11},
        {"<d id='f'/><d/>", 11, 12},
        {"<d id='f' id='g'/>", 10, 17},
        {"<d id=f/>", 6, 7},
        {"text", 0, 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        refuse(cases[i].xml, RELAIS_ERR_SYNTAX);
        if (offset < cases[i].from || offset > cases[i].to)
            fail_msg("case %zu: offset %lld: %s", i, (long long)offset, err.text);
    }
    refuse("", RELAIS_ERR_SYNTAX);
    refuse("   ", RELAIS_ERR_SYNTAX);
}

static void test_offset_beyond_the_parsers_window(void **state)
{
    enum { FILL = 300000 };
    char *xml = calloc(1, FILL + 64);
    size_t at = (size_t)snprintf(xml, 64, "<d id='f'>");

    (void)state;
    memset(xml + at, '\n', FILL);
    memcpy(xml + at + FILL, "<a></b></d>", 12);
    refuse(xml, RELAIS_ERR_SYNTAX);
    assert_in_range(offset, at + FILL, at + FILL + 8);
    assert_int_equal(err.line, FILL + 1);
    free(xml);
}

static void test_nul_is_not_the_end(void **state)
{
    static const char xml[] = "<d id='f'/>\0\0\0";
    relais_submission s;

    (void)state;
    assert_false(relais_submission_parse(xml, sizeof xml - 1, arena, &s, &offset, &err));
    assert_int_equal(err.code, RELAIS_ERR_SYNTAX);
    assert_int_equal(offset, 11);
}

static void test_messages_never_quote(void **state)
{
    static const char *const cases[] = {"<d id='f'><n>SECRET & x</n></d>",
                                        "<d id='f'><n>&SECRET;</n></d>",
                                        "<d id='f'><n>SECRET\x01</n></d>",
                                        "<d id='f'><n>SECRET\xe9SECRET</n></d>",
                                        "<d id='f'><SECRET></d>",
                                        "<d id='f' SECRET='1' SECRET='2'/>",
                                        "<d id='f' SECRET/>",
                                        "<d id='f'/>SECRET",
                                        "<d id='f'><n>SECRET</n",
                                        "<d id='f'><n>]]>SECRET</n></d>",
                                        "<?xml version='SECRET'?><d id='f'/>",
                                        "<?xml version='1.0' encoding='SECRET'?><d id='f'/>"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        relais_submission s;
        relais_error_clear(&err);
        (void)!relais_submission_parse(cases[i], strlen(cases[i]), arena, &s, &offset, &err);
        assert_null(strstr(err.text, "SECRET"));
        assert_null(strstr(err.path, "SECRET"));
    }
}

static void test_doctype(void **state)
{
    (void)state;
    refuse("<!DOCTYPE d><d id='f'/>", RELAIS_ERR_SYNTAX);
    assert_non_null(strstr(err.text, "DOCTYPE"));
    refuse("<?xml version='1.0'?>\n<!-- c --><!DOCTYPE d [<!ENTITY a 'b'>]><d id='f'>&a;</d>",
           RELAIS_ERR_SYNTAX);
    assert_non_null(strstr(err.text, "DOCTYPE"));
    refuse("<!DOCTYPE d SYSTEM 'file:///etc/passwd'><d id='f'>&#0;</d>", RELAIS_ERR_SYNTAX);
    assert_non_null(strstr(err.text, "DOCTYPE"));
}

static void test_depth(void **state)
{
    char xml[4096] = "";
    size_t length = 0;

    (void)state;
    for (int deep = RELAIS_SUBMISSION_DEPTH_MAX; deep <= RELAIS_SUBMISSION_DEPTH_MAX + 1; deep++) {
        length = (size_t)snprintf(xml, sizeof xml, "<a id='f'>");
        for (int i = 1; i < deep; i++, length += 3)
            memcpy(xml + length, "<a>", 4);
        for (int i = 0; i < deep; i++, length += 4)
            memcpy(xml + length, "</a>", 5);
        if (deep == RELAIS_SUBMISSION_DEPTH_MAX)
            parse(xml);
        else
            refuse(xml, RELAIS_ERR_LIMIT);
    }
}

static void test_size(void **state)
{
    size_t size = RELAIS_SUBMISSION_XML_MAX + 1;
    char *xml = malloc(size + 1);
    relais_submission s;

    (void)state;
    memset(xml, 'x', size);
    memcpy(xml, "<d id='f'>", 10);
    memcpy(xml + size - 4, "</d>", 5);
    assert_false(relais_submission_parse(xml, size, arena, &s, &offset, &err));
    assert_int_equal(err.code, RELAIS_ERR_LIMIT);
    memmove(xml + 10, xml + 11, size - 10); /* one byte shorter fits */
    relais_error_clear(&err);
    assert_true(relais_submission_parse(xml, size - 1, arena, &s, &offset, &err));
    free(xml);
}

static void test_no_form_id(void **state)
{
    (void)state;
    refuse("<d><id>f</id></d>", RELAIS_ERR_SYNTAX);
    assert_non_null(strstr(err.text, "no id attribute"));
    refuse("<d id='  '/>", RELAIS_ERR_SYNTAX);
}

static void test_small_arena_is_a_limit(void **state)
{
    relais_arena *small = relais_arena_create(100);
    relais_submission s;

    (void)state;
    assert_false(relais_submission_parse("<d id='f'><meta><instanceID>a</instanceID></meta></d>",
                                         53, small, &s, &offset, &err));
    assert_int_equal(err.code, RELAIS_ERR_LIMIT);
    relais_arena_destroy(small);
}

/* ---- file names -------------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
    return relais_filename_equal(a, strlen(a), b, strlen(b));
}

static void test_filenames(void **state)
{
    (void)state;
    assert_true(same("photo.jpg", "photo.jpg"));
    assert_false(same("photo.jpg", "Photo.jpg"));
    assert_true(same("d\xc3\xa9j\xc3\xa0.jpg", "de\xcc\x81ja\xcc\x80.jpg"));
    assert_true(same("\xc7\x86\xcc\xa3\xcc\x87", "\xc7\x86\xcc\x87\xcc\xa3")); /* order of marks */
    assert_false(same("e.jpg", "\xc3\xa9.jpg"));
    assert_false(same("\xef\xac\x81.jpg", "fi.jpg")); /* NFC, not NFKC */
    assert_true(same("\xff.jpg", "\xff.jpg"));        /* any bytes are a name */
    assert_false(same("\xff.jpg", "\xfe.jpg"));
    assert_false(same("", "a"));
    assert_true(relais_filename_equal(NULL, 0, "", 0));
    assert_false(relais_filename_equal("a\0b", 3, "a\0c", 3));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_collect),
        TEST(test_collect_edit_has_deprecated_id_without_prefix),
        TEST(test_enketo_pretty_printed),
        TEST(test_other_places_of_the_id),
        TEST(test_prefixed_attributes),
        TEST(test_envelopes),
        TEST(test_hash_is_of_the_bytes_received),
        TEST(test_other_encodings),
        TEST(test_cdata_is_text),
        TEST(test_repairs),
        TEST(test_less_than_in_attribute_keeps_its_text),
        TEST(test_undeclared_prefixes),
        TEST(test_repair_does_not_hide_the_first_error),
        TEST(test_refusals_with_offset),
        TEST(test_offset_beyond_the_parsers_window),
        TEST(test_nul_is_not_the_end),
        TEST(test_messages_never_quote),
        TEST(test_doctype),
        TEST(test_depth),
        TEST(test_size),
        TEST(test_no_form_id),
        TEST(test_small_arena_is_a_limit),
        TEST(test_filenames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
