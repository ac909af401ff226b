/* Answers and streams: how they are written, and where bytes wait that a client has not taken.
 *
 * Bytes on their way out are in one of three places, in this order:
 *   writing   on the heap, with libuv: the socket was full
 *   backlog   on the heap, behind `writing`
 *   gather    the server's one buffer, for the connection that is being served right now
 * The usual answer sees only the last: it is copied into the gather buffer and leaves with one
 * uv_try_write at the end of the read callback, together with the other answers of the same
 * pipeline. Nothing is allocated unless the socket is full. */
#include "edge/http_private.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

/* ---- bytes on their way out ---- */

static struct http_output *output_new(const char *data, size_t bytes)
{
    struct http_output *output = malloc(sizeof *output + bytes);
    if (output == NULL) return NULL;
    output->bytes = output->capacity = bytes;
    memcpy(output->data, data, bytes);
    return output;
}

static void output_written(uv_write_t *write, int status);

static void output_write(struct http_connection *c, struct http_output *output)
{
    assert(c->writing == NULL);
    uv_buf_t buffer = uv_buf_init(output->data, (unsigned)output->bytes);
    output->write.data = c;
    if (uv_write(&output->write, (uv_stream_t *)&c->tcp, &buffer, 1, output_written) != 0) {
        free(output);
        http_connection_close(c);
        return;
    }
    c->writing = output;
}

static void output_written(uv_write_t *write, int status)
{
    struct http_connection *c = write->data;
    struct http_output *backlog = c->backlog;
    c->server->counts.bytes_out += status == 0 ? c->writing->bytes : 0;
    free(c->writing);
    c->writing = c->backlog = NULL;
    if (status != 0 || c->phase == HTTP_CLOSED) {
        free(backlog);
        http_connection_close(c);
        return;
    }
    http_list_leave(c); /* a deadline for what follows begins anew */
    if (backlog != NULL) output_write(c, backlog);
    http_connection_settle(c);
}

/* Behind what already waits; doubles, so that many small pieces cost no more than few large
 * ones. */
static bool backlog_add(struct http_connection *c, const char *data, size_t bytes)
{
    struct http_output *backlog = c->backlog;
    if (backlog == NULL) {
        c->backlog = output_new(data, bytes);
        return c->backlog != NULL;
    }
    if (bytes > backlog->capacity - backlog->bytes) {
        size_t capacity = 2 * backlog->capacity + bytes;
        backlog = realloc(backlog, sizeof *backlog + capacity);
        if (backlog == NULL) return false;
        backlog->capacity = capacity;
        c->backlog = backlog;
    }
    memcpy(backlog->data + backlog->bytes, data, bytes);
    backlog->bytes += bytes;
    return true;
}

/* To the socket as far as it takes them, the rest to the heap. */
static void output_send(struct http_connection *c, const char *data, size_t bytes)
{
    if (c->phase == HTTP_CLOSED) return;
    if (c->writing != NULL) {
        if (!backlog_add(c, data, bytes)) http_connection_close(c);
        return;
    }
    assert(bytes <= INT_MAX);
    uv_buf_t buffer = uv_buf_init((char *)data, (unsigned)bytes);
    int sent = uv_try_write((uv_stream_t *)&c->tcp, &buffer, 1);
    if (sent == UV_EAGAIN) sent = 0;
    if (sent < 0) {
        http_connection_close(c);
        return;
    }
    c->server->counts.bytes_out += (size_t)sent;
    if ((size_t)sent == bytes) return;
    struct http_output *rest = output_new(data + sent, bytes - (size_t)sent);
    if (rest == NULL) {
        http_connection_close(c);
        return;
    }
    output_write(c, rest);
}

static void gather_flush(struct http_server *server)
{
    struct http_connection *owner = server->gather_owner;
    size_t bytes = server->gather_bytes;
    server->gather_owner = NULL;
    server->gather_bytes = 0;
    if (bytes > 0) output_send(owner, server->gather, bytes);
}

/* Room for `bytes` more of c at the end of the gather buffer. */
static char *gather_room(struct http_connection *c, size_t bytes)
{
    struct http_server *server = c->server;
    assert(bytes <= HTTP_GATHER_BYTES);
    if (server->gather_owner != c || bytes > HTTP_GATHER_BYTES - server->gather_bytes)
        gather_flush(server);
    server->gather_owner = c;
    return server->gather + server->gather_bytes;
}

