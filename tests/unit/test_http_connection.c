/* edge/http.c over real sockets: slow clients, streams, deadlines, caps, and the end. */
#include "unit.h"

#include <ifaddrs.h>
#include <net/if.h>

#include "http_toy.h"

/* ---- slow clients, streams, time ---- */

/* A large answer waits on the heap for a slow client, arrives whole, and the pipeline goes on
 * behind it. */
static void test_large(void)
{
    toy_start("127.0.0.1:0", settings_usual());
    struct client *client = client_connect();
    client_send(client, TEXT("GET /large HTTP/1.1\r\n" H "\r\nGET / HTTP/1.1\r\n" H "\r\n"));
    size_t total = 0;
    for (int i = 0; i < 5000 && strstr(client->got, "answer 2;") == NULL; i++) {
        total += client->bytes;
        client->bytes = 0;
        client_read(client);
    }
    total += client->bytes;
    CHECK(strstr(client->got, "answer 2;") != NULL && total > sizeof large &&
          total < sizeof large + 1000);
    CHECK(http_counts(toy.server)->bytes_out == total);
    client_free(client);
    toy_stop();
}

/* A stream carries pieces until one side ends it; a client that does not read is dropped, not
 * waited for. */
static void test_stream(void)
{
    toy_start("127.0.0.1:0", settings_usual());
    struct client *client = client_connect();
    client_send(client, TEXT("GET /stream HTTP/1.1\r\n" H "\r\n"));
    CHECK(client_expect(client, "\r\n\r\n") && strstr(client->got, "Content-Length") == NULL);
    CHECK(http_counts(toy.server)->streams_open == 1);
    CHECK(http_stream_write(toy.server, toy.stream, TEXT("data: 1\n\n")) &&
          client_expect(client, "data: 1"));
    CHECK(http_stream_write(toy.server, toy.stream, TEXT("data: 2\n\n")));
    http_stream_end(toy.server, toy.stream);
    CHECK(!http_stream_write(toy.server, toy.stream, TEXT("data: 3\n\n")));
    CHECK(client_expect_close(client) && strstr(client->got, "data: 2") &&
          !strstr(client->got, "data: 3"));
    CHECK(toy.stream_closed_count == 0 && http_counts(toy.server)->streams_open == 0);
    client_free(client);

    client = client_connect();
    client_send(client, TEXT("GET /stream HTTP/1.1\r\n" H "\r\n"));
    unsigned pieces = 0;
    while (pieces < 10000 &&
           http_stream_write(toy.server, toy.stream, (struct text){large, 4096})) {
        pieces++;
        turn();
    }
    turn();
    CHECK(pieces > 10 && pieces < 10000 && toy.stream_closed_count == 1);
    CHECK(http_counts(toy.server)->connections_open == 0);
    client_free(client);

    client = client_connect();
    client_send(client, TEXT("GET /stream HTTP/1.1\r\n" H "\r\n"));
    client_free(client); /* the client leaves first */
    CHECK(toy.stream_closed_count == 2 && !http_stream_write(toy.server, toy.stream, TEXT("x")));
    client = client_connect();
    client_send(client, TEXT("HEAD /stream HTTP/1.1\r\n" H "\r\n"));
    CHECK(client_expect_close(client) && status_of(client) == 200 && toy.stream == 0);
    client_free(client);
    toy_stop();
}

/* Each deadline ends what it is there for: a silent, a half and a stuck connection; not a living
 * one. */
static void test_timeouts(void)
{
    struct http_settings settings = settings_usual();
    settings.head_timeout_ms = settings.body_timeout_ms = 500;
    settings.idle_timeout_ms = settings.write_timeout_ms = 500;
    toy_start("127.0.0.1:0", settings);
    struct client *silent = client_connect(), *head = client_connect(), *body = client_connect();
    struct client *stuck = client_connect(), *late = client_connect();
    client_send(head, TEXT("GET / HT"));
    client_send(body, TEXT("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhell"));
    client_send(late, TEXT("GET /later HTTP/1.1\r\n" H "\r\n"));
    send(stuck->fd, "GET /large HTTP/1.1\r\n" H "\r\n", 32, 0);
    send(stuck->fd, "GET / HTTP/1.1\r\n" H "\r\n", 27, 0);
    CHECK(client_expect_close(silent) && silent->bytes == 0);
    CHECK(client_expect_close(head) && status_of(head) == 408);
    CHECK(client_expect_close(body) && status_of(body) == 408 &&
          strstr(body->got, "Connection: close") != NULL);
    for (int i = 0; i < 1500 && http_counts(toy.server)->timeouts_total < 3; i++) {
        turn();
        poll(NULL, 0, 1);
    }
    CHECK(http_counts(toy.server)->timeouts_total == 3); /* head, body, stuck */
    toy_answer(toy.later[0], TEXT("in good time"));
    CHECK(client_expect(late, "in good time"));
    client_free(silent);
    client_free(head);
    client_free(body);
    client_free(stuck);
    client_free(late);
    toy_stop();
}

