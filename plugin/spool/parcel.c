/*
 * A parcel's head, written and read by one table of keys, and the open parcel file.
 * See parcel.h. Reading trusts nothing: parcels travel on sticks and are edited by hand.
 */
#include "spool/parcel.h"

#include "base/text.h"
#include "spool/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_KEY     "relais-parcel"
#define FORMAT_NUMBER "1"

/* The keys whose values are texts; the order is the order of writing. */
static const struct text_key {
    const char *key;
    size_t offset;
    bool is_required;
} text_keys[] = {
    {"received", offsetof(relais_parcel_head, received), true},
    {"source", offsetof(relais_parcel_head, source), true},
    {"form", offsetof(relais_parcel_head, form), true},
    {"version", offsetof(relais_parcel_head, version), false},
    {"instance", offsetof(relais_parcel_head, instance), false},
    {"user", offsetof(relais_parcel_head, user), false},
    {"device", offsetof(relais_parcel_head, device), false},
    {"host", offsetof(relais_parcel_head, host), false},
    {"content-type", offsetof(relais_parcel_head, content_type), true},
    {"sealed", offsetof(relais_parcel_head, sealed), false},
};

enum { TEXT_KEYS = sizeof text_keys / sizeof *text_keys };

static const char **text_field(relais_parcel_head *head, const struct text_key *key)
{
    return (const char **)((char *)head + key->offset);
}

static const char *text_value(const relais_parcel_head *head, const struct text_key *key)
{
    return *(const char *const *)((const char *)head + key->offset);
}

void relais_parcel_head_init(relais_parcel_head *head)
{
    memset(head, 0, sizeof *head);
    for (size_t i = 0; i < TEXT_KEYS; i++)
        *text_field(head, &text_keys[i]) = "";
}

/* ---- writing ------------------------------------------------------------------------- */

static bool write_texts(const relais_parcel_head *head, relais_buffer *out, relais_error *err)
{
    char now[RELAIS_TIME_TEXT_SIZE];

    for (size_t i = 0; i < TEXT_KEYS; i++) {
        const struct text_key *key = &text_keys[i];
        const char *value = text_value(head, key);
        if (strlen(value) > RELAIS_PARCEL_VALUE_MAX)
            return relais_error_set(err, RELAIS_ERR_LIMIT,
                                    "the parcel's \"%s\" is longer than %d bytes", key->key,
                                    RELAIS_PARCEL_VALUE_MAX);
        if (key->offset == offsetof(relais_parcel_head, received) && *value == '\0') {
            relais_time_now(now);
            value = now;
        }
        if (key->is_required || *value != '\0')
            relais_line_append(out, key->key, value);
    }
    return true;
}

bool relais_parcel_head_write(const relais_parcel_head *head, relais_buffer *out, relais_error *err)
{
    char number[32], hash[2 * RELAIS_SHA256_SIZE + 1];
    size_t start = out->length;

    relais_line_append(out, FIRST_KEY, FORMAT_NUMBER);
    if (!write_texts(head, out, err))
        return false;
    snprintf(number, sizeof number, head->sealed[0] == '\0' ? "%" PRIu64 : "%012" PRIu64,
             head->length);
    relais_line_append(out, "length", number);
    relais_hex(head->sha256, sizeof head->sha256, hash);
    relais_line_append(out, "sha256", hash);
    relais_buffer_append_char(out, '\n');
    if (!relais_buffer_check(out, "the parcel's head", err))
        return false;
    if (out->length - start > RELAIS_PARCEL_HEAD_MAX)
        return relais_error_set(err, RELAIS_ERR_LIMIT, "the parcel's head is longer than %d bytes",
                                RELAIS_PARCEL_HEAD_MAX);
    return true;
}

/* ---- reading ------------------------------------------------------------------------- */

static bool damaged(relais_error *err, long line, const char *key, const char *what)
{
    relais_error_set(err, RELAIS_ERR_DAMAGED, "the parcel's head is damaged: \"%s\" %s", key, what);
    relais_error_at(err, NULL, line);
    return false;
}

/* "2026-03-02T10:15:04.123Z"; '0' stands for any digit. */
static bool is_time(const char *text)
{
    static const char shape[] = "0000-00-00T00:00:00.000Z";

    if (strlen(text) != sizeof shape - 1)
        return false;
    for (size_t i = 0; shape[i] != '\0'; i++)
        if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
            return false;
    return true;
}

