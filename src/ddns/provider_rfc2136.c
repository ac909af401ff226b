/* DNS servers that take UPDATE messages (RFC 2136) signed by TSIG (RFC 8945): BIND, Knot, PowerDNS.
 *
 *   PUSH    one message, which the server carries out whole or not at all:
 *           A, AAAA, CNAME   delete the RRset, add our value and those of the siblings
 *           other types      delete our previous value when it differs, add ours
 *   REMOVE  delete our one value
 *   CHECK   query name and type from the same server
 *   IMPORT  zone transfer (AXFR)
 *
 * The server has neither ids nor remarks, so a value is ours because it is what we wrote. A record
 * with no key is sent unsigned, for servers that go by address.
 *
 * With a key only a signed answer is believed. Servers cannot sign when they do not know our key or
 * our signature is wrong: that hint stops the account, since trying again would not help. A server
 * whose clock differs says so in a signed BADTIME with its own time; the request goes out once more
 * with that time, and the verdict says how far off we are. Facts: protocols page dns-update. */
#include "ddns/provider.h"

#include <assert.h>

#include "cloud/cloud_json.h"
#include "core/address.h"
#include "core/url.h"
#include "ddns/dns_transfer.h"
#include "ddns/provider_rfc2136_refusal.h"

enum {
    UPDATE_BYTES_MAX = 32 * 1024, /* two values of RDATA_BYTES_MAX and many addresses */
    QUERY_BYTES_MAX = 1024,
    TRANSFER_BYTES_MAX = 2 * 1024 * 1024,
    CHECK_ARENA_BYTES_MAX = 256 * 1024
};

/* ---- requests ---- */

static bool type_is_set(enum dns_type type)
{
    return type == DNS_A || type == DNS_AAAA || type == DNS_CNAME;
}

static void put_changes(const struct dns_job *job, struct text name, struct dns_builder *b)
{
    if (job->action == DNS_REMOVE) {
        dns_update_delete_value(b, name, job->type, job->priority, job->value);
        return;
    }
    if (type_is_set(job->type)) {
        dns_update_delete_rrset(b, name, job->type);
        dns_update_add(b, name, job->type, job->ttl, job->priority, job->value);
        for (unsigned i = 0; i < job->sibling_count; i++) {
            if (rdata_equal(job->type, job->sibling_values[i], job->value)) continue;
            dns_update_add(b, name, job->type, job->ttl, job->priority, job->sibling_values[i]);
        }
        return;
    }
    /* Also when only the TTL is another: servers keep the TTL of a record that is there already. */
    if (job->previous_value.bytes > 0) {
        dns_update_delete_value(b, name, job->type, job->previous_priority, job->previous_value);
    }
    dns_update_add(b, name, job->type, job->ttl, job->priority, job->value);
}

/* The request but for its end. Without changes it is what an answer must repeat of it. */
static void begin_request(const struct dns_job *job, const struct dns_memo *memo, struct text name,
                          uint8_t *buffer, size_t size, struct dns_builder *b)
{
    if (job->action == DNS_PUSH || job->action == DNS_REMOVE) {
        dns_update_begin(b, buffer, size, memo->message_id, job->zone);
    } else if (job->action == DNS_CHECK) {
        dns_query_begin(b, buffer, size, memo->message_id, name, job->type, DNS_CLASS_IN);
    } else {
        dns_query_begin(b, buffer, size, memo->message_id, job->zone, DNS_AXFR, DNS_CLASS_IN);
    }
}

/* Takes the next message, with its two bytes of length, off the front of *rest. */
static bool next_message(struct text *rest, const uint8_t **message, size_t *bytes)
{
    const uint8_t *data = (const uint8_t *)rest->data;
    if (rest->bytes < 2) return false;
    *bytes = (size_t)data[0] << 8 | data[1];
    if (rest->bytes - 2 < *bytes) return false;
    *message = data + 2;
    rest->data += 2 + *bytes;
    rest->bytes -= 2 + *bytes;
    return true;
}

