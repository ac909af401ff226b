#include "ddns/dns_tsig.h"

#include "ddns/network_order.h"

enum {
    ALGORITHM_WIRE_MAX = 13,
    /* Name, type to length, algorithm, time, fudge, MAC with its length, id, error, no other data. */
    TSIG_BYTES_MAX = DNS_NAME_WIRE_MAX + 10 + ALGORITHM_WIRE_MAX + 6 + 2 + 2 + DNS_TSIG_MAC_MAX + 6
};

/* ---- keys ---- */

/* Indexed by enum dns_tsig_algorithm. The wire form is what stands in a TSIG record. */
/* clang-format off */
static const struct {
    struct text name;
    size_t mac_bytes;
    size_t wire_bytes;
    uint8_t wire[ALGORITHM_WIRE_MAX];
} algorithms[] = {
    [DNS_TSIG_HMAC_SHA256] = {TEXT_INIT("hmac-sha256"), 32, 13, "\x0bhmac-sha256"},
    [DNS_TSIG_HMAC_SHA512] = {TEXT_INIT("hmac-sha512"), 64, 13, "\x0bhmac-sha512"},
};
/* clang-format on */

static bool refuse_key(struct dns_tsig_key *key, struct text *reason, struct text sentence)
{
    dns_tsig_key_wipe(key);
    if (reason != NULL) *reason = sentence;
    return false;
}

static bool algorithm_find(struct text name, enum dns_tsig_algorithm *algorithm)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
        if (!dns_name_equal(name, algorithms[i].name)) continue;
        *algorithm = (enum dns_tsig_algorithm)i;
        return true;
    }
    return false;
}

bool dns_tsig_key_init(struct dns_tsig_key *key, struct text name, struct text algorithm,
                       struct text secret, struct text *reason)
{
    const char *end = NULL;
    memset(key, 0, sizeof *key);
    if (!dns_name_to_wire(name, key->name, &key->name_bytes)) {
        return refuse_key(key, reason,
                          TEXT("key_name must be the key's name such as homeport-key"));
    }
    if (!algorithm_find(algorithm, &key->algorithm)) {
        return refuse_key(key, reason, TEXT("algorithm must be hmac-sha256 or hmac-sha512"));
    }
    if (secret.bytes == 0 ||
        sodium_base642bin(key->secret, sizeof key->secret, secret.data, secret.bytes, " \t\r\n",
                          &key->secret_bytes, &end, sodium_base64_VARIANT_ORIGINAL) != 0 ||
        end != secret.data + secret.bytes || key->secret_bytes == 0) {
        return refuse_key(key, reason,
                          TEXT("secret must be the key's Base64 text of at most 256 bytes, as the "
                               "name server's configuration has it"));
    }
    return true;
}

void dns_tsig_key_wipe(struct dns_tsig_key *key)
{
    sodium_memzero(key, sizeof *key);
}

/* ---- HMAC over either hash ---- */

static void digest_begin(union dns_digest *d, const struct dns_tsig_key *key)
{
    if (key->algorithm == DNS_TSIG_HMAC_SHA256) {
        crypto_auth_hmacsha256_init(&d->sha256, key->secret, key->secret_bytes);
    } else {
        crypto_auth_hmacsha512_init(&d->sha512, key->secret, key->secret_bytes);
    }
}

static void digest_add(union dns_digest *d, const struct dns_tsig_key *key, const uint8_t *bytes,
                       size_t count)
{
    if (key->algorithm == DNS_TSIG_HMAC_SHA256) {
        crypto_auth_hmacsha256_update(&d->sha256, bytes, count);
    } else {
        crypto_auth_hmacsha512_update(&d->sha512, bytes, count);
    }
}

/* Wipes the state, which could make further MACs. */
static void digest_end(union dns_digest *d, const struct dns_tsig_key *key,
                       struct dns_tsig_mac *mac)
{
    mac->bytes = algorithms[key->algorithm].mac_bytes;
    if (key->algorithm == DNS_TSIG_HMAC_SHA256) {
        crypto_auth_hmacsha256_final(&d->sha256, mac->data);
    } else {
        crypto_auth_hmacsha512_final(&d->sha512, mac->data);
    }
    sodium_memzero(d, sizeof *d);
}

/* The MAC that went before, with its length (RFC 8945 section 4.3.1). */
static void digest_add_mac(union dns_digest *d, const struct dns_tsig_key *key, const uint8_t *mac,
                           size_t bytes)
{
    uint8_t length[2];
    set_u16(length, (unsigned)bytes);
    digest_add(d, key, length, sizeof length);
    digest_add(d, key, mac, bytes);
}

