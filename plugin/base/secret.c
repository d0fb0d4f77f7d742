/*
 * Secrets in memory of their own. See secret.h.
 */
#include "base/secret.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct relais_secret {
    uint8_t *bytes; /* pages of its own */
    size_t length;
    size_t size; /* of the pages */
};

/* Locking fails for an ordinary user above RLIMIT_MEMLOCK, and the secret is no worse for it
 * than any other program's. */
static bool take_pages(relais_secret *secret, size_t size, relais_error *err)
{
    secret->bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (secret->bytes == MAP_FAILED) {
        secret->bytes = NULL;
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for a secret");
    }
    secret->size = size;
    (void)mlock(secret->bytes, size);
    (void)madvise(secret->bytes, size, MADV_DONTDUMP);
    return true;
}

static bool check_file(int file, const char *path, relais_error *err)
{
    struct stat status;

    if (fstat(file, &status) != 0)
        return relais_error_system(err, errno, path, "the secret's file cannot be read");
    if (!S_ISREG(status.st_mode)) {
        relais_error_set(err, RELAIS_ERR_CONFIG, "a secret must be in a regular file");
    } else if ((status.st_mode & (S_IWGRP | S_IRWXO)) != 0) {
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "others may read or change this secret (mode %04o): run `chmod 0640` on "
                         "the file, or `chmod 0600`",
                         (unsigned)(status.st_mode & 07777));
    } else {
        return true;
    }
    relais_error_at(err, path, 0);
    return false;
}

/* Straight into the locked pages: no other buffer sees the bytes. */
static bool fill(int file, const char *path, relais_secret *secret, relais_error *err)
{
    while (secret->length < secret->size) {
        ssize_t got = read(file, secret->bytes + secret->length, secret->size - secret->length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return relais_error_system(err, errno, path, "the secret's file cannot be read");
        if (got == 0)
            break;
        secret->length += (size_t)got;
    }
    return true;
}

static bool check_length(const char *path, relais_secret *secret, size_t minimum, size_t maximum,
                         relais_error *err)
{
    while (secret->length > 0 && relais_is_space((char)secret->bytes[secret->length - 1]))
        secret->length--;
    if (secret->length >= minimum && secret->length <= maximum)
        return true;
    if (secret->length < minimum)
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "this secret has %zu bytes, fewer than %zu: make one with `openssl rand "
                         "-hex 32`",
                         secret->length, minimum);
    else
        relais_error_set(err, RELAIS_ERR_CONFIG, "this secret is longer than %zu bytes", maximum);
    relais_error_at(err, path, 0);
    return false;
}

bool relais_secret_read(const char *path, size_t minimum, size_t maximum, relais_secret **out,
                        relais_error *err)
{
    /* Room for line ends behind the longest secret, so that a longer one is seen as such. */
    const size_t line_end = 16;
    relais_secret *secret = calloc(1, sizeof *secret);
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool ok;

    if (secret == NULL)
        ok = relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    else if (file < 0)
        ok = relais_error_system(err, errno, path, "the secret's file cannot be opened");
    else
        ok = check_file(file, path, err) && take_pages(secret, maximum + line_end, err) &&
             fill(file, path, secret, err) && check_length(path, secret, minimum, maximum, err);
    if (file >= 0)
        close(file);
    if (!ok) {
        relais_secret_free(secret);
        return false;
    }
    *out = secret;
    return true;
}

void relais_secret_free(relais_secret *secret)
{
    if (secret == NULL)
        return;
    if (secret->bytes != NULL) {
        explicit_bzero(secret->bytes, secret->size);
        munmap(secret->bytes, secret->size);
    }
    free(secret);
}

void relais_secret_forbid_dumps(void)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

const uint8_t *relais_secret_bytes(const relais_secret *secret, size_t *length)
{
    *length = secret->length;
    return secret->bytes;
}