/* A transfer ends with its second SOA, or with the first message that is none. */
static bool transfer_is_complete(struct text answers)
{
    unsigned soa_count = 0;
    bool is_first = true;
    const uint8_t *data;
    size_t bytes;
    while (next_message(&answers, &data, &bytes)) {
        struct dns_message m;
        struct dns_cursor cursor;
        struct dns_rr record;
        if (!dns_message_read(data, bytes, &m) || m.rcode != DNS_RCODE_OK ||
            m.counts[DNS_ANSWER] == 0) {
            return true;
        }
        dns_rrs_begin(&m, DNS_ANSWER, &cursor);
        while (dns_rr_next(&cursor, &record)) {
            if (is_first && record.type != DNS_SOA) return true;
            is_first = false;
            if (record.type == DNS_SOA) soa_count++;
        }
        if (cursor.is_malformed || soa_count >= 2) return true;
    }
    return false;
}

static enum provider_next send_request(const struct dns_job *job, struct dns_memo *memo,
                                       const struct rfc2136_exchange *x, struct provider_call *next,
                                       struct dns_verdict *verdict)
{
    bool is_update = job->action == DNS_PUSH || job->action == DNS_REMOVE;
    size_t size = is_update ? UPDATE_BYTES_MAX : QUERY_BYTES_MAX;
    uint8_t *buffer = arena_alloc(job->arena, size);
    if (buffer == NULL) return PROVIDER_FINISHED;

    memo->message_id = (uint16_t)(job->nonce[0] << 8 | job->nonce[1]);
    struct dns_builder b;
    begin_request(job, memo, x->name, buffer, size, &b);
    if (is_update) put_changes(job, x->name, &b);
    struct dns_tsig_mac mac = {0};
    size_t bytes = x->has_key ? dns_builder_sign(&b, &x->key, x->now_s, &mac) : dns_builder_end(&b);
    if (bytes == 0) {
        return provider_end(
            verdict, CLASS_FATAL,
            arena_print(job->arena,
                        "the record %.*s cannot be written as a DNS message; check its "
                        "value",
                        TEXT_ARGS(x->name)));
    }
    assert(mac.bytes <= sizeof(memo->mac));
    memo->mac_bytes = (uint8_t)mac.bytes;
    memcpy(memo->mac, mac.data, mac.bytes);

    bool is_transfer = job->action == DNS_IMPORT;
    *next = (struct provider_call){
        .is_dns = true,
        .is_write = job->action == DNS_PUSH,
        .is_whole_set = type_is_set(job->type),
        .dns = {
            .server = x->server,
            .message = {(const char *)buffer, bytes},
            .by_tcp = is_transfer || bytes > DNS_UDP_BYTES_MAX,
            .timeout_ms = job->timeout_ms,
            .is_complete = is_transfer ? transfer_is_complete : NULL,
            .answer_bytes_max = is_transfer ? TRANSFER_BYTES_MAX : DNS_MESSAGE_BYTES_MAX,
        }};
    return PROVIDER_SEND;
}

/* ---- answers ---- */

/* The server's clock differs by more than the fudge. */
static enum provider_next on_bad_time(const struct dns_job *job, struct dns_memo *memo,
                                      struct rfc2136_exchange *x, uint64_t server_time_s,
                                      struct provider_call *next, struct dns_verdict *verdict)
{
    if (memo->clock_repeats == 0 && server_time_s != 0) {
        memo->clock_repeats = 1;
        memo->clock_offset_ms = (int64_t)(server_time_s * 1000) - (int64_t)job->now_ms;
        x->now_s = server_time_s;
        return send_request(job, memo, x, next, verdict);
    }
    struct text words = provider_clock_words(job->arena, memo->clock_offset_ms);
    struct text detail =
        memo->clock_repeats > 0
            ? arena_print(job->arena,
                          "the clock of this machine is %.*s that of the DNS server %.*s; fix NTP",
                          TEXT_ARGS(words), TEXT_ARGS(x->server))
            : arena_print(job->arena,
                          "the clocks of this machine and the DNS server %.*s differ; fix NTP",
                          TEXT_ARGS(x->server));
    verdict->answer = TEXT("NOTAUTH BADTIME");
    return provider_end(verdict, CLASS_CLOCK, detail);
}

