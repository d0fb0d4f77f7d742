/*
 * Makes the spool's system calls fail for some parcels: preloaded into a web server, whose
 * module has no such thing in it. A parcel says itself what is to happen to it, in the first
 * letters of its `device`, which a phone gives as its deviceID:
 *
 *   stage    fsync of the file in tmp/ fails: EIO
 *   commit   the rename from tmp/ to new/ fails: EIO
 *   sync     fsync after the rename fails: EIO
 *   slow     each fsync takes up to 300 ms
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

enum { HEAD = 2048, SLOW_MICROSECONDS = 300000 };

EXPORTED int fsync(int fd);
EXPORTED int renameat(int from_dir, const char *from, int to_dir, const char *to);

/* True when the parcel's device begins with the word. */
static bool is_asked(int dirfd, const char *path, const char *word)
{
    char head[HEAD], line[64];
    ssize_t n;
    int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    n = read(fd, head, sizeof head - 1);
    close(fd);
    if (n <= 0)
        return false;
    head[n] = '\0';
    snprintf(line, sizeof line, "\ndevice: %s", word);
    return strstr(head, line) != NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static bool is_parcel(int fd, char *path, size_t size)
{
    char link[64];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, size - 1);
    if (n <= 0)
        return false;
    path[n] = '\0';
    return ends_with(path, ".parcel");
}

int fsync(int fd)
{
    static int (*real)(int);
    char path[4096];

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "fsync");
    if (is_parcel(fd, path, sizeof path)) {
        bool is_staged = strstr(path, "/tmp/2") != NULL;
        if (is_asked(AT_FDCWD, path, is_staged ? "stage" : "sync")) {
            errno = EIO;
            return -1;
        }
        if (is_asked(AT_FDCWD, path, "slow"))
            usleep((useconds_t)(random() % SLOW_MICROSECONDS));
    }
    return real(fd);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    static int (*real)(int, const char *, int, const char *);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "renameat");
    if (ends_with(from, ".parcel") && is_asked(from_dir, from, "commit")) {
        errno = EIO;
        return -1;
    }
    return real(from_dir, from, to_dir, to);
}
