/* A toy served by edge/http.c, and clients that ask it, for the tests of the edge.
 *
 * Server and clients live on one thread: the clients are plain non-blocking sockets, and turn()
 * runs the server's loop between their calls. Include it once, after unit.h. */
#ifndef HOMEPORT_TESTS_HTTP_TOY_H
#define HOMEPORT_TESTS_HTTP_TOY_H

#include "edge/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static uv_loop_t loop;

/* The toy that the server serves, and what it saw. */
static struct toy {
    struct http_server *server;
    uint64_t later[64];
    unsigned later_count, stream_closed_count, request_count, refused_count;
    uint64_t stream;
    enum err why;
    struct ip_address peer;
    char path[64], forwarded_for[128];
    bool is_closed;
} toy;

static char large[4 << 20];
enum { BODY_MAX = 1000 };

/* ---- the toy ---- */

static inline size_t toy_body_bytes_max(void *context, struct text method, struct text path)
{
    (void)context;
    (void)method;
    return text_equal(path, TEXT("/nobody")) ? 0 : BODY_MAX;
}

static inline void toy_answer(uint64_t exchange, struct text body)
{
    struct http_reply reply = {.status = 200, .content_type = TEXT("text/plain"), .body = body};
    http_respond(toy.server, exchange, &reply);
}

static inline void toy_request(void *context, uint64_t exchange, const struct http_request *rq)
{
    (void)context;
    toy.request_count++;
    toy.peer = rq->peer;
    text_to_zero_ended(rq->path, toy.path, sizeof toy.path);
    text_to_zero_ended(rq->forwarded_for, toy.forwarded_for, sizeof toy.forwarded_for);
    if (text_equal(rq->path, TEXT("/later")) && toy.later_count < 64) {
        toy.later[toy.later_count++] = exchange;
    } else if (text_equal(rq->path, TEXT("/echo"))) {
        toy_answer(exchange, rq->body);
    } else if (text_equal(rq->path, TEXT("/query"))) {
        toy_answer(exchange, rq->query);
    } else if (text_equal(rq->path, TEXT("/large"))) {
        toy_answer(exchange, (struct text){large, sizeof large});
    } else if (text_equal(rq->path, TEXT("/stream"))) {
        struct http_reply reply = {.status = 200, .content_type = TEXT("text/event-stream")};
        toy.stream = http_stream_begin(toy.server, exchange, &reply) ? exchange : 0;
    } else if (text_equal(rq->path, TEXT("/none"))) {
        http_respond(toy.server, exchange, &(struct http_reply){.status = 204});
    } else {
        char body[32];
        int bytes = snprintf(body, sizeof body, "answer %u;", toy.request_count);
        toy_answer(exchange, (struct text){body, (size_t)bytes});
    }
}

static inline void toy_refused(void *context, uint64_t exchange, const struct http_request *rq,
                               enum err why)
{
    static const unsigned statuses[] = {
#define ERR(name, status, number, sentence) [ERR_##name] = status,
#include "errors.def"
#undef ERR
    };
    (void)context;
    (void)rq;
    toy.refused_count++;
    toy.why = why;
    struct http_reply reply = {
        .status = statuses[why], .content_type = TEXT("text/plain"), .body = TEXT("no\n")};
    http_respond(toy.server, exchange, &reply);
}

static inline void toy_stream_closed(void *context, uint64_t exchange)
{
    (void)context;
    toy.stream_closed_count += exchange == toy.stream;
}

static inline void toy_closed(void *context)
{
    struct toy *t = context;
    t->is_closed = true;
}

static inline struct http_settings settings_usual(void)
{
    return (struct http_settings){.connections_max = 100,
                                  .connections_per_ip_max = 4,
                                  .head_bytes_max = 2048,
                                  .fields_max = 20,
                                  .head_timeout_ms = 60000,
                                  .body_timeout_ms = 60000,
                                  .idle_timeout_ms = 60000,
                                  .write_timeout_ms = 60000,
                                  .stream_bytes_max = 100000};
}