static void end_well(const struct dns_job *job, const struct dns_memo *memo,
                     const struct rfc2136_exchange *x, struct dns_verdict *verdict)
{
    provider_end(verdict, CLASS_OK, TEXT(""));
    verdict->answer = TEXT("NOERROR");
    if (memo->clock_repeats == 0) return;
    struct text words = provider_clock_words(job->arena, memo->clock_offset_ms);
    verdict->answer = arena_print(job->arena, "NOERROR; our clock is %.*s that of %.*s",
                                  TEXT_ARGS(words), TEXT_ARGS(x->server));
}

/* The values that a query found. False when an answer record cannot be read. */
static bool read_found(const struct dns_job *job, const struct dns_message *m, struct text name,
                       struct dns_verdict *verdict)
{
    struct dns_found *found =
        arena_array(job->arena, struct dns_found, (size_t)m->counts[DNS_ANSWER] + 1);
    char *out = arena_alloc(job->arena, RDATA_VALUE_SIZE);
    if (found == NULL || out == NULL) return true;
    struct dns_cursor cursor;
    struct dns_rr record;
    unsigned count = 0;
    dns_rrs_begin(m, DNS_ANSWER, &cursor);
    while (dns_rr_next(&cursor, &record)) {
        char shown[DNS_NAME_SHOWN_SIZE];
        struct dns_found *f = &found[count];
        /* A CNAME in front of the answer, for instance, is not what was asked for. */
        bool is_asked = record.type == job->type && record.class_of_record == DNS_CLASS_IN &&
                        dns_name_equal(dns_name_show(record.name, record.name_bytes, shown), name);
        if (!is_asked) continue;
        struct text value;
        if (!dns_rr_value(m, &record, &f->priority, out, RDATA_VALUE_SIZE, &value)) {
            return false;
        }
        f->owner = job->owner;
        f->type = job->type;
        f->ttl = record.ttl_s;
        f->value = arena_text(job->arena, value);
        count++;
    }
    verdict->found = found;
    verdict->found_count = count;
    return !cursor.is_malformed;
}

static enum provider_next on_message(const struct dns_job *job, struct dns_memo *memo,
                                     struct rfc2136_exchange *x, struct text answer,
                                     struct provider_call *next, struct dns_verdict *verdict)
{
    uint8_t request[QUERY_BYTES_MAX];
    struct dns_builder b;
    begin_request(job, memo, x->name, request, sizeof(request), &b);
    size_t request_bytes = dns_builder_end(&b);
    struct dns_message m;
    if (!dns_message_read((const uint8_t *)answer.data, answer.bytes, &m) ||
        !dns_message_replies_to(&m, request, request_bytes) || m.is_truncated) {
        return rfc2136_end_malformed(job, x, verdict);
    }
    if (x->has_key) {
        struct dns_tsig_mac mac = {.bytes = memo->mac_bytes};
        memcpy(mac.data, memo->mac, sizeof(memo->mac));
        enum dns_trust trust = dns_tsig_verify(&m, &x->key, &mac, x->now_s);
        unsigned error = m.has_tsig ? m.tsig.error : DNS_TSIG_OK;
        if (trust != DNS_TRUST_SIGNED)
            return rfc2136_end_untrusted(job, x, trust, m.rcode, error, verdict);
        if (error == DNS_TSIG_BADTIME) {
            uint64_t server_time_s = m.tsig.has_server_time ? m.tsig.server_time_s : 0;
            return on_bad_time(job, memo, x, server_time_s, next, verdict);
        }
        if (error != DNS_TSIG_OK) return rfc2136_end_tsig_error(job, x, error, verdict);
    }
    bool is_no_name = job->action == DNS_CHECK && m.rcode == DNS_RCODE_NXDOMAIN;
    if (m.rcode != DNS_RCODE_OK && !is_no_name) return rfc2136_end_rcode(job, x, m.rcode, verdict);

