#include "ddns/dns_message.h"

/* ---- numbers in network order ---- */

static unsigned get_u16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)get_u16(p) << 16 | get_u16(p + 2);
}

static uint64_t get_u48(const uint8_t *p)
{
    return (uint64_t)get_u16(p) << 32 | get_u32(p + 2);
}

static uint8_t *set_u16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
    return p + 2;
}

static uint8_t *set_u48(uint8_t *p, uint64_t value)
{
    p = set_u16(p, (unsigned)(value >> 32 & 0xffff));
    p = set_u16(p, (unsigned)(value >> 16 & 0xffff));
    return set_u16(p, (unsigned)(value & 0xffff));
}

static uint8_t *set_bytes(uint8_t *p, const uint8_t *bytes, size_t count)
{
    if (count > 0) memcpy(p, bytes, count);
    return p + count;
}

/* ---- names of numbers ---- */

struct number_name {
    unsigned number;
    const char *name;
};

/* clang-format off */
static const struct number_name rcode_names[] = {
    {DNS_RCODE_OK,       "NOERROR"},
    {DNS_RCODE_FORMERR,  "FORMERR"},
    {DNS_RCODE_SERVFAIL, "SERVFAIL"},
    {DNS_RCODE_NXDOMAIN, "NXDOMAIN"},
    {DNS_RCODE_NOTIMP,   "NOTIMP"},
    {DNS_RCODE_REFUSED,  "REFUSED"},
    {DNS_RCODE_YXDOMAIN, "YXDOMAIN"},
    {DNS_RCODE_YXRRSET,  "YXRRSET"},
    {DNS_RCODE_NXRRSET,  "NXRRSET"},
    {DNS_RCODE_NOTAUTH,  "NOTAUTH"},
    {DNS_RCODE_NOTZONE,  "NOTZONE"},
};

static const struct number_name tsig_error_names[] = {
    {DNS_TSIG_OK,       "NOERROR"},
    {DNS_TSIG_BADSIG,   "BADSIG"},
    {DNS_TSIG_BADKEY,   "BADKEY"},
    {DNS_TSIG_BADTIME,  "BADTIME"},
    {DNS_TSIG_BADTRUNC, "BADTRUNC"},
};
/* clang-format on */

static const char *number_name_find(const struct number_name *rows, size_t count, unsigned number)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].number == number) return rows[i].name;
    }
    return NULL;
}

const char *dns_rcode_name(unsigned rcode)
{
    return number_name_find(rcode_names, sizeof rcode_names / sizeof rcode_names[0], rcode);
}

const char *dns_tsig_error_name(unsigned error)
{
    return number_name_find(tsig_error_names, sizeof tsig_error_names / sizeof tsig_error_names[0],
                            error);
}

/* ---- keys ---- */

/* Indexed by enum dns_tsig_algorithm. The wire form is what stands in a TSIG record. */
/* clang-format off */
static const struct {
    struct text name;
    size_t mac_bytes;
    size_t wire_bytes;
    uint8_t wire[13];
} algorithms[] = {
    [DNS_TSIG_HMAC_SHA256] = {TEXT_INIT("hmac-sha256"), 32, 13, "\x0bhmac-sha256"},
    [DNS_TSIG_HMAC_SHA512] = {TEXT_INIT("hmac-sha512"), 64, 13, "\x0bhmac-sha512"},
};
/* clang-format on */

static bool refuse_key(struct dns_tsig_key *key, struct text *reason, struct text sentence)
{
    dns_tsig_key_wipe(key);
    if (reason != NULL) *reason = sentence;
    return false;
}

static bool algorithm_find(struct text name, enum dns_tsig_algorithm *algorithm)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
        if (!dns_name_equal(name, algorithms[i].name)) continue;
        *algorithm = (enum dns_tsig_algorithm)i;
        return true;
    }
    return false;
}

bool dns_tsig_key_init(struct dns_tsig_key *key, struct text name, struct text algorithm,
                       struct text secret, struct text *reason)
{
    const char *end = NULL;
    memset(key, 0, sizeof *key);
    if (!dns_name_to_wire(name, key->name, &key->name_bytes)) {
        return refuse_key(key, reason,
                          TEXT("key_name must be the key's name such as homeport-key"));
    }
    if (!algorithm_find(algorithm, &key->algorithm)) {
        return refuse_key(key, reason, TEXT("algorithm must be hmac-sha256 or hmac-sha512"));
    }
    if (secret.bytes == 0 ||
        sodium_base642bin(key->secret, sizeof key->secret, secret.data, secret.bytes, " \t\r\n",
                          &key->secret_bytes, &end, sodium_base64_VARIANT_ORIGINAL) != 0 ||
        end != secret.data + secret.bytes || key->secret_bytes == 0) {
        return refuse_key(key, reason,
                          TEXT("secret must be the key's Base64 text of at most 256 bytes, as the "
                               "name server's configuration has it"));
    }
    return true;
}

