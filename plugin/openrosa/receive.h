/*
 * Receiving a submission: is this body something that anybody could use, and what is it?
 *
 * One pass over the body's segments, in a thread that may block. Accepted is: a complete
 * multipart/form-data with an xml_submission_file part (any order), or a raw text/xml or
 * application/xml body, whose XML has no DOCTYPE and a root element with a readable id.
 * Whether the rest of the XML is well-formed is not asked here: a refusal leaves the
 * submission on the phone, to be sent again for ever, so only what nobody could use is
 * refused. Memory: a fixed read buffer, whatever the body's size.
 */
#ifndef RELAIS_OPENROSA_RECEIVE_H
#define RELAIS_OPENROSA_RECEIVE_H

#include "base/arena.h"
#include "openrosa/reply.h"
#include "spool/spool.h"

typedef struct relais_request {
    const char *content_type;
    int64_t content_length; /* as the client announced it, -1 when it did not */
    const relais_segment *segments;
    size_t count;
    const char *source; /* goes to the parcel's head, as user, device and host do */
    const char *user;
    const char *device;
    const char *host;
} relais_request;

/* Fills `head` (texts belong to the arena; length and sha256 set; received left "") and
 * returns RELAIS_REPLY_RECEIVED, or another reply with the technical reason in err. Nothing
 * is written. `is_known_form` may be NULL (capture: the upstream decides). The head of what is
 * refused is filled too, with "" for what could not be read, unless the reply is
 * RELAIS_REPLY_BROKEN; so the beginning of a body, which is a body that was cut, tells whose
 * it is as far as it goes. */
typedef bool relais_known_form(void *context, const char *form_id);
relais_reply relais_receive(const relais_request *request, relais_known_form *is_known_form,
                            void *context, relais_arena *arena, relais_parcel_head *head,
                            relais_error *err);

#endif
