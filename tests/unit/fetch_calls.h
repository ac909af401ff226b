/* What the tests of the fetcher share: a server whose paths say what comes back, calls and their
 * outcomes. Included once by each of them. */
#ifndef HOMEPORT_TESTS_FETCH_CALLS_H
#define HOMEPORT_TESTS_FETCH_CALLS_H

#include "edge/fetch_private.h"
#include "loopback.h"
#include "unit.h"

enum { BODY_SIZE = 4096, OUTCOMES_MAX = 16, GUARD_MS = 20000 };

struct outcome {
    bool is_done;
    unsigned order;
    enum call_fault fault;
    unsigned status;
    char body[BODY_SIZE];
    size_t body_bytes;
    char error[ERROR_SIZE];
    uint64_t date_ms, duration_ms;
    int64_t retry_after_ms;
};

static uv_loop_t *loop;
static struct fetcher *fetcher;
static struct loopback *server;
static struct outcome outcomes[OUTCOMES_MAX];
static unsigned done_count, started_count;
static bool is_starting;
static const char *const method_get = "GET";

static inline void on_done(void *context, uint64_t ref, const struct http_result *result)
{
    struct outcome *outcome = &outcomes[ref];
    CHECK(context == outcomes);
    CHECK(!is_starting);
    CHECK(!outcome->is_done);
    CHECK((result->fault == FAULT_NONE) == (result->error.bytes == 0));
    outcome->is_done = true;
    outcome->order = done_count++;
    outcome->fault = result->fault;
    outcome->status = result->status;
    outcome->body_bytes = result->body.bytes;
    if (result->body.bytes > 0 && result->body.bytes < BODY_SIZE) {
        memcpy(outcome->body, result->body.data, result->body.bytes);
    }
    text_to_zero_ended(result->error, outcome->error, sizeof outcome->error);
    outcome->date_ms = result->date_ms;
    outcome->retry_after_ms = result->retry_after_ms;
    outcome->duration_ms = result->duration_ms;
}

static inline void on_guard(uv_timer_t *timer)
{
    (void)timer;
    CHECK(!"the test came to its end in time");
    exit(unit_end());
}

static inline void run_until_done(void)
{
    uv_timer_t guard;
    uv_timer_init(loop, &guard);
    uv_timer_start(&guard, on_guard, GUARD_MS, 0);
    while (done_count < started_count) uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&guard, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
}

static inline void open_with(struct fetch_settings settings)
{
    if (settings.calls_max == 0) settings.calls_max = 8;
    settings.user_agent = "homeport/test";
    fetcher = fetcher_open(loop, &settings);
    CHECK(fetcher != NULL);
}

static inline void close_it(void)
{
    fetcher_close(fetcher);
    fetcher = NULL;
    CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0); /* nothing of it is left on the loop */
}

static inline void begin(void)
{
    memset(outcomes, 0, sizeof outcomes);
    done_count = started_count = 0;
}

static inline struct http_call call_to(const char *url)
{
    return (struct http_call){.method = text_of(method_get),
                              .url = text_of(url),
                              .timeout_ms = 5000,
                              .answer_bytes_max = 100000};
}

static inline struct outcome *start(const struct http_call *call)
{
    is_starting = true;
    CHECK(fetch_start(fetcher, started_count, call, on_done, outcomes));
    is_starting = false;
    return &outcomes[started_count++];
}

static inline struct outcome *fetch_call_now(struct http_call call)
{
    begin();
    struct outcome *outcome = start(&call);
    run_until_done();
    return outcome;
}

/* PORT in the form becomes the server's port. */
static inline const char *url_of(const char *host_form, const char *path)
{
    static char url[2048];
    char host[256];
    snprintf(host, sizeof host, "%s", host_form);
    char *port = strstr(host, "PORT");
    if (port != NULL) *port = '\0';
    if (port != NULL) {
        snprintf(url, sizeof url, "%s%u%s", host, server->port, path);
    } else {
        snprintf(url, sizeof url, "%s%s", host, path);
    }
    return url;
}

