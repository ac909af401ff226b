/* ddns/provider_rfc2136.c: what goes into a message, and which answers are believed. The answers
 * are made here, signed by libsodium directly, so they do not depend on the code under test but for
 * the key. */
#include "provider_case.h"

#include <sodium.h>

#include "ddns/dns_message.h"

#define CREDENTIALS \
    "{\"server\":\"127.0.0.1:5353\",\"key_name\":\"homeport-key\",\"algorithm\":\"hmac-sha256\"," \
    "\"secret\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}"

enum { REPLY_BYTES_MAX = 4096, NOW_S = 1772352550 };

struct reply {
    uint8_t data[REPLY_BYTES_MAX];
    size_t bytes;
};

static void put(struct reply *r, const void *data, size_t bytes)
{
    memcpy(r->data + r->bytes, data, bytes);
    r->bytes += bytes;
}

static void put_number(struct reply *r, uint64_t number, unsigned bytes)
{
    while (bytes-- > 0) {
        r->data[r->bytes++] = (uint8_t)(number >> (8 * bytes));
    }
}

static struct play begin(void)
{
    struct play p = play_of("rfc2136", "", CREDENTIALS);
    p.job.zone = TEXT("example.test");
    p.job.ttl = 60;
    return p;
}

/* Header and question of the call that was sent, as an answer. */
static struct reply reply_to(const struct play *p, unsigned rcode)
{
    struct reply r = {.bytes = 0};
    const uint8_t *asked = (const uint8_t *)p->call.dns.message.data;
    size_t bytes = 12;
    while (asked[bytes] != 0) {
        bytes += asked[bytes] + 1u;
    }
    put(&r, asked, bytes + 5);
    r.data[2] |= 0x84;
    r.data[3] = (uint8_t)rcode;
    memset(r.data + 6, 0, 6);
    return r;
}

/* Signs the answer, as the server would with the key of CREDENTIALS. server_time_s 0: none told. */
static void sign(const struct play *p, struct reply *r, unsigned error, uint64_t server_time_s)
{
    static const uint8_t names[] = "\x0chomeport-key\0\x00\xff\0\0\0\0\x0bhmac-sha256";
    uint8_t secret[32], mac[32], other[6];
    struct reply variables = {.bytes = 0};
    for (unsigned i = 0; i < 32; i++) {
        secret[i] = (uint8_t)i;
    }
    for (unsigned i = 0; i < 6; i++) {
        other[i] = (uint8_t)(server_time_s >> (8 * (5 - i)));
    }
    size_t other_bytes = server_time_s == 0 ? 0 : 6;
    uint64_t time_s = (p->job.now_ms + (uint64_t)p->memo.clock_offset_ms) / 1000;
    put_number(&variables, p->memo.mac_bytes, 2);
    put(&variables, p->memo.mac, p->memo.mac_bytes);
    put(&variables, r->data, r->bytes);
    put(&variables, names, sizeof(names));
    put_number(&variables, time_s, 6);
    put_number(&variables, 300, 2);
    put_number(&variables, error, 2);
    put_number(&variables, other_bytes, 2);
    put(&variables, other, other_bytes);
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, secret, sizeof(secret));
    crypto_auth_hmacsha256_update(&state, variables.data, variables.bytes);
    crypto_auth_hmacsha256_final(&state, mac);

    uint16_t id = (uint16_t)(r->data[0] << 8 | r->data[1]);
    put(r, "\x0chomeport-key\0\0\xfa\0\xff\0\0\0\0", 22);
    put_number(r, 13 + 10 + 32 + 6 + other_bytes, 2);
    put(r, "\x0bhmac-sha256\0", 13);
    put_number(r, time_s, 6);
    put_number(r, 300, 2);
    put_number(r, 32, 2);
    put(r, mac, 32);
    put_number(r, id, 2);
    put_number(r, error, 2);
    put_number(r, other_bytes, 2);
    put(r, other, other_bytes);
    r->data[11]++;
}

/* A TSIG without a MAC, as a server that cannot sign sends it. */
static void hint(struct reply *r, unsigned error)
{
    put(r, "\x0chomeport-key\0\0\xfa\0\xff\0\0\0\0", 22);
    put_number(r, 13 + 10 + 6, 2);
    put(r, "\x0bhmac-sha256\0", 13);
    put_number(r, NOW_S, 6);
    put_number(r, 300, 2);
    put_number(r, 0, 2);
    put(r, r->data, 2);
    put_number(r, error, 2);
    put_number(r, 0, 2);
    r->data[11]++;
}

