/*
 * Times as servers write them, made comparable: UTC with milliseconds, so that comparing the
 * texts compares the times.
 */
#ifndef RELAIS_SOURCES_SERVERTIME_H
#define RELAIS_SOURCES_SERVERTIME_H

#include "base/text.h"

/* Any ISO 8601 date or time; one without an offset is UTC (KoBo, Ona), a date its midnight.
 * False, and out is "", when the text is not one. */
bool relais_servertime_read(const char *text, char out[RELAIS_TIME_TEXT_SIZE]);

/* `text`, in the form above, moved by seconds; "" stays "". */
void relais_servertime_move(const char *text, long seconds, char out[RELAIS_TIME_TEXT_SIZE]);

/* Seconds since 1970 of a text in the form above. */
time_t relais_servertime_seconds(const char *text);

#endif
