#include "ddns/dns_name.h"

#include "core/address.h"
#include "ddns/sink.h"

/* ---- what a person may enter ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

static struct text without_dot(struct text name)
{
    if (name.bytes > 1 && name.data[name.bytes - 1] == '.') name.bytes--;
    return name;
}

static bool refuse(struct text *reason, struct text sentence)
{
    if (reason != NULL) *reason = sentence;
    return false;
}

/* One label of a host name: letters, digits, inner hyphens and underscores. */
static bool label_check(struct text label, struct text *reason)
{
    if (label.bytes == 0)
        return refuse(reason, TEXT("must not have an empty part between two dots"));
    if (label.bytes > DNS_LABEL_MAX) {
        return refuse(reason, TEXT("must have at most 63 letters between two dots"));
    }
    for (size_t i = 0; i < label.bytes; i++) {
        char c = label.data[i];
        if (is_alnum(c) || c == '-' || c == '_') continue;
        if ((unsigned char)c >= 0x80) {
            return refuse(reason,
                          TEXT("must use letters a to z; write other letters in the xn-- form"));
        }
        return refuse(reason, TEXT("must be made of letters, digits, hyphens and underscores, "
                                   "with dots between its parts"));
    }
    if (label.data[0] == '-' || label.data[label.bytes - 1] == '-') {
        return refuse(reason, TEXT("must not have a hyphen at the start or end of a part"));
    }
    return true;
}

static bool labels_check(struct text name, struct text *reason)
{
    while (name.data != NULL) {
        if (!label_check(text_cut(&name, '.'), reason)) return false;
    }
    return true;
}

/* No top-level name is a number (RFC 3696 section 2), so this is an address or a slip of one. */
static bool ends_in_number(struct text name)
{
    size_t i = name.bytes;
    while (i > 0 && is_digit(name.data[i - 1])) {
        i--;
    }
    return i < name.bytes && (i == 0 || name.data[i - 1] == '.');
}

bool dns_name_check(struct text name, struct text *reason)
{
    struct ip_address address;
    if (name.bytes == 0) return refuse(reason, TEXT("must be a name such as home.example.com"));
    name = without_dot(name);
    if (name.bytes > DNS_NAME_MAX) return refuse(reason, TEXT("must have at most 253 letters"));
    if (ip_parse(name, &address) || ends_in_number(name)) {
        return refuse(reason, TEXT("must be a name such as home.example.com, not an IP address"));
    }
    return labels_check(name, reason);
}

bool dns_owner_check(struct text owner, struct text *reason)
{
    if (owner.bytes == 0)
        return refuse(reason, TEXT("must be a name such as www, or @ for the zone itself"));
    if (text_equal(owner, TEXT("@")) || text_equal(owner, TEXT("*"))) return true;
    if (owner.bytes > DNS_NAME_MAX) return refuse(reason, TEXT("must have at most 253 letters"));
    if (owner.data[owner.bytes - 1] == '.') {
        return refuse(reason,
                      TEXT("must be the part before the zone's name, without a dot at its end"));
    }
    if (text_starts(owner, TEXT("*."))) {
        owner.data += 2;
        owner.bytes -= 2;
    }
    if (memchr(owner.data, '*', owner.bytes) != NULL) {
        return refuse(reason,
                      TEXT("must have an asterisk only as its whole first part, as in *.lab"));
    }
    return labels_check(owner, reason);
}

/* ---- names and zones ---- */

struct text dns_name_join(struct text owner, struct text zone, char out[DNS_NAME_SIZE])
{
    zone = without_dot(zone);
    bool is_apex = text_equal(owner, TEXT("@"));
    size_t bytes = is_apex ? zone.bytes : owner.bytes + 1 + zone.bytes;
    out[0] = '\0';
    if (owner.bytes == 0 || zone.bytes == 0) return TEXT_NONE;
    if (owner.bytes > DNS_NAME_MAX || zone.bytes > DNS_NAME_MAX || bytes > DNS_NAME_MAX)
        return TEXT_NONE;

    size_t at = 0;
    for (size_t i = 0; !is_apex && i < owner.bytes; i++) {
        out[at++] = ascii_lower(owner.data[i]);
    }
    if (!is_apex) out[at++] = '.';
    for (size_t i = 0; i < zone.bytes; i++) {
        out[at++] = ascii_lower(zone.data[i]);
    }
    out[at] = '\0';
    return (struct text){out, at};
}

bool dns_name_split(struct text name, struct text zone, struct text *owner)
{
    name = without_dot(name);
    zone = without_dot(zone);
    *owner = TEXT("@");
    if (zone.bytes == 0 || !text_ends_fold(name, zone)) return false;
    if (name.bytes == zone.bytes) return true;

    size_t front = name.bytes - zone.bytes - 1;
    if (front == 0 || name.data[front] != '.') return false;
    *owner = (struct text){name.data, front};
    return true;
}

