/* ddns/dns_name.c and rdata.c: names, and values of the eight types between people and the wire. */
#include "ddns/dns_name.h"
#include "ddns/rdata.h"

#include "unit.h"

enum { LONG_SIZE = 5000 };

static char long_buffer[LONG_SIZE];

/* count times `c`, good until the next call. */
static struct text repeated(char c, size_t count)
{
    memset(long_buffer, c, count);
    return (struct text){long_buffer, count};
}

/* ---- types ---- */

static void test_types(void)
{
    static const char *const names[] = {"A", "AAAA", "CNAME", "MX", "TXT", "NS", "SRV", "CAA"};
    enum dns_type type;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        CHECK(dns_type_from_name(text_of(names[i]), &type));
        CHECK(strcmp(dns_type_name(type), names[i]) == 0);
        CHECK(dns_type_has_rdata(type));
    }
    CHECK(dns_type_from_name(TEXT("cname"), &type) && type == DNS_CNAME);
    CHECK(dns_type_from_name(TEXT("SOA"), &type) && type == DNS_SOA && !dns_type_has_rdata(type));
    CHECK(!dns_type_from_name(TEXT(""), &type));
    CHECK(!dns_type_from_name(TEXT("PTR"), &type));
    CHECK(!dns_type_from_name(TEXT("A "), &type));
    CHECK(dns_type_name(0) == NULL && dns_type_name(65535) == NULL && !dns_type_has_rdata(12));
    CHECK(strcmp(dns_type_name(250), "TSIG") == 0 && strcmp(dns_type_name(252), "AXFR") == 0);
}

/* ---- names ---- */

static bool name_is_refused(const char *name)
{
    struct text reason = TEXT_NONE;
    return !dns_name_check(text_of(name), &reason) && text_starts(reason, TEXT("must "));
}

static void test_name_check(void)
{
    static const char *const good[] = {
        "example.com",
        "example.com.",
        "lan",
        "a.b.c.d.e",
        "_acme-challenge.example.com",
        "xn--bcher-kva.example",
        "1.example",
        "EXAMPLE.Com",
        "2.0.192.in-addr.arpa",
        "a--b.example",
        "1a",
        "_",
        "x1.2y",
    };
    static const char *const bad[] = {
        "",
        ".",
        "..",
        ".example.com",
        "example..com",
        "example.com..",
        "-a.example",
        "a-.example",
        "a b.example",
        "*.example.com",
        "@",
        "192.0.2.1",
        "192.0.2.1.",
        "2001:db8::1",
        "::1",
        "b\303\274cher.example",
        "a\\.b.example",
        "example.123",
        "123",
        "http://example.com",
        "example.com/",
        "a\"b.example",
        "a;b.example",
        "a.example\n",
        " a.example",
        "example.com:53",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!CHECK(dns_name_check(text_of(good[i]), NULL))) printf("    %s\n", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (!CHECK(name_is_refused(bad[i]))) printf("    %s\n", bad[i]);
    }
    CHECK(!dns_name_check(TEXT_NONE, NULL));
    CHECK(!dns_name_check((struct text){"a\0b.example", 11}, NULL));
}

/* 63 bytes in a label and 253 in a name are the last that go. */
static void test_name_limits(void)
{
    uint8_t wire[DNS_NAME_WIRE_MAX];
    size_t bytes;
    CHECK(dns_name_check(repeated('a', 63), NULL) && !dns_name_check(repeated('a', 64), NULL));
    CHECK(dns_owner_check(repeated('a', 63), NULL) && !dns_owner_check(repeated('a', 64), NULL));
    CHECK(dns_name_to_wire(repeated('a', 63), wire, &bytes) && bytes == 65);
    CHECK(!dns_name_to_wire(repeated('a', 64), wire, &bytes));

    struct text name = repeated('a', 254);
    for (size_t i = 63; i < 254; i += 64) {
        long_buffer[i] = '.';
    }
    name.bytes = 253;
    CHECK(dns_name_check(name, NULL) && dns_name_to_wire(name, wire, &bytes) && bytes == 255);
    name.bytes = 254;
    CHECK(!dns_name_check(name, NULL) && !dns_owner_check(name, NULL) &&
          !dns_name_to_wire(name, wire, &bytes));
    long_buffer[253] = '.';
    CHECK(dns_name_check(name, NULL) && dns_name_to_wire(name, wire, &bytes) && bytes == 255);

    /* 127 labels of one byte fill a name, too. */
    for (size_t i = 1; i < 254; i += 2) {
        long_buffer[i - 1] = 'a';
        long_buffer[i] = '.';
    }
    CHECK(dns_name_to_wire((struct text){long_buffer, 253}, wire, &bytes) && bytes == 255);
    CHECK(!dns_name_to_wire((struct text){long_buffer, 255}, wire, &bytes));
}

