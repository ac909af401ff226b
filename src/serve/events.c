/* GET /api/v1/events: changes as they happen, as Server-Sent Events.
 *
 * There is no queue of events: the audit log is one already, in the store. Each client has a place in it;
 * when something has been committed, what lies behind that place is read, what is the client's business is
 * written to it, and the place moves on. Last-Event-ID is that place, so resuming after a break (also of
 * homeport itself) is the same as going on. A client that reads too slowly is dropped by the listener's
 * limit and comes back where it was. */
#include <sodium.h>
#include <stdlib.h>

#include "core/router.h"
#include "serve/serve.h"

enum { CREDENTIAL_MAX = 2100, ENTRIES_AT_ONCE = 256, HEARTBEAT_MS = 20000 };

struct event_client {
    uint64_t exchange;
    uint64_t place; /* number of the last audit entry it has been past */
    struct caller caller;
    char credential[CREDENTIAL_MAX]; /* asked again at every commit: a sign-out ends the stream */
    bool is_api_key_field;
    struct event_client *next;
};

static void forget(struct serve *serve, uint64_t exchange)
{
    for (struct event_client **at = &serve->clients; *at != NULL; at = &(*at)->next) {
        if ((*at)->exchange != exchange) continue;
        struct event_client *gone = *at;
        *at = gone->next;
        sodium_memzero(gone->credential, sizeof gone->credential);
        free(gone);
        break;
    }
    if (serve->clients == NULL) uv_timer_stop(&serve->heartbeat);
}

void events_closed(void *context, uint64_t exchange)
{
    forget(context, exchange);
}

/* Who is told of things that are not his own: those whom a route shows them, or else the audit log. What stands in
 * no row is its owner's business alone. */
static const struct audience {
    const struct record_type *type;
    enum role least;
} audiences[] = {
    {&domain_type, role_operator},          {&dns_record_type, role_operator},
    {&source_type, role_operator},          {&ban_type, role_admin},
    {&captcha_pass_type, role_super_admin}, {&failed_sign_in_type, role_super_admin},
    {&token_key_type, role_super_admin},
};

static bool is_for(const struct event_client *client, const struct audit_entry *entry)
{
    if (entry->owner_id == client->caller.user_id) return true;
    for (size_t i = 0; i < sizeof audiences / sizeof *audiences; i++) {
        if (text_equal(entry->target, audiences[i].type->name))
            return client->caller.role >= audiences[i].least;
    }
    return false;
}

static void write_event(struct json *out, const struct audit_entry *entry)
{
    json_raw(out, TEXT("id: "));
    out->has_member = false;
    json_number(out, entry->id);
    json_raw(out, TEXT("\nevent: change\ndata: "));
    out->has_member = false;
    json_open(out, '{');
    json_member(out, "type", entry->target);
    json_member(out, "action", choice_word(&audit_action_choice, entry->action));
    json_key(out, TEXT("id"));
    json_id(out, entry->target_id);
    json_key(out, TEXT("at"));
    json_time(out, entry->at);
    json_key(out, TEXT("after"));
    json_value(out, entry->after.bytes > 0 ? entry->after : TEXT("null"));
    json_close(out, '}');
    json_raw(out, TEXT("\n\n"));
}

/* Whether the credential it came with is still good. */
static bool is_welcome(struct serve *serve, const struct gate_view *view,
                       struct event_client *client)
{
    struct text credential = text_of(client->credential);
    enum err e = auth_check(serve->gate->auth, &view->read, view->generation, view->now_ms,
                            &serve->secrets, client->is_api_key_field ? TEXT_NONE : credential,
                            client->is_api_key_field ? credential : TEXT_NONE, &client->caller);
    return e == OK && access_check(&client->caller, route_named(TEXT("events"))) == OK;
}

/* Writes what is new. False: the client has gone. */
static bool pump(struct serve *serve, const struct gate_view *view, struct event_client *client)
{
    struct audit_entry entry;
    struct json *out = &serve->reply.body;
    uint64_t exchange = client->exchange;
    json_reset(out);
    for (unsigned i = 0; i < ENTRIES_AT_ONCE && client->place < serve->audit_head; i++) {
        if (audit_entry_get(&view->read, client->place + 1, &entry) != OK) break;
        client->place++;
        if (is_for(client, &entry)) write_event(out, &entry);
    }
    if (json_text(out).bytes == 0) return true;
    return http_stream_write(serve->http, exchange, json_text(out));
}

void events_committed(struct serve *serve)
{
    struct gate_view view;
    bool has_more = true;
    for (unsigned round = 0; has_more && round < 64; round++) {
        has_more = false;
        for (struct event_client *client = serve->clients, *next; client != NULL; client = next) {
            next = client->next;
            if (client->place >= serve->audit_head || serve_snapshot(serve, &view) != OK) continue;
            uint64_t exchange = client->exchange;
            if (!is_welcome(serve, &view, client)) {
                http_stream_end(serve->http, exchange);
                forget(serve, exchange);
            } else if (!pump(serve, &view, client)) {
                break; /* the list may have changed under us; the next commit goes on */
            } else {
                has_more |= client->place < serve->audit_head;
            }
        }
    }
}

static void on_heartbeat(uv_timer_t *timer)
{
    struct serve *serve = timer->data;
    for (struct event_client *client = serve->clients, *next; client != NULL; client = next) {
        next = client->next;
        if (!http_stream_write(serve->http, client->exchange, TEXT(": still here\n\n"))) return;
    }
}

static uint64_t place_of(const struct serve *serve, const struct http_request *rq)
{
    uint64_t place;
    bool has_place =
        rq->last_event_id.bytes > 0 && text_to_u64(rq->last_event_id, UINT64_MAX / 2, &place);
    if (!has_place || place > serve->audit_head) return serve->audit_head;
    uint64_t backlog = serve->config->events_backlog;
    return serve->audit_head - place > backlog ? serve->audit_head - backlog : place;
}

void events_begin(struct serve *serve, uint64_t exchange, const struct http_request *rq,
                  const struct gate_result *who, struct text fields)
{
    struct event_client *client = calloc(1, sizeof *client);
    bool is_api_key_field = rq->authorization.bytes == 0;
    struct text credential = is_api_key_field ? rq->api_key : rq->authorization;
    if (client == NULL ||
        !text_to_zero_ended(credential, client->credential, sizeof client->credential)) {
        free(client);
        http_respond(serve->http, exchange, &(struct http_reply){.status = 503});
        return;
    }
    client->exchange = exchange;
    client->caller = who->call.caller;
    client->is_api_key_field = is_api_key_field;
    client->place = place_of(serve, rq);
    bool is_begun = http_stream_begin(
        serve->http, exchange,
        &(struct http_reply){
            .status = 200, .content_type = TEXT("text/event-stream"), .fields = fields});
    if (!is_begun) {
        free(client);
        return;
    }
    client->next = serve->clients;
    serve->clients = client;
    if (!uv_is_active((uv_handle_t *)&serve->heartbeat)) {
        uv_timer_start(&serve->heartbeat, on_heartbeat, HEARTBEAT_MS, HEARTBEAT_MS);
    }
    if (http_stream_write(serve->http, exchange, TEXT("retry: 2000\n\n"))) events_committed(serve);
}

void events_end_all(struct serve *serve)
{
    while (serve->clients != NULL) {
        uint64_t exchange = serve->clients->exchange;
        http_stream_end(serve->http, exchange);
        forget(serve, exchange);
    }
}
