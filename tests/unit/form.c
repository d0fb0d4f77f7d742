/*
 * Reading form definitions: pyxform's shape, hand-written shapes, and what is no form.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xform/binds.h"
#include "xform/form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static relais_arena *arena;
static relais_error err;
static char file[64];

static int setup(void **state)
{
    (void)state;
    arena = relais_arena_create(8 * 1024 * 1024);
    memset(&err, 0, sizeof err);
    snprintf(file, sizeof file, "/tmp/relais-form-XXXXXX");
    return arena == NULL;
}

static int teardown(void **state)
{
    (void)state;
    unlink(file);
    relais_arena_destroy(arena);
    return 0;
}

static bool read_form(const char *xml, relais_form *form)
{
    int fd = mkstemp(file);
    bool ok;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, xml, strlen(xml)), strlen(xml));
    close(fd);
    ok = relais_form_read(file, arena, form, &err);
    unlink(file);
    return ok;
}

static relais_form form_of(const char *xml)
{
    relais_form form;
    char said[1024];

    if (!read_form(xml, &form))
        fail_msg("%s", relais_error_format(&err, said, sizeof said));
    return form;
}

static const relais_form_node *node_of(const relais_form *form, const char *path)
{
    const relais_form_node *node = relais_form_find(form, path);

    if (node == NULL)
        fail_msg("no node %s", path);
    return node;
}

#define OPEN                                                                                       \
    "<h:html xmlns='http://www.w3.org/2002/xforms' xmlns:h='http://www.w3.org/1999/xhtml'\n"       \
    " xmlns:jr='http://openrosa.org/javarosa' xmlns:orx='http://openrosa.org/xforms'\n"            \
    " xmlns:odk='http://www.opendatakit.org/xforms' "                                              \
    "xmlns:xsd='http://www.w3.org/2001/XMLSchema'>\n"

static const char pyxform[] = OPEN
    "<h:head><h:title> Identification\n</h:title><model odk:xforms-version='1.0.0'>\n"
    "<itext><translation lang='fr'><text id='a'><value>title</value></text></translation></itext>\n"
    "<instance>\n"
    "<data id='bf_tip_ident' version='2026030100'>\n"
    "<person>\n"
    "<age/>\n"
    "<acts/><order/></person><visit jr:template=''><when/><note/></visit>"
    "<visit><when/></visit><photo/><audio/><empty/>"
    "<meta><instanceID/><instanceName/><audit/></meta></data></instance>\n"
    "<instance id='list'><root><item><name>x</name></item></root></instance>"
    "<bind nodeset='/data/person/age' type='int' required='true()'/>"
    "<bind nodeset='/data/person/acts' type='string' required='false()'/>"
    "<bind nodeset='/data/person/order' type='odk:rank'/>"
    "<bind nodeset='/data/visit/when' type='xsd:date' required=\" true() \"/>"
    "<bind nodeset='/data/photo' type='binary'/>"
    "<bind nodeset='/data/meta/instanceID' type='string' jr:preload='uid'/>"
    "<bind nodeset='/data/meta/audit' type='binary'/>"
    "<bind nodeset='/data/meta/entity/@id' type='string'/></model></h:head>\n"
    "<h:body><group ref='/data/person'><label>data</label><input ref='/data/person/age'/>"
    "<select ref='/data/person/acts'><itemset nodeset=\"instance('list')/root/item[x = 1]\">"
    "<value ref='name'/></itemset></select><odk:rank ref='/data/person/order'/></group>"
    "<group ref='/data/visit'><repeat nodeset='/data/visit'><input "
    "ref='/data/visit/when'/></repeat>"
    "</group><upload mediatype='image/*' ref='/data/photo'/>"
    "<upload ref='/data/audio' mediatype='audio/*'/><select1 ref='/data/empty'/>"
    "</h:body></h:html>";

static void test_pyxform(void **state)
{
    relais_form form = form_of(pyxform);
    const relais_form_node *node;

    (void)state;
    assert_string_equal(form.id, "bf_tip_ident");
    assert_string_equal(form.version, "2026030100");
    assert_string_equal(form.title, "Identification");
    assert_string_equal(form.root, "data");
    assert_string_equal(form.nodes[0].path, "/data");
    assert_int_equal(form.nodes[0].kind, RELAIS_NODE_GROUP);
    assert_int_equal(form.count, 15);
    node = node_of(&form, "/data/person/age");
    assert_string_equal(node->type, "int");
    assert_int_equal(node->kind, RELAIS_NODE_LEAF);
    assert_int_equal(node->line, 10);
    assert_true(node->required);
    assert_false(node->is_multiple);
    assert_int_equal(node_of(&form, "/data/person")->kind, RELAIS_NODE_GROUP);
    node = node_of(&form, "/data/person/acts");
    assert_true(node->is_multiple);
    assert_false(node->required);
    assert_true(node_of(&form, "/data/person/order")->is_multiple);
    assert_int_equal(node_of(&form, "/data/visit")->kind, RELAIS_NODE_REPEAT);
    node = node_of(&form, "/data/visit/when");
    assert_string_equal(node->type, "date");
    assert_true(node->required);
    assert_int_equal(node_of(&form, "/data/visit/note")->kind, RELAIS_NODE_LEAF);
    assert_string_equal(node_of(&form, "/data/photo")->type, "binary");
    assert_string_equal(node_of(&form, "/data/audio")->type, "binary"); /* no bind at all */
    assert_string_equal(node_of(&form, "/data/meta/audit")->type, "binary");
    assert_string_equal(node_of(&form, "/data/empty")->type, "string");
    assert_false(node_of(&form, "/data/empty")->is_multiple);
    assert_null(relais_form_find(&form, "/data/nothing"));
    assert_null(relais_form_find(&form, "/root/item"));
}

