/*
 * Kills its process at the N-th call that matters: preloaded into nginx or into `relais`, which
 * have no such thing in them.
 *
 * The calls that matter: those that change the spool's directories or make something in them
 * durable, those that write into the spool's files, and those that send over a socket, to the
 * database or to a phone. Each is written down with its number in a file that the test maps
 * too (points.py), so a run that is not killed lists the points at which the next ones are.
 *
 *   RELAIS_CRASH_PLAN    that file
 *   RELAIS_CRASH_SPOOL   the spool; calls on other files do not count
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int rename(const char *from, const char *to);
EXPORTED int renameat(int from_dir, const char *from, int to_dir, const char *to);
EXPORTED int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
EXPORTED int link(const char *from, const char *to);
EXPORTED int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
EXPORTED int unlink(const char *path);
EXPORTED int unlinkat(int dirfd, const char *path, int flags);
EXPORTED int fsync(int fd);
EXPORTED int fdatasync(int fd);
EXPORTED ssize_t send(int fd, const void *bytes, size_t length, int flags);
EXPORTED ssize_t write(int fd, const void *bytes, size_t length);
EXPORTED ssize_t writev(int fd, const struct iovec *vectors, int count);

/* ---- the plan, shared with the test ------------------------------------------------------- */

enum { RECORDS = 4096, DETAIL = 112 };

struct record {
    char call[14];
    char has_returned;
    char detail[DETAIL + 1];
};

/* points.py has the same layout. */
static struct plan {
    atomic_uint is_armed; /* 0: nothing is counted */
    uint32_t target;      /* the number of the call, from 1; 0: nobody is killed */
    uint32_t is_after;    /* killed when it has returned, else before it begins */
    atomic_uint count;
    struct record records[RECORDS];
} * plan;

static char spool[PATH_MAX];

static __attribute__((constructor)) void open_plan(void)
{
    const char *path = getenv("RELAIS_CRASH_PLAN"), *directory = getenv("RELAIS_CRASH_SPOOL");
    void *mapped;
    int fd;

    if (path == NULL || directory == NULL || realpath(directory, spool) == NULL)
        return;
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    mapped = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        plan = mapped;
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Writes the call down; 0 when nobody counts. */
static unsigned begin(const char *call, const char *detail)
{
    unsigned number = atomic_fetch_add(&plan->count, 1) + 1;
    struct record *record;

    if (number > RECORDS)
        return 0;
    record = &plan->records[number - 1];
    snprintf(record->call, sizeof record->call, "%s", call);
    snprintf(record->detail, sizeof record->detail, "%s", detail);
    record->has_returned = 0;
    if (number == plan->target && !plan->is_after)
        die();
    return number;
}

static void end(unsigned number)
{
    if (number == 0)
        return;
    plan->records[number - 1].has_returned = 1;
    if (number == plan->target && plan->is_after)
        die();
}

static bool is_armed(void)
{
    return plan != NULL && atomic_load(&plan->is_armed) != 0;
}

/* ---- what a call is about ------------------------------------------------------------------ */

static bool path_of(int fd, char *path, size_t size)
{
    char link_path[64];
    ssize_t n;

    snprintf(link_path, sizeof link_path, "/proc/self/fd/%d", fd);
    n = readlink(link_path, path, size - 1);
    if (n < 0)
        return false;
    path[n] = '\0';
    return true;
}

/* What stays the same from run to run: a name without its time and chance, no shard. */
static const char *kind_of(const char *name)
{
    static const char *const ends[] = {".parcel.reason", ".reason", ".parcel", ".part"};

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t length = strlen(name), end_length = strlen(ends[i]);
        if (length >= end_length && strcmp(name + length - end_length, ends[i]) == 0)
            return ends[i];
    }
    return name[0] == '\0' ? "" : "file";
}

