/* ddns/dns_message.c, dns_tsig.c, dns_transfer.c: UPDATE bytes against the shared vectors, replies,
 * TSIG and transfers.
 *
 * The vectors stand in $HOMEPORT_SHARED/protocols/vectors (../shared when unset, from the
 * project's root). Replies were made once by dnspython 2.9.2, as a second opinion on TSIG; odd
 * and hostile ones are made here by a small server of our own. */
#include "ddns/dns_transfer.h"

#include "unit.h"

#include <yyjson.h>

enum { MESSAGE_SIZE = 4096, NOW_S = 1772352550, ID = 0x1234 };

static const char secret[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/* ---- by dnspython: requests and replies of key homeport-key at NOW_S ---- */

static const char request_mac_hex[] =
    "26573de6404d910fd23817a54450a428709c327737a6a424bf23ee04ed13813b";
static const char axfr_query_hex[] =
    "123400000001000000000001076578616d706c6504746573740000fc00010c686f6d65706f72742d6b657900"
    "00fa00ff00000000003d0b686d61632d73686132353600000069a3f426012c002026573de6404d910fd23817"
    "a54450a428709c327737a6a424bf23ee04ed13813b123400000000";
static const char axfr_0_hex[] =
    "123484000001000200000001076578616d706c6504746573740000fc0001c00c0006000100000e100020026e"
    "73c00c04686f7374c00c0000000700000001000000020000000300000004c00c0002000100000e100002c02a"
    "0c686f6d65706f72742d6b65790000fa00ff00000000003d0b686d61632d73686132353600000069a3f42601"
    "2c00202d65b4accd5d96589dc13490aa81d23e7e09808205238f07837804be4ec533e2123400000000";
static const char axfr_1_hex[] =
    "12348400000000010000000004686f6d65076578616d706c65047465737400000100010000003c0004c00002"
    "01";
static const char axfr_2_hex[] =
    "123484000000000100000001026d78076578616d706c65047465737400000f00010000003c0009000a046d61"
    "696cc00f0c686f6d65706f72742d6b65790000fa00ff00000000003d0b686d61632d73686132353600000069"
    "a3f426012c0020dc765ee41998310d72851d9bc4c3f63feadbbecbf0969007676b4e43ca09ef9f1234000000"
    "00";
static const char axfr_3_hex[] =
    "123484000000000100000001076578616d706c650474657374000006000100000e100020026e73c00c04686f"
    "7374c00c00000007000000010000000200000003000000040c686f6d65706f72742d6b65790000fa00ff0000"
    "0000003d0b686d61632d73686132353600000069a3f426012c0020da2de793c0e09ec80da5832772a6956eec"
    "6660b99259884f64c9e3c2abd121ad123400000000";
static const char soa_hex[] =
    "123484000001000100000001076578616d706c6504746573740000fc0001c00c0006000100000e100020026e"
    "73c00c04686f7374c00c00000007000000010000000200000003000000040c686f6d65706f72742d6b657900"
    "00fa00ff00000000003d0b686d61632d73686132353600000069a3f426012c0020f8d00f41a1efcba3516985"
    "e07145315288325f9ed472479db459da5dce1998ec123400000000";
static const char badtime_hex[] =
    "123484090001000000000001076578616d706c6504746573740000fc00010c686f6d65706f72742d6b657900"
    "00fa00ff0000000000430b686d61632d73686132353600000069a3f426012c00208782b19ff05b50bc484f1e"
    "99a8dfcdba06ee754deed2a5f956606f24baf6bbf5123400120006000069a407ae";
static const char request_mac_512_hex[] =
    "fd56c59608fd8439adaffbfbc9b3e40b1f9c4fe9e0a8a2821b09e2b4481029ab412b28945d3460a70937b553"
    "5fd255e057168260e6dfa17b764f7c943e2da6dc";
static const char axfr_query_512_hex[] =
    "123400000001000000000001076578616d706c6504746573740000fc00010c686f6d65706f72742d6b657900"
    "00fa00ff00000000005d0b686d61632d73686135313200000069a3f426012c0040fd56c59608fd8439adaffb"
    "fbc9b3e40b1f9c4fe9e0a8a2821b09e2b4481029ab412b28945d3460a70937b5535fd255e057168260e6dfa1"
    "7b764f7c943e2da6dc123400000000";
static const char soa_512_hex[] =
    "123484000001000100000001076578616d706c6504746573740000fc0001c00c0006000100000e100020026e"
    "73c00c04686f7374c00c00000007000000010000000200000003000000040c686f6d65706f72742d6b657900"
    "00fa00ff00000000005d0b686d61632d73686135313200000069a3f426012c0040c0571b2a094424e34e5cd5"
    "cc622a5c6f2baa880e1a04605350d78f76dc2f08e4fa2648576d1080c572e8b49afc2535097f70e069c14ab7"
    "1a6ebba3938f33a045123400000000";

/* ---- bytes and hex ---- */

struct bytes {
    size_t count;
    uint8_t data[MESSAGE_SIZE];
};

static struct bytes from_hex(const char *hex)
{
    struct bytes b;
    CHECK(sodium_hex2bin(b.data, sizeof b.data, hex, strlen(hex), NULL, &b.count, NULL) == 0);
    return b;
}

static bool equals_hex(const uint8_t *data, size_t count, const char *hex)
{
    struct bytes wanted = from_hex(hex);
    return count == wanted.count && memcmp(data, wanted.data, count) == 0;
}

static struct dns_tsig_key key_of(const char *algorithm)
{
    struct dns_tsig_key key;
    CHECK(dns_tsig_key_init(&key, TEXT("homeport-key"), text_of(algorithm), text_of(secret), NULL));
    return key;
}

static struct dns_tsig_mac mac_of(const char *hex)
{
    struct bytes b = from_hex(hex);
    struct dns_tsig_mac mac = {.bytes = b.count};
    memcpy(mac.data, b.data, b.count);
    return mac;
}

/* ---- the shared vectors ---- */

static struct text json_text(yyjson_val *object, const char *name)
{
    yyjson_val *value = yyjson_obj_get(object, name);
    return (struct text){yyjson_get_str(value), yyjson_get_len(value)};
}

static struct text op_text(yyjson_val *op, size_t index)
{
    yyjson_val *value = yyjson_arr_get(op, index);
    return (struct text){yyjson_get_str(value), yyjson_get_len(value)};
}

/* One op in dnspython's words: add owner ttl type value; delete, present, absent owner type
 * [value]. */
static bool op_write(struct dns_builder *b, struct text zone, yyjson_val *op)
{
    char name_buffer[DNS_NAME_SIZE];
    struct text word = op_text(op, 0);
    struct text name = dns_name_join(op_text(op, 1), zone, name_buffer);
    bool is_add = text_equal(word, TEXT("add"));
    struct text value = op_text(op, is_add ? 4 : 3);
    enum dns_type type;
    if (!dns_type_from_name(op_text(op, is_add ? 3 : 2), &type)) return false;
    if (is_add) {
        dns_update_add(b, name, type, (uint32_t)yyjson_get_uint(yyjson_arr_get(op, 2)), 0, value);
    } else if (text_equal(word, TEXT("delete"))) {
        if (value.bytes > 0)
            dns_update_delete_value(b, name, type, 0, value);
        else
            dns_update_delete_rrset(b, name, type);
    } else if (text_equal(word, TEXT("present"))) {
        if (value.bytes > 0)
            dns_update_need_value(b, name, type, 0, value);
        else
            dns_update_need_rrset(b, name, type);
    } else if (text_equal(word, TEXT("absent"))) {
        dns_update_need_no_rrset(b, name, type);
    } else {
        return false;
    }
    return true;
}

/* Unsigned bytes, digest input, MAC and signed bytes, all equal to the vector's. */
static void check_update_vector(yyjson_val *input, yyjson_val *expect)
{
    uint8_t buffer[MESSAGE_SIZE];
    uint8_t digest_input[MESSAGE_SIZE];
    struct dns_builder b;
    struct dns_tsig_key key;
    struct dns_tsig_mac mac;
    struct text zone = json_text(input, "zone");
    uint64_t time_s = yyjson_get_uint(yyjson_obj_get(input, "time"));
    yyjson_val *op;
    yyjson_arr_iter iter;
    CHECK(dns_tsig_key_init(&key, json_text(input, "key_name"), json_text(input, "algorithm"),
                            json_text(input, "key_base64"), NULL));
    CHECK(yyjson_get_uint(yyjson_obj_get(input, "fudge")) == DNS_TSIG_FUDGE_S);

    uint16_t id = (uint16_t)yyjson_get_uint(yyjson_obj_get(input, "msg_id"));
    dns_update_begin(&b, buffer, sizeof buffer, id, zone);
    yyjson_arr_iter_init(yyjson_obj_get(input, "ops"), &iter);
    while ((op = yyjson_arr_iter_next(&iter)) != NULL) {
        CHECK(op_write(&b, zone, op));
    }
    size_t bytes = dns_builder_end(&b);
    CHECK(bytes > 0 && equals_hex(buffer, bytes, json_text(expect, "unsigned_hex").data));

    memcpy(digest_input, buffer, bytes);
    size_t behind =
        dns_tsig_variables(digest_input + bytes, &key, time_s, DNS_TSIG_FUDGE_S, 0, NULL, 0);
    CHECK(equals_hex(digest_input, bytes + behind, json_text(expect, "digest_input_hex").data));

    bytes = dns_builder_sign(&b, &key, time_s, &mac);
    CHECK(equals_hex(mac.data, mac.bytes, json_text(expect, "mac_hex").data));
    CHECK(equals_hex(buffer, bytes, json_text(expect, "signed_hex").data));
    CHECK(dns_builder_sign(&b, &key, time_s, &mac) == 0); /* not twice */
}

static void test_vectors(void)
{
    static char file[1 << 20];
    char path[1024];
    const char *shared = getenv("HOMEPORT_SHARED");
    snprintf(path, sizeof path, "%s/protocols/vectors/dns-update.json",
             shared == NULL ? "../shared" : shared);
    FILE *f = fopen(path, "rb");
    if (!CHECK(f != NULL)) {
        printf("    no %s: run from the project's root or set HOMEPORT_SHARED\n", path);
        return;
    }
    size_t bytes = fread(file, 1, sizeof file, f);
    fclose(f);
    yyjson_doc *doc = yyjson_read(file, bytes, 0);
    yyjson_val *vector;
    yyjson_arr_iter iter;
    unsigned update_count = 0;
    if (!CHECK(doc != NULL)) return;
    CHECK(yyjson_arr_iter_init(yyjson_obj_get(yyjson_doc_get_root(doc), "vectors"), &iter));
    while ((vector = yyjson_arr_iter_next(&iter)) != NULL) {
        if (!CHECK(text_equal(json_text(vector, "kind"), TEXT("tsig.update")))) continue;
        check_update_vector(yyjson_obj_get(vector, "input"), yyjson_obj_get(vector, "expect"));
        update_count++;
    }
    CHECK(update_count >= 5);
    yyjson_doc_free(doc);
}

/* ---- keys ---- */

static bool key_is_refused(const char *name, const char *algorithm, struct text base64,
                           const char *word)
{
    struct dns_tsig_key key;
    struct text reason = TEXT_NONE;
    bool is_refused = !dns_tsig_key_init(&key, text_of(name), text_of(algorithm), base64, &reason);
    return is_refused && text_starts(reason, text_of(word)) &&
           sodium_is_zero(key.secret, sizeof key.secret);
}

static void test_keys(void)
{
    static char big[400];
    struct dns_tsig_key key;
    struct dns_tsig_key other;
    CHECK(dns_tsig_key_init(&key, TEXT("Key.Example."), TEXT("HMAC-SHA256."), TEXT("AAEC\n AwQ=\n"),
                            NULL));
    CHECK(key.secret_bytes == 5 && key.secret[4] == 4 && key.algorithm == DNS_TSIG_HMAC_SHA256);
    CHECK(
        dns_tsig_key_init(&other, TEXT("key.example"), TEXT("hmac-sha512"), text_of(secret), NULL));
    CHECK(other.name_bytes == key.name_bytes && memcmp(other.name, key.name, key.name_bytes) == 0);
    CHECK(dns_tsig_key_init(&key, TEXT("ddns.key.1"), TEXT("hmac-sha256"), text_of(secret), NULL));

    CHECK(key_is_refused("", "hmac-sha256", text_of(secret), "key_name"));
    CHECK(key_is_refused("a b", "hmac-sha256", text_of(secret), "key_name"));
    CHECK(key_is_refused("key", "hmac-md5", text_of(secret), "algorithm"));
    CHECK(key_is_refused("key", "", text_of(secret), "algorithm"));
    CHECK(key_is_refused("key", "hmac-sha256", TEXT(""), "secret"));
    CHECK(key_is_refused("key", "hmac-sha256", TEXT_NONE, "secret"));
    CHECK(key_is_refused("key", "hmac-sha256", TEXT("  "), "secret"));
    CHECK(key_is_refused("key", "hmac-sha256", TEXT("AAECAwQ"), "secret"));   /* no padding */
    CHECK(key_is_refused("key", "hmac-sha256", TEXT("AAECAwQ=="), "secret")); /* too much */
    CHECK(key_is_refused("key", "hmac-sha256", TEXT("AAEC*wQ="), "secret"));
    CHECK(key_is_refused("key", "hmac-sha256", TEXT("AA-_AwQ="), "secret")); /* the URL alphabet */
    memset(big, 'A', sizeof big);
    CHECK(key_is_refused("key", "hmac-sha256", (struct text){big, 344}, "secret")); /* 258 bytes */
    CHECK(dns_tsig_key_init(&key, TEXT("key"), TEXT("hmac-sha256"), (struct text){big, 340}, NULL));

    dns_tsig_key_wipe(&key);
    CHECK(sodium_is_zero((const unsigned char *)&key, sizeof key));
    CHECK(strcmp(dns_rcode_name(5), "REFUSED") == 0 && dns_rcode_name(11) == NULL);
    CHECK(strcmp(dns_tsig_error_name(18), "BADTIME") == 0 && dns_tsig_error_name(9) == NULL);
}

/* ---- building ---- */

/* A builder that cannot go on fails and stays failed, and never writes past its buffer. */
static void test_builder_refusals(void)
{
    static uint8_t buffer[70000];
    static char wide[RDATA_TXT_MAX];
    struct dns_builder b;
    struct dns_tsig_key key = key_of("hmac-sha256");
    struct dns_tsig_mac mac;

    /* Every size below what is needed fails, signed or not; the byte behind stays. */
    for (size_t size = 0; size < 200; size++) {
        buffer[size] = 0xa5;
        dns_update_begin(&b, buffer, size, ID, TEXT("example.test"));
        dns_update_delete_rrset(&b, TEXT("home.example.test"), DNS_A);
        dns_update_add(&b, TEXT("home.example.test"), DNS_A, 60, 0, TEXT("192.0.2.1"));
        CHECK(dns_builder_end(&b) == (size < 63 ? 0 : 63));
        CHECK(dns_builder_sign(&b, &key, NOW_S, &mac) == (size < 148 ? 0 : 148));
        CHECK(buffer[size] == 0xa5);
    }

    dns_update_begin(&b, buffer, sizeof buffer, ID, TEXT("example..test"));
    CHECK(dns_builder_end(&b) == 0);
    dns_update_begin(&b, buffer, sizeof buffer, ID, TEXT("example.test"));
    dns_update_add(&b, TEXT("home.example.net"), DNS_A, 60, 0,
                   TEXT("192.0.2.1")); /* another zone */
    dns_update_add(&b, TEXT("home.example.test"), DNS_A, 60, 0, TEXT("192.0.2.1"));
    CHECK(dns_builder_end(&b) == 0 && dns_builder_sign(&b, &key, NOW_S, &mac) == 0 &&
          mac.bytes == 0);
    dns_update_begin(&b, buffer, sizeof buffer, ID, TEXT("example.test"));
    dns_update_delete_rrset(&b, TEXT("badexample.test"), DNS_A);
    CHECK(dns_builder_end(&b) == 0);
    dns_update_begin(&b, buffer, sizeof buffer, ID, TEXT("example.test"));
    dns_update_add(&b, TEXT("a.example.test"), DNS_A, 60, 0, TEXT("192.0.2.256"));
    CHECK(dns_builder_end(&b) == 0);
    dns_update_begin(&b, buffer, sizeof buffer, ID, TEXT("example.test"));
    dns_update_add(&b, TEXT("a.example.test"), DNS_A, 0x80000000u, 0, TEXT("192.0.2.1"));
    CHECK(dns_builder_end(&b) == 0);
    dns_update_begin(&b, buffer, sizeof buffer, ID, TEXT("example.test"));
    dns_update_delete_rrset(&b, TEXT("a.example.test"), DNS_A);
    dns_update_need_rrset(&b, TEXT("a.example.test"), DNS_A); /* too late for a prerequisite */
    CHECK(dns_builder_end(&b) == 0);
    dns_query_begin(&b, buffer, sizeof buffer, ID, TEXT("example.test"), DNS_SOA, DNS_CLASS_IN);
    dns_update_add(&b, TEXT("a.example.test"), DNS_A, 60, 0,
                   TEXT("192.0.2.1")); /* not in a query */
    CHECK(dns_builder_end(&b) == 0);

    /* A message has 65535 bytes at most, whatever the buffer. */
    memset(wide, 'w', sizeof wide);
    dns_update_begin(&b, buffer, sizeof buffer, ID, TEXT("example.test"));
    for (unsigned i = 0; i < 16; i++) {
        dns_update_add(&b, TEXT("a.example.test"), DNS_TXT, 60, 0,
                       (struct text){wide, sizeof wide});
    }
    CHECK(dns_builder_end(&b) == 0);
}

/* Owner names are compressed, also against each other's tails and past the remembered 64; data
 * is not. */
static void test_builder_names(void)
{
    static uint8_t buffer[65535];
    struct dns_builder b;
    struct dns_message m;
    struct dns_cursor cursor;
    struct dns_rr record;
    char shown[DNS_NAME_SHOWN_SIZE];
    char name[64];
    dns_update_begin(&b, buffer, sizeof buffer, ID, TEXT("Example.test."));
    dns_update_need_rrset(&b, TEXT("example.TEST"), DNS_ANY);
    dns_update_add(&b, TEXT("a.b.example.test"), DNS_MX, 60, 10, TEXT("mail.example.test"));
    dns_update_add(&b, TEXT("c.B.example.test"), DNS_SRV, 60, 1, TEXT("2 3 b.example.test"));
    CHECK(equals_hex(buffer, dns_builder_end(&b),
                     "123428000001000100020000"
                     "076578616d706c6504746573740000060001"
                     "c00c00ff00ff000000000000"
                     "01610162c00c000f00010000003c0015000a046d61696c076578616d706c65047465737400"
                     "0163c02c002100010000003c00160001000200030162076578616d706c65047465737400"));

    dns_update_begin(&b, buffer, sizeof buffer, ID, TEXT("example.test"));
    for (unsigned i = 0; i < 1500; i++) {
        snprintf(name, sizeof name, "h%u.example.test", i);
        dns_update_add(&b, text_of(name), DNS_A, 60, 0, TEXT("192.0.2.1"));
    }
    size_t bytes = dns_builder_end(&b);
    CHECK(bytes > 0 && dns_message_read(buffer, bytes, &m) && m.counts[2] == 1500);
    dns_rrs_begin(&m, DNS_AUTHORITY, &cursor);
    for (unsigned i = 0; i < 1500 && dns_rr_next(&cursor, &record); i++) {
        snprintf(name, sizeof name, "h%u.example.test", i);
        CHECK_TEXT(dns_name_show(record.name, record.name_bytes, shown), name);
    }
    CHECK(!dns_rr_next(&cursor, &record) && !cursor.is_malformed);

    /* The root as a zone, and a key in it. */
    dns_update_begin(&b, buffer, sizeof buffer, ID, TEXT("."));
    dns_update_add(&b, TEXT("lan"), DNS_NS, 60, 0, TEXT("ns.lan"));
    CHECK(dns_builder_end(&b) == 12 + 5 + 5 + 10 + 8);
}

static void test_query(void)
{
    uint8_t buffer[MESSAGE_SIZE];
    struct dns_builder b;
    struct dns_tsig_mac mac;
    struct dns_tsig_key key = key_of("hmac-sha256");
    dns_query_begin(&b, buffer, sizeof buffer, ID, TEXT("example.test"), DNS_SOA, DNS_CLASS_IN);
    CHECK(equals_hex(buffer, dns_builder_end(&b),
                     "123401000001000000000000076578616d706c6504746573740000060001"));
    dns_query_begin(&b, buffer, sizeof buffer, ID, TEXT("whoami.cloudflare"), DNS_TXT,
                    DNS_CLASS_CHAOS);
    CHECK(equals_hex(buffer, dns_builder_end(&b),
                     "1234010000010000000000000677686f616d690a636c6f7564666c6172650000100003"));
    dns_query_begin(&b, buffer, sizeof buffer, ID, TEXT("example.test"), DNS_AXFR, DNS_CLASS_IN);
    CHECK(equals_hex(buffer, dns_builder_sign(&b, &key, NOW_S, &mac), axfr_query_hex));
    CHECK(equals_hex(mac.data, mac.bytes, request_mac_hex));

    key = key_of("hmac-sha512");
    dns_query_begin(&b, buffer, sizeof buffer, ID, TEXT("example.test"), DNS_AXFR, DNS_CLASS_IN);
    CHECK(equals_hex(buffer, dns_builder_sign(&b, &key, NOW_S, &mac), axfr_query_512_hex));
    CHECK(equals_hex(mac.data, mac.bytes, request_mac_512_hex));
}

/* ---- replies ---- */

static enum dns_trust trust_of(const struct bytes *reply, const char *algorithm,
                               const char *mac_hex, uint64_t now_s)
{
    struct dns_message m;
    struct dns_tsig_key key = key_of(algorithm);
    struct dns_tsig_mac mac = mac_of(mac_hex);
    return dns_message_read(reply->data, reply->count, &m) ? dns_tsig_verify(&m, &key, &mac, now_s)
                                                           : (enum dns_trust)99;
}

/* A reply signed by dnspython is trusted; with any byte changed it is not. */
static void test_signed_reply(void)
{
    struct bytes reply = from_hex(soa_hex);
    struct bytes request = from_hex(axfr_query_hex);
    struct dns_message m;
    struct dns_cursor cursor;
    struct dns_rr record;
    uint32_t serial;
    CHECK(trust_of(&reply, "hmac-sha256", request_mac_hex, NOW_S) == DNS_TRUST_SIGNED);
    CHECK(trust_of(&reply, "hmac-sha256", request_mac_hex, NOW_S + 300) == DNS_TRUST_SIGNED);
    CHECK(trust_of(&reply, "hmac-sha256", request_mac_hex, NOW_S - 300) == DNS_TRUST_SIGNED);
    CHECK(trust_of(&reply, "hmac-sha256", request_mac_hex, NOW_S + 301) == DNS_TRUST_WRONG_TIME);
    CHECK(trust_of(&reply, "hmac-sha256", request_mac_hex, NOW_S - 301) == DNS_TRUST_WRONG_TIME);
    CHECK(trust_of(&reply, "hmac-sha256", request_mac_hex, UINT64_MAX) == DNS_TRUST_WRONG_TIME);
    CHECK(trust_of(&reply, "hmac-sha256", request_mac_hex, 0) == DNS_TRUST_WRONG_TIME);
    CHECK(trust_of(&reply, "hmac-sha512", request_mac_hex, NOW_S) == DNS_TRUST_WRONG_KEY);
    CHECK(trust_of(&reply, "hmac-sha256", request_mac_512_hex, NOW_S) == DNS_TRUST_WRONG_MAC);
    struct bytes reply_512 = from_hex(soa_512_hex);
    CHECK(trust_of(&reply_512, "hmac-sha512", request_mac_512_hex, NOW_S) == DNS_TRUST_SIGNED);
    CHECK(trust_of(&reply_512, "hmac-sha512", request_mac_hex, NOW_S) == DNS_TRUST_WRONG_MAC);

    CHECK(dns_message_read(reply.data, reply.count, &m) && m.is_response && m.is_authoritative &&
          m.has_tsig);
    CHECK(!m.is_truncated && m.rcode == DNS_RCODE_OK && m.id == ID && m.counts[3] == 0);
    CHECK(dns_message_replies_to(&m, request.data, request.count));
    dns_rrs_begin(&m, DNS_ANSWER, &cursor);
    CHECK(dns_rr_next(&cursor, &record) && dns_rr_soa_serial(&m, &record, &serial) &&
          serial == 7);
    CHECK(!dns_rr_next(&cursor, &record) && !cursor.is_malformed);

    /* Only the id in the header is outside the digest: the original one is inside. The names of
     * the key and of the algorithm are the same names in capitals. */
    size_t key_name_at = m.tsig.offset;
    size_t algorithm_at = key_name_at + m.tsig.name_bytes + 10;
    for (size_t i = 2; i < reply.count; i++) {
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            reply.data[i] ^= (uint8_t)bit;
            enum dns_trust trust = trust_of(&reply, "hmac-sha256", request_mac_hex, NOW_S);
            bool is_in_name = (i > key_name_at && i < key_name_at + m.tsig.name_bytes) ||
                              (i > algorithm_at && i < algorithm_at + m.tsig.algorithm_bytes);
            CHECK(trust != DNS_TRUST_SIGNED || (is_in_name && bit == 0x20));
            reply.data[i] ^= (uint8_t)bit;
        }
    }
}

