/* One connection from accept to close: reading, the loop over its requests, its deadlines.
 *
 * The usual life of a request: the read callback hands the shared read buffer to
 * connection_parse(), which calls on_request(); the answer is gathered; http_connection_settle()
 * sends it and moves the connection to the end of the idle list. Two system calls, no
 * allocation.
 *
 * Everything else is a reason not to parse on, and to keep the bytes in a buffer of the
 * connection's own: the request is incomplete (HTTP_MORE), its answer comes later (phase
 * ANSWERING), or the client has not taken the answers so far (c->writing). Reading goes on while
 * an answer is awaited, so that the usual late answer costs no system calls for stopping and
 * starting; it stops when bytes do arrive. */
#include "edge/http_private.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

/* ---- lists ---- */

void http_list_leave(struct http_connection *c)
{
    struct http_server *server = c->server;
    if (c->list == HTTP_LIST_NONE) return;
    if (c->list_previous != NULL) {
        c->list_previous->list_next = c->list_next;
    } else {
        server->lists[c->list].first = c->list_next;
    }
    if (c->list_next != NULL) {
        c->list_next->list_previous = c->list_previous;
    } else {
        server->lists[c->list].last = c->list_previous;
    }
    c->list_next = c->list_previous = NULL;
    c->list = HTTP_LIST_NONE;
}

static void list_join(struct http_connection *c, enum http_list list)
{
    struct http_server *server = c->server;
    http_list_leave(c);
    c->list = (uint8_t)list;
    c->list_previous = server->lists[list].last;
    if (c->list_previous != NULL) {
        c->list_previous->list_next = c;
    } else {
        server->lists[list].first = c;
    }
    server->lists[list].last = c;
    c->deadline_ms = uv_now(server->loop) + server->lists[list].time_ms;
    http_timer_start(server);
}

/* Deadlines of a head, a body or a stuck answer run from their beginning; silence begins anew
 * each time. */
static void list_be_in(struct http_connection *c, enum http_list list)
{
    if (list == HTTP_LIST_NONE) {
        http_list_leave(c);
    } else if (c->list != list || list == HTTP_LIST_IDLE) {
        list_join(c, list);
    }
}

/* ---- closing ---- */

static void connection_closed(uv_handle_t *handle)
{
    struct http_connection *c = handle->data;
    struct http_server *server = c->server;
    assert(c->list == HTTP_LIST_NONE && c->writing == NULL && c->phase == HTTP_CLOSED);
    if (server->gather_owner == c) {
        server->gather_owner = NULL;
        server->gather_bytes = 0;
    }
    if (c->is_stream && !c->stream_ended) {
        server->handlers.on_stream_closed(server->handlers.context, c->exchange);
    }
    http_server_leave(server, c);
    http_parser_free(&c->parser);
    free(c->input);
    free(c->backlog);
    free(c);
}

void http_connection_close(struct http_connection *c)
{
    if (c->phase == HTTP_CLOSED) return;
    if (c->is_stream && !c->stream_ended) c->server->counts.streams_open--;
    c->phase = HTTP_CLOSED;
    http_list_leave(c);
    uv_close((uv_handle_t *)&c->tcp, connection_closed);
}

/* Everything was sent and nothing more will be. */
static void connection_finish(struct http_connection *c)
{
    uv_os_fd_t socket_fd;
    assert(c->writing == NULL && c->backlog == NULL);
    bool is_shut = c->must_linger && !c->at_end &&
                   uv_fileno((uv_handle_t *)&c->tcp, &socket_fd) == 0 &&
                   shutdown(socket_fd, SHUT_WR) == 0;
    if (!is_shut) {
        http_connection_close(c);
        return;
    }
    c->phase = HTTP_LINGERING;
    c->input_parsed = c->input_bytes = 0;
}

/* ---- requests ---- */

static void exchange_begin(struct http_connection *c, const char *request, struct http_request *rq)
{
    struct http_server *server = c->server;
    assert(c->phase == HTTP_READING && c->exchange == 0);
    http_parser_request(&c->parser, request, rq);
    rq->peer = c->peer;
    c->exchange = ++server->generation << HTTP_SLOT_BITS | c->slot;
    c->phase = HTTP_ANSWERING;
    c->is_head = rq->is_head;
    c->is_http10 = c->parser.llhttp.http_minor == 0;
    c->is_keep_alive = c->parser.is_keep_alive;
}

static void connection_refuse(struct http_connection *c, const char *request, enum err why)
{
    struct http_server *server = c->server;
    struct http_request rq;
    exchange_begin(c, request, &rq);
    server->counts.refused_total++;
    c->is_refused = true;
    server->handlers.on_refused(server->handlers.context, c->exchange, &rq, why);
    /* on_refused must answer at once. */
    assert(c->phase != HTTP_ANSWERING && c->phase != HTTP_READING);
}

