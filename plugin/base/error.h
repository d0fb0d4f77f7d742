/*
 * The error value that travels from where something failed to whoever speaks to people.
 *
 * Library code never prints. A fallible function takes `relais_error *err` as its last
 * argument and returns false (or NULL); the error then says what failed, with the
 * system's errno or PostgreSQL's SQLSTATE, the path (of a file, or of an answer in a
 * form) and the line. The first error set stays: later sets on the same value are
 * ignored until relais_error_clear(), so that clean-up code cannot hide the cause.
 */
#ifndef RELAIS_BASE_ERROR_H
#define RELAIS_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#define RELAIS_MUST_USE       __attribute__((warn_unused_result))
#define RELAIS_PRINTF(fmt, a) __attribute__((format(printf, fmt, a)))

typedef enum {
    RELAIS_ERR_NONE = 0,
    RELAIS_ERR_MEMORY,   /* an allocation failed */
    RELAIS_ERR_LIMIT,    /* something is larger than its stated maximum */
    RELAIS_ERR_SYSTEM,   /* a system call failed; `sys` holds errno */
    RELAIS_ERR_SYNTAX,   /* bytes that do not follow their grammar */
    RELAIS_ERR_CONFIG,   /* a setting, form or mapping that cannot be used as it stands */
    RELAIS_ERR_DATA,     /* an answer that does not fit its column, list or rule */
    RELAIS_ERR_DAMAGED,  /* a parcel whose bytes do not match their own description */
    RELAIS_ERR_MISSING,  /* something named is not there */
    RELAIS_ERR_FULL,     /* no space left above the configured floor */
    RELAIS_ERR_DATABASE, /* PostgreSQL refused for good; `sqlstate` holds the code */
    RELAIS_ERR_TRANSIENT /* PostgreSQL or the network may work later: try again */
} relais_error_code;

/* Sizes are those of the longest texts that are of use to a reader; longer ones are cut. */
typedef struct relais_error {
    relais_error_code code;
    int sys;          /* errno, or 0 */
    char sqlstate[6]; /* five characters, or "" */
    char path[256];   /* file, or path of an answer in its form; "" when none */
    long line;        /* line in `path`, 0 when none */
    char text[512];   /* one sentence: what happened and, where known, what to do */
} relais_error;

/* Texts are English in the source. A program with people in front of it installs its translator
 * (gettext, say) once, before its first thread; without one they stay as they are. */
typedef char *relais_translator(const char *text);
void relais_error_translate_by(relais_translator *translator);

/* The text in the language of the program's user, for sentences that are no error's. */
const char *relais_translate(const char *text) __attribute__((format_arg(1)));

/* Makes *err empty. */
void relais_error_clear(relais_error *err);

/* Sets code and text, unless an error is set already. Returns false, so that callers can
 * write `return relais_error_set(...)`. `err` may be NULL. */
bool relais_error_set(relais_error *err, relais_error_code code, const char *format, ...)
    RELAIS_PRINTF(3, 4);

/* As relais_error_set with RELAIS_ERR_SYSTEM, the given errno and the file's path. */
bool relais_error_system(relais_error *err, int sys, const char *path, const char *format, ...)
    RELAIS_PRINTF(4, 5);

/* Adds where it happened to an error just set; keeps a place already given. */
void relais_error_at(relais_error *err, const char *path, long line);

/* Writes "path:line: text: strerror" into out and returns out. */
const char *relais_error_format(const relais_error *err, char *out, size_t size);

/* A stable word for the code ("limit", "data", ...), for logs and JSON. */
const char *relais_error_word(relais_error_code code);

#endif
