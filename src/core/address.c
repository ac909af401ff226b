#include "core/address.h"

/* ---- reading ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four decimal numbers. Leading zeros are refused: some readers take them for octal. */
static bool quad_parse(struct text t, uint8_t bytes[4])
{
    if (t.bytes == 0) return false;
    for (size_t i = 0; i < 4; i++) {
        if (t.data == NULL) return false;
        struct text part = text_cut(&t, '.');
        uint64_t value;
        if (part.bytes > 3 || !text_to_u64(part, 255, &value)) return false;
        if (part.bytes > 1 && part.data[0] == '0') return false;
        bytes[i] = (uint8_t)value;
    }
    return t.data == NULL;
}

static bool group_parse(struct text t, uint8_t bytes[2])
{
    if (t.bytes == 0 || t.bytes > 4) return false;
    unsigned value = 0;
    for (size_t i = 0; i < t.bytes; i++) {
        int digit = hex_value(t.data[i]);
        if (digit < 0) return false;
        value = value << 4 | (unsigned)digit;
    }
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
    return true;
}

/* Groups with single colons between them, at most `max` bytes of them, the last maybe a dotted
 * quad when may_have_quad. Gives the count of bytes read; an empty text is 0 bytes. */
static bool groups_parse(struct text t, bool may_have_quad, size_t max, uint8_t *bytes,
                         size_t *count)
{
    *count = 0;
    if (t.bytes == 0) return true;
    while (t.data != NULL) {
        struct text part = text_cut(&t, ':');
        bool is_quad = may_have_quad && t.data == NULL && part.bytes > 4;
        size_t part_bytes = is_quad ? 4 : 2;
        if (*count + part_bytes > max) return false;
        if (is_quad ? !quad_parse(part, bytes + *count) : !group_parse(part, bytes + *count))
            return false;
        *count += part_bytes;
    }
    return true;
}

/* Where "::" begins, or t.bytes when there is none. */
static size_t gap_find(struct text t)
{
    for (size_t i = 0; i + 1 < t.bytes; i++) {
        if (t.data[i] == ':' && t.data[i + 1] == ':') return i;
    }
    return t.bytes;
}

static bool ipv6_parse(struct text t, uint8_t bytes[16])
{
    size_t gap = gap_find(t);
    size_t count;
    if (gap == t.bytes) return groups_parse(t, true, 16, bytes, &count) && count == 16;

    /* "::" stands for at least one group of zeros (RFC 4291 section 2.2), so 14 bytes remain. A
     * second gap shows as an empty group in the tail. */
    uint8_t tail[16];
    size_t tail_count;
    struct text before = {t.data, gap};
    struct text after = {t.data + gap + 2, t.bytes - gap - 2};
    if (!groups_parse(before, false, 14, bytes, &count)) return false;
    if (!groups_parse(after, true, 14 - count, tail, &tail_count)) return false;
    memset(bytes + count, 0, 16 - count);
    memcpy(bytes + 16 - tail_count, tail, tail_count);
    return true;
}

bool ip_parse(struct text t, struct ip_address *address)
{
    struct ip_address read = {0};
    *address = read;
    if (t.bytes == 0 || t.bytes >= IP_TEXT_SIZE) return false;

    bool is_ipv6 = memchr(t.data, ':', t.bytes) != NULL;
    if (is_ipv6 ? !ipv6_parse(t, read.bytes) : !quad_parse(t, read.bytes)) return false;
    read.family = is_ipv6 ? 6 : 4;
    *address = read;
    return true;
}

/* ---- writing ---- */

static size_t put_decimal(char *out, unsigned value)
{
    size_t bytes = 0;
    if (value >= 100) out[bytes++] = (char)('0' + value / 100);
    if (value >= 10) out[bytes++] = (char)('0' + value / 10 % 10);
    out[bytes++] = (char)('0' + value % 10);
    return bytes;
}

