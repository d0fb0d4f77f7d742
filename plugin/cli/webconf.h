/*
 * nginx's configuration as `nginx -T` prints it, read into directives that know where they
 * stand: for looking at an installation, never for running one.
 *
 * `nginx -T` prints each file behind a line "# configuration file PATH:". A file that is
 * included somewhere belongs to the block that includes it, so that a value set outside is
 * found from inside, as nginx inherits it. Syntax: https://nginx.org/en/docs/beginners_guide.html
 * and ngx_conf_file.c (quotes, backslashes, "${name}"). nginx itself has checked the text
 * before; what this reader cannot make out is passed over.
 */
#ifndef RELAIS_CLI_WEBCONF_H
#define RELAIS_CLI_WEBCONF_H

#include "base/arena.h"

/* A server with a thousand sites has some ten megabytes of configuration. */
#define RELAIS_WEBCONF_TEXT_MAX   ((size_t)32 * 1024 * 1024)
#define RELAIS_WEBCONF_MEMORY_MAX ((size_t)256 * 1024 * 1024)

/* proxy_set_header and log_format have a dozen; the rest of a longer one is not kept. */
#define RELAIS_WEBCONF_ARGUMENTS_MAX 16

typedef struct relais_directive {
    const char *name;
    const char *arguments[RELAIS_WEBCONF_ARGUMENTS_MAX];
    size_t count;
    const char *file; /* "" when the text does not say */
    long line;
    struct relais_directive *block; /* the block it stands in, through includes; NULL: none */
    struct relais_directive *next;  /* in the order of the text */
    bool is_block;
} relais_directive;

/* Reads a dump. *first is NULL for an empty one. All of it belongs to the arena. */
RELAIS_MUST_USE bool relais_webconf_read(const char *text, size_t length, relais_arena *arena,
                                         relais_directive **first, relais_error *err);

/* The directive of that name which holds inside `block`: its own, else its surroundings'. */
const relais_directive *relais_webconf_find(const relais_directive *first,
                                            const relais_directive *block, const char *name);

/* "100m", "8k", "500" in bytes; -1 when it is no size. */
long long relais_webconf_size(const char *text);

#endif
