/* Zone transfers: AXFR over TCP (RFC 5936), with TSIG or without.
 *
 *     dns_query_begin with DNS_AXFR, dns_builder_sign or dns_builder_end     the request
 *     dns_transfer_begin, dns_transfer_feed for each message off the stream  the answers
 *     dns_transfer_wipe
 *
 * A transfer is the zone's SOA, its other records and the same SOA once more, in as many messages
 * as the server likes. Nothing is kept here: every record goes to a callback as it comes. Pure, as
 * dns_message.h is; the caller reads the stream and counts its bytes. */
#ifndef HOMEPORT_DDNS_DNS_TRANSFER_H
#define HOMEPORT_DDNS_DNS_TRANSFER_H

#include "ddns/dns_tsig.h"

enum dns_transfer_result {
    DNS_TRANSFER_MORE,      /* feed the next message */
    DNS_TRANSFER_DONE,      /* the second SOA has come, and with a key its message was signed */
    DNS_TRANSFER_MALFORMED, /* not a reply to this, or not a transfer */
    DNS_TRANSFER_REFUSED,   /* see rcode and tsig_error; see trust for how far to believe them */
    DNS_TRANSFER_UNTRUSTED, /* a signature is missing or wrong; see trust */
    DNS_TRANSFER_STOPPED    /* the callback did not want to go on */
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
    size_t zone_bytes;
    uint8_t zone[DNS_NAME_WIRE_MAX];
    struct dns_tsig_stream signatures;
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