static size_t put_quad(char *out, const uint8_t bytes[4])
{
    size_t count = 0;
    for (size_t i = 0; i < 4; i++) {
        if (i > 0) out[count++] = '.';
        count += put_decimal(out + count, bytes[i]);
    }
    return count;
}

static size_t put_group(char *out, unsigned group)
{
    static const char digits[] = "0123456789abcdef";
    size_t bytes = 0;
    for (unsigned shift = 12; shift > 0; shift -= 4) {
        if (group >> shift != 0) out[bytes++] = digits[group >> shift & 15];
    }
    out[bytes++] = digits[group & 15];
    return bytes;
}

static unsigned group_at(const uint8_t bytes[16], size_t index)
{
    return (unsigned)bytes[2 * index] << 8 | bytes[2 * index + 1];
}

/* The first longest run of two or more zero groups; *count 0 when there is none (RFC 5952
 * section 4.2). */
static size_t longest_gap(const uint8_t bytes[16], size_t *count)
{
    size_t best = 0;
    *count = 0;
    for (size_t i = 0; i < 8; i++) {
        size_t run = 0;
        while (i + run < 8 && group_at(bytes, i + run) == 0) {
            run++;
        }
        if (run >= 2 && run > *count) {
            best = i;
            *count = run;
        }
    }
    return best;
}

static size_t put_ipv6(char *out, const uint8_t bytes[16])
{
    size_t gap_count;
    size_t gap = longest_gap(bytes, &gap_count);
    size_t count = 0;
    for (size_t i = 0; i < 8; i++) {
        if (gap_count > 0 && i == gap) {
            out[count++] = ':';
            out[count++] = ':';
            i += gap_count - 1;
            continue;
        }
        if (count > 0 && out[count - 1] != ':') out[count++] = ':';
        count += put_group(out + count, group_at(bytes, i));
    }
    return count;
}

static bool is_v4_mapped(const struct ip_address *address)
{
    static const uint8_t start[12] = {[10] = 0xff, [11] = 0xff};
    return address->family == 6 && memcmp(address->bytes, start, sizeof start) == 0;
}

struct text ip_format(const struct ip_address *address, char out[IP_TEXT_SIZE])
{
    size_t count = 0;
    if (address->family == 4) {
        count = put_quad(out, address->bytes);
    } else if (is_v4_mapped(address)) {
        memcpy(out, "::ffff:", 7);
        count = 7 + put_quad(out + 7, address->bytes + 12);
    } else if (address->family == 6) {
        count = put_ipv6(out, address->bytes);
    }
    out[count] = '\0';
    return (struct text){out, count};
}

/* ---- telling apart ---- */

static size_t family_bytes(const struct ip_address *address)
{
    return address->family == 4 ? 4 : address->family == 6 ? 16 : 0;
}

bool ip_equal(const struct ip_address *a, const struct ip_address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, family_bytes(a)) == 0;
}

struct ip_address ip_unmap(const struct ip_address *address)
{
    if (!is_v4_mapped(address)) return *address;
    struct ip_address plain = {.family = 4};
    memcpy(plain.bytes, address->bytes + 12, 4);
    return plain;
}

struct ip_address ip_counted(const struct ip_address *address)
{
    if (address->family != 6) return *address;
    struct ip_address counted = ip_unmap(address);
    if (counted.family == 6) memset(counted.bytes + 8, 0, 8);
    return counted;
}

static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8;
    for (unsigned i = 0; i < whole; i++) { /* most end at the first byte: no call for that */
        if (a[i] != b[i]) return false;
    }
    if (bits % 8 == 0) return true;
    unsigned mask = 0xff00u >> bits % 8 & 0xffu;
    return ((a[whole] ^ b[whole]) & mask) == 0;
}

/* The first row that holds an address decides. Rows of the longer prefix stand before the
 * shorter. */
