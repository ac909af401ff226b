/* TSIG (RFC 8945): DNS messages signed and verified with a key that both sides know.
 *
 *     dns_tsig_key_init      once, from what the user gave
 *     dns_builder_sign       instead of dns_builder_end(), and keep the MAC
 *     dns_tsig_verify        of the reply, with the request's MAC
 *     dns_tsig_key_wipe
 * A stream of messages that answers one request, a transfer, goes to dns_tsig_stream_trusts()
 * message by message instead.
 *
 * A reply's rcode, and everything else in it, is a stranger's word until its trust is known: see
 * enum dns_trust. Pure, as dns_message.h is: no clock and no state. MACs are compared in constant
 * time, and what could make further ones is wiped. */
#ifndef HOMEPORT_DDNS_DNS_TSIG_H
#define HOMEPORT_DDNS_DNS_TSIG_H

#include "ddns/dns_message.h"

#include <sodium.h>

enum {
    DNS_TSIG_FUDGE_S = 300,
    DNS_TSIG_MAC_MAX = 64,
    DNS_TSIG_SECRET_MAX = 256,    /* bytes */
    DNS_TSIG_VARIABLES_MAX = 540, /* bytes of the digest behind the message */
    DNS_TSIG_UNSIGNED_MAX = 99    /* messages of a stream in a row without TSIG, section 5.3.1 */
};

/* ---- keys ---- */

enum dns_tsig_algorithm { DNS_TSIG_HMAC_SHA256, DNS_TSIG_HMAC_SHA512 };

/* Private; holds a secret, so wipe it after use. */
struct dns_tsig_key {
    enum dns_tsig_algorithm algorithm;
    size_t name_bytes;
    size_t secret_bytes;
    uint8_t name[DNS_NAME_WIRE_MAX];
    uint8_t secret[DNS_TSIG_SECRET_MAX];
};

struct dns_tsig_mac {
    size_t bytes; /* 0: there is none */
    uint8_t data[DNS_TSIG_MAC_MAX];
};

/* name as the server knows the key, algorithm "hmac-sha256" or "hmac-sha512" (a trailing dot is
 * fine), secret in standard Base64 (RFC 4648; blanks and line ends are skipped, padding is
 * needed). On failure the key is wiped and *reason (may be NULL) says which of the three is
 * wrong. */
bool dns_tsig_key_init(struct dns_tsig_key *key, struct text name, struct text algorithm,
                       struct text secret, struct text *reason);
void dns_tsig_key_wipe(struct dns_tsig_key *key);

/* ---- signing ---- */

/* dns_builder_end() with a TSIG record: the finished message's length, 0 when something failed.
 * now_s is Unix time. *mac is needed to verify the reply. */
size_t dns_builder_sign(struct dns_builder *b, const struct dns_tsig_key *key, uint64_t now_s,
                        struct dns_tsig_mac *mac);

/* What TSIG digests behind the message (RFC 8945 section 4.3.3); offered for tests. */
size_t dns_tsig_variables(uint8_t out[DNS_TSIG_VARIABLES_MAX], const struct dns_tsig_key *key,
                          uint64_t time_s, uint16_t fudge_s, uint16_t error, const uint8_t *other,
                          size_t other_bytes);

/* ---- verifying ---- */

/* How far to believe a reply.
 *   SIGNED      Made by who holds the key, for this request, in time. The rcode and the TSIG's own
 *               error are true; a BADTIME with the server's clock comes this way.
 *   UNSIGNED    No TSIG at all.
 *   HINT        TSIG without a MAC but with an error, as BADSIG and BADKEY come. Anybody could have
 *               sent it: stop using the reply, but take what it says for likely, not for proven.
 *   WRONG_KEY   Another key name or algorithm than ours.
 *   WRONG_MAC   Forged, damaged, for another request, or with a MAC cut short.
 *   WRONG_TIME  The MAC is right, but made longer ago or later than the fudge: held back, or clocks
 *               differ. Never with BADTIME, which its MAC alone binds to the request. */
enum dns_trust {
    DNS_TRUST_SIGNED,
    DNS_TRUST_UNSIGNED,
    DNS_TRUST_HINT,
    DNS_TRUST_WRONG_KEY,
    DNS_TRUST_WRONG_MAC,
    DNS_TRUST_WRONG_TIME
};

/* Verifies the reply to a request whose MAC was request_mac (RFC 8945 section 5.4). now_s is
 * Unix time. Takes full-length MACs only; we never ask for shorter ones. */
enum dns_trust dns_tsig_verify(const struct dns_message *m, const struct dns_tsig_key *key,
                               const struct dns_tsig_mac *request_mac, uint64_t now_s);

/* ---- streams ---- */

/* Private. */
union dns_digest {
    crypto_auth_hmacsha256_state sha256;
    crypto_auth_hmacsha512_state sha512;
};

/* The signatures of a stream so far. Private; holds what was derived from the key, so wipe it after
 * use. */
struct dns_tsig_stream {
    const struct dns_tsig_key *key; /* NULL: a stream without TSIG */
    bool has_first_signature;
    uint8_t unsigned_count;
    union dns_digest digest; /* of the previous MAC and of the messages since */
};

/* After the request was signed. key and request_mac are NULL for a stream without TSIG; the key
 * must outlive the stream. False when a key comes without a MAC. */
bool dns_tsig_stream_begin(struct dns_tsig_stream *s, const struct dns_tsig_key *key,
                           const struct dns_tsig_mac *request_mac);

/* Takes the signature of one message into account. The first must have one; between later ones
 * up to DNS_TSIG_UNSIGNED_MAX may do without, and are proven only by the next signature. Without a
 * key everything passes. *trust is that of this message alone. False ends the stream. */
bool dns_tsig_stream_trusts(struct dns_tsig_stream *s, const struct dns_message *m, uint64_t now_s,
                            enum dns_trust *trust);

#endif
