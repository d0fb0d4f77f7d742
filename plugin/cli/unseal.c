/*
 * Opening sealed parcels. See unseal.h.
 *
 * The sealed bytes are mapped, not read: OpenSSL's reader makes a copy of its own.
 */
#include "cli/unseal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

bool relais_unseal_convert(void *key, const relais_segment *from, relais_spool_write *write,
                           void *to, relais_error *err)
{
    size_t length = (size_t)from->offset + from->length;
    char *file;
    bool ok;

    if (from->length == 0)
        return relais_error_set(err, RELAIS_ERR_SYNTAX, "these are no sealed bytes");
    file = mmap(NULL, length, PROT_READ, MAP_PRIVATE, from->fd, 0);
    if (file == MAP_FAILED)
        return relais_error_system(err, errno, NULL, "the sealed parcel cannot be read");
    ok = relais_unseal(key, file + from->offset, from->length, write, to, err);
    munmap(file, length);
    return ok;
}

bool relais_unseal_fits(const relais_seal_key *key, const relais_parcel *sealed)
{
    return strcmp(relais_seal_key_id_of(key), sealed->head.sealed) == 0;
}

bool relais_unseal_check(const relais_seal_key *key, const relais_parcel *sealed, relais_error *err)
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
    return relais_unseal_check(key, sealed, err) &&
           relais_unseal_convert((void *)key, &from, write_file, kept, err);
}