void http_output_put(struct http_connection *c, struct text bytes)
{
    struct http_server *server = c->server;
    if (bytes.bytes == 0) return;
    if (bytes.bytes <= HTTP_GATHER_BYTES) {
        memcpy(gather_room(c, bytes.bytes), bytes.data, bytes.bytes);
        server->gather_bytes += bytes.bytes;
        return;
    }
    gather_flush(server);
    output_send(c, bytes.data, bytes.bytes);
}

void http_output_flush(struct http_connection *c)
{
    if (c->server->gather_owner == c) gather_flush(c->server);
}

size_t http_output_unsent(const struct http_connection *c)
{
    size_t backlog = c->backlog == NULL ? 0 : c->backlog->bytes;
    return uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp) + backlog;
}

/* ---- heads ---- */

/* clang-format off */
#define STATUS_ROW(number, name) {number, TEXT_INIT("HTTP/1.1 " #number " " name "\r\n")}
/* clang-format on */
static const struct {
    unsigned status;
    struct text line;
} status_lines[] = {
    /* the likely ones first */
    STATUS_ROW(200, "OK"),
    STATUS_ROW(201, "Created"),
    STATUS_ROW(204, "No Content"),
    STATUS_ROW(304, "Not Modified"),
    STATUS_ROW(404, "Not Found"),
    STATUS_ROW(202, "Accepted"),
    STATUS_ROW(206, "Partial Content"),
    STATUS_ROW(301, "Moved Permanently"),
    STATUS_ROW(302, "Found"),
    STATUS_ROW(303, "See Other"),
    STATUS_ROW(307, "Temporary Redirect"),
    STATUS_ROW(308, "Permanent Redirect"),
    STATUS_ROW(400, "Bad Request"),
    STATUS_ROW(401, "Unauthorized"),
    STATUS_ROW(402, "Payment Required"),
    STATUS_ROW(403, "Forbidden"),
    STATUS_ROW(405, "Method Not Allowed"),
    STATUS_ROW(406, "Not Acceptable"),
    STATUS_ROW(408, "Request Timeout"),
    STATUS_ROW(409, "Conflict"),
    STATUS_ROW(410, "Gone"),
    STATUS_ROW(411, "Length Required"),
    STATUS_ROW(412, "Precondition Failed"),
    STATUS_ROW(413, "Content Too Large"),
    STATUS_ROW(414, "URI Too Long"),
    STATUS_ROW(415, "Unsupported Media Type"),
    STATUS_ROW(417, "Expectation Failed"),
    STATUS_ROW(421, "Misdirected Request"),
    STATUS_ROW(422, "Unprocessable Content"),
    STATUS_ROW(423, "Locked"),
    STATUS_ROW(428, "Precondition Required"),
    STATUS_ROW(429, "Too Many Requests"),
    STATUS_ROW(431, "Request Header Fields Too Large"),
    STATUS_ROW(500, "Internal Server Error"),
    STATUS_ROW(501, "Not Implemented"),
    STATUS_ROW(502, "Bad Gateway"),
    STATUS_ROW(503, "Service Unavailable"),
    STATUS_ROW(504, "Gateway Timeout"),
    STATUS_ROW(505, "HTTP Version Not Supported"),
    STATUS_ROW(507, "Insufficient Storage"),
};

/* All of a head that is not the caller's, at its longest. */
enum { HEAD_FIXED_BYTES = 256 };

static char *put(char *at, struct text t)
{
    if (t.bytes > 0) memcpy(at, t.data, t.bytes);
    return at + t.bytes;
}

static char *put_number(char *at, size_t number)
{
    char digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return put(at, (struct text){digits + first, sizeof digits - first});
}

static char *put_status(char *at, unsigned status)
{
    assert(status >= 200 && status <= 599);
    for (size_t i = 0; i < sizeof status_lines / sizeof status_lines[0]; i++) {
        if (status_lines[i].status == status) return put(at, status_lines[i].line);
    }
    at = put(at, TEXT("HTTP/1.1 "));
    at = put_number(at, status);
    return put(at, TEXT(" \r\n")); /* the words are optional, the blank is not (RFC 9112, 4) */
}

/* The Date field, written anew when the second has changed. */
static struct text date_field(struct http_server *server)
{
    uint64_t now_ms = uv_now(server->loop);
    if (now_ms >= server->date_until_ms) {
        struct timespec now;
        struct tm utc;
        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &utc);
        size_t bytes = strftime(server->date, sizeof server->date,
                                "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
        assert(bytes == HTTP_DATE_BYTES); /* the program stays in the C locale */
        server->date_until_ms = now_ms + 1000 - (uint64_t)now.tv_nsec / 1000000;
    }
    return (struct text){server->date, HTTP_DATE_BYTES};
}

