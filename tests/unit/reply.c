/*
 * The answers: each has a text in both languages that a phone's parser can read, and the
 * language is chosen by Accept-Language.
 */
#include "openrosa/reply.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

static xmlDoc *render(relais_reply reply, relais_language language, unsigned limit_mb)
{
    relais_buffer out;
    xmlDoc *doc;

    relais_buffer_init(&out, 4096);
    relais_reply_render(reply, language, limit_mb, &out);
    assert_int_equal(out.failed, RELAIS_ERR_NONE);
    assert_true(relais_utf8_valid(out.data, out.length));
    assert_memory_equal(out.data, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>", 38);
    doc = xmlReadMemory(out.data, (int)out.length, NULL, NULL, XML_PARSE_NONET);
    assert_non_null(doc);
    relais_buffer_free(&out);
    return doc;
}

/* Collect looks for the text "OpenRosaResponse" and an un-prefixed <message>. */
static char *message_of(xmlDoc *doc, const char *nature)
{
    xmlNode *root = xmlDocGetRootElement(doc);
    xmlNode *message = xmlFirstElementChild(root);
    xmlChar *attribute;

    assert_string_equal(root->name, "OpenRosaResponse");
    assert_string_equal(root->ns->href, "http://openrosa.org/http/response");
    assert_null(root->ns->prefix);
    assert_string_equal(message->name, "message");
    assert_null(xmlNextElementSibling(message));
    attribute = xmlGetNoNsProp(message, BAD_CAST "nature");
    assert_string_equal(attribute, nature);
    xmlFree(attribute);
    return (char *)xmlNodeGetContent(message);
}

static void test_every_reply_has_its_document(void **state)
{
    (void)state;
    for (int reply = 0; reply < RELAIS_REPLY_COUNT; reply++) {
        char *texts[2];

        for (int language = 0; language < 2; language++) {
            xmlDoc *doc = render((relais_reply)reply, (relais_language)language, 10);
            texts[language] =
                message_of(doc, reply == RELAIS_REPLY_RECEIVED ? "submit_success" : "error");
            assert_true(strlen(texts[language]) > 10);
            assert_int_equal(texts[language][strlen(texts[language]) - 1], '.');
            assert_null(strchr(texts[language], '\''));
            assert_null(strchr(texts[language], '{'));
            xmlFreeDoc(doc);
        }
        assert_string_not_equal(texts[0], texts[1]);
        xmlFree(texts[0]);
        xmlFree(texts[1]);
        assert_true(relais_reply_status((relais_reply)reply) >= 201);
    }
}

static void test_received(void **state)
{
    xmlDoc *doc = render(RELAIS_REPLY_RECEIVED, RELAIS_FRENCH, 0);
    char *text = message_of(doc, "submit_success");

    (void)state;
    assert_string_equal(text, "Fiche reçue.");
    assert_int_equal(relais_reply_status(RELAIS_REPLY_RECEIVED), 201);
    xmlFree(text);
    xmlFreeDoc(doc);
}

static void test_limit_is_named(void **state)
{
    xmlDoc *doc = render(RELAIS_REPLY_TOO_LARGE, RELAIS_FRENCH, 95);
    char *text = message_of(doc, "error");

    (void)state;
    assert_non_null(strstr(text, "95\u00A0Mo"));
    xmlFree(text);
    xmlFreeDoc(doc);
}

static void test_statuses(void **state)
{
    (void)state;
    for (int reply = 0; reply < RELAIS_REPLY_COUNT; reply++) {
        unsigned status = relais_reply_status((relais_reply)reply);
        relais_reply back = relais_reply_for_status(status);
        assert_int_equal(relais_reply_status(back), status);
    }
    assert_int_equal(relais_reply_for_status(413), RELAIS_REPLY_TOO_LARGE);
    assert_int_equal(relais_reply_for_status(401), RELAIS_REPLY_UNAUTHORIZED);
    assert_int_equal(relais_reply_for_status(411), RELAIS_REPLY_BAD_REQUEST);
    assert_int_equal(relais_reply_for_status(504), RELAIS_REPLY_BUSY);
    assert_int_equal(relais_reply_for_status(505), RELAIS_REPLY_BROKEN);
    assert_int_equal(relais_reply_for_status(200), RELAIS_REPLY_BROKEN);
}

static void test_language(void **state)
{
    static const struct {
        const char *header;
        relais_language language;
    } cases[] = {
        {"", RELAIS_FRENCH},
        {"en", RELAIS_ENGLISH},
        {"EN-gb", RELAIS_ENGLISH},
        {"fr", RELAIS_FRENCH},
        {"de", RELAIS_FRENCH},
        {"*", RELAIS_FRENCH},
        {"eng", RELAIS_FRENCH},
        {"en, fr", RELAIS_FRENCH},
        {"en, fr;q=0.9", RELAIS_ENGLISH},
        {"en;q=0.8, fr;q=0.9", RELAIS_FRENCH},
        {"en;q=0.801,fr;q=0.8", RELAIS_ENGLISH},
        {"fr-BF,fr;q=0.9,en-US;q=0.8,en;q=0.7", RELAIS_FRENCH},
        {"en-US,en;q=0.5,fr;q=0.8", RELAIS_ENGLISH},
        {"de, en;q=0.5", RELAIS_ENGLISH},
        {"en;q=0", RELAIS_FRENCH},
        {"en;q=0, fr;q=0", RELAIS_FRENCH},
        {"*, fr;q=0.5", RELAIS_ENGLISH},
        {"*;q=0.5, en;q=0.4", RELAIS_FRENCH},
        {" en ; q = 1, fr ; q=0.1", RELAIS_ENGLISH},
        {"en;q=x", RELAIS_FRENCH},
        {"en;q=1.5", RELAIS_FRENCH},
        {"en;level=1;q=0.3, fr;q=0.2", RELAIS_ENGLISH},
        {",,en,", RELAIS_ENGLISH},
        {";", RELAIS_FRENCH},
    };

    (void)state;
    assert_int_equal(relais_reply_language(NULL, 0), RELAIS_FRENCH);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        /* Without a NUL after it, as web servers hand headers over. */
        size_t length = strlen(cases[i].header);
        char *copy = test_malloc(length + 1);

        memcpy(copy, cases[i].header, length);
        copy[length] = '9';
        if (relais_reply_language(copy, length) != cases[i].language)
            fail_msg("%s", cases[i].header);
        test_free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_reply_has_its_document),
        cmocka_unit_test(test_received),
        cmocka_unit_test(test_limit_is_named),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_language),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    xmlCleanupParser();
    return failed;
}
