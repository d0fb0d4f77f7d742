/*
 * Staging and committing what was received. See intake.h.
 */
#include "openrosa/intake.h"

#include "spool/note.h"

#include <errno.h>

/* The reply to a failure of the spool. */
static relais_reply reply_to(const relais_error *err)
{
    bool is_full = err->code == RELAIS_ERR_FULL ||
                   (err->code == RELAIS_ERR_SYSTEM && (err->sys == ENOSPC || err->sys == EDQUOT));

    return is_full ? RELAIS_REPLY_FULL : RELAIS_REPLY_BUSY;
}

relais_reply relais_intake_stage(relais_spool *spool, const relais_parcel_head *head,
                                 const relais_request *request, relais_staged *staged,
                                 relais_error *err)
{
    return relais_spool_stage(spool, head, request->segments, request->count, staged, err)
               ? RELAIS_REPLY_RECEIVED
               : reply_to(err);
}

relais_reply relais_intake_commit(relais_spool *spool, relais_staged *staged, relais_error *err)
{
    if (relais_spool_commit(spool, staged, err))
        return RELAIS_REPLY_RECEIVED;
    relais_spool_abort(spool, staged);
    return reply_to(err);
}

relais_reply relais_intake_capture(relais_spool *spool, const relais_request *request,
                                   relais_arena *arena, relais_parcel_head *head,
                                   relais_staged *staged, relais_error *unread, relais_error *err)
{
    relais_reply reply = relais_receive(request, NULL, NULL, arena, head, unread);

    staged->shard = -1;
    if (reply == RELAIS_REPLY_CUT || reply == RELAIS_REPLY_BROKEN) {
        *err = *unread;
        relais_error_clear(unread);
        return reply == RELAIS_REPLY_CUT ? reply : RELAIS_REPLY_BUSY;
    }
    return relais_intake_stage(spool, head, request, staged, err);
}

bool relais_intake_tell_refused(relais_spool *spool, const relais_request *beginning, int64_t size,
                                int64_t limit, relais_arena *arena, relais_error *err)
{
    relais_error unread = {0};
    relais_parcel_head head;
    bool is_left;

    if (relais_receive(beginning, NULL, NULL, arena, &head, &unread) == RELAIS_REPLY_BROKEN) {
        *err = unread;
        return false;
    }
    return relais_note_leave(spool, &head, size, limit, &is_left, err);
}