static void test_owner_check(void)
{
    static const char *const good[] = {
        "@",         "*", "*.a",     "*.a.b",         "www", "a.b", "_acme-challenge",
        "_sip._tcp", "1", "1.2.3.4", "xn--bcher-kva",
    };
    static const char *const bad[] = {
        "",      ".",   "www.", "*.", "**", "*a",   "a*", "a.*", "*.*",
        "*.*.a", "@.a", "a.@",  "-a", "a-", "a..b", ".a", "a b", "b\303\274cher",
        "a\\.b", "\"",  "a/b",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!CHECK(dns_owner_check(text_of(good[i]), NULL))) printf("    %s\n", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct text reason = TEXT_NONE;
        bool is_refused =
            !dns_owner_check(text_of(bad[i]), &reason) && text_starts(reason, TEXT("must "));
        if (!CHECK(is_refused)) printf("    %s\n", bad[i]);
    }
    CHECK(!dns_owner_check(TEXT_NONE, NULL));
}

/* Joining and splitting are each other's way back. */
static void test_join_and_split(void)
{
    char out[DNS_NAME_SIZE];
    struct text owner;
    CHECK_TEXT(dns_name_join(TEXT("WWW"), TEXT("Example.COM."), out), "www.example.com");
    CHECK(strcmp(out, "www.example.com") == 0);
    CHECK_TEXT(dns_name_join(TEXT("@"), TEXT("Example.com"), out), "example.com");
    CHECK_TEXT(dns_name_join(TEXT("*.a"), TEXT("lan"), out), "*.a.lan");
    CHECK(dns_name_join(TEXT(""), TEXT("example.com"), out).bytes == 0);
    CHECK(dns_name_join(TEXT("www"), TEXT(""), out).bytes == 0 && out[0] == '\0');
    CHECK(dns_name_join(repeated('a', 249), TEXT("lan"), out).bytes == 253);
    CHECK(dns_name_join(repeated('a', 250), TEXT("lan"), out).bytes == 0);
    CHECK(dns_name_join((struct text){"a", SIZE_MAX}, TEXT("lan"), out).bytes == 0);
    CHECK(dns_name_join(TEXT("@"), repeated('a', 254), out).bytes == 0);

    CHECK(dns_name_split(TEXT("a.b.Example.com."), TEXT("example.com"), &owner));
    CHECK_TEXT(owner, "a.b");
    CHECK(dns_name_split(TEXT("example.com"), TEXT("EXAMPLE.com."), &owner));
    CHECK_TEXT(owner, "@");
    CHECK(!dns_name_split(TEXT("badexample.com"), TEXT("example.com"), &owner));
    CHECK(!dns_name_split(TEXT(".example.com"), TEXT("example.com"), &owner));
    CHECK(!dns_name_split(TEXT("com"), TEXT("example.com"), &owner));
    CHECK(!dns_name_split(TEXT("example.com"), TEXT(""), &owner));

    CHECK(dns_name_equal(TEXT("A.example."), TEXT("a.EXAMPLE")));
    CHECK(!dns_name_equal(TEXT("a.example"), TEXT("b.example")));
    CHECK(dns_name_equal(TEXT("."), TEXT(".")));
}