/* Document order, each path once though the template and the first instance both stand there. */
static void test_order_of_nodes(void **state)
{
    static const char *const paths[] = {"/data",
                                        "/data/person",
                                        "/data/person/age",
                                        "/data/person/acts",
                                        "/data/person/order",
                                        "/data/visit",
                                        "/data/visit/when",
                                        "/data/visit/note",
                                        "/data/photo",
                                        "/data/audio",
                                        "/data/empty",
                                        "/data/meta",
                                        "/data/meta/instanceID",
                                        "/data/meta/instanceName",
                                        "/data/meta/audit"};
    relais_form form = form_of(pyxform);

    (void)state;
    for (size_t i = 0; i < form.count; i++)
        assert_string_equal(form.nodes[i].path, paths[i]);
}

static void test_hand_written(void **state)
{
    relais_form form = form_of(
        "<xf:xform xmlns:xf='http://www.w3.org/2002/xforms' "
        "xmlns:my='urn:m'><xf:model><xf:instance>"
        "<my:q xmlns='urn:m' id='q'><my:g><my:n/><d/></my:g><r><s/><t/></r></my:q></xf:instance>"
        "<xf:bind id='bn' nodeset='g/n' type='xf:decimal'/>"
        "<xf:bind nodeset='my:g'><xf:bind ref='my:d' type='date'/></xf:bind>"
        "<xf:bind id='br' nodeset='/my:q/r'/><xf:bind id='bs' nodeset='/q/r[1]/s' type='select'/>"
        "</xf:model><xf:group ref='g'><xf:input ref='./d'/></xf:group>"
        "<xf:repeat bind='br'><xf:upload ref='../r/t'/></xf:repeat><xf:select "
        "bind='bn'/></xf:xform>");

    (void)state;
    assert_string_equal(form.root, "q");
    assert_string_equal(form.version, "");
    assert_string_equal(form.title, "");
    assert_string_equal(node_of(&form, "/q/g/n")->type, "decimal");
    assert_true(node_of(&form, "/q/g/n")->is_multiple);
    assert_string_equal(node_of(&form, "/q/g/d")->type, "date");
    assert_int_equal(node_of(&form, "/q/r")->kind, RELAIS_NODE_REPEAT);
    assert_true(node_of(&form, "/q/r/s")->is_multiple);
    assert_string_equal(node_of(&form, "/q/r/t")->type, "binary");
}