static void answer(struct play *p, const struct reply *r)
{
    const struct dns_result result = {.answers = {(const char *)r->data, r->bytes}};
    const struct provider_answer last = {.dns = &result};
    play_step(p, &last);
}

static void answer_signed(struct play *p, unsigned rcode)
{
    struct reply r = reply_to(p, rcode);
    sign(p, &r, 0, 0);
    answer(p, &r);
}

/* The message that a job sends, without its TSIG, against one built by hand. */
static void check_message(const struct play *p, struct reply *wanted)
{
    struct text sent = p->call.dns.message;
    CHECK(p->next == PROVIDER_SEND && p->call.is_dns);
    if (!CHECK(sent.bytes > wanted->bytes)) return;
    wanted->data[11] = 1;
    CHECK(memcmp(sent.data, wanted->data, wanted->bytes) == 0);
}

static void begin_wanted(struct dns_builder *b, struct reply *wanted)
{
    dns_update_begin(b, wanted->data, sizeof(wanted->data), 0x3f0c, TEXT("example.test"));
}

/* Sets are replaced whole, siblings included; of other types only our own value is exchanged. */
static void test_changes(void)
{
    static const struct text siblings[] = {TEXT_INIT("192.0.2.50"), TEXT_INIT("192.0.2.2")};
    const struct text name = TEXT("home.example.test");
    struct dns_builder b;
    struct reply wanted;
    struct play p = begin();
    p.job.sibling_values = siblings;
    p.job.sibling_count = 2;
    play_start(&p);
    begin_wanted(&b, &wanted);
    dns_update_delete_rrset(&b, name, DNS_A);
    dns_update_add(&b, name, DNS_A, 60, 0, TEXT("192.0.2.2"));
    dns_update_add(&b, name, DNS_A, 60, 0, TEXT("192.0.2.50"));
    wanted.bytes = dns_builder_end(&b);
    check_message(&p, &wanted);

    p.job.type = DNS_MX;
    p.job.value = TEXT("mail.example.test");
    p.job.priority = 10;
    p.job.previous_value = TEXT("mail.example.test");
    p.job.previous_priority = 20;
    play_start(&p);
    begin_wanted(&b, &wanted);
    dns_update_delete_value(&b, name, DNS_MX, 20, TEXT("mail.example.test"));
    dns_update_add(&b, name, DNS_MX, 60, 10, TEXT("mail.example.test"));
    wanted.bytes = dns_builder_end(&b);
    check_message(&p, &wanted);

    p.job.previous_priority = 10;
    play_start(&p);
    begin_wanted(&b, &wanted);
    dns_update_delete_value(&b, name, DNS_MX, 10, TEXT("mail.example.test"));
    dns_update_add(&b, name, DNS_MX, 60, 10, TEXT("mail.example.test"));
    wanted.bytes = dns_builder_end(&b);
    check_message(&p, &wanted);

    p.job.action = DNS_REMOVE;
    play_start(&p);
    begin_wanted(&b, &wanted);
    dns_update_delete_value(&b, name, DNS_MX, 10, TEXT("mail.example.test"));
    wanted.bytes = dns_builder_end(&b);
    check_message(&p, &wanted);
    answer_signed(&p, DNS_RCODE_OK);
    CHECK(play_is_ended(&p, CLASS_OK) && !p.verdict.has_written);

    /* Too long for UDP. */
    char value[600];
    memset(value, 'x', sizeof(value));
    play_end(&p);
    p = begin();
    p.job.type = DNS_TXT;
    p.job.value = (struct text){value, sizeof(value)};
    play_start(&p);
    CHECK(p.next == PROVIDER_SEND && p.call.dns.by_tcp && p.call.dns.is_complete == NULL);
    p.job.value = TEXT("");
    p.job.type = DNS_A;
    play_start(&p);
    CHECK(play_is_ended(&p, CLASS_FATAL));
    play_end(&p);
}

/* Each answer, when its signature is right, means its class and a sentence that says what to look
 * at. */