/* Names of any bytes survive the trip over the wire. */
static void test_name_wire(void)
{
    static const char *const same[] = {"example.com", "*.a.example",     "_x-y.example",
                                       ".",           "a\\046b.example", "\\000\\255\\032.example",
                                       "\\092.x"};
    static const char *const bad[] = {"",         "..",  "a..b", ".a",       "a\\",        "a\\25",
                                      "a\\256.b", "a b", "a\tb", "a\\\001b", "\xc3\xa9.b", "a\x7f"};
    uint8_t wire[DNS_NAME_WIRE_MAX];
    char shown[DNS_NAME_SHOWN_SIZE];
    size_t bytes;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        if (CHECK(dns_name_to_wire(text_of(same[i]), wire, &bytes))) {
            CHECK_TEXT(dns_name_show(wire, bytes, shown), same[i]);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (!CHECK(!dns_name_to_wire(text_of(bad[i]), wire, &bytes))) printf("    %s\n", bad[i]);
    }
    CHECK(dns_name_to_wire(TEXT("A\\.B.C."), wire, &bytes) && bytes == 7);
    CHECK(memcmp(wire, "\3a.b\1c", 7) == 0);
    CHECK_TEXT(dns_name_show(wire, bytes, shown), "a\\046b.c");

    /* Every byte escaped at the greatest length fits DNS_NAME_SHOWN_SIZE. */
    uint8_t message[DNS_NAME_WIRE_MAX] = {0};
    size_t offset = 0;
    for (size_t i = 0; i < 192; i += 64) {
        message[i] = 63;
    }
    message[192] = 61;
    CHECK(dns_name_from_wire(message, sizeof message, &offset, wire, &bytes) && bytes == 255 &&
          offset == 255);
    CHECK(dns_name_show(wire, bytes, shown).bytes == 250 * 4 + 3);
}

static bool unpacks(const char *message, size_t message_bytes, size_t offset, const char *wanted,
                    size_t end)
{
    uint8_t wire[DNS_NAME_WIRE_MAX];
    char shown[DNS_NAME_SHOWN_SIZE];
    size_t bytes;
    size_t at = offset;
    if (!dns_name_from_wire((const uint8_t *)message, message_bytes, &at, wire, &bytes)) {
        return wanted == NULL && at == offset;
    }
    return wanted != NULL && at == end &&
           text_equal(dns_name_show(wire, bytes, shown), text_of(wanted));
}

/* Compression pointers go strictly backwards; everything else is refused, and nothing is
 * over-read. */
static void test_name_compression(void)
{
    static const char message[] = "\1A\1b\0\1c\xc0\2\xc0\5\xc0\7";
    CHECK(unpacks(message, 5, 0, "a.b", 5));
    CHECK(unpacks(message, 9, 5, "c.b", 9));
    CHECK(unpacks(message, 11, 9, "c.b", 11));
    CHECK(unpacks(message, 13, 11, "b", 13)); /* a pointer to a pointer */
    CHECK(unpacks(message, 4, 0, NULL, 0));   /* no end */
    CHECK(unpacks(message, 1, 0, NULL, 0));
    CHECK(unpacks(message, 0, 0, NULL, 0));
    CHECK(unpacks(message, 5, 5, NULL, 0));
    CHECK(unpacks(message, 8, 5, NULL, 0));          /* half a pointer */
    CHECK(unpacks("\xc0\0", 2, 0, NULL, 0));         /* to itself */
    CHECK(unpacks("\0\xc0\3\xc0\1", 5, 1, NULL, 0)); /* forward */
    CHECK(unpacks("\0\xc0\3\xc0\1", 5, 3, NULL, 0)); /* back and forward */
    CHECK(unpacks("\1a\xc0\0", 4, 0, NULL, 0));      /* a label, then round again */
    CHECK(unpacks("\1a\xc0\0", 4, 2, NULL, 0));
    CHECK(unpacks("\x40", 1, 0, NULL, 0)); /* reserved label types */
    CHECK(unpacks("\x80\0", 2, 0, NULL, 0));
    CHECK(unpacks("\x41\0\0", 3, 0, NULL, 0));
    CHECK(unpacks("\0", 1, 0, ".", 1));
    CHECK(unpacks("\0\xc0\0", 3, 1, ".", 3));

    /* A chain of pointers past 255 bytes of name. */
    uint8_t chain[512];
    uint8_t wire[DNS_NAME_WIRE_MAX];
    size_t bytes;
    size_t end = 0;
    chain[end++] = 0;
    for (size_t before = 0; end + 66 <= sizeof chain;) {
        size_t here = end;
        chain[end++] = 63;
        memset(chain + end, 'x', 63);
        end += 63;
        chain[end++] = (uint8_t)(0xc0 | before >> 8);
        chain[end++] = (uint8_t)before;
        before = here;
        size_t offset = here;
        CHECK(dns_name_from_wire(chain, end, &offset, wire, &bytes) == (end <= 1 + 3 * 66));
    }
}

