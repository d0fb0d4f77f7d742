/*
 * The machine's own limit for what a 201 promises: from N threads, each in a directory of
 * its own, create + write + fsync + rename + fsync of the directory, for some seconds.
 *
 *   bench_durable DIRECTORY THREADS BYTES SECONDS
 *
 * Prints one line of JSON. The files are removed after the clock has stopped.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 256 };

struct writer {
    pthread_t thread;
    const char *directory;
    unsigned number;
    size_t bytes;
    const char *payload;
    unsigned long done;
};

static atomic_bool stop;

static void fail(const char *what, const char *path)
{
    fprintf(stderr, "bench_durable: %s %s: %s\n", what, path, strerror(errno));
    exit(1);
}

static void write_all(int fd, const char *bytes, size_t length, const char *path)
{
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0)
            fail("write", path);
        bytes += n;
        length -= (size_t)n;
    }
}

static void write_durably(const struct writer *w, int dirfd, unsigned long serial)
{
    char from[64], to[64];
    int fd;

    snprintf(from, sizeof from, "tmp-%lu", serial);
    snprintf(to, sizeof to, "new-%lu", serial);
    fd = openat(dirfd, from, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        fail("create", from);
    write_all(fd, w->payload, w->bytes, from);
    if (fsync(fd) != 0)
        fail("fsync", from);
    close(fd);
    if (renameat(dirfd, from, dirfd, to) != 0)
        fail("rename", from);
    if (fsync(dirfd) != 0)
        fail("fsync of directory", w->directory);
}

static void *run_writer(void *data)
{
    struct writer *w = data;
    char path[4096];
    int dirfd;

    snprintf(path, sizeof path, "%s/durable-%u", w->directory, w->number);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        fail("mkdir", path);
    dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        fail("open", path);
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        write_durably(w, dirfd, w->done);
        w->done++;
    }
    for (unsigned long i = 0; i < w->done; i++) {
        char name[64];
        snprintf(name, sizeof name, "new-%lu", i);
        if (unlinkat(dirfd, name, 0) != 0)
            fail("unlink", name);
    }
    close(dirfd);
    if (rmdir(path) != 0)
        fail("rmdir", path);
    return NULL;
}

static double seconds_since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

int main(int argc, char **argv)
{
    static struct writer writers[THREADS_MAX];
    unsigned threads;
    unsigned long total = 0;
    size_t bytes;
    double seconds, elapsed;
    struct timespec start;
    char *payload;

    if (argc != 5) {
        fprintf(stderr, "usage: bench_durable DIRECTORY THREADS BYTES SECONDS\n");
        return 2;
    }
    threads = (unsigned)strtoul(argv[2], NULL, 10);
    bytes = strtoul(argv[3], NULL, 10);
    seconds = strtod(argv[4], NULL);
    if (threads == 0 || threads > THREADS_MAX || bytes == 0 || seconds <= 0) {
        fprintf(stderr, "bench_durable: 1 to %d threads, at least one byte and some time\n",
                THREADS_MAX);
        return 2;
    }
    payload = malloc(bytes);
    if (payload == NULL)
        fail("malloc", argv[3]);
    for (size_t i = 0; i < bytes; i++)
        payload[i] = (char)(i * 31 + i / 251);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (unsigned i = 0; i < threads; i++) {
        writers[i] =
            (struct writer){.directory = argv[1], .number = i, .bytes = bytes, .payload = payload};
        errno = pthread_create(&writers[i].thread, NULL, run_writer, &writers[i]);
        if (errno != 0)
            fail("pthread_create", "");
    }
    usleep((useconds_t)(seconds * 1e6));
    atomic_store(&stop, true);
    /* The loop's last write of each thread ends after this moment and is counted with it. */
    elapsed = seconds_since(&start);
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(writers[i].thread, NULL);
        total += writers[i].done;
    }
    printf("{\"threads\": %u, \"bytes\": %zu, \"per_second\": %.1f}\n", threads, bytes,
           (double)total / elapsed);
    free(payload);
    return 0;
}