bool dns_name_equal(struct text a, struct text b)
{
    return text_equal_fold(without_dot(a), without_dot(b));
}

/* ---- the wire ---- */

size_t dns_escape_read(struct text t, uint8_t *byte)
{
    if (t.bytes < 2 || t.data[0] != '\\') return 0;
    if (!is_digit(t.data[1])) {
        if (t.data[1] < 0x20 || t.data[1] > 0x7e) return 0;
        *byte = (uint8_t)t.data[1];
        return 2;
    }
    uint64_t value;
    if (t.bytes < 4 || !text_to_u64((struct text){t.data + 1, 3}, 255, &value)) return 0;
    *byte = (uint8_t)value;
    return 4;
}

/* Takes one label off the front of *rest, its dot included, and writes it with its length byte. */
static bool label_to_wire(struct text *rest, struct sink *s)
{
    uint8_t label[DNS_LABEL_MAX];
    size_t count = 0;
    while (rest->bytes > 0 && rest->data[0] != '.') {
        uint8_t byte = (uint8_t)rest->data[0];
        size_t taken = byte == '\\' ? dns_escape_read(*rest, &byte) : 1;
        if (taken == 0 || (taken == 1 && (byte <= 0x20 || byte > 0x7e))) return false;
        if (count == sizeof label) return false;
        label[count++] = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
        rest->data += taken;
        rest->bytes -= taken;
    }
    if (count == 0) return false;
    if (rest->bytes > 0) {
        rest->data++;
        rest->bytes--;
    }
    sink_byte(s, (unsigned)count);
    sink_bytes(s, label, count);
    return !s->is_full;
}

bool dns_name_to_wire(struct text name, uint8_t wire[DNS_NAME_WIRE_MAX], size_t *wire_bytes)
{
    struct sink s = {.data = wire, .size = DNS_NAME_WIRE_MAX};
    if (name.bytes == 0) return false;
    if (text_equal(name, TEXT("."))) name.bytes = 0;
    while (name.bytes > 0) {
        if (!label_to_wire(&name, &s)) return false;
    }
    sink_byte(&s, 0);
    *wire_bytes = s.bytes;
    return !s.is_full;
}

bool dns_name_from_wire(const uint8_t *message, size_t message_bytes, size_t *offset,
                        uint8_t wire[DNS_NAME_WIRE_MAX], size_t *wire_bytes)
{
    struct sink s = {.data = wire, .size = DNS_NAME_WIRE_MAX};
    size_t at = *offset;
    size_t behind = 0; /* the name, once a pointer was followed */
    size_t lowest = at;
    for (;;) {
        /* Bounded: every label fills the sink, and every pointer goes below the one before it. */
        if (at >= message_bytes || s.is_full) return false;
        uint8_t count = message[at++];
        if (count >= 0xc0) {
            if (at >= message_bytes) return false;
            size_t target = (size_t)(count & 0x3f) << 8 | message[at++];
            if (behind == 0) behind = at;
            if (target >= lowest) return false;
            at = lowest = target;
            continue;
        }
        if (count > DNS_LABEL_MAX || count > message_bytes - at) return false;
        sink_byte(&s, count);
        for (size_t i = 0; i < count; i++) {
            sink_byte(&s, (unsigned char)ascii_lower((char)message[at + i]));
        }
        at += count;
        if (count == 0) break;
    }
    if (s.is_full) return false;
    *wire_bytes = s.bytes;
    *offset = behind != 0 ? behind : at;
    return true;
}

struct text dns_name_show(const uint8_t *wire, size_t wire_bytes, char out[DNS_NAME_SHOWN_SIZE])
{
    struct sink s = {.data = (uint8_t *)out, .size = DNS_NAME_SHOWN_SIZE - 1};
    size_t at = 0;
    while (at < wire_bytes && wire[at] != 0 && wire[at] < wire_bytes - at) {
        size_t end = at + 1 + wire[at];
        if (s.bytes > 0) sink_byte(&s, '.');
        for (at++; at < end; at++) {
            bool is_plain =
                is_alnum((char)wire[at]) || (wire[at] != 0 && strchr("-_*/+", wire[at]) != NULL);
            if (is_plain)
                sink_byte(&s, wire[at]);
            else
                sink_escape(&s, wire[at]);
        }
    }
    if (s.bytes == 0) sink_byte(&s, '.');
    out[s.bytes] = '\0';
    return (struct text){out, s.bytes};
}