void dns_tsig_key_wipe(struct dns_tsig_key *key)
{
    sodium_memzero(key, sizeof *key);
}

/* ---- HMAC over either hash ---- */

static void digest_begin(union dns_digest *d, const struct dns_tsig_key *key)
{
    if (key->algorithm == DNS_TSIG_HMAC_SHA256) {
        crypto_auth_hmacsha256_init(&d->sha256, key->secret, key->secret_bytes);
    } else {
        crypto_auth_hmacsha512_init(&d->sha512, key->secret, key->secret_bytes);
    }
}

static void digest_add(union dns_digest *d, const struct dns_tsig_key *key, const uint8_t *bytes,
                       size_t count)
{
    if (key->algorithm == DNS_TSIG_HMAC_SHA256) {
        crypto_auth_hmacsha256_update(&d->sha256, bytes, count);
    } else {
        crypto_auth_hmacsha512_update(&d->sha512, bytes, count);
    }
}

/* Wipes the state, which could make further MACs. */
static void digest_end(union dns_digest *d, const struct dns_tsig_key *key,
                       struct dns_tsig_mac *mac)
{
    mac->bytes = algorithms[key->algorithm].mac_bytes;
    if (key->algorithm == DNS_TSIG_HMAC_SHA256) {
        crypto_auth_hmacsha256_final(&d->sha256, mac->data);
    } else {
        crypto_auth_hmacsha512_final(&d->sha512, mac->data);
    }
    sodium_memzero(d, sizeof *d);
}

/* The MAC that went before, with its length (RFC 8945 section 4.3.1). */
static void digest_add_mac(union dns_digest *d, const struct dns_tsig_key *key, const uint8_t *mac,
                           size_t bytes)
{
    uint8_t length[2];
    set_u16(length, (unsigned)bytes);
    digest_add(d, key, length, sizeof length);
    digest_add(d, key, mac, bytes);
}

size_t dns_tsig_variables(uint8_t out[DNS_TSIG_VARIABLES_MAX], const struct dns_tsig_key *key,
                          uint64_t time_s, uint16_t fudge_s, uint16_t error, const uint8_t *other,
                          size_t other_bytes)
{
    static const uint8_t no_ttl[4];
    if (other_bytes > 6) other_bytes = 6;
    uint8_t *p = set_bytes(out, key->name, key->name_bytes);
    p = set_u16(p, DNS_CLASS_ANY);
    p = set_bytes(p, no_ttl, sizeof no_ttl);
    p = set_bytes(p, algorithms[key->algorithm].wire, algorithms[key->algorithm].wire_bytes);
    p = set_u48(p, time_s);
    p = set_u16(p, fudge_s);
    p = set_u16(p, error);
    p = set_u16(p, (unsigned)other_bytes);
    p = set_bytes(p, other, other_bytes);
    return (size_t)(p - out);
}

/* ---- writing ---- */

enum { SECTION_QUESTION = 0, SECTION_PREREQUISITE = 1, SECTION_UPDATE = 2, SECTION_CLOSED = 3 };

enum { COUNTS_OFFSET = 4, FLAG_RESPONSE = 0x8000, FLAG_RECURSION = 0x0100 };

static void builder_add(struct dns_builder *b, const uint8_t *bytes, size_t count)
{
    if (b->failed || count > b->size - b->bytes) {
        b->failed = true;
        return;
    }
    if (count > 0) memcpy(b->data + b->bytes, bytes, count);
    b->bytes += count;
}

static void builder_add_u16(struct dns_builder *b, unsigned value)
{
    uint8_t bytes[2];
    set_u16(bytes, value);
    builder_add(b, bytes, sizeof bytes);
}

static void builder_add_u32(struct dns_builder *b, uint32_t value)
{
    builder_add_u16(b, value >> 16);
    builder_add_u16(b, value & 0xffff);
}

static void builder_count(struct dns_builder *b, unsigned section)
{
    if (b->failed) return;
    uint8_t *count = b->data + COUNTS_OFFSET + 2 * section;
    set_u16(count, get_u16(count) + 1);
}

/* Where these last labels of a name stand in the message already, or 0. */
static size_t builder_find(const struct dns_builder *b, const uint8_t *wire, size_t wire_bytes)
{
    for (size_t i = 0; i < b->name_count; i++) {
        uint8_t seen[DNS_NAME_WIRE_MAX];
        size_t seen_bytes;
        size_t offset = b->name_offsets[i];
        if (!dns_name_from_wire(b->data, b->bytes, &offset, seen, &seen_bytes)) continue;
        if (seen_bytes == wire_bytes && memcmp(seen, wire, wire_bytes) == 0)
            return b->name_offsets[i];
    }
    return 0;
}

