/* DNS names, between what people type and what goes over the wire.
 *
 *   text    a name in small letters without its trailing dot; the root alone is "."
 *   wire    labels with a length byte each and the root's zero; uncompressed when we write,
 *           decompressed when we read
 *   owner   a name as it stands in a record, within its zone: "www", "@" for the zone itself
 *
 * What a person enters goes through a check, which is narrow; what a server says does not, since
 * any byte may stand in a label: it is shown with escapes (RFC 1035 section 5.1) and read back.
 *
 * Everything is pure: caller's buffers, no allocation, no state. Any input may be hostile.
 * Reasons are sentences with static storage that go on from the field's name ("must be ...");
 * reason may be NULL. */
#ifndef HOMEPORT_DDNS_DNS_NAME_H
#define HOMEPORT_DDNS_DNS_NAME_H

#include "core/text.h"

enum {
    DNS_NAME_MAX = 253,      /* bytes of a name's text, no trailing dot (RFC 1035 section 2.3.4) */
    DNS_NAME_SIZE = 254,     /* the same with a closing zero byte */
    DNS_NAME_WIRE_MAX = 255, /* bytes on the wire, with length bytes and the root's zero */
    DNS_NAME_SHOWN_SIZE = 1024, /* a name off the wire, every byte escaped, and a zero byte */
    DNS_LABEL_MAX = 63          /* bytes between two dots */
};

/* A zone or full host name: letters, digits, hyphens (inside) and underscores in labels of 1 to
 * 63, at most 253 in all, a trailing dot allowed, no IP address. Names with other letters are
 * refused: they must come in their xn-- form (RFC 5890). */
bool dns_name_check(struct text name, struct text *reason);

/* A record's name within its zone: "@" (the zone itself), "*", "*.a", "www", "a.b",
 * "_acme-challenge". */
bool dns_owner_check(struct text owner, struct text *reason);

/* The full name of an owner in a zone: small letters, no trailing dot, closing zero byte. Empty
 * text when it grows past DNS_NAME_MAX or either part is empty; neither part is checked
 * otherwise. */
struct text dns_name_join(struct text owner, struct text zone, char out[DNS_NAME_SIZE]);

/* The way back: the part of name in front of zone, "@" for the zone itself. Points into name.
 * False when name is not within zone. Case and trailing dots make no difference. */
bool dns_name_split(struct text name, struct text zone, struct text *owner);

/* Equal as DNS sees it: case and one trailing dot make no difference. */
bool dns_name_equal(struct text a, struct text b);

/* Text to wire, in small letters. Takes any bytes a server may hold (\DDD and \. escapes), not
 * only those of dns_name_check(). False when a label or the name is too long, empty, or has a
 * raw blank or control. */
bool dns_name_to_wire(struct text name, uint8_t wire[DNS_NAME_WIRE_MAX], size_t *wire_bytes);

/* Reads the name at *offset of a message, following compression pointers (RFC 1035 section
 * 4.1.4), which must point strictly backwards, so a loop cannot be written. The wire form comes
 * out in small letters; *offset moves behind the name. False, with *offset untouched, when
 * anything is out of bounds. */
bool dns_name_from_wire(const uint8_t *message, size_t message_bytes, size_t *offset,
                        uint8_t wire[DNS_NAME_WIRE_MAX], size_t *wire_bytes);

/* Wire (as dns_name_from_wire() gave it) to text with a closing zero byte; odd bytes come as
 * \DDD. */
struct text dns_name_show(const uint8_t *wire, size_t wire_bytes, char out[DNS_NAME_SHOWN_SIZE]);

/* The byte that the escape at the front of t stands for; gives how many bytes the escape takes,
 * 0 when it is none: \DDD for a decimal byte, \X for any other printable X. Quoted strings in
 * values have the escapes of names. */
size_t dns_escape_read(struct text t, uint8_t *byte);

#endif