/* clang-format off */
static const struct {
    uint8_t family;
    uint8_t prefix_bits;
    uint8_t class_of_address;
    uint8_t prefix[16];
} classes[] = {
    {4, 32, IP_UNSPECIFIED,   {0}},
    {4, 8,  IP_RESERVED,      {0}},                                /* "this network", RFC 791 */
    {4, 8,  IP_PRIVATE,       {10}},                               /* RFC 1918 */
    {4, 10, IP_PRIVATE,       {100, 64}},                          /* RFC 6598 */
    {4, 8,  IP_LOOPBACK,      {127}},                              /* RFC 1122 */
    {4, 16, IP_LINK_LOCAL,    {169, 254}},                         /* RFC 3927 */
    {4, 12, IP_PRIVATE,       {172, 16}},                          /* RFC 1918 */
    {4, 24, IP_RESERVED,      {192, 0, 0}},                        /* IETF protocols, RFC 6890 */
    {4, 24, IP_DOCUMENTATION, {192, 0, 2}},                        /* RFC 5737 */
    {4, 24, IP_RESERVED,      {192, 88, 99}},                      /* 6to4 relays, RFC 7526 */
    {4, 16, IP_PRIVATE,       {192, 168}},                         /* RFC 1918 */
    {4, 15, IP_RESERVED,      {198, 18}},                          /* benchmarks, RFC 2544 */
    {4, 24, IP_DOCUMENTATION, {198, 51, 100}},                     /* RFC 5737 */
    {4, 24, IP_DOCUMENTATION, {203, 0, 113}},                      /* RFC 5737 */
    {4, 4,  IP_MULTICAST,     {224}},                              /* RFC 5771 */
    {4, 4,  IP_RESERVED,      {240}},                              /* RFC 1112, and broadcast */
    {4, 0,  IP_GLOBAL,        {0}},
    {6, 128, IP_UNSPECIFIED,  {0}},
    {6, 128, IP_LOOPBACK,     {[15] = 1}},                         /* RFC 4291 */
    {6, 96, IP_V4_MAPPED,     {[10] = 0xff, [11] = 0xff}},         /* RFC 4291 */
    {6, 96, IP_NAT64,         {0x00, 0x64, 0xff, 0x9b}},           /* RFC 6052 */
    {6, 48, IP_NAT64,         {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}}, /* RFC 8215 */
    {6, 32, IP_DOCUMENTATION, {0x20, 0x01, 0x0d, 0xb8}},           /* RFC 3849 */
    {6, 23, IP_RESERVED,      {0x20, 0x01, 0x00}},                 /* IETF: Teredo, ORCHID */
    {6, 16, IP_6TO4,          {0x20, 0x02}},                       /* RFC 3056 */
    {6, 20, IP_DOCUMENTATION, {0x3f, 0xff, 0x00}},                 /* RFC 9637 */
    {6, 3,  IP_GLOBAL,        {0x20}},                             /* RFC 4291 */
    {6, 7,  IP_PRIVATE,       {0xfc}},                             /* RFC 4193 */
    {6, 10, IP_LINK_LOCAL,    {0xfe, 0x80}},                       /* RFC 4291 */
    {6, 8,  IP_MULTICAST,     {0xff}},                             /* RFC 4291 */
};
/* clang-format on */

enum ip_class ip_class(const struct ip_address *address)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (classes[i].family != address->family) continue;
        if (!prefix_equal(classes[i].prefix, address->bytes, classes[i].prefix_bits)) continue;
        return (enum ip_class)classes[i].class_of_address;
    }
    return IP_RESERVED;
}

const char *ip_class_name(enum ip_class class_of_address)
{
    switch (class_of_address) {
    case IP_GLOBAL: return "global";
    case IP_UNSPECIFIED: return "unspecified";
    case IP_LOOPBACK: return "loopback";
    case IP_PRIVATE: return "private";
    case IP_LINK_LOCAL: return "link-local";
    case IP_MULTICAST: return "multicast";
    case IP_DOCUMENTATION: return "documentation";
    case IP_V4_MAPPED: return "v4-mapped";
    case IP_NAT64: return "nat64";
    case IP_6TO4: return "6to4";
    case IP_RESERVED: return "reserved";
    }
    return "reserved";
}