/* Writes a name, compressed against the owner names before it, label by label as RFC 1035
 * section 4.1.4 has it. Names in data are left whole: servers of old read pointers only where
 * they expect them. */
static void builder_add_name(struct dns_builder *b, const uint8_t *wire, size_t wire_bytes)
{
    size_t fresh[DNS_NAME_WIRE_MAX / 2];
    size_t fresh_count = 0;
    size_t at = 0;
    size_t pointer = 0;
    while (!b->failed && wire[at] != 0) {
        pointer = builder_find(b, wire + at, wire_bytes - at);
        if (pointer != 0) break;
        fresh[fresh_count++] = b->bytes + at;
        at += 1 + (size_t)wire[at];
    }
    builder_add(b, wire, at);
    if (pointer != 0) {
        builder_add_u16(b, (unsigned)(0xc000 | pointer));
    } else {
        builder_add(b, (const uint8_t *)"", 1);
    }
    for (size_t i = 0; i < fresh_count && b->name_count < DNS_BUILDER_NAMES_MAX; i++) {
        if (fresh[i] < 0x4000) b->name_offsets[b->name_count++] = (uint16_t)fresh[i];
    }
}

static void builder_begin(struct dns_builder *b, uint8_t *buffer, size_t size, uint16_t id,
                          unsigned flags)
{
    uint8_t header[DNS_HEADER_BYTES] = {0};
    memset(b, 0, sizeof *b);
    b->data = buffer;
    b->size = size < DNS_MESSAGE_BYTES_MAX ? size : DNS_MESSAGE_BYTES_MAX;
    set_u16(set_u16(header, id), flags);
    builder_add(b, header, sizeof header);
}

static void builder_add_question(struct dns_builder *b, struct text name, unsigned type,
                                 unsigned class_of_name)
{
    uint8_t wire[DNS_NAME_WIRE_MAX];
    size_t wire_bytes;
    if (!dns_name_to_wire(name, wire, &wire_bytes)) {
        b->failed = true;
        return;
    }
    builder_add_name(b, wire, wire_bytes);
    builder_add_u16(b, type);
    builder_add_u16(b, class_of_name);
    builder_count(b, SECTION_QUESTION);
}

void dns_update_begin(struct dns_builder *b, uint8_t *buffer, size_t size, uint16_t id,
                      struct text zone)
{
    builder_begin(b, buffer, size, id, DNS_OPCODE_UPDATE << 11);
    builder_add_question(b, zone, DNS_SOA, DNS_CLASS_IN);
}

void dns_query_begin(struct dns_builder *b, uint8_t *buffer, size_t size, uint16_t id,
                     struct text name, enum dns_type type, enum dns_class class_of_name)
{
    builder_begin(b, buffer, size, id, type == DNS_AXFR ? 0 : FLAG_RECURSION);
    builder_add_question(b, name, type, class_of_name);
    b->section = SECTION_CLOSED;
}

/* The zone's name ends the name on a label's border; both in small letters. */
static bool wire_is_within(const uint8_t *wire, size_t wire_bytes, const uint8_t *zone,
                           size_t zone_bytes)
{
    size_t at = 0;
    while (wire_bytes - at > zone_bytes && wire[at] != 0) {
        at += 1 + (size_t)wire[at];
    }
    return wire_bytes - at == zone_bytes && memcmp(wire + at, zone, zone_bytes) == 0;
}

/* A record without its data: opens the section where needed, checks the order and the zone. */
static void builder_add_record(struct dns_builder *b, unsigned section, struct text name,
                               unsigned type, unsigned class_of_record, uint32_t ttl_s)
{
    uint8_t wire[DNS_NAME_WIRE_MAX];
    uint8_t zone[DNS_NAME_WIRE_MAX];
    size_t wire_bytes;
    size_t zone_bytes;
    size_t offset = DNS_HEADER_BYTES;
    if (b->failed || section < b->section || !dns_name_to_wire(name, wire, &wire_bytes) ||
        !dns_name_from_wire(b->data, b->bytes, &offset, zone, &zone_bytes) ||
        !wire_is_within(wire, wire_bytes, zone, zone_bytes)) {
        b->failed = true;
        return;
    }
    b->section = (uint8_t)section;
    builder_add_name(b, wire, wire_bytes);
    builder_add_u16(b, type);
    builder_add_u16(b, class_of_record);
    builder_add_u32(b, ttl_s);
    builder_count(b, section);
}

