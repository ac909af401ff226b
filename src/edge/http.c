/* The listener: accepting, caps, exchange ids, the one timer, draining. */
#include "edge/http_private.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>

#include "core/url.h"

/* Connections that may go on with bytes they have, within one turn of the loop. */
enum { RESUMES_PER_TURN = 256 };

/* ---- slots and exchanges ---- */

static bool slots_grow(struct http_server *server)
{
    uint32_t count = server->slot_count == 0 ? 64 : 2 * server->slot_count;
    if (count > UINT32_C(1) << HTTP_SLOT_BITS) return false;
    struct http_slot *slots = realloc(server->slots, count * sizeof *slots);
    if (slots == NULL) return false;
    for (uint32_t i = server->slot_count; i < count; i++) {
        slots[i] = (struct http_slot){.connection = NULL, .next_free = i + 1};
    }
    /* The last one's next_free is the new count, which means none. */
    server->slots = slots;
    server->slot_count = count;
    return true;
}

static bool slot_take(struct http_server *server, struct http_connection *c)
{
    if (server->slot_free == server->slot_count && !slots_grow(server)) return false;
    struct http_slot *slot = &server->slots[server->slot_free];
    assert(slot->connection == NULL);
    c->slot = server->slot_free;
    slot->connection = c;
    server->slot_free = slot->next_free;
    return true;
}

static void slot_give(struct http_server *server, struct http_connection *c)
{
    assert(server->slots[c->slot].connection == c);
    server->slots[c->slot] = (struct http_slot){.connection = NULL, .next_free = server->slot_free};
    server->slot_free = c->slot;
}

struct http_connection *http_exchange_find(const struct http_server *server, uint64_t exchange)
{
    uint64_t slot = exchange & ((UINT64_C(1) << HTTP_SLOT_BITS) - 1);
    if (exchange == 0 || slot >= server->slot_count) return NULL;
    struct http_connection *c = server->slots[slot].connection;
    return c != NULL && c->exchange == exchange ? c : NULL;
}

/* ---- caps ---- */

/* Whoever has one IPv6 address has at least a /64 of them. */
static size_t peer_key_bytes(const struct ip_address *peer)
{
    return peer->family == 4 ? 4 : 8;
}

static struct http_connection **peer_bucket(struct http_server *server,
                                            const struct ip_address *peer)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < peer_key_bytes(peer); i++) {
        hash = (hash ^ peer->bytes[i]) * 16777619u;
    }
    return &server->peers[hash % HTTP_PEER_BUCKETS];
}

static bool peer_is_exempt(const struct http_server *server, const struct ip_address *peer)
{
    if (ip_class(peer) == IP_LOOPBACK) return true;
    const struct http_handlers *handlers = &server->handlers;
    return handlers->peer_is_trusted != NULL && handlers->peer_is_trusted(handlers->context, peer);
}

/* Counts c with its peer, unless that peer has enough connections already. */
static bool peer_admit(struct http_server *server, struct http_connection *c)
{
    if (peer_is_exempt(server, &c->peer)) return true;
    struct http_connection **bucket = peer_bucket(server, &c->peer);
    unsigned count = 0;
    for (const struct http_connection *other = *bucket; other != NULL; other = other->peer_next) {
        bool is_same = other->peer.family == c->peer.family &&
                       memcmp(other->peer.bytes, c->peer.bytes, peer_key_bytes(&c->peer)) == 0;
        count += is_same;
    }
    if (count >= server->settings.connections_per_ip_max) return false;
    c->peer_next = *bucket;
    if (c->peer_next != NULL) c->peer_next->peer_previous = c;
    *bucket = c;
    c->is_counted = true;
    return true;
}

static void peer_leave(struct http_server *server, struct http_connection *c)
{
    if (c->peer_next != NULL) c->peer_next->peer_previous = c->peer_previous;
    if (c->peer_previous != NULL) {
        c->peer_previous->peer_next = c->peer_next;
    } else {
        *peer_bucket(server, &c->peer) = c->peer_next;
    }
}

