/*
 * Any bytes as a form's definition: both readers, the published list's and the checker's, refuse
 * or succeed; and what the checker accepts is a tree of absolute paths that can be found again.
 */
#include "xform/form.h"
#include "openrosa/definition.h"
#include "scratch.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_nodes(const relais_form *form)
{
    for (size_t i = 0; i < form->count; i++) {
        const relais_form_node *node = &form->nodes[i];
        require(node->path[0] == '/' && node->type != NULL);
        require(relais_form_find(form, node->path) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    relais_arena *arena = relais_arena_create(64 * 1024 * 1024);
    const char *file = scratch_write(bytes, length);
    relais_definition definition;
    relais_error err = {0};
    relais_form form;

    require(arena != NULL);
    if (relais_form_read(file, arena, &form, &err)) {
        require(form.id[0] != '\0' && form.version != NULL && form.title != NULL);
        check_nodes(&form);
    } else {
        require(err.code != RELAIS_ERR_NONE && err.code != RELAIS_ERR_SYSTEM);
    }
    relais_error_clear(&err);
    if (relais_definition_read((const char *)bytes, length, file, arena, &definition, &err))
        require(definition.id[0] != '\0' && definition.title[0] != '\0');
    else
        require(err.code != RELAIS_ERR_NONE);
    unlink(file);
    relais_arena_destroy(arena);
    return 0;
}
