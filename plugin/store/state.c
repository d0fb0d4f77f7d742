/*
 * Words of the states. See state.h.
 */
#include "store/state.h"

#include <string.h>

static const char *const words[RELAIS_STATE_COUNT] = {
    [RELAIS_STATE_DELIVERED] = "delivered",
    [RELAIS_STATE_PARTIAL] = "partial",
    [RELAIS_STATE_HELD] = "held",
    [RELAIS_STATE_QUARANTINED] = "quarantined",
    [RELAIS_STATE_SUPERSEDED] = "superseded",
    [RELAIS_STATE_CONFLICT] = "conflict",
    [RELAIS_STATE_ERASED] = "erased",
};

const char *relais_state_word(relais_state state)
{
    return words[state];
}

relais_state relais_state_read(const char *word)
{
    int state = 0;

    while (state < RELAIS_STATE_COUNT && strcmp(words[state], word) != 0)
        state++;
    return (relais_state)state;
}
