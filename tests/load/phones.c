/*
 * Phones that post submissions of random sizes to a web server in front of load_upstream, tell
 * that upstream at random what to do, go away at random moments, and write down what they saw.
 *
 *   load_phones HOST PORT PATH [--connections N] [--requests N] [--seconds N] [--seed N]
 *               [--aborts PERCENT] [--faults PERCENT] [--largest BYTES] [--delay MS] [--plain 1]
 *
 * One line a request:
 *
 *   SHA256 SEEN HOW SIZE TOLD END TOLD-SIZE FAULT
 *
 * SHA256 of the body that was sent or was to be sent; SEEN the status, 0 for none; HOW
 * whole | broken | none; SIZE of the answer's body; TOLD the status that the upstream was told;
 * END whole | cut | nothing | early, as it was told to end; FAULT none | stage | commit | sync,
 * what was asked of the preloaded load_fault through the deviceID.
 */
#include "answer.h"
#include "stream.h"

#include "base/digest.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 512, SMALLEST = 200, POOL = 1 << 20, ROOM = 8192 };

static struct {
    struct sockaddr_in server;
    const char *host, *path;
    long connections, requests, seconds, seed, aborts, faults, largest, delay, plain;
} options = {.connections = 32,
             .requests = 1000000000,
             .seed = 1,
             .aborts = 20,
             .faults = 0,
             .largest = 420000,
             .delay = 100};

static char pool[POOL]; /* random bytes, of which files are cut */
static atomic_long started;
static atomic_bool stop;

