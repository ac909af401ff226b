/* edge/fetch*.c: every way in which a call can fail, and what the sentence then says; the guard. */
#include "fetch_calls.h"

/* A server that says nothing, or too little, costs no more than the time limit. */
static void test_timeout_and_cut(void)
{
    struct http_call call =
        call_to(url_of("http://user:secret@127.0.0.1:PORT", "/hang?key=secret"));
    call.timeout_ms = 150;
    struct outcome *o = fetch_call_now(call);
    check_error(o, FAULT_TIMEOUT, "did not answer within 150 ms");
    CHECK(o->duration_ms >= 145 && o->duration_ms < 1000);
    CHECK(strstr(o->error, "http://127.0.0.1:") == o->error);

    check_error(get("/half?secret"), FAULT_CUT, "middle of its answer");
    check_error(get("/chunk-cut?secret"), FAULT_CUT, "middle of its answer");
    check_error(get("/silent?secret"), FAULT_CUT, "without an answer");
    check_error(get("/garbage"), FAULT_OTHER, "does not speak HTTP");
}

/* An answer is taken up to the limit and not a byte more. */
static void test_too_long(void)
{
    check_error(get("/long?secret"), FAULT_TOO_LONG, "100000 bytes");
    struct http_call call = call_to(url_of("http://127.0.0.1:PORT", "/ok"));
    call.answer_bytes_max = 5;
    CHECK(fetch_call_now(call)->status == 200);
    call.answer_bytes_max = 4;
    check_error(fetch_call_now(call), FAULT_TOO_LONG, "4 bytes");
    call.answer_bytes_max = 300000;
    call.url = text_of(url_of("http://127.0.0.1:PORT", "/long"));
    struct outcome *o = fetch_call_now(call);
    CHECK(o->fault == FAULT_NONE && o->body_bytes == 300000);
}

/* Nobody at the port, no such name, no such network interface. */
static void test_no_connection(void)
{
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/secret", loopback_free_port());
    check_error(fetch_call_now(call_to(url)), FAULT_CONNECT, "refused the connection");
    check_error(fetch_call_now(call_to("http://nonexistent.invalid/secret")), FAULT_RESOLVE,
                "nonexistent.invalid:80");

    struct http_call call = call_to(url_of("http://127.0.0.1:PORT", "/ok?secret"));
    call.family = 6;
    check_error(fetch_call_now(call), FAULT_RESOLVE, "No IPv6 address");
    call.family = 4;
    CHECK(fetch_call_now(call)->status == 200);
    call.interface = TEXT("lo");
    CHECK(fetch_call_now(call)->status == 200);
    call.interface = TEXT("nosuch0");
    check_error(fetch_call_now(call), FAULT_CONNECT, "nosuch0");
    call.interface = TEXT("a-name-that-is-too-long");
    check_error(fetch_call_now(call), FAULT_CONNECT, "a-name-that-is-too-long");
}

/* What cannot be a call is refused before any socket is opened. */
static void test_malformed(void)
{
    static const char *const urls[] = {"",
                                       "nonsense",
                                       "example.com/secret",
                                       "ftp://example.com/",
                                       "http://",
                                       "smtp://x/",
                                       "file:///etc/secret",
                                       "http://a b/",
                                       "http://:80/",
                                       "http://x:99999/",
                                       "HTTP:/x\n",
                                       "http://x\n/secret"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        check_error(fetch_call_now(call_to(urls[i])), FAULT_URL, "URL");
    }

    struct http_call call = call_to(url_of("http://127.0.0.1:PORT", "/ok"));
    call.url.bytes -= 1;
    ((char *)(uintptr_t)call.url.data)[call.url.bytes - 1] = '\0';
    check_error(fetch_call_now(call), FAULT_URL, "URL");

    static const char *const fields[] = {"secret", "X: secret\rY: b\n", ": secret\n", "X: \x01\n",
                                         "X: a\n\n"};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        call = call_to(url_of("http://127.0.0.1:PORT", "/ok"));
        call.fields = text_of(fields[i]);
        check_error(fetch_call_now(call), FAULT_OTHER, "Name: value");
    }
    static const char *const methods[] = {"", "get", "GET /secret", "GET\r\n", "ABCDEFGHIJKLMNOPQ"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        call = call_to(url_of("http://127.0.0.1:PORT", "/ok"));
        call.method = text_of(methods[i]);
        check_error(fetch_call_now(call), FAULT_OTHER, "method");
    }
}

