/*
 * Blocking work for a request, in a thread of nginx's pool, and the context it works on.
 *
 * The way there and back is that of nginx's own copy filter: while the thread runs the
 * request is `blocked`, so that neither it nor its pool can go, and its write handler is the
 * one that resumes. Should the phone leave meanwhile, nginx puts its own handler there.
 */
#include "ngx_http_relais.h"

#include <ngx_thread_pool.h>

/* A URL has at most 8 KB (large_client_header_buffers), a parcel's head a dozen values of
 * at most 1 KB. */
#define ARENA_MAX (256 * 1024)

/* A worker that is told to finish waits for its timers, not for its threads: without one it
 * would leave a phone without an answer. Set again for as long as the thread runs. */
#define TASK_TIMER 60000

/* A copy that nobody wants is removed here and not in a thread, as nginx removes its own
 * temporary files. */
static void release_ctx(void *data)
{
    ngx_http_relais_ctx_t *ctx = data;

    relais_document_close(&ctx->document);
    if (ctx->capture.spool != NULL)
        relais_spool_abort(ctx->capture.spool, &ctx->capture.staged);
    relais_buffer_free(&ctx->capture.held);
    relais_arena_destroy(ctx->arena);
}

ngx_http_relais_ctx_t *ngx_http_relais_make_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_relais_ctx_t));
    ngx_http_relais_ctx_t *ctx;

    if (cleanup == NULL)
        return NULL;
    ctx = cleanup->data;
    ngx_memzero(ctx, sizeof(*ctx));
    ctx->conf = ngx_http_get_module_loc_conf(r, ngx_http_relais_module);
    ctx->request = r;
    relais_document_init(&ctx->document);
    ctx->capture.staged.shard = -1;
    relais_error_clear(&ctx->error);
    ctx->arena = relais_arena_create(ARENA_MAX);
    cleanup->handler = release_ctx;
    if (ctx->arena == NULL)
        return NULL;
    ngx_http_set_ctx(r, ctx, ngx_http_relais_module);
    return ctx;
}

ngx_http_relais_ctx_t *ngx_http_relais_get_ctx(ngx_http_request_t *r)
{
    ngx_http_relais_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_relais_module);

    return ctx != NULL ? ctx : ngx_http_relais_make_ctx(r);
}

static bool is_captured(const ngx_http_relais_ctx_t *ctx)
{
    return ctx->capture.state != NGX_HTTP_RELAIS_NOT_CAPTURED;
}

/* The clean-up's data is the context: the one place that an internal redirect leaves alone.
 * nginx's realip module finds its own context in the same way. */
ngx_http_relais_ctx_t *ngx_http_relais_find_capture(const ngx_http_request_t *r)
{
    ngx_http_relais_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_relais_module);

    if (ctx != NULL)
        return is_captured(ctx) ? ctx : NULL;
    if (!r->internal && !r->filter_finalize)
        return NULL;
    for (ngx_pool_cleanup_t *item = r->pool->cleanup; item != NULL; item = item->next) {
        if (item->handler == release_ctx && is_captured(item->data))
            return item->data;
    }
    return NULL;
}

/* In the event loop again, the thread being done or the phone gone. */
static void resume(ngx_http_request_t *r)
{
    ngx_http_relais_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_relais_module);

    if (ctx->is_running)
        return;
    r->write_event_handler = ngx_http_request_empty_handler;
    ngx_http_finalize_request(r, ctx->finish(r, ctx));
}

static void run_task(void *data, ngx_log_t *log)
{
    ngx_http_relais_ctx_t *ctx = *(ngx_http_relais_ctx_t **)data;

    ctx->run(ctx, log);
}

static void task_done(ngx_event_t *event)
{
    ngx_http_relais_ctx_t *ctx = event->data;
    ngx_http_request_t *r = ctx->request;
    ngx_connection_t *connection = r->connection;

    if (event->timedout) {
        event->timedout = 0;
        ngx_add_timer(event, TASK_TIMER);
        return;
    }
    if (event->timer_set)
        ngx_del_timer(event);
    ngx_http_set_log_request(connection->log, r);
    ctx->is_running = false;
    r->main->blocked--;
    r->aio = 0;
#if (nginx_version >= 1025004)
    if (r->done || r->main->terminated) {
        connection->write->handler(connection->write);
        return;
    }
#endif
    r->write_event_handler(r);
    ngx_http_run_posted_requests(connection);
}

ngx_int_t ngx_http_relais_start_task(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx)
{
    ngx_thread_task_t *task = ngx_thread_task_alloc(r->pool, sizeof(ctx));

    if (task == NULL)
        return NGX_ERROR;
    *(ngx_http_relais_ctx_t **)task->ctx = ctx;
    task->handler = run_task;
    task->event.handler = task_done;
    task->event.data = ctx;
    task->event.log = r->connection->log;
    if (ngx_thread_task_post(ctx->conf->pool, task) != NGX_OK)
        return NGX_ERROR;
    ngx_add_timer(&task->event, TASK_TIMER);
    ctx->is_running = true;
    r->main->blocked++;
    r->aio = 1;
    return NGX_OK;
}

ngx_int_t ngx_http_relais_post_task(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx)
{
    if (ngx_http_relais_start_task(r, ctx) != NGX_OK)
        return NGX_ERROR;
    r->write_event_handler = resume;
    return NGX_OK;
}
