/* Requests: from the listener through the gate to a reading handler or the core, and back. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/log.h"
#include "core/router.h"
#include "core/step.h"
#include "serve/serve.h"
#include "web/assets.h"
#include "web/metrics.h"

enum { FIELDS_MAX = 2048, RETRY_AFTER_S = 5, PENDING_MAX = 4096 };

/* Header fields of an answer in the making. Begun by bytes = 0, not by an initialiser, which would clear
 * the whole of it for every request. */
struct fields {
    char data[FIELDS_MAX];
    size_t bytes;
};

uint64_t serve_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t took_us(uint64_t started_us)
{
    return started_us == 0 ? 0 : uv_hrtime() / 1000 - started_us + 1;
}

/* Reading the clock is a hundredth of a read, so a read that follows another in the same turn of the loop begins
 * when that one ended. */
static void read_answered(struct serve *serve, const struct call *call)
{
    serve->answered_us = uv_hrtime() / 1000;
    metrics_answered(call->route, serve->reply.status, serve->answered_us - call->started_us + 1);
}

/* ---- header fields -------------------------------------------------------------------------------- */

/* Not by = {0}: that would clear all of it, for each request. */
static void fields_begin(struct fields *fields)
{
    fields->bytes = 0;
}

static void add_raw(struct fields *fields, struct text t)
{
    if (t.bytes > sizeof fields->data - fields->bytes) return;
    memcpy(fields->data + fields->bytes, t.data, t.bytes);
    fields->bytes += t.bytes;
}

static void add_field(struct fields *fields, struct text name, struct text value)
{
    if (value.bytes + name.bytes + 4 > sizeof fields->data - fields->bytes) return;
    add_raw(fields, name);
    add_raw(fields, TEXT(": "));
    add_raw(fields, value);
    add_raw(fields, TEXT("\r\n"));
}

static void add_cors(struct fields *fields, struct text origin)
{
    add_field(fields, TEXT("Access-Control-Allow-Origin"), origin);
    add_raw(fields,
            TEXT("Vary: Origin\r\nAccess-Control-Expose-Headers: ETag, X-Request-Id, Retry-After, "
                 "RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset\r\n"));
}

static void add_number(struct fields *fields, struct text name, uint64_t number)
{
    char digits[24];
    int bytes = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    add_field(fields, name, (struct text){digits, (size_t)bytes});
}

static void add_limits(struct fields *fields, const struct rate *rate)
{
    if (rate->limit == 0) return;
    add_number(fields, TEXT("RateLimit-Limit"), rate->limit);
    add_number(fields, TEXT("RateLimit-Remaining"), rate->remaining);
    add_number(fields, TEXT("RateLimit-Reset"), rate->reset_s);
}

/* retry_after_s 0: how long is not known. */
static void add_common(struct fields *fields, struct text request_id, unsigned status,
                       struct text etag, uint64_t retry_after_s)
{
    add_field(fields, TEXT("X-Request-Id"), request_id);
    if (etag.bytes > 0) add_field(fields, TEXT("ETag"), etag);
    add_raw(fields, TEXT("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"));
    if (retry_after_s == 0 && (status == 429 || status == 503)) retry_after_s = RETRY_AFTER_S;
    if (retry_after_s > 0) add_number(fields, TEXT("Retry-After"), retry_after_s);
}

static struct text fields_text(const struct fields *fields)
{
    return (struct text){fields->data, fields->bytes};
}

/* ---- what waits for the core ---------------------------------------------------------------------- */

static void remember(struct serve *serve, uint64_t exchange, const struct gate_result *who,
                     struct text origin, bool wants_page)
{
    if (serve->pending_count == serve->pending_room) {
        size_t room = serve->pending_room == 0 ? 16 : serve->pending_room * 2;
        struct pending *grown =
            room > PENDING_MAX ? NULL : realloc(serve->pending, room * sizeof *grown);
        if (grown == NULL) return; /* this answer will lack these fields */
        serve->pending = grown;
        serve->pending_room = room;
    }
    struct pending *pending = &serve->pending[serve->pending_count++];
    pending->exchange = exchange;
    pending->client = who->client;
    pending->is_limited = who->is_limited;
    pending->rate = who->rate;
    pending->wants_page = wants_page;
    if (!text_to_zero_ended(origin, pending->origin, sizeof pending->origin))
        pending->origin[0] = 0;
}

