/* edge/http.c over real sockets: what it refuses, how it reads bodies, in which order it
 * answers. */
#include "unit.h"

#include "http_toy.h"

/* ---- what is refused ---- */

/* clang-format off */
#define ROW(status, raw) {status, TEXT_INIT(raw)}
static const struct {
    unsigned status; /* 200: served, and the connection stays open; else it closes */
    struct text raw;
} rows[] = {
    ROW(200, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ROW(200, "\r\nGET / HTTP/1.1\r\nHost:a\r\nX: y \t\r\nEmpty:\r\n\r\n"),
    ROW(200, "POST /echo HTTP/1.1\r\n" H "Content-Length:  5 \r\n\r\nhello"),
    ROW(200, "POST /echo HTTP/1.1\r\n" H "transfer-encoding: chunked\r\n\r\n5;a=b;c=\"d\"\r\nhello\r\n0\r\nT: x\r\n\r\n"),
    ROW(200, "OPTIONS * HTTP/1.1\r\n" H "\r\n"),
    ROW(200, "GET http://a:80/x?y HTTP/1.1\r\nHost: A:80\r\n\r\n"),
    ROW(200, "GET / HTTP/1.1\r\nHost: [::1]:8080\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
    /* lengths */
    ROW(400, "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\nhello"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\nhello"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Content-Length: -5\r\n\r\nhello"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\nhello"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Content-Length: 5 5\r\n\r\nhello"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Content-Length: 5\v\r\n\r\nhello"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Content-Length: \r\n\r\nhello"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Content-Length: 5.0\r\n\r\nhello"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999\r\n\r\n"),
    ROW(413, "POST / HTTP/1.1\r\n" H "Content-Length: 1001\r\n\r\n"),
    ROW(413, "POST /nobody HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\nx"),
    ROW(413, "POST / HTTP/1.1\r\n" H "Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n"),
    /* codings and chunks */
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\v\r\n\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n-1\r\nhello\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5;a=\"\r\nhello\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5;a\r\rhello\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\nT : x\r\n\r\n"),
    ROW(413, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n"),
    ROW(413, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3e4\r\n"),
    /* field lines */
    ROW(400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\n" H "X\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\n" H ": x\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\n" H "X(y): x\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\nHost: a\n\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: a\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\n" H "\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\n" H "X\0: b\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\n" H "X: a\x01\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n"),
    /* Host and other fields that stand alone */
    ROW(400, "GET / HTTP/1.1\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\n" H "Authorization: a\r\nAuthorization: a\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\n" H "X-API-Key: a\r\nX-Api-Key: b\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\n" H "Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\n" H "If-Match: a\r\nIf-Match: b\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\n" H "If-None-Match: a\r\nIf-None-Match: b\r\n\r\n"),
    ROW(400, "POST / HTTP/1.1\r\n" H "Content-Type: a\r\nContent-Type: a\r\n\r\n"),
    /* request lines */
    ROW(400, "GET http://b/ HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "GET http://a:80/ HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "GET http://u@a/ HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "GET http:///x HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "GET ftp://a/ HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "GET * HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "GET x HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "GET /#f HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "GET /\x80 HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "GET /a\0b HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "GET /a\tb HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "GET /a b HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "GET  / HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "GET /  HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "GET\t/ HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "GET / HTTP/1.1 \r\n" H "\r\n"),
    ROW(400, "GET / http/1.1\r\n" H "\r\n"),
    ROW(400, " GET / HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "\nGET / HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "\rGET / HTTP/1.1\r\n" H "\r\n"),
    ROW(400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ROW(400, "DESCRIBE rtsp://a/ RTSP/1.0\r\n" H "\r\n"),
    ROW(400, "OPTIONS / RTSP/1.0\r\n" H "\r\n"),
    ROW(501, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"),
    ROW(501, "BREW / HTTP/1.1\r\n" H "\r\n"),
    ROW(501, "get / HTTP/1.1\r\n" H "\r\n"),
    ROW(505, "GET / HTTP/2.0\r\n" H "\r\n"),
    ROW(505, "GET / HTTP/1.2\r\n" H "\r\n"),
    ROW(505, "GET / HTTP/0.9\r\n" H "\r\n"),
    ROW(505, "GET /\r\n\r\n"),
    ROW(400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ROW(417, "POST / HTTP/1.1\r\n" H "Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx"),
};
/* clang-format on */

/* Every request of the table is answered as it says, whole and byte by byte, and no refused one
 * is ever seen by the handler or leaves the connection open. */
static void test_rows(void)
{
    toy_start("127.0.0.1:0", settings_usual());
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int slowly = 0; slowly < 2; slowly++) {
            unsigned requests = toy.request_count;
            struct client *client = client_connect();
            if (slowly)
                client_send_slowly(client, rows[i].raw);
            else
                client_send(client, rows[i].raw);
            bool is_served = rows[i].status == 200;
            client_expect(client, is_served ? "\r\n\r\n" : NULL);
            bool is_right =
                status_of(client) == rows[i].status && client->is_closed == !is_served &&
                toy.request_count - requests == is_served && count_of(client, "HTTP/1.1 ") == 1;
            if (!CHECK(is_right)) {
                printf("    row %zu (%s): %.*s\n    got %u %s: %s\n", i,
                       slowly ? "slowly" : "whole", TEXT_ARGS(rows[i].raw), status_of(client),
                       client->is_closed ? "closed" : "open", client->got);
            }
            client_free(client);
        }
    }
    toy_stop();
}

/* Bodies arrive whole however they are cut, without their chunks' framing. */
static void test_bodies(void)
{
    static const struct text chunked =
        TEXT_INIT("POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
                  "1\r\na\r\n0000003;x=y\r\nbcd\r\nA\r\nefghijklmn\r\n0\r\nT: u\r\n\r\n");
    static const struct text plain =
        TEXT_INIT("POST /echo HTTP/1.1\r\n" H "Content-Length: 14\r\n\r\nabcdefghijklmn");
    toy_start("127.0.0.1:0", settings_usual());
    for (size_t cut = 1; cut < chunked.bytes; cut++) {
        struct client *client = client_connect();
        client_send(client, (struct text){chunked.data, cut});
        client_send(client, (struct text){chunked.data + cut, chunked.bytes - cut});
        CHECK(client_expect(client, "Content-Length: 14\r\n\r\nabcdefghijklmn") &&
              !client->is_closed);
        client_send(client, (struct text){plain.data, cut < plain.bytes ? cut : plain.bytes});
        client_send(client,
                    (struct text){plain.data + cut, cut < plain.bytes ? plain.bytes - cut : 0});
        CHECK(client_expect(client, "abcdefghijklmnHTTP/1.1 200 OK\r\n"));
        client_expect(client, "\r\n\r\nabcdefghijklmnHTTP");
        CHECK(count_of(client, "\r\n\r\nabcdefghijklmn") == 2);
        client_free(client);
    }
    /* The longest body that is taken, and one byte more in the last chunk. */
    char body[BODY_MAX], head[128];
    memset(body, 'x', sizeof body);
    for (unsigned over = 0; over < 2; over++) {
        struct client *client = client_connect();
        client_send(client,
                    TEXT("POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3e7\r\n"));
        client_send(client, (struct text){body, 999});
        snprintf(head, sizeof head, "\r\n%u\r\nyy", 1 + over);
        client_send(client, (struct text){head, strlen(head) - (over ? 0 : 1)});
        client_send(client, TEXT("\r\n0\r\n\r\n"));
        CHECK(client_expect(client, over ? "no\n" : "xxy") &&
              status_of(client) == (over ? 413 : 200));
        client_free(client);
    }
    toy_stop();
}

/* Limits of the head hold in one piece and in many. */
static void test_head_limits(void)
{
#define CHUNKED "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
    static const struct {
        const char *before;
        int fill; /* zeros */
        const char *after;
        unsigned status;
    } heads[] = {
        {"GET /", 1900, " HTTP/1.1\r\n" H "\r\n", 200},
        {"GET /", 2100, " HTTP/1.1\r\n" H "\r\n", 414},
        {"GET / HTTP/1.1\r\n" H "X: ", 1900, "\r\n\r\n", 200},
        {"GET / HTTP/1.1\r\n" H "X: ", 2100, "\r\n\r\n", 431},
        {"GET / HTTP/1.1\r\n" H "X", 2100, ": x\r\n\r\n", 431},
        {CHUNKED "1;x=", 2100, "\r\na\r\n0\r\n\r\n", 431},
        {CHUNKED "0\r\nT: ", 2100, "\r\n\r\n", 431},
        {CHUNKED, 4000, "\r\n\r\n", 200}, /* a size of many zeros: nothing of it is kept */
    };
    static char raw[8192];
    toy_start("127.0.0.1:0", settings_usual());
    for (int slowly = 0; slowly < 2; slowly++) {
        for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
            struct client *client = client_connect();
            int bytes = snprintf(raw, sizeof raw, "%s%0*d%s", heads[i].before, heads[i].fill, 0,
                                 heads[i].after);
            if (slowly)
                client_send_slowly(client, (struct text){raw, (size_t)bytes});
            else
                client_send(client, (struct text){raw, (size_t)bytes});
            client_expect(client, "\r\n\r\n");
            if (!CHECK(status_of(client) == heads[i].status))
                printf("    head %zu: %u\n", i, status_of(client));
            client_free(client);
        }
        for (int fields = 19; fields <= 20; fields++) { /* and Host */
            struct client *client = client_connect();
            client_send(client, TEXT("GET / HTTP/1.1\r\n" H));
            for (int i = 0; i < fields; i++) {
                client_send(client, TEXT("X: y\r\n"));
            }
            client_send(client, TEXT("\r\n"));
            client_expect(client, "\r\n\r\n");
            CHECK(status_of(client) == (fields == 19 ? 200 : 431));
            client_free(client);
        }
    }
    toy_stop();
}

/* ---- order, keep-alive, late answers ---- */

/* A thousand requests in one write get a thousand answers in their order, early and late ones
 * mixed. */
static void test_pipeline(void)
{
    static char raw[64 * 1024], wanted[32];
    toy_start("127.0.0.1:0", settings_usual());
    struct client *client = client_connect();
    size_t bytes = 0;
    for (int i = 0; i < 1000; i++) {
        bytes +=
            (size_t)snprintf(raw + bytes, sizeof raw - bytes, "GET /%d HTTP/1.1\r\n" H "\r\n", i);
    }
    client_send(client, (struct text){raw, bytes});
    CHECK(client_expect(client, "answer 1000;") && toy.request_count == 1000);
    const char *at = client->got;
    for (int i = 1; i <= 1000 && at != NULL; i++) {
        snprintf(wanted, sizeof wanted, "answer %d;", i);
        at = strstr(at, wanted);
    }
    CHECK(at != NULL);
    client_free(client);

    client = client_connect();
    client_send(client, TEXT("GET /later HTTP/1.1\r\n" H "\r\nGET / HTTP/1.1\r\n" H
                             "\r\nGET /later HTTP/1.1\r\n" H "\r\n"));
    client_send(client, TEXT("GET / HTTP/1.1\r\n" H "\r\nGET /echo HTTP/1.1\r\n" H "Conn"));
    turn();
    CHECK(toy.later_count == 1 && client->bytes == 0 && toy.request_count == 1001);
    toy_answer(toy.later[0], TEXT("late 1;"));
    CHECK(client_expect(client, "answer 1002;") && toy.later_count == 2);
    toy_answer(toy.later[0], TEXT("twice")); /* an id is good for one answer */
    client_send(client, TEXT("ection: close\r\n\r\n"));
    toy_answer(toy.later[1], TEXT("late 2;"));
    CHECK(client_expect_close(client));
    CHECK(strstr(client->got, "late 2;") != NULL && strstr(client->got, "answer 1004;") != NULL);
    CHECK(strstr(client->got, "twice") == NULL && count_of(client, "HTTP/1.1 200 OK") == 5);
    client_free(client);
    toy_stop();
}

/* Who may keep the connection, and what a closed or half-closed one still gets. */
static void test_keep_alive(void)
{
    static const struct {
        const char *raw, *wanted;
        bool is_closed;
    } cases[] = {
        {"GET / HTTP/1.1\r\n" H "\r\n", "answer", false},
        {"GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "Connection: close\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", "Connection: close\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "Connection: keep-alive\r\n", false},
        {"HEAD /echo HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nhi", "Content-Length: 2\r\n\r\n",
         false},
        {"GET /none HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 204 No Content\r\n", false},
        {"GET /query?a=%20b?c HTTP/1.1\r\n" H "\r\n", "\r\n\r\na=%20b?c", false},
        {"GET http://a?q HTTP/1.1\r\n" H "\r\n", "answer", false},
        {"GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", "answer",
         true},
    };
    toy_start("127.0.0.1:0", settings_usual());
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client *client = client_connect();
        client_send(client, text_of(cases[i].raw));
        if (cases[i].is_closed) client_expect_close(client);
        CHECK(client_expect(client, cases[i].wanted) ||
              strstr(client->got, cases[i].wanted) != NULL);
        CHECK(client->is_closed == cases[i].is_closed && count_of(client, "HTTP/1.1") == 1);
        client_free(client);
    }
    struct client *client = client_connect();
    client_send(client, TEXT("GET /later HTTP/1.1\r\n" H "\r\nGET / HTTP/1.1\r\n" H "\r\n"));
    shutdown(client->fd, SHUT_WR);
    turn();
    toy_answer(toy.later[0], TEXT("to the last"));
    CHECK(client_expect_close(client) && count_of(client, "HTTP/1.1 200") == 2);
    client_free(client);

    client = client_connect();
    client_send(client, TEXT("GET /later HTTP/1.1\r\n" H
                             "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2 , 3.3.3.3 \r\n"
                             "x-forwarded-for:4.4.4.4\r\n\r\n"));
    CHECK(strcmp(toy.forwarded_for, "1.1.1.1, 2.2.2.2 , 3.3.3.3, 4.4.4.4") == 0);
    client_free(client); /* gone before the answer */
    toy_answer(toy.later[1], TEXT("to nobody"));
    turn();
    CHECK(http_counts(toy.server)->connections_open == 0);
    toy_stop();
}

/* 100 Continue comes when the body is wanted and has not begun, and only then. */
static void test_continue(void)
{
    toy_start("127.0.0.1:0", settings_usual());
    struct client *client = client_connect();
    client_send(client, TEXT("POST /echo HTTP/1.1\r\n" H
                             "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n"));
    CHECK(client_expect(client, "HTTP/1.1 100 Continue\r\n\r\n") &&
          count_of(client, "HTTP/1.1") == 1);
    client_send(client, TEXT("hello"));
    CHECK(client_expect(client, "\r\n\r\nhello") && count_of(client, "100 Continue") == 1);
    client_send(client, TEXT("POST /echo HTTP/1.1\r\n" H
                             "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nyes"));
    client_send(client, TEXT("GET /echo HTTP/1.1\r\n" H "Expect: 100-continue\r\n\r\n"));
    CHECK(client_expect(client, "Content-Length: 0\r\n") && count_of(client, "100 Continue") == 1);
    client_free(client);
    client = client_connect();
    client_send(client, TEXT("POST /echo HTTP/1.0\r\n" H
                             "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
    client_send(client, TEXT("old"));
    CHECK(client_expect_close(client) && status_of(client) == 200 &&
          strstr(client->got, "old") != NULL);
    client_free(client);
    toy_stop();
}

int main(void)
{
    toy_init();
    test_rows();
    test_bodies();
    test_head_limits();
    test_pipeline();
    test_keep_alive();
    test_continue();
    return toy_end();
}
