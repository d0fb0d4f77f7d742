/*
 * A folder as a tree. Symbolic links are named and never followed, at no step of a path: a
 * phone's storage is somebody else's, and may be made to point anywhere.
 */
#include "sources/tree_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a walk carries along. */
struct walk {
    relais_tree *tree;
    char path[RELAIS_TREE_PATH_MAX + RELAIS_TREE_NAME_MAX + 2];
    relais_error *err;
};

static int root_of(const relais_tree *tree)
{
    return (int)(intptr_t)tree->source - 1;
}

/* ---- listing ----------------------------------------------------------------------------- */

static bool walk_folder(struct walk *w, int fd, size_t length, int depth);

static bool add_fault(const struct walk *w, const char *fault)
{
    return relais_tree_add(w->tree, w->path, 0, 0, fault, w->err);
}

static bool walk_child_folder(struct walk *w, int parent, const char *name, size_t length,
                              int depth)
{
    int fd;

    if (depth == RELAIS_TREE_DEPTH_MAX || length > RELAIS_TREE_PATH_MAX)
        return add_fault(w, relais_translate("it lies too deep"));
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return add_fault(w, relais_translate("the folder cannot be opened"));
    return walk_folder(w, fd, length, depth);
}

/* `length` is that of the folder's path within w->path. */
static bool walk_child(struct walk *w, int parent, const char *name, size_t length, int depth)
{
    size_t name_length = strlen(name);
    struct stat is;

    if (length > 0)
        w->path[length++] = '/';
    memcpy(w->path + length, name, name_length + 1);
    length += name_length;
    if (fstatat(parent, name, &is, AT_SYMLINK_NOFOLLOW) != 0)
        return add_fault(w, relais_translate("it cannot be looked at"));
    if (S_ISDIR(is.st_mode))
        return walk_child_folder(w, parent, name, length, depth + 1);
    if (S_ISLNK(is.st_mode))
        return add_fault(w, relais_translate("it is a symbolic link, which is not followed"));
    if (!S_ISREG(is.st_mode))
        return add_fault(w, relais_translate("it is not a file"));
    return relais_tree_add(w->tree, w->path, (uint64_t)is.st_size, 0, NULL, w->err);
}

/* Closes `fd`. */
static bool walk_folder(struct walk *w, int fd, size_t length, int depth)
{
    DIR *folder = fdopendir(fd);
    const struct dirent *one;
    bool ok = true;

    if (folder == NULL) {
        close(fd);
        return add_fault(w, relais_translate("the folder cannot be opened"));
    }
    while (ok && (errno = 0, one = readdir(folder)) != NULL)
        if (strcmp(one->d_name, ".") != 0 && strcmp(one->d_name, "..") != 0)
            ok = walk_child(w, fd, one->d_name, length, depth);
    w->path[length] = '\0';
    if (ok && errno != 0)
        ok = add_fault(w, relais_translate("the folder cannot be read to its end"));
    closedir(folder);
    return ok;
}

/* ---- reading ----------------------------------------------------------------------------- */

/* Opens step by step, so that no step is a link, also when somebody makes one meanwhile. */
static int open_beneath(int root, const char *path)
{
    char name[RELAIS_TREE_NAME_MAX + 1];
    int at = root;

    for (;;) {
        size_t length = strcspn(path, "/");
        bool is_last = path[length] == '\0';
        int next;
        if (length >= sizeof name)
            return -1;
        memcpy(name, path, length);
        name[length] = '\0';
        next = openat(at, name,
                      O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (is_last ? O_NONBLOCK : O_DIRECTORY));
        if (at != root)
            close(at);
        if (next < 0 || is_last)
            return next;
        at = next;
        path += length + 1;
    }
}

static bool read_file(relais_tree *tree, const relais_tree_entry *entry, relais_tree_take *take,
                      void *context, relais_error *err)
{
    int fd = open_beneath(root_of(tree), entry->path);
    uint64_t left = RELAIS_TREE_FILE_MAX;
    bool ok = fd >= 0;

    while (ok) {
        char piece[RELAIS_TREE_PIECE];
        ssize_t length = read(fd, piece, sizeof piece);
        if (length == 0)
            break;
        if (length < 0 && errno == EINTR)
            continue;
        ok = length > 0 && (uint64_t)length <= left;
        if (ok && !take(context, piece, (size_t)length, err)) {
            close(fd);
            return false;
        }
        left -= ok ? (uint64_t)length : 0;
    }
    if (!ok)
        relais_error_set(err, RELAIS_ERR_DAMAGED, "the file cannot be read: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}

static void close_folder(relais_tree *tree)
{
    if (tree->source != NULL)
        close(root_of(tree));
}

bool relais_tree_open_folder(relais_tree *tree, int fd, relais_error *err)
{
    struct walk *w = calloc(1, sizeof *w);
    int listed = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    bool ok;

    tree->source = (void *)(intptr_t)(fd + 1);
    tree->read = read_file;
    tree->close = close_folder;
    if (w == NULL || listed < 0) {
        free(w);
        if (listed >= 0)
            close(listed);
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for the list of files");
    }
    w->tree = tree;
    w->err = err;
    ok = walk_folder(w, listed, 0, 0);
    free(w);
    return ok;
}
