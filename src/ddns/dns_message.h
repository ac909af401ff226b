/* DNS messages: UPDATE (RFC 2136), queries and zone transfers (RFC 1035, RFC 5936), signed with
 * TSIG (RFC 8945).
 *
 * Pure: the caller owns buffers, sockets, ids, the clock and retries. Writing goes
 *     dns_update_begin, dns_update_need_*, dns_update_delete_* and dns_update_add, dns_builder_sign
 * or  dns_query_begin, dns_builder_sign (or dns_builder_end for an unsigned one). A builder that
 * cannot go on fails and stays failed, so the caller looks once, at the byte count that
 * dns_builder_sign() or dns_builder_end() returns. Reading goes
 *     dns_message_read, dns_message_replies_to, dns_tsig_verify, then rcode and dns_rr_next,
 * and a transfer feeds its messages to dns_transfer_feed() one by one.
 *
 * Over UDP a message has at most DNS_UDP_BYTES_MAX bytes; a longer one, or a reply with
 * is_truncated, goes over TCP with two bytes of length before each message (not part of what is
 * passed here). Structs that read keep pointers into the caller's bytes, which must outlive
 * them. Names are texts as in rdata.h, always full names. No function reads outside what it was
 * given, whatever the bytes say. */
#ifndef HOMEPORT_DDNS_DNS_MESSAGE_H
#define HOMEPORT_DDNS_DNS_MESSAGE_H

#include "ddns/rdata.h"

#include <sodium.h>

enum {
    DNS_HEADER_BYTES = 12,
    DNS_UDP_BYTES_MAX = 512,
    DNS_MESSAGE_BYTES_MAX = 65535,
    DNS_BUILDER_NAMES_MAX = 64, /* name offsets remembered for compression */
    DNS_TTL_MAX = 0x7fffffff,   /* seconds, RFC 2181 section 8 */
    DNS_TSIG_FUDGE_S = 300,
    DNS_TSIG_MAC_MAX = 64,
    DNS_TSIG_SECRET_MAX = 256,     /* bytes */
    DNS_TSIG_VARIABLES_MAX = 540,  /* bytes of the digest behind the message */
    DNS_TRANSFER_UNSIGNED_MAX = 99 /* messages in a row without TSIG, RFC 8945 section 5.3.1 */
};

enum dns_class { DNS_CLASS_IN = 1, DNS_CLASS_CHAOS = 3, DNS_CLASS_NONE = 254, DNS_CLASS_ANY = 255 };

enum dns_opcode { DNS_OPCODE_QUERY = 0, DNS_OPCODE_UPDATE = 5 };

enum dns_rcode {
    DNS_RCODE_OK = 0,
    DNS_RCODE_FORMERR = 1,
    DNS_RCODE_SERVFAIL = 2,
    DNS_RCODE_NXDOMAIN = 3,
    DNS_RCODE_NOTIMP = 4,
    DNS_RCODE_REFUSED = 5,
    DNS_RCODE_YXDOMAIN = 6,
    DNS_RCODE_YXRRSET = 7,
    DNS_RCODE_NXRRSET = 8,
    DNS_RCODE_NOTAUTH = 9,
    DNS_RCODE_NOTZONE = 10
};

/* The error field of a TSIG record. */
enum dns_tsig_error {
    DNS_TSIG_OK = 0,
    DNS_TSIG_BADSIG = 16,
    DNS_TSIG_BADKEY = 17,
    DNS_TSIG_BADTIME = 18,
    DNS_TSIG_BADTRUNC = 22
};

/* "REFUSED", "BADTIME"...; NULL for a number not listed above. */
const char *dns_rcode_name(unsigned rcode);
const char *dns_tsig_error_name(unsigned error);

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

/* ---- writing ---- */

/* Private. */
struct dns_builder {
    uint8_t *data;
    size_t size;
    size_t bytes;
    uint8_t section; /* 0 question or zone, 1 prerequisite, 2 update, 3 closed */
    bool failed;
    uint8_t name_count;
    uint16_t
        name_offsets[DNS_BUILDER_NAMES_MAX]; /* where a name or the end of one can be pointed at */
};

/* Starts an UPDATE of zone in buffer. The id should be random: it guards unsigned replies. */
void dns_update_begin(struct dns_builder *b, uint8_t *buffer, size_t size, uint16_t id,
                      struct text zone);

