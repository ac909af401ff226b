/* The data of DNS records, between what people type and what goes over the wire. Two forms of one
 * thing:
 *   value   what stands in a record's `value` field (much as in a zone file, RFC 1035 section 5.1);
 *   wire    the bytes of RDATA, names in it uncompressed when we write, decompressed when we read.
 *
 * Values by type; MX and SRV keep their priority in a field of its own:
 *   A      203.0.113.7                 AAAA  2001:db8::7 in any RFC 4291 form
 *   CNAME  host.example.com            NS    ns1.example.com
 *   MX     mail.example.com            SRV   weight port target: 5 443 host.example.com
 *   CAA    0 issue "ca.example"
 *   TXT    raw text, cut into strings of 255 bytes; or, when it begins with a double quote, one
 *          or more quoted strings of at most 255 bytes with the escapes \" and \\ and \DDD (a
 *          decimal byte)
 * Names in values (dns_name.h) are always absolute: "mail" never means "mail" within the zone. MX
 * and SRV take "." for "no such service" (RFC 7505, RFC 2782).
 *
 * Everything is pure: caller's buffers, no allocation, no state. Any input may be hostile.
 * Reasons are sentences with static storage that go on from the field's name ("must be ...");
 * reason may be NULL. */
#ifndef HOMEPORT_DDNS_RDATA_H
#define HOMEPORT_DDNS_RDATA_H

#include "core/text.h"

enum {
    RDATA_BYTES_MAX = 4096,  /* of the data we write; RFC 1035 would allow 65535 */
    RDATA_TXT_MAX = 4080,    /* bytes of text that fill it: 16 strings of 255 */
    RDATA_VALUE_SIZE = 16400 /* the value of any data of RDATA_BYTES_MAX, and a zero byte */
};

/* IANA numbers. The first eight have values; the others only occur in messages. */
enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_CAA = 257,
    DNS_SOA = 6,
    DNS_TSIG = 250,
    DNS_AXFR = 252,
    DNS_ANY = 255
};

/* "AAAA"; NULL for a number that is not in the enum. Takes any 16-bit type off the wire. */
const char *dns_type_name(unsigned type);
/* In either case of letters. False when it is none of the enum. */
bool dns_type_from_name(struct text name, enum dns_type *type);
/* True for the eight types whose data this file reads and writes. */
bool dns_type_has_rdata(unsigned type);

/* Whether a person may enter this value. Stricter than rdata_to_wire(): targets must pass
 * dns_name_check() and have a dot, since a single word is nearly always a name meant within the
 * zone. */
bool rdata_check(enum dns_type type, struct text value, struct text *reason);

/* Value to wire. priority is used by MX and SRV only. False when the value cannot be read or
 * buffer is too small; RDATA_BYTES_MAX always suffices. */
bool rdata_to_wire(enum dns_type type, uint16_t priority, struct text value, uint8_t *buffer,
                   size_t size, size_t *bytes);

/* The data of rdata_bytes at offset of a message as a value in its normal form, in out, with a
 * closing zero byte. *priority is 0 for types without. For data outside a message pass the data
 * as the message and offset 0. False when the data is malformed, the type has no value here, or
 * out is too small. */
bool rdata_from_wire(enum dns_type type, const uint8_t *message, size_t message_bytes,
                     size_t offset, size_t rdata_bytes, uint16_t *priority, char *out, size_t size,
                     struct text *value);

/* The one way to write a value: RFC 5952 addresses, small-letter names without trailing dot, single
 * blanks, CAA value in quotes, TXT raw where raw can say it. A value in normal form stays as it is.
 * TXT is joined and cut anew, as most providers do. False as rdata_to_wire(). */
bool rdata_normalise(enum dns_type type, struct text value, char *out, size_t size,
                     struct text *normal);

/* Whether two values mean the same. TXT compares the joined text, wherever the strings were cut.
 * Values that cannot be read are equal only byte for byte. */
bool rdata_equal(enum dns_type type, struct text a, struct text b);

#endif