static bool take_pending(struct serve *serve, uint64_t exchange, struct pending *pending)
{
    for (size_t i = 0; i < serve->pending_count; i++) {
        if (serve->pending[i].exchange != exchange) continue;
        *pending = serve->pending[i];
        serve->pending[i] = serve->pending[--serve->pending_count];
        return true;
    }
    return false;
}

/* ---- answering ------------------------------------------------------------------------------------ */

static void respond(struct serve *serve, uint64_t exchange, const struct http_request *rq,
                    struct gate_result *who, bool close)
{
    struct fields fields;
    struct reply *reply = &serve->reply;
    struct text etag = text_of(reply->etag);
    fields_begin(&fields);
    bool is_fresh = etag.bytes > 0 && rq->if_none_match.bytes > 0 && reply->status == 200 &&
                    etag_matches(rq->if_none_match, reply->etag, false);
    add_common(&fields, who->call.request_id, reply->status, etag, who->retry_after_s);
    add_limits(&fields, &who->rate);
    if (who->allow.bytes > 0) add_field(&fields, TEXT("Allow"), who->allow);
    if (reply->status == 401) {
        add_field(&fields, TEXT("WWW-Authenticate"),
                  who->wants_basic ? TEXT("Basic realm=\"homeport\"")
                                   : TEXT("Bearer realm=\"homeport\""));
    }
    if (rq->origin.bytes > 0 && gate_origin(serve->gate, rq->origin)) add_cors(&fields, rq->origin);
    http_respond(serve->http, exchange,
                 &(struct http_reply){
                     .status = is_fresh ? 304 : reply->status,
                     .content_type = is_fresh ? TEXT_NONE : reply->content_type,
                     .fields = fields_text(&fields),
                     .body = is_fresh ? TEXT_NONE : json_text(&reply->body),
                     .close = close,
                 });
}

static void log_access(struct serve *serve, const struct http_request *rq, struct gate_result *who)
{
    if (!serve->config->log_access) return;
    log_line_of(LOGGER_ACCESS, LOG_INFO, "request", LOG_TEXT("method", rq->method),
                LOG_TEXT("path", rq->path), LOG_NUMBER("status", serve->reply.status),
                LOG_TEXT("ip", gate_ip(who)), LOG_TEXT("request_id", who->call.request_id),
                LOG_ID("user_id", who->call.caller.user_id));
}

static void refuse(struct serve *serve, uint64_t exchange, const struct http_request *rq,
                   struct gate_result *who, enum err why, bool close)
{
    if (serve->reply.status < 400) reply_error(&serve->reply, why, NULL, who->call.request_id);
    metrics_answered(who->call.route, serve->reply.status, took_us(who->call.started_us));
    respond(serve, exchange, rq, who, close);
    log_access(serve, rq, who);
}

/* The core says that an address is banned; how long, its record tells. */
static uint64_t banned_s(struct serve *serve, const struct pending *pending, unsigned status)
{
    struct gate_view view;
    if (!pending->is_limited || status != err_info(ERR_BANNED)->status) return 0;
    return serve_snapshot(serve, &view) == OK ? gate_banned_s(serve->gate, &view, &pending->client)
                                              : 0;
}

/* A person's browser names HTML before JSON, if it names JSON at all. */
static bool prefers_html(struct text accept)
{
    while (accept.data != NULL) {
        struct text range = text_cut(&accept, ',');
        struct text type = text_trim(text_cut(&range, ';'));
        if (text_equal_fold(type, TEXT("text/html"))) return true;
        if (text_equal_fold(type, TEXT("application/json"))) return false;
    }
    return false;
}