/* ---- values ---- */

static const struct {
    enum dns_type type;
    const char *value;
    const char *normal;
} good_values[] = {
    {DNS_A, "203.0.113.7", "203.0.113.7"},
    {DNS_A, "10.0.0.1", "10.0.0.1"},
    {DNS_AAAA, "2001:DB8:0:0::7", "2001:db8::7"},
    {DNS_AAAA, "::ffff:192.0.2.1", "::ffff:192.0.2.1"},
    {DNS_CNAME, "Host.Example.COM.", "host.example.com"},
    {DNS_CNAME, "_x.acm.example", "_x.acm.example"},
    {DNS_NS, "ns1.example.com", "ns1.example.com"},
    {DNS_MX, "Mail.Example.com.", "mail.example.com"},
    {DNS_MX, ".", "."},
    {DNS_SRV, "5 443 Host.example.com.", "5 443 host.example.com"},
    {DNS_SRV, " 0\t65535   h.example ", "0 65535 h.example"},
    {DNS_SRV, "0 0 .", "0 0 ."},
    {DNS_CAA, "0 issue \"letsencrypt.org\"", "0 issue \"letsencrypt.org\""},
    {DNS_CAA, "128 IssueWild ;", "128 issuewild \";\""},
    {DNS_CAA, "0 iodef \"mailto:a\\\"b@example.com\"", "0 iodef \"mailto:a\\\"b@example.com\""},
    {DNS_CAA, "0  issue   \"ca.example; validationmethods=dns-01\"",
     "0 issue \"ca.example; validationmethods=dns-01\""},
    {DNS_CAA, "0 issue \"\"", "0 issue \"\""},
    {DNS_TXT, "v=spf1 include:example.com ~all", "v=spf1 include:example.com ~all"},
    {DNS_TXT, "\"v=spf1 ~all\"", "v=spf1 ~all"},
    {DNS_TXT, "\"one\" \"two\"", "onetwo"},
    {DNS_TXT, "\"one\"\"two\"  ", "onetwo"},
    {DNS_TXT, "\"\"", "\"\""},
    {DNS_TXT, "back\\slash \"inner\"", "back\\slash \"inner\""},
    {DNS_TXT, "\"\\\"quoted\\\"\"", "\"\\\"quoted\\\"\""},
    {DNS_TXT, "\"a\\\\b\\;c\"", "a\\b;c"},
    {DNS_TXT, "\"\\195\\169\"", "\xc3\xa9"},
    {DNS_TXT, "\"\\000\\255\"", "\"\\000\\255\""},
    {DNS_TXT, "\" edge \"", "\" edge \""},
    {DNS_TXT, "\"tab\\009\"", "\"tab\\009\""},
    {DNS_TXT, "gr\303\274\303\237e", "gr\303\274\303\237e"},
};

/* Each good value passes the check, has its one normal form, and comes back from the wire with its
 * priority. */
