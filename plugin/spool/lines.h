/*
 * `key: value` lines, the text form of a parcel's head and of a quarantine reason.
 *
 * A key is lower-case letters, digits and '-'. In a value '%', controls and 0x7f stand as
 * %XX, so that a line is a line whatever the value holds; everything else is itself.
 */
#ifndef RELAIS_SPOOL_LINES_H
#define RELAIS_SPOOL_LINES_H

#include "base/arena.h"
#include "base/buffer.h"

typedef struct relais_line {
    const char *key;   /* not terminated: points into the text */
    size_t key_length; /* at least 1 */
    const char *value; /* decoded, NUL-terminated, in the arena */
    size_t value_length;
} relais_line;

/* Text that is being read line by line. */
typedef struct relais_line_reader {
    const char *next;
    const char *end;
    long number; /* of the line last read, 1 for the first */
} relais_line_reader;

void relais_line_append(relais_buffer *out, const char *key, const char *value);

/* Reads the line at reader->next; an empty line gives key_length 0. RELAIS_ERR_DAMAGED with
 * the line's number when it is not of the form above, has no line feed, or its value is
 * longer than `maximum` bytes. */
RELAIS_MUST_USE bool relais_line_read(relais_line_reader *reader, size_t maximum,
                                      relais_arena *arena, relais_line *out, relais_error *err);

bool relais_line_is(const relais_line *line, const char *key);

#endif
