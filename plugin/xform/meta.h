/*
 * What a submission says about itself: form, version, instance, edit, envelope.
 */
#ifndef RELAIS_XFORM_META_H
#define RELAIS_XFORM_META_H

#include "xform/submission.h"

/* Fills form_id, version, instance_id, deprecated_id and is_encrypted from out->doc, whose
 * namespaces may still be there. RELAIS_ERR_SYNTAX when the root has no id. */
RELAIS_MUST_USE bool relais_meta_read(relais_arena *arena, relais_submission *out,
                                      relais_error *err);

#endif