bool http_server_admit(struct http_server *server, struct http_connection *c)
{
    uint64_t open = server->counts.connections_open; /* with c */
    uint64_t max = server->settings.connections_max;
    bool is_welcome = open <= max && peer_admit(server, c);
    if (!is_welcome) server->counts.connections_refused++;
    if (open <= max + HTTP_REFUSED_MAX && !slot_take(server, c)) is_welcome = false;
    return is_welcome;
}

/* ---- the listener's own handles ---- */

static void server_handle_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
    assert(server->handles > 0);
    if (--server->handles > 0) return;
    if (server->is_failed) {
        free(server);
    } else if (server->closed != NULL) {
        server->closed(server->closed_context); /* which may free the server */
    }
}

/* The timer and the idle handle go last, when no connection can want them. */
static void server_check_closed(struct http_server *server)
{
    if (!server->is_draining || server->counts.connections_open > 0) return;
    if (uv_is_closing((uv_handle_t *)&server->timer)) return;
    uv_close((uv_handle_t *)&server->timer, server_handle_closed);
    uv_close((uv_handle_t *)&server->resume, server_handle_closed);
}

void http_server_leave(struct http_server *server, struct http_connection *c)
{
    if (c->is_counted) peer_leave(server, c);
    if (c->slot != UINT32_MAX) slot_give(server, c);
    assert(server->counts.connections_open > 0);
    server->counts.connections_open--;
    server_check_closed(server);
}

static void resume_due(uv_idle_t *idle)
{
    struct http_server *server = idle->data;
    for (unsigned i = 0; i < RESUMES_PER_TURN && server->lists[HTTP_LIST_RESUME].first != NULL;
         i++) {
        http_connection_resume(server->lists[HTTP_LIST_RESUME].first);
    }
    if (server->lists[HTTP_LIST_RESUME].first == NULL) uv_idle_stop(idle);
}

void http_resume_start(struct http_server *server)
{
    uv_idle_start(&server->resume, resume_due); /* nothing when it is active already */
}

static void tick(uv_timer_t *timer);

void http_timer_start(struct http_server *server)
{
    if (uv_is_active((uv_handle_t *)&server->timer)) return;
    uv_timer_start(&server->timer, tick, HTTP_TICK_MS, HTTP_TICK_MS);
}

static void accept_waiting(uv_stream_t *listener, int status)
{
    struct http_server *server = listener->data;
    if (status != 0) return;
    /* libuv watches the listener no further while a connection waits; the tick tries again.
     * Running out of descriptors libuv handles itself: it keeps a spare one, and closes what it
     * cannot serve. */
    server->has_waiting_accept = !http_connection_accept(server);
    if (server->has_waiting_accept) http_timer_start(server);
}

static void tick(uv_timer_t *timer)
{
    struct http_server *server = timer->data;
    uint64_t now_ms = uv_now(server->loop);
    bool is_needed = false;
    for (unsigned list = 0; list < HTTP_LIST_DEADLINES; list++) {
        /* Ends: who expires leaves the list, or goes to its end with a deadline to come. */
        struct http_connection *c = server->lists[list].first;
        for (; c != NULL && c->deadline_ms <= now_ms; c = server->lists[list].first) {
            http_connection_expire(c);
        }
    }
    if (server->has_waiting_accept) accept_waiting((uv_stream_t *)&server->listener, 0);
    for (unsigned list = 0; list < HTTP_LIST_DEADLINES; list++) {
        is_needed = is_needed || server->lists[list].first != NULL;
    }
    if (!is_needed && !server->has_waiting_accept) uv_timer_stop(timer);
}

/* ---- beginning and end ---- */

/* "203.0.113.7:8080" or "[2001:db8::1]:8080" */
static bool listen_address_parse(struct text address, struct sockaddr_storage *name)
{
    struct host_port at;
    char host[IP_TEXT_SIZE];
    if (!host_port_read(address, &at) || !at.has_port) return false;
    if (!text_to_zero_ended(at.host, host, sizeof host)) return false;
    if (at.is_bracketed) return uv_ip6_addr(host, at.port, (struct sockaddr_in6 *)name) == 0;
    return uv_ip4_addr(host, at.port, (struct sockaddr_in *)name) == 0;
}

