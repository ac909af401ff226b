/* libFuzzer: everything that reads DNS from outside. The first byte chooses what the rest is:
 *   0  one reply: read, iterate, value of every record, TSIG verified
 *   1  a transfer's stream of messages with two bytes of length each, with and without a key
 *   2  the same, each message signed here, so that what follows a good signature is reached
 *   3  a value of the type in the second byte: what a person may enter must survive every trip
 * Besides not crashing, promises of rdata.h, dns_name.h and the headers of DNS messages are held to,
 * by abort(). */
#include "ddns/dns_transfer.h"

#include <stdlib.h>

enum { NOW_S = 1772352550 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void demand(bool truth)
{
    if (!truth) abort();
}

static struct dns_tsig_key key_of(struct text algorithm)
{
    struct dns_tsig_key key;
    demand(dns_tsig_key_init(&key, TEXT("k"), algorithm, TEXT("AAECAwQFBgcICQoLDA0ODw=="), NULL));
    return key;
}

/* A value off the wire is in normal form already, but for TXT in odd cuts. */
static void record_show(const struct dns_message *m, const struct dns_rr *record)
{
    static char value_buffer[RDATA_VALUE_SIZE];
    static char normal_buffer[RDATA_VALUE_SIZE];
    char name_buffer[DNS_NAME_SHOWN_SIZE];
    uint8_t wire[DNS_NAME_WIRE_MAX];
    size_t wire_bytes;
    uint16_t priority;
    uint32_t serial;
    struct text value;
    struct text normal;
    struct text name = dns_name_show(record->name, record->name_bytes, name_buffer);
    demand(dns_name_to_wire(name, wire, &wire_bytes) && wire_bytes == record->name_bytes);
    demand(memcmp(wire, record->name, wire_bytes) == 0);
    (void)dns_rr_soa_serial(m, record, &serial);
    if (!dns_rr_value(m, record, &priority, value_buffer, sizeof value_buffer, &value)) return;

    enum dns_type type = (enum dns_type)record->type;
    if (!rdata_normalise(type, value, normal_buffer, sizeof normal_buffer, &normal)) {
        demand(record->rdata_bytes > RDATA_BYTES_MAX);
        return;
    }
    demand(type == DNS_TXT || text_equal(value, normal));
    demand(rdata_equal(type, value, normal));
}

static bool record_hear(void *context, const struct dns_message *m, const struct dns_rr *record)
{
    unsigned *left_count = context;
    record_show(m, record);
    return --*left_count > 0;
}

static void fuzz_reply(const uint8_t *data, size_t bytes)
{
    struct dns_tsig_mac mac = {.bytes = 32};
    struct dns_tsig_key key = key_of(TEXT("hmac-sha256"));
    struct dns_tsig_key key_512 = key_of(TEXT("hmac-sha512"));
    struct dns_message m;
    struct dns_cursor cursor;
    struct dns_rr record;
    if (!dns_message_read(data, bytes, &m)) return;
    for (unsigned section = DNS_ANSWER; section <= DNS_ADDITIONAL; section++) {
        unsigned count = 0;
        dns_rrs_begin(&m, (enum dns_section)section, &cursor);
        while (dns_rr_next(&cursor, &record)) {
            record_show(&m, &record);
            count++;
        }
        demand(cursor.is_malformed || count == m.counts[section]);
    }
    demand(dns_tsig_verify(&m, &key, &mac, NOW_S) != DNS_TRUST_SIGNED);
    demand(dns_tsig_verify(&m, &key_512, &mac, NOW_S) != DNS_TRUST_SIGNED);
    (void)dns_message_replies_to(&m, data, bytes);
}

/* Signs a message as the next of a stream; *mac is the one before, then this one's. Gives its
 * length. */
static size_t message_sign(uint8_t *message, size_t bytes, const struct dns_tsig_key *key,
                           bool is_later, struct dns_tsig_mac *mac)
{
    static const uint8_t head[] = "\1k\0\0\372\0\377\0\0\0\0\0\x3d\13hmac-sha256";
    static const uint8_t timers[] = {0, 0, 0x69, 0xa3, 0xf4, 0x26, 0x01, 0x2c};
    uint8_t variables[DNS_TSIG_VARIABLES_MAX];
    const uint8_t length[2] = {0, (uint8_t)mac->bytes};
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key->secret, key->secret_bytes);
    crypto_auth_hmacsha256_update(&state, length, sizeof length);
    crypto_auth_hmacsha256_update(&state, mac->data, mac->bytes);
    crypto_auth_hmacsha256_update(&state, message, bytes);
    if (is_later) {
        crypto_auth_hmacsha256_update(&state, timers, sizeof timers);
    } else {
        size_t count = dns_tsig_variables(variables, key, NOW_S, 300, 0, NULL, 0);
        crypto_auth_hmacsha256_update(&state, variables, count);
    }
    crypto_auth_hmacsha256_final(&state, mac->data);
    mac->bytes = 32;

