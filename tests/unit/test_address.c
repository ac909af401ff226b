/* core/address.c: forms of addresses, what they are for, networks, prefix and suffix. */
#include "core/address.h"

#include "unit.h"

static struct text formatted(const char *from, char out[IP_TEXT_SIZE])
{
    struct ip_address address;
    if (!ip_parse(text_of(from), &address)) return TEXT("refused");
    return ip_format(&address, out);
}

/* What goes in comes out in the one form of RFC 5952, and that form stays as it is. */
static void test_forms(void)
{
    static const char *const pairs[][2] = {
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"203.0.113.7", "203.0.113.7"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"0:0:0:0:0:0:0:0", "::"},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"fe80:0000:0000:0000:0204:61ff:fe9d:f156", "fe80::204:61ff:fe9d:f156"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
        {"::FFFF:C000:201", "::ffff:192.0.2.1"},
        {"::192.0.2.1", "::c000:201"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
        {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
        {"0000:0000:0000:0000:0000:ffff:255.255.255.255", "::ffff:255.255.255.255"},
    };
    char out[IP_TEXT_SIZE];
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        CHECK_TEXT(formatted(pairs[i][0], out), pairs[i][1]);
        CHECK_TEXT(formatted(pairs[i][1], out), pairs[i][1]);
    }
    struct ip_address none = {0};
    CHECK(ip_format(&none, out).bytes == 0 && out[0] == '\0');
}

/* Everything that some readers let through is refused, and leaves no address behind. */
static void test_refusals(void)
{
    static const char *const bad[] = {
        "",
        " ",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.",
        ".1.2.3",
        "1..2.3",
        "1.2.3.4.",
        "256.1.1.1",
        "1.2.3.256",
        "1.2.3.1000",
        "01.2.3.4",
        "1.2.3.04",
        "00.0.0.0",
        "0x1.2.3.4",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.-4",
        "+1.2.3.4",
        "1.2.3.4/32",
        "1.2.3.a",
        "1.2.3.4:80",
        "2130706433",
        "127.1",
        ":",
        ":::",
        "::1::",
        "1::2::3",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8",
        "1:2:3:4::5:6:7:8",
        ":1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:",
        ":1::",
        "::1:",
        "12345::",
        "2001:db8::0:1:1:1:1:1",
        "g::",
        "::1%eth0",
        "[::1]",
        "::1/128",
        "::1 ",
        "1.2.3.4::",
        "::1.2.3.4:1",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::1.2.3",
        "::256.2.3.4",
        "::01.2.3.4",
        "::ffff:1.2.3.4.5",
        "localhost",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
        "::-1",
        "::0x1",
    };
    struct ip_address address;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        memset(&address, 0xff, sizeof address);
        if (!CHECK(!ip_parse(text_of(bad[i]), &address))) printf("    %s\n", bad[i]);
        CHECK(address.family == 0);
    }
    CHECK(!ip_parse(TEXT_NONE, &address));
    CHECK(!ip_parse((struct text){"1.2.3.4\0", 8}, &address));
}

