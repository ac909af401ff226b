#include "zone.h"

#include <assert.h>

#include "core/call.h"
#include "ddns/dns_message.h"

void zone_init(struct zone *zone, struct arena *arena)
{
    zone->arena = arena;
    zone->count = 0;
    zone->foreign_lost = NULL;
}

static bool is_of(const struct zone_value *v, struct text name, enum dns_type type)
{
    return !v->is_gone && v->type == type && dns_name_equal(v->name, name);
}

/* Priorities of types without one are noise. */
static uint16_t priority_of(enum dns_type type, uint16_t priority)
{
    return type == DNS_MX || type == DNS_SRV ? priority : 0;
}

struct zone_value *zone_find(struct zone *zone, struct text name, enum dns_type type, uint16_t priority,
                             struct text value)
{
    priority = priority_of(type, priority);
    for (unsigned i = 0; i < zone->count; i++) {
        struct zone_value *v = &zone->values[i];
        if (is_of(v, name, type) && v->priority == priority && rdata_equal(type, v->value, value)) return v;
    }
    return NULL;
}

bool zone_has(const struct zone *zone, struct text name, enum dns_type type, uint16_t priority, struct text value)
{
    return zone_find((struct zone *)(uintptr_t)zone, name, type, priority, value) != NULL;
}

struct zone_value *zone_new(struct zone *zone, struct text name, enum dns_type type, uint16_t priority,
                            struct text value)
{
    assert(zone->count < ZONE_VALUES_MAX);
    struct zone_value *v = &zone->values[zone->count++];
    *v = (struct zone_value){.name = arena_text(zone->arena, name), .type = type,
                             .value = arena_text(zone->arena, value), .priority = priority_of(type, priority)};
    return v;
}

void zone_add(struct zone *zone, struct text name, enum dns_type type, uint16_t priority, struct text value)
{
    struct zone_value *v = zone_find(zone, name, type, priority, value);
    if (v != NULL) {
        v->is_excused = false; /* it is wanted again */
        return;
    }
    zone_new(zone, name, type, priority, value);
}

void zone_add_foreign(struct zone *zone, struct text name, enum dns_type type, struct text value, uint32_t ttl)
{
    struct zone_value *v = zone_new(zone, name, type, 0, value);
    v->is_foreign = true;
    v->ttl = ttl;
}

void zone_take_away(struct zone *zone, struct zone_value *v)
{
    v->is_gone = true;
    if (v->is_foreign) zone->foreign_lost = v;
}

void zone_meddle(struct zone *zone, struct text name, enum dns_type type, struct text value)
{
    for (unsigned i = 0; i < zone->count; i++) {
        struct zone_value *v = &zone->values[i];
        if (!is_of(v, name, type) || v->is_foreign || v->is_told) continue;
        bool is_address = type == DNS_A || type == DNS_AAAA, is_kept = v->has_id && is_address; /* under its id */
        if (is_kept && zone_find(zone, name, type, 0, value) != NULL) return;
        v->is_gone = !is_kept;
        if (is_kept) v->value = value;
        if (is_address) (is_kept ? v : zone_new(zone, name, type, 0, value))->is_excused = true;
        return;
    }
}

/* ---- updates (RFC 2136 section 3.4.2) ------------------------------------------------------------- */

static void delete_set(struct zone *zone, struct text name, enum dns_type type)
{
    for (unsigned i = 0; i < zone->count; i++) {
        if (is_of(&zone->values[i], name, type)) zone_take_away(zone, &zone->values[i]);
    }
}

static void carry_out(struct zone *zone, const struct dns_message *m, const struct dns_rr *rr)
{
    char shown[DNS_NAME_SHOWN_SIZE], room[RDATA_VALUE_SIZE];
    struct text value = TEXT_NONE, name = dns_name_show(rr->name, rr->name_bytes, shown);
    enum dns_type type = (enum dns_type)rr->type;
    uint16_t priority = 0;
    if (rr->class_of_record == DNS_CLASS_ANY) {
        delete_set(zone, name, type);
        return;
    }
    bool is_value = dns_rr_value(m, rr, &priority, room, sizeof room, &value);
    assert(is_value);
    if (rr->class_of_record != DNS_CLASS_NONE) {
        zone_add(zone, name, type, priority, value);
        return;
    }
    struct zone_value *v = zone_find(zone, name, type, priority, value);
    if (v != NULL) zone_take_away(zone, v);
}

