/*
 * Reading a private key. See key.h.
 */
#include "cli/key.h"

#include "cli/speak.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

typedef struct asking {
    const char *path;
    uint64_t fd;        /* of the passphrase, or RELAIS_CLI_TERMINAL */
    const char *mishap; /* why there is no passphrase; marked for translation */
} asking;

typedef enum { BYTE_READ, BYTE_NONE, BYTE_FAILED } byte_read;

static byte_read read_byte(int fd, char *byte)
{
    ssize_t n;

    do
        n = read(fd, byte, 1);
    while (n < 0 && errno == EINTR);
    return n == 1 ? BYTE_READ : n == 0 ? BYTE_NONE : BYTE_FAILED;
}

/* The first line without its end, byte by byte: what follows may be somebody else's. */
static bool read_line(asking *a, int fd, char cancel, char *out, size_t size, size_t *length)
{
    char byte;

    *length = 0;
    for (;;) {
        byte_read read = read_byte(fd, &byte);
        if (read == BYTE_FAILED)
            a->mishap = N_("the passphrase cannot be read");
        else if (read == BYTE_READ && cancel != '\0' && byte == cancel)
            a->mishap = N_("no passphrase was given");
        if (a->mishap != NULL)
            return false;
        if (read == BYTE_NONE || byte == '\n')
            return true;
        if (*length == size) {
            a->mishap = N_("the passphrase is too long");
            return false;
        }
        out[(*length)++] = byte;
    }
}

/* Without ISIG the terminal's Ctrl-C comes as a byte, so that no signal ends the command while
 * the terminal shows nothing; other signals wait until it does again. */
static bool read_unseen(asking *a, int tty, char *out, size_t size, size_t *length)
{
    struct termios seen, unseen;
    sigset_t all, before;
    bool ok;

    if (tcgetattr(tty, &seen) != 0) {
        a->mishap = N_("the passphrase cannot be asked for: this is no terminal");
        return false;
    }
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    unseen = seen;
    unseen.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    tcsetattr(tty, TCSAFLUSH, &unseen);
    dprintf(tty, _("Passphrase of %s: "), a->path);
    ok = read_line(a, tty, (char)seen.c_cc[VINTR], out, size, length);
    tcsetattr(tty, TCSAFLUSH, &seen);
    dprintf(tty, "\n");
    sigprocmask(SIG_SETMASK, &before, NULL);
    return ok;
}

static bool give_passphrase(void *data, char *out, size_t size, size_t *length)
{
    asking *a = data;
    int tty;
    bool ok;

    if (a->fd != RELAIS_CLI_TERMINAL)
        return read_line(a, (int)a->fd, '\0', out, size, length);
    tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (tty < 0) {
        a->mishap = N_("the key needs its passphrase, and there is no terminal to ask at: give it "
                       "by --passphrase-fd N");
        return false;
    }
    ok = read_unseen(a, tty, out, size, length);
    close(tty);
    return ok;
}

bool relais_cli_key_read(const char *path, uint64_t passphrase_fd, relais_seal_key **out,
                         relais_error *err)
{
    asking a = {.path = path, .fd = passphrase_fd};
    relais_error why = {0};

    *out = NULL;
    if (path == NULL || relais_seal_key_read(path, give_passphrase, &a, out, &why))
        return true;
    if (a.mishap == NULL) {
        *err = why;
        return false;
    }
    relais_error_set(err, RELAIS_ERR_CONFIG, "%s", _(a.mishap));
    relais_error_at(err, path, 0);
    return false;
}
