/*
 * Addresses, the form list and manifests: exactly what Collect accepts, and that every
 * address that is handed out is understood when it comes back.
 */
#include "openrosa/routes.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include "forms_directory.h"

#define BASE "https://example.bf/odk"

/* ---- reading addresses ----------------------------------------------------------------- */

static relais_arena *arena;

static int setup_arena(void **state)
{
    (void)state;
    arena = relais_arena_create(64 * 1024);
    return arena == NULL ? -1 : 0;
}

static int teardown_arena(void **state)
{
    (void)state;
    relais_arena_destroy(arena);
    return 0;
}

static relais_route parse(const char *rest, size_t length)
{
    relais_route route;
    char *copy = test_malloc(length + 1); /* not NUL-terminated */

    memcpy(copy, rest, length);
    copy[length] = '/';
    assert_true(relais_route_parse(copy, length, arena, &route, NULL));
    test_free(copy);
    return route;
}

static void check_route(const char *rest, relais_route_kind kind, const char *id,
                        const char *version, const char *filename)
{
    relais_route route = parse(rest, strlen(rest));

    if (route.kind != kind)
        fail_msg("%s: kind %d", rest, route.kind);
    if (id == NULL)
        return;
    assert_string_equal(route.form_id, id);
    assert_string_equal(route.version, version);
    if (filename != NULL)
        assert_string_equal(route.filename, filename);
    else
        assert_null(route.filename);
}

static void check_none(const char *rest)
{
    check_route(rest, RELAIS_ROUTE_NONE, NULL, NULL, NULL);
}

static void test_routes(void **state)
{
    (void)state;
    check_route("formList", RELAIS_ROUTE_FORM_LIST, NULL, NULL, NULL);
    check_route("/formList", RELAIS_ROUTE_FORM_LIST, NULL, NULL, NULL);
    check_route("submission", RELAIS_ROUTE_SUBMISSION, NULL, NULL, NULL);
    check_route("forms/f/7/form.xml", RELAIS_ROUTE_FORM, "f", "7", NULL);
    check_route("forms/f/-/manifest", RELAIS_ROUTE_MANIFEST, "f", "", NULL);
    check_route("forms/f/--1/manifest", RELAIS_ROUTE_MANIFEST, "f", "-1", NULL);
    check_route("forms/f/--/manifest", RELAIS_ROUTE_MANIFEST, "f", "-", NULL);
    check_route("forms/f/7/media/a%20%C3%A9%2b.csv", RELAIS_ROUTE_MEDIA, "f", "7", "a é+.csv");
    check_route("forms/http%3A%2F%2Fx%2Ff/7/form.xml", RELAIS_ROUTE_FORM, "http://x/f", "7", NULL);
    check_route("forms/%2E%2E/7/form.xml", RELAIS_ROUTE_FORM, "..", "7", NULL);
}

static void test_no_routes(void **state)
{
    (void)state;
    check_none("");
    check_none("/");
    check_none("//formList");
    check_none("formList/");
    check_none("formlist");
    check_none("formListing");
    check_none("submission/x");
    check_none("forms");
    check_none("forms/f/7");
    check_none("forms/f/7/");
    check_none("forms/f/7/form.xml/");
    check_none("forms//7/form.xml");
    check_none("forms/f//form.xml");
    check_none("forms/f/7/media");
    check_none("forms/f/7/media/");
    check_none("forms/f/7/media/.");
    check_none("forms/f/7/media/..");
    check_none("forms/f/7/media/%2e%2E");
    check_none("forms/f/7/media/a/b");
    check_none("forms/f/7/media/..%2Ff.xml");
    check_none("forms/f/7/media/a%00.csv");
    check_none("forms/f%00/7/form.xml");
    check_none("forms/f/%00/form.xml");
    check_none("forms/f/7/files/a");
    check_none("Forms/f/7/form.xml");
    assert_int_equal(parse("formList\0", 9).kind, RELAIS_ROUTE_NONE);
    assert_int_equal(parse("forms/f/7/media/a\0b", 19).kind, RELAIS_ROUTE_NONE);
}

static void test_no_memory_for_a_route(void **state)
{
    relais_arena *small = relais_arena_create(4);
    relais_route route;
    relais_error err;

    (void)state;
    relais_error_clear(&err);
    assert_false(relais_route_parse("forms/abcdef/7/form.xml", 23, small, &route, &err));
    assert_int_equal(err.code, RELAIS_ERR_LIMIT);
    relais_arena_destroy(small);
}

/* ---- documents ------------------------------------------------------------------------- */

static relais_forms *forms;
static relais_snapshot *snapshot;

static int setup_forms(void **state)
{
    return setup_arena(state) == 0 && setup_directory(state) == 0 &&
                   relais_forms_open(directory, &forms, NULL)
               ? 0
               : -1;
}

static int teardown_forms(void **state)
{
    relais_snapshot_release(snapshot);
    snapshot = NULL;
    relais_forms_close(forms);
    teardown_directory(state);
    return teardown_arena(state);
}

