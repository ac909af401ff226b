/* What the files of the HTTP listener share; nobody else includes this.
 *
 *   http_parse.c       bytes to requests: llhttp, the framing rules, the limits. No sockets, so that
 *                      the fuzzer can drive it.
 *   http_connection.c  one connection: reading, the parse loop, phases, deadlines, closing.
 *   http_answer.c      answers and streams: formatting, gathering, what a slow client left.
 *   http.c             the listener: accepting, caps, the one timer, draining. */
#ifndef HOMEPORT_EDGE_HTTP_PRIVATE_H
#define HOMEPORT_EDGE_HTTP_PRIVATE_H

#include <llhttp.h>

#include "edge/http.h"

/* ---- http_parse.c ---- */

/* The fields of struct http_request, then those that only the framing rules read. */
enum http_field {
#define HTTP_FIELD_ROW(name, field) HTTP_FIELD_##name,
    HTTP_FIELDS(HTTP_FIELD_ROW, HTTP_FIELD_ROW)
#undef HTTP_FIELD_ROW
        HTTP_FIELD_expect,
    HTTP_FIELD_transfer_encoding,
    HTTP_FIELD_COUNT,
    HTTP_FIELD_OTHER = HTTP_FIELD_COUNT
};

/* A piece of a request, counted from the request's first byte: requests move between buffers
 * while they arrive, so there are no pointers into them. */
struct http_span {
    uint32_t begin, bytes;
};

enum http_part {
    HTTP_PART_START,
    HTTP_PART_METHOD,
    HTTP_PART_TARGET,
    HTTP_PART_FIELDS,
    HTTP_PART_BODY
};

struct http_parser {
    llhttp_t llhttp;
    const struct http_settings *settings;
    const struct http_handlers *handlers;
    char *base;          /* the request's first byte; good only within http_parse() */
    char *forwarded_for; /* on the heap, only when several X-Forwarded-For fields were joined */
    size_t forwarded_for_bytes;
    struct http_span target, authority, path, query, name, value;
    uint32_t fields_seen; /* a bit for each enum http_field */
    uint32_t field_count; /* known or not, trailers too */
    uint32_t extra_bytes; /* of trailers and chunk extensions */
    uint32_t line_begin;  /* the request line, behind a forgiven blank line */
    size_t head_bytes;    /* where the head ends, or what llhttp has told of it so far */
    size_t body_begin, body_bytes, body_bytes_max;
    enum err why; /* of HTTP_REFUSED */
    uint8_t part; /* enum http_part: what the next byte belongs to */
    uint8_t blank_lines;
    bool is_after_cr; /* of a blank line in front of the request */
    bool is_keep_alive;
    bool wants_continue; /* the client waits for 100 Continue; whoever sends it clears this */
    /* Good where fields_seen says so, and last: a new request need not clear it. */
    struct http_span fields[HTTP_FIELD_COUNT];
};

enum http_progress { HTTP_MORE, HTTP_COMPLETE, HTTP_REFUSED };

void http_parser_init(struct http_parser *p, const struct http_settings *settings,
                      const struct http_handlers *handlers);
/* Before every request but the first. */
void http_parser_reset(struct http_parser *p);
void http_parser_free(struct http_parser *p);

/* Parses request[*parsed, bytes), where request is the same request's first byte at every call,
 * and what lies before *parsed is what earlier calls left there. May move body bytes within the
 * buffer. HTTP_MORE: everything was taken; only request[0, *parsed) must be kept, and new bytes
 * go right behind. HTTP_COMPLETE: the request ends before *parsed; http_parser_request() says
 * what it is. */
enum http_progress http_parse(struct http_parser *p, char *request, size_t *parsed, size_t bytes);

/* What was understood so far, as spans into request. */
void http_parser_request(const struct http_parser *p, const char *request, struct http_request *rq);

/* ---- connections ---- */

/*            request complete          answer given, keep-alive
 *   READING ------------------> ANSWERING ------------------> READING
 *                                   |  \
 *                     stream begins |   \ answer given, last one
 *                                   v    v
 *                              STREAMING -> FINISHING -> LINGERING -> CLOSED
 *
 * FINISHING waits until the client has taken the answer. LINGERING has sent FIN and throws away
 * what still arrives: closing with unread input makes the kernel send RST, which can destroy the
 * answer on its way (RFC 9112, 9.6). Any phase can go to CLOSED at once. */
enum http_phase {
    HTTP_READING,
    HTTP_ANSWERING,
    HTTP_STREAMING,
    HTTP_FINISHING,
    HTTP_LINGERING,
    HTTP_CLOSED
};

/* A connection is in at most one list, so one pair of links is enough. Within a list all have
 * the same time to go, so new ones at the end keep it in order of deadlines. */
enum http_list {
    HTTP_LIST_IDLE,
    HTTP_LIST_HEAD,
    HTTP_LIST_BODY,
    HTTP_LIST_WRITE,
    HTTP_LIST_LINGER,
    HTTP_LIST_DEADLINES,                    /* the lists above have deadlines */
    HTTP_LIST_RESUME = HTTP_LIST_DEADLINES, /* may go on with bytes that it already has */
    HTTP_LIST_COUNT,
    HTTP_LIST_NONE = HTTP_LIST_COUNT
};

