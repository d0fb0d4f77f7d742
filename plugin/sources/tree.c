/*
 * The list of a tree's files. See tree.h.
 */
#include "sources/tree_source.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- judging names ----------------------------------------------------------------------- */

/* "..", an absolute path, or one of Windows, whatever way its slashes lean. */
static bool leads_out(const char *path)
{
    const char *at = path;

    if (path[0] == '/' || path[0] == '\\' || (path[0] != '\0' && path[1] == ':'))
        return true;
    while (*at != '\0') {
        size_t length = strcspn(at, "/\\");
        if (length == 2 && at[0] == '.' && at[1] == '.')
            return true;
        at += length;
        at += *at != '\0';
    }
    return false;
}

static bool has_long_name(const char *path)
{
    const char *at = path;

    while (*at != '\0') {
        size_t length = strcspn(at, "/");
        if (length > RELAIS_TREE_NAME_MAX)
            return true;
        at += length;
        at += *at == '/';
    }
    return at - path > RELAIS_TREE_PATH_MAX;
}

/* What is wrong with a name or a size in itself, or NULL. */
static const char *judge(const char *path, uint64_t size)
{
    if (leads_out(path))
        return relais_translate("its name leads out of the folder");
    if (has_long_name(path))
        return relais_translate("its name is too long");
    if (size > RELAIS_TREE_FILE_MAX)
        return relais_translate("it is larger than 1 GB, more than the database takes");
    return NULL;
}

/* ---- the list ---------------------------------------------------------------------------- */

bool relais_tree_add(relais_tree *tree, const char *path, uint64_t size, uint64_t index,
                     const char *fault, relais_error *err)
{
    relais_tree_entry *entry;

    if (tree->count == RELAIS_TREE_ENTRIES_MAX)
        return relais_error_set(err, RELAIS_ERR_LIMIT,
                                "there are more than %d files; import one folder after the other",
                                RELAIS_TREE_ENTRIES_MAX);
    if (tree->count == tree->room) {
        size_t room = tree->room == 0 ? 1024 : 2 * tree->room;
        void *grown = reallocarray(tree->entries, room, sizeof *tree->entries);
        if (grown == NULL)
            return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for the list of files");
        tree->entries = grown;
        tree->room = room;
    }
    entry = &tree->entries[tree->count];
    entry->path = relais_arena_text(tree->arena, path);
    if (entry->path == NULL)
        return relais_arena_error(tree->arena, err);
    entry->size = size;
    entry->index = index;
    entry->fault = fault != NULL ? fault : judge(path, size);
    tree->count++;
    return true;
}

static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? 0 : (size_t)(slash - path);
}

/* By folder, so that the files of one submission stand together; then by name. */
static int compare_entries(const void *a, const void *b)
{
    const relais_tree_entry *x = a, *y = b;
    size_t x_length = folder_length(x->path), y_length = folder_length(y->path);
    size_t least = x_length < y_length ? x_length : y_length;
    int order = memcmp(x->path, y->path, least);

    if (order != 0)
        return order;
    if (x_length != y_length)
        return x_length < y_length ? -1 : 1;
    order = strcmp(x->path, y->path);
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

static bool open_source(relais_tree *tree, const char *path, relais_error *err)
{
    struct stat is;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &is) != 0) {
        int failed = errno;
        if (fd >= 0)
            close(fd);
        relais_error_set(err, failed == ENOENT ? RELAIS_ERR_MISSING : RELAIS_ERR_SYSTEM,
                         "this cannot be opened: %s", strerror(failed));
        relais_error_at(err, path, 0);
        return false;
    }
    if (S_ISDIR(is.st_mode))
        return relais_tree_open_folder(tree, fd, err);
    close(fd);
    if (S_ISREG(is.st_mode))
        return relais_tree_open_zip(tree, path, err);
    relais_error_set(err, RELAIS_ERR_CONFIG, "this is neither a folder nor a zip file");
    relais_error_at(err, path, 0);
    return false;
}

bool relais_tree_open(const char *path, relais_tree **out, relais_error *err)
{
    relais_tree *tree = calloc(1, sizeof *tree);

    *out = NULL;
    if (tree == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for the list of files");
    tree->arena = relais_arena_create(RELAIS_TREE_MEMORY_MAX);
    if (tree->arena == NULL) {
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for the list of files");
        goto failed;
    }
    if (!open_source(tree, path, err))
        goto failed;
    if (tree->count > 0)
        qsort(tree->entries, tree->count, sizeof *tree->entries, compare_entries);
    *out = tree;
    return true;

failed:
    relais_tree_close(tree);
    return false;
}

void relais_tree_close(relais_tree *tree)
{
    if (tree == NULL)
        return;
    if (tree->close != NULL)
        tree->close(tree);
    relais_arena_destroy(tree->arena);
    free(tree->entries);
    free(tree);
}

const relais_tree_entry *relais_tree_entries(const relais_tree *tree, size_t *count)
{
    *count = tree->count;
    return tree->entries;
}

bool relais_tree_read(relais_tree *tree, const relais_tree_entry *entry, relais_tree_take *take,
                      void *context, relais_error *err)
{
    return tree->read(tree, entry, take, context, err);
}
