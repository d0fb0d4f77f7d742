/*
 * A forms' directory for tests: made in /tmp, filled file by file with a chosen age.
 */
#ifndef RELAIS_TESTS_FORMS_DIRECTORY_H
#define RELAIS_TESTS_FORMS_DIRECTORY_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OLD 3600 /* seconds: settled long ago */

static char directory[64];

static inline const char *path_in_directory(const char *name)
{
    static char path[1024];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

/* Written in place: the inode stays when the file exists. `age` may be negative. */
static inline void write_bytes(const char *name, const void *bytes, size_t length, long age)
{
    struct timespec times[2];
    int fd = open(path_in_directory(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= age;
    times[1] = times[0];
    if (age != 0)
        assert_int_equal(futimens(fd, times), 0);
    close(fd);
}

static inline void write_file(const char *name, const char *text, long age)
{
    write_bytes(name, text, strlen(text), age);
}

static inline void remove_file(const char *name)
{
    assert_int_equal(unlink(path_in_directory(name)), 0);
}

static inline void rename_file(const char *from, const char *to)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY);

    assert_int_equal(renameat(fd, from, fd, to), 0);
    close(fd);
}

static inline void make_directory(const char *name)
{
    assert_int_equal(mkdir(path_in_directory(name), 0755), 0);
}

static inline int setup_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/relais-forms-XXXXXX");
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static inline int remove_one(const char *path, const struct stat *status, int type,
                             struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static inline int teardown_directory(void **state)
{
    (void)state;
    nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

#define FORM(id, version, title)                                                                   \
    "<?xml version=\"1.0\"?>\n"                                                                    \
    "<h:html xmlns=\"http://www.w3.org/2002/xforms\" xmlns:h=\"http://www.w3.org/1999/xhtml\">\n"  \
    "<h:head><h:title>" title "</h:title>\n<model>\n<instance>\n<data id=\"" id                    \
    "\" version=\"" version "\"/>\n</instance>\n</model>\n</h:head>\n<h:body/></h:html>\n"

#endif
