/* edge/fetch*.c: calls to a small server on this machine: requests, answers, order, closing. */
#include "fetch_calls.h"

/* An answer arrives whole, with its status, body and date, and is told later, not from within
 * the start. */
static void test_answered(void)
{
    struct outcome *o = get("/ok");
    CHECK(o->fault == FAULT_NONE && o->status == 200);
    CHECK_TEXT(((struct text){o->body, o->body_bytes}), "hello");
    CHECK(o->date_ms == 784111777000);
    CHECK(o->retry_after_ms == -1);
    CHECK(o->duration_ms < 2000);

    o = get("/missing");
    CHECK(o->fault == FAULT_NONE && o->status == 404);
    CHECK_TEXT(((struct text){o->body, o->body_bytes}), "no such page");
    CHECK(o->date_ms == 0);

    o = get("/redirect"); /* not followed */
    CHECK(o->fault == FAULT_NONE && o->status == 302 && o->body_bytes == 0);
}

/* When to come back is read from either form of Retry-After and from Alibaba's own field. */
static void test_retry_after(void)
{
    CHECK(get("/wait-seconds")->retry_after_ms == 7000);
    CHECK(get("/wait-date")->retry_after_ms == 30000);
    CHECK(get("/wait-past")->retry_after_ms == 0);
    CHECK(get("/wait-own")->retry_after_ms == 250);
    struct outcome *o = get("/wait-odd");
    CHECK(o->retry_after_ms == -1 && o->date_ms == 0 && o->status == 503);
}

/* Dates are read exactly or not at all. */
static void test_dates(void)
{
    CHECK(fetch_date_read("Thu, 01 Jan 1970 00:00:00 GMT") == 0);
    CHECK(fetch_date_read("Thu, 01 Jan 1970 00:00:01 GMT") == 1000);
    CHECK(fetch_date_read("Thu, 29 Feb 2024 23:59:59 GMT") == 1709251199000);
    CHECK(fetch_date_read("Fri, 01 Mar 2024 00:00:00 GMT") == 1709251200000);
    CHECK(fetch_date_read("Tue, 19 Jan 2038 03:14:08 GMT") == 2147483648000);
    CHECK(fetch_date_read("Sunday, 06-Nov-94 08:49:37 GMT") == 0);
    CHECK(fetch_date_read("Sun, 06 Nov 1994 24:49:37 GMT") == 0);
    CHECK(fetch_date_read("Sun, 06 ovD 1994 08:49:37 GMT") == 0);
    CHECK(fetch_date_read("Sun, 06 Nov 1994 08:49:37 EST") == 0);
    CHECK(fetch_date_read("Sun, 6 Nov 1994 08:49:37 GMT") == 0);
    CHECK(fetch_date_read("") == 0);
}

static void send_it(const char *method, const char *path, const char *fields, const char *body)
{
    struct http_call call = call_to(url_of("http://127.0.0.1:PORT", path));
    call.method = text_of(method);
    call.fields = text_of(fields);
    call.body = text_of(body);
    struct outcome *o = fetch_call_now(call);
    CHECK(o->fault == FAULT_NONE && o->status == 200);
}

#define COMMON "Host: 127.0.0.1:PORT\r\nUser-Agent: homeport/test\r\nAccept: */*\r\n"

/* The request is ours byte for byte: curl adds Host, User-Agent, Accept and Content-Length, no
 * more. */
