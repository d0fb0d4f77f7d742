/*
 * From a request's body to the spool, in the two steps that every web server takes: stage,
 * and commit before the phone reads 201 or 202. Blocking; for a thread that may wait.
 *
 * Capture has another server between the two steps, which judges the submission. What nobody
 * could use is refused before that server is asked: a body that was cut. What the other server
 * takes but Relais cannot read (a form without an id, a body of another shape) is kept as it
 * is, with an empty form in the parcel's head: the forwarder puts it into quarantine, so that a
 * person looks at it. To refuse it would take from the phone's server what it does accept.
 */
#ifndef RELAIS_OPENROSA_INTAKE_H
#define RELAIS_OPENROSA_INTAKE_H

#include "openrosa/receive.h"

/* RELAIS_REPLY_RECEIVED when the parcel is on disk and only its commit is missing; otherwise
 * a reply of 503, with err set and nothing staged. */
RELAIS_MUST_USE relais_reply relais_intake_stage(relais_spool *spool,
                                                 const relais_parcel_head *head,
                                                 const relais_request *request,
                                                 relais_staged *staged, relais_error *err);

/* RELAIS_REPLY_RECEIVED when the parcel is durable; otherwise a reply of 503, with err set
 * and nothing left. */
RELAIS_MUST_USE relais_reply relais_intake_commit(relais_spool *spool, relais_staged *staged,
                                                  relais_error *err);

/* Stages a submission that another server will judge. RELAIS_REPLY_RECEIVED when it is
 * staged, with the reason in `unread` when Relais cannot read it; otherwise
 * RELAIS_REPLY_CUT or a reply of 503, with err set and nothing staged. `head` says what the
 * submission is, as relais_receive does. */
RELAIS_MUST_USE relais_reply relais_intake_capture(relais_spool *spool,
                                                   const relais_request *request,
                                                   relais_arena *arena, relais_parcel_head *head,
                                                   relais_staged *staged, relais_error *unread,
                                                   relais_error *err);

/* ---- what is too large ------------------------------------------------------------------ */

/* As much of the beginning of a body as is kept to know what was refused: national submissions
 * are 20 KB, and their photos follow them. */
#define RELAIS_BEGINNING_MAX ((size_t)64 * 1024)

/* Tells the office (spool/note.h) that a submission was refused for its size, of whatever its
 * beginning, the request's segments, says. `size` is what was announced, or came, and `limit`
 * what is allowed; -1 for what is not known. Blocking; nothing is synced. */
RELAIS_MUST_USE bool relais_intake_tell_refused(relais_spool *spool,
                                                const relais_request *beginning, int64_t size,
                                                int64_t limit, relais_arena *arena,
                                                relais_error *err);

#endif
