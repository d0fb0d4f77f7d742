/*
 * What the files of this folder share. nginx's types stop here: below are openrosa/, spool/
 * and base/, which know nothing of a web server.
 *
 *   ngx_http_relais_module.c      directives and their checks, life of a worker
 *   ngx_http_relais_store.c       the spools and form directories that a worker has open
 *   ngx_http_relais_task.c        blocking work for a request, in a thread of nginx's pool
 *   ngx_http_relais_request.c     what a request says: headers, query, user, body
 *   ngx_http_relais_serve.c       requests of `relais serve`, and the published forms
 *   ngx_http_relais_submission.c  HEAD and POST submission
 *   ngx_http_relais_refused.c     bodies that are too large, and the notes about them
 *   ngx_http_relais_capture.c     `relais capture`: a copy of what an upstream accepts
 *   ngx_http_relais_reply.c       OpenRosaResponse documents, also for nginx's own errors
 *   ngx_http_relais_log.c         log lines, without the tokens in captured URLs
 *
 * Rules of the house: whatever may block runs in a task; a task touches neither the request
 * nor its pool, only the context, which outlives it (r->main->blocked); the master process
 * opens nothing.
 */
#ifndef NGX_HTTP_RELAIS_H
#define NGX_HTTP_RELAIS_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#if !(NGX_THREADS)
#error "Relais needs an nginx that was configured with --with-threads"
#endif

#include "openrosa/address.h"
#include "openrosa/document.h"
#include "openrosa/intake.h"
#include "openrosa/limit.h"

/* What a location does. */
typedef enum {
    NGX_HTTP_RELAIS_OFF = 0,
    NGX_HTTP_RELAIS_SERVE,
    NGX_HTTP_RELAIS_CAPTURE
} ngx_http_relais_mode_e;

/* A spool, or a directory of forms, that the configuration names: once, however many
 * locations do. Opened by each worker for itself. */
typedef struct ngx_http_relais_spool {
    const char *directory;
    uint64_t floor;
} ngx_http_relais_spool_t;

typedef struct ngx_http_relais_forms {
    const char *directory;
} ngx_http_relais_forms_t;

typedef struct ngx_http_relais_main_conf {
    ngx_array_t spools; /* of ngx_http_relais_spool_t * */
    ngx_array_t forms;  /* of ngx_http_relais_forms_t * */
    ngx_int_t user;     /* index of $remote_user */
    bool has_capture;   /* in some location */
} ngx_http_relais_main_conf_t;

typedef struct ngx_http_relais_loc_conf {
    /* As written. */
    ngx_uint_t mode;
    ngx_str_t spool_path;
    ngx_str_t forms_path;
    ngx_str_t base_url;
    off_t accept_length;
    off_t floor;
    ngx_str_t pool_name;
    ngx_array_t *statuses; /* of ngx_uint_t: the upstream's answers that commit; NULL: unset */
    ngx_str_t file;        /* where "relais serve" stands, for messages */
    ngx_uint_t line;

    /* Worked out at configuration time, in a location that serves or captures; what concerns
     * forms and limits only in one that serves. */
    ngx_str_t prefix;    /* the location's */
    ngx_str_t path;      /* the same without a closing slash, percent-encoded */
    off_t limit;         /* announced by HEAD submission */
    off_t body_max;      /* client_max_body_size, which this module keeps; 0: unlimited */
    ngx_uint_t limit_mb; /* of the whole body, for people */
    ngx_http_relais_spool_t *spool;
    ngx_http_relais_forms_t *forms;
    ngx_thread_pool_t *pool;
    ngx_array_t *error_pages; /* of this level: a location that has the same inherited them */
} ngx_http_relais_loc_conf_t;

/* A submission between its last byte and its answer. */
typedef struct ngx_http_relais_submission {
    relais_request request;
} ngx_http_relais_submission_t;

/* How long a refused body is read. A phone on a slow line sends its whole body before it reads
 * a refusal: 30 MB in five minutes is 100 KB/s. */
#define NGX_HTTP_RELAIS_LINGER_TIME 300000

