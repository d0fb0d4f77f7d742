/*
 * Choosing between plain and sealed, and sealing from file to file. See aside.h.
 */
#include "store/aside.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- which ------------------------------------------------------------------------------- */

/* What went aside sealed and came back without its key. The line in the head alone is not
 * believed: whoever can write parcels could keep a plain one plain by it. */
static bool is_sealed_already(const relais_parcel *parcel)
{
    char start[RELAIS_SEALED_HEAD];

    return parcel->head.sealed[0] != '\0' && parcel->head.length >= sizeof start &&
           relais_parcel_read(parcel, 0, start, sizeof start, NULL) &&
           relais_is_sealed(start, sizeof start);
}

/* `parcel` is NULL when its head cannot be read. */
static bool must_seal(const relais_work *work, const relais_item *item, const relais_parcel *parcel)
{
    const char *form = item->is_parsed ? item->form_id : parcel == NULL ? "" : parcel->head.form;
    const relais_binding *binding;
    bool unsure;

    if (work->secrets == NULL || work->secrets->seal == NULL || !relais_item_is_readable(item))
        return false;
    if (parcel != NULL && is_sealed_already(parcel))
        return false;
    binding = relais_mappings_find(work->mappings, form, &unsure);
    return binding == NULL || relais_mapping_is_sensitive(binding->mapping) ||
           relais_mapping_is_encrypted(binding->mapping);
}

/* ---- sealing ----------------------------------------------------------------------------- */

static bool read_segment(void *data, char *bytes, size_t size, size_t *length, relais_error *err)
{
    relais_segment *left = data;
    size_t wanted = left->length < size ? left->length : size;
    ssize_t n;

    do
        n = pread(left->fd, bytes, wanted, left->offset);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return relais_error_system(err, errno, NULL, "the parcel cannot be read");
    left->offset += n;
    left->length -= (size_t)n;
    *length = (size_t)n;
    return true;
}

static bool seal(void *context, const relais_segment *from, relais_spool_write *write, void *to,
                 relais_error *err)
{
    relais_segment left = *from;

    return relais_seal_stream(context, read_segment, &left, write, to, err);
}

static bool put_sealed(relais_work *work, const relais_item *item, const relais_parcel *parcel,
                       relais_error *err)
{
    relais_parcel_head head;

    relais_parcel_head_init(&head);
    if (parcel != NULL)
        head = parcel->head;
    head.content_type = RELAIS_PARCEL_SEALED_TYPE;
    head.sealed = relais_seal_key_id(work->secrets->seal);
    return relais_quarantine_put_sealed(work->spool, &item->entry, &item->reason, &head, seal,
                                        work->secrets->seal, err);
}

/* A reason and a link need room too: where there is none, the parcel waits while others leave. */
static void tell_full(relais_error *err)
{
    if (err->code == RELAIS_ERR_SYSTEM && (err->sys == ENOSPC || err->sys == EDQUOT))
        err->code = RELAIS_ERR_FULL;
}

/* ---- the whole --------------------------------------------------------------------------- */

bool relais_aside_put(relais_work *work, const relais_item *item, relais_error *err)
{
    relais_parcel parcel;
    const relais_parcel *read = NULL;
    bool ok;

    relais_arena_reset(work->scratch);
    if (relais_spool_parcel(work->spool, &item->entry, work->scratch, &parcel, NULL))
        read = &parcel;
    ok = must_seal(work, item, read)
             ? put_sealed(work, item, read, err)
             : relais_quarantine_put(work->spool, &item->entry, &item->reason, err);
    relais_arena_reset(work->scratch); /* closes the parcel */
    if (!ok)
        tell_full(err);
    return ok;
}