static void fail(const char *what)
{
    fprintf(stderr, "load_phones: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- chance ----------------------------------------------------------------------------- */

/* splitmix64: states that lie close together give sequences that have nothing in common. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static long below(uint64_t *state, long limit)
{
    return limit <= 0 ? 0 : (long)(next_random(state) % (uint64_t)limit);
}

static bool happens(uint64_t *state, long percent)
{
    return below(state, 100) < percent;
}

/* From SMALLEST to `largest`, each order of magnitude as often as another. */
static long random_size(uint64_t *state, long largest)
{
    double part = (double)below(state, 1 << 20) / (1 << 20);

    return (long)(SMALLEST * pow((double)largest / SMALLEST, part));
}

/* ---- one request ------------------------------------------------------------------------ */

typedef enum { STAY, LEAVE_EARLY, LEAVE_LATE } leaving;

struct phone {
    pthread_t thread;
    uint64_t random;
    int fd;
    char *text; /* head and body of the present request */
    size_t head_length, body_length;
    char sha256[2 * RELAIS_SHA256_SIZE + 1];
    bool is_chunked;
    leaving leaving;
    /* What the upstream is told. */
    long status, size;
    const char *end;
    char script[256];
    const char *fault;
};

static void choose_end(struct phone *phone)
{
    uint64_t *random = &phone->random;
    size_t length = strlen(phone->script);
    char *more = phone->script + length;
    size_t room = sizeof phone->script - length;

    phone->end = "whole";
    if (happens(random, 3)) {
        phone->end = "nothing";
        snprintf(more, room, " cut=-1 end=%s", happens(random, 50) ? "reset" : "close");
    } else if (happens(random, 5) && phone->size > 0) {
        phone->end = "cut";
        snprintf(more, room, " cut=%ld end=%s framing=%s", below(random, phone->size),
                 happens(random, 50) ? "reset" : "close",
                 happens(random, 50) ? "length" : "chunked");
    } else if (happens(random, 2)) {
        phone->end = "early";
        snprintf(more, room, " early=1");
    } else if (happens(random, 30)) {
        snprintf(more, room, " framing=%s", happens(random, 50) ? "chunked" : "close");
    }
}

static void choose_script(struct phone *phone)
{
    static const long statuses[] = {201, 201, 201, 201, 201, 201, 201, 201, 201, 201, 202, 202,
                                    200, 204, 302, 400, 401, 403, 404, 409, 413, 500, 503};
    uint64_t *random = &phone->random;
    size_t length;

    phone->status = statuses[below(random, sizeof statuses / sizeof *statuses)];
    phone->size = happens(random, 85)   ? below(random, 2000)
                  : happens(random, 80) ? below(random, 70000)
                                        : 200000 + below(random, 150000);
    phone->end = "whole";
    if (options.plain) {
        phone->status = 201;
        phone->size = 200;
    }
    snprintf(phone->script, sizeof phone->script, "status=%ld size=%ld", phone->status,
             phone->size);
    if (options.plain)
        return;
    length = strlen(phone->script);
    if (happens(random, 30))
        snprintf(phone->script + length, sizeof phone->script - length, " delay=%ld pause=%ld",
                 below(random, options.delay), below(random, 100) < 20 ? options.delay / 3 : 0);
    choose_end(phone);
}

static void choose_fault(struct phone *phone)
{
    static const char *const faults[] = {"stage", "commit", "sync", "slow"};

    phone->fault =
        happens(&phone->random, options.faults) ? faults[below(&phone->random, 4)] : "none";
}

static size_t write_body(struct phone *phone, char *out, const char *boundary)
{
    long size = options.plain ? 2000 : random_size(&phone->random, options.largest);
    long file = size > 1000 ? size - 700 : 0;
    uint64_t a = next_random(&phone->random), b = next_random(&phone->random);
    int n = snprintf(out, ROOM,
                     "--%s\r\nContent-Disposition: form-data; name=\"xml_submission_file\"; "
                     "filename=\"load.xml\"\r\nContent-Type: text/xml\r\n\r\n"
                     "<data id=\"load\" version=\"1\"><note>a</note><meta><instanceID>uuid:%016llx"
                     "%016llx</instanceID></meta></data>\r\n",
                     boundary, (unsigned long long)a, (unsigned long long)b);
    char *at = out + n;

    if (file > 0) {
        at += sprintf(at,
                      "--%s\r\nContent-Disposition: form-data; name=\"a.jpg\"; "
                      "filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n",
                      boundary);
        for (long done = 0; done < file;) {
            long from = below(&phone->random, POOL / 2);
            long run = file - done < POOL / 2 ? file - done : POOL / 2;
            memcpy(at, pool + from, (size_t)run);
            at += run;
            done += run;
        }
        at += sprintf(at, "\r\n");
    }
    at += sprintf(at, "--%s--\r\n", boundary);
    return (size_t)(at - out);
}

static void hash_body(struct phone *phone)
{
    relais_digest_state state;
    uint8_t hash[RELAIS_SHA256_SIZE];

    relais_sha256_begin(&state);
    relais_sha256_add(&state, phone->text + ROOM, phone->body_length);
    relais_sha256_end(&state, hash);
    relais_hex(hash, sizeof hash, phone->sha256);
}

/* The body stands at text + ROOM, the head right before it. */
static void build(struct phone *phone)
{
    char head[2048], boundary[33], length[64];
    int n;

    choose_script(phone);
    choose_fault(phone);
    phone->leaving = !happens(&phone->random, options.aborts) ? STAY
                     : happens(&phone->random, 50)            ? LEAVE_EARLY
                                                              : LEAVE_LATE;
    phone->is_chunked = !options.plain && happens(&phone->random, 10);
    snprintf(boundary, sizeof boundary, "%016llx%016llx",
             (unsigned long long)next_random(&phone->random),
             (unsigned long long)next_random(&phone->random));
    phone->body_length = write_body(phone, phone->text + ROOM, boundary);
    hash_body(phone);
    if (phone->is_chunked)
        snprintf(length, sizeof length, "Transfer-Encoding: chunked");
    else
        snprintf(length, sizeof length, "Content-Length: %zu", phone->body_length);
    n = snprintf(head, sizeof head,
                 "POST %s?deviceID=%s HTTP/1.1\r\nHost: %s\r\nX-OpenRosa-Version: 1.0\r\n"
                 "Content-Type: multipart/form-data; boundary=%s\r\n%s\r\nX-Script: %s\r\n\r\n",
                 options.path, phone->fault, options.host, boundary, length, phone->script);
    phone->head_length = (size_t)n;
    memcpy(phone->text + ROOM - n, head, (size_t)n);
}

/* ---- sending ---------------------------------------------------------------------------- */

static bool send_chunks(int fd, const char *bytes, size_t length)
{
    char size[32];

    while (length > 0) {
        size_t n = length < 30000 ? length : 30000;
        snprintf(size, sizeof size, "%zx\r\n", n);
        if (!stream_send(fd, size, strlen(size)) || !stream_send(fd, bytes, n) ||
            !stream_send(fd, "\r\n", 2))
            return false;
        bytes += n;
        length -= n;
    }
    return stream_send(fd, "0\r\n\r\n", 5);
}

static bool send_whole(const struct phone *phone)
{
    const char *start = phone->text + ROOM - phone->head_length;

    if (!phone->is_chunked)
        return stream_send(phone->fd, start, phone->head_length + phone->body_length);
    return stream_send(phone->fd, start, phone->head_length) &&
           send_chunks(phone->fd, phone->text + ROOM, phone->body_length);
}

/* A part that never reaches the request's end. */
static void send_part(struct phone *phone)
{
    size_t whole = phone->head_length + (phone->is_chunked ? 0 : phone->body_length - 1);

    stream_send(phone->fd, phone->text + ROOM - phone->head_length,
                (size_t)below(&phone->random, (long)whole));
}

static void leave(struct phone *phone, bool is_reset)
{
    struct linger linger = {1, 0};

    if (is_reset)
        setsockopt(phone->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(phone->fd);
    phone->fd = -1;
}

/* During the start or the end of a server there is nobody for a moment. */
static bool connect_phone(struct phone *phone)
{
    int on = 1;

    for (int attempt = 0; attempt < 500 && !atomic_load(&stop); attempt++) {
        phone->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (phone->fd < 0)
            fail("socket");
        if (connect(phone->fd, (struct sockaddr *)&options.server, sizeof options.server) == 0) {
            setsockopt(phone->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            return true;
        }
        close(phone->fd);
        phone->fd = -1;
        usleep(10000);
    }
    return false;
}

/* ---- what a phone sees ------------------------------------------------------------------ */

static bool has_answer_within(const struct phone *phone, long milliseconds)
{
    struct pollfd wait = {.fd = phone->fd, .events = POLLIN};

    return poll(&wait, 1, (int)milliseconds) > 0;
}

/* A server may answer before it has read all, and close. */
static void exchange(struct phone *phone, struct answer *seen)
{
    *seen = (struct answer){.status = 0};
    if (phone->leaving == LEAVE_EARLY) {
        send_part(phone);
        leave(phone, happens(&phone->random, 50));
        return;
    }
    send_whole(phone);
    if (phone->leaving == LEAVE_LATE &&
        !has_answer_within(phone, below(&phone->random, options.delay * 3 / 2))) {
        leave(phone, happens(&phone->random, 50));
        return;
    }
    answer_read(phone->fd, seen);
    if (seen->is_closing)
        leave(phone, false);
}

static void report(const struct phone *phone, const struct answer *seen)
{
    const char *how = seen->status == 0 ? (phone->leaving == STAY ? "none" : "left")
                      : seen->is_whole  ? "whole"
                                        : "broken";

    printf("%s %ld %s %ld %ld %s %ld %s\n", phone->sha256, seen->status, how, seen->size,
           phone->status, phone->end, phone->size, phone->fault);
}

static void *run(void *data)
{
    struct phone *phone = data;
    struct answer seen;

    phone->fd = -1;
    while (!atomic_load(&stop) && atomic_fetch_add(&started, 1) < options.requests) {
        build(phone);
        if (phone->fd < 0 && !connect_phone(phone))
            break;
        exchange(phone, &seen);
        report(phone, &seen);
    }
    if (phone->fd >= 0)
        close(phone->fd);
    return NULL;
}

/* ---- starting --------------------------------------------------------------------------- */

static void take_option(const char *name, const char *value)
{
    const struct {
        const char *name;
        long *number;
    } known[] = {
        {"--connections", &options.connections},
        {"--requests", &options.requests},
        {"--seconds", &options.seconds},
        {"--seed", &options.seed},
        {"--aborts", &options.aborts},
        {"--faults", &options.faults},
        {"--largest", &options.largest},
        {"--delay", &options.delay},
        {"--plain", &options.plain},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(name, known[i].name) == 0) {
            *known[i].number = strtol(value, NULL, 10);
            return;
        }
    }
    fprintf(stderr, "load_phones: unknown option %s\n", name);
    exit(2);
}

static void read_arguments(int argc, char **argv)
{
    if (argc < 4 || argc % 2 != 0) {
        fprintf(stderr, "usage: load_phones HOST PORT PATH [--option NUMBER]...\n");
        exit(2);
    }
    options.host = argv[1];
    options.path = argv[3];
    options.server.sin_family = AF_INET;
    options.server.sin_port = htons((unsigned short)strtoul(argv[2], NULL, 10));
    if (inet_pton(AF_INET, argv[1], &options.server.sin_addr) != 1)
        fail(argv[1]);
    for (int i = 4; i + 1 < argc; i += 2)
        take_option(argv[i], argv[i + 1]);
    if (options.connections < 1 || options.connections > CONNECTIONS_MAX) {
        fprintf(stderr, "load_phones: 1 to %d connections\n", CONNECTIONS_MAX);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static struct phone phones[CONNECTIONS_MAX];
    uint64_t random;

    read_arguments(argc, argv);
    random = (uint64_t)options.seed;
    for (size_t i = 0; i < POOL; i++)
        pool[i] = (char)next_random(&random);
    for (long i = 0; i < options.connections; i++) {
        phones[i].random = next_random(&random);
        phones[i].text = malloc((size_t)options.largest + 2 * ROOM);
        if (phones[i].text == NULL)
            fail("memory");
        errno = pthread_create(&phones[i].thread, NULL, run, &phones[i]);
        if (errno != 0)
            fail("pthread_create");
    }
    if (options.seconds > 0) {
        sleep((unsigned)options.seconds);
        atomic_store(&stop, true);
    }
    for (long i = 0; i < options.connections; i++)
        pthread_join(phones[i].thread, NULL);
    return 0;
}