/* Bytes that a client has not taken yet. */
struct http_output {
    uv_write_t write;
    size_t bytes, capacity;
    char data[];
};

struct http_connection {
    uv_tcp_t tcp; /* data points to the connection, which is given back in the close callback */
    struct http_server *server;
    struct http_connection *list_next, *list_previous;
    struct http_connection *peer_next, *peer_previous; /* others in the same bucket of peers */
    uint64_t deadline_ms;
    uint64_t exchange; /* 0: none */
    char *input;       /* NULL, or an incomplete request or one that must wait */
    size_t input_parsed, input_bytes, input_capacity;
    struct http_output *writing; /* with libuv; NULL: the client has taken everything */
    struct http_output *backlog; /* goes when `writing` is done */
    size_t unsent_seen;          /* by the write deadline, to tell slow from stuck */
    struct http_parser parser;
    uint32_t slot;
    struct ip_address peer;
    uint8_t list;  /* enum http_list */
    uint8_t phase; /* enum http_phase */
    bool is_head;
    bool is_http10;
    bool is_keep_alive;
    bool is_refused;
    bool is_reading;
    bool is_parsing; /* within connection_parse(), which flushes and settles when it is done */
    bool is_counted; /* in the buckets of peers */
    bool at_end;     /* the client has sent FIN */
    bool must_linger;
    bool is_stream; /* was begun as one */
    bool stream_ended;
};

enum {
    HTTP_READ_BYTES = 65536,   /* one read, shared by all connections */
    HTTP_GATHER_BYTES = 65536, /* answers of one read callback that leave in one write */
    HTTP_DATE_BYTES = 37,      /* "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" */
    HTTP_PEER_BUCKETS = 1024,
    HTTP_SLOT_BITS = 20,
    HTTP_TICK_MS = 1000,
    HTTP_LINGER_MS = 2000,
    HTTP_REFUSED_MAX = 64 /* connections over the cap that get an answer; further ones get none */
};

struct http_slot {
    struct http_connection *connection; /* NULL: free */
    uint32_t next_free;
};

struct http_server {
    uv_loop_t *loop;
    uv_tcp_t listener;
    uv_timer_t timer;
    uv_idle_t resume; /* active while HTTP_LIST_RESUME is not empty */
    unsigned handles; /* of the three above, that still need a close callback */
    unsigned port;
    bool is_draining;
    bool is_failed; /* never listened: nobody will call http_free() */
    bool has_waiting_accept;
    void (*closed)(void *context);
    void *closed_context;
    struct http_settings settings;
    struct http_handlers handlers;
    struct http_counts counts;
    struct {
        struct http_connection *first, *last;
        uint64_t time_ms; /* from joining the list to the deadline */
    } lists[HTTP_LIST_COUNT];
    struct http_connection *peers[HTTP_PEER_BUCKETS];
    struct http_slot *slots;
    uint32_t slot_count, slot_free; /* slot_free == slot_count: none */
    uint64_t generation;            /* of exchange ids */
    struct http_connection *gather_owner;
    size_t gather_bytes;
    uint64_t date_until_ms; /* on the loop's clock */
    char date[HTTP_DATE_BYTES + 1];
    char gather[HTTP_GATHER_BYTES];
    char read[HTTP_READ_BYTES];
};

/* ---- http_connection.c ---- */

/* Takes the waiting connection off the listener. False when there was no memory; it then still
 * waits. */
bool http_connection_accept(struct http_server *server);
void http_connection_close(struct http_connection *c);
/* After anything that may have changed what the connection waits for: flushes, then finishes,
 * reads on, resumes, and joins the list that fits. */
void http_connection_settle(struct http_connection *c);
/* Its deadline has passed. */
void http_connection_expire(struct http_connection *c);
/* Goes on with the bytes it has. */
void http_connection_resume(struct http_connection *c);
void http_list_leave(struct http_connection *c);

/* ---- http_answer.c ---- */

/* Adds bytes to what will be sent; they leave with http_output_flush() at the latest. */
void http_output_put(struct http_connection *c, struct text bytes);
void http_output_flush(struct http_connection *c);
/* Bytes that wait for the client, with what libuv holds. */
size_t http_output_unsent(const struct http_connection *c);

/* ---- http.c ---- */

/* Counts c, which gets a slot. False when a cap is passed: it is to be refused, or, without a
 * slot, closed. */
bool http_server_admit(struct http_server *server, struct http_connection *c);
/* The other end of that: c has gone. */
void http_server_leave(struct http_server *server, struct http_connection *c);
/* Lets deadlines run. */
void http_timer_start(struct http_server *server);
/* Wakes the loop for the connections in HTTP_LIST_RESUME. */
void http_resume_start(struct http_server *server);
/* The connection whose exchange is running under this id, or NULL. */
struct http_connection *http_exchange_find(const struct http_server *server, uint64_t exchange);

#endif