    end_well(job, memo, x, verdict);
    verdict->has_written = job->action == DNS_PUSH;
    if (job->action == DNS_CHECK && !read_found(job, &m, x->name, verdict)) {
        return rfc2136_end_malformed(job, x, verdict);
    }
    return PROVIDER_FINISHED;
}

/* ---- zone transfer ---- */

struct collection {
    const struct dns_job *job;
    struct dns_found *found;
    unsigned count;
    unsigned room_count;
    char value[RDATA_VALUE_SIZE];
};

static bool collect(void *context, const struct dns_message *m, const struct dns_rr *record)
{
    struct collection *c = context;
    char shown[DNS_NAME_SHOWN_SIZE];
    struct text owner, value;
    if (!dns_type_has_rdata(record->type) || record->class_of_record != DNS_CLASS_IN) return true;
    struct text name = dns_name_show(record->name, record->name_bytes, shown);
    if (!dns_name_split(name, c->job->zone, &owner) || !dns_owner_check(owner, NULL)) return true;
    if (c->count == c->room_count) return false;
    struct dns_found *f = &c->found[c->count];
    if (!dns_rr_value(m, record, &f->priority, c->value, sizeof(c->value), &value)) return true;
    f->owner = arena_text(c->job->arena, owner);
    f->type = (enum dns_type)record->type;
    f->ttl = record->ttl_s;
    f->value = arena_text(c->job->arena, value);
    c->count++;
    return !arena_overflowed(c->job->arena);
}

static unsigned answer_count(struct text answers)
{
    unsigned count = 0;
    const uint8_t *data;
    size_t bytes;
    while (next_message(&answers, &data, &bytes)) {
        struct dns_message m;
        if (!dns_message_read(data, bytes, &m)) break;
        count += m.counts[DNS_ANSWER];
    }
    return count;
}

static enum provider_next end_transfer(const struct dns_job *job, struct dns_memo *memo,
                                       struct rfc2136_exchange *x, const struct dns_transfer *t,
                                       struct provider_call *next, struct dns_verdict *verdict)
{
    switch (t->result) {
    case DNS_TRANSFER_DONE: end_well(job, memo, x, verdict); return PROVIDER_FINISHED;
    case DNS_TRANSFER_REFUSED:
        if (!x->has_key) return rfc2136_end_rcode(job, x, t->rcode, verdict);
        if (t->trust != DNS_TRUST_SIGNED) {
            return rfc2136_end_untrusted(job, x, t->trust, t->rcode, t->tsig_error, verdict);
        }
        if (t->tsig_error == DNS_TSIG_BADTIME) {
            return on_bad_time(job, memo, x, t->server_time_s, next, verdict);
        }
        if (t->tsig_error != DNS_TSIG_OK)
            return rfc2136_end_tsig_error(job, x, t->tsig_error, verdict);
        return rfc2136_end_rcode(job, x, t->rcode, verdict);
    case DNS_TRANSFER_UNTRUSTED:
        return rfc2136_end_untrusted(job, x, t->trust, t->rcode, t->tsig_error, verdict);
    case DNS_TRANSFER_MORE: /* the connection ended early */
    case DNS_TRANSFER_MALFORMED:
    case DNS_TRANSFER_STOPPED: break;
    }
    return rfc2136_end_malformed(job, x, verdict);
}