static void test_good_values(void)
{
    static char out[RDATA_VALUE_SIZE];
    for (size_t i = 0; i < sizeof good_values / sizeof good_values[0]; i++) {
        enum dns_type type = good_values[i].type;
        struct text value = text_of(good_values[i].value);
        struct text normal;
        uint8_t wire[RDATA_BYTES_MAX];
        size_t bytes;
        uint16_t priority;
        bool has_priority = type == DNS_MX || type == DNS_SRV;
        if (!CHECK(rdata_check(type, value, NULL))) printf("    %s\n", value.data);
        CHECK(rdata_normalise(type, value, out, sizeof out, &normal));
        CHECK_TEXT(normal, good_values[i].normal);
        CHECK(rdata_equal(type, value, text_of(good_values[i].normal)));

        /* The normal form is a fixed point. */
        CHECK(rdata_normalise(type, text_of(good_values[i].normal), out, sizeof out, &normal));
        CHECK_TEXT(normal, good_values[i].normal);

        CHECK(
            rdata_to_wire(type, 40000, text_of(good_values[i].normal), wire, sizeof wire, &bytes));
        CHECK(rdata_from_wire(type, wire, bytes, 0, bytes, &priority, out, sizeof out, &normal));
        CHECK_TEXT(normal, good_values[i].normal);
        CHECK(normal.data[normal.bytes] == '\0');
        CHECK(priority == (has_priority ? 40000 : 0));
        CHECK(!rdata_to_wire(type, 0, value, wire, bytes - 1, &bytes)); /* no room */
    }
}

static void test_bad_values(void)
{
    static const struct {
        enum dns_type type;
        const char *value;
        const char *word; /* of the sentence, which must help */
    } rows[] = {
        {DNS_A, "", "IPv4"},
        {DNS_A, "2001:db8::1", "IPv4"},
        {DNS_A, "203.0.113", "IPv4"},
        {DNS_A, "host.example", "IPv4"},
        {DNS_A, " 203.0.113.7", "IPv4"},
        {DNS_A, "203.0.113.07", "IPv4"},
        {DNS_AAAA, "203.0.113.7", "IPv6"},
        {DNS_AAAA, "fe80::1%eth0", "IPv6"},
        {DNS_AAAA, "[::1]", "IPv6"},
        {DNS_CNAME, "", "name"},
        {DNS_CNAME, "203.0.113.7", "not an IP"},
        {DNS_CNAME, "www", "full name"},
        {DNS_CNAME, "@", "letters"},
        {DNS_CNAME, ".", "part"},
        {DNS_CNAME, "a b.example", "letters"},
        {DNS_CNAME, "https://example.com", "letters"},
        {DNS_CNAME, "b\303\274cher.example", "xn--"},
        {DNS_NS, "192.0.2.1", "not an IP"},
        {DNS_NS, "ns1..example.com", "dots"},
        {DNS_NS, "-ns.example", "hyphen"},
        {DNS_MX, "10 mail.example.com", "priority"},
        {DNS_MX, "192.0.2.1", "not an IP"},
        {DNS_MX, "", "name"},
        {DNS_SRV, "", "weight"},
        {DNS_SRV, "443 host.example", "weight"},
        {DNS_SRV, "10 5 443 host.example", "priority"},
        {DNS_SRV, "5 65536 host.example", "65535"},
        {DNS_SRV, "-1 443 host.example", "65535"},
        {DNS_SRV, "5 443 192.0.2.1", "not an IP"},
        {DNS_SRV, "5 443", "target"},
        {DNS_SRV, "5 443 host", "full name"},
        {DNS_CAA, "", "flags"},
        {DNS_CAA, "issue \"ca.example\"", "flags"},
        {DNS_CAA, "256 issue \"x\"", "flags"},
        {DNS_CAA, "0 issue", "flags"},
        {DNS_CAA, "0 is-sue \"x\"", "flags"},
        {DNS_CAA, "0 issue \"x", "flags"},
        {DNS_CAA, "0 issue \"x\" y", "flags"},
        {DNS_CAA, "0 issue x y", "flags"},
        {DNS_CAA, "0 abcdefghijklmnop \"x\"", "flags"},
        {DNS_CAA, "0 issue \"\\25\"", "flags"},
        {DNS_CAA, "0 issue \"a\nb\"", "flags"},
        {DNS_TXT, "", "empty"},
        {DNS_TXT, "\"", "quote"},
        {DNS_TXT, "\"a", "quote"},
        {DNS_TXT, "\"a\\\"", "quote"},
        {DNS_TXT, "\"a\" b", "quote"},
        {DNS_TXT, "\"a\\256\"", "quote"},
        {DNS_TXT, "\"a\\1\"", "quote"},
        {DNS_TXT, "\"a\nb\"", "quote"},
        {DNS_TXT, "a\nb", "line"},
        {DNS_TXT, "a\tb", "line"},
        {DNS_TXT, "a\x01", "line"},
        {DNS_TXT, "\xff", "UTF-8"},
        {DNS_TXT, "\"a\\\xc3\xa9\"", "quote"},
        {DNS_SOA, "anything", "type"},
        {DNS_TSIG, "anything", "type"},
        {(enum dns_type)12, "anything", "type"},
    };
    static char out[RDATA_VALUE_SIZE];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text reason = TEXT_NONE;
        bool is_refused = !rdata_check(rows[i].type, text_of(rows[i].value), &reason);
        if (!CHECK(is_refused && text_starts(reason, TEXT("must ")) &&
                   strstr(reason.data, rows[i].word) != NULL)) {
            printf("    \"%s\": %s\n", rows[i].value, reason.data == NULL ? "taken" : reason.data);
        }
        CHECK(!rdata_check(rows[i].type, text_of(rows[i].value), NULL));
    }
    struct text normal;
    CHECK(!rdata_normalise(DNS_A, TEXT("x"), out, sizeof out, &normal));
    CHECK(
        !rdata_normalise(DNS_A, TEXT("203.0.113.7"), out, 11, &normal)); /* zero byte has no room */
    CHECK(rdata_normalise(DNS_A, TEXT("203.0.113.7"), out, 12, &normal));
    CHECK(!rdata_normalise(DNS_A, TEXT("203.0.113.7"), out, 0, &normal));
    CHECK(!rdata_check(DNS_TXT, TEXT_NONE, NULL) && !rdata_check(DNS_MX, TEXT_NONE, NULL));
    CHECK(!rdata_check(DNS_SRV, TEXT_NONE, NULL) && !rdata_check(DNS_CAA, TEXT_NONE, NULL));
}