static void builder_add_value(struct dns_builder *b, enum dns_type type, uint16_t priority,
                              struct text value)
{
    uint8_t rdata[RDATA_BYTES_MAX];
    size_t rdata_bytes;
    if (!rdata_to_wire(type, priority, value, rdata, sizeof rdata, &rdata_bytes)) {
        b->failed = true;
        return;
    }
    builder_add_u16(b, (unsigned)rdata_bytes);
    builder_add(b, rdata, rdata_bytes);
}

void dns_update_need_rrset(struct dns_builder *b, struct text name, enum dns_type type)
{
    builder_add_record(b, SECTION_PREREQUISITE, name, type, DNS_CLASS_ANY, 0);
    builder_add_u16(b, 0);
}

void dns_update_need_no_rrset(struct dns_builder *b, struct text name, enum dns_type type)
{
    builder_add_record(b, SECTION_PREREQUISITE, name, type, DNS_CLASS_NONE, 0);
    builder_add_u16(b, 0);
}

void dns_update_need_value(struct dns_builder *b, struct text name, enum dns_type type,
                           uint16_t priority, struct text value)
{
    builder_add_record(b, SECTION_PREREQUISITE, name, type, DNS_CLASS_IN, 0);
    builder_add_value(b, type, priority, value);
}

void dns_update_delete_rrset(struct dns_builder *b, struct text name, enum dns_type type)
{
    builder_add_record(b, SECTION_UPDATE, name, type, DNS_CLASS_ANY, 0);
    builder_add_u16(b, 0);
}

void dns_update_delete_value(struct dns_builder *b, struct text name, enum dns_type type,
                             uint16_t priority, struct text value)
{
    builder_add_record(b, SECTION_UPDATE, name, type, DNS_CLASS_NONE, 0);
    builder_add_value(b, type, priority, value);
}

void dns_update_add(struct dns_builder *b, struct text name, enum dns_type type, uint32_t ttl_s,
                    uint16_t priority, struct text value)
{
    if (ttl_s > DNS_TTL_MAX) b->failed = true;
    builder_add_record(b, SECTION_UPDATE, name, type, DNS_CLASS_IN, ttl_s);
    builder_add_value(b, type, priority, value);
}

size_t dns_builder_end(struct dns_builder *b)
{
    b->section = SECTION_CLOSED;
    return b->failed ? 0 : b->bytes;
}

size_t dns_builder_sign(struct dns_builder *b, const struct dns_tsig_key *key, uint64_t now_s,
                        struct dns_tsig_mac *mac)
{
    uint8_t variables[DNS_TSIG_VARIABLES_MAX];
    uint8_t time[6];
    union dns_digest digest;
    memset(mac, 0, sizeof *mac);
    if (b->failed || get_u16(b->data + COUNTS_OFFSET + 2 * DNS_ADDITIONAL) != 0) return 0;

    size_t count =
        dns_tsig_variables(variables, key, now_s, DNS_TSIG_FUDGE_S, DNS_TSIG_OK, NULL, 0);
    digest_begin(&digest, key);
    digest_add(&digest, key, b->data, b->bytes);
    digest_add(&digest, key, variables, count);
    digest_end(&digest, key, mac);

    set_u48(time, now_s);
    size_t algorithm_bytes = algorithms[key->algorithm].wire_bytes;
    builder_add(b, key->name, key->name_bytes);
    builder_add_u16(b, DNS_TSIG);
    builder_add_u16(b, DNS_CLASS_ANY);
    builder_add_u32(b, 0);
    builder_add_u16(b, (unsigned)(algorithm_bytes + sizeof time + 2 + 2 + mac->bytes + 2 + 2 + 2));
    builder_add(b, algorithms[key->algorithm].wire, algorithm_bytes);
    builder_add(b, time, sizeof time);
    builder_add_u16(b, DNS_TSIG_FUDGE_S);
    builder_add_u16(b, (unsigned)mac->bytes);
    builder_add(b, mac->data, mac->bytes);
    builder_add_u16(b, get_u16(b->data));
    builder_add_u16(b, DNS_TSIG_OK);
    builder_add_u16(b, 0);
    builder_count(b, DNS_ADDITIONAL);
    return dns_builder_end(b);
}

/* ---- reading ---- */

/* Moves *offset behind a name without following it. */
static bool name_skip(const uint8_t *data, size_t bytes, size_t *offset)
{
    size_t at = *offset;
    while (at < bytes) {
        uint8_t count = data[at];
        if (count == 0 || count >= 0xc0) {
            *offset = at + (count == 0 ? 1 : 2);
            return *offset <= bytes;
        }
        if (count > DNS_LABEL_MAX) return false;
        at += 1 + (size_t)count;
    }
    return false;
}

