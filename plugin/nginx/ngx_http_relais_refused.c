/*
 * Submissions that are too large.
 *
 * A phone that holds one keeps it for ever and tells nobody, so that the office is told in the
 * phone's place: by a note in the spool (spool/note.h), which a thread leaves while the request
 * goes on.
 *
 * nginx itself refuses such a body before it knows who sends it and without reading any of it,
 * and a phone on a slow line then sees a broken connection instead of the reason. Where Relais
 * serves, client_max_body_size is therefore this module's to keep (settle_serve puts nginx's own
 * to 0): a filter of the request's body counts, keeps the beginning, which names the form and the
 * submission, and lets nothing more into memory or on the disk. The phone has its answer at the
 * end of its body, or when LINGER_TIME is up. Where Relais captures nginx refuses as it does
 * without it, and the note says what the headers tell.
 */
#include "ngx_http_relais.h"

#include "spool/note.h"

/* A URL has at most 8 KB, a head a dozen values of 1 KB. */
#define ARENA_MAX (256 * 1024)

static ngx_http_request_body_filter_pt next_filter;

/* ---- the note, in a thread --------------------------------------------------------------- */

/* Belongs to no request: it has its own pool, which goes when the thread is done. */
typedef struct told {
    const ngx_http_relais_spool_t *spool;
    relais_request request; /* its segment is the beginning of the body */
    relais_segment segment;
    relais_parcel_head head;
    bool has_head; /* what the submission is is known already */
    int64_t size;
    int64_t limit;
} told;

static bool leave(const told *note, relais_arena *arena, relais_error *err)
{
    relais_spool *spool = ngx_http_relais_open_spool(note->spool, err);
    bool is_left;

    if (spool == NULL)
        return false;
    if (note->has_head)
        return relais_note_leave(spool, &note->head, note->size, note->limit, &is_left, err);
    return relais_intake_tell_refused(spool, &note->request, note->size, note->limit, arena, err);
}

static void run(void *data, ngx_log_t *log)
{
    relais_arena *arena = relais_arena_create(ARENA_MAX);
    relais_error err;

    relais_error_clear(&err);
    if (arena != NULL && !leave(data, arena, &err))
        ngx_http_relais_log(log, NGX_LOG_WARN, "the office was not told of a refused submission",
                            &err);
    relais_arena_destroy(arena);
}

static void done(ngx_event_t *event)
{
    ngx_destroy_pool(event->data);
}

/* ---- the note, in the event loop --------------------------------------------------------- */

static const char *copy(ngx_pool_t *pool, const char *text)
{
    size_t size = text == NULL ? 0 : ngx_strlen(text);
    char *copied = ngx_pnalloc(pool, size + 1);

    if (copied == NULL)
        return "";
    ngx_memcpy(copied, text == NULL ? "" : text, size);
    copied[size] = '\0';
    return copied;
}

static void copy_head(ngx_pool_t *pool, const relais_parcel_head *head, told *note)
{
    relais_parcel_head_init(&note->head);
    note->head.source = copy(pool, head->source);
    note->head.form = copy(pool, head->form);
    note->head.version = copy(pool, head->version);
    note->head.instance = copy(pool, head->instance);
    note->head.user = copy(pool, head->user);
    note->head.device = copy(pool, head->device);
    note->has_head = true;
}

static ngx_int_t copy_request(ngx_http_request_t *r, ngx_pool_t *pool,
                              const ngx_http_relais_beginning_t *beginning, told *note)
{
    const ngx_http_relais_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_relais_module);
    relais_request said;

    ngx_memzero(&said, sizeof(said));
    if (ngx_http_relais_describe(r, &said) != NGX_OK)
        return NGX_ERROR;
    note->request.content_type = copy(pool, said.content_type);
    note->request.content_length = -1; /* the beginning's own is not announced */
    note->request.source = conf->mode == NGX_HTTP_RELAIS_SERVE ? "serve" : "capture";
    note->request.user = copy(pool, said.user);
    note->request.device = copy(pool, said.device);
    note->request.segments = &note->segment;
    if (beginning == NULL || beginning->length == 0)
        return NGX_OK;
    note->segment.data = ngx_pnalloc(pool, beginning->length);
    if (note->segment.data == NULL)
        return NGX_ERROR;
    ngx_memcpy((u_char *)note->segment.data, beginning->bytes, beginning->length);
    note->segment.length = beginning->length;
    note->request.count = 1;
    return NGX_OK;
}