/* Raw text is cut at 255 bytes, quoted strings keep their own cut, and the limits hold. */
static void test_txt_cut(void)
{
    static char out[RDATA_VALUE_SIZE];
    uint8_t wire[RDATA_BYTES_MAX];
    size_t bytes;
    uint16_t priority;
    struct text value;
    CHECK(rdata_to_wire(DNS_TXT, 0, repeated('k', 255), wire, sizeof wire, &bytes) &&
          bytes == 256 && wire[0] == 255);
    CHECK(rdata_to_wire(DNS_TXT, 0, repeated('k', 256), wire, sizeof wire, &bytes) &&
          bytes == 258 && wire[256] == 1);
    CHECK(rdata_from_wire(DNS_TXT, wire, bytes, 0, bytes, &priority, out, sizeof out, &value) &&
          value.bytes == 256);
    CHECK(rdata_check(DNS_TXT, repeated('k', RDATA_TXT_MAX), NULL));
    CHECK(rdata_to_wire(DNS_TXT, 0, repeated('k', RDATA_TXT_MAX), wire, sizeof wire, &bytes) &&
          bytes == RDATA_BYTES_MAX);
    struct text reason = TEXT_NONE;
    CHECK(!rdata_check(DNS_TXT, repeated('k', RDATA_TXT_MAX + 1), &reason) &&
          strstr(reason.data, "4080") != NULL);
    CHECK(!rdata_to_wire(DNS_TXT, 0, repeated('k', RDATA_TXT_MAX + 1), wire, sizeof wire, &bytes));

    /* A quoted string of 255 goes, one of 256 does not. */
    repeated('k', 258);
    long_buffer[0] = long_buffer[256] = '"';
    CHECK(rdata_check(DNS_TXT, (struct text){long_buffer, 257}, NULL));
    long_buffer[256] = 'k';
    long_buffer[257] = '"';
    CHECK(!rdata_check(DNS_TXT, (struct text){long_buffer, 258}, NULL));

    /* What a server holds in odd cuts is shown with its cuts, so that it can be deleted exactly. */
    CHECK(rdata_to_wire(DNS_TXT, 0, TEXT("\"one\" \"two\""), wire, sizeof wire, &bytes) &&
          bytes == 8);
    CHECK(rdata_from_wire(DNS_TXT, wire, bytes, 0, bytes, &priority, out, sizeof out, &value));
    CHECK_TEXT(value, "\"one\" \"two\"");
    CHECK(rdata_from_wire(DNS_TXT, (const uint8_t *)"\3one\0", 5, 0, 5, &priority, out, sizeof out,
                          &value));
    CHECK_TEXT(value, "\"one\" \"\"");
    CHECK(rdata_equal(DNS_TXT, value, TEXT("one")));

    /* The worst case of RDATA_VALUE_SIZE: every byte escaped. */
    for (size_t i = 0; i < RDATA_BYTES_MAX; i += 256) {
        memset(wire + i, 0, 256);
        wire[i] = 255;
    }
    CHECK(rdata_from_wire(DNS_TXT, wire, sizeof wire, 0, sizeof wire, &priority, out, sizeof out,
                          &value));
    size_t again_bytes;
    uint8_t again[RDATA_BYTES_MAX];
    CHECK(rdata_to_wire(DNS_TXT, 0, value, again, sizeof again, &again_bytes) &&
          again_bytes == sizeof wire);
    CHECK(memcmp(again, wire, sizeof wire) == 0);
    memset(wire, 0, sizeof wire); /* 4096 empty strings */
    CHECK(rdata_from_wire(DNS_TXT, wire, sizeof wire, 0, sizeof wire, &priority, out, sizeof out,
                          &value));
}

