/* The core's calls go out to the edges, and what comes of them goes back to the core. */
#include <stdlib.h>

#include "core/log.h"
#include "core/outside.h"
#include "core/router.h"
#include "ddns/dns_transfer.h"
#include "serve/serve.h"

static const uint64_t wake_most_ms = 60000; /* the wall clock may be set meanwhile: look again */

enum { CALL_BYTES_MAX = 1 << 20, SENDS_AT_ONCE = 8 };

/* A call that waits for its time, or for its answer. */
struct asked {
    struct serve *serve;
    enum message_name done;   /* what its answer is called */
    struct outside_call call; /* a copy; once sent, only what the answer echoes is looked at */
    struct arena arena;       /* of its texts */
    uv_timer_t delay;
    struct asked *next, **link; /* in serve->asked */
    struct asked *behind;       /* in serve->unsent_first ... unsent_last */
};

static void asked_free(struct asked *asked)
{
    *asked->link = asked->next;
    if (asked->next != NULL) asked->next->link = asked->link;
    arena_free(&asked->arena);
    free(asked);
}

static void delay_closed(uv_handle_t *handle)
{
    asked_free(handle->data);
}

static struct asked *asked_new(struct serve *serve, enum message_name done,
                               const struct outside_call *call)
{
    struct asked *asked = calloc(1, sizeof *asked);
    if (asked == NULL) return NULL;
    arena_init(&asked->arena, CALL_BYTES_MAX);
    const struct outside_call *copy = contents_copy(&asked->arena, &outside_call_type, call);
    if (copy == NULL) {
        arena_free(&asked->arena);
        free(asked);
        return NULL;
    }
    asked->serve = serve;
    asked->done = done;
    asked->call = *copy;
    asked->next = serve->asked;
    asked->link = &serve->asked;
    if (asked->next != NULL) asked->next->link = &asked->next;
    serve->asked = asked;
    uv_timer_init(serve->loop, &asked->delay);
    asked->delay.data = asked;
    return asked;
}

/* An answer cannot reach the core. A task stays in processing until the next start takes it up again; a
 * request has somebody who waits. */
static void lose(struct serve *serve, enum message_name done, uint64_t ref)
{
    if (serve->is_stopping) return;
    log_line(LOG_ERROR, "no room for an answer from outside", LOG_ID("ref", ref), LOG_END);
    if (done != MESSAGE_query_done) return;
    struct reply *reply = &serve->reply;
    const struct route *route = route_named(TEXT("user_login")); /* errors look the same on all */
    reply_start(reply, route);
    reply_error(reply, ERR_OVERLOADED, NULL, TEXT_NONE);
    serve_answer(serve, &(struct answer){.exchange = ref,
                                         .status = reply->status,
                                         .content_type = reply->content_type,
                                         .body = json_text(&reply->body),
                                         .route = route});
}

static void post_answer(struct asked *asked, struct outside_answer *answer)
{
    answer->task_id = asked->call.task_id;
    answer->part = asked->call.part;
    answer->memo = asked->call.memo;
    asked->serve->outside.open--;
    if (answer->fault != FAULT_NONE) asked->serve->outside.faults++;
    if (!serve_post(asked->serve, asked->done, answer))
        lose(asked->serve, asked->done, answer->task_id);
    uv_close((uv_handle_t *)&asked->delay, delay_closed);
}

static void on_fetched(void *context, uint64_t ref, const struct http_result *result)
{
    (void)ref;
    struct outside_answer answer = outside_http_answer(result);
    post_answer(context, &answer);
}

static void on_dns_answered(void *context, uint64_t ref, const struct dns_result *result)
{
    (void)ref;
    post_answer(context, &(struct outside_answer){
                             .is_dns = true,
                             .fault = result->fault,
                             .error = result->error,
                             .body = result->answers,
                             .duration_ms = result->duration_ms,
                         });
}

static void send_now(struct asked *asked)
{
    const struct outside_call *call = &asked->call;
    bool is_asked;
    asked->serve->outside.calls++;
    asked->serve->outside.open++;
    if (call->is_dns) {
        is_asked = dns_ask(asked->serve->dns, call->task_id,
                           &(struct dns_call){
                               .server = call->server,
                               .message = call->body,
                               .by_tcp = call->by_tcp,
                               .timeout_ms = call->timeout_ms,
                               .is_complete = call->is_transfer ? dns_transfer_is_complete : NULL,
                               .answer_bytes_max = call->answer_max,
                           },
                           on_dns_answered, asked);
    } else {
        struct http_call http = outside_http_call(call);
        is_asked = fetch_start(asked->serve->fetcher, call->task_id, &http, on_fetched, asked);
    }
    if (is_asked) return;
    post_answer(asked, &(struct outside_answer){.is_dns = call->is_dns,
                                                .fault = FAULT_OTHER,
                                                .error = TEXT("Not enough memory for the call")});
}

static void on_delay(uv_timer_t *timer)
{
    send_now(timer->data);
}

/* Starting a call takes some 60 us, and one turn of the core may ask for a hundred: a few are started in each
 * turn of the loop, so that readers get their turn in between. */
static void on_idle(uv_idle_t *idle)
{
    struct serve *serve = idle->data;
    for (unsigned i = 0; i < SENDS_AT_ONCE && serve->unsent_first != NULL; i++) {
        struct asked *asked = serve->unsent_first;
        serve->unsent_first = asked->behind;
        send_now(asked);
    }
    if (serve->unsent_first == NULL) uv_idle_stop(idle);
}