static bool status_has_body(unsigned status)
{
    return status != 204 && status != 304;
}

/* Up to and with the blank line. `is_stream`: no length, the end of the connection is the end. */
static void head_put(struct http_connection *c, const struct http_reply *reply, bool is_stream,
                     bool is_last)
{
    assert(reply->fields.bytes + reply->content_type.bytes <= HTTP_GATHER_BYTES - HEAD_FIXED_BYTES);
    assert(reply->content_type.bytes > 0 || reply->body.bytes == 0);
    char *begin =
        gather_room(c, HEAD_FIXED_BYTES + reply->content_type.bytes + reply->fields.bytes);
    char *at = put_status(begin, reply->status);
    at = put(at, date_field(c->server));
    if (reply->content_type.bytes > 0) {
        at = put(at, TEXT("Content-Type: "));
        at = put(at, reply->content_type);
        at = put(at, TEXT("\r\n"));
    }
    if (!is_stream && status_has_body(reply->status)) {
        at = put(at, TEXT("Content-Length: "));
        at = put_number(at, reply->body.bytes);
        at = put(at, TEXT("\r\n"));
    }
    at = put(at, reply->fields);
    if (is_last) {
        at = put(at, TEXT("Connection: close\r\n"));
    } else if (c->is_http10) {
        at = put(at, TEXT("Connection: keep-alive\r\n"));
    }
    at = put(at, TEXT("\r\n"));
    c->server->gather_bytes += (size_t)(at - begin);
    assert(c->server->gather_bytes <= HTTP_GATHER_BYTES);
}

/* ---- answers ---- */

void http_respond(struct http_server *server, uint64_t exchange, const struct http_reply *reply)
{
    struct http_connection *c = http_exchange_find(server, exchange);
    if (c == NULL || c->phase != HTTP_ANSWERING) return;
    bool is_ours = reply->close || c->is_refused || server->is_draining; /* the wish to close */
    bool is_last = is_ours || !c->is_keep_alive;
    head_put(c, reply, false, is_last);
    if (!c->is_head && status_has_body(reply->status)) http_output_put(c, reply->body);
    if (c->phase == HTTP_CLOSED) return; /* the client went away meanwhile */

    c->exchange = 0;
    c->phase = is_last ? HTTP_FINISHING : HTTP_READING;
    /* A client that asked for the close itself sends nothing more; any other may be in the
     * middle of it. */
    c->must_linger = is_ours;
    if (!c->is_parsing) http_connection_settle(c);
}

bool http_stream_begin(struct http_server *server, uint64_t exchange,
                       const struct http_reply *reply)
{
    struct http_connection *c = http_exchange_find(server, exchange);
    if (c == NULL || c->phase != HTTP_ANSWERING) return false;
    head_put(c, reply, true, true);
    c->must_linger = true;
    if (c->is_head) {
        c->exchange = 0;
        c->phase = HTTP_FINISHING;
    } else {
        c->phase = HTTP_STREAMING;
        c->is_stream = true;
        server->counts.streams_open++;
        http_output_put(c, reply->body);
        /* A client that vanished without FIN shows by this only. */
        uv_tcp_keepalive(&c->tcp, 1, 60);
    }
    bool is_open = c->phase == HTTP_STREAMING;
    if (!c->is_parsing) http_connection_settle(c);
    return is_open;
}

bool http_stream_write(struct http_server *server, uint64_t exchange, struct text bytes)
{
    struct http_connection *c = http_exchange_find(server, exchange);
    if (c == NULL || c->phase != HTTP_STREAMING) return false;
    if (c->writing != NULL &&
        http_output_unsent(c) + bytes.bytes > server->settings.stream_bytes_max) {
        http_connection_close(c);
        return false;
    }
    http_output_put(c, bytes);
    if (!c->is_parsing) http_connection_settle(c);
    return c->phase == HTTP_STREAMING;
}

void http_stream_end(struct http_server *server, uint64_t exchange)
{
    struct http_connection *c = http_exchange_find(server, exchange);
    if (c == NULL || c->phase != HTTP_STREAMING) return;
    c->exchange = 0;
    c->phase = HTTP_FINISHING;
    c->stream_ended = true;
    server->counts.streams_open--;
    if (!c->is_parsing) http_connection_settle(c);
}
