/*
 * relais.incident: what laid answers open, for whoever must look into it.
 */
#ifndef RELAIS_STORE_INCIDENT_H
#define RELAIS_STORE_INCIDENT_H

#include "store/work.h"

/* Records that this submission of an encrypted form came in the clear: a row of the table, once
 * for each parcel however often it is looked at, and a line of the log. Before the parcel leaves
 * new/, so that no kill comes between. */
RELAIS_MUST_USE bool relais_incident_record(relais_work *work, const relais_item *item,
                                            relais_error *err);

#endif