static void test_equal(void)
{
    CHECK(rdata_equal(DNS_AAAA, TEXT("2001:db8:0::1"), TEXT("2001:0DB8::0001")));
    CHECK(!rdata_equal(DNS_AAAA, TEXT("2001:db8::1"), TEXT("2001:db8::2")));
    CHECK(rdata_equal(DNS_CNAME, TEXT("A.example."), TEXT("a.Example")));
    CHECK(rdata_equal(DNS_TXT, TEXT("abc"), TEXT("\"a\" \"bc\"")));
    CHECK(rdata_equal(DNS_TXT, TEXT("a\"b"), TEXT("\"a\\\"b\"")));
    CHECK(!rdata_equal(DNS_TXT, TEXT("abc"), TEXT("ABC")));
    CHECK(!rdata_equal(DNS_TXT, TEXT("a b"), TEXT("\"a\" \"b\"")));
    CHECK(rdata_equal(DNS_CAA, TEXT("0 ISSUE ca.example"), TEXT("0 issue \"ca.example\"")));
    CHECK(!rdata_equal(DNS_CAA, TEXT("0 issue CA.example"), TEXT("0 issue \"ca.example\"")));
    CHECK(!rdata_equal(DNS_CAA, TEXT("128 issue ca.example"), TEXT("0 issue ca.example")));
    CHECK(rdata_equal(DNS_SRV, TEXT("05 0443 h.example"), TEXT("5 443 H.example.")));
    CHECK(!rdata_equal(DNS_SRV, TEXT("5 443 h.example"), TEXT("5 444 h.example")));
    CHECK(rdata_equal(DNS_A, TEXT("junk"), TEXT("junk")) &&
          !rdata_equal(DNS_A, TEXT("junk"), TEXT("junk2")));
    CHECK(!rdata_equal(DNS_A, TEXT("203.0.113.7"), TEXT("junk")));
}