static enum provider_next on_transfer(const struct dns_job *job, struct dns_memo *memo,
                                      struct rfc2136_exchange *x, struct text answers,
                                      struct provider_call *next, struct dns_verdict *verdict)
{
    unsigned room_count = answer_count(answers);
    struct collection *c = arena_new(job->arena, struct collection);
    struct dns_found *found = arena_array(job->arena, struct dns_found, (size_t)room_count + 1);
    if (c == NULL || found == NULL) return PROVIDER_FINISHED;
    c->job = job;
    c->found = found;
    c->room_count = room_count;

    struct dns_tsig_mac mac = {.bytes = memo->mac_bytes};
    memcpy(mac.data, memo->mac, sizeof(memo->mac));
    struct dns_transfer t;
    const struct dns_tsig_key *key = x->has_key ? &x->key : NULL;
    if (!dns_transfer_begin(&t, memo->message_id, job->zone, key, x->has_key ? &mac : NULL)) {
        return rfc2136_end_malformed(job, x, verdict);
    }
    const uint8_t *data;
    size_t bytes;
    enum dns_transfer_result result = DNS_TRANSFER_MORE;
    while (result == DNS_TRANSFER_MORE && next_message(&answers, &data, &bytes)) {
        result = dns_transfer_feed(&t, data, bytes, x->now_s, collect, c);
    }
    enum provider_next what = end_transfer(job, memo, x, &t, next, verdict);
    dns_transfer_wipe(&t);
    if (result == DNS_TRANSFER_DONE) {
        verdict->found = c->found;
        verdict->found_count = c->count;
    }
    return what;
}

/* ---- the step ---- */

/* Reads the credentials. False with *reason when they cannot be used. */
static bool exchange_open(const struct dns_job *job, const struct dns_memo *memo,
                          struct rfc2136_exchange *x, struct text *reason)
{
    *x = (struct rfc2136_exchange){
        .server = provider_credential(job, TEXT("server")),
        .key_name = provider_credential(job, TEXT("key_name")),
        .now_s = (uint64_t)((int64_t)job->now_ms + memo->clock_offset_ms) / 1000,
        .name = provider_full_name(job),
    };
    struct text secret = provider_credential(job, TEXT("secret"));
    struct text algorithm = provider_credential(job, TEXT("algorithm"));
    if (algorithm.bytes == 0) algorithm = TEXT("hmac-sha256");
    x->has_key = x->key_name.bytes > 0;
    return !x->has_key || dns_tsig_key_init(&x->key, x->key_name, algorithm, secret, reason);
}

static enum provider_next rfc2136_round(const struct dns_job *job, struct dns_memo *memo,
                                        struct rfc2136_exchange *x,
                                        const struct provider_answer *last,
                                        struct provider_call *next, struct dns_verdict *verdict)
{
    if (last == NULL) return send_request(job, memo, x, next, verdict);
    assert(last->dns != NULL);
    const struct dns_result *result = last->dns;
    if (result->fault != FAULT_NONE) {
        struct dns_job named = *job;
        named.endpoint = arena_print(job->arena, "the DNS server %.*s", TEXT_ARGS(x->server));
        const struct http_result unanswered = {
            .fault = result->fault, .error = result->error, .retry_after_ms = -1};
        *verdict = provider_verdict_of(&named, &unanswered);
        return PROVIDER_FINISHED;
    }
    if (job->action == DNS_IMPORT) return on_transfer(job, memo, x, result->answers, next, verdict);
    return on_message(job, memo, x, result->answers, next, verdict);
}

static enum provider_next rfc2136_step(const struct dns_job *job, struct dns_memo *memo,
                                       const struct provider_answer *last,
                                       struct provider_call *next, struct dns_verdict *verdict)
{
    *verdict = (struct dns_verdict){.class = CLASS_OK, .retry_after_ms = -1};
    struct rfc2136_exchange x;
    struct text reason = TEXT("");
    enum provider_next what;
    if (exchange_open(job, memo, &x, &reason)) {
        what = rfc2136_round(job, memo, &x, last, next, verdict);
    } else {
        what = provider_end(
            verdict, CLASS_AUTH,
            arena_print(job->arena, "the key %.*s of domain %.*s cannot be used: %.*s",
                        TEXT_ARGS(x.key_name), TEXT_ARGS(job->zone), TEXT_ARGS(reason)));
    }
    dns_tsig_key_wipe(&x.key);
    return provider_checked(job, what, verdict);
}

