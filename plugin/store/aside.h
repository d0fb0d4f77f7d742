/*
 * Putting a parcel aside: as it is, or sealed when its answers must not lie in quarantine.
 *
 * Sealed is what belongs to a form whose mapping is sensitive or of an encrypted form and, as
 * nobody knows that it is not, what belongs to no known form or cannot be read; without a
 * certificate nothing can be. What the phone has encrypted stays as it is.
 */
#ifndef RELAIS_STORE_ASIDE_H
#define RELAIS_STORE_ASIDE_H

#include "store/work.h"

/* The refused item's parcel goes into quarantine with its reason. RELAIS_ERR_FULL when there
 * is no room to seal it: it stays where it is. Empties work->scratch. */
RELAIS_MUST_USE bool relais_aside_put(relais_work *work, const relais_item *item,
                                      relais_error *err);

#endif