/* Without memory, or with a full queue, the note is not left: the phone tries again. */
void ngx_http_relais_tell_refused(ngx_http_request_t *r,
                                  const ngx_http_relais_beginning_t *beginning,
                                  const relais_parcel_head *head, int64_t size, int64_t limit)
{
    const ngx_http_relais_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_relais_module);
    ngx_pool_t *pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    ngx_thread_task_t *task = pool == NULL ? NULL : ngx_thread_task_alloc(pool, sizeof(told));
    told *note = task == NULL ? NULL : task->ctx;

    if (note == NULL)
        goto failed;
    ngx_memzero(note, sizeof(*note));
    note->spool = conf->spool;
    note->size = size;
    note->limit = limit;
    if (head != NULL)
        copy_head(pool, head, note);
    else if (copy_request(r, pool, beginning, note) != NGX_OK)
        goto failed;
    task->handler = run;
    task->event.handler = done;
    task->event.data = pool;
    task->event.log = ngx_cycle->log;
    if (ngx_thread_task_post(conf->pool, task) == NGX_OK)
        return;
failed:
    if (pool != NULL)
        ngx_destroy_pool(pool);
}

/* ---- the body of a location that serves -------------------------------------------------- */

/* -1: none. Of a chunked body nginx counts in the same place what has come. */
static off_t announced_length(const ngx_http_request_t *r)
{
    return r->headers_in.chunked ? -1 : r->headers_in.content_length_n;
}

bool ngx_http_relais_is_too_large(const ngx_http_request_t *r)
{
    const ngx_http_relais_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_relais_module);

    return conf->body_max > 0 && announced_length(r) > conf->body_max;
}

/* A body whose length is announced and allowed needs no looking at. */
static bool is_watched(const ngx_http_request_t *r)
{
    const ngx_http_relais_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_relais_module);

    return conf->mode == NGX_HTTP_RELAIS_SERVE && r == r->main && conf->body_max > 0 &&
           (announced_length(r) < 0 || ngx_http_relais_is_too_large(r));
}

static ngx_int_t keep(ngx_http_request_t *r, ngx_http_relais_beginning_t *beginning,
                      const ngx_buf_t *buf)
{
    size_t length = (size_t)(buf->last - buf->pos);
    size_t room = RELAIS_BEGINNING_MAX - beginning->length;

    beginning->received += (off_t)length;
    if (length == 0 || room == 0)
        return NGX_OK;
    if (beginning->bytes == NULL)
        beginning->bytes = ngx_pnalloc(r->pool, RELAIS_BEGINNING_MAX);
    if (beginning->bytes == NULL)
        return NGX_ERROR;
    if (length > room)
        length = room;
    ngx_memcpy(beginning->bytes + beginning->length, buf->pos, length);
    beginning->length += length;
    return NGX_OK;
}

static void tell_once(ngx_http_request_t *r, ngx_http_relais_ctx_t *ctx, bool is_last)
{
    ngx_http_relais_beginning_t *beginning = &ctx->beginning;
    off_t announced = announced_length(r);

    if (beginning->is_told || (beginning->length < RELAIS_BEGINNING_MAX && !is_last))
        return;
    beginning->is_told = true;
    ngx_http_relais_tell_refused(
        r, beginning, NULL, announced >= 0 ? announced : beginning->received, ctx->conf->body_max);
}

/* What nginx waits for is the mark of the end alone. */
static ngx_int_t swallow(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_chain_t out = {NULL, NULL};

    for (; in != NULL; in = in->next) {
        in->buf->pos = in->buf->last;
        if (in->buf->last_buf)
            out.buf = in->buf;
    }
    return next_filter(r, out.buf == NULL ? NULL : &out);
}

static ngx_int_t filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_relais_ctx_t *ctx = is_watched(r) ? ngx_http_relais_get_ctx(r) : NULL;
    bool is_last = false, is_late;

    if (ctx == NULL)
        return is_watched(r) ? NGX_HTTP_INTERNAL_SERVER_ERROR : next_filter(r, in);
    for (ngx_chain_t *link = in; link != NULL; link = link->next) {
        if (keep(r, &ctx->beginning, link->buf) != NGX_OK)
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        is_last = is_last || link->buf->last_buf;
    }
    if (ngx_http_relais_is_too_large(r) || ctx->beginning.received > ctx->conf->body_max)
        ctx->beginning.is_too_large = true;
    if (!ctx->beginning.is_too_large)
        return next_filter(r, in);
    is_late = ngx_time() - r->start_sec > NGX_HTTP_RELAIS_LINGER_TIME / 1000;
    tell_once(r, ctx, is_last || is_late);
    return is_late ? NGX_HTTP_REQUEST_ENTITY_TOO_LARGE : swallow(r, in);
}

void ngx_http_relais_init_refused(void)
{
    next_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = filter;
}