static bool question_skip(const uint8_t *data, size_t bytes, size_t *offset)
{
    if (!name_skip(data, bytes, offset) || bytes - *offset < 4) return false;
    *offset += 4;
    return true;
}

/* The fixed part behind a record's name at `offset`; checks that the data fits. */
static bool record_head_read(const uint8_t *data, size_t bytes, size_t offset,
                             struct dns_rr *record)
{
    if (bytes - offset < 10) return false;
    record->type = (uint16_t)get_u16(data + offset);
    record->class_of_record = (uint16_t)get_u16(data + offset + 2);
    record->ttl_s = get_u32(data + offset + 4);
    record->rdata_bytes = (uint16_t)get_u16(data + offset + 8);
    record->rdata_offset = offset + 10;
    return record->rdata_bytes <= bytes - record->rdata_offset;
}

/* The TSIG record at *offset, whose head has been read (RFC 8945 section 4.2). */
static bool tsig_read(const uint8_t *data, size_t offset, const struct dns_rr *record,
                      struct dns_tsig *tsig)
{
    size_t at = record->rdata_offset;
    size_t end = at + record->rdata_bytes;
    memset(tsig, 0, sizeof *tsig);
    tsig->offset = offset;
    if (record->class_of_record != DNS_CLASS_ANY || record->ttl_s != 0) return false;
    if (!dns_name_from_wire(data, end, &offset, tsig->name, &tsig->name_bytes)) return false;
    if (!dns_name_from_wire(data, end, &at, tsig->algorithm, &tsig->algorithm_bytes)) return false;

    if (end - at < 10) return false;
    tsig->time_s = get_u48(data + at);
    tsig->fudge_s = (uint16_t)get_u16(data + at + 6);
    tsig->mac_bytes = get_u16(data + at + 8);
    tsig->mac = data + at + 10;
    at += 10;

    if (end - at < tsig->mac_bytes || end - at - tsig->mac_bytes < 6) return false;
    at += tsig->mac_bytes;
    tsig->original_id = (uint16_t)get_u16(data + at);
    tsig->error = (uint16_t)get_u16(data + at + 2);
    tsig->other_bytes = get_u16(data + at + 4);
    tsig->other = data + at + 6;
    if (tsig->other_bytes != end - at - 6 || tsig->other_bytes > 6) return false;

    tsig->has_server_time = tsig->error == DNS_TSIG_BADTIME && tsig->other_bytes == 6;
    if (tsig->has_server_time) tsig->server_time_s = get_u48(tsig->other);
    return true;
}

/* Walks one section; a TSIG record ends the message and is taken off its section's count. */
static bool section_walk(struct dns_message *m, unsigned section, size_t *offset)
{
    m->offsets[section] = *offset;
    for (unsigned left = m->counts[section]; left > 0; left--) {
        struct dns_rr record;
        size_t begin = *offset;
        if (section == 0) {
            if (!question_skip(m->data, m->bytes, offset)) return false;
            continue;
        }
        if (!name_skip(m->data, m->bytes, offset)) return false;
        if (!record_head_read(m->data, m->bytes, *offset, &record)) return false;
        *offset = record.rdata_offset + record.rdata_bytes;
        if (record.type != DNS_TSIG) continue;

        if (section != DNS_ADDITIONAL || left != 1 || !tsig_read(m->data, begin, &record, &m->tsig))
            return false;
        m->has_tsig = true;
        m->counts[section]--;
    }
    return true;
}

static bool sections_walk(struct dns_message *m)
{
    size_t offset = DNS_HEADER_BYTES;
    for (unsigned section = 0; section < 4; section++) {
        if (!section_walk(m, section, &offset)) return false;
    }
    return offset == m->bytes;
}

bool dns_message_read(const uint8_t *data, size_t bytes, struct dns_message *m)
{
    memset(m, 0, sizeof *m);
    if (bytes < DNS_HEADER_BYTES || bytes > DNS_MESSAGE_BYTES_MAX) return false;
    unsigned flags = get_u16(data + 2);
    m->data = data;
    m->bytes = bytes;
    m->id = (uint16_t)get_u16(data);
    m->is_response = (flags & FLAG_RESPONSE) != 0;
    m->opcode = flags >> 11 & 15;
    m->is_authoritative = (flags & 0x0400) != 0;
    m->is_truncated = (flags & 0x0200) != 0;
    m->rcode = flags & 15;
    for (unsigned section = 0; section < 4; section++) {
        m->counts[section] = (uint16_t)get_u16(data + COUNTS_OFFSET + 2 * section);
    }
    if (sections_walk(m)) return true;
    if (!m->is_truncated) return false;

    /* Some servers cut a truncated message anywhere. The header is all we need of it. */
    memset(m->counts, 0, sizeof m->counts);
    m->has_tsig = false;
    return true;
}