static uint8_t *set_bytes(uint8_t *p, const uint8_t *bytes, size_t count)
{
    if (count > 0) memcpy(p, bytes, count);
    return p + count;
}

size_t dns_tsig_variables(uint8_t out[DNS_TSIG_VARIABLES_MAX], const struct dns_tsig_key *key,
                          uint64_t time_s, uint16_t fudge_s, uint16_t error, const uint8_t *other,
                          size_t other_bytes)
{
    static const uint8_t no_ttl[4];
    if (other_bytes > 6) other_bytes = 6;
    uint8_t *p = set_bytes(out, key->name, key->name_bytes);
    p = set_u16(p, DNS_CLASS_ANY);
    p = set_bytes(p, no_ttl, sizeof no_ttl);
    p = set_bytes(p, algorithms[key->algorithm].wire, algorithms[key->algorithm].wire_bytes);
    p = set_u48(p, time_s);
    p = set_u16(p, fudge_s);
    p = set_u16(p, error);
    p = set_u16(p, (unsigned)other_bytes);
    p = set_bytes(p, other, other_bytes);
    return (size_t)(p - out);
}

/* ---- signing ---- */

/* The record that goes behind the message (RFC 8945 section 4.2), its name whole. */
static size_t tsig_write(uint8_t out[TSIG_BYTES_MAX], const struct dns_tsig_key *key,
                         uint64_t time_s, const struct dns_tsig_mac *mac, unsigned original_id)
{
    static const uint8_t no_ttl[4];
    size_t algorithm_bytes = algorithms[key->algorithm].wire_bytes;
    uint8_t *p = set_bytes(out, key->name, key->name_bytes);
    p = set_u16(p, DNS_TSIG);
    p = set_u16(p, DNS_CLASS_ANY);
    p = set_bytes(p, no_ttl, sizeof no_ttl);
    p = set_u16(p, (unsigned)(algorithm_bytes + 6 + 2 + 2 + mac->bytes + 2 + 2 + 2));
    p = set_bytes(p, algorithms[key->algorithm].wire, algorithm_bytes);
    p = set_u48(p, time_s);
    p = set_u16(p, DNS_TSIG_FUDGE_S);
    p = set_u16(p, (unsigned)mac->bytes);
    p = set_bytes(p, mac->data, mac->bytes);
    p = set_u16(p, original_id);
    p = set_u16(p, DNS_TSIG_OK);
    p = set_u16(p, 0);
    return (size_t)(p - out);
}

size_t dns_builder_sign(struct dns_builder *b, const struct dns_tsig_key *key, uint64_t now_s,
                        struct dns_tsig_mac *mac)
{
    uint8_t variables[DNS_TSIG_VARIABLES_MAX];
    uint8_t record[TSIG_BYTES_MAX];
    union dns_digest digest;
    memset(mac, 0, sizeof *mac);
    if (b->failed || get_u16(b->data + DNS_COUNTS_OFFSET + 2 * DNS_ADDITIONAL) != 0) return 0;

    size_t count =
        dns_tsig_variables(variables, key, now_s, DNS_TSIG_FUDGE_S, DNS_TSIG_OK, NULL, 0);
    digest_begin(&digest, key);
    digest_add(&digest, key, b->data, b->bytes);
    digest_add(&digest, key, variables, count);
    digest_end(&digest, key, mac);

    size_t bytes = tsig_write(record, key, now_s, mac, get_u16(b->data));
    dns_builder_append(b, DNS_ADDITIONAL, record, bytes);
    return dns_builder_end(b);
}

/* ---- verifying ---- */

/* The message as its signer had it before the TSIG record: original id, one record fewer. */
static void digest_add_message(union dns_digest *d, const struct dns_tsig_key *key,
                               const struct dns_message *m)
{
    uint8_t header[DNS_HEADER_BYTES];
    size_t end = m->has_tsig ? m->tsig.offset : m->bytes;
    memcpy(header, m->data, sizeof header);
    if (m->has_tsig) set_u16(header, m->tsig.original_id);
    set_u16(header + DNS_COUNTS_OFFSET + 2 * DNS_ADDITIONAL, m->counts[DNS_ADDITIONAL]);
    digest_add(d, key, header, sizeof header);
    digest_add(d, key, m->data + sizeof header, end - sizeof header);
}