static inline void toy_start(const char *address, struct http_settings settings)
{
    struct http_handlers handlers = {.body_bytes_max = toy_body_bytes_max,
                                     .on_request = toy_request,
                                     .on_refused = toy_refused,
                                     .on_stream_closed = toy_stream_closed};
    int error = 0;
    memset(&toy, 0, sizeof toy);
    toy.server = http_listen(&loop, text_of(address), &settings, &handlers, &error);
    if (!CHECK(toy.server != NULL)) exit(unit_end());
}

static inline void turn(void)
{
    for (int i = 0; i < 4; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

static inline void toy_stop(void)
{
    http_drain(toy.server, toy_closed, &toy);
    http_close_now(toy.server);
    uv_run(&loop, UV_RUN_DEFAULT); /* ends only when every handle is closed */
    CHECK(toy.is_closed);
    CHECK(http_counts(toy.server)->connections_open == 0 &&
          http_counts(toy.server)->streams_open == 0);
    http_free(toy.server);
}

/* ---- the clients ---- */

struct client {
    int fd;
    size_t bytes;
    bool is_closed; /* by the server, in an orderly way */
    bool is_reset;
    char got[256 * 1024];
};

static inline struct client *client_connect_to(const char *address)
{
    struct client *client = calloc(1, sizeof *client);
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)http_port(toy.server))};
    inet_pton(AF_INET, address, &name.sin_addr);
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(client->fd, (struct sockaddr *)&name, sizeof name) == 0);
    turn();
    return client;
}

static inline struct client *client_connect(void)
{
    return client_connect_to("127.0.0.1");
}

static inline void client_free(struct client *client)
{
    close(client->fd);
    free(client);
    turn();
}

/* Takes what is there. */
static inline void client_read(struct client *client)
{
    turn();
    while (!client->is_closed && !client->is_reset && client->bytes < sizeof client->got - 1) {
        size_t room = sizeof client->got - 1 - client->bytes;
        ssize_t count = recv(client->fd, client->got + client->bytes, room, MSG_DONTWAIT);
        if (count > 0) client->bytes += (size_t)count;
        if (count == 0) client->is_closed = true;
        if (count < 0 && errno == ECONNRESET) client->is_reset = true;
        if (count < 0) break;
    }
    client->got[client->bytes] = '\0';
}

static inline void client_send(struct client *client, struct text bytes)
{
    for (int tries = 0; bytes.bytes > 0 && tries < 100000; tries++) {
        ssize_t count = send(client->fd, bytes.data, bytes.bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count > 0) {
            bytes.data += count;
            bytes.bytes -= (size_t)count;
        }
        if (count < 0 && errno != EAGAIN)
            return; /* the server has closed: the test looks at the answer */
        client_read(client);
    }
}

static inline void client_send_slowly(struct client *client, struct text bytes)
{
    for (size_t i = 0; i < bytes.bytes; i++) {
        client_send(client, (struct text){bytes.data + i, 1});
    }
}

/* Reads until `wanted` has come, the server closes, or two seconds have passed. */
static inline bool client_expect(struct client *client, const char *wanted)
{
    for (int i = 0; i < 2000; i++) {
        client_read(client);
        if (wanted != NULL && strstr(client->got, wanted) != NULL) return true;
        if (client->is_closed || client->is_reset) return false;
        poll(NULL, 0, 1);
    }
    return false;
}

static inline bool client_expect_close(struct client *client)
{
    client_expect(client, NULL);
    return client->is_closed;
}

static inline unsigned status_of(const struct client *client)
{
    unsigned status = 0;
    return sscanf(client->got, "HTTP/1.1 %u ", &status) == 1 ? status : 0;
}

static inline unsigned count_of(const struct client *client, const char *word)
{
    unsigned count = 0;
    for (const char *at = client->got; (at = strstr(at, word)) != NULL; at++) {
        count++;
    }
    return count;
}

/* For main(). */
static inline void toy_init(void)
{
    uv_loop_init(&loop);
    memset(large, 'x', sizeof large);
}

static inline int toy_end(void)
{
    CHECK(uv_loop_close(&loop) == 0);
    return unit_end();
}

/* The field that every request needs. */
#define H "Host: a\r\n"

#endif