/* Each way for a reply not to belong to the request. */
static void test_replies_to(void)
{
    struct bytes request = from_hex(axfr_query_hex);
    struct bytes reply = from_hex(soa_hex);
    struct dns_message m;
    static const size_t wrong_at[] = {0, 1, 2, 2, 13, 27, 29};
    static const uint8_t wrong_bit[] = {1, 1, 0x80, 0x08, 1, 1, 1};
    for (size_t i = 0; i < sizeof wrong_at / sizeof wrong_at[0]; i++) {
        struct bytes changed = reply;
        changed.data[wrong_at[i]] ^= wrong_bit[i];
        CHECK(dns_message_read(changed.data, changed.count, &m));
        CHECK(!dns_message_replies_to(&m, request.data, request.count));
    }
    CHECK(dns_message_read(reply.data, reply.count, &m));
    CHECK(!dns_message_replies_to(&m, reply.data, reply.count)); /* to a reply */
    CHECK(!dns_message_replies_to(&m, request.data, 11));
    reply.data[13] ^= 0x20; /* another case of letters */
    CHECK(dns_message_replies_to(&m, request.data, request.count));

    struct bytes bare = from_hex("123480010000000000000000"); /* FORMERR with no question */
    CHECK(dns_message_read(bare.data, bare.count, &m) && m.rcode == DNS_RCODE_FORMERR &&
          !m.has_tsig);
    CHECK(dns_message_replies_to(&m, request.data, request.count));
    CHECK(trust_of(&bare, "hmac-sha256", request_mac_hex, NOW_S) == DNS_TRUST_UNSIGNED);
}

