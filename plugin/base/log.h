/*
 * Log lines of the long-running command, one event a line, on standard error:
 *
 *   2026-03-02T10:15:04.123Z level=info event=parcel.delivered parcel=... form=bf_tip_ident
 *
 * Only plugin/cli and the forwarder speak here; library code returns errors instead.
 * No answer, name, token or card code is ever a value: callers pass ids, paths, codes,
 * counts and rules. Values with spaces, quotes or controls are quoted and escaped.
 */
#ifndef RELAIS_BASE_LOG_H
#define RELAIS_BASE_LOG_H

typedef enum {
    RELAIS_LOG_ERROR,
    RELAIS_LOG_WARN,
    RELAIS_LOG_INFO,
    RELAIS_LOG_DEBUG
} relais_log_level;

/* Lines above this level are not written; RELAIS_LOG_INFO at start. */
void relais_log_set_level(relais_log_level level);

/* Writes one line: pairs of key and value, closed by NULL. A NULL value is written as "-".
 * One write(2) a line, so that lines of several threads do not mix. */
void relais_log(relais_log_level level, const char *event, ... /* key, value, NULL */)
    __attribute__((sentinel));

#endif