/* One address in, one at each edge, one just outside of every special network. */
static void test_classes(void)
{
    static const struct {
        const char *address;
        enum ip_class wanted;
    } rows[] = {
        {"0.0.0.0", IP_UNSPECIFIED},
        {"0.0.0.1", IP_RESERVED},
        {"0.255.255.255", IP_RESERVED},
        {"1.0.0.0", IP_GLOBAL},
        {"1.1.1.1", IP_GLOBAL},
        {"9.255.255.255", IP_GLOBAL},
        {"10.0.0.0", IP_PRIVATE},
        {"10.255.255.255", IP_PRIVATE},
        {"11.0.0.0", IP_GLOBAL},
        {"100.63.255.255", IP_GLOBAL},
        {"100.64.0.0", IP_PRIVATE},
        {"100.100.100.200", IP_PRIVATE},
        {"100.127.255.255", IP_PRIVATE},
        {"100.128.0.0", IP_GLOBAL},
        {"127.0.0.1", IP_LOOPBACK},
        {"127.255.255.255", IP_LOOPBACK},
        {"128.0.0.0", IP_GLOBAL},
        {"169.253.255.255", IP_GLOBAL},
        {"169.254.169.254", IP_LINK_LOCAL},
        {"169.255.0.0", IP_GLOBAL},
        {"172.15.255.255", IP_GLOBAL},
        {"172.16.0.0", IP_PRIVATE},
        {"172.31.255.255", IP_PRIVATE},
        {"172.32.0.0", IP_GLOBAL},
        {"192.0.0.8", IP_RESERVED},
        {"192.0.1.0", IP_GLOBAL},
        {"192.0.2.1", IP_DOCUMENTATION},
        {"192.0.3.0", IP_GLOBAL},
        {"192.88.99.1", IP_RESERVED},
        {"192.168.0.0", IP_PRIVATE},
        {"192.168.255.255", IP_PRIVATE},
        {"192.169.0.0", IP_GLOBAL},
        {"198.17.255.255", IP_GLOBAL},
        {"198.18.0.0", IP_RESERVED},
        {"198.19.255.255", IP_RESERVED},
        {"198.20.0.0", IP_GLOBAL},
        {"198.51.100.255", IP_DOCUMENTATION},
        {"203.0.113.0", IP_DOCUMENTATION},
        {"203.0.114.0", IP_GLOBAL},
        {"223.255.255.255", IP_GLOBAL},
        {"224.0.0.1", IP_MULTICAST},
        {"239.255.255.255", IP_MULTICAST},
        {"240.0.0.0", IP_RESERVED},
        {"255.255.255.255", IP_RESERVED},
        {"::", IP_UNSPECIFIED},
        {"::1", IP_LOOPBACK},
        {"::2", IP_RESERVED},
        {"::192.0.2.1", IP_RESERVED},
        {"::ffff:8.8.8.8", IP_V4_MAPPED},
        {"::ffff:127.0.0.1", IP_V4_MAPPED},
        {"::fffe:8.8.8.8", IP_RESERVED},
        {"64:ff9b::8.8.8.8", IP_NAT64},
        {"64:ff9b:1::1", IP_NAT64},
        {"64:ff9b:2::1", IP_RESERVED},
        {"100::1", IP_RESERVED},
        {"1fff::1", IP_RESERVED},
        {"2000::1", IP_GLOBAL},
        {"2001::1", IP_RESERVED},
        {"2001:1ff::1", IP_RESERVED},
        {"2001:200::1", IP_GLOBAL},
        {"2001:db7:ffff::", IP_GLOBAL},
        {"2001:db8::1", IP_DOCUMENTATION},
        {"2001:db9::", IP_GLOBAL},
        {"2002:c000:201::1", IP_6TO4},
        {"2003::1", IP_GLOBAL},
        {"2606:4700::1111", IP_GLOBAL},
        {"3fff:fff:ffff::", IP_DOCUMENTATION},
        {"3fff:1000::", IP_GLOBAL},
        {"4000::", IP_RESERVED},
        {"fbff::", IP_RESERVED},
        {"fc00::1", IP_PRIVATE},
        {"fd00:ec2::254", IP_PRIVATE},
        {"fe00::1", IP_RESERVED},
        {"fe80::1", IP_LINK_LOCAL},
        {"febf::1", IP_LINK_LOCAL},
        {"fec0::1", IP_RESERVED},
        {"ff02::1", IP_MULTICAST},
    };
    struct ip_address address = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK(ip_parse(text_of(rows[i].address), &address));
        bool is_usable = rows[i].wanted == IP_GLOBAL || rows[i].wanted == IP_DOCUMENTATION;
        if (!CHECK(ip_class(&address) == rows[i].wanted)) {
            printf("    %s is %s\n", rows[i].address, ip_class_name(ip_class(&address)));
        }
        CHECK(ip_is_global(&address) == is_usable);
    }
    address.family = 0;
    CHECK(ip_class(&address) == IP_RESERVED && !ip_is_global(&address));
    for (unsigned c = IP_GLOBAL; c <= IP_RESERVED; c++) {
        CHECK(ip_class_name((enum ip_class)c)[0] != '\0');
    }
    CHECK(strcmp(ip_class_name(IP_LINK_LOCAL), "link-local") == 0);
}

static void test_unmap_and_equal(void)
{
    struct ip_address mapped;
    struct ip_address plain;
    struct ip_address ipv6;
    CHECK(ip_parse(TEXT("::ffff:192.0.2.1"), &mapped) && ip_parse(TEXT("192.0.2.1"), &plain));
    CHECK(ip_parse(TEXT("2001:db8::1"), &ipv6));
    CHECK(!ip_equal(&mapped, &plain));
    mapped = ip_unmap(&mapped);
    CHECK(ip_equal(&mapped, &plain));
    mapped = ip_unmap(&plain);
    CHECK(ip_equal(&mapped, &plain));
    mapped = ip_unmap(&ipv6);
    CHECK(ip_equal(&mapped, &ipv6));
    CHECK(!ip_equal(&plain, &ipv6));
}

static bool network_has(const char *network_text, const char *address_text)
{
    struct ip_network network;
    struct ip_address address;
    return CHECK(ip_network_parse(text_of(network_text), &network)) &&
           CHECK(ip_parse(text_of(address_text), &address)) && ip_network_has(&network, &address);
}