static void update(struct zone *zone, const struct dns_message *m)
{
    struct dns_cursor cursor;
    struct dns_rr rr;
    dns_rrs_begin(m, DNS_AUTHORITY, &cursor);
    while (dns_rr_next(&cursor, &rr)) carry_out(zone, m, &rr);
    assert(!cursor.is_malformed);
}

/* ---- answers -------------------------------------------------------------------------------------- */

static size_t put_u16(uint8_t *to, unsigned value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
    return 2;
}

static size_t put_value(uint8_t *to, const struct zone_value *v)
{
    static const uint8_t head[] = {0xc0, DNS_HEADER_BYTES}; /* the question's name */
    size_t bytes = 0, rdata_bytes;
    uint8_t rdata[RDATA_BYTES_MAX];
    bool is_written = rdata_to_wire(v->type, v->priority, v->value, rdata, sizeof rdata, &rdata_bytes);
    assert(is_written);
    memcpy(to, head, sizeof head);
    bytes += sizeof head;
    bytes += put_u16(to + bytes, v->type);
    bytes += put_u16(to + bytes, DNS_CLASS_IN);
    bytes += put_u16(to + bytes, 0);
    bytes += put_u16(to + bytes, 600);
    bytes += put_u16(to + bytes, (unsigned)rdata_bytes);
    memcpy(to + bytes, rdata, rdata_bytes);
    return bytes + rdata_bytes;
}

/* Header and question again, then what the zone has under the question's name and type. */
static struct text answer_to(struct zone *zone, const struct dns_message *m, unsigned rcode)
{
    uint8_t *out = arena_alloc(zone->arena, ZONE_ANSWER_BYTES_MAX), wire[DNS_NAME_WIRE_MAX];
    char shown[DNS_NAME_SHOWN_SIZE];
    size_t end = DNS_HEADER_BYTES, name_bytes, count = 0;
    bool is_name = dns_name_from_wire(m->data, m->bytes, &end, wire, &name_bytes);
    assert(out != NULL && is_name && end + 4 <= m->bytes);
    struct text name = dns_name_show(wire, name_bytes, shown);
    enum dns_type type = (enum dns_type)(m->data[end] << 8 | m->data[end + 1]);
    end += 4;
    memcpy(out, m->data, end);
    out[2] |= 0x84;
    out[3] = (uint8_t)rcode;
    for (unsigned i = 0; i < zone->count && m->opcode == DNS_OPCODE_QUERY && rcode == 0; i++) {
        if (!is_of(&zone->values[i], name, type) || end + 600 > ZONE_ANSWER_BYTES_MAX) continue;
        end += put_value(out + end, &zone->values[i]);
        count++;
    }
    put_u16(out + 6, (unsigned)count);
    put_u16(out + 8, 0);
    put_u16(out + 10, 0);
    return (struct text){(const char *)out, end};
}

bool zone_dns(struct zone *zone, struct text message, unsigned rcode, struct text *answer)
{
    struct dns_message m;
    if (!dns_message_read((const uint8_t *)message.data, message.bytes, &m)) return false;
    if (m.opcode == DNS_OPCODE_UPDATE && rcode == DNS_RCODE_OK) update(zone, &m);
    *answer = answer_to(zone, &m, rcode);
    return true;
}

bool zone_told(struct zone *zone, struct text body)
{
    struct text decoded, rest;
    enum dns_type type;
    if (!percent_decode(body, false, zone->arena, &decoded)) return false;
    rest = decoded;
    struct text name = text_cut(&rest, '|'), type_name = text_cut(&rest, '|');
    if (rest.data == NULL || !dns_type_from_name(type_name, &type)) return false;
    if (!zone_has(zone, name, type, 0, rest)) zone_new(zone, name, type, 0, rest)->is_told = true;
    return true;
}