static void test_rcodes(void)
{
    static const struct {
        unsigned rcode;
        enum call_class class;
        const char *word;
    } cases[] = {
        {0, CLASS_OK, ""},
        {1, CLASS_FATAL, "FORMERR"},
        {2, CLASS_RETRY, "SERVFAIL"},
        {3, CLASS_RETRY, "NXDOMAIN"},
        {4, CLASS_FATAL, "NOTIMP"},
        {5, CLASS_FATAL, "allow-update in named.conf"},
        {6, CLASS_RETRY, "YXDOMAIN"},
        {7, CLASS_RETRY, "YXRRSET"},
        {8, CLASS_RETRY, "NXRRSET"},
        {9, CLASS_FATAL, "NOTAUTH"},
        {10, CLASS_FATAL, "NOTZONE"},
        {13, CLASS_FATAL, "RCODE 13"},
    };
    struct play p = begin();
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        play_start(&p);
        answer_signed(&p, cases[i].rcode);
        CHECK(play_is_ended(&p, cases[i].class) && text_has(p.verdict.detail, cases[i].word));
        if (cases[i].class == CLASS_OK) {
            CHECK(p.verdict.has_written);
            CHECK_TEXT(p.verdict.answer, "NOERROR");
            continue;
        }
        CHECK(!p.verdict.has_written);
        CHECK(text_has(p.verdict.detail, "127.0.0.1:5353") &&
              text_has(p.verdict.detail, "zone example.test") &&
              text_has(p.verdict.detail, "key homeport-key"));
    }
    play_end(&p);
}

/* Only a signed answer to this very request counts; hints about the key stop the account. */
static void test_trust(void)
{
    struct play p = begin();
    play_start(&p);
    struct reply r = reply_to(&p, DNS_RCODE_OK);
    answer(&p, &r);
    CHECK(play_is_ended(&p, CLASS_RETRY) && text_has(p.verdict.detail, "is not signed"));

    play_start(&p);
    r = reply_to(&p, DNS_RCODE_OK);
    sign(&p, &r, 0, 0);
    r.data[r.bytes - 10] ^= 1;
    answer(&p, &r);
    CHECK(play_is_ended(&p, CLASS_RETRY) && text_has(p.verdict.detail, "wrong signature"));

    play_start(&p);
    r = reply_to(&p, DNS_RCODE_OK);
    p.memo.mac[0] ^= 1;
    sign(&p, &r, 0, 0);
    p.memo.mac[0] ^= 1;
    answer(&p, &r);
    CHECK(play_is_ended(&p, CLASS_RETRY));

    play_start(&p);
    r = reply_to(&p, DNS_RCODE_OK);
    r.data[1] ^= 1;
    sign(&p, &r, 0, 0);
    answer(&p, &r);
    CHECK(play_is_ended(&p, CLASS_RETRY) && text_has(p.verdict.detail, "not a DNS answer"));

    play_start(&p);
    r = (struct reply){.bytes = 5};
    answer(&p, &r);
    CHECK(play_is_ended(&p, CLASS_RETRY));

    static const struct {
        unsigned error;
        const char *words;
    } hints[] = {{16, "its secret for this key is another one"},
                 {17, "knows no key of this name"},
                 {22, "BADTRUNC"}};
    for (unsigned i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        play_start(&p);
        r = reply_to(&p, DNS_RCODE_NOTAUTH);
        hint(&r, hints[i].error);
        answer(&p, &r);
        CHECK(play_is_ended(&p, CLASS_AUTH) && text_has(p.verdict.detail, hints[i].words));
    }

    const struct dns_result silent = {.fault = FAULT_TIMEOUT, .error = TEXT("timed out")};
    const struct provider_answer last = {.dns = &silent};
    play_start(&p);
    play_step(&p, &last);
    CHECK(play_is_ended(&p, CLASS_RETRY));
    CHECK_TEXT(p.verdict.detail, "no answer from the DNS server 127.0.0.1:5353: timed out");
    play_end(&p);
}

