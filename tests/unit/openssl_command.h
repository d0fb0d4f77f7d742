/*
 * The openssl command in a temporary directory, for tests that must not trust one library to
 * judge itself. Include it after cmocka.h.
 */
#ifndef RELAIS_TESTS_OPENSSL_COMMAND_H
#define RELAIS_TESTS_OPENSSL_COMMAND_H

#include "base/buffer.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char openssl_directory[] = "/tmp/relais-openssl.XXXXXX";

/* Runs openssl with the words of the line; true when it succeeds. Its output goes to "log". */
static bool openssl(const char *line)
{
    char words[1024], *argv[48] = {"openssl"}, *rest = words;
    int status, log;
    size_t count = 1;
    pid_t child;

    snprintf(words, sizeof words, "%s", line);
    while ((argv[count] = strtok_r(rest, " ", &rest)) != NULL)
        assert_true(++count < 47);
    child = fork();
    if (child == 0) {
        log = open("log", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(log, 1);
        dup2(log, 2);
        execvp("openssl", argv);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void write_file(const char *name, const void *bytes, size_t length)
{
    FILE *file = fopen(name, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static void read_whole(const char *name, relais_buffer *out)
{
    char chunk[65536];
    size_t length;
    FILE *file = fopen(name, "re");

    assert_non_null(file);
    relais_buffer_reset(out);
    while ((length = fread(chunk, 1, sizeof chunk, file)) > 0)
        relais_buffer_append(out, chunk, length);
    fclose(file);
}

static int openssl_enter(void)
{
    return mkdtemp(openssl_directory) != NULL && chdir(openssl_directory) == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static int openssl_leave(void)
{
    return chdir("/") == 0 ? nftw(openssl_directory, remove_one, 8, FTW_DEPTH | FTW_PHYS) : -1;
}

#endif
