/*
 * From a route to the bytes that answer it. See document.h.
 */
#include "openrosa/document.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A thousand forms (RELAIS_FORMS_MAX) of at most a few KB of names and URLs. */
#define LISTING_MAX (16 * 1024 * 1024)

void relais_document_init(relais_document *document)
{
    memset(document, 0, sizeof *document);
    document->fd = -1;
    relais_buffer_init(&document->rendered, LISTING_MAX);
}

void relais_document_close(relais_document *document)
{
    if (document->fd >= 0)
        close(document->fd);
    if (document->snapshot != NULL)
        relais_snapshot_release(document->snapshot);
    relais_buffer_free(&document->rendered);
    relais_document_init(document);
}

static relais_reply use_rendered(relais_document *document, relais_error *err)
{
    if (!relais_buffer_check(&document->rendered, "the listing", err))
        return RELAIS_REPLY_BROKEN;
    document->bytes = document->rendered.data;
    document->length = document->rendered.length;
    relais_etag_of(document->bytes, document->length, document->etag);
    return RELAIS_REPLY_RECEIVED;
}

static bool is_what_was_hashed(int fd, const relais_media *media)
{
    struct stat now;

    return fstat(fd, &now) == 0 && S_ISREG(now.st_mode) && now.st_dev == media->device &&
           now.st_ino == media->inode && (uint64_t)now.st_size == media->size &&
           now.st_mtim.tv_sec == media->modified.tv_sec &&
           now.st_mtim.tv_nsec == media->modified.tv_nsec;
}

/* A file being replaced is busy: by the time the phone asks again it is published. */
static relais_reply use_media(relais_document *document, const relais_media *media,
                              relais_error *err)
{
    int fd = open(media->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        relais_error_system(err, errno, media->path, "a media file cannot be opened");
        return RELAIS_REPLY_BUSY;
    }
    if (!is_what_was_hashed(fd, media)) {
        close(fd);
        relais_error_set(err, RELAIS_ERR_CONFIG, "a media file has changed since it was listed");
        relais_error_at(err, media->path, 0);
        return RELAIS_REPLY_BUSY;
    }
    document->fd = fd;
    document->path = media->path;
    document->length = media->size;
    relais_etag_from_md5(media->md5, document->etag);
    return RELAIS_REPLY_RECEIVED;
}

static relais_reply use_form(relais_document *document, const relais_form_entry *form)
{
    document->bytes = form->xml;
    document->length = form->xml_length;
    relais_etag_from_md5(form->md5, document->etag);
    return RELAIS_REPLY_RECEIVED;
}

static relais_reply make(relais_document *document, const relais_route *route, const char *base_url,
                         const char *form_id, relais_error *err)
{
    const relais_form_entry *form;
    const relais_media *media;

    if (route->kind == RELAIS_ROUTE_FORM_LIST) {
        relais_form_list_render(document->snapshot, base_url, form_id, &document->rendered);
        return use_rendered(document, err);
    }
    form = relais_snapshot_find(document->snapshot, route->form_id, route->version);
    if (form == NULL)
        return RELAIS_REPLY_NOT_FOUND;
    if (route->kind == RELAIS_ROUTE_MANIFEST) {
        relais_manifest_render(form, base_url, &document->rendered);
        return use_rendered(document, err);
    }
    if (route->kind == RELAIS_ROUTE_FORM)
        return use_form(document, form);
    media = relais_form_media(form, route->filename);
    return media == NULL ? RELAIS_REPLY_NOT_FOUND : use_media(document, media, err);
}

relais_reply relais_document_find(relais_document *document, const relais_library *library,
                                  const relais_route *route, const char *base_url,
                                  const char *form_id, relais_error *err)
{
    relais_reply reply = RELAIS_REPLY_BUSY;

    for (int attempt = 0; attempt < 2; attempt++) {
        relais_document_close(document);
        relais_error_clear(err);
        document->snapshot = relais_library_acquire(library, attempt > 0);
        reply = document->snapshot == NULL ? RELAIS_REPLY_BUSY
                                           : make(document, route, base_url, form_id, err);
        if (reply == RELAIS_REPLY_RECEIVED)
            break;
    }
    return reply;
}
