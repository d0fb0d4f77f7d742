/*
 * Opening sealed parcels. See unseal.h.
 */
#include "cli/unseal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool read_segment(void *data, uint64_t offset, char *bytes, size_t size, size_t *length,
                         relais_error *err)
{
    const relais_segment *from = data;
    size_t left = offset < from->length ? from->length - (size_t)offset : 0;
    ssize_t n;

    do
        n = pread(from->fd, bytes, left < size ? left : size, from->offset + (off_t)offset);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return relais_error_system(err, errno, NULL, "the sealed parcel cannot be read");
    *length = (size_t)n;
    return true;
}

bool relais_unseal_convert(void *key, const relais_segment *from, relais_spool_write *write,
                           void *to, relais_error *err)
{
    relais_segment segment = *from;
    const relais_seal_source source = {read_segment, &segment, from->length};

    return relais_unseal(key, &source, write, to, err);
}

bool relais_unseal_fits(const relais_seal_key *key, const relais_parcel *sealed)
{
    return strcmp(relais_seal_key_id_of(key), sealed->head.sealed) == 0;
}

static bool check_key(const relais_seal_key *key, const relais_parcel *sealed, relais_error *err)
{
    return relais_unseal_fits(key, sealed) ||
           relais_error_set(err, RELAIS_ERR_CONFIG,
                            "the parcel is sealed to another key than the one in this file (%s); "
                            "relais quarantine show names it",
                            relais_seal_key_id_of(key));
}

/* ---- in memory ------------------------------------------------------------------------------- */

static bool write_file(void *to, const char *bytes, size_t length, relais_error *err)
{
    while (length > 0) {
        ssize_t n = write(*(const int *)to, bytes, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return relais_error_system(err, errno, NULL,
                                       "no memory left to hold the opened parcel");
        bytes += n;
        length -= (size_t)n;
    }
    return true;
}

static void close_file(void *fd)
{
    close(*(int *)fd);
}

bool relais_unseal_file(const relais_seal_key *key, const relais_parcel *sealed,
                        relais_arena *arena, int *fd, relais_error *err)
{
    const relais_segment from = {
        .fd = sealed->fd, .offset = (off_t)sealed->body_offset, .length = sealed->head.length};
    int *kept = relais_arena_alloc(arena, sizeof *kept);

    if (kept == NULL)
        return relais_arena_error(arena, err);
    *kept = memfd_create("opened parcel", MFD_CLOEXEC);
    if (*kept < 0)
        return relais_error_system(err, errno, NULL, "no memory left to hold the opened parcel");
    if (!relais_arena_cleanup(arena, close_file, kept))
        return relais_arena_error(arena, err);
    *fd = *kept;
    return check_key(key, sealed, err) &&
           relais_unseal_convert((void *)key, &from, write_file, kept, err);
}
