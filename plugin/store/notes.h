/*
 * What web servers left as notes (spool/note.h), counted into relais.refusal.
 *
 * One row a day for each submission that was refused, and how often: a phone tries again for ever.
 * A note is counted and then removed; a forwarder that is killed between the two reads it again
 * and finds it counted, since its slot was taken all the while and the row has kept its id. The
 * exception is the row of the day's rest, which speaks of many submissions.
 */
#ifndef RELAIS_STORE_NOTES_H
#define RELAIS_STORE_NOTES_H

#include "store/work.h"

/* Rows a day, since whoever reaches the server may cause one; a nation's phones cause some tens. A
 * last row, of the source "autres", counts the rest. */
#define RELAIS_REFUSALS_A_DAY 1000

/* Then they are removed: what is not mended by then will not be. */
#define RELAIS_REFUSALS_DAYS 90

/* Between two looks; so much may wait, and no note makes the forwarder look before. */
#define RELAIS_NOTES_SECONDS 10

/* Counts all notes that lie in the spool. False when the database is in the way; what the disk does
 * not give up is said in the log and tried again. */
RELAIS_MUST_USE bool relais_notes_take(relais_work *work, relais_error *err);

#endif
