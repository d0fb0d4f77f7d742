/*
 * Building a form from its listing: reading, hashing, sharing. See published.h.
 */
#include "openrosa/published.h"

#include "base/text.h"
#include "openrosa/definition.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Paths of RELAIS_FORM_MEDIA_MAX files at PATH_MAX, and their descriptions. */
#define ARENA_MAX (8 * 1024 * 1024)

#define READ_SIZE (64 * 1024)

/* The XML, shared by all the states of a form in which only media differ. */
struct xml {
    atomic_uint users;
    relais_arena *arena;
    relais_definition definition;
    relais_file_state state;
    char md5[2 * RELAIS_MD5_SIZE + 1];
    size_t length;
    char bytes[];
};

struct relais_published {
    atomic_uint users;
    relais_arena *arena;
    struct xml *xml;
    relais_form_entry entry;
    relais_file_state *media_states; /* beside entry.media */
};

/* ---- reading a file in the state that was listed --------------------------------------- */

static bool is_in_state(int fd, const relais_file_state *state)
{
    struct stat status;
    relais_file_state now;

    if (fstat(fd, &status) != 0)
        return false;
    now = (relais_file_state){status.st_dev, status.st_ino, status.st_size, status.st_mtim,
                              status.st_ctim};
    return relais_file_state_equal(&now, state);
}

/* The descriptor, or -1; a file that is gone or another by now will be looked at again. */
static int open_listed(const char *path, const relais_file_state *state, relais_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno != ENOENT) {
        relais_error_system(err, errno, path, "cannot be opened; check the permissions");
        return -1;
    }
    if (fd >= 0 && is_in_state(fd, state))
        return fd;
    if (fd >= 0)
        close(fd);
    relais_error_set(err, RELAIS_ERR_TRANSIENT, "it is being changed");
    return -1;
}

typedef void take_bytes(void *context, const char *bytes, size_t length);

/* Gives all bytes of the file to `take`, and success only if it was quiet all the while. */
static bool read_listed(const char *path, const relais_file_state *state, take_bytes *take,
                        void *context, relais_error *err)
{
    char buffer[READ_SIZE];
    off_t total = 0;
    ssize_t got = 0;
    bool is_same;
    int fd = open_listed(path, state, err);

    if (fd < 0)
        return false;
    while (total <= state->size) {
        got = read(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || got > state->size - total)
            break;
        take(context, buffer, (size_t)got);
        total += got;
    }
    if (got < 0)
        relais_error_system(err, errno, path, "cannot be read");
    is_same = got == 0 && total == state->size && is_in_state(fd, state);
    close(fd);
    return is_same || relais_error_set(err, RELAIS_ERR_TRANSIENT, "it is being changed");
}

static void end_md5(relais_digest_state *digest, char out[2 * RELAIS_MD5_SIZE + 1])
{
    uint8_t md5[RELAIS_MD5_SIZE];

    relais_md5_end(digest, md5);
    relais_hex(md5, sizeof md5, out);
}

/* ---- the XML --------------------------------------------------------------------------- */

static void xml_release(struct xml *xml)
{
    if (xml == NULL || atomic_fetch_sub(&xml->users, 1) != 1)
        return;
    relais_arena_destroy(xml->arena);
    free(xml);
}

static void append_xml(void *context, const char *bytes, size_t length)
{
    struct xml *xml = context;

    memcpy(xml->bytes + xml->length, bytes, length);
    xml->length += length;
}

static bool xml_read(struct xml *xml, const char *path, const relais_listed_file *file,
                     relais_error *err)
{
    relais_digest_state digest;

    if (!read_listed(path, &file->state, append_xml, xml, err))
        return false;
    xml->bytes[xml->length] = '\0';
    relais_md5_begin(&digest);
    relais_md5_add(&digest, xml->bytes, xml->length);
    end_md5(&digest, xml->md5);
    return relais_definition_read(xml->bytes, xml->length, file->name, xml->arena, &xml->definition,
                                  err);
}

static struct xml *xml_create(const char *path, const relais_listed_file *file, relais_error *err)
{
    struct xml *xml;

    if (file->state.size > RELAIS_FORM_XML_MAX) {
        relais_error_set(err, RELAIS_ERR_LIMIT, "the form is larger than %d bytes",
                         RELAIS_FORM_XML_MAX);
        return NULL;
    }
    xml = calloc(1, sizeof *xml + (size_t)file->state.size + 1);
    if (xml == NULL)
        goto no_memory;
    xml->users = 1;
    xml->state = file->state;
    xml->arena = relais_arena_create(ARENA_MAX);
    if (xml->arena == NULL)
        goto no_memory;
    if (xml_read(xml, path, file, err))
        return xml;
    xml_release(xml);
    return NULL;
no_memory:
    free(xml);
    relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    return NULL;
}