/* ---- a server of our own ---- */

static void add(struct bytes *b, const void *data, size_t count)
{
    memcpy(b->data + b->count, data, count);
    b->count += count;
}

static void add_u16(struct bytes *b, unsigned value)
{
    const uint8_t two[] = {(uint8_t)(value >> 8), (uint8_t)value};
    add(b, two, 2);
}

static struct bytes reply_begin(unsigned flags)
{
    struct bytes b = {0};
    add_u16(&b, ID);
    add_u16(&b, 0x8000 | flags);
    add(&b, "\0\0\0\0\0\0\0", 8);
    return b;
}

static void reply_add(struct bytes *b, unsigned section, const char *name, unsigned type,
                      const void *data, size_t count)
{
    uint8_t wire[DNS_NAME_WIRE_MAX];
    size_t wire_bytes;
    CHECK(dns_name_to_wire(text_of(name), wire, &wire_bytes));
    add(b, wire, wire_bytes);
    add_u16(b, type);
    add_u16(b, type == DNS_TSIG ? DNS_CLASS_ANY : DNS_CLASS_IN);
    add(b, "\0\0\0\0", 4);
    add_u16(b, (unsigned)count);
    add(b, data, count);
    b->data[4 + 2 * section + 1]++;
}

static void reply_add_soa(struct bytes *b, const char *zone, uint8_t serial)
{
    uint8_t data[22] = {0};
    data[5] = serial;
    reply_add(b, DNS_ANSWER, zone, DNS_SOA, data, sizeof data);
}