bool ip_is_global(const struct ip_address *address)
{
    enum ip_class found = ip_class(address);
    return found == IP_GLOBAL || found == IP_DOCUMENTATION;
}

/* ---- networks ---- */

bool ip_network_parse(struct text t, struct ip_network *network)
{
    *network = (struct ip_network){0};
    struct ip_address address;
    struct text rest = t;
    if (!ip_parse(text_cut(&rest, '/'), &address)) return false;

    uint64_t bits_max = 8 * family_bytes(&address);
    uint64_t bits = bits_max;
    if (rest.data != NULL && (rest.bytes > 3 || !text_to_u64(rest, bits_max, &bits))) return false;
    if (rest.bytes > 1 && rest.data[0] == '0') return false;

    for (uint64_t i = bits; i < bits_max; i++) {
        if ((address.bytes[i / 8] >> (7 - i % 8) & 1) != 0) return false;
    }
    network->address = address;
    network->prefix_bits = (uint8_t)bits;
    return true;
}

bool ip_network_has(const struct ip_network *network, const struct ip_address *address)
{
    if (network->address.family != address->family || family_bytes(address) == 0) return false;
    return prefix_equal(network->address.bytes, address->bytes, network->prefix_bits);
}

/* ---- prefix and suffix ---- */

/* Six groups of two hex digits, all with ':' or all with '-' between them, as modified EUI-64. */
static bool mac_parse(struct text t, uint8_t host[8])
{
    uint8_t mac[6];
    if (t.bytes != 17 || (t.data[2] != ':' && t.data[2] != '-')) return false;
    for (size_t i = 0; i < 6; i++) {
        int high = hex_value(t.data[3 * i]);
        int low = hex_value(t.data[3 * i + 1]);
        if (high < 0 || low < 0 || (i < 5 && t.data[3 * i + 2] != t.data[2])) return false;
        mac[i] = (uint8_t)(high << 4 | low);
    }
    if ((mac[0] & 1) != 0) return false; /* a group's address belongs to no host */
    const uint8_t eui[8] = {mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
    memcpy(host, eui, sizeof eui);
    return true;
}

/* The lower 64 bits that suffix means; not all zero, which is the routers' anycast address (RFC
 * 4291 section 2.6.1). */
static bool suffix_parse(struct text suffix, uint8_t host[8])
{
    static const uint8_t zeros[8];
    struct ip_address address;
    size_t count;
    if (mac_parse(suffix, host)) return true;
    if (suffix.bytes >= 2 && suffix.data[0] == ':' && suffix.data[1] == ':') {
        if (!ip_parse(suffix, &address) || memcmp(address.bytes, zeros, 8) != 0) return false;
        memcpy(host, address.bytes + 8, 8);
    } else if (!groups_parse(suffix, false, 8, host, &count) || count != 8) {
        return false;
    }
    return memcmp(host, zeros, 8) != 0;
}

bool ip_suffix_check(struct text suffix, struct text *reason)
{
    uint8_t host[8];
    if (suffix_parse(suffix, host)) return true;
    if (reason != NULL) {
        *reason = TEXT("must be the last 64 bits of an IPv6 address such as ::1234 or 1:2:3:4, "
                       "or a MAC address such as 52:54:00:12:34:56");
    }
    return false;
}

bool ip_prefix_combine(const struct ip_address *prefix, struct text suffix,
                       struct ip_address *address)
{
    struct ip_address joined = {.family = 6};
    const struct ip_address start = *prefix;
    *address = (struct ip_address){0};
    if (start.family != 6 || !suffix_parse(suffix, joined.bytes + 8)) return false;
    memcpy(joined.bytes, start.bytes, 8);
    *address = joined;
    return true;
}
