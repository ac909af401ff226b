/* core/url.c: hosts with ports, base URLs, the Host field. */
#include "core/url.h"

#include "unit.h"

/* Each form of host and port is taken apart as its writer meant it. */
static void test_host_port(void)
{
    static const struct {
        const char *text, *host;
        bool is_bracketed, has_port;
        unsigned port;
    } rows[] = {
        {"ns.example.com", "ns.example.com", false, false, 0},
        {"ns.example.com:53", "ns.example.com", false, true, 53},
        {"192.0.2.1:0", "192.0.2.1", false, true, 0},
        {"192.0.2.1:65535", "192.0.2.1", false, true, 65535},
        {"[2001:db8::1]", "2001:db8::1", true, false, 0},
        {"[2001:db8::1]:5353", "2001:db8::1", true, true, 5353},
        {"2001:db8::1", "2001:db8::1", false, false, 0},
        {"::", "::", false, false, 0},
        {":53", "", false, true, 53},
        {"[]:53", "", true, true, 53},
        {"", "", false, false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct host_port is;
        CHECK(host_port_read(text_of(rows[i].text), &is));
        CHECK_TEXT(is.host, rows[i].host);
        CHECK(is.is_bracketed == rows[i].is_bracketed && is.has_port == rows[i].has_port);
        CHECK(is.port == rows[i].port);
    }
    struct host_port none;
    CHECK(host_port_read(TEXT_NONE, &none) && none.host.bytes == 0 && !none.has_port);
}

/* What stands behind a host is a port, or the whole is refused. */
static void test_host_port_refusals(void)
{
    static const char *const bad[] = {
        "host:",     "host:65536",  "host:+1",   "host: 1",   "host:1 ",
        "host:http", "[2001:db8::", "[::1]53",   "[::1]x:53", "[::1]:",
        "[::1]:x",   "[",           "[::1]::53", "[::1]:5:3", "host:99999999999999999999",
    };
    struct host_port is;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (!CHECK(!host_port_read(text_of(bad[i]), &is))) printf("    %s\n", bad[i]);
    }
}

/* A path can be put behind the base, whatever slashes it was written with. */
static void test_base(void)
{
    CHECK_TEXT(url_base(TEXT("https://example.com")), "https://example.com");
    CHECK_TEXT(url_base(TEXT("https://example.com/dns//")), "https://example.com/dns");
    CHECK_TEXT(url_base(TEXT("//")), "");
    CHECK_TEXT(url_base(TEXT_NONE), "");
}

/* What is signed as the host is what the client sends: without the scheme's own port, with any other. */
static void test_host_field(void)
{
    CHECK_TEXT(url_authority(TEXT("https://dns.example.com:443/v1?x=/")), "dns.example.com:443");
    CHECK_TEXT(url_authority(TEXT("http://127.0.0.1:8053")), "127.0.0.1:8053");
    CHECK_TEXT(url_authority(TEXT("dns.example.com/v1")), "dns.example.com");
    CHECK_TEXT(url_authority(TEXT("https://")), "");
    CHECK_TEXT(url_authority(TEXT_NONE), "");
    CHECK_TEXT(url_host_field(TEXT("https://dns.example.com:443/v1")), "dns.example.com");
    CHECK_TEXT(url_host_field(TEXT("https://dns.example.com:80/")), "dns.example.com:80");
    CHECK_TEXT(url_host_field(TEXT("http://dns.example.com:80")), "dns.example.com");
    CHECK_TEXT(url_host_field(TEXT("http://[::1]:443")), "[::1]:443");
    CHECK_TEXT(url_host_field(TEXT_NONE), "");
}

int main(void)
{
    test_host_port();
    test_host_port_refusals();
    test_base();
    test_host_field();
    return unit_end();
}