static bool build_xml(relais_published *published, const char *directory,
                      const relais_listing *listing, const relais_published *before,
                      relais_error *err)
{
    const char *path;

    if (before != NULL && relais_file_state_equal(&before->xml->state, &listing->xml.state)) {
        published->xml = before->xml;
        atomic_fetch_add(&published->xml->users, 1);
        return true;
    }
    path = relais_arena_format(published->arena, "%s/%s", directory, listing->xml.name);
    if (path == NULL)
        relais_arena_error(published->arena, err);
    else
        published->xml = xml_create(path, &listing->xml, err);
    return published->xml != NULL;
}

/* ---- media ----------------------------------------------------------------------------- */

static void hash_bytes(void *context, const char *bytes, size_t length)
{
    relais_md5_add(context, bytes, length);
}

/* The hash of the same file in the same state, known from before; NULL when it is not. */
static const char *known_md5(const relais_published *before, const relais_listed_file *file)
{
    for (size_t i = 0; before != NULL && i < before->entry.media_count; i++) {
        if (strcmp(before->entry.media[i].filename, file->name) == 0 &&
            relais_file_state_equal(&before->media_states[i], &file->state))
            return before->entry.media[i].md5;
    }
    return NULL;
}

static bool build_medium(relais_media *medium, const relais_listed_file *file,
                         const relais_published *before, relais_error *err)
{
    const char *known = known_md5(before, file);
    relais_digest_state digest;

    medium->size = (uint64_t)file->state.size;
    medium->device = file->state.device;
    medium->inode = file->state.inode;
    medium->modified = file->state.modified;
    if (known != NULL) {
        memcpy(medium->md5, known, sizeof medium->md5);
        return true;
    }
    relais_md5_begin(&digest);
    if (!read_listed(medium->path, &file->state, hash_bytes, &digest, err))
        return false;
    end_md5(&digest, medium->md5);
    return true;
}

static bool build_media(relais_published *published, const relais_listing *listing,
                        const relais_published *before, relais_error *err)
{
    relais_arena *arena = published->arena;
    size_t count = listing->media_count;
    relais_media *media = relais_arena_alloc(arena, count * sizeof *media);

    published->media_states = relais_arena_alloc(arena, count * sizeof(relais_file_state));
    if (media == NULL || published->media_states == NULL)
        return relais_arena_error(arena, err);
    for (size_t i = 0; i < count; i++) {
        const relais_listed_file *file = &listing->media[i];

        media[i].filename = relais_arena_text(arena, file->name);
        media[i].path = relais_arena_format(arena, "%s/%s", listing->media_directory, file->name);
        if (media[i].filename == NULL || media[i].path == NULL)
            return relais_arena_error(arena, err);
        if (!build_medium(&media[i], file, before, err))
            return false;
        published->media_states[i] = file->state;
    }
    published->entry.media = media;
    published->entry.media_count = count;
    return true;
}

/* ---- the form -------------------------------------------------------------------------- */

static bool build_entry(relais_published *published, const relais_listing *listing,
                        relais_error *err)
{
    relais_form_entry *entry = &published->entry;
    const struct xml *xml = published->xml;

    entry->id = xml->definition.id;
    entry->version = xml->definition.version;
    entry->title = xml->definition.title;
    entry->file = relais_arena_text(published->arena, listing->xml.name);
    entry->xml = xml->bytes;
    entry->xml_length = xml->length;
    memcpy(entry->md5, xml->md5, sizeof entry->md5);
    return entry->file != NULL || relais_arena_error(published->arena, err);
}

relais_published *relais_published_build(const char *directory, const relais_listing *listing,
                                         const relais_published *before, relais_error *err)
{
    relais_published *published;

    if (listing->complaint != NULL) {
        relais_error_set(err, RELAIS_ERR_CONFIG, "%s", listing->complaint);
        return NULL;
    }
    published = calloc(1, sizeof *published);
    if (published == NULL)
        goto no_memory;
    published->users = 1;
    published->arena = relais_arena_create(ARENA_MAX);
    if (published->arena == NULL)
        goto no_memory;
    if (build_xml(published, directory, listing, before, err) &&
        build_media(published, listing, before, err) && build_entry(published, listing, err))
        return published;
    relais_published_release(published);
    return NULL;
no_memory:
    free(published);
    relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    return NULL;
}

relais_published *relais_published_share(relais_published *published)
{
    if (published != NULL)
        atomic_fetch_add(&published->users, 1);
    return published;
}

void relais_published_release(relais_published *published)
{
    if (published == NULL || atomic_fetch_sub(&published->users, 1) != 1)
        return;
    xml_release(published->xml);
    relais_arena_destroy(published->arena);
    free(published);
}

const relais_form_entry *relais_published_entry(const relais_published *published)
{
    return &published->entry;
}
