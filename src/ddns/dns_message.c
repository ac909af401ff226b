#include "ddns/dns_message.h"

#include "ddns/network_order.h"

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

/* ---- writing ---- */

enum { SECTION_QUESTION = 0, SECTION_PREREQUISITE = 1, SECTION_UPDATE = 2, SECTION_CLOSED = 3 };

enum { FLAG_RESPONSE = 0x8000, FLAG_RECURSION = 0x0100 };

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
    uint8_t *count = b->data + DNS_COUNTS_OFFSET + 2 * section;
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

void dns_builder_append(struct dns_builder *b, enum dns_section section, const uint8_t *record,
                        size_t bytes)
{
    builder_add(b, record, bytes);
    builder_count(b, section);
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
        m->counts[section] = (uint16_t)get_u16(data + DNS_COUNTS_OFFSET + 2 * section);
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

void dns_rrs_begin(const struct dns_message *m, enum dns_section section, struct dns_cursor *cursor)
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

bool dns_rr_value(const struct dns_message *m, const struct dns_rr *record, uint16_t *priority,
                  char *out, size_t size, struct text *value)
{
    return rdata_from_wire((enum dns_type)record->type, m->data, m->bytes, record->rdata_offset,
                           record->rdata_bytes, priority, out, size, value);
}

bool dns_rr_soa_serial(const struct dns_message *m, const struct dns_rr *record, uint32_t *serial)
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
