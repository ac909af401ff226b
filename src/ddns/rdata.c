#include "ddns/rdata.h"

#include "core/address.h"
#include "ddns/dns_name.h"
#include "ddns/sink.h"

/* ---- what a sink takes too, and a piece of a message to read from ---- */

static void sink_u16(struct sink *s, unsigned value)
{
    sink_byte(s, value >> 8);
    sink_byte(s, value & 0xff);
}

static void sink_text(struct sink *s, struct text t)
{
    sink_bytes(s, t.data, t.bytes);
}

/* At most 65535. */
static void sink_decimal(struct sink *s, unsigned value)
{
    char digits[5];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0 && count < sizeof digits);
    while (count > 0) {
        sink_byte(s, (unsigned char)digits[--count]);
    }
}

struct source {
    const uint8_t *message; /* names may point anywhere before themselves */
    size_t message_bytes;
    size_t offset;
    size_t end;
};

static bool source_u16(struct source *s, unsigned *value)
{
    if (s->end - s->offset < 2) return false;
    *value = (unsigned)s->message[s->offset] << 8 | s->message[s->offset + 1];
    s->offset += 2;
    return true;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

static bool refuse(struct text *reason, struct text sentence)
{
    if (reason != NULL) *reason = sentence;
    return false;
}

/* ---- one pair of functions a type: value to wire, wire to value ---- */

struct entry {
    struct text value;
    uint16_t priority;
    bool is_strict; /* entered by a person: targets must look like host names */
};

/* A value that fails gets its reason; a full sink is the caller's to see. */
static bool put_address(const struct entry *e, uint8_t family, struct text sentence, struct sink *s,
                        struct text *reason)
{
    struct ip_address address;
    if (!ip_parse(e->value, &address) || address.family != family) return refuse(reason, sentence);
    sink_bytes(s, address.bytes, family == 4 ? 4 : 16);
    return true;
}

static bool put_a(const struct entry *e, struct sink *s, struct text *reason)
{
    return put_address(e, 4, TEXT("must be an IPv4 address such as 203.0.113.7"), s, reason);
}

static bool put_aaaa(const struct entry *e, struct sink *s, struct text *reason)
{
    return put_address(e, 6, TEXT("must be an IPv6 address such as 2001:db8::7"), s, reason);
}

static bool show_address(struct source *in, uint8_t family, struct sink *out)
{
    size_t bytes = family == 4 ? 4 : 16;
    char shown[IP_TEXT_SIZE];
    struct ip_address address = {.family = family};
    if (in->end - in->offset != bytes) return false;
    memcpy(address.bytes, in->message + in->offset, bytes);
    in->offset += bytes;
    sink_text(out, ip_format(&address, shown));
    return true;
}

static bool show_a(struct source *in, struct sink *out, uint16_t *priority)
{
    (void)priority;
    return show_address(in, 4, out);
}

static bool show_aaaa(struct source *in, struct sink *out, uint16_t *priority)
{
    (void)priority;
    return show_address(in, 6, out);
}

/* A target that a person entered. */
static bool target_check(struct text name, struct text *reason)
{
    struct text inner;
    if (!dns_name_check(name, &inner)) return refuse(reason, inner);
    if (memchr(name.data, '.', name.bytes) == NULL) {
        return refuse(reason,
                      TEXT("must be a full name such as host.example.com, with its domain"));
    }
    return true;
}

static bool put_name(struct text name, bool is_strict, struct sink *s, struct text *reason)
{
    uint8_t wire[DNS_NAME_WIRE_MAX];
    size_t wire_bytes;
    if (is_strict && !target_check(name, reason)) return false;
    if (!dns_name_to_wire(name, wire, &wire_bytes)) {
        return refuse(reason, TEXT("must be a name such as host.example.com"));
    }
    sink_bytes(s, wire, wire_bytes);
    return true;
}

static bool show_name(struct source *in, struct sink *out)
{
    uint8_t wire[DNS_NAME_WIRE_MAX];
    size_t wire_bytes;
    char shown[DNS_NAME_SHOWN_SIZE];
    if (!dns_name_from_wire(in->message, in->end, &in->offset, wire, &wire_bytes)) return false;
    sink_text(out, dns_name_show(wire, wire_bytes, shown));
    return true;
}

static bool put_target(const struct entry *e, struct sink *s, struct text *reason)
{
    return put_name(e->value, e->is_strict, s, reason);
}

static bool show_target(struct source *in, struct sink *out, uint16_t *priority)
{
    (void)priority;
    return show_name(in, out);
}

static bool put_mx(const struct entry *e, struct sink *s, struct text *reason)
{
    if (e->is_strict && e->value.bytes > 0 && memchr(e->value.data, ' ', e->value.bytes) != NULL) {
        return refuse(
            reason,
            TEXT("must be the mail server's name alone; the priority is a field of its own"));
    }
    bool is_null = text_equal(e->value, TEXT(".")); /* no mail here, RFC 7505 */
    sink_u16(s, e->priority);
    return put_name(e->value, e->is_strict && !is_null, s, reason);
}

static bool show_mx(struct source *in, struct sink *out, uint16_t *priority)
{
    unsigned number;
    if (!source_u16(in, &number)) return false;
    *priority = (uint16_t)number;
    return show_name(in, out);
}

/* Takes the next part between blanks off the front of *rest; empty when there is none. */
static struct text word_cut(struct text *rest)
{
    *rest = text_trim(*rest);
    if (rest->bytes == 0) return TEXT_NONE;
    struct text word = {rest->data, 0};
    while (word.bytes < rest->bytes && rest->data[word.bytes] != ' ' &&
           rest->data[word.bytes] != '\t') {
        word.bytes++;
    }
    rest->data += word.bytes;
    rest->bytes -= word.bytes;
    return word;
}

static bool put_srv(const struct entry *e, struct sink *s, struct text *reason)
{
    struct text rest = e->value;
    struct text weight = word_cut(&rest);
    struct text port = word_cut(&rest);
    struct text target = word_cut(&rest);
    uint64_t numbers[2];
    if (text_trim(rest).bytes > 0 || target.bytes == 0 ||
        !text_to_u64(weight, 65535, &numbers[0]) || !text_to_u64(port, 65535, &numbers[1])) {
        return refuse(reason,
                      TEXT("must be weight, port and target such as 5 443 host.example.com, "
                           "numbers up to 65535; the priority is a field of its own"));
    }
    bool is_null = text_equal(target, TEXT(".")); /* no such service, RFC 2782 */
    sink_u16(s, e->priority);
    sink_u16(s, (unsigned)numbers[0]);
    sink_u16(s, (unsigned)numbers[1]);
    return put_name(target, e->is_strict && !is_null, s, reason);
}

static bool show_srv(struct source *in, struct sink *out, uint16_t *priority)
{
    unsigned number;
    unsigned weight;
    unsigned port;
    if (!source_u16(in, &number) || !source_u16(in, &weight) || !source_u16(in, &port))
        return false;
    *priority = (uint16_t)number;
    sink_decimal(out, weight);
    sink_byte(out, ' ');
    sink_decimal(out, port);
    sink_byte(out, ' ');
    return show_name(in, out);
}

/* Takes the quoted string at the front of *rest, at most `max` bytes of content, into out. */
static bool quoted_cut(struct text *rest, size_t max, uint8_t *out, size_t *count)
{
    struct text t = *rest;
    if (t.bytes == 0 || t.data[0] != '"') return false;
    *count = 0;
    for (size_t at = 1; at < t.bytes;) {
        uint8_t byte = (uint8_t)t.data[at];
        if (byte == '"') {
            *rest = (struct text){t.data + at + 1, t.bytes - at - 1};
            return true;
        }
        size_t taken =
            byte == '\\' ? dns_escape_read((struct text){t.data + at, t.bytes - at}, &byte) : 1;
        if (taken == 0 || *count == max || (taken == 1 && (byte < 0x20 || byte == 0x7f)))
            return false;
        out[(*count)++] = byte;
        at += taken;
    }
    return false;
}

static void sink_quoted(struct sink *s, const uint8_t *bytes, size_t count)
{
    sink_byte(s, '"');
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] < 0x20 || bytes[i] > 0x7e) {
            sink_escape(s, bytes[i]);
            continue;
        }
        if (bytes[i] == '"' || bytes[i] == '\\') sink_byte(s, '\\');
        sink_byte(s, bytes[i]);
    }
    sink_byte(s, '"');
}