static void take_snapshot(void)
{
    relais_snapshot_release(snapshot);
    snapshot = relais_forms_acquire(forms, true, NULL);
    assert_non_null(snapshot);
}

static xmlDoc *parse_document(const relais_buffer *out, const char *root, const char *namespace)
{
    xmlDoc *doc;
    xmlNode *node;

    assert_int_equal(out->failed, RELAIS_ERR_NONE);
    doc = xmlReadMemory(out->data, (int)out->length, NULL, NULL, XML_PARSE_NONET);
    assert_non_null(doc);
    node = xmlDocGetRootElement(doc);
    assert_string_equal(node->name, root);
    assert_string_equal(node->ns->href, namespace);
    return doc;
}

static xmlDoc *form_list(const char *base_url, const char *form_id)
{
    relais_buffer out;
    xmlDoc *doc;

    relais_buffer_init(&out, 1024 * 1024);
    relais_form_list_render(snapshot, base_url, form_id, &out);
    doc = parse_document(&out, "xforms", "http://openrosa.org/xforms/xformsList");
    relais_buffer_free(&out);
    return doc;
}

/* The text of a child element, NULL when there is none; released with the arena. */
static const char *child(const xmlNode *parent, const char *name)
{
    for (xmlNode *node = parent->children; node != NULL; node = node->next) {
        if (node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0) {
            xmlChar *text = xmlNodeGetContent(node);
            const char *copy = relais_arena_text(arena, (const char *)text);
            xmlFree(text);
            return copy;
        }
    }
    return NULL;
}

static void check_hash(const char *hash, const char *md5)
{
    assert_memory_equal(hash, "md5:", 4);
    assert_string_equal(hash + 4, md5);
}

static void test_form_list(void **state)
{
    xmlDoc *doc;
    xmlNode *node;

    (void)state;
    write_file("a.xml", FORM("a", "7", "Ménage &lt;1&gt; &amp; 2"), OLD);
    make_directory("b-media");
    write_file("b-media/x.csv", "x", OLD);
    write_file("b.xml", FORM("b &amp; &#233;", "", ""), OLD);
    take_snapshot();
    doc = form_list(BASE, NULL);
    node = xmlFirstElementChild(xmlDocGetRootElement(doc));
    assert_string_equal(node->name, "xform");
    assert_string_equal(child(node, "formID"), "a");
    assert_string_equal(child(node, "name"), "Ménage <1> & 2");
    assert_string_equal(child(node, "version"), "7");
    check_hash(child(node, "hash"), relais_snapshot_find(snapshot, "a", NULL)->md5);
    assert_string_equal(child(node, "downloadUrl"), BASE "/forms/a/7/form.xml");
    assert_null(child(node, "manifestUrl"));
    node = xmlNextElementSibling(node);
    assert_string_equal(child(node, "formID"), "b & é");
    assert_string_equal(child(node, "name"), "b & é");
    assert_null(child(node, "version"));
    assert_string_equal(child(node, "downloadUrl"), BASE "/forms/b%20%26%20%C3%A9/-/form.xml");
    assert_string_equal(child(node, "manifestUrl"), BASE "/forms/b%20%26%20%C3%A9/-/manifest");
    assert_null(xmlNextElementSibling(node));
    xmlFreeDoc(doc);
}

static void test_form_list_filter(void **state)
{
    xmlDoc *doc;

    (void)state;
    write_file("a.xml", FORM("a", "7", ""), OLD);
    write_file("b.xml", FORM("b", "7", ""), OLD);
    take_snapshot();
    doc = form_list(BASE, "b");
    assert_int_equal(xmlChildElementCount(xmlDocGetRootElement(doc)), 1);
    xmlFreeDoc(doc);
    doc = form_list(BASE, "c");
    assert_int_equal(xmlChildElementCount(xmlDocGetRootElement(doc)), 0);
    xmlFreeDoc(doc);
}

static void test_no_double_slash(void **state)
{
    static const char *const bases[] = {BASE, BASE "/", BASE "//"};

    (void)state;
    write_file("a.xml", FORM("a", "7", ""), OLD);
    take_snapshot();
    for (size_t i = 0; i < 3; i++) {
        xmlDoc *doc = form_list(bases[i], NULL);
        xmlNode *node = xmlFirstElementChild(xmlDocGetRootElement(doc));

        assert_string_equal(child(node, "downloadUrl"), BASE "/forms/a/7/form.xml");
        xmlFreeDoc(doc);
    }
}