static struct outcome *get_guarded(const char *host_form)
{
    struct http_call call = call_to(url_of(host_form, "/ok?secret"));
    call.is_guarded = true;
    return fetch_call_now(call);
}

/* No spelling of an inner address gets past the guard, not even on a connection that is already
 * open. */
static void test_guard(void)
{
    static const char *const inner[] = {
        "http://127.0.0.1:PORT",
        "http://127.1:PORT",
        "http://2130706433:PORT",
        "http://0x7f000001:PORT",
        "http://0177.0.0.1:PORT",
        "http://localhost:PORT",
        "http://0.0.0.0:PORT",
        "http://[::1]:PORT",
        "http://[::]:PORT",
        "http://[::ffff:127.0.0.1]:PORT",
        "http://[64:ff9b::7f00:1]:PORT",
        "http://[64:ff9b::a00:1]:PORT",
        "http://[2002:7f00:1::]:PORT",
        "http://[64:ff9b:1::7f00:1]:PORT",
        "http://169.254.169.254",
        "http://10.0.0.1",
        "http://100.64.0.1",
        "http://[fd00::1]",
        "http://[fe80::1]",
        "http://224.0.0.1",
        "http://[::127.0.0.1]:PORT",
        "http://255.255.255.255",
    };
    CHECK(get("/ok")->status == 200);
    unsigned seen = loopback_seen_count(server);
    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++) {
        struct outcome *o = get_guarded(inner[i]);
        check_error(o, FAULT_ADDRESS, "net.allow_private");
        if (o->fault != FAULT_ADDRESS) printf("    %s\n", inner[i]);
    }
    CHECK(loopback_seen_count(server) == seen);
}

/* Networks of net.allow_private are reached, in any spelling of their addresses, and only they. */
static void test_guard_allows(void)
{
    struct ip_network networks[2];
    CHECK(ip_network_parse(TEXT("10.0.0.0/8"), &networks[0]));
    CHECK(ip_network_parse(TEXT("127.0.0.1/32"), &networks[1]));
    open_with((struct fetch_settings){.allowed = networks, .allowed_count = 2});
    CHECK(get_guarded("http://127.0.0.1:PORT")->status == 200);
    CHECK(get_guarded("http://2130706433:PORT")->status == 200);
    CHECK(get_guarded("http://[::ffff:127.0.0.1]:PORT")->status == 200);
    check_error(get_guarded("http://127.0.0.2:PORT"), FAULT_ADDRESS, "127.0.0.2");
    check_error(get_guarded("http://[::1]:PORT"), FAULT_ADDRESS, "::1");
    close_it();
}

/* TLS calls that cannot work say why; what needs certificates is in tests/api. */
static void test_tls_refusals(void)
{
    open_with((struct fetch_settings){.ca_file = "/nonexistent/bundle.pem"});
    check_error(fetch_call_now(call_to(url_of("https://127.0.0.1:PORT", "/secret"))), FAULT_TLS,
                "IP address");
    check_error(fetch_call_now(call_to(url_of("https://[::1]:PORT", "/secret"))), FAULT_TLS,
                "IP address");
    CHECK(strcmp(fetcher_ca_file(fetcher), "/nonexistent/bundle.pem") == 0);
    check_error(fetch_call_now(call_to(url_of("https://localhost:PORT", "/secret"))), FAULT_TLS,
                "/nonexistent/bundle.pem");
    CHECK(get("/ok")->status == 200); /* plain HTTP needs none */
    close_it();
}

/* A server that answers a TLS handshake in plain text is named as such. Needs the system's
 * bundle. */
static void test_tls_of_plain_server(void)
{
    if (trust_find_file() == NULL) {
        printf("    no CA bundle on this machine: test_tls_of_plain_server is left out\n");
        return;
    }
    struct http_call call = call_to(url_of("https://localhost:PORT", "/secret"));
    call.timeout_ms = 2000;
    call.family = 4;
    struct loopback *http = server;
    begin();
    struct outcome *o = fetch_call_now(call);
    /* The test server waits for the end of a head that never comes. */
    check_error(o, FAULT_TIMEOUT, "TLS handshake");
    CHECK(server == http);
}

int main(void)
{
    fetch_tests_open();
    test_timeout_and_cut();
    test_too_long();
    test_no_connection();
    test_malformed();
    test_guard();
    test_tls_of_plain_server();
    close_it();
    test_guard_allows();
    test_tls_refusals();
    open_with((struct fetch_settings){0});
    return fetch_tests_end();
}