static bool caa_tag_is_good(struct text tag)
{
    if (tag.bytes == 0 || tag.bytes > 15) return false;
    for (size_t i = 0; i < tag.bytes; i++) {
        if (!is_alnum(tag.data[i])) return false;
    }
    return true;
}

/* RFC 8659 section 4. The value is a quoted string, or one word as some zone files have it. */
static bool put_caa(const struct entry *e, struct sink *s, struct text *reason)
{
    static const char sentence[] =
        "must be flags, tag and value such as 0 issue \"letsencrypt.org\", "
        "flags from 0 to 255 and a tag of up to 15 letters and digits";
    uint8_t content[RDATA_BYTES_MAX];
    size_t count;
    uint64_t flags;
    struct text rest = e->value;
    struct text flags_text = word_cut(&rest);
    struct text tag = word_cut(&rest);
    rest = text_trim(rest);
    if (!text_to_u64(flags_text, 255, &flags) || !caa_tag_is_good(tag) || rest.bytes == 0) {
        return refuse(reason, text_of(sentence));
    }
    if (rest.data[0] == '"') {
        if (!quoted_cut(&rest, sizeof content, content, &count))
            return refuse(reason, text_of(sentence));
    } else {
        struct text word = word_cut(&rest);
        if (word.bytes > sizeof content || !text_is_clean_utf8(word))
            return refuse(reason, text_of(sentence));
        memcpy(content, word.data, count = word.bytes);
    }
    if (text_trim(rest).bytes > 0) return refuse(reason, text_of(sentence));

    sink_byte(s, (unsigned)flags);
    sink_byte(s, (unsigned)tag.bytes);
    for (size_t i = 0; i < tag.bytes; i++) {
        sink_byte(s, (unsigned char)ascii_lower(tag.data[i]));
    }
    sink_bytes(s, content, count);
    return true;
}

