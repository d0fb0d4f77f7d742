/*
 * An upstream that does as each request tells it (script.h): it answers late, not at all, in
 * pieces, cut or with a reset. It speaks HTTP/1, uwsgi and SCGI on one port.
 *
 *   load_upstream [--port N] [--durable DIRECTORY]
 *
 * Prints its port on a line of its own and serves until it is killed; a thread a connection.
 * With --durable it keeps every submission that it accepts as a careful server would: write,
 * fsync, rename, fsync of the directory, and only then the answer.
 */
#include "request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BACKLOG = 1024, STACK = 256 * 1024, PIECE = 16384, SHARDS = 16 };

static const char *durable; /* directory, or NULL */
static atomic_ulong serial;

static void fail(const char *what)
{
    fprintf(stderr, "load_upstream: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void sleep_ms(long milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    if (milliseconds > 0)
        nanosleep(&time, NULL);
}

/* ---- keeping ---------------------------------------------------------------------------- */

/* A file that is being written; fd is -1 when nothing is to be kept. */
struct kept {
    int dirfd;
    int fd;
    char from[64], to[64];
};

static void keep_begin(struct kept *kept)
{
    unsigned long number;
    char path[4096];

    kept->fd = -1;
    if (durable == NULL)
        return;
    number = atomic_fetch_add(&serial, 1);
    snprintf(path, sizeof path, "%s/%02lx", durable, number % SHARDS);
    snprintf(kept->from, sizeof kept->from, "tmp-%lu", number);
    snprintf(kept->to, sizeof kept->to, "new-%lu", number);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        fail(path);
    kept->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (kept->dirfd < 0)
        fail(path);
    kept->fd = openat(kept->dirfd, kept->from, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (kept->fd < 0)
        fail(kept->from);
}

static void keep_bytes(void *context, const char *bytes, size_t length)
{
    struct kept *kept = context;

    while (kept->fd >= 0 && length > 0) {
        ssize_t n = write(kept->fd, bytes, length);
        if (n < 0)
            fail("write");
        bytes += n;
        length -= (size_t)n;
    }
}

static void keep_end(struct kept *kept, bool is_accepted)
{
    if (kept->fd < 0)
        return;
    if (is_accepted &&
        (fsync(kept->fd) != 0 || renameat(kept->dirfd, kept->from, kept->dirfd, kept->to) != 0 ||
         fsync(kept->dirfd) != 0))
        fail("keeping a submission");
    if (!is_accepted)
        unlinkat(kept->dirfd, kept->from, 0);
    close(kept->fd);
    close(kept->dirfd);
}

/* ---- answering -------------------------------------------------------------------------- */

static bool send_piece(int fd, enum framing framing, const char *bytes, size_t length)
{
    char head[32];

    if (framing != FRAMING_CHUNKED)
        return stream_send(fd, bytes, length);
    snprintf(head, sizeof head, "%zx\r\n", length);
    return length == 0 || (stream_send(fd, head, strlen(head)) && stream_send(fd, bytes, length) &&
                           stream_send(fd, "\r\n", 2));
}

static bool has_body(const struct script *script)
{
    return script->status != 204 && script->status != 304;
}

static bool send_body(int fd, const struct script *script)
{
    static const char filler[PIECE] = "<OpenRosaResponse xmlns=\"http://openrosa.org/http/"
                                      "response\"><message>full submission upload was successful!"
                                      "</message></OpenRosaResponse>\n";
    long length = script->cut >= 0 && script->cut < script->size ? script->cut : script->size;
    long half = length / 2;

    while (length > 0) {
        long n = length < PIECE ? length : PIECE;
        if (script->pause > 0 && length > half && length - n < half)
            n = length - half;
        if (!send_piece(fd, script->framing, filler, (size_t)n))
            return false;
        length -= n;
        if (length == half)
            sleep_ms(script->pause);
    }
    return script->cut >= 0 || script->framing != FRAMING_CHUNKED ||
           stream_send(fd, "0\r\n\r\n", 5);
}

static bool send_head(int fd, const struct request *request, const struct script *script,
                      bool is_keepalive)
{
    char head[2048], length[64] = "";
    int n;

    if (script->framing == FRAMING_CHUNKED && has_body(script))
        snprintf(length, sizeof length, "Transfer-Encoding: chunked\r\n");
    else if (script->framing == FRAMING_LENGTH && has_body(script))
        snprintf(length, sizeof length, "Content-Length: %ld\r\n", script->size);
    n = snprintf(head, sizeof head,
                 "%s %ld Told\r\nContent-Type: text/xml; charset=utf-8\r\n"
                 "X-OpenRosa-Version: 1.0\r\nX-Upstream: yes\r\n%s%s%s%s\r\n",
                 request->is_scgi ? "Status:" : "HTTP/1.1", script->status, length, script->header,
                 script->header[0] == '\0' ? "" : "\r\n",
                 is_keepalive ? "" : "Connection: close\r\n");
    return stream_send(fd, head, (size_t)n);
}

/* Closed with a reset, unread bytes are thrown away on both sides. */
static void make_reset(int fd)
{
    struct linger linger = {1, 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

/* Answers one request; true when the next may come on the same connection. */
static bool answer(struct stream *in, const struct request *request)
{
    bool is_keepalive = request->is_http && request->is_keepalive, is_whole;
    struct script script;
    struct kept kept;

    script_read(request->script, &script);
    is_whole = script.cut == SCRIPT_NO_CUT;
    is_keepalive = is_keepalive && is_whole && !script.is_early &&
                   (script.framing != FRAMING_CLOSE || !has_body(&script));
    if (!script.is_early) {
        keep_begin(&kept);
        is_whole = request_read_body(in, request, keep_bytes, &kept);
        keep_end(&kept, is_whole && script.status / 100 == 2);
        if (!is_whole)
            return false;
    }
    sleep_ms(script.delay);
    if (script.is_reset)
        make_reset(in->fd);
    return script.cut != -1 && send_head(in->fd, request, &script, is_keepalive) &&
           (!has_body(&script) || strcmp(request->method, "HEAD") == 0 ||
            send_body(in->fd, &script)) &&
           is_keepalive;
}

static void *serve(void *data)
{
    struct stream *in = data;
    struct request request;

    while (request_read(in, &request) && answer(in, &request))
        ;
    close(in->fd);
    free(in);
    return NULL;
}

/* ---- starting --------------------------------------------------------------------------- */

static int listen_on(unsigned short *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        fail("listen");
    *port = ntohs(address.sin_port);
    return fd;
}

static void accept_one(int listener, const pthread_attr_t *attributes)
{
    struct stream *in;
    pthread_t thread;
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    in = calloc(1, sizeof *in);
    if (in == NULL)
        fail("memory");
    in->fd = fd;
    if (pthread_create(&thread, attributes, serve, in) != 0) {
        close(fd);
        free(in);
    }
}

int main(int argc, char **argv)
{
    unsigned short port = 0;
    pthread_attr_t attributes;
    int listener;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--port") == 0)
            port = (unsigned short)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--durable") == 0)
            durable = argv[i + 1];
    }
    signal(SIGPIPE, SIG_IGN);
    listener = listen_on(&port);
    printf("%u\n", port);
    fflush(stdout);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (;;)
        accept_one(listener, &attributes);
}