static void reply_add_a(struct bytes *b)
{
    reply_add(b, DNS_ANSWER, "home.example.test", DNS_A, "\300\0\2\1", 4);
}

static void reply_add_tsig(struct bytes *b, const char *key_name, unsigned error,
                           const struct dns_tsig_mac *mac, const void *other, size_t other_count)
{
    struct bytes data = {0};
    add(&data, "\x0bhmac-sha256", 13);
    add(&data, "\0\0\x69\xa3\xf4\x26\x01\x2c", 8);
    add_u16(&data, (unsigned)mac->bytes);
    add(&data, mac->data, mac->bytes);
    add_u16(&data, ID);
    add_u16(&data, error);
    add_u16(&data, (unsigned)other_count);
    add(&data, other, other_count);
    reply_add(b, DNS_ADDITIONAL, key_name, DNS_TSIG, data.data, data.count);
}

/* Signs b behind `before` (the MAC before and unsigned messages, already digested input); a
 * later message of a stream digests its timers only. The new MAC takes the place of *mac. */
static void reply_sign(struct bytes *b, struct dns_tsig_mac *mac, const struct bytes *between,
                       bool is_later, unsigned error, const void *other, size_t other_count)
{
    static const uint8_t timers[] = {0, 0, 0x69, 0xa3, 0xf4, 0x26, 0x01, 0x2c};
    struct dns_tsig_key key = key_of("hmac-sha256");
    uint8_t variables[DNS_TSIG_VARIABLES_MAX];
    uint8_t length[2] = {0, (uint8_t)mac->bytes};
    crypto_auth_hmacsha256_state state;
    size_t count =
        dns_tsig_variables(variables, &key, NOW_S, 300, (uint16_t)error, other, other_count);
    crypto_auth_hmacsha256_init(&state, key.secret, key.secret_bytes);
    crypto_auth_hmacsha256_update(&state, length, 2);
    crypto_auth_hmacsha256_update(&state, mac->data, mac->bytes);
    if (between != NULL) crypto_auth_hmacsha256_update(&state, between->data, between->count);
    crypto_auth_hmacsha256_update(&state, b->data, b->count);
    if (is_later)
        crypto_auth_hmacsha256_update(&state, timers, sizeof timers);
    else
        crypto_auth_hmacsha256_update(&state, variables, count);
    crypto_auth_hmacsha256_final(&state, mac->data);
    mac->bytes = 32;
    reply_add_tsig(b, "homeport-key", error, mac, other, other_count);
}