static void connection_request(struct http_connection *c, const char *request)
{
    struct http_server *server = c->server;
    struct http_request rq;
    exchange_begin(c, request, &rq);
    server->counts.requests_total++;
    server->handlers.on_request(server->handlers.context, c->exchange, &rq);
}

/* ---- input ---- */

/* Keeps bytes[begin, end) as the connection's own input, of which the first `parsed` were
 * parsed. */
static bool input_keep(struct http_connection *c, const char *bytes, size_t begin, size_t parsed,
                       size_t end)
{
    size_t count = end - begin;
    c->input_parsed = parsed;
    c->input_bytes = count;
    if (count == 0) {
        free(c->input);
        c->input = NULL;
        c->input_capacity = 0;
        return true;
    }
    if (bytes == c->input) {
        memmove(c->input, bytes + begin, count);
        return true;
    }
    assert(c->input == NULL);
    c->input = malloc(count);
    if (c->input == NULL) return false;
    c->input_capacity = count;
    memcpy(c->input, bytes + begin, count);
    return true;
}

static bool input_add(struct http_connection *c, const char *bytes, size_t count)
{
    if (count > c->input_capacity - c->input_bytes) {
        size_t capacity = 2 * c->input_capacity + count;
        char *input = realloc(c->input, capacity);
        if (input == NULL) return false;
        c->input = input;
        c->input_capacity = capacity;
    }
    memcpy(c->input + c->input_bytes, bytes, count);
    c->input_bytes += count;
    return true;
}

/* The loop over the requests in bytes[0, end), of which [0, parsed) belong to an incomplete one.
 * Its bound is the bytes: each turn takes at least one. */
static void connection_parse(struct http_connection *c, char *bytes, size_t parsed, size_t end)
{
    size_t begin = 0;
    c->is_parsing = true;
    while (c->phase == HTTP_READING && c->writing == NULL && begin + parsed < end) {
        char *request = bytes + begin;
        enum http_progress progress = http_parse(&c->parser, request, &parsed, end - begin);
        if (progress == HTTP_MORE) {
            end = begin + parsed;
            break;
        }
        if (progress == HTTP_REFUSED) {
            connection_refuse(c, request, c->parser.why);
            parsed = 0;
            end = begin;
            break;
        }
        connection_request(c, request);
        http_list_leave(c); /* the deadlines of the next request are its own */
        http_parser_reset(&c->parser);
        begin += parsed;
        parsed = 0;
    }
    if (c->phase == HTTP_READING && c->parser.wants_continue) {
        /* Whoever has begun to send the body does not wait (RFC 9110, 10.1.1). */
        if (c->parser.body_bytes == 0) http_output_put(c, TEXT("HTTP/1.1 100 Continue\r\n\r\n"));
        c->parser.wants_continue = false;
    }
    c->is_parsing = false;
    if (c->phase > HTTP_ANSWERING) { /* what follows the last request is not wanted */
        c->must_linger = c->must_linger || begin + parsed < end;
        begin = end;
        parsed = 0;
    }
    if (!input_keep(c, bytes, begin, parsed, end)) http_connection_close(c);
    http_connection_settle(c);
}

void http_connection_resume(struct http_connection *c)
{
    assert(c->list == HTTP_LIST_RESUME && c->phase == HTTP_READING);
    http_list_leave(c);
    connection_parse(c, c->input, c->input_parsed, c->input_bytes);
}

/* ---- reading ---- */

static void read_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct http_connection *c = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(c->server->read, HTTP_READ_BYTES);
}

static void read_stop(struct http_connection *c)
{
    uv_read_stop((uv_stream_t *)&c->tcp);
    c->is_reading = false;
}

/* FIN: nothing more will come, but what came is still answered. */
static void read_end(struct http_connection *c)
{
    c->at_end = true;
    c->is_reading = false; /* libuv has stopped by itself */
    bool is_awaited = c->phase == HTTP_ANSWERING || c->phase == HTTP_FINISHING ||
                      c->writing != NULL || c->list == HTTP_LIST_RESUME;
    if (c->phase == HTTP_STREAMING || !is_awaited) http_connection_close(c);
}

static void read_done(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct http_connection *c = stream->data;
    if (count == 0 || c->phase == HTTP_CLOSED) return;
    if (count < 0) {
        if (count == UV_EOF)
            read_end(c);
        else
            http_connection_close(c);
        return;
    }
    size_t bytes = (size_t)count;
    c->server->counts.bytes_in += bytes;
    if (c->phase > HTTP_ANSWERING) return; /* nobody reads what follows the last request */

    bool must_wait = c->phase == HTTP_ANSWERING || c->writing != NULL;
    if (!must_wait && c->input_bytes == 0) {
        connection_parse(c, buffer->base, 0, bytes);
        return;
    }
    if (!input_add(c, buffer->base, bytes)) {
        http_connection_close(c);
    } else if (must_wait) {
        read_stop(c);
    } else {
        connection_parse(c, c->input, c->input_parsed, c->input_bytes);
    }
}

