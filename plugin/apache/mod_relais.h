/*
 * What the files of this folder share. httpd's types stop here: below are openrosa/, spool/
 * and base/, which know nothing of a web server.
 *
 *   mod_relais.c          directives, hooks, life of a child
 *   mod_relais_check.c    the configuration held against itself and against httpd's limits
 *   mod_relais_body.c     reading a request's body, in bounded memory
 *   mod_relais_serve.c    requests of `Relais serve`
 *   mod_relais_capture.c  requests of `Relais capture`
 *   mod_relais_reply.c    OpenRosaResponse documents, also for httpd's own errors
 *
 * Rules of the house: a request has a thread of its own, which may block; what a request
 * takes is given back by a clean-up of its pool; the parent process opens nothing.
 */
#ifndef MOD_RELAIS_H
#define MOD_RELAIS_H

#include <httpd.h>

#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>

#include "openrosa/address.h"
#include "openrosa/limit.h"
#include "openrosa/reply.h"
#include "openrosa/stores.h"

#if !AP_MODULE_MAGIC_AT_LEAST(20120211, 118)
#error "Relais needs Apache httpd 2.4.51 or later"
#endif

extern __attribute__((visibility("default"))) module AP_MODULE_DECLARE_DATA relais_module;

/* ---- configuration ---------------------------------------------------------------------- */

typedef enum {
    MOD_RELAIS_UNSET = -1,
    MOD_RELAIS_OFF,
    MOD_RELAIS_SERVE,
    MOD_RELAIS_CAPTURE
} mod_relais_mode;

/* Of a server, directory or location. -1 and NULL: not set here. */
typedef struct mod_relais_conf {
    mod_relais_mode mode;
    const char *path; /* where "Relais serve" stands: percent-encoded, no closing slash */
    const char *file; /* and for messages */
    int line;
    const char *spool;
    const char *forms;
    const char *base_url;
    int64_t accept_length;
    int64_t floor;
    const apr_array_header_t *statuses; /* of int: an upstream's answers that commit */
} mod_relais_conf;

/* As an apr_pool_t-allocated configuration; what the inner one does not set is the outer's. */
void *mod_relais_merge(apr_pool_t *pool, void *outer, void *inner);

/* Looks at every location that serves or captures; those that are well go into `settled` (of
 * mod_relais_conf *). HTTP_INTERNAL_SERVER_ERROR, with the mistake in the log, when one is
 * not. */
int mod_relais_check(apr_pool_t *pool, server_rec *servers, apr_array_header_t *settled);

/* httpd's limit of a request body in such a configuration; 0: none of the administrator's. */
int64_t mod_relais_body_limit(ap_conf_vector_t *configuration);

static inline const mod_relais_conf *mod_relais_conf_of(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &relais_module);
}

/* ---- this child ------------------------------------------------------------------------- */

/* What it has open; not NULL while there are requests. */
relais_stores *mod_relais_stores(void);

/* Blocking. NULL with err set while the spool of this configuration cannot be opened. */
relais_spool *mod_relais_spool(const mod_relais_conf *conf, relais_error *err);

/* A relais_tell whose context is a request_rec. */
void mod_relais_tell(void *request, bool is_error, const char *text);

/* One line about an error; `level` is httpd's. */
void mod_relais_log(const request_rec *r, int level, const char *what, const relais_error *err);

/* Memory for one request, which goes with it; NULL without. */
relais_arena *mod_relais_arena(request_rec *r);

/* ---- what a request says ---------------------------------------------------------------- */

/* The decoded value of a query parameter, or "". */
const char *mod_relais_query(request_rec *r, const char *name);

/* The name that httpd has checked, or, without authentication here, the one of HTTP Basic,
 * which an upstream may check; "" when there is none. */
const char *mod_relais_user(request_rec *r);

/* What it says about the address that the phone used. */
relais_address mod_relais_address(request_rec *r);

/* The announced length of the body, or -1. */
int64_t mod_relais_content_length(const request_rec *r);

/* A request's body: in memory, or in a scratch file of the spool. Gone with the request. */
typedef struct mod_relais_body {
    relais_segment segment;
    size_t count; /* of segments: 0 when the body is empty */
} mod_relais_body;

/* Reads it to its end, whatever is wrong, so that the phone gets to read the answer.
 * RELAIS_REPLY_RECEIVED, or the reply to give with err set. `spool` NULL: it cannot be kept.
 * *is_dead is set when httpd has answered already or the connection is of no more use. */
relais_reply mod_relais_body_read(request_rec *r, relais_spool *spool, mod_relais_body *body,
                                  bool *is_dead, relais_error *err);

/* ---- answers ---------------------------------------------------------------------------- */

/* Sends an OpenRosaResponse; for a handler to return. */
int mod_relais_send_reply(request_rec *r, relais_reply reply);

/* Makes the response's headers those of an OpenRosaResponse for `reply`, and a brigade of it
 * with its end of stream. `status` is the reply's own, or another that says the same. */
apr_bucket_brigade *mod_relais_render_reply(request_rec *r, relais_reply reply, int status);

void mod_relais_reply_hooks(void);
void mod_relais_serve_hooks(void);
void mod_relais_capture_hooks(void);

#endif