/* Which keys a head has had: a bit a text key, then length and sha256. */
struct seen {
    unsigned keys;
};

enum { LENGTH_BIT = TEXT_KEYS, HASH_BIT };

static bool mark_seen(struct seen *seen, unsigned bit)
{
    unsigned mask = 1u << bit;
    bool is_new = (seen->keys & mask) == 0;

    seen->keys |= mask;
    return is_new;
}

static bool take_length(const relais_line *line, long number, relais_parcel_head *head,
                        relais_error *err)
{
    if (!relais_parse_number(line->value, INT64_MAX, &head->length))
        return damaged(err, number, "length", "is not a number of bytes");
    return true;
}

static bool take_hash(const relais_line *line, long number, relais_parcel_head *head,
                      relais_error *err)
{
    if (!relais_unhex(line->value, head->sha256, sizeof head->sha256))
        return damaged(err, number, "sha256", "is not 64 hexadecimal digits");
    return true;
}

static bool take_text(const struct text_key *key, const relais_line *line, long number,
                      relais_parcel_head *head, relais_error *err)
{
    if (key->offset == offsetof(relais_parcel_head, received) && !is_time(line->value))
        return damaged(err, number, key->key, "is not a time like 2026-03-02T10:15:04.123Z");
    *text_field(head, key) = line->value;
    return true;
}

static bool take_line(const relais_line *line, long number, struct seen *seen,
                      relais_parcel_head *head, relais_error *err)
{
    for (unsigned i = 0; i < TEXT_KEYS; i++) {
        if (!relais_line_is(line, text_keys[i].key))
            continue;
        if (!mark_seen(seen, i))
            return damaged(err, number, text_keys[i].key, "stands twice");
        return take_text(&text_keys[i], line, number, head, err);
    }
    if (relais_line_is(line, "length"))
        return mark_seen(seen, LENGTH_BIT) ? take_length(line, number, head, err)
                                           : damaged(err, number, "length", "stands twice");
    if (relais_line_is(line, "sha256"))
        return mark_seen(seen, HASH_BIT) ? take_hash(line, number, head, err)
                                         : damaged(err, number, "sha256", "stands twice");
    if (relais_line_is(line, FIRST_KEY))
        return damaged(err, number, FIRST_KEY, "stands twice");
    return true;
}

static bool check_complete(const struct seen *seen, long number, relais_error *err)
{
    for (unsigned i = 0; i < TEXT_KEYS; i++)
        if (text_keys[i].is_required && (seen->keys & 1u << i) == 0)
            return damaged(err, number, text_keys[i].key, "is missing");
    if ((seen->keys & 1u << LENGTH_BIT) == 0)
        return damaged(err, number, "length", "is missing");
    if ((seen->keys & 1u << HASH_BIT) == 0)
        return damaged(err, number, "sha256", "is missing");
    return true;
}

static bool read_first_line(relais_line_reader *reader, relais_arena *arena, relais_error *err)
{
    relais_line line;

    if (!relais_line_read(reader, RELAIS_PARCEL_VALUE_MAX, arena, &line, err))
        return false;
    if (!relais_line_is(&line, FIRST_KEY))
        return damaged(err, 1, FIRST_KEY, "is not its first line");
    if (strcmp(line.value, FORMAT_NUMBER) != 0)
        return damaged(err, 1, FIRST_KEY, "names a format that this version does not know");
    return true;
}

bool relais_parcel_head_read(const char *bytes, size_t length, relais_arena *arena,
                             relais_parcel_head *head, size_t *head_length, relais_error *err)
{
    relais_line_reader reader = {.next = bytes, .end = bytes};
    struct seen seen = {0};
    relais_line line;

    relais_parcel_head_init(head);
    *head_length = 0;
    reader.end += length < RELAIS_PARCEL_HEAD_MAX ? length : RELAIS_PARCEL_HEAD_MAX;
    if (!read_first_line(&reader, arena, err))
        return false;
    for (;;) {
        if (!relais_line_read(&reader, RELAIS_PARCEL_VALUE_MAX, arena, &line, err))
            return false;
        if (line.key_length == 0)
            break;
        if (!take_line(&line, reader.number, &seen, head, err))
            return false;
    }
    *head_length = (size_t)(reader.next - bytes);
    return check_complete(&seen, reader.number, err);
}