static bool show_caa(struct source *in, struct sink *out, uint16_t *priority)
{
    unsigned head;
    (void)priority;
    if (!source_u16(in, &head)) return false; /* flags, then the tag's length */
    struct text tag = {(const char *)in->message + in->offset, head & 0xff};
    if (tag.bytes > in->end - in->offset || !caa_tag_is_good(tag)) return false;

    sink_decimal(out, head >> 8);
    sink_byte(out, ' ');
    for (size_t i = 0; i < tag.bytes; i++) {
        sink_byte(out, (unsigned char)ascii_lower(tag.data[i]));
    }
    sink_byte(out, ' ');
    in->offset += tag.bytes;
    sink_quoted(out, in->message + in->offset, in->end - in->offset);
    in->offset = in->end;
    return true;
}

/* ---- TXT ---- */

/* Bytes as strings of 255 and a shorter last one; no bytes are one empty string. */
static void sink_strings(struct sink *s, const uint8_t *bytes, size_t count)
{
    do {
        size_t part = count < 255 ? count : 255;
        sink_byte(s, (unsigned)part);
        sink_bytes(s, bytes, part);
        bytes += part;
        count -= part;
    } while (count > 0);
}

static bool put_quoted_strings(struct text rest, struct sink *s, struct text *reason)
{
    while (rest.bytes > 0) {
        uint8_t string[255];
        size_t count;
        if (!quoted_cut(&rest, sizeof string, string, &count)) {
            return refuse(
                reason, TEXT("must be quoted strings of at most 255 bytes when it begins with a "
                             "double quote, with \\\" for a quote, \\\\ for a backslash and \\DDD "
                             "for any byte"));
        }
        sink_byte(s, (unsigned)count);
        sink_bytes(s, string, count);
        rest = text_trim(rest);
    }
    return true;
}

