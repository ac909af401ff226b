/* The HTTP/1.1 listener: sockets and llhttp on one libuv loop; knows no route and no product.
 *
 * How a request travels. Bytes arrive in one read buffer shared by all connections; llhttp
 * (strict) cuts them; when the last byte of a request is there, on_request is called once with
 * spans into that buffer. The owner answers at once with http_respond(), or keeps the exchange's
 * id and answers later; until then the connection reads nothing more, so requests of one
 * connection are answered in their order and a client that floods is slowed down by its own TCP
 * window. Answers given within on_request are gathered and leave in one write at the end of the
 * read callback.
 *
 * What never reaches on_request: anything RFC 9112 forbids (bare CR or LF, obs-fold, blank
 * before colon, Content-Length with Transfer-Encoding, several or odd lengths, any coding but
 * exactly "chunked", bad chunks, NUL bytes, missing or several Host fields, an absolute-form
 * target whose authority differs from Host, HTTP versions but 1.0 and 1.1, several fields where
 * one is allowed: Authorization, Content-Type, X-API-Key, Idempotency-Key, If-Match,
 * If-None-Match) and anything over a limit. These go to on_refused with the fitting error, and
 * the connection closes after the answer.
 *
 * Closing. An answer after which the client may still be sending (a refusal, reply.close,
 * draining, the end of a stream) is followed by FIN, then up to two seconds of reading and
 * throwing away, so that no RST destroys the answer on its way. Deadlines are looked at once a
 * second.
 *
 * Memory. An idle connection costs one struct http_connection (well under 2 KiB) and no buffer.
 * A request that is not complete within one read is kept in a buffer of its own until it is
 * answered.
 *
 * Ids. An exchange id is never reused; answering an id whose connection has gone does nothing. */
#ifndef HOMEPORT_EDGE_HTTP_H
#define HOMEPORT_EDGE_HTTP_H

#include <uv.h>

#include "core/address.h"
#include "core/err.h"
#include "core/request.h"
#include "core/text.h"

struct http_server;

struct http_settings {
    /* Over it new connections get 503 and are closed. */
    unsigned connections_max;
    /* The same, for one IPv4 address or IPv6 /64; loopback and trusted proxies are exempt. */
    unsigned connections_per_ip_max;
    /* Request line and fields; over it 431 (414 within the target). The same again for trailers
     * with chunk extensions. */
    size_t head_bytes_max;
    unsigned fields_max;       /* header fields, with trailers; over it 431 */
    uint64_t head_timeout_ms;  /* from a request's first byte to the end of its head; else 408 */
    uint64_t body_timeout_ms;  /* from the end of the head to the end of the body; else 408 */
    uint64_t idle_timeout_ms;  /* silence before a request until the connection closes */
    uint64_t write_timeout_ms; /* a client that takes no bytes of an answer this long is dropped */
    size_t stream_bytes_max;   /* what a slow client of a stream may leave before it is dropped */
};

struct http_handlers {
    void *context;
    /* Largest body that this method and path take, asked at the end of a head that announces a
     * body, before any body byte is accepted. A declared or arriving body over it is refused
     * with ERR_BODY_TOO_LARGE. It only answers: it calls nothing here. */
    size_t (*body_bytes_max)(void *context, struct text method, struct text path);
    /* One whole request. Spans in rq are good until this returns: copy what is kept. */
    void (*on_request)(void *context, uint64_t exchange, const struct http_request *rq);
    /* A request that cannot be served. rq holds what was understood (perhaps only the peer). The
     * handler must call http_respond() before it returns; the connection closes after that
     * answer. */
    void (*on_refused)(void *context, uint64_t exchange, const struct http_request *rq,
                       enum err why);
    /* A stream begun with http_stream_begin() has ended, for whatever reason. Never called after
     * http_stream_end(). */
    void (*on_stream_closed)(void *context, uint64_t exchange);
    /* True for a trusted proxy, whose connections connections_per_ip_max does not count. May be
     * NULL. */
    bool (*peer_is_trusted)(void *context, const struct ip_address *peer);
};

struct http_reply {
    unsigned status;
    struct text content_type; /* empty: no Content-Type field and no body (204, 304) */
    struct text fields;       /* further header fields, complete lines each with CRLF */
    struct text body;
    bool close; /* close the connection after this answer */
};

struct http_counts { /* for metrics; only ever grow, but for the first two */
    uint64_t connections_open, streams_open, connections_total, connections_refused, requests_total,
        bytes_in, bytes_out, refused_total, timeouts_total;
};

/* Listens on "address:port" or "[v6]:port". On failure NULL, and *uv_error says why; the loop
 * must run once more to give back the handles. SIGPIPE is ignored from here on, in the whole
 * process. Settings and handlers are copied. */
struct http_server *http_listen(uv_loop_t *loop, struct text address,
                                const struct http_settings *settings,
                                const struct http_handlers *handlers, int *uv_error);
/* The port listened on (of interest when 0 was asked for). */
unsigned http_port(const struct http_server *server);

/* Answers an exchange. Adds Date, Content-Length and Connection; sends no body for HEAD. */
void http_respond(struct http_server *server, uint64_t exchange, const struct http_reply *reply);

/* Server-Sent Events and the like: the head goes out (Connection: close, no length), the body
 * follows in pieces. Begin gives false when the connection is gone or the request was a HEAD,
 * which is then answered; there is no stream, and on_stream_closed will not be called. Write
 * gives false when the stream is gone; on_stream_closed has then been called or will be, from
 * the loop, never from within write. */
bool http_stream_begin(struct http_server *server, uint64_t exchange,
                       const struct http_reply *reply);
bool http_stream_write(struct http_server *server, uint64_t exchange, struct text bytes);
void http_stream_end(struct http_server *server, uint64_t exchange);

/* Stops accepting, closes idle connections, lets running answers finish (streams run until their
 * owner ends them); `closed` is called when the last connection has gone, never from within.
 * http_close_now() hurries: closes what is left. http_free() only after `closed`, or from it. */
void http_drain(struct http_server *server, void (*closed)(void *context), void *context);
void http_close_now(struct http_server *server);
void http_free(struct http_server *server);

const struct http_counts *http_counts(const struct http_server *server);

#endif