/* What is kept of a body that may be too large. */
typedef struct ngx_http_relais_beginning {
    u_char *bytes; /* RELAIS_BEGINNING_MAX */
    size_t length;
    off_t received;
    bool is_too_large;
    bool is_told; /* the office is */
} ngx_http_relais_beginning_t;

/* A captured request's life. */
typedef enum {
    NGX_HTTP_RELAIS_NOT_CAPTURED = 0,
    NGX_HTTP_RELAIS_READING,    /* its body is coming in */
    NGX_HTTP_RELAIS_STAGING,    /* a thread writes the copy */
    NGX_HTTP_RELAIS_STAGED,     /* the upstream is asked */
    NGX_HTTP_RELAIS_HOLDING,    /* the upstream has accepted; its answer is kept back */
    NGX_HTTP_RELAIS_COMMITTING, /* a thread commits the copy */
    NGX_HTTP_RELAIS_RELEASED    /* the answer, the upstream's or ours, is on its way */
} ngx_http_relais_capture_e;

typedef struct ngx_http_relais_capture {
    ngx_http_relais_capture_e state;
    relais_spool *spool;
    relais_staged staged;
    relais_parcel_head head; /* of what is staged */
    relais_error unread;     /* why Relais cannot read what it staged */
    relais_buffer held;      /* the body of the answer that is kept back */
} ngx_http_relais_capture_t;

typedef enum {
    NGX_HTTP_RELAIS_BODY_FOREIGN = 0, /* what goes out is not a reply of ours */
    NGX_HTTP_RELAIS_BODY_OWN,         /* it is: let it pass */
    NGX_HTTP_RELAIS_BODY_REPLACE,     /* nginx's error page comes next: put `reply` instead */
    NGX_HTTP_RELAIS_BODY_REPLACED     /* done; swallow what still comes of it */
} ngx_http_relais_body_e;

/* One request's state. Freed with the request's pool. */
typedef struct ngx_http_relais_ctx ngx_http_relais_ctx_t;
struct ngx_http_relais_ctx {
    ngx_http_relais_loc_conf_t *conf;
    relais_arena *arena;
    relais_route route;

    /* The task: `run` in a thread, then `finish` in the event loop. */
    void (*run)(ngx_http_relais_ctx_t *ctx, ngx_log_t *log);
    ngx_int_t (*finish)(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx);
    ngx_http_request_t *request;
    bool is_running;

    relais_reply reply; /* the verdict; RELAIS_REPLY_RECEIVED is success */
    relais_error error; /* the technical reason of another */
    const char *base_url;
    const char *form_filter; /* ?formID=, or NULL */
    relais_document document;
    ngx_http_relais_submission_t submission;
    ngx_http_relais_beginning_t beginning;
    ngx_http_relais_capture_t capture;

    bool has_version; /* X-OpenRosa-Version is among the headers */
    ngx_http_relais_body_e body;
    ngx_buf_t *page; /* the rendered OpenRosaResponse */
};

extern __attribute__((visibility("default"))) ngx_module_t ngx_http_relais_module;

/* ---- store: what a worker has open ------------------------------------------------------ */

/* Registers a directory at configuration time; the same one twice is one. NULL without
 * memory. */
ngx_http_relais_spool_t *ngx_http_relais_add_spool(ngx_conf_t *cf, const ngx_str_t *directory,
                                                   uint64_t floor);
ngx_http_relais_forms_t *ngx_http_relais_add_forms(ngx_conf_t *cf, const ngx_str_t *directory);

/* Blocking. NULL with err set while it cannot be opened. */
relais_spool *ngx_http_relais_open_spool(const ngx_http_relais_spool_t *spool, relais_error *err);

/* The published forms of a location, whose troubles go to `log`. */
relais_library ngx_http_relais_library(const ngx_http_relais_forms_t *forms, ngx_log_t *log);

/* When a worker starts. False without memory. */
bool ngx_http_relais_open_stores(ngx_http_relais_main_conf_t *conf, ngx_log_t *log);
void ngx_http_relais_close_stores(void);

/* ---- requests --------------------------------------------------------------------------- */

/* The content handler of `relais serve`. */
ngx_int_t ngx_http_relais_serve(ngx_http_request_t *r);

