/* DNS messages: UPDATE (RFC 2136) and queries written, replies read (RFC 1035).
 *
 * Pure: the caller owns buffers, sockets, ids, the clock and retries. Writing goes
 *     dns_update_begin, dns_update_need_*, dns_update_delete_* and dns_update_add, dns_builder_sign
 * or  dns_query_begin, dns_builder_sign (or dns_builder_end for an unsigned one). A builder that
 * cannot go on fails and stays failed, so the caller looks once, at the byte count that
 * dns_builder_sign() or dns_builder_end() returns. Reading goes
 *     dns_message_read, dns_message_replies_to, dns_tsig_verify, then rcode and dns_rr_next.
 * What signs and verifies stands in dns_tsig.h, on top of this file; here a TSIG record is only
 * read. The messages of a zone transfer go to dns_transfer.h.
 *
 * Over UDP a message has at most DNS_UDP_BYTES_MAX bytes; a longer one, or a reply with
 * is_truncated, goes over TCP with two bytes of length before each message (not part of what is
 * passed here). Structs that read keep pointers into the caller's bytes, which must outlive
 * them. Names are texts as in dns_name.h, always full names. No function reads outside what it was
 * given, whatever the bytes say. */
#ifndef HOMEPORT_DDNS_DNS_MESSAGE_H
#define HOMEPORT_DDNS_DNS_MESSAGE_H

#include "ddns/dns_name.h"
#include "ddns/rdata.h"

enum {
    DNS_HEADER_BYTES = 12,
    DNS_COUNTS_OFFSET = 4, /* in the header: two bytes for each of the four sections */
    DNS_UDP_BYTES_MAX = 512,
    DNS_MESSAGE_BYTES_MAX = 65535,
    DNS_BUILDER_NAMES_MAX = 64, /* name offsets remembered for compression */
    DNS_TTL_MAX = 0x7fffffff    /* seconds, RFC 2181 section 8 */
};

enum dns_class { DNS_CLASS_IN = 1, DNS_CLASS_CHAOS = 3, DNS_CLASS_NONE = 254, DNS_CLASS_ANY = 255 };

enum dns_opcode { DNS_OPCODE_QUERY = 0, DNS_OPCODE_UPDATE = 5 };

/* Sections behind the question; an UPDATE calls them prerequisite, update and additional. */
enum dns_section { DNS_ANSWER = 1, DNS_AUTHORITY = 2, DNS_ADDITIONAL = 3 };

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

/* ---- writing ---- */

/* Private to dns_message.c and dns_tsig.c. */
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
/* Puts a whole record, in wire form, at the end of a message without compressing its name; for
 * dns_tsig.c. The section must be the last that has records. */
void dns_builder_append(struct dns_builder *b, enum dns_section section, const uint8_t *record,
                        size_t bytes);

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
bool dns_rr_value(const struct dns_message *m, const struct dns_rr *record, uint16_t *priority,
                  char *out, size_t size, struct text *value);
/* The serial of a SOA record (RFC 1035 section 3.3.13). */
bool dns_rr_soa_serial(const struct dns_message *m, const struct dns_rr *record, uint32_t *serial);

#endif
