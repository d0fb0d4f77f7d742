/*
 * Submissions' XML: no bytes crash the reader, the tree is without namespaces and within its
 * limits, errors are of the promised kinds, and reading the same bytes twice gives the same.
 */
#include "xform/submission.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_tree(const xmlNode *node, unsigned depth)
{
    require(depth <= RELAIS_SUBMISSION_DEPTH_MAX);
    for (; node != NULL; node = node->next) {
        if (node->type != XML_ELEMENT_NODE)
            continue;
        require(node->ns == NULL && node->nsDef == NULL);
        for (const xmlAttr *attribute = node->properties; attribute; attribute = attribute->next)
            require(attribute->ns == NULL);
        check_tree(node->children, depth + 1);
    }
}

static bool parse(const uint8_t *bytes, size_t length, relais_arena *arena,
                  relais_submission *submission, int64_t *offset, relais_error *err)
{
    memset(err, 0, sizeof *err);
    return relais_submission_parse((const char *)bytes, length, arena, submission, offset, err);
}

static void check_accepted(const uint8_t *bytes, size_t length, relais_arena *arena,
                           const relais_submission *first)
{
    relais_submission again;
    relais_error err;
    int64_t offset;

    require(first->form_id[0] != '\0' && first->xml_length == length);
    require(memcmp(first->xml, bytes, length) == 0);
    check_tree(first->doc->children, 1);
    require(parse(bytes, length, arena, &again, &offset, &err));
    require(strcmp(first->instance_id, again.instance_id) == 0);
    require(strcmp(first->repairs, again.repairs) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    relais_arena *arena = relais_arena_create(8 * 1024 * 1024);
    relais_submission submission;
    relais_error err;
    int64_t offset;

    if (parse(bytes, length, arena, &submission, &offset, &err)) {
        require(offset == -1);
        check_accepted(bytes, length, arena, &submission);
    } else {
        require(err.code == RELAIS_ERR_SYNTAX || err.code == RELAIS_ERR_LIMIT);
        require(offset >= -1 && offset <= (int64_t)length);
    }
    relais_arena_destroy(arena);
    return 0;
}