/* ---- caps and the end ---- */

/* Over the cap: 503 and closed; the places come back when connections go. */
static void test_caps(void)
{
    struct http_settings settings = settings_usual();
    settings.connections_max = 3;
    toy_start("127.0.0.1:0", settings);
    struct client *clients[4];
    for (int i = 0; i < 4; i++) {
        clients[i] = client_connect();
        client_send(clients[i], TEXT("GET / HTTP/1.1\r\n" H "\r\n"));
        client_expect(clients[i], "\r\n\r\n");
        CHECK(status_of(clients[i]) == (i < 3 ? 200 : 503));
    }
    CHECK(client_expect_close(clients[3]) && http_counts(toy.server)->connections_refused == 1);
    client_free(clients[3]);
    client_free(clients[0]);
    clients[0] = client_connect();
    client_send(clients[0], TEXT("GET / HTTP/1.1\r\n" H "\r\n"));
    CHECK(client_expect(clients[0], "answer") && status_of(clients[0]) == 200);
    for (int i = 0; i < 3; i++) {
        client_free(clients[i]);
    }
    toy_stop();
}

/* One address has its own cap, IPv4 is shown as IPv4 on a dual-stack socket. Needs an address
 * that is not loopback, which is exempt. */
static void test_caps_per_ip(void)
{
    struct ifaddrs *all = NULL;
    char address[INET_ADDRSTRLEN] = "";
    if (getifaddrs(&all) != 0) return;
    for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
        if (one->ifa_addr == NULL || one->ifa_addr->sa_family != AF_INET ||
            one->ifa_flags & IFF_LOOPBACK)
            continue;
        inet_ntop(AF_INET, &((struct sockaddr_in *)one->ifa_addr)->sin_addr, address,
                  sizeof address);
    }
    freeifaddrs(all);
    int v6 = socket(AF_INET6, SOCK_STREAM, 0);
    bool has_v6 = v6 >= 0;
    if (has_v6) close(v6);
    toy_start(has_v6 ? "[::]:0" : "0.0.0.0:0", settings_usual());
    struct client *clients[6];
    const char *to = address[0] == '\0' ? "127.0.0.1" : address;
    for (int i = 0; i < 6; i++) {
        clients[i] = client_connect_to(to);
        client_send(clients[i], TEXT("GET / HTTP/1.1\r\n" H "\r\n"));
        client_expect(clients[i], "\r\n\r\n");
        CHECK(status_of(clients[i]) == (i < 4 || address[0] == '\0' ? 200 : 503));
    }
    char shown[IP_TEXT_SIZE];
    CHECK_TEXT(ip_format(&toy.peer, shown), to);
    for (int i = 5; i >= 0; i--) {
        client_free(clients[i]);
    }
    toy_stop();
}

/* Draining closes who is idle, lets the running answer out, and then says so. */
static void test_drain(void)
{
    toy_start("127.0.0.1:0", settings_usual());
    struct client *idle = client_connect(), *busy = client_connect(), *half = client_connect();
    client_send(busy, TEXT("GET /later HTTP/1.1\r\n" H "\r\n"));
    client_send(half, TEXT("GET / HTTP/1.1\r\n"));
    http_drain(toy.server, toy_closed, &toy);
    CHECK(client_expect_close(idle) && idle->bytes == 0);
    client_send(half, TEXT(H "\r\n"));
    CHECK(client_expect_close(half) && status_of(half) == 200);
    client_read(busy);
    CHECK(!busy->is_closed && !toy.is_closed);
    toy_answer(toy.later[0], TEXT("the last"));
    CHECK(client_expect_close(busy) && strstr(busy->got, "Connection: close\r\n") &&
          strstr(busy->got, "the last"));
    client_free(idle);
    client_free(busy);
    client_free(half);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(toy.is_closed);
    http_free(toy.server);
}

/* Addresses that cannot be listened on are refused, with a reason. */
static void test_listen(void)
{
    static const char *const wrong[] = {
        "",      "127.0.0.1", ":8080", "127.0.0.1:", "127.0.0.1:65536", "localhost:0",
        "::1:0", "[::1:0",    "[]:0",  "192.0.2.1:0"};
    struct http_settings settings = settings_usual();
    struct http_handlers handlers = {.body_bytes_max = toy_body_bytes_max,
                                     .on_request = toy_request,
                                     .on_refused = toy_refused,
                                     .on_stream_closed = toy_stream_closed};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int error = 0;
        CHECK(http_listen(&loop, text_of(wrong[i]), &settings, &handlers, &error) == NULL &&
              error != 0);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
}

int main(void)
{
    toy_init();
    test_large();
    test_stream();
    test_timeouts();
    test_caps();
    test_caps_per_ip();
    test_drain();
    test_listen();
    return toy_end();
}