    const uint8_t tail[6] = {message[0], message[1]};
    memcpy(message + bytes, head, sizeof head);
    bytes += sizeof head;
    memcpy(message + bytes, timers, sizeof timers);
    bytes += sizeof timers;
    memcpy(message + bytes, "\0\40", 2);
    memcpy(message + bytes + 2, mac->data, mac->bytes);
    memcpy(message + bytes + 34, tail, sizeof tail);
    message[11]++; /* the caller left room for one more additional record */
    return bytes + 40;
}

static void fuzz_transfer(const uint8_t *data, size_t bytes, bool has_key, bool do_sign)
{
    static uint8_t message[DNS_MESSAGE_BYTES_MAX + 200];
    struct dns_tsig_key key = key_of(TEXT("hmac-sha256"));
    struct dns_tsig_mac mac = {.bytes = 32};
    struct dns_transfer t;
    unsigned left_count = 1000;
    bool is_later = false;
    demand(dns_transfer_begin(&t, 0x1234, TEXT("z"), has_key ? &key : NULL, &mac));
    while (bytes >= 2) {
        size_t count = (size_t)data[0] << 8 | data[1];
        if (count > bytes - 2) count = bytes - 2;
        memcpy(message, data + 2, count);
        data += 2 + count;
        bytes -= 2 + count;
        bool is_signed =
            do_sign && count >= DNS_HEADER_BYTES && message[11] != 255 && count < 65000;
        if (is_signed) count = message_sign(message, count, &key, is_later, &mac);
        is_later = true;
        enum dns_transfer_result result =
            dns_transfer_feed(&t, message, count, NOW_S, record_hear, &left_count);
        demand(!has_key || do_sign || result != DNS_TRANSFER_DONE); /* nobody here knows the key */
        if (result != DNS_TRANSFER_MORE) return;
    }
}

static void fuzz_value(const uint8_t *data, size_t bytes)
{
    static const enum dns_type types[] = {DNS_A,   DNS_AAAA, DNS_CNAME, DNS_MX,
                                          DNS_TXT, DNS_NS,   DNS_SRV,   DNS_CAA};
    static char first_buffer[RDATA_VALUE_SIZE];
    static char second_buffer[RDATA_VALUE_SIZE];
    struct text first;
    struct text second;
    struct text reason = TEXT_NONE;
    if (bytes == 0) return;
    enum dns_type type = types[data[0] % 8];
    struct text value = {(const char *)data + 1, bytes - 1};
    (void)dns_owner_check(value, NULL);
    bool is_good = rdata_check(type, value, &reason);
    demand(is_good || text_starts(reason, TEXT("must ")));
    if (!rdata_normalise(type, value, first_buffer, sizeof first_buffer, &first)) {
        demand(!is_good);
        return;
    }
    demand(rdata_normalise(type, first, second_buffer, sizeof second_buffer, &second));
    demand(text_equal(first, second));
    demand(rdata_equal(type, value, first));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (sodium_init() < 0 || bytes == 0) return 0;
    const uint8_t *rest = data + 1;
    size_t rest_bytes = bytes - 1;
    switch (data[0] % 4) {
    case 0: fuzz_reply(rest, rest_bytes); break;
    case 1:
        fuzz_transfer(rest, rest_bytes, true, false);
        fuzz_transfer(rest, rest_bytes, false, false);
        (void)dns_transfer_is_complete((struct text){(const char *)rest, rest_bytes});
        break;
    case 2: fuzz_transfer(rest, rest_bytes, true, true); break;
    default: fuzz_value(rest, rest_bytes); break;
    }
    return 0;
}
