/*
 * The shared side of the connections to one server. See site.h.
 */
#include "sources/site.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND UINT64_C(1000000000)

/* A signal is noticed within this. */
enum { NAP_NANOSECONDS = 50 * 1000 * 1000 };

bool relais_site_open(relais_site *site, const relais_source *source, relais_auth auth,
                      const atomic_bool *stop, relais_error *err)
{
    memset(site, 0, sizeof *site);
    site->source = source;
    site->auth = auth;
    site->stop = stop;
    pthread_mutex_init(&site->session_lock, NULL);
    pthread_mutex_init(&site->pace_lock, NULL);
    return relais_credentials_read(source->credentials, &site->credentials, err);
}

void relais_site_close(relais_site *site)
{
    explicit_bzero(site->token, sizeof site->token);
    relais_credentials_free(&site->credentials);
    pthread_mutex_destroy(&site->session_lock);
    pthread_mutex_destroy(&site->pace_lock);
}

bool relais_site_keep_token(relais_site *site, const char *token, size_t length)
{
    if (length == 0 || length >= sizeof site->token)
        return false;
    memcpy(site->token, token, length);
    site->token[length] = '\0';
    site->generation++;
    return true;
}

void relais_site_authorization(relais_site *site, char *out, size_t size, unsigned *generation)
{
    const char *token = site->credentials.token;

    out[0] = '\0';
    *generation = 0;
    if (site->auth == RELAIS_AUTH_TOKEN && token != NULL) {
        snprintf(out, size, "Authorization: Token %s", token);
    } else if (site->auth == RELAIS_AUTH_SESSION && token != NULL) {
        snprintf(out, size, "Authorization: Bearer %s", token);
    } else if (site->auth == RELAIS_AUTH_SESSION) {
        pthread_mutex_lock(&site->session_lock);
        *generation = site->generation;
        if (site->token[0] != '\0')
            snprintf(out, size, "Authorization: Bearer %s", site->token);
        pthread_mutex_unlock(&site->session_lock);
    }
}

/* ---- time ------------------------------------------------------------------------------- */

static uint64_t monotonic_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

bool relais_site_is_stopped(const relais_site *site)
{
    return site->stop != NULL && atomic_load(site->stop);
}

static bool sleep_until(const relais_site *site, uint64_t end)
{
    uint64_t now = monotonic_now();

    while (now < end && !relais_site_is_stopped(site)) {
        uint64_t left = end - now < NAP_NANOSECONDS ? end - now : NAP_NANOSECONDS;
        struct timespec nap = {0, (long)left};
        nanosleep(&nap, NULL);
        now = monotonic_now();
    }
    return !relais_site_is_stopped(site);
}

bool relais_site_sleep(const relais_site *site, double seconds)
{
    return sleep_until(site, monotonic_now() + (uint64_t)(seconds * (double)SECOND));
}

bool relais_site_wait_turn(relais_site *site)
{
    uint64_t turn, now = monotonic_now();

    if (site->source->rate == 0)
        return !relais_site_is_stopped(site);
    pthread_mutex_lock(&site->pace_lock);
    turn = site->next_slot > now ? site->next_slot : now;
    site->next_slot = turn + SECOND / site->source->rate;
    pthread_mutex_unlock(&site->pace_lock);
    return sleep_until(site, turn);
}
