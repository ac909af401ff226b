#include "ddns/dns_transfer.h"

#include "ddns/network_order.h"

bool dns_transfer_begin(struct dns_transfer *t, uint16_t id, struct text zone,
                        const struct dns_tsig_key *key, const struct dns_tsig_mac *request_mac)
{
    memset(t, 0, sizeof *t);
    t->id = id;
    t->trust = DNS_TRUST_UNSIGNED;
    t->result = DNS_TRANSFER_MORE;
    bool has_signatures = dns_tsig_stream_begin(&t->signatures, key, request_mac);
    return dns_name_to_wire(zone, t->zone, &t->zone_bytes) && has_signatures;
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

    bool is_trusted = dns_tsig_stream_trusts(&t->signatures, &m, now_s, &t->trust);
    t->rcode = m.rcode;
    t->tsig_error = m.has_tsig ? m.tsig.error : (uint16_t)DNS_TSIG_OK;
    t->server_time_s = m.has_tsig && m.tsig.has_server_time ? m.tsig.server_time_s : 0;
    if (t->rcode != DNS_RCODE_OK || t->tsig_error != DNS_TSIG_OK) return DNS_TRANSFER_REFUSED;
    if (!is_trusted) return DNS_TRANSFER_UNTRUSTED;

    enum dns_transfer_result result = transfer_records(t, &m, record_done, context);
    bool lacks_last_signature = t->signatures.key != NULL && t->trust != DNS_TRUST_SIGNED;
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