/* ---- the credentials ---- */

/* "host", "host:port", "192.0.2.1:53", "[2001:db8::1]:53". */
static bool is_server(struct text server)
{
    struct host_port at;
    struct ip_address address;
    if (!host_port_read(server, &at) || (at.has_port && at.port == 0)) return false;
    if (ip_parse(at.host, &address)) return address.family == (at.is_bracketed ? 6 : 4);
    return !at.is_bracketed && dns_name_check(at.host, NULL);
}

static bool rfc2136_check(struct text credentials, struct text *field, struct text *reason)
{
    struct arena arena;
    arena_init(&arena, CHECK_ARENA_BYTES_MAX);
    yyjson_val *root = cloud_json_read(&arena, credentials);
    struct text key_name = cloud_json_member_text(&arena, root, "key_name");
    struct text secret = cloud_json_member_text(&arena, root, "secret");
    struct text algorithm = cloud_json_member_text(&arena, root, "algorithm");
    if (algorithm.bytes == 0) algorithm = TEXT("hmac-sha256");
    bool has_server = is_server(cloud_json_member_text(&arena, root, "server"));
    struct dns_tsig_key key;
    bool has_key = dns_tsig_key_init(&key, key_name, algorithm, secret, reason);
    dns_tsig_key_wipe(&key);
    /* The field at fault, found by trying the key with parts that are surely right. */
    bool is_name_fine = dns_tsig_key_init(&key, key_name, TEXT("hmac-sha256"), TEXT("AAAA"), NULL);
    bool is_algorithm_fine = dns_tsig_key_init(&key, TEXT("key"), algorithm, TEXT("AAAA"), NULL);
    bool is_unsigned = key_name.bytes == 0 && secret.bytes == 0;
    bool has_secret_alone = key_name.bytes == 0 && secret.bytes > 0;
    arena_free(&arena);

    if (!has_server) {
        *field = TEXT("server");
        *reason = TEXT("must be host:port, such as ns1.example.com:53 or [2001:db8::1]:53");
        return false;
    }
    if (is_unsigned || has_key) return true;
    *field = TEXT("secret");
    if (!is_algorithm_fine) *field = TEXT("algorithm");
    if (!is_name_fine) *field = TEXT("key_name");
    if (has_secret_alone) *reason = TEXT("key_name must be given together with secret");
    /* The sentence goes on from the field's name. */
    text_cut(reason, ' ');
    return false;
}

static const struct provider_field rfc2136_fields[] = {
    {TEXT_INIT("server"), TEXT_INIT("DNS server, host:port"), TEXT_INIT("host_port"), true, false},
    {TEXT_INIT("key_name"), TEXT_INIT("TSIG key name"), TEXT_INIT("text"), false, false},
    {TEXT_INIT("algorithm"), TEXT_INIT("TSIG algorithm"),
     TEXT_INIT("choice:hmac-sha256,hmac-sha512"), false, false},
    {TEXT_INIT("secret"), TEXT_INIT("TSIG secret, Base64"), TEXT_INIT("base64"), false, true},
};

const struct provider provider_rfc2136 = {
    .name = TEXT_INIT("rfc2136"),
    .title = TEXT_INIT("RFC 2136 DNS server (BIND, Knot, PowerDNS)"),
    .fields = rfc2136_fields,
    .field_count = sizeof(rfc2136_fields) / sizeof(rfc2136_fields[0]),
    .can_list = true,
    .check = rfc2136_check,
    .step = rfc2136_step,
};
