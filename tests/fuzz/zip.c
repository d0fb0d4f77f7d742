/*
 * Any bytes as a zip of a phone's storage: it opens or says why not, no name of it leads out, and
 * what an entry gives is bounded by what it says and by the ratio.
 */
#include "scratch.h"
#include "sources/tree.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool take(void *context, const char *bytes, size_t length, relais_error *err)
{
    (void)bytes;
    (void)err;
    *(uint64_t *)context += length;
    return true;
}

static bool leads_out(const char *path)
{
    return path[0] == '/' || strcmp(path, "..") == 0 || strncmp(path, "../", 3) == 0 ||
           strstr(path, "/../") != NULL;
}

static void read_entries(relais_tree *tree, size_t length)
{
    size_t count;
    const relais_tree_entry *entries = relais_tree_entries(tree, &count);

    for (size_t i = 0; i < count; i++) {
        relais_error err = {0};
        uint64_t taken = 0;
        if (entries[i].fault != NULL)
            continue;
        require(!leads_out(entries[i].path) && strlen(entries[i].path) <= RELAIS_TREE_PATH_MAX);
        if (entries[i].size > 16 * 1024 * 1024)
            continue; /* legal, and slow */
        if (!relais_tree_read(tree, &entries[i], take, &taken, &err))
            require(err.code != RELAIS_ERR_NONE);
        require(taken <= RELAIS_TREE_RATIO_FROM + (uint64_t)length * RELAIS_TREE_RATIO_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const char *file = scratch_write(bytes, length);
    relais_error err = {0};
    relais_tree *tree;

    if (relais_tree_open(file, &tree, &err)) {
        read_entries(tree, length);
        relais_tree_close(tree);
    } else {
        require(err.code != RELAIS_ERR_NONE);
    }
    unlink(file);
    return 0;
}
