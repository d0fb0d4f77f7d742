/*
 * What a server answers to a pull, where a function takes bytes: the Briefcase API's download, the
 * judgement whether XML is all there, and times. Input: one of these, whichever it is.
 */
#include "sources/briefcase.h"
#include "sources/servertime.h"
#include "sources/whole.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_download(const relais_buffer *answer, relais_arena *arena)
{
    relais_error err = {0};
    xmlDocPtr doc = relais_briefcase_parse(answer, "submission", "a download", arena, &err);
    const char *received;
    relais_offer *offers;
    relais_buffer xml;
    size_t count;

    require((doc == NULL) == (err.code == RELAIS_ERR_DATA));
    if (doc == NULL)
        return;
    relais_buffer_init(&xml, 8 * 1024 * 1024);
    if (relais_briefcase_take(doc, arena, &xml, &received, &offers, &count, &err)) {
        require(xml.length > 0 && relais_xml_is_whole(xml.data, xml.length, NULL));
        for (size_t i = 0; i < count; i++)
            require(offers[i].name[0] != '\0' && offers[i].target[0] != '\0');
    } else {
        require(err.code != RELAIS_ERR_NONE);
    }
    relais_buffer_free(&xml);
}

static void check_time(const relais_buffer *answer)
{
    char first[RELAIS_TIME_TEXT_SIZE], again[RELAIS_TIME_TEXT_SIZE];
    char text[256];

    if (answer->length >= sizeof text)
        return;
    memcpy(text, answer->data, answer->length);
    text[answer->length] = '\0';
    if (relais_servertime_read(text, first))
        require(relais_servertime_read(first, again) && strcmp(first, again) == 0);
    else
        require(first[0] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    relais_arena *arena = relais_arena_create(16 * 1024 * 1024);
    relais_buffer answer;
    relais_error err = {0};

    require(arena != NULL);
    relais_buffer_init(&answer, 16 * 1024 * 1024);
    relais_buffer_append(&answer, bytes, length);
    relais_buffer_append_char(&answer, '\0'); /* there are bytes, even if none were given */
    answer.length--;
    if (!relais_xml_is_whole(answer.data, answer.length, &err))
        require(err.code == RELAIS_ERR_DATA);
    check_download(&answer, arena);
    check_time(&answer);
    relais_buffer_free(&answer);
    relais_arena_destroy(arena);
    return 0;
}