bool dns_message_replies_to(const struct dns_message *m, const uint8_t *request,
                            size_t request_bytes)
{
    struct dns_message asked;
    uint8_t names[2][DNS_NAME_WIRE_MAX];
    size_t name_bytes[2];
    if (!dns_message_read(request, request_bytes, &asked) || asked.is_response) return false;
    if (!m->is_response || m->id != asked.id || m->opcode != asked.opcode) return false;

    /* A server that could not read the request, or a brief one, leaves the question out. */
    if (m->counts[0] == 0) return true;
    if (m->counts[0] != 1 || asked.counts[0] != 1) return false;
    size_t at = m->offsets[0];
    size_t asked_at = asked.offsets[0];
    if (!dns_name_from_wire(m->data, m->bytes, &at, names[0], &name_bytes[0])) return false;
    if (!dns_name_from_wire(request, request_bytes, &asked_at, names[1], &name_bytes[1]))
        return false;
    if (name_bytes[0] != name_bytes[1] || memcmp(names[0], names[1], name_bytes[0]) != 0)
        return false;
    return memcmp(m->data + at, request + asked_at, 4) == 0;
}

void dns_rrs_begin(const struct dns_message *m, enum dns_section section,
                       struct dns_cursor *cursor)
{
    *cursor = (struct dns_cursor){m, m->offsets[section], m->counts[section], false};
}

bool dns_rr_next(struct dns_cursor *cursor, struct dns_rr *record)
{
    const struct dns_message *m = cursor->message;
    if (cursor->left_count == 0) return false;
    cursor->left_count--;
    if (!dns_name_from_wire(m->data, m->bytes, &cursor->offset, record->name,
                            &record->name_bytes) ||
        !record_head_read(m->data, m->bytes, cursor->offset, record)) {
        cursor->left_count = 0;
        cursor->is_malformed = true;
        return false;
    }
    cursor->offset = record->rdata_offset + record->rdata_bytes;
    return true;
}

bool dns_rr_value(const struct dns_message *m, const struct dns_rr *record,
                      uint16_t *priority, char *out, size_t size, struct text *value)
{
    return rdata_from_wire((enum dns_type)record->type, m->data, m->bytes, record->rdata_offset,
                           record->rdata_bytes, priority, out, size, value);
}

bool dns_rr_soa_serial(const struct dns_message *m, const struct dns_rr *record,
                           uint32_t *serial)
{
    uint8_t wire[DNS_NAME_WIRE_MAX];
    size_t wire_bytes;
    size_t at = record->rdata_offset;
    size_t end = at + record->rdata_bytes;
    if (record->type != DNS_SOA || end > m->bytes) return false;
    if (!dns_name_from_wire(m->data, end, &at, wire, &wire_bytes)) return false;
    if (!dns_name_from_wire(m->data, end, &at, wire, &wire_bytes)) return false;
    if (end - at != 20) return false;
    *serial = get_u32(m->data + at);
    return true;
}

/* ---- verifying ---- */

/* The message as its signer had it before the TSIG record: original id, one record fewer. */
static void digest_add_message(union dns_digest *d, const struct dns_tsig_key *key,
                               const struct dns_message *m)
{
    uint8_t header[DNS_HEADER_BYTES];
    size_t end = m->has_tsig ? m->tsig.offset : m->bytes;
    memcpy(header, m->data, sizeof header);
    if (m->has_tsig) set_u16(header, m->tsig.original_id);
    set_u16(header + COUNTS_OFFSET + 2 * DNS_ADDITIONAL, m->counts[DNS_ADDITIONAL]);
    digest_add(d, key, header, sizeof header);
    digest_add(d, key, m->data + sizeof header, end - sizeof header);
}

static bool tsig_is_of_key(const struct dns_tsig *tsig, const struct dns_tsig_key *key)
{
    size_t algorithm_bytes = algorithms[key->algorithm].wire_bytes;
    return tsig->name_bytes == key->name_bytes &&
           memcmp(tsig->name, key->name, key->name_bytes) == 0 &&
           tsig->algorithm_bytes == algorithm_bytes &&
           memcmp(tsig->algorithm, algorithms[key->algorithm].wire, algorithm_bytes) == 0;
}

/* Ends the digest d, which holds the MAC before and maybe unsigned messages, with message m.
 * Later messages of a stream digest the timers only (RFC 8945 section 5.3.1). */
