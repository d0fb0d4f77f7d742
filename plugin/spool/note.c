/*
 * Leaving and reading notes. See note.h.
 */
#include "spool/note.h"

#include "base/digest.h"
#include "base/text.h"
#include "spool/layout.h"
#include "spool/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Seven values, each of their bytes escaped, and what stands around them. */
#define NOTE_SIZE_MAX ((size_t)(7 * 3 * RELAIS_NOTE_VALUE_MAX + 512))

#define NOTE_VERSION "1"

/* Writing takes one call; a note that is not whole by then was left by a process that died. */
enum { UNFINISHED_SECONDS = 60 };

enum { NAME_SIZE = 16, ID_BYTES = (RELAIS_NOTE_ID_SIZE - 1) / 2 };

static void slot_name(unsigned slot, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, ".%02x.note", slot % RELAIS_NOTE_SLOTS);
}

/* ---- leaving ---------------------------------------------------------------------------- */

/* The texts of a head that a note has, in the order in which they stand. */
static const struct text_key {
    const char *key;
    size_t in_head, in_note;
} text_keys[] = {
    {"source", offsetof(relais_parcel_head, source), offsetof(relais_note, source)},
    {"form", offsetof(relais_parcel_head, form), offsetof(relais_note, form)},
    {"version", offsetof(relais_parcel_head, version), offsetof(relais_note, version)},
    {"instance", offsetof(relais_parcel_head, instance), offsetof(relais_note, instance)},
    {"user", offsetof(relais_parcel_head, user), offsetof(relais_note, user)},
    {"device", offsetof(relais_parcel_head, device), offsetof(relais_note, device)},
};

enum { TEXT_KEYS = sizeof text_keys / sizeof *text_keys };

static const char *text_at(const void *object, size_t offset)
{
    return *(const char *const *)((const char *)object + offset);
}

/* Cut before a character that does not fit whole. */
static void cut_value(const char *text, char out[RELAIS_NOTE_VALUE_MAX + 1])
{
    size_t length = strnlen(text, RELAIS_NOTE_VALUE_MAX + 1);

    if (length > RELAIS_NOTE_VALUE_MAX) {
        length = RELAIS_NOTE_VALUE_MAX;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
            length--;
    }
    memcpy(out, text, length);
    out[length] = '\0';
}

/* One submission's notes have one slot, whatever its version of the form. */
static unsigned slot_of(const relais_parcel_head *head)
{
    uint8_t sha256[RELAIS_SHA256_SIZE];
    relais_digest_state state;

    relais_sha256_begin(&state);
    for (size_t i = 0; i < TEXT_KEYS; i++) {
        char value[RELAIS_NOTE_VALUE_MAX + 1];
        if (text_keys[i].in_head == offsetof(relais_parcel_head, version))
            continue;
        cut_value(text_at(head, text_keys[i].in_head), value);
        relais_sha256_add(&state, value, strlen(value) + 1);
    }
    relais_sha256_end(&state, sha256);
    return sha256[0] % RELAIS_NOTE_SLOTS;
}

static void append_number(relais_buffer *out, const char *key, int64_t number)
{
    if (number >= 0)
        relais_buffer_append_format(out, "%s: %" PRId64 "\n", key, number);
}

/* The id stands last: a note that has one is whole. */
static bool write_text(const relais_parcel_head *head, int64_t size, int64_t limit,
                       relais_buffer *out, relais_error *err)
{
    char now[RELAIS_TIME_TEXT_SIZE], value[RELAIS_NOTE_VALUE_MAX + 1];
    char id[RELAIS_NOTE_ID_SIZE];
    uint8_t bytes[ID_BYTES];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return relais_error_system(err, errno, NULL, "the system gives no random bytes");
    relais_hex(bytes, sizeof bytes, id);
    relais_time_now(now);
    relais_line_append(out, "relais-note", NOTE_VERSION);
    relais_line_append(out, "received", now);
    for (size_t i = 0; i < TEXT_KEYS; i++) {
        cut_value(text_at(head, text_keys[i].in_head), value);
        relais_line_append(out, text_keys[i].key, value);
    }
    append_number(out, "size", size);
    append_number(out, "limit", limit);
    relais_line_append(out, "id", id);
    return relais_buffer_check(out, "a note", err);
}