/* Prerequisites (RFC 2136 section 2.4); all must be written before the first change. With
 * DNS_ANY as the type the first two ask for the name itself. Names outside the zone fail the
 * builder, here and below. The prerequisite on a value demands that the RRset is made of exactly
 * the values given. */
void dns_update_need_rrset(struct dns_builder *b, struct text name, enum dns_type type);
void dns_update_need_no_rrset(struct dns_builder *b, struct text name, enum dns_type type);
void dns_update_need_value(struct dns_builder *b, struct text name, enum dns_type type,
                           uint16_t priority, struct text value);

/* Changes (RFC 2136 section 2.5); the server makes all of a message's changes or none. DNS_ANY
 * deletes every RRset of the name. Values and priorities as in rdata.h. */
void dns_update_delete_rrset(struct dns_builder *b, struct text name, enum dns_type type);
void dns_update_delete_value(struct dns_builder *b, struct text name, enum dns_type type,
                             uint16_t priority, struct text value);
void dns_update_add(struct dns_builder *b, struct text name, enum dns_type type, uint32_t ttl_s,
                    uint16_t priority, struct text value);

/* Starts a query with one question. Recursion is asked for unless the type is DNS_AXFR. */
void dns_query_begin(struct dns_builder *b, uint8_t *buffer, size_t size, uint16_t id,
                     struct text name, enum dns_type type, enum dns_class class_of_name);

/* The finished message's length; 0 when something failed. The builder is closed afterwards. */
size_t dns_builder_end(struct dns_builder *b);
/* The same with a TSIG record. now_s is Unix time. *mac is needed to verify the reply. */
size_t dns_builder_sign(struct dns_builder *b, const struct dns_tsig_key *key, uint64_t now_s,
                        struct dns_tsig_mac *mac);

/* What TSIG digests behind the message (RFC 8945 section 4.3.3); offered for tests. */
size_t dns_tsig_variables(uint8_t out[DNS_TSIG_VARIABLES_MAX], const struct dns_tsig_key *key,
                          uint64_t time_s, uint16_t fudge_s, uint16_t error, const uint8_t *other,
                          size_t other_bytes);

/* ---- reading ---- */

/* The TSIG record of a message. Unproven until dns_tsig_verify() says DNS_TRUST_SIGNED. */
struct dns_tsig {
    uint64_t time_s; /* 48 bits */
    uint16_t fudge_s;
    uint16_t original_id;
    uint16_t error;       /* enum dns_tsig_error, or any other number */
    bool has_server_time; /* with DNS_TSIG_BADTIME: the server's clock */
    uint64_t server_time_s;
    size_t offset; /* private from here: where the record begins */
    const uint8_t *mac;
    size_t mac_bytes;
    const uint8_t *other; /* at most 6 bytes are accepted */
    size_t other_bytes;
    size_t name_bytes;
    size_t algorithm_bytes;
    uint8_t name[DNS_NAME_WIRE_MAX];
    uint8_t algorithm[DNS_NAME_WIRE_MAX];
};

enum dns_section { DNS_ANSWER = 1, DNS_AUTHORITY = 2, DNS_ADDITIONAL = 3 };

struct dns_message {
    const uint8_t *data;
    size_t bytes;
    uint16_t id;
    uint8_t opcode; /* enum dns_opcode, or any other number up to 15 */
    uint8_t rcode;  /* enum dns_rcode, or any other number up to 15 */
    bool is_response;
    bool is_authoritative;
    bool is_truncated; /* ask again over TCP and believe nothing else */
    bool has_tsig;
    uint16_t counts[4]; /* question, then by enum dns_section; a TSIG record is not counted */
    size_t offsets[4];  /* private: where each section begins */
    struct dns_tsig tsig;
};

/* Reads the header and walks every record once, so counts and lengths are known to fit the
 * bytes. False for anything malformed: records that do not fill the message exactly, TSIG that
 * is not the last record. A truncated message whose records do not fit is accepted with no
 * records and no TSIG. */
bool dns_message_read(const uint8_t *data, size_t bytes, struct dns_message *m);

/* A reply to this request: response bit, id, opcode and (where the reply repeats it) the
 * question. */
bool dns_message_replies_to(const struct dns_message *m, const uint8_t *request,
                            size_t request_bytes);