static void test_what_takes_an_answer(void **state)
{
    static const struct {
        const char *path;
        bool takes;
    } nodes[] = {{"/d/asked", true},   {"/d/note", false},   {"/d/maybe", true},
                 {"/d/made", true},    {"/d/given", true},   {"/d/fixed", true},
                 {"/d/set", true},     {"/d/chained", true}, {"/d/forgotten", false},
                 {"/d/r/note", false}, {"/d/r/kept", true},  {"/d/ok", true}};
    relais_form form = form_of(
        OPEN
        "<h:head><h:title>t</h:title><model><instance><d id='d'><asked/><note/><maybe/><made/>"
        "<given/><fixed>1</fixed><set/><chained/><forgotten> </forgotten>"
        "<r jr:template=''><note/><kept/></r><r><note/><kept>x</kept></r><ok/></d></instance>"
        "<bind nodeset='/d/note' type='string' readonly='true()'/>"
        "<bind nodeset='/d/maybe' readonly=\"/d/asked = 'x'\"/>"
        "<bind nodeset='/d/made' calculate='1 + 1' readonly='true()'/>"
        "<bind nodeset='/d/given' jr:preload='timestamp' jr:preloadParams='start'/>"
        "<bind nodeset='/d/fixed' readonly='true()'/><bind nodeset='/d/r/note' readonly='true()'/>"
        "<setvalue event='odk-instance-first-load' ref='/d/set' value='now()'/>"
        "</model></h:head><h:body><input ref='/d/asked'><setvalue event='xforms-value-changed' "
        "ref='/d/chained'/></input><input ref='/d/note'/><input ref='/d/maybe'/>"
        "<input ref='/d/fixed'/><group ref='/d/r'><repeat nodeset='/d/r'><input ref='/d/r/note'/>"
        "</repeat></group><trigger ref='/d/ok'/></h:body></h:html>");

    (void)state;
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        if (relais_form_node_takes_answer(node_of(&form, nodes[i].path)) != nodes[i].takes)
            fail_msg("%s %s an answer", nodes[i].path, nodes[i].takes ? "takes" : "takes not");
}

static void test_no_forms(void **state)
{
    static const struct {
        const char *xml, *said;
        relais_error_code code;
        long line;
    } cases[] = {
        {"", "no XML", RELAIS_ERR_SYNTAX, 0},
        {"<a>\n<b>\n</a>", "end tag", RELAIS_ERR_SYNTAX, 3},
        {"<!DOCTYPE a><a/>", "DOCTYPE", RELAIS_ERR_SYNTAX, 1},
        {"<a/>", "no model", RELAIS_ERR_CONFIG, 0},
        {"<a>\n<model/></a>", "first instance", RELAIS_ERR_CONFIG, 2},
        {"<a><model>\n<instance>text</instance></model></a>", "first instance", RELAIS_ERR_CONFIG,
         1},
        {"<a><model><instance>\n<d/></instance></model></a>", "no id", RELAIS_ERR_CONFIG, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        relais_form form;
        relais_error_clear(&err);
        snprintf(file, sizeof file, "/tmp/relais-form-XXXXXX");
        assert_false(read_form(cases[i].xml, &form));
        if (err.code != cases[i].code || err.line != cases[i].line ||
            strstr(err.text, cases[i].said) == NULL)
            fail_msg("case %zu: line %ld: %s", i, err.line, err.text);
        assert_string_equal(err.path, file);
    }
}

static void test_files_that_cannot_be_read(void **state)
{
    relais_form form;

    (void)state;
    assert_false(relais_form_read("/nowhere/x.xml", arena, &form, &err));
    assert_int_equal(err.code, RELAIS_ERR_SYSTEM);
    assert_string_equal(err.path, "/nowhere/x.xml");
    relais_error_clear(&err);
    assert_false(relais_form_read("/tmp", arena, &form, &err));
    assert_int_equal(err.code, RELAIS_ERR_CONFIG);
}

static void test_paths(void **state)
{
    static const struct {
        const char *context, *path, *result;
    } cases[] = {
        {"/d", "/d/a/b", "/d/a/b"},
        {"/d", "a/b", "/d/a/b"},
        {"/d/g", "../h", "/d/h"},
        {"/d/g", "./n", "/d/g/n"},
        {"/d/g", ".", "/d/g"},
        {"/d/g", " n ", "/d/g/n"},
        {"/d/g", "current()/../x", "/d/x"},
        {"/d", "/x:d/y:a", "/d/a"},
        {"/d", "/d/r[position() = ../n/m[1]]/s", "/d/r/s"},
        {"/d", "../../..", "/d"},
        {"/d", "instance('l')/root/item", NULL},
        {"/d", "/d/a/@id", NULL},
        {"/d", "a[unclosed", "/d/a"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = relais_path_resolve(cases[i].context, cases[i].path, arena);
        if (cases[i].result == NULL ? path != NULL
                                    : path == NULL || strcmp(path, cases[i].result) != 0)
            fail_msg("case %zu gave %s", i, path == NULL ? "NULL" : path);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_pyxform),      TEST(test_order_of_nodes),
        TEST(test_hand_written), TEST(test_what_takes_an_answer),
        TEST(test_no_forms),     TEST(test_files_that_cannot_be_read),
        TEST(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
