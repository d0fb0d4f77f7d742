/*
 * Phones in a hurry: N keep-alive connections that post one submission after another, each
 * with an instanceID of its own, for some seconds, and time every answer.
 *
 *   bench_load HOST PORT PATH TEMPLATE.xml CONNECTIONS BYTES PHOTO SECONDS
 *
 * TEMPLATE.xml holds INSTANCE where the 36 characters of the uuid go; the XML is padded with
 * a comment to BYTES. PHOTO is the size of a second part, 0 for none. Prints one line of
 * JSON: answers a second, median and 99th percentile in milliseconds. Any answer but 201
 * ends the run with an error: a benchmark of refusals would mean nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 256, SAMPLES_MAX = 1000000, UUID_LENGTH = 36 };

#define BOUNDARY "0f6b2c1e-51a7-4f0e-8f57-6a9d2b7c3e10"

/* What every connection sends; each has its own copy of `text` to write its uuids into. */
struct request {
    char *text; /* request head and the first part */
    size_t length;
    size_t uuid_at;
    const char *photo;
    size_t photo_length;
    const char *tail;
    size_t tail_length;
};

struct client {
    pthread_t thread;
    struct request request;
    float *latencies; /* milliseconds */
    unsigned long done;
};

static atomic_bool stop;
static struct sockaddr_in server;