/* The server's clock is taken over for one repeat; the verdict says how far off we are. */
static void test_clock(void)
{
    struct play p = begin();
    play_start(&p);
    struct reply r = reply_to(&p, DNS_RCODE_NOTAUTH);
    sign(&p, &r, DNS_TSIG_BADTIME, NOW_S + 7200);
    answer(&p, &r);
    CHECK(p.next == PROVIDER_SEND && p.sent_count == 2);
    struct dns_message m;
    struct text sent = p.call.dns.message;
    CHECK(dns_message_read((const uint8_t *)sent.data, sent.bytes, &m) &&
          m.tsig.time_s == NOW_S + 7200);
    answer_signed(&p, DNS_RCODE_OK);
    CHECK(play_is_ended(&p, CLASS_OK) && text_has(p.verdict.answer, "7200 s behind"));

    play_start(&p);
    r = reply_to(&p, DNS_RCODE_NOTAUTH);
    sign(&p, &r, DNS_TSIG_BADTIME, NOW_S - 500);
    answer(&p, &r);
    r = reply_to(&p, DNS_RCODE_NOTAUTH);
    sign(&p, &r, DNS_TSIG_BADTIME, NOW_S - 500);
    answer(&p, &r);
    CHECK(play_is_ended(&p, CLASS_CLOCK) && text_has(p.verdict.detail, "500 s ahead of") &&
          text_has(p.verdict.detail, "fix NTP"));
    play_end(&p);
}

/* A query finds the values of name and type, none when the name is not there; part of an answer is
 * none. */
static void test_check(void)
{
    struct play p = begin();
    p.job.action = DNS_CHECK;
    play_start(&p);
    CHECK(p.next == PROVIDER_SEND && !p.call.dns.by_tcp);
    struct reply r = reply_to(&p, DNS_RCODE_OK);
    put(&r, "\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\2\1", 16);
    put(&r, "\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\2\2", 16);
    put(&r, "\1x\xc0\x11\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\2\3", 18);
    r.data[7] = 3;
    sign(&p, &r, 0, 0);
    answer(&p, &r);
    CHECK(play_is_ended(&p, CLASS_OK) && p.verdict.found_count == 2);
    CHECK_TEXT(p.verdict.found[1].value, "192.0.2.2");
    CHECK(p.verdict.found[1].ttl == 60);

    play_start(&p);
    r = reply_to(&p, DNS_RCODE_OK);
    r.data[2] |= 2;
    sign(&p, &r, 0, 0);
    answer(&p, &r);
    CHECK(play_is_ended(&p, CLASS_RETRY) && p.verdict.found_count == 0);
    play_start(&p);
    answer_signed(&p, DNS_RCODE_NXDOMAIN);
    CHECK(play_is_ended(&p, CLASS_OK) && p.verdict.found_count == 0);
    play_start(&p);
    answer_signed(&p, DNS_RCODE_REFUSED);
    CHECK(play_is_ended(&p, CLASS_FATAL) && text_has(p.verdict.detail, "allow-query"));
    play_end(&p);
}

static const char soa[] =
    "\xc0\x0c\0\x06\0\x01\0\0\0\x3c\0\x16\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1";

/* With its length in front, as the bytes come over TCP. */
static void append(struct reply *stream, const struct reply *r)
{
    put_number(stream, r->bytes, 2);
    put(stream, r->data, r->bytes);
}

/* A transfer in one signed message gives the records of the types we know. */
static void test_import(void)
{
    struct play p = begin();
    p.job.action = DNS_IMPORT;
    p.job.owner = TEXT_NONE;
    p.job.type = (enum dns_type)0;
    play_start(&p);
    CHECK(p.next == PROVIDER_SEND && p.call.dns.by_tcp && p.call.dns.is_complete != NULL);
    if (p.call.dns.is_complete == NULL) return;

    struct reply r = reply_to(&p, DNS_RCODE_OK);
    put(&r, soa, 34);
    put(&r, "\4home\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\2\1", 21);
    put(&r, "\xc0\x0c\0\x0f\0\x01\0\0\0\x3c\0\x09\0\x0a\4mail\xc0\x0c", 21);
    put(&r, "\4home\xc0\x0c\0\x0d\0\x01\0\0\0\x3c\0\x02\0\0", 19);
    put(&r, soa, 34);
    r.data[7] = 5;
    sign(&p, &r, 0, 0);
    struct reply stream = {.bytes = 0};
    append(&stream, &r);
    struct text answers = {(const char *)stream.data, stream.bytes};
    CHECK(p.call.dns.is_complete(answers));
    for (size_t bytes = 0; bytes < stream.bytes; bytes++) {
        CHECK(!p.call.dns.is_complete((struct text){answers.data, bytes}));
    }
    const struct dns_result result = {.answers = answers};
    const struct provider_answer last = {.dns = &result};
    play_step(&p, &last);
    CHECK(play_is_ended(&p, CLASS_OK));
    if (CHECK(p.verdict.found_count == 2)) {
        CHECK_TEXT(p.verdict.found[0].owner, "home");
        CHECK_TEXT(p.verdict.found[0].value, "192.0.2.1");
        CHECK_TEXT(p.verdict.found[1].owner, "@");
        CHECK_TEXT(p.verdict.found[1].value, "mail.example.test");
        CHECK(p.verdict.found[1].priority == 10);
    }

    play_start(&p);
    r = reply_to(&p, DNS_RCODE_REFUSED);
    sign(&p, &r, 0, 0);
    stream.bytes = 0;
    append(&stream, &r);
    CHECK(p.call.dns.is_complete((struct text){(const char *)stream.data, stream.bytes}));
    const struct dns_result refused = {.answers = {(const char *)stream.data, stream.bytes}};
    const struct provider_answer last_refused = {.dns = &refused};
    play_step(&p, &last_refused);
    CHECK(play_is_ended(&p, CLASS_FATAL) && text_has(p.verdict.detail, "allow-transfer"));

    play_start(&p);
    const struct dns_result cut = {.answers = {(const char *)stream.data, 1}};
    const struct provider_answer last_cut = {.dns = &cut};
    play_step(&p, &last_cut);
    CHECK(play_is_ended(&p, CLASS_RETRY) && p.verdict.found_count == 0);
    play_end(&p);
}