/* ---- the file ------------------------------------------------------------------------ */

static void close_descriptor(void *data)
{
    close(*(int *)data);
}

static bool open_error(int sys, const char *name, relais_error *err)
{
    if (sys == ENOENT)
        relais_error_set(err, RELAIS_ERR_MISSING, "there is no such parcel");
    else if (sys == ELOOP)
        relais_error_set(err, RELAIS_ERR_DAMAGED, "a parcel may not be a symbolic link");
    else
        relais_error_system(err, sys, name, "the parcel cannot be opened");
    relais_error_at(err, name, 0);
    return false;
}

/* Opens for reading, to be closed with the arena. O_NONBLOCK: a FIFO must not stop us. */
static int open_file(int dirfd, const char *name, relais_arena *arena, relais_error *err)
{
    int *kept = relais_arena_alloc(arena, sizeof *kept);

    if (kept == NULL) {
        relais_arena_error(arena, err);
        return -1;
    }
    *kept = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (*kept < 0) {
        open_error(errno, name, err);
        return -1;
    }
    if (!relais_arena_cleanup(arena, close_descriptor, kept)) {
        relais_arena_error(arena, err);
        return -1;
    }
    return *kept;
}

/* Reads up to `size` bytes at an offset; less only at the end of the file. */
static ssize_t read_at(int fd, void *out, size_t size, off_t offset)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = pread(fd, (char *)out + done, size - done, offset + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static bool check_size(const struct stat *st, const relais_parcel *parcel, relais_error *err)
{
    uint64_t size = (uint64_t)st->st_size;

    if (size < parcel->body_offset || size - parcel->body_offset != parcel->head.length)
        return relais_error_set(err, RELAIS_ERR_DAMAGED,
                                "the parcel should hold a body of %" PRIu64
                                " bytes but the file has %" PRIu64 " bytes in all",
                                parcel->head.length, size);
    return true;
}

bool relais_parcel_open(int dirfd, const char *name, relais_arena *arena, relais_parcel *out,
                        relais_error *err)
{
    memset(out, 0, sizeof *out);
    relais_parcel_head_init(&out->head);
    out->fd = open_file(dirfd, name, arena, err);
    return out->fd >= 0 && relais_parcel_examine(out->fd, name, arena, out, err);
}

bool relais_parcel_examine(int fd, const char *name, relais_arena *arena, relais_parcel *out,
                           relais_error *err)
{
    char bytes[RELAIS_PARCEL_HEAD_MAX];
    size_t head_length;
    struct stat st;
    ssize_t n;

    memset(out, 0, sizeof *out);
    relais_parcel_head_init(&out->head);
    out->fd = fd;
    if (fstat(out->fd, &st) != 0)
        return relais_error_system(err, errno, name, "the parcel cannot be examined");
    if (!S_ISREG(st.st_mode)) {
        relais_error_set(err, RELAIS_ERR_DAMAGED, "a parcel must be a regular file");
        relais_error_at(err, name, 0);
        return false;
    }
    n = read_at(out->fd, bytes, sizeof bytes, 0);
    if (n < 0)
        return relais_error_system(err, errno, name, "the parcel cannot be read");
    if (!relais_parcel_head_read(bytes, (size_t)n, arena, &out->head, &head_length, err)) {
        relais_error_at(err, name, 0);
        return false;
    }
    out->body_offset = head_length;
    if (!check_size(&st, out, err)) {
        relais_error_at(err, name, 0);
        return false;
    }
    return true;
}

bool relais_parcel_read(const relais_parcel *parcel, uint64_t offset, void *out, size_t length,
                        relais_error *err)
{
    ssize_t n;

    if (offset > parcel->head.length || length > parcel->head.length - offset)
        return relais_error_set(err, RELAIS_ERR_LIMIT,
                                "a read outside the parcel's body was asked for");
    n = read_at(parcel->fd, out, length, (off_t)(parcel->body_offset + offset));
    if (n < 0)
        return relais_error_system(err, errno, NULL, "the parcel cannot be read");
    if ((size_t)n != length)
        return relais_error_set(err, RELAIS_ERR_DAMAGED, "the parcel's file ends inside its body");
    return true;
}