static void read_go_on(struct http_connection *c)
{
    if (c->is_reading || c->at_end) return;
    if (uv_read_start((uv_stream_t *)&c->tcp, read_buffer, read_done) != 0) {
        http_connection_close(c);
        return;
    }
    c->is_reading = true;
}

/* ---- what next ---- */

/* READING, and all was sent. */
static void settle_reading(struct http_connection *c)
{
    if (c->input_parsed < c->input_bytes) {
        list_be_in(c, HTTP_LIST_RESUME);
        http_resume_start(c->server);
        return;
    }
    if (c->at_end || (c->server->is_draining && c->input_bytes == 0)) {
        http_connection_close(c);
        return;
    }
    read_go_on(c);
    if (c->phase == HTTP_CLOSED) return;
    if (c->parser.part == HTTP_PART_BODY) {
        list_be_in(c, HTTP_LIST_BODY);
    } else {
        list_be_in(c, c->input_bytes > 0 ? HTTP_LIST_HEAD : HTTP_LIST_IDLE);
    }
}

void http_connection_settle(struct http_connection *c)
{
    if (c->phase == HTTP_CLOSED) return;
    http_output_flush(c);
    if (c->phase == HTTP_CLOSED) return;
    if (c->writing != NULL) {
        if (c->list != HTTP_LIST_WRITE)
            c->unsent_seen = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
        list_be_in(c, HTTP_LIST_WRITE);
        if (c->phase == HTTP_STREAMING) read_go_on(c);
        return;
    }
    if (c->phase == HTTP_FINISHING) connection_finish(c);
    switch ((enum http_phase)c->phase) {
    case HTTP_READING: settle_reading(c); break;
    case HTTP_ANSWERING: list_be_in(c, HTTP_LIST_NONE); break;
    case HTTP_STREAMING:
        list_be_in(c, HTTP_LIST_NONE);
        read_go_on(c); /* only to see the client go */
        break;
    case HTTP_LINGERING:
        list_be_in(c, HTTP_LIST_LINGER);
        read_go_on(c);
        break;
    case HTTP_FINISHING:
    case HTTP_CLOSED: break;
    }
}

void http_connection_expire(struct http_connection *c)
{
    size_t unsent = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
    if (c->list == HTTP_LIST_WRITE && unsent != c->unsent_seen) { /* slow, but alive */
        c->unsent_seen = unsent;
        list_join(c, HTTP_LIST_WRITE);
        return;
    }
    c->server->counts.timeouts_total += c->list != HTTP_LIST_IDLE && c->list != HTTP_LIST_LINGER;
    if (c->list != HTTP_LIST_HEAD && c->list != HTTP_LIST_BODY) {
        http_connection_close(c);
        return;
    }
    c->is_parsing = true;
    connection_refuse(c, c->input, ERR_REQUEST_TIMEOUT);
    c->is_parsing = false;
    http_connection_settle(c);
}

/* ---- accepting ---- */

static struct ip_address peer_of(const uv_tcp_t *tcp)
{
    struct sockaddr_storage name;
    struct ip_address peer = {.family = 0};
    int bytes = sizeof name;
    if (uv_tcp_getpeername(tcp, (struct sockaddr *)&name, &bytes) != 0) return peer;
    if (name.ss_family == AF_INET) {
        peer.family = 4;
        memcpy(peer.bytes, &((struct sockaddr_in *)&name)->sin_addr, 4);
    } else if (name.ss_family == AF_INET6) {
        peer.family = 6;
        memcpy(peer.bytes, &((struct sockaddr_in6 *)&name)->sin6_addr, 16);
    }
    return ip_unmap(&peer);
}

bool http_connection_accept(struct http_server *server)
{
    struct http_connection *c = calloc(1, sizeof *c);
    if (c == NULL) return false;
    if (uv_tcp_init(server->loop, &c->tcp) != 0) {
        free(c);
        return false;
    }
    c->tcp.data = c;
    c->server = server;
    c->list = HTTP_LIST_NONE;
    c->slot = UINT32_MAX;
    http_parser_init(&c->parser, &server->settings, &server->handlers);
    bool is_accepted = uv_accept((uv_stream_t *)&server->listener, (uv_stream_t *)&c->tcp) == 0;
    server->counts.connections_open++;
    server->counts.connections_total++;
    if (is_accepted) c->peer = peer_of(&c->tcp);
    if (!is_accepted || c->peer.family == 0) { /* gone again already */
        http_connection_close(c);
        return true;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    bool is_welcome = http_server_admit(server, c);
    if (c->slot == UINT32_MAX) { /* far too many: not even an answer */
        http_connection_close(c);
    } else if (!is_welcome) {
        c->is_parsing = true;
        connection_refuse(c, NULL, ERR_OVERLOADED);
        c->is_parsing = false;
    }
    http_connection_settle(c);
    return true;
}