/* Without a key requests go out unsigned, and unsigned answers are taken. */
static void test_unsigned(void)
{
    struct play p = begin();
    p.job.credentials = TEXT("{\"server\":\"127.0.0.1\"}");
    play_start(&p);
    CHECK(p.next == PROVIDER_SEND && p.memo.mac_bytes == 0 && p.call.dns.message.data[11] == 0);
    struct reply r = reply_to(&p, DNS_RCODE_OK);
    answer(&p, &r);
    CHECK(play_is_ended(&p, CLASS_OK));
    play_start(&p);
    r = reply_to(&p, DNS_RCODE_REFUSED);
    answer(&p, &r);
    CHECK(play_is_ended(&p, CLASS_FATAL) && text_has(p.verdict.detail, "without a key"));
    play_end(&p);
}

/* One wrong input for each rule, with the field named. */
static void test_credentials(void)
{
    static const char *const cases[][2] = {
        {CREDENTIALS, ""},
        {"{\"server\":\"ns1.example.com\"}", ""},
        {"{\"server\":\"[2001:db8::1]:53\"}", ""},
        {"{\"server\":\"[2001:db8::1]\"}", ""},
        {"{\"server\":\"192.0.2.1:65535\",\"key_name\":\"k\",\"secret\":\"AAAA\"}", ""},
        {"{\"server\":\"\"}", "server"},
        {"{\"server\":\":53\"}", "server"},
        {"{\"server\":\"ns1.example.com:0\"}", "server"},
        {"{\"server\":\"ns1.example.com:65536\"}", "server"},
        {"{\"server\":\"ns1.example.com:\"}", "server"},
        {"{\"server\":\"2001:db8::1\"}", "server"},
        {"{\"server\":\"[ns1]:53\"}", "server"},
        {"{\"server\":\"ns1.example.com/x:53\"}", "server"},
        {"{\"server\":\"x.test\",\"secret\":\"AAAA\"}", "key_name"},
        {"{\"server\":\"x.test\",\"key_name\":\"a..b\",\"secret\":\"AAAA\"}", "key_name"},
        {"{\"server\":\"x.test\",\"key_name\":\"k\"}", "secret"},
        {"{\"server\":\"x.test\",\"key_name\":\"k\",\"secret\":\"?\"}", "secret"},
        {"{\"server\":\"x.test\",\"key_name\":\"k\",\"secret\":\"AAAA\","
         "\"algorithm\":\"hmac-md5\"}",
         "algorithm"},
    };
    const struct provider *rfc2136 = provider_find(TEXT("rfc2136"));
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text field = TEXT(""), reason = TEXT("");
        bool is_fine = rfc2136->check(text_of(cases[i][0]), &field, &reason);
        CHECK(is_fine == (cases[i][1][0] == '\0'));
        if (!is_fine) CHECK_TEXT(field, cases[i][1]);
        CHECK(is_fine || text_starts(reason, TEXT("must ")));
    }
}

int main(void)
{
    test_changes();
    test_rcodes();
    test_trust();
    test_clock();
    test_check();
    test_import();
    test_unsigned();
    test_credentials();
    return unit_end();
}
