/*
 * The table of records and its file. See seen.h. The file is of this machine only, so numbers
 * stand as they are in memory.
 */
#include "sources/seen.h"

#include <stdlib.h>
#include <string.h>

/* Ten million records. */
#define SEEN_MAX ((size_t)160 * 1024 * 1024)

static const char mark[16] = "relais-seen: 1\n";

static bool is_ascending(const relais_seen *seen)
{
    for (size_t i = 1; i < seen->count; i++)
        if (seen->records[i - 1].id >= seen->records[i].id)
            return false;
    return true;
}

static bool take_bytes(relais_seen *seen, const char *bytes, size_t length, relais_error *err)
{
    if (length < sizeof mark || memcmp(bytes, mark, sizeof mark) != 0)
        return true;
    length -= sizeof mark;
    seen->count = seen->capacity = length / sizeof *seen->records;
    seen->records = malloc((seen->count + 1) * sizeof *seen->records);
    if (seen->records == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    memcpy(seen->records, bytes + sizeof mark, seen->count * sizeof *seen->records);
    if (!is_ascending(seen))
        seen->count = 0;
    return true;
}

bool relais_seen_read(relais_seen *seen, const relais_bookmark_directory *directory,
                      const char *form, relais_error *err)
{
    size_t length;
    char *bytes;
    bool ok;

    *seen = (relais_seen){0};
    if (!relais_bookmark_read_file(directory, form, "seen", SEEN_MAX, &bytes, &length, err))
        return false;
    ok = bytes == NULL || take_bytes(seen, bytes, length, err);
    free(bytes);
    return ok;
}

bool relais_seen_write(relais_seen *seen, const relais_bookmark_directory *directory,
                       const char *form, relais_error *err)
{
    size_t length = sizeof mark + seen->count * sizeof *seen->records;
    char *bytes;
    bool ok;

    if (!seen->is_changed)
        return true;
    bytes = malloc(length);
    if (bytes == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    memcpy(bytes, mark, sizeof mark);
    if (seen->count > 0)
        memcpy(bytes + sizeof mark, seen->records, seen->count * sizeof *seen->records);
    ok = relais_bookmark_write_file(directory, form, "seen", bytes, length, err);
    seen->is_changed = seen->is_changed && !ok;
    free(bytes);
    return ok;
}

void relais_seen_free(relais_seen *seen)
{
    free(seen->records);
    *seen = (relais_seen){0};
}

/* The place of an id: where it stands, or where it belongs. */
static size_t find(const relais_seen *seen, uint64_t id)
{
    size_t low = 0, high = seen->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (seen->records[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool relais_seen_has(const relais_seen *seen, uint64_t id, uint64_t hash)
{
    size_t at = find(seen, id);

    return at < seen->count && seen->records[at].id == id && seen->records[at].hash == hash;
}

static bool make_room(relais_seen *seen, relais_error *err)
{
    size_t capacity = seen->capacity == 0 ? 1024 : 2 * seen->capacity;
    relais_seen_record *longer;

    if (seen->count < seen->capacity)
        return true;
    if (capacity * sizeof *longer > SEEN_MAX)
        return relais_error_set(err, RELAIS_ERR_LIMIT, "more submissions than can be compared");
    longer = realloc(seen->records, capacity * sizeof *longer);
    if (longer == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    seen->records = longer;
    seen->capacity = capacity;
    return true;
}

/* Records come in ascending order, so nearly every one goes to the end. */
bool relais_seen_set(relais_seen *seen, uint64_t id, uint64_t hash, relais_error *err)
{
    size_t at = find(seen, id);

    if (at == seen->count || seen->records[at].id != id) {
        if (!make_room(seen, err))
            return false;
        memmove(&seen->records[at + 1], &seen->records[at],
                (seen->count - at) * sizeof *seen->records);
        seen->count++;
    }
    seen->records[at] = (relais_seen_record){id, hash};
    seen->is_changed = true;
    return true;
}

bool relais_seen_keep(relais_seen *seen, uint64_t first, uint64_t last, const uint64_t *keep,
                      size_t count, relais_seen_gone *gone, void *context, relais_error *err)
{
    size_t begin = find(seen, first), left = begin, at = begin, k = 0;

    for (; at < seen->count && seen->records[at].id <= last; at++) {
        while (k < count && keep[k] < seen->records[at].id)
            k++;
        if (k < count && keep[k] == seen->records[at].id)
            seen->records[left++] = seen->records[at];
        else if (!gone(context, seen->records[at].id, err))
            return false;
    }
    if (left == at)
        return true;
    memmove(&seen->records[left], &seen->records[at], (seen->count - at) * sizeof *seen->records);
    seen->count -= at - left;
    seen->is_changed = true;
    return true;
}