static bool is_read(enum dns_type type, const char *data, size_t bytes)
{
    char out[128];
    uint16_t priority;
    struct text value;
    return rdata_from_wire(type, (const uint8_t *)data, bytes, 0, bytes, &priority, out, sizeof out,
                           &value);
}

/* Data off the wire with every length wrong in turn. */
static void test_bad_wire(void)
{
    CHECK(is_read(DNS_A, "\1\2\3\4", 4) && !is_read(DNS_A, "\1\2\3\4\5", 5) &&
          !is_read(DNS_A, "\1\2\3", 3));
    CHECK(!is_read(DNS_A, "", 0) && !is_read(DNS_AAAA, "\1\2\3\4", 4));
    CHECK(is_read(DNS_CNAME, "\1a\0", 3) && !is_read(DNS_CNAME, "\1a\0x", 4) &&
          !is_read(DNS_CNAME, "\1a", 2));
    CHECK(!is_read(DNS_CNAME, "", 0) && !is_read(DNS_CNAME, "\xc0\0", 2));
    CHECK(is_read(DNS_MX, "\0\1\0", 3) && !is_read(DNS_MX, "\0\1", 2) && !is_read(DNS_MX, "\0", 1));
    CHECK(is_read(DNS_SRV, "\0\1\0\2\0\3\1a\0", 9) && !is_read(DNS_SRV, "\0\1\0\2\0\3", 6));
    CHECK(!is_read(DNS_SRV, "\0\1\0\2\0", 5) && !is_read(DNS_SRV, "\0\1\0\2\0\3\1a\0\0", 10));
    CHECK(is_read(DNS_CAA, "\0\5issueca", 9) && is_read(DNS_CAA, "\0\5issue", 7));
    CHECK(!is_read(DNS_CAA, "\0\5issu", 6) && !is_read(DNS_CAA, "\0\0", 2) &&
          !is_read(DNS_CAA, "\0", 1));
    CHECK(!is_read(DNS_CAA, "\0\5iss e", 7));
    CHECK(is_read(DNS_TXT, "\0", 1) && is_read(DNS_TXT, "\1a\1b", 4));
    CHECK(!is_read(DNS_TXT, "", 0) && !is_read(DNS_TXT, "\2a", 2) && !is_read(DNS_TXT, "\1a\1", 3));
    CHECK(!is_read(DNS_SOA, "\0\0", 2) && !is_read((enum dns_type)12, "\0", 1));

    char out[64];
    uint16_t priority;
    struct text value;
    const uint8_t message[] = {1, 'a', 0, 1, 'b', 0xc0, 0, 1, 2, 3, 4};
    CHECK(rdata_from_wire(DNS_CNAME, message, sizeof message, 3, 4, &priority, out, sizeof out,
                          &value));
    CHECK_TEXT(value, "b.a");
    CHECK(!rdata_from_wire(DNS_CNAME, message, sizeof message, 3, 3, &priority, out, sizeof out,
                           &value));
    CHECK(!rdata_from_wire(DNS_CNAME, message, sizeof message, 3, 5, &priority, out, sizeof out,
                           &value));
    CHECK(
        !rdata_from_wire(DNS_A, message, sizeof message, 8, 4, &priority, out, sizeof out, &value));
    CHECK(!rdata_from_wire(DNS_A, message, sizeof message, 12, 4, &priority, out, sizeof out,
                           &value));
    CHECK(!rdata_from_wire(DNS_A, message, sizeof message, SIZE_MAX, 4, &priority, out, sizeof out,
                           &value));
    CHECK(!rdata_from_wire(DNS_A, message, sizeof message, 7, SIZE_MAX, &priority, out, sizeof out,
                           &value));
}

int main(void)
{
    test_types();
    test_name_check();
    test_name_limits();
    test_owner_check();
    test_join_and_split();
    test_name_wire();
    test_name_compression();
    test_good_values();
    test_bad_values();
    test_txt_cut();
    test_equal();
    test_bad_wire();
    return unit_end();
}