static void test_networks(void)
{
    static const char *const bad[] = {
        "",
        "/",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/08",
        "10.0.0.0/8/8",
        "10.0.0.1/8",
        "10.0.0.0/ 8",
        "10.0.0/8",
        "10.0.0.128/24",
        "::/129",
        "2001:db8::1/64",
        "::1/127",
        "fe80::%1/64",
        "0.0.0.0/00",
        "10.0.0.0/255.0.0.0",
        "10.0.0.0/18446744073709551616",
    };
    struct ip_network network;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (!CHECK(!ip_network_parse(text_of(bad[i]), &network))) printf("    %s\n", bad[i]);
    }
    CHECK(network_has("10.0.0.0/8", "10.255.0.1") && !network_has("10.0.0.0/8", "11.0.0.0"));
    CHECK(network_has("192.0.2.128/25", "192.0.2.255") &&
          !network_has("192.0.2.128/25", "192.0.2.127"));
    CHECK(network_has("100.64.0.0/10", "100.127.0.1") &&
          !network_has("100.64.0.0/10", "100.128.0.1"));
    CHECK(network_has("192.0.2.7", "192.0.2.7") && !network_has("192.0.2.7", "192.0.2.6"));
    CHECK(network_has("0.0.0.0/0", "203.0.113.1") && !network_has("0.0.0.0/0", "::1"));
    CHECK(network_has("::/0", "fe80::1") && !network_has("::/0", "127.0.0.1"));
    CHECK(network_has("fc00::/7", "fdff::1") && !network_has("fc00::/7", "fe00::1"));
    CHECK(network_has("2001:db8::1", "2001:db8:0::1") &&
          !network_has("2001:db8::1", "2001:db8::2"));
    CHECK(!network_has("127.0.0.0/8", "::ffff:127.0.0.1"));

    struct ip_address none = {0};
    memset(&network, 0, sizeof network);
    CHECK(!ip_network_has(&network, &none));
}

static struct text combined(const char *prefix_text, const char *suffix, char out[IP_TEXT_SIZE])
{
    struct ip_address prefix;
    struct ip_address address;
    if (!ip_parse(text_of(prefix_text), &prefix)) return TEXT("bad prefix");
    if (ip_prefix_combine(&prefix, text_of(suffix), &address)) return ip_format(&address, out);
    return address.family == 0 ? TEXT("refused") : TEXT("refused, but left an address");
}

/* Many hosts behind one prefix: every way to name the host's half, and what is none. */
static void test_prefix(void)
{
    static const char *const bad[] = {
        "",
        "::",
        "0:0:0:0",
        "1:2:3",
        "1:2:3:4:5",
        "1:2:3:4:5:6",
        "::1:2:3:4:5",
        "1::2",
        "1:2:3:4::",
        ":1:2:3:4",
        "1234",
        "::12345",
        "::1/64",
        "1:2:3:g",
        "aa:bb:cc:dd:ee",
        "aa:bb:cc:dd:ee:ff:00",
        "aa:bb:cc:dd:ee:fg",
        "aa-bb:cc-dd:ee-ff",
        "a:bb:cc:dd:ee:fff",
        "aabb.ccdd.eeff",
        "01:00:5e:00:00:01",
        "192.0.2.1",
        "aa:bb:cc:dd:ee:f",
        ":::1",
        "2001:db8::1",
        "1:2:1.2.3.4",
    };
    char out[IP_TEXT_SIZE];
    struct text reason;
    CHECK_TEXT(combined("2001:db8:1:2::", "::1234", out), "2001:db8:1:2::1234");
    CHECK_TEXT(combined("2001:db8:1:2:3:4:5:6", "::1", out), "2001:db8:1:2::1");
    CHECK_TEXT(combined("2001:db8:1:2::", "1:2:3:4", out), "2001:db8:1:2:1:2:3:4");
    CHECK_TEXT(combined("2001:db8:1:2::", "::1:2:3:4", out), "2001:db8:1:2:1:2:3:4");
    CHECK_TEXT(combined("2001:db8:1:2::", "::192.0.2.1", out), "2001:db8:1:2::c000:201");
    CHECK_TEXT(combined("2001:db8::", "0:0:0:7", out), "2001:db8::7");
    CHECK_TEXT(combined("2001:db8:1:2::", "34:56:78:9A:bc:de", out),
               "2001:db8:1:2:3656:78ff:fe9a:bcde");
    CHECK_TEXT(combined("2001:db8:1:2::", "52-54-00-12-34-56", out),
               "2001:db8:1:2:5054:ff:fe12:3456");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reason = TEXT_NONE;
        if (!CHECK(!ip_suffix_check(text_of(bad[i]), &reason) && reason.bytes > 0))
            printf("    %s\n", bad[i]);
        CHECK_TEXT(combined("2001:db8:1:2::", bad[i], out), "refused");
    }
    CHECK_TEXT(combined("192.0.2.1", "::1", out), "refused");
    CHECK(ip_suffix_check(TEXT("::1"), NULL) && !ip_suffix_check(TEXT("x"), NULL));
    CHECK(!ip_suffix_check(TEXT_NONE, NULL));

    /* In place: prefix and result may be one. */
    struct ip_address address;
    CHECK(ip_parse(TEXT("2001:db8:1:2::9"), &address));
    CHECK(ip_prefix_combine(&address, TEXT("::5"), &address));
    CHECK_TEXT(ip_format(&address, out), "2001:db8:1:2::5");
}

int main(void)
{
    test_forms();
    test_refusals();
    test_classes();
    test_unmap_and_equal();
    test_networks();
    test_prefix();
    return unit_end();
}
