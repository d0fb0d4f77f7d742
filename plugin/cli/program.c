/*
 * Running a program and reading what it says. See program.h.
 */
#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, NO_PROGRAM = 127 };

/* Administrators' shells have no sbin in their PATH. */
static void widen_path(void)
{
    const char *path = getenv("PATH");
    relais_buffer wide;

    relais_buffer_init(&wide, 64 * 1024);
    relais_buffer_append_format(&wide, "%s:/usr/sbin:/sbin", path == NULL ? "/usr/bin:/bin" : path);
    if (wide.failed == RELAIS_ERR_NONE)
        setenv("PATH", wide.data, 1);
    relais_buffer_free(&wide);
}

/* In the child. The command has one thread, so that memory may be had between fork and exec. */
static void exec_program(char *const *argv, int out, bool with_errors)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    widen_path();
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
        dup2(with_errors ? out : null, STDERR_FILENO) >= 0)
        execvp(argv[0], argv);
    _exit(NO_PROGRAM);
}

static bool read_all(int fd, relais_buffer *out, relais_error *err)
{
    for (;;) {
        char piece[PIECE];
        ssize_t length = read(fd, piece, sizeof piece);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return relais_error_system(err, errno, "", "a program's output cannot be read");
        if (length == 0)
            return true;
        relais_buffer_append(out, piece, (size_t)length);
        if (!relais_buffer_check(out, "a program's output", err))
            return false;
    }
}

bool relais_program_read(char *const *argv, bool with_errors, relais_buffer *out, int *code,
                         relais_error *err)
{
    int ends[2], status;
    pid_t child;
    bool ok;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return relais_error_system(err, errno, argv[0], "the program cannot be started");
    child = fork();
    if (child == 0)
        exec_program(argv, ends[1], with_errors);
    close(ends[1]);
    ok = child > 0 ? read_all(ends[0], out, err)
                   : relais_error_system(err, errno, argv[0], "the program cannot be started");
    close(ends[0]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (ok)
        *code = WIFEXITED(status) ? WEXITSTATUS(status) : NO_PROGRAM;
    return ok;
}