/* ---- TSIG errors ---- */

static void test_tsig_errors(void)
{
    static const struct dns_tsig_mac no_mac;
    struct dns_message m;
    struct bytes reply = from_hex(badtime_hex);
    CHECK(trust_of(&reply, "hmac-sha256", request_mac_hex, NOW_S) == DNS_TRUST_SIGNED);
    CHECK(trust_of(&reply, "hmac-sha256", request_mac_hex, NOW_S + 5000) == DNS_TRUST_SIGNED);
    CHECK(trust_of(&reply, "hmac-sha256", request_mac_512_hex, NOW_S) == DNS_TRUST_WRONG_MAC);
    CHECK(dns_message_read(reply.data, reply.count, &m) && m.rcode == DNS_RCODE_NOTAUTH);
    CHECK(m.tsig.error == DNS_TSIG_BADTIME && m.tsig.has_server_time &&
          m.tsig.server_time_s == NOW_S + 5000);
    reply.data[reply.count - 1] ^= 1; /* the server's clock is inside the digest */
    CHECK(trust_of(&reply, "hmac-sha256", request_mac_hex, NOW_S) == DNS_TRUST_WRONG_MAC);

    /* BADSIG and BADKEY come without MAC and are hints only, whatever the key name says. */
    for (unsigned error = DNS_TSIG_BADSIG; error <= DNS_TSIG_BADKEY; error++) {
        reply = reply_begin(DNS_RCODE_NOTAUTH);
        reply_add_tsig(&reply, error == DNS_TSIG_BADKEY ? "other" : "homeport-key", error, &no_mac,
                       "", 0);
        CHECK(trust_of(&reply, "hmac-sha256", request_mac_hex, NOW_S) == DNS_TRUST_HINT);
        CHECK(dns_message_read(reply.data, reply.count, &m) && m.tsig.error == error &&
              !m.tsig.has_server_time);
    }

    /* No MAC and no error is nothing at all; nor is a MAC that was cut short. */
    reply = reply_begin(0);
    reply_add_tsig(&reply, "homeport-key", 0, &no_mac, "", 0);
    CHECK(trust_of(&reply, "hmac-sha256", request_mac_hex, NOW_S) == DNS_TRUST_WRONG_MAC);
    for (size_t bytes = 0; bytes < 32; bytes += 16) {
        struct dns_tsig_mac mac = mac_of(request_mac_hex);
        struct bytes unsigned_reply = reply_begin(0);
        reply = unsigned_reply;
        reply_sign(&reply, &mac, NULL, false, 0, "", 0);
        CHECK(trust_of(&reply, "hmac-sha256", request_mac_hex, NOW_S) == DNS_TRUST_SIGNED);
        mac.bytes = bytes;
        reply_add_tsig(&unsigned_reply, "homeport-key", 0, &mac, "", 0);
        CHECK(trust_of(&unsigned_reply, "hmac-sha256", request_mac_hex, NOW_S) ==
              DNS_TRUST_WRONG_MAC);
    }

    /* A signed BADTRUNC is trusted as such; a key of another name is not ours, even with our
     * secret. */
    struct dns_tsig_mac mac = mac_of(request_mac_hex);
    reply = reply_begin(DNS_RCODE_NOTAUTH);
    reply_sign(&reply, &mac, NULL, false, DNS_TSIG_BADTRUNC, "", 0);
    CHECK(trust_of(&reply, "hmac-sha256", request_mac_hex, NOW_S) == DNS_TRUST_SIGNED);
    reply = reply_begin(0);
    reply_add_tsig(&reply, "homeport-kez", 0, &mac, "", 0);
    CHECK(trust_of(&reply, "hmac-sha256", request_mac_hex, NOW_S) == DNS_TRUST_WRONG_KEY);
}

