/*
 * A growing byte buffer that is born with its maximum.
 *
 * Builders fail once and stay failed: after the first append that does not fit, or cannot
 * be allocated, every later append does nothing and relais_buffer_check() says why. Twenty
 * appends are twenty lines and one check. The content is always followed by a NUL byte that
 * `length` does not count.
 */
#ifndef RELAIS_BASE_BUFFER_H
#define RELAIS_BASE_BUFFER_H

#include "base/error.h"

#include <stddef.h>

typedef struct relais_buffer {
    char *data; /* NULL until the first append */
    size_t length;
    size_t capacity;
    size_t maximum;
    relais_error_code failed; /* RELAIS_ERR_NONE, _MEMORY or _LIMIT */
} relais_buffer;

/* Makes an empty buffer that will never hold more than `maximum` bytes. */
void relais_buffer_init(relais_buffer *buffer, size_t maximum);
void relais_buffer_free(relais_buffer *buffer);

/* Empties the buffer and forgives a failure; the memory is kept for reuse. */
void relais_buffer_reset(relais_buffer *buffer);

void relais_buffer_append(relais_buffer *buffer, const void *bytes, size_t length);
void relais_buffer_append_text(relais_buffer *buffer, const char *text);
void relais_buffer_append_char(relais_buffer *buffer, char c);
void relais_buffer_append_format(relais_buffer *buffer, const char *format, ...)
    RELAIS_PRINTF(2, 3);

/* Appends text with the five XML characters and the forbidden controls escaped (a control
 * that XML 1.0 cannot carry becomes U+FFFD), fit for element content and attributes. */
void relais_buffer_append_xml(relais_buffer *buffer, const char *text);

/* Returns room for `length` bytes at the end, already counted, or NULL on failure. */
char *relais_buffer_extend(relais_buffer *buffer, size_t length);

/* True when every append so far succeeded; `what` names the buffer in the error. */
RELAIS_MUST_USE bool relais_buffer_check(const relais_buffer *buffer, const char *what,
                                         relais_error *err);

#endif