static bool tsig_is_of_key(const struct dns_tsig *tsig, const struct dns_tsig_key *key)
{
    size_t algorithm_bytes = algorithms[key->algorithm].wire_bytes;
    return tsig->name_bytes == key->name_bytes &&
           memcmp(tsig->name, key->name, key->name_bytes) == 0 &&
           tsig->algorithm_bytes == algorithm_bytes &&
           memcmp(tsig->algorithm, algorithms[key->algorithm].wire, algorithm_bytes) == 0;
}

/* Ends the digest d, which holds the MAC before and maybe unsigned messages, with message m.
 * Later messages of a stream digest the timers only (RFC 8945 section 5.3.1). */
static enum dns_trust tsig_check(union dns_digest *d, const struct dns_message *m,
                                 const struct dns_tsig_key *key, bool has_timers_only,
                                 uint64_t now_s)
{
    const struct dns_tsig *tsig = &m->tsig;
    uint8_t variables[DNS_TSIG_VARIABLES_MAX];
    struct dns_tsig_mac mac;
    size_t count;
    if (tsig->mac_bytes == 0 && tsig->error != DNS_TSIG_OK) return DNS_TRUST_HINT;
    if (!tsig_is_of_key(tsig, key)) return DNS_TRUST_WRONG_KEY;

    if (has_timers_only) {
        count = (size_t)(set_u16(set_u48(variables, tsig->time_s), tsig->fudge_s) - variables);
    } else {
        count = dns_tsig_variables(variables, key, tsig->time_s, tsig->fudge_s, tsig->error,
                                   tsig->other, tsig->other_bytes);
    }
    digest_add_message(d, key, m);
    digest_add(d, key, variables, count);
    digest_end(d, key, &mac);
    bool is_equal =
        tsig->mac_bytes == mac.bytes && sodium_memcmp(tsig->mac, mac.data, mac.bytes) == 0;
    sodium_memzero(&mac,
                   sizeof mac); /* of a forged message this is the right MAC: leave it nowhere */
    if (!is_equal) return DNS_TRUST_WRONG_MAC;

    /* A BADTIME reply tells that the clocks differ, so they cannot be asked to agree; the MAC
     * binds it to our request. Servers repeat the request's own time there (RFC 8945 section
     * 5.2.3). */
    if (tsig->error == DNS_TSIG_BADTIME) return DNS_TRUST_SIGNED;

    uint64_t apart_s = now_s > tsig->time_s ? now_s - tsig->time_s : tsig->time_s - now_s;
    return apart_s <= tsig->fudge_s ? DNS_TRUST_SIGNED : DNS_TRUST_WRONG_TIME;
}

enum dns_trust dns_tsig_verify(const struct dns_message *m, const struct dns_tsig_key *key,
                               const struct dns_tsig_mac *request_mac, uint64_t now_s)
{
    union dns_digest digest;
    if (!m->has_tsig) return DNS_TRUST_UNSIGNED;
    digest_begin(&digest, key);
    digest_add_mac(&digest, key, request_mac->data, request_mac->bytes);
    enum dns_trust trust = tsig_check(&digest, m, key, false, now_s);
    sodium_memzero(&digest, sizeof digest);
    return trust;
}

/* ---- streams ---- */

bool dns_tsig_stream_begin(struct dns_tsig_stream *s, const struct dns_tsig_key *key,
                           const struct dns_tsig_mac *request_mac)
{
    memset(s, 0, sizeof *s);
    s->key = key;
    if (key == NULL) return true;
    if (request_mac == NULL || request_mac->bytes > DNS_TSIG_MAC_MAX) return false;
    digest_begin(&s->digest, key);
    digest_add_mac(&s->digest, key, request_mac->data, request_mac->bytes);
    return true;
}

bool dns_tsig_stream_trusts(struct dns_tsig_stream *s, const struct dns_message *m, uint64_t now_s,
                            enum dns_trust *trust)
{
    *trust = DNS_TRUST_UNSIGNED;
    if (s->key == NULL) return true;
    if (!m->has_tsig) {
        if (!s->has_first_signature || s->unsigned_count == DNS_TSIG_UNSIGNED_MAX) return false;
        s->unsigned_count++;
        digest_add_message(&s->digest, s->key, m);
        return true;
    }
    *trust = tsig_check(&s->digest, m, s->key, s->has_first_signature, now_s);
    if (*trust != DNS_TRUST_SIGNED) return false;
    s->has_first_signature = true;
    s->unsigned_count = 0;
    digest_begin(&s->digest, s->key);
    digest_add_mac(&s->digest, s->key, m->tsig.mac, m->tsig.mac_bytes);
    return true;
}