static bool put_txt(const struct entry *e, struct sink *s, struct text *reason)
{
    if (e->value.bytes == 0) {
        return refuse(reason, TEXT("must not be empty; write two double quotes for an empty text"));
    }
    if (e->value.data[0] == '"') {
        if (!put_quoted_strings(e->value, s, reason)) return false;
    } else {
        if (!text_is_clean_utf8(e->value) || memchr(e->value.data, '\n', e->value.bytes) != NULL ||
            memchr(e->value.data, '\t', e->value.bytes) != NULL) {
            return refuse(reason,
                          TEXT("must be a single line of UTF-8 text without control characters"));
        }
        sink_strings(s, (const uint8_t *)e->value.data, e->value.bytes);
    }
    if (s->is_full) return refuse(reason, TEXT("must have at most 4080 bytes"));
    return true;
}

/* The joined text of the strings from in to its end; also whether they are cut as we would cut
 * them. */
static bool strings_join(const struct source *in, struct sink *joined, bool *is_our_cut)
{
    size_t at = in->offset;
    *is_our_cut = true;
    if (at == in->end) return false;
    while (at < in->end) {
        size_t count = in->message[at++];
        if (count > in->end - at) return false;
        bool is_last = at + count == in->end;
        if (is_last ? count == 0 && at - 1 > in->offset : count != 255) *is_our_cut = false;
        sink_bytes(joined, in->message + at, count);
        at += count;
    }
    return !joined->is_full;
}

/* A text that put_txt() would take raw and that survives forms and trimming. */
static bool can_be_raw(struct text t)
{
    if (t.bytes == 0 || t.data[0] == '"' || text_trim(t).bytes != t.bytes) return false;
    return text_is_clean_utf8(t) && memchr(t.data, '\n', t.bytes) == NULL &&
           memchr(t.data, '\t', t.bytes) == NULL;
}

static bool show_txt(struct source *in, struct sink *out, uint16_t *priority)
{
    uint8_t content[RDATA_BYTES_MAX];
    struct sink joined = {.data = content, .size = sizeof content};
    bool is_our_cut;
    (void)priority;
    if (!strings_join(in, &joined, &is_our_cut)) return false;

    struct text raw = {(const char *)content, joined.bytes};
    if (is_our_cut && can_be_raw(raw)) {
        sink_text(out, raw);
        in->offset = in->end;
        return true;
    }
    for (size_t begin = in->offset; in->offset < in->end;) {
        size_t count = in->message[in->offset++];
        if (in->offset - 1 > begin) sink_byte(out, ' ');
        sink_quoted(out, in->message + in->offset, count);
        in->offset += count;
    }
    return true;
}

/* ---- the types ---- */

/* clang-format off */
static const struct kind {
    struct text name;
    enum dns_type type;
    bool (*put)(const struct entry *e, struct sink *s, struct text *reason);
    bool (*show)(struct source *in, struct sink *out, uint16_t *priority);
} kinds[] = {
    {TEXT_INIT("A"),     DNS_A,     put_a,      show_a},
    {TEXT_INIT("AAAA"),  DNS_AAAA,  put_aaaa,   show_aaaa},
    {TEXT_INIT("CNAME"), DNS_CNAME, put_target, show_target},
    {TEXT_INIT("MX"),    DNS_MX,    put_mx,     show_mx},
    {TEXT_INIT("TXT"),   DNS_TXT,   put_txt,    show_txt},
    {TEXT_INIT("NS"),    DNS_NS,    put_target, show_target},
    {TEXT_INIT("SRV"),   DNS_SRV,   put_srv,    show_srv},
    {TEXT_INIT("CAA"),   DNS_CAA,   put_caa,    show_caa},
    {TEXT_INIT("SOA"),   DNS_SOA,   NULL,       NULL},
    {TEXT_INIT("TSIG"),  DNS_TSIG,  NULL,       NULL},
    {TEXT_INIT("AXFR"),  DNS_AXFR,  NULL,       NULL},
    {TEXT_INIT("ANY"),   DNS_ANY,   NULL,       NULL},
};
/* clang-format on */

static const struct kind *kind_find(unsigned type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if ((unsigned)kinds[i].type == type) return &kinds[i];
    }
    return NULL;
}

const char *dns_type_name(unsigned type)
{
    const struct kind *kind = kind_find(type);
    return kind == NULL ? NULL : kind->name.data;
}