static enum dns_trust tsig_check(union dns_digest *d, const struct dns_message *m,
                                 const struct dns_tsig_key *key, bool has_timers_only,
                                 uint64_t now_s)
{
    const struct dns_tsig *tsig = &m->tsig;
    uint8_t variables[DNS_TSIG_VARIABLES_MAX];
    struct dns_tsig_mac mac;
    size_t count;
    if (tsig->mac_bytes == 0 && tsig->error != DNS_TSIG_OK) return DNS_TRUST_HINT;
    if (!tsig_is_of_key(tsig, key)) return DNS_TRUST_WRONG_KEY;

    if (has_timers_only) {
        count = (size_t)(set_u16(set_u48(variables, tsig->time_s), tsig->fudge_s) - variables);
    } else {
        count = dns_tsig_variables(variables, key, tsig->time_s, tsig->fudge_s, tsig->error,
                                   tsig->other, tsig->other_bytes);
    }
    digest_add_message(d, key, m);
    digest_add(d, key, variables, count);
    digest_end(d, key, &mac);
    bool is_equal =
        tsig->mac_bytes == mac.bytes && sodium_memcmp(tsig->mac, mac.data, mac.bytes) == 0;
    sodium_memzero(&mac,
                   sizeof mac); /* of a forged message this is the right MAC: leave it nowhere */
    if (!is_equal) return DNS_TRUST_WRONG_MAC;

    /* A BADTIME reply tells that the clocks differ, so they cannot be asked to agree; the MAC
     * binds it to our request. Servers repeat the request's own time there (RFC 8945 section
     * 5.2.3). */
    if (tsig->error == DNS_TSIG_BADTIME) return DNS_TRUST_SIGNED;

    uint64_t apart_s = now_s > tsig->time_s ? now_s - tsig->time_s : tsig->time_s - now_s;
    return apart_s <= tsig->fudge_s ? DNS_TRUST_SIGNED : DNS_TRUST_WRONG_TIME;
}

enum dns_trust dns_tsig_verify(const struct dns_message *m, const struct dns_tsig_key *key,
                               const struct dns_tsig_mac *request_mac, uint64_t now_s)
{
    union dns_digest digest;
    if (!m->has_tsig) return DNS_TRUST_UNSIGNED;
    digest_begin(&digest, key);
    digest_add_mac(&digest, key, request_mac->data, request_mac->bytes);
    enum dns_trust trust = tsig_check(&digest, m, key, false, now_s);
    sodium_memzero(&digest, sizeof digest);
    return trust;
}

/* ---- zone transfer ---- */

bool dns_transfer_begin(struct dns_transfer *t, uint16_t id, struct text zone,
                        const struct dns_tsig_key *key, const struct dns_tsig_mac *request_mac)
{
    memset(t, 0, sizeof *t);
    t->id = id;
    t->key = key;
    t->trust = DNS_TRUST_UNSIGNED;
    t->result = DNS_TRANSFER_MORE;
    if (!dns_name_to_wire(zone, t->zone, &t->zone_bytes)) return false;
    if (key == NULL) return true;
    if (request_mac == NULL || request_mac->bytes > DNS_TSIG_MAC_MAX) return false;
    digest_begin(&t->digest, key);
    digest_add_mac(&t->digest, key, request_mac->data, request_mac->bytes);
    return true;
}

/* Takes the signature of one message into account. The first must have one; between later ones
 * up to 99 may do without. */
static bool transfer_trusts(struct dns_transfer *t, const struct dns_message *m, uint64_t now_s)
{
    t->trust = DNS_TRUST_UNSIGNED;
    if (t->key == NULL) return true;
    if (!m->has_tsig) {
        if (!t->has_first_signature || t->unsigned_count == DNS_TRANSFER_UNSIGNED_MAX) return false;
        t->unsigned_count++;
        digest_add_message(&t->digest, t->key, m);
        return true;
    }
    t->trust = tsig_check(&t->digest, m, t->key, t->has_first_signature, now_s);
    if (t->trust != DNS_TRUST_SIGNED) return false;
    t->has_first_signature = true;
    t->unsigned_count = 0;
    digest_begin(&t->digest, t->key);
    digest_add_mac(&t->digest, t->key, m->tsig.mac, m->tsig.mac_bytes);
    return true;
}

static bool is_zone_soa(const struct dns_transfer *t, const struct dns_rr *record)
{
    return record->type == DNS_SOA && record->class_of_record == DNS_CLASS_IN &&
           record->name_bytes == t->zone_bytes && memcmp(record->name, t->zone, t->zone_bytes) == 0;
}

