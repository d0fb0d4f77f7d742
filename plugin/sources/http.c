/*
 * Requests, their tries and their judgement. See http.h; transfer.c makes one transfer.
 */
#include "sources/http.h"

#include "base/backoff.h"
#include "sources/transfer.h"

#include <stdlib.h>
#include <string.h>

/* A server that names a pause is believed up to an hour. */
static const relais_backoff PAUSES = {.first = 0.5, .most = 60};
static const double LONGEST_ASKED = 3600;

enum { REDIRECTS_MAX = 5, ADDRESSES_MAX = 64 * 1024 };

struct relais_http {
    relais_site *site;
    relais_login *login;
    relais_transfer *transfer;
    relais_arena *addresses; /* of the request in hand */
};

relais_http *relais_http_create(relais_site *site, relais_login *login)
{
    relais_http *http = calloc(1, sizeof *http);

    if (http == NULL)
        return NULL;
    http->site = site;
    http->login = login;
    http->transfer = relais_transfer_create(site);
    http->addresses = relais_arena_create(ADDRESSES_MAX);
    if (http->transfer != NULL && http->addresses != NULL)
        return http;
    relais_http_destroy(http);
    return NULL;
}

void relais_http_destroy(relais_http *http)
{
    if (http == NULL)
        return;
    relais_transfer_destroy(http->transfer);
    relais_arena_destroy(http->addresses);
    free(http);
}

relais_site *relais_http_site(relais_http *http)
{
    return http->site;
}

/* ---- sessions ---------------------------------------------------------------------------- */

/* One thread at a time logs in; those that come meanwhile find the new session made. */
static bool renew_session(relais_http *http, unsigned refused, relais_error *err)
{
    relais_site *site = http->site;
    bool ok = true;

    pthread_mutex_lock(&site->session_lock);
    if (site->generation == refused)
        ok = http->login(http, err);
    pthread_mutex_unlock(&site->session_lock);
    return ok;
}

static bool has_sessions(const relais_http *http)
{
    return http->login != NULL && http->site->credentials.token == NULL;
}

static bool refuse_credentials(const relais_http *http, const relais_ask *ask, long status,
                               relais_error *err)
{
    relais_error_set(err, RELAIS_ERR_CONFIG,
                     "the server answers %ld to %s: the credentials are wrong, have expired or "
                     "may not read this; look at the file and at the account's rights",
                     status, ask->what);
    relais_error_at(err, http->site->source->credentials, 0);
    return false;
}

/* ---- one try ----------------------------------------------------------------------------- */

typedef enum { TRY_DONE, TRY_AGAIN, TRY_RENEW, TRY_REDIRECT, TRY_FAILED, TRY_STOPPED } outcome;

static bool is_passing(long status)
{
    return status == 408 || status == 425 || status == 429 || status >= 500;
}

static outcome judge_status(const relais_http *http, const relais_ask *ask,
                            const relais_reception *got, relais_error *err)
{
    long status = got->status;

    if (status == 200 || status == 404 || status == 410)
        return TRY_DONE;
    if (status >= 301 && status <= 308 && got->location != NULL)
        return TRY_REDIRECT;
    if (status == 401 && has_sessions(http) && !ask->is_login)
        return TRY_RENEW;
    if (status == 401 || status == 403) {
        refuse_credentials(http, ask, status, err);
        return TRY_FAILED;
    }
    if (is_passing(status)) {
        /* 500 may be one record's fault, the others are the whole server's. */
        relais_error_set(err, status == 500 ? RELAIS_ERR_DATA : RELAIS_ERR_TRANSIENT,
                         "the server answers %ld to %s; it is asked again next time", status,
                         ask->what);
        return TRY_AGAIN;
    }
    relais_error_set(err, RELAIS_ERR_DATA,
                     "the server answers %ld to %s, which nobody expects there; look whether url "
                     "and kind are right",
                     status, ask->what);
    return TRY_FAILED;
}

static outcome try_once(relais_http *http, const relais_ask *ask, const relais_address *address,
                        const char *authorization, relais_reception *got, relais_error *err)
{
    if (!relais_site_wait_turn(http->site))
        return TRY_STOPPED;
    switch (relais_transfer_run(http->transfer, ask, address, authorization, got, err)) {
    case RELAIS_TRANSFER_ANSWERED:
        return judge_status(http, ask, got, err);
    case RELAIS_TRANSFER_LOST:
        return TRY_AGAIN;
    case RELAIS_TRANSFER_STOPPED:
        return TRY_STOPPED;
    case RELAIS_TRANSFER_REFUSED:
        break;
    }
    return TRY_FAILED;
}