bool dns_type_from_name(struct text name, enum dns_type *type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!text_equal_fold(kinds[i].name, name)) continue;
        *type = kinds[i].type;
        return true;
    }
    return false;
}

bool dns_type_has_rdata(unsigned type)
{
    const struct kind *kind = kind_find(type);
    return kind != NULL && kind->put != NULL;
}

/* ---- public, over the table ---- */

bool rdata_check(enum dns_type type, struct text value, struct text *reason)
{
    uint8_t wire[RDATA_BYTES_MAX];
    struct sink s = {.data = wire, .size = sizeof wire};
    struct entry e = {.value = value, .is_strict = true};
    const struct kind *kind = kind_find(type);
    if (kind == NULL || kind->put == NULL) {
        return refuse(reason,
                      TEXT("must be of a type among A, AAAA, CNAME, MX, TXT, NS, SRV and CAA"));
    }
    if (!kind->put(&e, &s, reason)) return false;
    return !s.is_full || refuse(reason, TEXT("must be shorter"));
}

bool rdata_to_wire(enum dns_type type, uint16_t priority, struct text value, uint8_t *buffer,
                   size_t size, size_t *bytes)
{
    struct sink s = {.data = buffer, .size = size < RDATA_BYTES_MAX ? size : RDATA_BYTES_MAX};
    struct entry e = {.value = value, .priority = priority};
    const struct kind *kind = kind_find(type);
    if (kind == NULL || kind->put == NULL || !kind->put(&e, &s, NULL)) return false;
    *bytes = s.bytes;
    return !s.is_full;
}

bool rdata_from_wire(enum dns_type type, const uint8_t *message, size_t message_bytes,
                     size_t offset, size_t rdata_bytes, uint16_t *priority, char *out, size_t size,
                     struct text *value)
{
    const struct kind *kind = kind_find(type);
    if (kind == NULL || kind->show == NULL || size == 0) return false;
    if (offset > message_bytes || rdata_bytes > message_bytes - offset) return false;

    struct source in = {message, message_bytes, offset, offset + rdata_bytes};
    struct sink s = {.data = (uint8_t *)out, .size = size - 1};
    *priority = 0;
    if (!kind->show(&in, &s, priority) || in.offset != in.end || s.is_full) return false;
    out[s.bytes] = '\0';
    *value = (struct text){out, s.bytes};
    return true;
}

/* The data that a value means, TXT in our own cut whatever cut it came in. */
static bool rdata_canonical(enum dns_type type, struct text value, uint8_t wire[RDATA_BYTES_MAX],
                            size_t *bytes)
{
    uint8_t content[RDATA_BYTES_MAX];
    struct sink joined = {.data = content, .size = sizeof content};
    bool is_our_cut;
    if (!rdata_to_wire(type, 0, value, wire, RDATA_BYTES_MAX, bytes)) return false;
    if (type != DNS_TXT) return true;

    struct source in = {wire, *bytes, 0, *bytes};
    struct sink s = {.data = wire, .size = RDATA_BYTES_MAX};
    if (!strings_join(&in, &joined, &is_our_cut)) return false;
    sink_strings(&s, content, joined.bytes);
    *bytes = s.bytes;
    return !s.is_full;
}

bool rdata_normalise(enum dns_type type, struct text value, char *out, size_t size,
                     struct text *normal)
{
    uint8_t wire[RDATA_BYTES_MAX];
    size_t bytes;
    uint16_t priority;
    if (!rdata_canonical(type, value, wire, &bytes)) return false;
    return rdata_from_wire(type, wire, bytes, 0, bytes, &priority, out, size, normal);
}

bool rdata_equal(enum dns_type type, struct text a, struct text b)
{
    uint8_t wire_a[RDATA_BYTES_MAX];
    uint8_t wire_b[RDATA_BYTES_MAX];
    size_t bytes_a;
    size_t bytes_b;
    if (!rdata_canonical(type, a, wire_a, &bytes_a) ||
        !rdata_canonical(type, b, wire_b, &bytes_b)) {
        return text_equal(a, b);
    }
    return bytes_a == bytes_b && memcmp(wire_a, wire_b, bytes_a) == 0;
}
