/*
 * What a request tells the upstream to do, in its X-Script header: words `key=value`.
 *
 *   status=201      the answer's status
 *   size=200        bytes of its body
 *   framing=length  length | chunked | close
 *   delay=0         milliseconds between the request's last byte and the answer
 *   pause=0         milliseconds in the middle of the answer's body
 *   cut=N           only so many bytes of the answer's body; -1: not even a status line
 *   end=close       how the connection ends at the cut: close | reset
 *   early=1         answers before it has read the body, and closes
 *   header=N:V      one more header
 */
#ifndef RELAIS_TESTS_LOAD_SCRIPT_H
#define RELAIS_TESTS_LOAD_SCRIPT_H

#include <stdbool.h>

#define SCRIPT_MAX    512
#define SCRIPT_NO_CUT (-2)

enum framing { FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_CLOSE };

struct script {
    long status;
    long size;
    enum framing framing;
    long delay;
    long pause;
    long cut;
    bool is_reset;
    bool is_early;
    char header[SCRIPT_MAX];
};

/* `text` may be NULL: a plain 201. Words that are not known are ignored. */
void script_read(const char *text, struct script *out);

#endif