static bool is_hexadecimal(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* "new/.parcel" of SPOOL/07/new/20260302T…Z-….parcel; false when it is not in the spool. */
static bool place_of(const char *path, char *place, size_t size)
{
    size_t length = strlen(spool);
    const char *rest = path + length, *slash;

    if (strncmp(path, spool, length) != 0 || (*rest != '/' && *rest != '\0'))
        return false;
    while (*rest == '/')
        rest++;
    if (is_hexadecimal(rest[0]) && is_hexadecimal(rest[1]) && rest[2] == '/')
        rest += 3;
    else if (is_hexadecimal(rest[0]) && is_hexadecimal(rest[1]) && rest[2] == '\0')
        rest = "shard";
    slash = strchr(rest, '/');
    if (slash == NULL)
        snprintf(place, size, "%s", rest[0] == '\0' ? "spool" : rest);
    else
        snprintf(place, size, "%.*s/%s", (int)(slash - rest), rest, kind_of(slash + 1));
    return true;
}

static bool place_at(int dirfd, const char *name, char *place, size_t size)
{
    char directory[PATH_MAX], path[2 * PATH_MAX];

    if (name[0] == '/')
        return place_of(name, place, size);
    if (dirfd == AT_FDCWD ? getcwd(directory, sizeof directory) == NULL
                          : !path_of(dirfd, directory, sizeof directory))
        return false;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return place_of(path, place, size);
}

static bool place_of_fd(int fd, char *place, size_t size)
{
    char path[PATH_MAX];

    return path_of(fd, path, sizeof path) && place_of(path, place, size);
}

static bool is_socket(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* ---- what is said to PostgreSQL ------------------------------------------------------------ */

/* Statements by their prepared names, so that an execution says which it is. The process has
 * one connection at a time; a new one prepares anew. */
enum { STATEMENTS = 512, SQL = 40 };

#define COMMIT "COMMIT"

static struct {
    char name[24];
    char sql[SQL + 1];
} statements[STATEMENTS];

static size_t statement_count;

static const char *sql_of(const char *name)
{
    for (size_t i = statement_count; i-- > 0;)
        if (strcmp(statements[i].name, name) == 0)
            return statements[i].sql;
    return name;
}

static void remember(const char *name, const char *sql)
{
    size_t at = statement_count % STATEMENTS;

    snprintf(statements[at].name, sizeof statements[at].name, "%s", name);
    snprintf(statements[at].sql, sizeof statements[at].sql, "%s", sql);
    if (statement_count < STATEMENTS)
        statement_count++;
}

static __attribute__((format(printf, 2, 3))) void append(char *text, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    if (used < DETAIL)
        vsnprintf(text + used, DETAIL + 1 - used, format, arguments);
    va_end(arguments);
}

/* In sight, however much is said before it: it decides. */
static void append_commit(char *text)
{
    static const char word[] = COMMIT "; ";
    size_t used = strlen(text), most = DETAIL + 1 - sizeof word;

    memcpy(text + (used < most ? used : most), word, sizeof word);
}

/* One message of the protocol: type, and text of `length` bytes. */
static void describe_message(char type, const char *text, size_t length, char *detail)
{
    const char *second = memchr(text, '\0', length);

    second = second == NULL || second + 1 >= text + length ? "" : second + 1;
    switch (type) {
    case 'Q':
        append(detail, "%.*s; ", SQL, text);
        break;
    case 'P': /* name, statement */
        remember(text, second);
        append(detail, "prepare %.*s; ", SQL, second);
        break;
    case 'B': /* portal, name */
        if (strcmp(sql_of(second), COMMIT) == 0)
            append_commit(detail);
        else
            append(detail, "%.*s; ", SQL, sql_of(second));
        break;
    case 'd':
        append(detail, "copy; ");
        break;
    case 'X':
        append(detail, "goodbye; ");
        break;
    default:
        break;
    }
}

/* libpq sends whole messages from the beginning of its buffer, but for very long ones. */
static void describe_postgres(const char *bytes, size_t length, char *detail)
{
    size_t at = 0;

    while (at + 5 <= length) {
        const unsigned char *size = (const unsigned char *)bytes + at + 1;
        uint32_t n = (uint32_t)size[0] << 24 | (uint32_t)size[1] << 16 | (uint32_t)size[2] << 8 |
                     (uint32_t)size[3];
        size_t have = length - at - 5;
        if (n < 4 || bytes[at] < 'A' || bytes[at] > 'z')
            break;
        describe_message(bytes[at], bytes + at + 5, have < n - 4 ? have : n - 4, detail);
        at += (size_t)n + 1;
    }
    if (detail[0] == '\0')
        append(detail, "more");
}

static void describe_sent(const char *bytes, size_t length, char *detail)
{
    static const char *const http[] = {"HTTP/1.1 201", "HTTP/1.1 204", "HTTP/1.1 ", "POST ",
                                       "GET "};

    detail[0] = '\0';
    for (size_t i = 0; i < sizeof http / sizeof http[0]; i++)
        if (length >= strlen(http[i]) && memcmp(bytes, http[i], strlen(http[i])) == 0) {
            append(detail, "%s", http[i]);
            return;
        }
    describe_postgres(bytes, length, detail);
}

/* ---- the calls ------------------------------------------------------------------------------- */

#define REAL(name)                                                                                 \
    static __typeof__(&name) real;                                                                 \
    if (real == NULL)                                                                              \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

/* The call between its two points; errno is the call's own. */
#define CALL(type, name, detail, ...)                                                              \
    do {                                                                                           \
        unsigned number = begin(#name, detail);                                                    \
        type result = real(__VA_ARGS__);                                                           \
        int saved = errno;                                                                         \
        end(number);                                                                               \
        errno = saved;                                                                             \
        return result;                                                                             \
    } while (0)

static bool describe_pair(int from_dir, const char *from, int to_dir, const char *to, char *detail)
{
    char old[40] = "unnamed", fresh[40];

    if (!is_armed() || !place_at(to_dir, to, fresh, sizeof fresh))
        return false;
    place_at(from_dir, from, old, sizeof old);
    snprintf(detail, DETAIL + 1, "%s to %s", old, fresh);
    return true;
}

int rename(const char *from, const char *to)
{
    char detail[DETAIL + 1];

    REAL(rename);
    if (!describe_pair(AT_FDCWD, from, AT_FDCWD, to, detail))
        return real(from, to);
    CALL(int, rename, detail, from, to);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    char detail[DETAIL + 1];

    REAL(renameat);
    if (!describe_pair(from_dir, from, to_dir, to, detail))
        return real(from_dir, from, to_dir, to);
    CALL(int, renameat, detail, from_dir, from, to_dir, to);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    char detail[DETAIL + 1];

    REAL(renameat2);
    if (!describe_pair(from_dir, from, to_dir, to, detail))
        return real(from_dir, from, to_dir, to, flags);
    CALL(int, renameat2, detail, from_dir, from, to_dir, to, flags);
}

int link(const char *from, const char *to)
{
    char detail[DETAIL + 1];

    REAL(link);
    if (!describe_pair(AT_FDCWD, from, AT_FDCWD, to, detail))
        return real(from, to);
    CALL(int, link, detail, from, to);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    char detail[DETAIL + 1];

    REAL(linkat);
    if (!describe_pair(from_dir, from, to_dir, to, detail))
        return real(from_dir, from, to_dir, to, flags);
    CALL(int, linkat, detail, from_dir, from, to_dir, to, flags);
}

int unlink(const char *path)
{
    char place[DETAIL + 1];

    REAL(unlink);
    if (!is_armed() || !place_at(AT_FDCWD, path, place, sizeof place))
        return real(path);
    CALL(int, unlink, place, path);
}

int unlinkat(int dirfd, const char *path, int flags)
{
    char place[DETAIL + 1];

    REAL(unlinkat);
    if (!is_armed() || !place_at(dirfd, path, place, sizeof place))
        return real(dirfd, path, flags);
    CALL(int, unlinkat, place, dirfd, path, flags);
}

int fsync(int fd)
{
    char place[DETAIL + 1];

    REAL(fsync);
    if (!is_armed() || !place_of_fd(fd, place, sizeof place))
        return real(fd);
    CALL(int, fsync, place, fd);
}

int fdatasync(int fd)
{
    char place[DETAIL + 1];

    REAL(fdatasync);
    if (!is_armed() || !place_of_fd(fd, place, sizeof place))
        return real(fd);
    CALL(int, fdatasync, place, fd);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    char detail[DETAIL + 1];

    REAL(send);
    if (!is_armed())
        return real(fd, bytes, length, flags);
    describe_sent(bytes, length, detail);
    CALL(ssize_t, send, detail, fd, bytes, length, flags);
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    char place[DETAIL + 1];

    REAL(write);
    if (!is_armed() || !place_of_fd(fd, place, sizeof place))
        return real(fd, bytes, length);
    CALL(ssize_t, write, place, fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *vectors, int count)
{
    char detail[DETAIL + 1];

    REAL(writev);
    if (!is_armed() || count < 1)
        return real(fd, vectors, count);
    if (is_socket(fd))
        describe_sent(vectors[0].iov_base, vectors[0].iov_len, detail);
    else if (!place_of_fd(fd, detail, sizeof detail))
        return real(fd, vectors, count);
    CALL(ssize_t, writev, detail, fd, vectors, count);
}