/* Opening SOA, records, closing SOA with the same serial and nothing behind it (RFC 5936 section
 * 2.2). */
static enum dns_transfer_result transfer_records(struct dns_transfer *t,
                                                 const struct dns_message *m,
                                                 dns_transfer_record record_done, void *context)
{
    struct dns_cursor cursor;
    struct dns_rr record;
    enum dns_transfer_result result = DNS_TRANSFER_MORE;
    if (m->counts[DNS_ANSWER] == 0) return DNS_TRANSFER_MALFORMED;
    dns_rrs_begin(m, DNS_ANSWER, &cursor);
    while (dns_rr_next(&cursor, &record)) {
        bool is_soa = record.type == DNS_SOA;
        uint32_t serial;
        if (result == DNS_TRANSFER_DONE || is_soa != is_zone_soa(t, &record))
            return DNS_TRANSFER_MALFORMED;
        if (!is_soa && t->record_count == 0) return DNS_TRANSFER_MALFORMED;
        if (is_soa && !dns_rr_soa_serial(m, &record, &serial)) return DNS_TRANSFER_MALFORMED;
        if (is_soa && t->record_count > 0) {
            if (serial != t->serial) return DNS_TRANSFER_MALFORMED;
            result = DNS_TRANSFER_DONE;
            continue;
        }
        if (is_soa) t->serial = serial;
        t->record_count++;
        if (!record_done(context, m, &record)) return DNS_TRANSFER_STOPPED;
    }
    return cursor.is_malformed ? DNS_TRANSFER_MALFORMED : result;
}

static enum dns_transfer_result transfer_message(struct dns_transfer *t, const uint8_t *data,
                                                 size_t bytes, uint64_t now_s,
                                                 dns_transfer_record record_done, void *context)
{
    struct dns_message m;
    if (!dns_message_read(data, bytes, &m) || !m.is_response || m.id != t->id)
        return DNS_TRANSFER_MALFORMED;
    if (m.opcode != DNS_OPCODE_QUERY || m.is_truncated) return DNS_TRANSFER_MALFORMED;

    bool is_trusted = transfer_trusts(t, &m, now_s);
    t->rcode = m.rcode;
    t->tsig_error = m.has_tsig ? m.tsig.error : (uint16_t)DNS_TSIG_OK;
    t->server_time_s = m.has_tsig && m.tsig.has_server_time ? m.tsig.server_time_s : 0;
    if (t->rcode != DNS_RCODE_OK || t->tsig_error != DNS_TSIG_OK) return DNS_TRANSFER_REFUSED;
    if (!is_trusted) return DNS_TRANSFER_UNTRUSTED;

    enum dns_transfer_result result = transfer_records(t, &m, record_done, context);
    bool lacks_last_signature = t->key != NULL && t->trust != DNS_TRUST_SIGNED;
    return result == DNS_TRANSFER_DONE && lacks_last_signature ? DNS_TRANSFER_UNTRUSTED : result;
}

enum dns_transfer_result dns_transfer_feed(struct dns_transfer *t, const uint8_t *data,
                                           size_t bytes, uint64_t now_s,
                                           dns_transfer_record record_done, void *context)
{
    if (t->result == DNS_TRANSFER_DONE) t->result = DNS_TRANSFER_MALFORMED;
    if (t->result != DNS_TRANSFER_MORE) return t->result;
    t->result = transfer_message(t, data, bytes, now_s, record_done, context);
    return t->result;
}

/* Adds the SOA records of one message to *soa_count; false when no transfer goes on after it. */
static bool transfer_peek(const uint8_t *data, size_t bytes, unsigned *soa_count)
{
    struct dns_message m;
    struct dns_cursor cursor;
    struct dns_rr record;
    if (!dns_message_read(data, bytes, &m) || m.rcode != DNS_RCODE_OK || m.is_truncated)
        return false;
    dns_rrs_begin(&m, DNS_ANSWER, &cursor);
    while (dns_rr_next(&cursor, &record)) {
        if (record.type == DNS_SOA) ++*soa_count;
    }
    return *soa_count == 1;
}

bool dns_transfer_is_complete(struct text answers)
{
    const uint8_t *data = (const uint8_t *)answers.data;
    size_t left = answers.bytes;
    unsigned soa_count = 0;
    while (left >= 2 && left - 2 >= get_u16(data)) {
        size_t bytes = get_u16(data);
        if (!transfer_peek(data + 2, bytes, &soa_count)) return true;
        data += 2 + bytes;
        left -= 2 + bytes;
    }
    return false;
}

void dns_transfer_wipe(struct dns_transfer *t)
{
    sodium_memzero(t, sizeof *t);
    t->result = DNS_TRANSFER_MALFORMED;
}