struct dns_rr {
    uint16_t type; /* any number */
    uint16_t class_of_record;
    uint32_t ttl_s;
    size_t rdata_offset; /* in the message: pass to rdata_from_wire() with rdata_bytes */
    uint16_t rdata_bytes;
    size_t name_bytes;
    uint8_t name[DNS_NAME_WIRE_MAX]; /* wire form; dns_name_show() makes it text */
};

/* Private but for is_malformed, which tells a bad name from the end once dns_rr_next() is
 * false. */
struct dns_cursor {
    const struct dns_message *message;
    size_t offset;
    uint16_t left_count;
    bool is_malformed;
};

void dns_rrs_begin(const struct dns_message *m, enum dns_section section,
                       struct dns_cursor *cursor);
bool dns_rr_next(struct dns_cursor *cursor, struct dns_rr *record);

/* The value of a record of one of the eight types, as rdata_from_wire(). */
bool dns_rr_value(const struct dns_message *m, const struct dns_rr *record,
                      uint16_t *priority, char *out, size_t size, struct text *value);
/* The serial of a SOA record (RFC 1035 section 3.3.13). */
bool dns_rr_soa_serial(const struct dns_message *m, const struct dns_rr *record,
                           uint32_t *serial);

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

/* ---- zone transfer (AXFR over TCP, RFC 5936) ---- */

enum dns_transfer_result {
    DNS_TRANSFER_MORE,      /* feed the next message */
    DNS_TRANSFER_DONE,      /* the second SOA has come, and with a key its message was signed */
    DNS_TRANSFER_MALFORMED, /* not a reply to this, or not a transfer */
    DNS_TRANSFER_REFUSED,   /* see rcode and tsig_error; see trust for how far to believe them */
    DNS_TRANSFER_UNTRUSTED, /* a signature is missing or wrong; see trust */
    DNS_TRANSFER_STOPPED    /* the callback did not want to go on */
};

/* Private. */
union dns_digest {
    crypto_auth_hmacsha256_state sha256;
    crypto_auth_hmacsha512_state sha512;
};

/* Private, but for rcode, tsig_error, server_time_s, trust, serial and record_count after a
 * feed. */
struct dns_transfer {
    uint8_t rcode;
    uint16_t tsig_error;
    uint64_t server_time_s; /* with BADTIME, else 0 */
    enum dns_trust trust; /* of the last message; DNS_TRUST_UNSIGNED for one between signed ones */
    uint32_t serial;
    uint32_t record_count; /* without the closing SOA */

    enum dns_transfer_result result;
    uint16_t id;
    const struct dns_tsig_key *key;
    bool has_first_signature;
    uint8_t unsigned_count;
    size_t zone_bytes;
    uint8_t zone[DNS_NAME_WIRE_MAX];
    union dns_digest digest; /* of the previous MAC and of the messages since */
};

/* One record of the zone, the opening SOA included and the closing one not. Return false to
 * stop, as when there are more records than wanted. Records of messages between signed ones are
 * proven only by a later signature: use nothing before the transfer is DNS_TRANSFER_DONE. */
typedef bool (*dns_transfer_record)(void *context, const struct dns_message *m,
                                    const struct dns_rr *record);

/* After the request (dns_query_begin with DNS_AXFR) was built. key and request_mac are NULL for
 * a transfer without TSIG; the key must outlive the transfer. False when zone is no name. */
bool dns_transfer_begin(struct dns_transfer *t, uint16_t id, struct text zone,
                        const struct dns_tsig_key *key, const struct dns_tsig_mac *request_mac);
/* One message off the stream, without its length bytes. After any result but DNS_TRANSFER_MORE
 * the transfer is over, and further feeds return the same result (DNS_TRANSFER_MALFORMED after
 * DONE). */
enum dns_transfer_result dns_transfer_feed(struct dns_transfer *t, const uint8_t *data,
                                           size_t bytes, uint64_t now_s,
                                           dns_transfer_record record_done, void *context);

/* Whether these messages off a stream, each with its two bytes of length in front, are all that
 * a transfer will give: the second SOA is among them, or a refusal, or something that is no
 * transfer. Proves nothing: it only tells a client when to stop reading. */
bool dns_transfer_is_complete(struct text answers);

/* Wipes what was derived from the key. */
void dns_transfer_wipe(struct dns_transfer *t);

#endif