/* Starts the answer to HEAD or POST submission; for a content handler to return. */
ngx_int_t ngx_http_relais_serve_submission(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx);

/* Puts `relais capture` into nginx's phases and filters; after the filters of replies. */
ngx_int_t ngx_http_relais_init_capture(ngx_conf_t *cf);

/* Hands ctx->run to the thread pool; ctx->finish is called afterwards and its result
 * finalizes the request, whose count of references the caller has raised. NGX_ERROR when the
 * queue is full: then neither is called. */
ngx_int_t ngx_http_relais_post_task(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx);

/* The same without ctx->finish: afterwards r->write_event_handler is called, whatever it is
 * by then, with ctx->is_running false. */
ngx_int_t ngx_http_relais_start_task(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx);

/* The request's context, made when there is none; NULL without memory. */
ngx_http_relais_ctx_t *ngx_http_relais_get_ctx(ngx_http_request_t *r);

/* A new context for the request; NULL without memory. */
ngx_http_relais_ctx_t *ngx_http_relais_make_ctx(ngx_http_request_t *r);

/* The context of a captured request, also after internal redirects, which make nginx forget
 * it; NULL when the request is not captured. */
ngx_http_relais_ctx_t *ngx_http_relais_find_capture(const ngx_http_request_t *r);

/* ---- what is too large ------------------------------------------------------------------ */

/* Filters the bodies of locations that serve. */
void ngx_http_relais_init_refused(void);

/* True when the announced length of the body is above what this location takes. */
bool ngx_http_relais_is_too_large(const ngx_http_request_t *r);

/* Tells the office that this submission was refused for its size: what it is says `head`, or
 * where that is NULL the beginning of its body, which may be NULL too. `size` and `limit` are
 * bytes, -1 for what is not known. Returns at once. */
void ngx_http_relais_tell_refused(ngx_http_request_t *r,
                                  const ngx_http_relais_beginning_t *beginning,
                                  const relais_parcel_head *head, int64_t size, int64_t limit);

/* ---- what a request says ---------------------------------------------------------------- */

/* The value of a request header by name, or an empty string. */
ngx_str_t ngx_http_relais_header(const ngx_http_request_t *r, const char *name);

/* The decoded value of a query parameter in the request's pool, or NULL. */
const char *ngx_http_relais_argument(ngx_http_request_t *r, const char *name);

/* What the request says about the address that the client used, but for the location's path. */
ngx_int_t ngx_http_relais_address(ngx_http_request_t *r, relais_address *out);

/* Fills all but `source` and `host` of a request whose body is read. Its segments are the
 * request's own buffers. */
ngx_int_t ngx_http_relais_describe(ngx_http_request_t *r, relais_request *request);

/* The bytes with a NUL at their end, in the request's pool; NULL without memory. */
char *ngx_http_relais_text(ngx_http_request_t *r, const ngx_str_t *text);

/* ---- logs ------------------------------------------------------------------------------- */

/* One line about an error; also from a thread, with the log that the task was given. */
void ngx_http_relais_log(ngx_log_t *log, ngx_uint_t level, const char *what,
                         const relais_error *err);

/* Keeps the paths of captured requests out of nginx's own error log. */
ngx_int_t ngx_http_relais_init_log(ngx_conf_t *cf);

/* ---- replies ---------------------------------------------------------------------------- */

ngx_int_t ngx_http_relais_init_filters(void);

/* Sends an OpenRosaResponse; its status is the reply's own. */
ngx_int_t ngx_http_relais_send_reply(ngx_http_request_t *r, relais_reply reply);

/* Turns an answer whose header has not been sent into an OpenRosaResponse of that status:
 * headers and ctx->page. */
ngx_int_t ngx_http_relais_replace(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx,
                                  relais_reply reply, ngx_uint_t status);

/* NULL without memory. `name` and `value` are not copied. */
ngx_table_elt_t *ngx_http_relais_add_header(ngx_http_request_t *r, const char *name,
                                            const ngx_str_t *value);

/* Marks the buffers of a chain as sent. */
void ngx_http_relais_swallow(ngx_chain_t *in);

#endif