static void send_soon(struct serve *serve, struct asked *asked)
{
    asked->behind = NULL;
    if (serve->unsent_first != NULL) {
        serve->unsent_last->behind = asked;
    } else {
        serve->unsent_first = asked;
        uv_idle_start(&serve->sender, on_idle);
    }
    serve->unsent_last = asked;
}

/* Each actor that asks has a message of its own, so that the answer finds back to it. */
static void ask(struct serve *serve, enum message_name done, const struct outside_call *call)
{
    struct asked *asked = asked_new(serve, done, call);
    if (asked == NULL) {
        lose(serve, done, call->task_id);
    } else if (call->delay_ms == 0) {
        send_soon(serve, asked);
    } else {
        uv_timer_start(&asked->delay, on_delay, call->delay_ms, 0);
    }
}

/* ---- hashing -------------------------------------------------------------------------------------- */

struct hashing {
    struct serve *serve;
    struct arena arena;
    struct hash_answer answer;
    struct hashing *next, **link; /* in serve->hashings */
};

static void hashing_free(struct hashing *hashing)
{
    *hashing->link = hashing->next;
    if (hashing->next != NULL) hashing->next->link = hashing->link;
    arena_wipe(&hashing->arena); /* passwords */
    arena_free(&hashing->arena);
    free(hashing);
}

static void on_hashed(void *context, uint64_t ref, const struct hash_result *result)
{
    struct hashing *hashing = context;
    (void)ref;
    hashing->answer.is_busy = result->failed;
    hashing->answer.is_match = result->is_match;
    hashing->answer.hash = text_of(result->hash);
    serve_post(hashing->serve, MESSAGE_hash_done, &hashing->answer);
    hashing_free(hashing);
}

static void hash(struct serve *serve, const struct hash_call *call)
{
    struct hashing *hashing = calloc(1, sizeof *hashing);
    if (hashing == NULL) { /* somebody waits for the answer */
        serve_post(serve, MESSAGE_hash_done,
                   &(struct hash_answer){.purpose = call->purpose,
                                         .exchange = call->exchange,
                                         .request_id = call->request_id,
                                         .is_busy = true});
        return;
    }
    hashing->serve = serve;
    hashing->next = serve->hashings;
    hashing->link = &serve->hashings;
    if (hashing->next != NULL) hashing->next->link = &hashing->next;
    serve->hashings = hashing;
    arena_init(&hashing->arena, 1 << 16);
    struct hash_answer carried = {
        .purpose = call->purpose,
        .exchange = call->exchange,
        .user_id = call->user_id,
        .username = call->username,
        .email = call->email,
        .phone_number = call->phone_number,
        .role = call->role,
        .ip = call->ip,
        .user_agent = call->user_agent,
        .request_id = call->request_id,
        .next_password = call->next_password,
        .session_id = call->session_id,
        .totp = call->totp,
        .code_id = call->code_id,
        .expected = call->expected,
    };
    const struct hash_answer *copy = contents_copy(&hashing->arena, &hash_answer_type, &carried);
    if (copy != NULL) hashing->answer = *copy;
    if (copy != NULL && hash_start(serve->hasher, call->exchange, call->password, call->expected,
                                   on_hashed, hashing))
        return;
    on_hashed(hashing, 0, &(struct hash_result){.failed = true});
}

/* At the end: nobody will answer what is still under way. The edges are closing; none calls back. */
void outside_forget_all(struct serve *serve)
{
    for (struct asked *asked = serve->asked; asked != NULL; asked = asked->next) {
        if (!uv_is_closing((uv_handle_t *)&asked->delay))
            uv_close((uv_handle_t *)&asked->delay, delay_closed);
    }
    while (serve->hashings != NULL) hashing_free(serve->hashings);
}

/* ---- time and interfaces -------------------------------------------------------------------------- */

void outside_on_wake(uv_timer_t *timer)
{
    serve_post(timer->data, MESSAGE_tick, &(struct nothing){0});
}

static void wake(struct serve *serve, const struct wake_call *call)
{
    uint64_t now_ms = serve_now_ms();
    uv_timer_stop(&serve->wake);
    if (call->at == 0) return;
    uint64_t wait_ms = call->at > now_ms ? call->at - now_ms : 0;
    uv_update_time(serve->loop);
    uv_timer_start(&serve->wake, outside_on_wake, wait_ms < wake_most_ms ? wait_ms : wake_most_ms,
                   0);
}

void outside_interfaces(void *context, const struct interface_address *addresses, unsigned count)
{
    struct interface_list list = {
        .addresses = {(const char *)addresses, count * sizeof *addresses}};
    serve_post(context, MESSAGE_interfaces_changed, &list);
}

void outside_deliver(struct serve *serve, const struct message *message)
{
    switch (message->name) {
    case MESSAGE_reply: serve_answer(serve, message->contents); break;
    case MESSAGE_ask: ask(serve, MESSAGE_ask_done, message->contents); break;
    case MESSAGE_query: ask(serve, MESSAGE_query_done, message->contents); break;
    case MESSAGE_post: ask(serve, MESSAGE_post_done, message->contents); break;
    case MESSAGE_hash: hash(serve, message->contents); break;
    case MESSAGE_wake: wake(serve, message->contents); break;
    default: break;
    }
}