static void fail(const char *what)
{
    fprintf(stderr, "bench_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static char *read_template(const char *file)
{
    FILE *in = fopen(file, "rb");
    char *text = calloc(1, 1 << 20);

    if (in == NULL || text == NULL)
        fail(file);
    if (fread(text, 1, (1 << 20) - 1, in) == 0)
        fail(file);
    fclose(in);
    return text;
}

/* The XML with room for a uuid and a comment that brings it to `bytes`. */
static char *pad_template(const char *template, size_t bytes)
{
    const char *mark = strstr(template, "INSTANCE");
    const char *end = strrchr(template, '<');
    size_t length = strlen(template) - strlen("INSTANCE") + UUID_LENGTH;
    size_t padding = bytes > length + 7 ? bytes - length - 7 : 0;
    char *xml = malloc(length + padding + 16);
    char *filler = malloc(padding + 1);

    if (mark == NULL || end == NULL || xml == NULL || filler == NULL) {
        fprintf(stderr, "bench_load: the template needs INSTANCE and a root element\n");
        exit(1);
    }
    memset(filler, 'x', padding);
    filler[padding] = '\0';
    snprintf(xml, length + padding + 16, "%.*s%036d%.*s%s%s%s%s", (int)(mark - template), template,
             0, (int)(end - mark - (long)strlen("INSTANCE")), mark + strlen("INSTANCE"),
             padding > 0 ? "<!--" : "", filler, padding > 0 ? "-->" : "", end);
    free(filler);
    return xml;
}

static const char part_head[] = "--" BOUNDARY "\r\n"
                                "Content-Disposition: form-data; name=\"xml_submission_file\"; "
                                "filename=\"bench_2026-11-25_10-00-00.xml\"\r\n"
                                "Content-Type: text/xml\r\n\r\n";
static const char photo_head[] = "\r\n--" BOUNDARY "\r\n"
                                 "Content-Disposition: form-data; name=\"1764057600123.jpg\"; "
                                 "filename=\"1764057600123.jpg\"\r\n"
                                 "Content-Type: image/jpeg\r\n\r\n";
static const char tail[] = "\r\n--" BOUNDARY "--\r\n";

static void build_request(struct request *request, const char *host, const char *path,
                          const char *xml, const char *photo, size_t photo_length)
{
    size_t xml_length = strlen(xml);
    size_t body = sizeof part_head - 1 + xml_length + sizeof tail - 1 +
                  (photo_length > 0 ? sizeof photo_head - 1 + photo_length : 0);
    size_t room = 1024 + strlen(path) + sizeof part_head + xml_length + sizeof photo_head;
    char *text = malloc(room);
    int head;

    if (text == NULL)
        fail("malloc");
    head = snprintf(text, room,
                    "POST %s?deviceID=collect%%3Abenchbenchbench1 HTTP/1.1\r\n"
                    "X-OpenRosa-Version: 1.0\r\n"
                    "User-Agent: org.odk.collect.android/v2026.3.3 Dalvik/2.1.0\r\n"
                    "Content-Type: multipart/form-data; boundary=" BOUNDARY "\r\n"
                    "Content-Length: %zu\r\nHost: %s\r\nConnection: Keep-Alive\r\n"
                    "Accept-Encoding: gzip\r\n\r\n",
                    path, body, host);
    request->text = text;
    request->length = (size_t)head;
    memcpy(text + request->length, part_head, sizeof part_head - 1);
    request->length += sizeof part_head - 1;
    request->uuid_at =
        request->length + (size_t)(strstr(xml, "000000000000000000000000000000000000") - xml);
    memcpy(text + request->length, xml, xml_length);
    request->length += xml_length;
    if (photo_length > 0) {
        memcpy(text + request->length, photo_head, sizeof photo_head - 1);
        request->length += sizeof photo_head - 1;
    }
    request->photo = photo;
    request->photo_length = photo_length;
    request->tail = tail;
    request->tail_length = sizeof tail - 1;
}

static void write_uuid(char *out)
{
    unsigned char r[16];
    static const char digits[] = "0123456789abcdef";

    if (getrandom(r, sizeof r, 0) != (ssize_t)sizeof r)
        fail("getrandom");
    for (int i = 0, o = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[o++] = '-';
        out[o++] = digits[r[i] >> 4];
        out[o++] = digits[r[i] & 15];
    }
}

static int connect_server(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof server) != 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void send_request(int fd, const struct request *request)
{
    struct iovec parts[3] = {{request->text, request->length},
                             {(void *)(uintptr_t)request->photo, request->photo_length},
                             {(void *)(uintptr_t)request->tail, request->tail_length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};

    while (message.msg_iovlen > 0) {
        ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (n < 0)
            fail("send");
        while (message.msg_iovlen > 0 && (size_t)n >= message.msg_iov->iov_len) {
            n -= (ssize_t)message.msg_iov->iov_len;
            message.msg_iov++;
            message.msg_iovlen--;
        }
        if (message.msg_iovlen > 0) {
            message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + n;
            message.msg_iov->iov_len -= (size_t)n;
        }
    }
}

/* Reads one answer whole: head, then Content-Length bytes. False when the server closes after
 * it, as nginx does with a connection's 1000th. */
static bool read_answer(int fd)
{
    char answer[8192];
    size_t have = 0, needed = 0;

    while (needed == 0 || have < needed) {
        ssize_t n = recv(fd, answer + have, sizeof answer - 1 - have, 0);
        char *end, *length;
        if (n <= 0)
            fail("recv");
        have += (size_t)n;
        answer[have] = '\0';
        end = strstr(answer, "\r\n\r\n");
        if (end == NULL || needed != 0)
            continue;
        length = strcasestr(answer, "content-length:");
        needed = (size_t)(end + 4 - answer) +
                 (length == NULL ? 0 : strtoul(length + strlen("content-length:"), NULL, 10));
    }
    if (strncmp(answer, "HTTP/1.1 201", 12) != 0) {
        fprintf(stderr, "bench_load: the answer is not 201: %.300s\n", answer);
        exit(1);
    }
    return strcasestr(answer, "\r\nconnection: close") == NULL;
}

static void *run_client(void *data)
{
    struct client *client = data;
    int fd = connect_server();

    while (!atomic_load_explicit(&stop, memory_order_relaxed) && client->done < SAMPLES_MAX) {
        double start;
        bool is_open;
        write_uuid(client->request.text + client->request.uuid_at);
        start = milliseconds();
        send_request(fd, &client->request);
        is_open = read_answer(fd);
        client->latencies[client->done++] = (float)(milliseconds() - start);
        if (!is_open) {
            close(fd);
            fd = connect_server();
        }
    }
    close(fd);
    return NULL;
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static void report(struct client *clients, unsigned connections, double elapsed)
{
    unsigned long total = 0, at = 0;
    float *all;

    for (unsigned i = 0; i < connections; i++)
        total += clients[i].done;
    all = malloc((total + 1) * sizeof *all);
    if (all == NULL || total == 0)
        fail("no answers");
    for (unsigned i = 0; i < connections; i++) {
        memcpy(all + at, clients[i].latencies, clients[i].done * sizeof *all);
        at += clients[i].done;
    }
    qsort(all, total, sizeof *all, compare_floats);
    printf("{\"connections\": %u, \"answers\": %lu, \"per_second\": %.1f, \"median_ms\": %.3f, "
           "\"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
           connections, total, (double)total * 1e3 / elapsed, (double)all[total / 2],
           (double)all[total - 1 - total / 100], (double)all[total - 1]);
    free(all);
}

int main(int argc, char **argv)
{
    static struct client clients[CONNECTIONS_MAX];
    unsigned connections;
    size_t photo_length;
    char *photo, *xml;
    double start;

    if (argc != 9) {
        fprintf(stderr,
                "usage: bench_load HOST PORT PATH TEMPLATE.xml CONNECTIONS BYTES PHOTO SECONDS\n");
        return 2;
    }
    server.sin_family = AF_INET;
    server.sin_port = htons((unsigned short)strtoul(argv[2], NULL, 10));
    connections = (unsigned)strtoul(argv[5], NULL, 10);
    if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1 || connections == 0 ||
        connections > CONNECTIONS_MAX) {
        fprintf(stderr, "bench_load: an IPv4 address and 1 to %d connections\n", CONNECTIONS_MAX);
        return 2;
    }
    photo_length = strtoul(argv[7], NULL, 10);
    photo = malloc(photo_length + 1);
    if (photo == NULL || (photo_length > 0 && getrandom(photo, 1, 0) != 1))
        fail("photo");
    for (size_t i = 1; i < photo_length; i++)
        photo[i] = (char)(photo[i - 1] * 31 + (char)i);
    xml = pad_template(read_template(argv[4]), strtoul(argv[6], NULL, 10));
    start = milliseconds();
    for (unsigned i = 0; i < connections; i++) {
        build_request(&clients[i].request, argv[1], argv[3], xml, photo, photo_length);
        clients[i].latencies = malloc(SAMPLES_MAX * sizeof(float));
        if (clients[i].latencies == NULL)
            fail("malloc");
        errno = pthread_create(&clients[i].thread, NULL, run_client, &clients[i]);
        if (errno != 0)
            fail("pthread_create");
    }
    usleep((useconds_t)(strtod(argv[8], NULL) * 1e6));
    atomic_store(&stop, true);
    for (unsigned i = 0; i < connections; i++)
        pthread_join(clients[i].thread, NULL);
    report(clients, connections, milliseconds() - start);
    return 0;
}
