/*
 * Fuzzes receiving. Input: the Content-Type's line, then the body.
 *
 * Whatever the bytes, there is a reply, the same for the body whole and cut in two; what is
 * received has a head that can be written.
 */
#include "openrosa/receive.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_MAX        (64 * 1024)
#define CONTENT_TYPE_MAX 4096

struct answer {
    relais_arena *arena;
    relais_parcel_head head;
    relais_reply reply;
};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static void demand(bool condition)
{
    if (!condition)
        abort();
}

static void receive(struct answer *answer, const char *content_type, const char *body,
                    size_t length, size_t cut)
{
    relais_segment segments[2] = {{.data = body, .length = cut, .fd = -1},
                                  {.data = body + cut, .length = length - cut, .fd = -1}};
    relais_request request = {.content_type = content_type,
                              .content_length = (int64_t)length,
                              .segments = segments,
                              .count = 2,
                              .source = "serve",
                              .user = content_type,
                              .device = content_type};

    answer->arena = relais_arena_create(ARENA_MAX);
    demand(answer->arena != NULL);
    answer->reply = relais_receive(&request, NULL, NULL, answer->arena, &answer->head, NULL);
    demand(answer->reply < RELAIS_REPLY_COUNT && answer->reply != RELAIS_REPLY_BROKEN);
}

static void check_head(relais_parcel_head *head, size_t length)
{
    relais_error err;
    relais_buffer text;

    relais_error_clear(&err);
    relais_buffer_init(&text, 64 * 1024);
    head->received = "2026-03-02T10:15:04.123Z";
    demand(head->length == length && head->form[0] != '\0');
    /* Many long values of controls, tripled by escaping, may be too long together. */
    if (!relais_parcel_head_write(head, &text, &err))
        demand(err.code == RELAIS_ERR_LIMIT && text.length > RELAIS_PARCEL_HEAD_MAX);
    relais_buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    const char *newline = memchr(input, '\n', length);
    size_t type_length = newline == NULL ? 0 : (size_t)(newline - (const char *)input);
    char content_type[CONTENT_TYPE_MAX];
    struct answer whole, cut;

    if (newline == NULL || type_length >= sizeof content_type)
        return 0;
    memcpy(content_type, input, type_length);
    content_type[type_length] = '\0';
    length -= type_length + 1;
    receive(&whole, content_type, newline + 1, length, 0);
    receive(&cut, content_type, newline + 1, length, length == 0 ? 0 : input[0] * 7U % length);
    demand(whole.reply == cut.reply && strcmp(whole.head.form, cut.head.form) == 0 &&
           strcmp(whole.head.version, cut.head.version) == 0 &&
           strcmp(whole.head.instance, cut.head.instance) == 0 &&
           memcmp(whole.head.sha256, cut.head.sha256, RELAIS_SHA256_SIZE) == 0);
    if (whole.reply == RELAIS_REPLY_RECEIVED)
        check_head(&whole.head, length);
    relais_arena_destroy(whole.arena);
    relais_arena_destroy(cut.arena);
    return 0;
}
