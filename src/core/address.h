/* IP addresses and networks: read, written, told apart.
 *
 * An address is a value of 17 bytes, copied freely; nothing here allocates or keeps a pointer.
 * Text goes in as counted bytes and comes out into a buffer of IP_TEXT_SIZE that the caller
 * owns. Readers are strict and take the whole text or nothing: no blanks, no brackets, no zone
 * (%eth0), no port, no octal or short forms of IPv4. Checks that answer a person set *reason
 * (may be NULL) to a sentence that goes on from the name of the field, as in "must be ...", with
 * static storage. */
#ifndef HOMEPORT_CORE_ADDRESS_H
#define HOMEPORT_CORE_ADDRESS_H

#include "core/text.h"

enum { IP_TEXT_SIZE = 46 }; /* longest text with its closing zero byte */

struct ip_address {
    uint8_t family;    /* 4 or 6; 0 is no address */
    uint8_t bytes[16]; /* network order; IPv4 uses the first four, the rest are zero */
};

struct ip_network {
    struct ip_address address; /* bits behind the prefix are zero */
    uint8_t prefix_bits;       /* 0 to 32 or 0 to 128 */
};

/* What an address is for: the IANA special-purpose registries (RFC 6890), as of 2025. */
enum ip_class {
    IP_GLOBAL,
    IP_UNSPECIFIED,   /* 0.0.0.0, :: */
    IP_LOOPBACK,      /* 127.0.0.0/8, ::1 */
    IP_PRIVATE,       /* RFC 1918, carrier NAT 100.64.0.0/10 (RFC 6598), unique local fc00::/7 */
    IP_LINK_LOCAL,    /* 169.254.0.0/16, fe80::/10 */
    IP_MULTICAST,     /* 224.0.0.0/4, ff00::/8 */
    IP_DOCUMENTATION, /* RFC 5737, RFC 3849, RFC 9637 */
    IP_V4_MAPPED,     /* ::ffff:0:0/96; see ip_unmap() */
    IP_NAT64,         /* 64:ff9b::/96, 64:ff9b:1::/48 */
    IP_6TO4,          /* 2002::/16 */
    IP_RESERVED       /* nobody's: 0/8, 240/4, benchmarks, Teredo, all outside 2000::/3 ... */
};

/* "203.0.113.7" or any RFC 4291 form of IPv6. False leaves *address with family 0. */
bool ip_parse(struct text t, struct ip_address *address);

/* Dotted quad or the RFC 5952 form (small letters, longest run of zeros as "::", v4-mapped with
 * a dotted quad). Ends out with a zero byte and returns it as a text; empty when the family is
 * neither 4 nor 6. */
struct text ip_format(const struct ip_address *address, char out[IP_TEXT_SIZE]);

bool ip_equal(const struct ip_address *a, const struct ip_address *b);

/* An IPv4 address that came in its v4-mapped form ("::ffff:192.0.2.1", as dual-stack sockets
 * tell it) as plain IPv4; every other address as it is. */
struct ip_address ip_unmap(const struct ip_address *address);

/* What is counted as one house or machine where addresses are limited or banned: IPv4 whole, IPv6 by its /64
 * (the lower half becomes zero). */
struct ip_address ip_counted(const struct ip_address *address);

/* The class of the address itself: v4-mapped, NAT64 and 6to4 are classes of their own, whatever
 * IPv4 address they carry. A family of neither 4 nor 6 is IP_RESERVED. */
enum ip_class ip_class(const struct ip_address *address);

/* A short word for logs, such as "link-local". */
const char *ip_class_name(enum ip_class class_of_address);

/* Usable as this house's public address: global unicast. The documentation ranges (192.0.2.0/24,
 * 198.51.100.0/24, 203.0.113.0/24, 2001:db8::/32, 3fff::/20) count as global on purpose: tests
 * and labs answer with them, nothing can be reached through them, and no echo service returns
 * them by accident. Addresses that carry another (v4-mapped, NAT64, 6to4, Teredo) do not count. */
bool ip_is_global(const struct ip_address *address);

/* "10.0.0.0/8", "2001:db8::/32", or a bare address, which is a network of one. Refuses bits
 * behind the prefix ("10.0.0.1/8"): such a line in an allow list rarely means what it opens. */
bool ip_network_parse(struct text t, struct ip_network *network);

/* Families never mix: unmap an address from a dual-stack socket first. */
bool ip_network_has(const struct ip_network *network, const struct ip_address *address);

/* A host part for ip_prefix_combine(). */
bool ip_suffix_check(struct text suffix, struct text *reason);

/* The first 64 bits of prefix with the host part that suffix names: "::1234" or "1:2:3:4" (four
 * groups) as the lower 64 bits, or a MAC "aa:bb:cc:dd:ee:ff" (or with '-') as modified EUI-64
 * (RFC 4291, appendix A). False when the suffix fails ip_suffix_check() or prefix is not IPv6;
 * *address then has family 0. */
bool ip_prefix_combine(const struct ip_address *prefix, struct text suffix,
                       struct ip_address *address);

#endif