/* Trouble of ours is no verdict on the link: its sentence, even in JSON, says to try again. */
static struct text page_of(const struct answer *answer)
{
    if (answer->status < 400) return answer->route->page_done;
    return answer->status == err_info(ERR_CODE_WRONG)->status ? answer->route->page_failed
                                                              : TEXT_NONE;
}

/* An answer from the core. */
void serve_answer(struct serve *serve, const struct answer *answer)
{
    struct fields fields;
    struct pending pending;
    bool is_pending = take_pending(serve, answer->exchange, &pending);
    fields_begin(&fields);
    add_common(&fields, answer->request_id, answer->status, answer->etag,
               is_pending ? banned_s(serve, &pending, answer->status) : 0);
    if (answer->status == 401)
        add_raw(&fields, TEXT("WWW-Authenticate: Bearer realm=\"homeport\"\r\n"));
    if (is_pending) add_limits(&fields, &pending.rate);
    if (is_pending && pending.origin[0] != 0) add_cors(&fields, text_of(pending.origin));
    metrics_answered(answer->route, answer->status, took_us(answer->started_us));
    struct text page = is_pending && pending.wants_page ? page_of(answer) : TEXT_NONE;
    bool is_page = page.bytes > 0;
    if (is_page) add_field(&fields, TEXT("Location"), page);
    http_respond(serve->http, answer->exchange,
                 &(struct http_reply){.status = is_page ? 303 : answer->status,
                                      .content_type = is_page ? TEXT_NONE : answer->content_type,
                                      .fields = fields_text(&fields),
                                      .body = is_page ? TEXT_NONE : answer->body});
}

/* ---- the snapshot --------------------------------------------------------------------------------- */

enum err serve_snapshot(struct serve *serve, struct gate_view *view)
{
    if (serve->snapshot == NULL) {
        enum err e = store_snapshot(serve->store, &serve->snapshot);
        if (e != OK) return e;
        serve->snapshot_ms = serve_now_ms();
    }
    *view = (struct gate_view){
        .read = {.txn = serve->snapshot},
        .generation = store_generation(serve->snapshot),
        .now_ms = serve->snapshot_ms,
        .arena = &serve->arena,
    };
    return OK;
}

void serve_release_snapshot(struct serve *serve)
{
    if (serve->snapshot != NULL) store_release(serve->snapshot);
    serve->snapshot = NULL;
    serve->answered_us = 0;
}

/* ---- to the core ---------------------------------------------------------------------------------- */

bool serve_post(struct serve *serve, enum message_name name, const void *contents)
{
    struct mailbox *inbox = core_thread_inbox(serve->thread, false);
    if (inbox == NULL) return false;
    bool is_added = mailbox_add(inbox, name, contents);
    core_thread_post(serve->thread);
    return is_added;
}

static const struct call *call_copy(struct arena *arena, const struct call *call)
{
    struct call *copy = arena_new(arena, struct call);
    if (copy == NULL) return NULL;
    *copy = *call;
    struct text *texts[] = {&copy->query,    &copy->body_raw,      &copy->idempotency_key,
                            &copy->if_match, &copy->if_none_match, &copy->request_id,
                            &copy->ip,       &copy->user_agent};
    if (call->idempotency_key.bytes == 0) copy->body_raw = TEXT_NONE;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = arena_text(arena, *texts[i]);
    if (call->body != NULL) copy->body = contents_copy(arena, call->route->takes, call->body);
    return arena_overflowed(arena) ? NULL : copy;
}

static enum err post_call(struct serve *serve, const struct call *call)
{
    if (serve->is_stopping) return ERR_STOPPING;
    struct mailbox *inbox = core_thread_inbox(serve->thread, true);
    if (inbox == NULL) return ERR_OVERLOADED;
    const struct call *copy = call_copy(&inbox->arena, call);
    bool is_added = copy != NULL && mailbox_add_own(inbox, MESSAGE_request, copy);
    core_thread_post(serve->thread);
    return is_added ? OK : ERR_OVERLOADED;
}