static inline struct outcome *get(const char *path)
{
    return fetch_call_now(call_to(url_of("http://127.0.0.1:PORT", path)));
}

static inline void answer(int fd, const char *head, const char *body)
{
    char text[8192];
    int bytes = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", head,
                         strlen(body), body);
    loopback_send(fd, text, (size_t)bytes);
}

static inline void answer_long(int fd)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n";
    static char body[300000];
    loopback_send(fd, head, sizeof head - 1);
    loopback_send(fd, body, sizeof body);
}

/* The path says what comes back. */
static inline void serve_http(struct loopback *self, int fd)
{
    static const struct {
        const char *path, *head, *body;
    } answers[] = {
        {"/ok", "200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT", "hello"},
        {"/missing", "404 Not Found", "no such page"},
        {"/redirect", "302 Found\r\nLocation: /ok", ""},
        {"/wait-seconds", "429 Slow\r\nRetry-After: 7", ""},
        {"/wait-date",
         "503 X\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
         "Retry-After: Sun, 06 Nov 1994 08:50:07 GMT",
         ""},
        {"/wait-past",
         "503 X\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
         "Retry-After: Sun, 06 Nov 1994 08:49:07 GMT",
         ""},
        {"/wait-own", "400 X\r\nRetry-After: 7\r\nx-acs-retry-after: 250", ""},
        {"/wait-odd", "503 X\r\nDate: yesterday\r\nRetry-After: soon", ""},
        {"/head", "200 OK", ""},
    };
    char request[65536];
    for (size_t bytes; (bytes = loopback_http_read(fd, request, sizeof request)) > 0;) {
        loopback_keep(self, request, bytes);
        char path[256] = "";
        sscanf(request, "%*s %255[^ ?]", path);
        for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
            if (strcmp(path, answers[i].path) == 0) answer(fd, answers[i].head, answers[i].body);
        }
        if (strcmp(path, "/hang") == 0) {
            loopback_hang(fd);
        } else if (strcmp(path, "/half") == 0) {
            loopback_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", 43);
            return;
        } else if (strcmp(path, "/chunk-cut") == 0) {
            loopback_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", 53);
            return;
        } else if (strcmp(path, "/silent") == 0) {
            return;
        } else if (strcmp(path, "/garbage") == 0) {
            loopback_send(fd, "SSH-2.0-x\r\n", 11);
            return;
        } else if (strcmp(path, "/long") == 0) {
            answer_long(fd);
            return;
        }
    }
}

/* What the server has seen, byte for byte, against `wanted`, whose PORT becomes the port. */
static inline void check_seen(const char *wanted)
{
    char expected[4096];
    const char *port = strstr(wanted, "PORT");
    if (!CHECK(port != NULL)) return;
    snprintf(expected, sizeof expected, "%.*s%u%s", (int)(port - wanted), wanted, server->port,
             port + 4);
    pthread_mutex_lock(&server->lock);
    CHECK_TEXT(((struct text){server->seen, server->seen_bytes}), expected);
    pthread_mutex_unlock(&server->lock);
}

/* The sentence names scheme, host and port, and nothing else of the URL. */
static inline void check_error(const struct outcome *o, enum call_fault fault, const char *word)
{
    bool is_right = CHECK(o->fault == fault && strstr(o->error, word) != NULL);
    if (!is_right) printf("    fault %d, \"%s\"\n", o->fault, o->error);
    CHECK(o->status == 0 && o->body_bytes == 0);
    CHECK(strstr(o->error, "secret") == NULL);
}

static inline void fetch_tests_open(void)
{
    loop = uv_default_loop();
    server = loopback_start(SOCK_STREAM, 0, serve_http);
    open_with((struct fetch_settings){0});
}

static inline int fetch_tests_end(void)
{
    close_it();
    loopback_stop(server);
    CHECK(uv_loop_close(loop) == 0);
    return unit_end();
}

#endif