static bool write_slot(relais_spool *spool, unsigned slot, const relais_buffer *text, bool *is_left,
                       relais_error *err)
{
    const relais_spool_dir *dir = &spool->new[0];
    char name[NAME_SIZE];
    bool ok;
    int fd;

    slot_name(slot, name);
    if (faccessat(dir->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    if (!relais_space_take(spool, text->length, err))
        return false;
    fd = relais_spool_file_create(dir, name, err);
    if (fd < 0 && err->sys == EEXIST) { /* another request was faster */
        relais_error_clear(err);
        return true;
    }
    if (fd < 0)
        return false;
    ok = relais_spool_file_write(fd, text->data, text->length, err);
    close(fd);
    if (!ok)
        unlinkat(dir->fd, name, 0);
    *is_left = ok;
    return ok;
}

bool relais_note_leave(relais_spool *spool, const relais_parcel_head *head, int64_t size,
                       int64_t limit, bool *is_left, relais_error *err)
{
    relais_buffer text;
    bool ok;

    *is_left = false;
    relais_buffer_init(&text, NOTE_SIZE_MAX);
    ok = write_text(head, size, limit, &text, err) &&
         write_slot(spool, slot_of(head), &text, is_left, err);
    relais_buffer_free(&text);
    if (!ok)
        relais_error_at(err, spool->directory, 0);
    return ok;
}

/* ---- reading ---------------------------------------------------------------------------- */

static void take_line(const relais_line *line, relais_note *out)
{
    uint64_t number;

    for (size_t i = 0; i < TEXT_KEYS; i++)
        if (relais_line_is(line, text_keys[i].key))
            *(const char **)((char *)out + text_keys[i].in_note) = line->value;
    if (relais_line_is(line, "received"))
        out->received = line->value;
    else if (relais_line_is(line, "id"))
        out->id = line->value;
    else if (relais_line_is(line, "size") && relais_parse_number(line->value, INT64_MAX, &number))
        out->size = (int64_t)number;
    else if (relais_line_is(line, "limit") && relais_parse_number(line->value, INT64_MAX, &number))
        out->limit = (int64_t)number;
}

static bool is_id(const char *id)
{
    uint8_t bytes[ID_BYTES];

    return strlen(id) == RELAIS_NOTE_ID_SIZE - 1 && relais_unhex(id, bytes, sizeof bytes);
}

/* Keys that are not known are passed over: a later version may have more. */
bool relais_note_parse(const char *bytes, size_t length, relais_arena *arena, relais_note *out)
{
    relais_line_reader reader = {.next = bytes, .end = bytes + length};
    relais_error ignored = {0};
    relais_line line;

    *out = (relais_note){"", "", "", "", "", "", "", -1, -1, ""};
    if (!relais_line_read(&reader, RELAIS_NOTE_VALUE_MAX, arena, &line, &ignored) ||
        !relais_line_is(&line, "relais-note") || strcmp(line.value, NOTE_VERSION) != 0)
        return false;
    while (reader.next < reader.end) {
        if (!relais_line_read(&reader, RELAIS_NOTE_VALUE_MAX, arena, &line, &ignored) ||
            line.key_length == 0)
            return false;
        take_line(&line, out);
    }
    return is_id(out->id) && out->received[0] != '\0';
}

static relais_note_state read_open(int fd, relais_arena *arena, relais_note *out, relais_error *err)
{
    char bytes[NOTE_SIZE_MAX + 1];
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st) != 0) {
        relais_error_system(err, errno, NULL, "a note cannot be examined");
        return RELAIS_NOTE_FAILED;
    }
    if (!S_ISREG(st.st_mode))
        return RELAIS_NOTE_DAMAGED;
    do
        n = pread(fd, bytes, sizeof bytes, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        relais_error_system(err, errno, NULL, "a note cannot be read");
        return RELAIS_NOTE_FAILED;
    }
    if ((size_t)n <= NOTE_SIZE_MAX && relais_note_parse(bytes, (size_t)n, arena, out))
        return RELAIS_NOTE_READ;
    return st.st_mtime > time(NULL) - UNFINISHED_SECONDS ? RELAIS_NOTE_NONE : RELAIS_NOTE_DAMAGED;
}

relais_note_state relais_note_read(relais_spool *spool, unsigned slot, relais_arena *arena,
                                   relais_note *out, relais_error *err)
{
    relais_note_state state;
    char name[NAME_SIZE];
    int fd;

    slot_name(slot, name);
    fd = openat(spool->new[0].fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return RELAIS_NOTE_NONE;
    if (fd < 0 && errno == ELOOP)
        return RELAIS_NOTE_DAMAGED;
    if (fd < 0) {
        relais_error_system(err, errno, spool->directory, "a note cannot be opened");
        return RELAIS_NOTE_FAILED;
    }
    state = read_open(fd, arena, out, err);
    close(fd);
    return state;
}

bool relais_note_remove(relais_spool *spool, unsigned slot, relais_error *err)
{
    char name[NAME_SIZE];

    slot_name(slot, name);
    if (unlinkat(spool->new[0].fd, name, 0) != 0 && errno != ENOENT)
        return relais_error_system(err, errno, spool->directory, "a note cannot be removed");
    return true;
}