/* ---- malformed ---- */

static bool is_message(const struct bytes *b)
{
    struct dns_message m;
    return dns_message_read(b->data, b->count, &m);
}

static void test_malformed(void)
{
    struct dns_message m;
    struct bytes good = from_hex(soa_hex);

    /* Every cut is refused, and so is a byte too many; a truncated reply is taken, with nothing
     * in it. */
    for (size_t count = 0; count < good.count; count++) {
        CHECK(!dns_message_read(good.data, count, &m));
        if (count < DNS_HEADER_BYTES) continue;
        good.data[2] |= 2;
        CHECK(dns_message_read(good.data, count, &m) && m.is_truncated && !m.has_tsig);
        CHECK(m.counts[DNS_ANSWER] == 0 && m.id == ID);
        good.data[2] &= 0xfd;
    }
    good.data[good.count++] = 0;
    CHECK(!is_message(&good));
}

/* TSIG must be the last record, in the additional section, once, of class ANY and ttl 0. */
static void test_malformed_tsig(void)
{
    static const struct dns_tsig_mac no_mac;
    struct bytes b = reply_begin(0);
    reply_add_tsig(&b, "homeport-key", 16, &no_mac, "", 0);
    CHECK(is_message(&b));
    struct bytes twice = b;
    reply_add_tsig(&twice, "homeport-key", 16, &no_mac, "", 0);
    CHECK(!is_message(&twice));
    struct bytes not_last = b;
    reply_add(&not_last, DNS_ADDITIONAL, "a.test", DNS_A, "\1\2\3\4", 4);
    CHECK(!is_message(&not_last));
    struct bytes in_answer = b;
    in_answer.data[7] = 1;
    in_answer.data[11] = 0;
    CHECK(!is_message(&in_answer));
    struct bytes wrong_class = b;
    wrong_class.data[DNS_HEADER_BYTES + 14 + 3] = 1;
    CHECK(!is_message(&wrong_class));
    struct bytes wrong_ttl = b;
    wrong_ttl.data[DNS_HEADER_BYTES + 14 + 7] = 1;
    CHECK(!is_message(&wrong_ttl));
    b = reply_begin(0);
    reply_add_tsig(&b, "homeport-key", 18, &no_mac, "1234567", 7); /* too much other data */
    CHECK(!is_message(&b));
    for (size_t count = 0; count < 29; count++) { /* every cut of its data */
        b = reply_begin(0);
        reply_add(&b, DNS_ADDITIONAL, "k", DNS_TSIG,
                  "\x0bhmac-sha256\0\0\0\0\0\0\0\1\2\0\0\0\0\0\0\0", count);
        CHECK(!is_message(&b));
    }
}