static void test_manifest(void **state)
{
    const relais_form_entry *form;
    relais_buffer out;
    xmlDoc *doc;
    xmlNode *node;

    (void)state;
    make_directory("a-media");
    write_file("a-media/été & <1>.jpg", "x", OLD);
    write_file("a-media/villages.csv", "name", OLD);
    write_file("a.xml", FORM("a", "-7", ""), OLD);
    take_snapshot();
    form = relais_snapshot_find(snapshot, "a", NULL);
    relais_buffer_init(&out, 1024 * 1024);
    relais_manifest_render(form, BASE "/", &out);
    doc = parse_document(&out, "manifest", "http://openrosa.org/xforms/xformsManifest");
    relais_buffer_free(&out);
    node = xmlFirstElementChild(xmlDocGetRootElement(doc));
    assert_string_equal(node->name, "mediaFile");
    assert_string_equal(child(node, "filename"), "villages.csv");
    check_hash(child(node, "hash"), relais_form_media(form, "villages.csv")->md5);
    assert_string_equal(child(node, "downloadUrl"), BASE "/forms/a/--7/media/villages.csv");
    node = xmlNextElementSibling(node);
    assert_string_equal(child(node, "filename"), "été & <1>.jpg");
    assert_string_equal(child(node, "downloadUrl"),
                        BASE "/forms/a/--7/media/%C3%A9t%C3%A9%20%26%20%3C1%3E.jpg");
    assert_null(xmlNextElementSibling(node));
    xmlFreeDoc(doc);
}

static void test_manifest_without_media(void **state)
{
    relais_buffer out;
    xmlDoc *doc;

    (void)state;
    write_file("a.xml", FORM("a", "7", ""), OLD);
    take_snapshot();
    relais_buffer_init(&out, 4096);
    relais_manifest_render(relais_snapshot_find(snapshot, "a", NULL), BASE, &out);
    doc = parse_document(&out, "manifest", "http://openrosa.org/xforms/xformsManifest");
    assert_null(xmlFirstElementChild(xmlDocGetRootElement(doc)));
    xmlFreeDoc(doc);
    relais_buffer_free(&out);
}

static void test_addresses_come_back(void **state)
{
    static const struct {
        const char *xml;
        const char *id;
        const char *version;
    } cases[] = {
        {FORM("f", "", ""), "f", ""},
        {FORM("f", "-", ""), "f", "-"},
        {FORM("f", "--2", ""), "f", "--2"},
        {FORM("http://x/y?a=b#c", "1/2", ""), "http://x/y?a=b#c", "1/2"},
        {FORM("100%25 é", "a+b", ""), "100%25 é", "a+b"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        xmlDoc *doc;
        const char *url;

        write_file("f.xml", cases[i].xml, OLD + (long)i);
        take_snapshot();
        doc = form_list(BASE, NULL);
        url = child(xmlFirstElementChild(xmlDocGetRootElement(doc)), "downloadUrl");
        assert_memory_equal(url, BASE "/", sizeof BASE);
        check_route(url + sizeof BASE, RELAIS_ROUTE_FORM, cases[i].id, cases[i].version, NULL);
        xmlFreeDoc(doc);
    }
}

/* ---- ETags ----------------------------------------------------------------------------- */

static void test_etags(void **state)
{
    char etag[35], same[35];

    (void)state;
    relais_etag_of("abc", 3, etag);
    assert_string_equal(etag, "\"900150983cd24fb0d6963f7d28e17f72\"");
    relais_etag_from_md5("900150983cd24fb0d6963f7d28e17f72", same);
    assert_string_equal(etag, same);
}

static void test_etag_matches(void **state)
{
    static const char etag[] = "\"900150983cd24fb0d6963f7d28e17f72\"";
    static const struct {
        const char *header;
        bool matches;
    } cases[] = {
        {"", false},
        {"*", true},
        {" * ", true},
        {"\"900150983cd24fb0d6963f7d28e17f72\"", true},
        {"W/\"900150983cd24fb0d6963f7d28e17f72\"", true},
        {"\"a\", \"b,c\" ,W/\"900150983cd24fb0d6963f7d28e17f72\" , \"d\"", true},
        {"900150983cd24fb0d6963f7d28e17f72", false},
        {"\"900150983cd24fb0d6963f7d28e17f7\"", false},
        {"\"900150983cd24fb0d6963f7d28e17f72", false},
        {"W/", false},
        {",,", false},
    };

    (void)state;
    assert_false(relais_etag_matches(NULL, 0, etag));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (relais_etag_matches(cases[i].header, strlen(cases[i].header), etag) != cases[i].matches)
            fail_msg("%s", cases[i].header);
    }
}

#define ADDRESS(name)  cmocka_unit_test_setup_teardown(name, setup_arena, teardown_arena)
#define DOCUMENT(name) cmocka_unit_test_setup_teardown(name, setup_forms, teardown_forms)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ADDRESS(test_routes),
        ADDRESS(test_no_routes),
        ADDRESS(test_no_memory_for_a_route),
        DOCUMENT(test_form_list),
        DOCUMENT(test_form_list_filter),
        DOCUMENT(test_no_double_slash),
        DOCUMENT(test_manifest),
        DOCUMENT(test_manifest_without_media),
        DOCUMENT(test_addresses_come_back),
        cmocka_unit_test(test_etags),
        cmocka_unit_test(test_etag_matches),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    xmlCleanupParser();
    return failed;
}