static void test_request_bytes(void)
{
    send_it("GET", "/ok?a=b%20c&d", "", "");
    check_seen("GET /ok?a=b%20c&d HTTP/1.1\r\n" COMMON "\r\n");
    send_it("GET", "/ok", "Authorization: Bearer x\nX-Empty:\nX-Two:  spaced\n", "");
    check_seen("GET /ok HTTP/1.1\r\n" COMMON
               "Authorization: Bearer x\r\nX-Empty:\r\nX-Two:  spaced\r\n\r\n");
    send_it("POST", "/ok", "", "hello=world");
    check_seen("POST /ok HTTP/1.1\r\n" COMMON "Content-Length: 11\r\n\r\nhello=world");
    send_it("POST", "/ok", "content-type: application/json\n", "{}");
    check_seen("POST /ok HTTP/1.1\r\n" COMMON
               "content-type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    send_it("POST", "/ok", "", "");
    check_seen("POST /ok HTTP/1.1\r\n" COMMON "Content-Length: 0\r\n\r\n");
    send_it("PUT", "/ok", "", "");
    check_seen("PUT /ok HTTP/1.1\r\n" COMMON "Content-Length: 0\r\n\r\n");
    send_it("DELETE", "/ok", "", "");
    check_seen("DELETE /ok HTTP/1.1\r\n" COMMON "\r\n");
    send_it("PATCH", "/ok", "Accept: text/plain\nUser-Agent: mine\n", "x");
    check_seen(
        "PATCH /ok HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAccept: text/plain\r\nUser-Agent: mine\r\n"
        "Content-Length: 1\r\n\r\nx");
}

/* A large body goes out at once, without asking for "100 Continue". */
static void test_large_body(void)
{
    static char body[60000];
    memset(body, 'x', sizeof body - 1);
    send_it("PUT", "/ok", "", body);
    pthread_mutex_lock(&server->lock);
    CHECK(server->seen_bytes > sizeof body - 1);
    CHECK(memmem(server->seen, 300, "Expect", 6) == NULL);
    pthread_mutex_unlock(&server->lock);
}

/* HEAD has no body to wait for. */
static void test_head(void)
{
    struct http_call call = call_to(url_of("http://127.0.0.1:PORT", "/head"));
    call.method = TEXT("HEAD");
    struct outcome *o = fetch_call_now(call);
    CHECK(o->fault == FAULT_NONE && o->status == 200 && o->body_bytes == 0);
    check_seen("HEAD /head HTTP/1.1\r\n" COMMON "\r\n");
}

static unsigned connections(void)
{
    pthread_mutex_lock(&server->lock);
    unsigned count = server->connection_count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

/* Calls that may be repeated share a connection; POST gets its own, as curl repeats silently on
 * a kept one; a call bound to an interface shares with nobody. */
static void test_reuse(void)
{
    CHECK(get("/ok")->status == 200);
    unsigned before = connections();
    CHECK(get("/ok")->status == 200);
    send_it("DELETE", "/ok", "", "");
    CHECK(connections() == before);
    send_it("POST", "/ok", "", "x");
    CHECK(connections() == before + 1);
    struct http_call call = call_to(url_of("http://127.0.0.1:PORT", "/ok"));
    call.interface = TEXT("lo");
    CHECK(fetch_call_now(call)->status == 200);
    CHECK(fetch_call_now(call)->status == 200);
    CHECK(connections() == before + 3);
}

/* Beyond calls_max calls wait in order, and not longer than their own limit. */
static void test_queue(void)
{
    open_with((struct fetch_settings){.calls_max = 1});
    begin();
    for (unsigned i = 0; i < 6; i++) {
        struct http_call call =
            call_to(url_of("http://127.0.0.1:PORT", i == 3 ? "/missing" : "/ok"));
        start(&call);
    }
    run_until_done();
    for (unsigned i = 0; i < 6; i++) {
        CHECK(outcomes[i].order == i && outcomes[i].status == (i == 3 ? 404 : 200));
    }

    begin();
    struct http_call slow = call_to(url_of("http://127.0.0.1:PORT", "/hang"));
    slow.timeout_ms = 600;
    start(&slow);
    slow.timeout_ms = 400;
    start(&slow);
    slow.timeout_ms = 100;
    start(&slow);
    struct http_call quick = call_to(url_of("http://127.0.0.1:PORT", "/ok"));
    start(&quick);
    run_until_done();
    check_error(&outcomes[0], FAULT_TIMEOUT, "did not answer within 600 ms");
    check_error(&outcomes[1], FAULT_TIMEOUT, "for other calls to end");
    check_error(&outcomes[2], FAULT_TIMEOUT, "for other calls to end");
    CHECK(outcomes[2].order == 0 && outcomes[2].duration_ms < 300);
    CHECK(outcomes[1].order == 1 && outcomes[1].duration_ms < 550);
    CHECK(outcomes[3].status == 200);
    close_it();
}

static void on_chain(void *context, uint64_t ref, const struct http_result *result)
{
    on_done(context, ref, result);
    if (started_count < 4) {
        struct http_call call =
            call_to(started_count == 2 ? "bad" : url_of("http://127.0.0.1:PORT", "/ok"));
        is_starting = true;
        CHECK(fetch_start(fetcher, started_count++, &call, on_chain, context));
        is_starting = false;
    }
}

/* `done` may start the next call, one that fails at once too. */
static void test_chain(void)
{
    struct http_call call = call_to(url_of("http://127.0.0.1:PORT", "/ok"));
    begin();
    CHECK(fetch_start(fetcher, started_count++, &call, on_chain, outcomes));
    run_until_done();
    CHECK(outcomes[0].status == 200 && outcomes[1].status == 200 && outcomes[3].status == 200);
    CHECK(outcomes[2].fault == FAULT_URL);
}

static void on_never(void *context, uint64_t ref, const struct http_result *result)
{
    (void)context;
    (void)ref;
    (void)result;
    CHECK(!"no call is reported after the close");
}

/* A lookup that fails quickly may be told before the close. */
static void on_done_before(void *context, uint64_t ref, const struct http_result *result)
{
    const bool *has_closed = context;
    (void)ref;
    (void)result;
    CHECK(!*has_closed);
}

static void on_done_close(void *context, uint64_t ref, const struct http_result *result)
{
    on_done(context, ref, result);
    fetcher_close(fetcher);
}

/* Closing ends running, waiting and ended calls in silence, also from within `done` and in the
 * middle of a name lookup or the reading of the CA bundle. */
static void test_close(void)
{
    open_with((struct fetch_settings){.calls_max = 3});
    struct http_call call = call_to(url_of("http://127.0.0.1:PORT", "/hang"));
    for (int i = 0; i < 5; i++) CHECK(fetch_start(fetcher, 0, &call, on_never, NULL));
    call = call_to("bad");
    CHECK(fetch_start(fetcher, 0, &call, on_never, NULL));
    close_it();

    bool has_closed = false;
    open_with((struct fetch_settings){.calls_max = 3});
    call = call_to("http://nonexistent.invalid/");
    CHECK(fetch_start(fetcher, 0, &call, on_done_before, &has_closed));
    call = call_to("https://nonexistent.invalid/");
    CHECK(fetch_start(fetcher, 0, &call, on_done_before, &has_closed));
    uv_run(loop, UV_RUN_NOWAIT);
    has_closed = true;
    close_it();

    open_with((struct fetch_settings){.calls_max = 2});
    begin();
    call = call_to(url_of("http://127.0.0.1:PORT", "/ok"));
    CHECK(fetch_start(fetcher, started_count++, &call, on_done_close, outcomes));
    call = call_to(url_of("http://127.0.0.1:PORT", "/hang"));
    for (int i = 0; i < 3; i++) CHECK(fetch_start(fetcher, 0, &call, on_never, NULL));
    CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0);
    CHECK(outcomes[0].status == 200);
    fetcher = NULL;
}

int main(void)
{
    /* No proxy is taken from the environment. */
    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
    fetch_tests_open();
    test_answered();
    test_retry_after();
    test_dates();
    test_request_bytes();
    test_large_body();
    test_head();
    test_reuse();
    test_chain();
    close_it();
    test_queue();
    test_close();
    open_with((struct fetch_settings){0});
    return fetch_tests_end();
}