/* ---- pauses ------------------------------------------------------------------------------ */

static double pause_seconds(uint64_t failures, double asked)
{
    if (asked > 0)
        return asked < LONGEST_ASKED ? asked : LONGEST_ASKED;
    return relais_backoff_seconds(PAUSES, failures);
}

/* ---- the whole --------------------------------------------------------------------------- */

/* One request through its tries, redirects and session. */
typedef struct course {
    relais_http *http;
    const relais_ask *ask;
    relais_address address;
    relais_reception got;
    uint64_t failures;
    unsigned redirects;
    bool is_renewed;
} course;

static outcome follow(course *c, relais_error *err)
{
    const relais_source *source = c->http->site->source;

    if (++c->redirects > REDIRECTS_MAX) {
        relais_error_set(err, RELAIS_ERR_DATA, "the server redirects %s in a circle", c->ask->what);
        return TRY_FAILED;
    }
    if (!relais_address_find(source->url, source->file_hosts, c->got.location, true,
                             c->http->addresses, &c->address, err))
        return TRY_FAILED;
    return TRY_AGAIN;
}

static outcome renew(course *c, unsigned generation, relais_error *err)
{
    if (c->is_renewed) {
        refuse_credentials(c->http, c->ask, 401, err);
        return TRY_FAILED;
    }
    c->is_renewed = true;
    return renew_session(c->http, generation, err) ? TRY_AGAIN : TRY_FAILED;
}

static outcome pause_after(course *c, relais_error *err)
{
    if (++c->failures >= c->http->site->source->tries)
        return TRY_FAILED;
    if (!relais_site_sleep(c->http->site, pause_seconds(c->failures, c->got.retry_after)))
        return TRY_STOPPED;
    relais_error_clear(err);
    return TRY_AGAIN;
}

static outcome step(course *c, relais_error *err)
{
    char authorization[RELAIS_CREDENTIAL_MAX + 32] = "";
    unsigned generation = 0;
    outcome next;

    if (!c->ask->is_login && c->address.is_own)
        relais_site_authorization(c->http->site, authorization, sizeof authorization, &generation);
    if (has_sessions(c->http) && !c->ask->is_login && authorization[0] == '\0' && c->address.is_own)
        return renew_session(c->http, generation, err) ? TRY_AGAIN : TRY_FAILED;
    if (c->ask->restart != NULL)
        c->ask->restart(c->ask->context);
    next = try_once(c->http, c->ask, &c->address, authorization, &c->got, err);
    explicit_bzero(authorization, sizeof authorization);
    if (next == TRY_REDIRECT)
        return follow(c, err);
    if (next == TRY_RENEW)
        return renew(c, generation, err);
    return next == TRY_AGAIN ? pause_after(c, err) : next;
}

bool relais_http_ask(relais_http *http, const relais_ask *ask, relais_answer *answer,
                     relais_error *err)
{
    const relais_source *source = http->site->source;
    course c = {.http = http, .ask = ask};
    relais_error why = {0};
    outcome next = TRY_AGAIN;

    if (!ask->is_login)
        relais_arena_reset(http->addresses);
    if (!relais_address_find(source->url, source->file_hosts, ask->target, false, http->addresses,
                             &c.address, err))
        return false;
    while (next == TRY_AGAIN)
        next = step(&c, &why);
    answer->status = c.got.status;
    answer->date = c.got.date;
    if (next == TRY_DONE)
        return true;
    if (next == TRY_FAILED)
        *err = why;
    return false;
}

/* ---- into a buffer ----------------------------------------------------------------------- */

static bool take_buffer(void *context, const char *bytes, size_t length, const char *media_type,
                        relais_error *err)
{
    relais_buffer *buffer = context;

    (void)media_type;
    relais_buffer_append(buffer, bytes, length);
    return relais_buffer_check(buffer, "a server's answer", err);
}

static void restart_buffer(void *context)
{
    relais_buffer_reset(context);
}

bool relais_http_fetch(relais_http *http, const char *target, const char *what,
                       relais_expect expect, relais_buffer *out, relais_answer *answer,
                       relais_error *err)
{
    const relais_ask ask = {
        .target = target,
        .what = what,
        .expect = expect,
        .maximum = out->maximum,
        .take = take_buffer,
        .restart = restart_buffer,
        .context = out,
    };

    return relais_http_ask(http, &ask, answer, err);
}