static struct http_server *server_new(uv_loop_t *loop, const struct http_settings *settings,
                                      const struct http_handlers *handlers)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL) return NULL;
    server->loop = loop;
    server->settings = *settings;
    server->handlers = *handlers;
    unsigned slots_max = (1u << HTTP_SLOT_BITS) - HTTP_REFUSED_MAX;
    if (server->settings.connections_max > slots_max) server->settings.connections_max = slots_max;
    server->lists[HTTP_LIST_IDLE].time_ms = settings->idle_timeout_ms;
    server->lists[HTTP_LIST_HEAD].time_ms = settings->head_timeout_ms;
    server->lists[HTTP_LIST_BODY].time_ms = settings->body_timeout_ms;
    server->lists[HTTP_LIST_WRITE].time_ms = settings->write_timeout_ms;
    server->lists[HTTP_LIST_LINGER].time_ms = HTTP_LINGER_MS;
    return server;
}

static int server_listen(struct http_server *server, const struct sockaddr_storage *name)
{
    int e = uv_tcp_bind(&server->listener, (const struct sockaddr *)name, 0);
    if (e == 0) e = uv_listen((uv_stream_t *)&server->listener, 511, accept_waiting);
    struct sockaddr_storage bound;
    int bytes = sizeof bound;
    if (e == 0) e = uv_tcp_getsockname(&server->listener, (struct sockaddr *)&bound, &bytes);
    if (e != 0) return e;
    bool is_v4 = bound.ss_family == AF_INET;
    server->port = ntohs(is_v4 ? ((struct sockaddr_in *)&bound)->sin_port
                               : ((struct sockaddr_in6 *)&bound)->sin6_port);
    return 0;
}

struct http_server *http_listen(uv_loop_t *loop, struct text address,
                                const struct http_settings *settings,
                                const struct http_handlers *handlers, int *uv_error)
{
    struct sockaddr_storage name;
    assert(settings->head_bytes_max <= UINT32_MAX / 2 && settings->connections_max > 0);
    assert(handlers->on_request != NULL && handlers->on_refused != NULL &&
           handlers->body_bytes_max != NULL);
    memset(&name, 0, sizeof name);
    *uv_error = UV_EINVAL;
    if (!listen_address_parse(address, &name)) return NULL;
    *uv_error = UV_ENOMEM;
    struct http_server *server = server_new(loop, settings, handlers);
    if (server == NULL) return NULL;

    /* libuv writes to sockets without MSG_NOSIGNAL; a client that goes must not end the program. */
    signal(SIGPIPE, SIG_IGN);
    *uv_error = uv_tcp_init(loop, &server->listener);
    if (*uv_error != 0) {
        free(server);
        return NULL;
    }
    uv_timer_init(loop, &server->timer); /* these two cannot fail */
    uv_idle_init(loop, &server->resume);
    server->handles = 3;
    server->listener.data = server->timer.data = server->resume.data = server;
    *uv_error = server_listen(server, &name);
    if (*uv_error == 0) return server;

    server->is_failed = true;
    uv_close((uv_handle_t *)&server->listener, server_handle_closed);
    uv_close((uv_handle_t *)&server->timer, server_handle_closed);
    uv_close((uv_handle_t *)&server->resume, server_handle_closed);
    return NULL;
}

unsigned http_port(const struct http_server *server)
{
    return server->port;
}

void http_drain(struct http_server *server, void (*closed)(void *context), void *context)
{
    if (closed != NULL) {
        server->closed = closed;
        server->closed_context = context;
    }
    if (server->is_draining) return;
    server->is_draining = true;
    server->has_waiting_accept = false;
    uv_close((uv_handle_t *)&server->listener, server_handle_closed);
    while (server->lists[HTTP_LIST_IDLE].first != NULL) {
        http_connection_close(server->lists[HTTP_LIST_IDLE].first);
    }
    server_check_closed(server);
}

void http_close_now(struct http_server *server)
{
    http_drain(server, NULL, NULL);
    for (uint32_t i = 0; i < server->slot_count; i++) {
        if (server->slots[i].connection != NULL) http_connection_close(server->slots[i].connection);
    }
}

void http_free(struct http_server *server)
{
    if (server == NULL) return;
    assert(server->handles == 0 && server->counts.connections_open == 0);
    free(server->slots);
    free(server);
}

const struct http_counts *http_counts(const struct http_server *server)
{
    return &server->counts;
}