static void test_malformed_records(void)
{
    struct dns_message m;
    struct dns_cursor cursor;
    struct dns_rr record;

    /* A bad name shows when it is read, not as the end of the records. */
    struct bytes b = reply_begin(0);
    reply_add_a(&b);
    b.data[12] = 0xc0;
    b.data[13] = 0x0c;
    memmove(b.data + 14, b.data + 12 + 19, 14);
    b.count = 28;
    CHECK(dns_message_read(b.data, b.count, &m));
    dns_rrs_begin(&m, DNS_ANSWER, &cursor);
    CHECK(!dns_rr_next(&cursor, &record) && cursor.is_malformed);
    CHECK(!dns_rr_next(&cursor, &record));

    /* A SOA that is too short or too long has no serial. */
    for (size_t count = 0; count < 25; count++) {
        uint8_t data[25] = {0};
        uint32_t serial;
        b = reply_begin(0);
        reply_add(&b, DNS_ANSWER, "example.test", DNS_SOA, data, count);
        CHECK(dns_message_read(b.data, b.count, &m));
        dns_rrs_begin(&m, DNS_ANSWER, &cursor);
        CHECK(dns_rr_next(&cursor, &record));
        CHECK(dns_rr_soa_serial(&m, &record, &serial) == (count == 22));
    }
    CHECK(!dns_message_read(NULL, 0, &m));
}

/* ---- transfers ---- */

struct heard {
    unsigned count;
    unsigned count_max;
    char text[1024];
};

static bool hear(void *context, const struct dns_message *m, const struct dns_rr *record)
{
    struct heard *heard = context;
    char value_buffer[512];
    char name_buffer[DNS_NAME_SHOWN_SIZE];
    uint16_t priority;
    struct text value;
    if (heard->count >= heard->count_max) return false;
    heard->count++;
    if (!dns_rr_value(m, record, &priority, value_buffer, sizeof value_buffer, &value))
        return true;
    size_t used = strlen(heard->text);
    struct text name = dns_name_show(record->name, record->name_bytes, name_buffer);
    snprintf(heard->text + used, sizeof heard->text - used, "%.*s %u %s %u %.*s\n", TEXT_ARGS(name),
             (unsigned)record->ttl_s, dns_type_name(record->type), priority, TEXT_ARGS(value));
    return true;
}

static struct dns_transfer transfer_of(const struct dns_tsig_key *key)
{
    struct dns_transfer t;
    struct dns_tsig_mac mac = mac_of(request_mac_hex);
    CHECK(dns_transfer_begin(&t, ID, TEXT("Example.test"), key, key == NULL ? NULL : &mac));
    return t;
}

static enum dns_transfer_result feed(struct dns_transfer *t, const struct bytes *b,
                                     struct heard *heard)
{
    return dns_transfer_feed(t, b->data, b->count, NOW_S, hear, heard);
}

/* Four messages by dnspython, the second without TSIG. */
static void test_transfer(void)
{
    struct dns_tsig_key key = key_of("hmac-sha256");
    struct heard heard = {.count_max = 99};
    const struct bytes parts[] = {from_hex(axfr_0_hex), from_hex(axfr_1_hex), from_hex(axfr_2_hex),
                                  from_hex(axfr_3_hex)};
    struct bytes stream = {0};
    struct dns_transfer t = transfer_of(&key);
    for (size_t i = 0; i < 4; i++) {
        CHECK(feed(&t, &parts[i], &heard) == (i < 3 ? DNS_TRANSFER_MORE : DNS_TRANSFER_DONE));
        CHECK(t.trust == (i == 1 ? DNS_TRUST_UNSIGNED : DNS_TRUST_SIGNED));
        add_u16(&stream, (unsigned)parts[i].count);
        CHECK(!dns_transfer_is_complete((struct text){(const char *)stream.data, stream.count}));
        add(&stream, parts[i].data, parts[i].count - 1);
        CHECK(!dns_transfer_is_complete((struct text){(const char *)stream.data, stream.count}));
        add(&stream, parts[i].data + parts[i].count - 1, 1);
        CHECK(dns_transfer_is_complete((struct text){(const char *)stream.data, stream.count}) ==
              (i == 3));
    }
    CHECK(t.serial == 7 && t.record_count == 4 && heard.count == 4);
    CHECK_TEXT(text_of(heard.text), "example.test 3600 NS 0 ns.example.test\n"
                                    "home.example.test 60 A 0 192.0.2.1\n"
                                    "mx.example.test 60 MX 10 mail.example.test\n");
    CHECK(feed(&t, &parts[3], &heard) == DNS_TRANSFER_MALFORMED); /* nothing comes behind the end */
    CHECK(!dns_transfer_is_complete(TEXT_NONE));

    /* The unsigned message is proven by the next signature: change it or leave it out, and that
     * fails. */
    struct bytes forged = parts[1];
    forged.data[forged.count - 1] ^= 1;
    t = transfer_of(&key);
    CHECK(feed(&t, &parts[0], &heard) == DNS_TRANSFER_MORE &&
          feed(&t, &forged, &heard) == DNS_TRANSFER_MORE);
    CHECK(feed(&t, &parts[2], &heard) == DNS_TRANSFER_UNTRUSTED && t.trust == DNS_TRUST_WRONG_MAC);
    t = transfer_of(&key);
    CHECK(feed(&t, &parts[0], &heard) == DNS_TRANSFER_MORE &&
          feed(&t, &parts[2], &heard) == DNS_TRANSFER_UNTRUSTED);
    CHECK(feed(&t, &parts[2], &heard) == DNS_TRANSFER_UNTRUSTED);
    t = transfer_of(&key);
    CHECK(feed(&t, &parts[1], &heard) == DNS_TRANSFER_UNTRUSTED && t.trust == DNS_TRUST_UNSIGNED);
    t = transfer_of(&key);
    CHECK(feed(&t, &parts[3], &heard) == DNS_TRANSFER_UNTRUSTED && t.trust == DNS_TRUST_WRONG_MAC);

    /* Without a key the same messages pass, signatures unread. */
    t = transfer_of(NULL);
    for (size_t i = 0; i < 4; i++) {
        CHECK(feed(&t, &parts[i], &heard) == (i < 3 ? DNS_TRANSFER_MORE : DNS_TRANSFER_DONE));
    }
    dns_transfer_wipe(&t);
    CHECK(feed(&t, &parts[0], &heard) == DNS_TRANSFER_MALFORMED);
}