/* ---- files ---------------------------------------------------------------------------------------- */

static struct text policy_of(struct text path)
{
    /* The documentation viewers write style attributes; everything else keeps to files of ours. */
    if (text_starts(path, TEXT("/docs")) || text_starts(path, TEXT("/redoc"))) {
        return TEXT(
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
            "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'");
    }
    return TEXT(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
}

static bool serve_file(struct serve *serve, uint64_t exchange, const struct http_request *rq,
                       struct gate_result *who)
{
    struct fields fields;
    bool is_read = text_equal(rq->method, TEXT("GET")) || text_equal(rq->method, TEXT("HEAD"));
    bool is_docs = text_starts(rq->path, TEXT("/docs")) || text_starts(rq->path, TEXT("/redoc"));
    fields_begin(&fields);
    if (!is_read || text_starts(rq->path, TEXT("/api/")) || (is_docs && !serve->config->http_docs))
        return false;
    const struct asset *asset = asset_find(rq->path);
    if (asset == NULL) return false;
    enum err e = gate_count(serve->gate, who);
    if (e != OK) {
        refuse(serve, exchange, rq, who, e, false);
        return true;
    }
    bool is_fresh =
        rq->if_none_match.bytes > 0 && etag_matches(rq->if_none_match, asset->etag, false);
    add_field(&fields, TEXT("X-Request-Id"), who->call.request_id);
    add_field(&fields, TEXT("ETag"), text_of(asset->etag));
    add_field(&fields, TEXT("Content-Security-Policy"), policy_of(rq->path));
    add_raw(
        &fields,
        TEXT(
            "Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"));
    if (asset->is_gzip)
        add_raw(&fields, TEXT("Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n"));
    serve->reply.status = is_fresh ? 304 : 200;
    http_respond(
        serve->http, exchange,
        &(struct http_reply){
            .status = serve->reply.status,
            .content_type = is_fresh ? TEXT_NONE : text_of(asset->content_type),
            .fields = fields_text(&fields),
            .body = is_fresh ? TEXT_NONE : (struct text){(const char *)asset->data, asset->bytes},
        });
    log_access(serve, rq, who);
    return true;
}

/* A browser asks before a call from another origin (Fetch standard, CORS-preflight). */
static void preflight(struct serve *serve, uint64_t exchange, const struct http_request *rq,
                      struct gate_result *who)
{
    struct fields fields;
    unsigned allowed = 0;
    uint64_t id;
    enum err why = OK;
    fields_begin(&fields);
    enum err e = gate_count(serve->gate, who);
    if (e == OK && rq->origin.bytes > 0 && !gate_origin(serve->gate, rq->origin))
        e = ERR_ORIGIN_REFUSED;
    if (e != OK) {
        refuse(serve, exchange, rq, who, e, false);
        return;
    }
    const struct route *route = route_match(rq->method, rq->path, &id, &why, &allowed);
    if (route == NULL && why != ERR_METHOD) {
        refuse(serve, exchange, rq, who, why, false);
        return;
    }
    struct text methods = route_allow(allowed, &serve->arena);
    add_field(&fields, TEXT("X-Request-Id"), who->call.request_id);
    add_field(&fields, TEXT("Allow"), methods);
    if (rq->origin.bytes > 0) {
        add_cors(&fields, rq->origin);
        add_field(&fields, TEXT("Access-Control-Allow-Methods"), methods);
        add_raw(
            &fields,
            TEXT(
                "Access-Control-Allow-Headers: Authorization, Content-Type, Idempotency-Key, If-Match, "
                "If-None-Match, Last-Event-ID, X-API-Key, X-Request-Id\r\nAccess-Control-Max-Age: 600\r\n"));
    }
    http_respond(serve->http, exchange,
                 &(struct http_reply){.status = 204, .fields = fields_text(&fields)});
}

/* ---- a request ------------------------------------------------------------------------------------ */

static void read_lane(struct serve *serve, uint64_t exchange, const struct http_request *rq,
                      struct gate_view *view, struct gate_result *who)
{
    struct view handler_view = {
        .read = view->read,
        .arena = &serve->arena,
        .now_ms = view->now_ms,
        .caller = who->call.caller,
        .config = serve->config,
        .secrets = &serve->secrets,
    };
    const struct route *route = who->call.route;
    if (route->read == events) {
        struct fields fields;
        fields_begin(&fields);
        add_common(&fields, who->call.request_id, 200, TEXT_NONE, 0);
        if (rq->origin.bytes > 0 && gate_origin(serve->gate, rq->origin))
            add_cors(&fields, rq->origin);
        events_begin(serve, exchange, rq, who, fields_text(&fields));
        return;
    }
    reply_start(&serve->reply, route);
    enum err e = route->read(&handler_view, &who->call, &serve->reply);
    if (e == OK && serve->reply.body.overflowed) e = ERR_OVERLOADED;
    if (e != OK) {
        refuse(serve, exchange, rq, who, e, false);
        return;
    }
    read_answered(serve, &who->call);
    respond(serve, exchange, rq, who, false);
    log_access(serve, rq, who);
}

void serve_request(void *context, uint64_t exchange, const struct http_request *rq)
{
    struct serve *serve = context;
    struct gate_view view;
    struct gate_result who;
    memset(&who.call, 0,
           sizeof who.call); /* the buffers behind it are filled in as they are needed */
    who.allow = TEXT_NONE;
    who.wants_basic = false;
    serve->reply.status = 0;
    who.call.started_us = serve->answered_us > 0 ? serve->answered_us : uv_hrtime() / 1000;
    arena_reset(&serve->arena);
    gate_identify(serve->gate, rq, &who);
    enum err e = gate_admit(serve->gate, rq, &who);
    if (e == OK && text_equal(rq->method, TEXT("OPTIONS"))) {
        preflight(serve, exchange, rq, &who);
        return;
    }
    if (e == OK && serve_file(serve, exchange, rq, &who)) return;
    if (e == OK) e = serve_snapshot(serve, &view);
    if (e == OK) e = gate_check(serve->gate, rq, &view, &who, &serve->reply);
    if (e != OK) {
        refuse(serve, exchange, rq, &who, e, false);
        return;
    }
    if (who.call.route->lane == LANE_READ) {
        read_lane(serve, exchange, rq, &view, &who);
        return;
    }
    who.call.exchange = exchange;
    who.call.ip = gate_ip(&who);
    bool has_origin = rq->origin.bytes > 0 && gate_origin(serve->gate, rq->origin);
    e = post_call(serve, &who.call);
    if (e != OK) {
        refuse(serve, exchange, rq, &who, e, false);
        return;
    }
    bool wants_page = who.call.route->page_done.bytes > 0 && prefers_html(rq->accept);
    if (has_origin || wants_page || who.is_limited)
        remember(serve, exchange, &who, has_origin ? rq->origin : TEXT_NONE, wants_page);
}

void serve_refused(void *context, uint64_t exchange, const struct http_request *rq, enum err why)
{
    struct serve *serve = context;
    struct gate_result who;
    memset(&who.call, 0,
           sizeof who.call); /* the buffers behind it are filled in as they are needed */
    who.allow = TEXT_NONE;
    who.wants_basic = false;
    serve->reply.status = 0;
    arena_reset(&serve->arena);
    gate_identify(serve->gate, rq, &who);
    refuse(serve, exchange, rq, &who, why, true);
}

size_t serve_body_max(void *context, struct text method, struct text path)
{
    const struct serve *serve = context;
    return gate_body_max(serve->gate, method, path);
}

/* The stream is begun by serve_request(); the row of routes.def needs a handler all the same. */
enum err events(struct view *view, const struct call *call, struct reply *reply)
{
    (void)view;
    (void)call;
    (void)reply;
    return ERR_INTERNAL;
}