/* 99 messages between signatures go, the hundredth does not; the last must be signed. */
static void test_transfer_unsigned_run(void)
{
    struct dns_tsig_key key = key_of("hmac-sha256");
    for (unsigned run = 98; run <= 100; run++) {
        static struct bytes between;
        struct heard heard = {.count_max = 999};
        struct dns_tsig_mac mac = mac_of(request_mac_hex);
        struct dns_transfer t = transfer_of(&key);
        struct bytes first = reply_begin(0);
        reply_add_soa(&first, "example.test", 7);
        reply_sign(&first, &mac, NULL, false, 0, "", 0);
        CHECK(feed(&t, &first, &heard) == DNS_TRANSFER_MORE);

        between.count = 0;
        struct bytes middle = reply_begin(0);
        reply_add(&middle, DNS_ANSWER, "a.test", DNS_A, "\1\2\3\4", 4);
        for (unsigned i = 0; i < run; i++) {
            CHECK(feed(&t, &middle, &heard) ==
                  (i < 99 ? DNS_TRANSFER_MORE : DNS_TRANSFER_UNTRUSTED));
            add(&between, middle.data, middle.count);
        }
        struct bytes last = reply_begin(0);
        reply_add_soa(&last, "example.test", 7);
        struct dns_transfer unsigned_end = t;
        CHECK(feed(&unsigned_end, &last, &heard) == DNS_TRANSFER_UNTRUSTED);
        reply_sign(&last, &mac, &between, true, 0, "", 0);
        CHECK(feed(&t, &last, &heard) == (run < 100 ? DNS_TRANSFER_DONE : DNS_TRANSFER_UNTRUSTED));
    }
}

static enum dns_transfer_result feed_one(const struct bytes *b)
{
    struct heard heard = {.count_max = 99};
    struct dns_transfer t = transfer_of(NULL);
    return feed(&t, b, &heard);
}

static void test_transfer_refusals(void)
{
    struct heard heard = {.count_max = 1};
    struct bytes b = reply_begin(0);
    reply_add_soa(&b, "example.test", 7);
    reply_add_a(&b);
    CHECK(feed_one(&b) == DNS_TRANSFER_MORE);
    struct dns_transfer t = transfer_of(NULL);
    CHECK(feed(&t, &b, &heard) == DNS_TRANSFER_STOPPED && heard.count == 1 && t.record_count == 2);

    struct bytes whole = b;
    reply_add_soa(&whole, "EXAMPLE.test", 7);
    CHECK(feed_one(&whole) == DNS_TRANSFER_DONE);
    struct bytes behind = whole;
    reply_add_a(&behind);
    CHECK(feed_one(&behind) == DNS_TRANSFER_MALFORMED);
    struct bytes other_serial = b;
    reply_add_soa(&other_serial, "example.test", 8);
    CHECK(feed_one(&other_serial) == DNS_TRANSFER_MALFORMED);
    struct bytes other_zone = b;
    reply_add_soa(&other_zone, "sub.example.test", 7);
    CHECK(feed_one(&other_zone) == DNS_TRANSFER_MALFORMED);

    struct bytes no_soa = reply_begin(0);
    reply_add_a(&no_soa);
    CHECK(feed_one(&no_soa) == DNS_TRANSFER_MALFORMED);
    struct bytes empty = reply_begin(0);
    CHECK(feed_one(&empty) == DNS_TRANSFER_MALFORMED);
    struct bytes truncated = whole;
    truncated.data[2] |= 2;
    CHECK(feed_one(&truncated) == DNS_TRANSFER_MALFORMED);
    struct bytes wrong_id = whole;
    wrong_id.data[0] ^= 1;
    CHECK(feed_one(&wrong_id) == DNS_TRANSFER_MALFORMED);
    struct bytes request = whole;
    request.data[2] &= 0x7f;
    CHECK(feed_one(&request) == DNS_TRANSFER_MALFORMED);
    struct bytes update = whole;
    update.data[2] |= DNS_OPCODE_UPDATE << 3;
    CHECK(feed_one(&update) == DNS_TRANSFER_MALFORMED);
    struct bytes cut = whole;
    cut.count--;
    CHECK(feed_one(&cut) == DNS_TRANSFER_MALFORMED);

    struct bytes refused = reply_begin(DNS_RCODE_REFUSED);
    t = transfer_of(NULL);
    CHECK(feed(&t, &refused, &heard) == DNS_TRANSFER_REFUSED && t.rcode == DNS_RCODE_REFUSED);
    CHECK(t.trust == DNS_TRUST_UNSIGNED);
    struct dns_tsig_key key = key_of("hmac-sha256");
    struct bytes badtime = from_hex(badtime_hex);
    t = transfer_of(&key);
    CHECK(feed(&t, &badtime, &heard) == DNS_TRANSFER_REFUSED && t.trust == DNS_TRUST_SIGNED);
    CHECK(t.tsig_error == DNS_TSIG_BADTIME && t.server_time_s == NOW_S + 5000);

    static const char *const ends[] = {"\0\0", "\0\14\x12\x34\x80\5\0\0\0\0\0\0\0\0"};
    CHECK(dns_transfer_is_complete((struct text){ends[0], 2}));
    CHECK(dns_transfer_is_complete((struct text){ends[1], 14}) &&
          !dns_transfer_is_complete((struct text){ends[1], 13}));

    struct dns_tsig_mac mac = {.bytes = DNS_TSIG_MAC_MAX + 1};
    CHECK(!dns_transfer_begin(&t, ID, TEXT("a..b"), NULL, NULL));
    CHECK(!dns_transfer_begin(&t, ID, TEXT("example.test"), &key, NULL));
    CHECK(!dns_transfer_begin(&t, ID, TEXT("example.test"), &key, &mac));
}

int main(void)
{
    if (!CHECK(sodium_init() >= 0)) return unit_end();
    test_vectors();
    test_keys();
    test_builder_refusals();
    test_builder_names();
    test_query();
    test_signed_reply();
    test_replies_to();
    test_tsig_errors();
    test_malformed();
    test_malformed_tsig();
    test_malformed_records();
    test_transfer();
    test_transfer_unsigned_run();
    test_transfer_refusals();
    return unit_end();
}
