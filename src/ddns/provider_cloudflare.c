/* Cloudflare DNS, API v4, with a bearer token.
 *
 *   zone ─► list ─► POST      nothing of ours there
 *               ├─► PATCH     ours, with another value, TTL or proxied: only what we send changes
 *               ├─► DELETE    REMOVE, or ours is stale and another record has the value
 *               └─► finished  so already
 *   zone ─► page 1 ─► page 2 ─► ...     IMPORT
 *
 * "A record of that name exists" leads back to the list once, and so does "record does not exist".
 *
 * TTL 1 means automatic; else 60 is the least, so smaller ones become 60. A proxied record always
 * shows 1. Facts and error codes: protocols page cloudflare. */
#include "ddns/provider.h"

#include <assert.h>

#include "cloud/cloud_json.h"
#include "cloud/percent.h"
#include "ddns/provider_cloudflare_answer.h"
#include "ddns/provider_plan.h"

enum {
    LIST_RECORDS_MAX = 100,
    ANSWER_BYTES_MAX = 512 * 1024,
    TTL_AUTOMATIC = 1,
    TTL_LEAST = 60,
    TTL_MOST = 86400,
    TXT_STRING_MAX = 255
};

enum cloudflare_state {
    STATE_ZONE,
    STATE_LIST,
    STATE_ADD,
    STATE_CHANGE,
    STATE_DROP,
    STATE_DELETE,
    STATE_PAGE
};

enum cloudflare_flag {
    FLAG_READ_AGAIN = 1,    /* the list is being read to explain "exists already" */
    FLAG_STARTED_AGAIN = 2, /* our record was gone once */
    FLAG_WAIT = 4,          /* after the drop a sibling's record has to move first */
    FLAG_OURS = 8, /* the record that is kept, or has only its TTL changed, was written by us */
    FLAG_SAME = 16 /* the change is not of the value: whose the record is stays as it was */
};

/* ---- requests ---- */

static bool type_has_proxy(enum dns_type type)
{
    return type == DNS_A || type == DNS_AAAA || type == DNS_CNAME;
}

static uint32_t ttl_shown(const struct dns_job *job)
{
    bool is_proxied = job->proxied && type_has_proxy(job->type);
    if (is_proxied || job->ttl == TTL_AUTOMATIC) return TTL_AUTOMATIC;
    if (job->ttl < TTL_LEAST) return TTL_LEAST;
    return job->ttl > TTL_MOST ? TTL_MOST : job->ttl;
}

static enum provider_next send_call(const struct dns_job *job, struct dns_memo *memo,
                                    enum cloudflare_state state, const char *method,
                                    struct text path, struct text body, struct provider_call *next)
{
    struct arena *arena = job->arena;
    /* The vendor's client names a content type for DELETE too, which has no body. */
    bool is_get = strcmp(method, "GET") == 0;
    struct text fields = arena_print(
        arena, "%sAuthorization: Bearer %.*s\nAccept: application/json\nUser-Agent: %.*s\n",
        is_get ? "" : "Content-Type: application/json\n",
        TEXT_ARGS(provider_credential(job, TEXT("api_token"))), TEXT_ARGS(job->user_agent));
    memo->state = (uint8_t)state;
    *next = (struct provider_call){
        .is_write = state == STATE_ADD || (state == STATE_CHANGE && (memo->flags & FLAG_SAME) == 0),
        .http = {
            .method = text_of(method),
            .url = arena_print(arena, "%.*s%.*s", TEXT_ARGS(job->endpoint), TEXT_ARGS(path)),
            .fields = fields,
            .body = body,
            .timeout_ms = job->timeout_ms,
            .answer_bytes_max = ANSWER_BYTES_MAX,
        }};
    return PROVIDER_SEND;
}

static struct text records_path(const struct dns_job *job, const struct dns_memo *memo)
{
    struct text zone_id = percent_encode(job->arena, text_of(memo->zone_id));
    return arena_print(job->arena, "/zones/%.*s/dns_records", TEXT_ARGS(zone_id));
}

static enum provider_next send_zone(const struct dns_job *job, struct dns_memo *memo,
                                    struct provider_call *next)
{
    struct text zone = percent_encode(job->arena, job->zone);
    struct text path = arena_print(job->arena, "/zones?name=%.*s", TEXT_ARGS(zone));
    return send_call(job, memo, STATE_ZONE, "GET", path, TEXT_NONE, next);
}

static enum provider_next send_list(const struct dns_job *job, struct dns_memo *memo,
                                    struct provider_call *next)
{
    struct text name = percent_encode(job->arena, provider_full_name(job));
    struct text path =
        arena_print(job->arena, "%.*s?name.exact=%.*s&type=%s", TEXT_ARGS(records_path(job, memo)),
                    TEXT_ARGS(name), dns_type_name(job->type));
    return send_call(job, memo, STATE_LIST, "GET", path, TEXT_NONE, next);
}

static enum provider_next send_page(const struct dns_job *job, struct dns_memo *memo,
                                    struct provider_call *next)
{
    struct text path = arena_print(job->arena, "%.*s?page=%u&per_page=100",
                                   TEXT_ARGS(records_path(job, memo)), memo->page);
    return send_call(job, memo, STATE_PAGE, "GET", path, TEXT_NONE, next);
}

/* TXT content is sent in double quotes, cut into strings of 255 bytes as DNS has them. */
static struct text quoted_text(struct arena *arena, struct text value)
{
    if (value.bytes > 0 && value.data[0] == '"') return value;
    /* At most: every byte escaped, and two quotes and a blank for each string. */
    size_t string_count = value.bytes / TXT_STRING_MAX + 1;
    char *out = arena_alloc(arena, 2 * value.bytes + 3 * string_count + 1);
    if (out == NULL) return TEXT_NONE;
    char *to = out;
    *to++ = '"';
    for (size_t i = 0; i < value.bytes; i++) {
        if (i > 0 && i % TXT_STRING_MAX == 0) {
            memcpy(to, "\" \"", 3);
            to += 3;
        }
        if (value.data[i] == '"' || value.data[i] == '\\') *to++ = '\\';
        *to++ = value.data[i];
    }
    *to++ = '"';
    return (struct text){out, (size_t)(to - out)};
}

/* "5 443 host.example.com", the words of a SRV value; false when it has other than three. */
static bool put_srv(const struct dns_job *job, yyjson_mut_doc *doc, yyjson_mut_val *data)
{
    struct text rest = job->value;
    uint64_t weight, port;
    if (!text_to_u64(text_cut(&rest, ' '), UINT16_MAX, &weight)) return false;
    if (!text_to_u64(text_cut(&rest, ' '), UINT16_MAX, &port)) return false;
    cloud_json_put_number(doc, data, "priority", job->priority);
    cloud_json_put_number(doc, data, "weight", weight);
    cloud_json_put_number(doc, data, "port", port);
    cloud_json_put_text(doc, data, "target", rest);
    return rest.bytes > 0;
}

/* `0 issue "ca.example"` in normal form. */
static bool put_caa(const struct dns_job *job, yyjson_mut_doc *doc, yyjson_mut_val *data)
{
    char *out = arena_alloc(job->arena, RDATA_VALUE_SIZE);
    struct text rest;
    uint64_t flags;
    if (out == NULL || !rdata_normalise(DNS_CAA, job->value, out, RDATA_VALUE_SIZE, &rest)) {
        return false;
    }
    if (!text_to_u64(text_cut(&rest, ' '), UINT8_MAX, &flags)) return false;
    struct text tag = text_cut(&rest, ' ');
    if (rest.bytes < 2) return false;
    cloud_json_put_number(doc, data, "flags", flags);
    cloud_json_put_text(doc, data, "tag", tag);
    cloud_json_put_text(doc, data, "value", (struct text){rest.data + 1, rest.bytes - 2});
    return true;
}

/* The value where its type wants it; false when it cannot be taken apart. */
static bool put_value(const struct dns_job *job, yyjson_mut_doc *doc)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    if (job->type == DNS_SRV || job->type == DNS_CAA) {
        yyjson_mut_val *data = yyjson_mut_obj(doc);
        yyjson_mut_obj_add_val(doc, root, "data", data);
        return job->type == DNS_SRV ? put_srv(job, doc, data) : put_caa(job, doc, data);
    }
    struct text content = job->type == DNS_TXT ? quoted_text(job->arena, job->value) : job->value;
    cloud_json_put_text(doc, root, "content", content);
    if (job->type == DNS_MX) cloud_json_put_number(doc, root, "priority", job->priority);
    return true;
}

/* Creates a record, or changes the given one. */
static enum provider_next send_write(const struct dns_job *job, struct dns_memo *memo,
                                     const struct provider_record *record,
                                     struct provider_call *next, struct dns_verdict *verdict)
{
    yyjson_mut_doc *doc = cloud_json_begin(job->arena);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    cloud_json_put_text(doc, root, "name", provider_full_name(job));
    cloud_json_put_number(doc, root, "ttl", ttl_shown(job));
    cloud_json_put_text(doc, root, "type", text_of(dns_type_name(job->type)));
    bool can_write = put_value(job, doc);
    bool is_other_proxy = record == NULL || record->found.proxied != job->proxied;
    if (type_has_proxy(job->type) && is_other_proxy) {
        yyjson_mut_obj_add_bool(doc, root, "proxied", job->proxied);
    }
    if (record == NULL && job->mark.bytes > 0) {
        cloud_json_put_text(doc, root, "comment", job->mark);
    }
    struct text body = cloud_json_end(job->arena, doc);
    if (!can_write || body.bytes == 0) {
        return provider_end(
            verdict, CLASS_FATAL,
            arena_print(job->arena,
                        "the value of %.*s cannot be written the way Cloudflare wants it",
                        TEXT_ARGS(provider_full_name(job))));
    }
    struct text path = records_path(job, memo);
    if (record == NULL) return send_call(job, memo, STATE_ADD, "POST", path, body, next);
    path = arena_print(job->arena, "%.*s/%.*s", TEXT_ARGS(path),
                       TEXT_ARGS(percent_encode(job->arena, record->found.provider_id)));
    return send_call(job, memo, STATE_CHANGE, "PATCH", path, body, next);
}

static enum provider_next send_delete(const struct dns_job *job, struct dns_memo *memo,
                                      enum cloudflare_state state, struct text id,
                                      struct provider_call *next)
{
    struct text path = arena_print(job->arena, "%.*s/%.*s", TEXT_ARGS(records_path(job, memo)),
                                   TEXT_ARGS(percent_encode(job->arena, id)));
    return send_call(job, memo, state, "DELETE", path, TEXT_NONE, next);
}

/* ---- rounds ---- */

static enum provider_next on_zone(const struct dns_job *job, struct dns_memo *memo,
                                  const struct http_result *result,
                                  const struct cloudflare_reply *reply, struct provider_call *next,
                                  struct dns_verdict *verdict)
{
    if (!yyjson_is_arr(reply->result)) {
        return provider_end_strange(job, result, CLASS_RETRY, verdict);
    }
    size_t index, size;
    yyjson_val *zone;
    yyjson_arr_foreach(reply->result, index, size, zone)
    {
        struct text id = cloud_json_member_text(job->arena, zone, "id");
        bool is_ours = text_equal_fold(cloud_json_member_text(job->arena, zone, "name"), job->zone);
        if (!is_ours || id.bytes == 0 ||
            !text_to_zero_ended(id, memo->zone_id, sizeof(memo->zone_id))) {
            continue;
        }
        if (job->action != DNS_IMPORT) return send_list(job, memo, next);
        memo->page = 1;
        return send_page(job, memo, next);
    }
    return provider_end(
        verdict, CLASS_FATAL,
        arena_print(job->arena,
                    "the Cloudflare token sees no zone %.*s; add the zone to the account, or "
                    "give the token Zone / Zone / Read and Zone / DNS / Edit for it",
                    TEXT_ARGS(job->zone)));
}

static enum provider_next follow_plan(const struct dns_job *job, struct dns_memo *memo,
                                      const struct provider_plan *plan, struct provider_call *next,
                                      struct dns_verdict *verdict)
{
    memo->flags &= (uint8_t) ~(FLAG_OURS | FLAG_SAME);
    if (plan->is_ours) memo->flags |= FLAG_OURS;
    if (plan->is_same) memo->flags |= FLAG_SAME;
    switch (plan->act) {
    case PLAN_KEEP:
        verdict->is_ours = plan->is_ours;
        return cloudflare_end_well(job, CLASS_UNCHANGED, plan->id_after, verdict);
    case PLAN_ADD: return send_write(job, memo, NULL, next, verdict);
    case PLAN_CHANGE: return send_write(job, memo, plan->record, next, verdict);
    case PLAN_DROP_STALE:
        text_to_zero_ended(plan->id_after, memo->provider_id, sizeof(memo->provider_id));
        if (plan->must_wait) memo->flags |= FLAG_WAIT;
        return send_delete(job, memo, STATE_DROP, plan->record->found.provider_id, next);
    case PLAN_FOREIGN:
    case PLAN_DISABLED:
    case PLAN_WAIT: break;
    }
    return provider_plan_end(job, plan, provider_cloudflare.title, verdict);
}

static enum provider_next on_push(const struct dns_job *job, struct dns_memo *memo,
                                  const struct provider_record *records, unsigned count,
                                  struct provider_call *next, struct dns_verdict *verdict)
{
    struct dns_job wanted = *job;
    wanted.proxied = job->proxied && type_has_proxy(job->type);
    wanted.ttl = ttl_shown(job);
    struct text id = (memo->flags & FLAG_STARTED_AGAIN) != 0 ? TEXT_NONE : job->provider_id;
    struct provider_plan plan = provider_plan_push(&wanted, id, records, count);
    if ((memo->flags & FLAG_READ_AGAIN) == 0 || plan.act != PLAN_ADD) {
        return follow_plan(&wanted, memo, &plan, next, verdict);
    }
    return provider_end(
        verdict, CLASS_FATAL,
        arena_print(job->arena,
                    "Cloudflare has another record at %.*s that does not go together with "
                    "a %s record; delete it there first (a CNAME can only stand alone)",
                    TEXT_ARGS(provider_full_name(job)), dns_type_name(job->type)));
}

static enum provider_next on_list(const struct dns_job *job, struct dns_memo *memo,
                                  const struct http_result *result,
                                  const struct cloudflare_reply *reply, struct provider_call *next,
                                  struct dns_verdict *verdict)
{
    if (!yyjson_is_arr(reply->result)) {
        return provider_end_strange(job, result, CLASS_RETRY, verdict);
    }
    yyjson_val *info = cloud_json_member(reply->root, "result_info");
    uint64_t total = cloud_json_number(cloud_json_member(info, "total_count"), UINT32_MAX, 0);
    if (total > LIST_RECORDS_MAX) {
        return provider_end(
            verdict, CLASS_FATAL,
            arena_print(job->arena,
                        "%.*s has more than %d records of this type at Cloudflare, too many "
                        "to tell which is homeport's",
                        TEXT_ARGS(provider_full_name(job)), LIST_RECORDS_MAX));
    }
    unsigned count;
    const struct provider_record *records = cloudflare_records_read(job, reply->result, &count);
    if (records == NULL) return PROVIDER_FINISHED;

    if (job->action == DNS_PUSH) return on_push(job, memo, records, count, next, verdict);
    if (job->action == DNS_CHECK) {
        cloudflare_end_well(job, CLASS_OK, TEXT(""), verdict);
        verdict->found = provider_plan_found(job, records, count, &verdict->found_count);
        return PROVIDER_FINISHED;
    }
    const struct provider_record *record = provider_plan_remove(job, records, count);
    if (record == NULL) return cloudflare_end_well(job, CLASS_UNCHANGED, TEXT(""), verdict);
    return send_delete(job, memo, STATE_DELETE, record->found.provider_id, next);
}

static enum provider_next on_page(const struct dns_job *job, struct dns_memo *memo,
                                  const struct http_result *result,
                                  const struct cloudflare_reply *reply, struct provider_call *next,
                                  struct dns_verdict *verdict)
{
    if (!yyjson_is_arr(reply->result)) {
        return provider_end_strange(job, result, CLASS_RETRY, verdict);
    }
    unsigned count;
    const struct provider_record *records = cloudflare_records_read(job, reply->result, &count);
    if (records == NULL) return PROVIDER_FINISHED;
    cloudflare_end_well(job, CLASS_OK, TEXT(""), verdict);
    verdict->found = provider_plan_found(job, records, count, &verdict->found_count);

    yyjson_val *info = cloud_json_member(reply->root, "result_info");
    uint64_t pages = cloud_json_number(cloud_json_member(info, "total_pages"), UINT16_MAX, 0);
    if (yyjson_arr_size(reply->result) == 0 || memo->page >= pages) return PROVIDER_FINISHED;
    memo->page++;
    return send_page(job, memo, next);
}

static enum provider_next on_written(const struct dns_job *job, struct dns_memo *memo,
                                     const struct http_result *result,
                                     const struct cloudflare_reply *reply,
                                     struct provider_call *next, struct dns_verdict *verdict)
{
    if (reply->class == CLASS_UNCHANGED && (memo->flags & FLAG_READ_AGAIN) == 0) {
        memo->flags |= FLAG_READ_AGAIN;
        return send_list(job, memo, next);
    }
    if (reply->class == CLASS_GONE && (memo->flags & FLAG_STARTED_AGAIN) == 0) {
        memo->flags |= FLAG_STARTED_AGAIN;
        return send_list(job, memo, next);
    }
    if (reply->class != CLASS_OK) {
        cloudflare_end_badly(job, result, reply, verdict);
        /* It still says "exists" after the list was read and the record was changed by its id. */
        if (verdict->class == CLASS_UNCHANGED) verdict->class = CLASS_FATAL;
        return PROVIDER_FINISHED;
    }
    struct text id = cloud_json_member_text(job->arena, reply->result, "id");
    if (id.bytes == 0 || id.bytes >= PROVIDER_ID_SIZE) {
        return provider_end_strange(job, result, CLASS_RETRY, verdict);
    }
    verdict->has_written = (memo->flags & FLAG_SAME) == 0;
    verdict->is_ours = (memo->flags & FLAG_OURS) != 0;
    return cloudflare_end_well(job, CLASS_OK, id, verdict);
}

static enum provider_next on_dropped(const struct dns_job *job, struct dns_memo *memo,
                                     const struct http_result *result,
                                     const struct cloudflare_reply *reply,
                                     struct provider_call *next, struct dns_verdict *verdict)
{
    if (reply->class != CLASS_OK && reply->class != CLASS_GONE) {
        return cloudflare_end_badly(job, result, reply, verdict);
    }
    if ((memo->flags & FLAG_WAIT) != 0) {
        const struct provider_plan wait = {.act = PLAN_WAIT};
        return follow_plan(job, memo, &wait, next, verdict);
    }
    verdict->is_ours = (memo->flags & FLAG_OURS) != 0;
    return cloudflare_end_well(job, CLASS_OK, text_of(memo->provider_id), verdict);
}

static enum provider_next cloudflare_round(const struct dns_job *job, struct dns_memo *memo,
                                           const struct http_result *result,
                                           struct provider_call *next, struct dns_verdict *verdict)
{
    struct cloudflare_reply reply = cloudflare_reply_read(job, result);
    enum cloudflare_state state = (enum cloudflare_state)memo->state;
    if (state == STATE_ADD || state == STATE_CHANGE) {
        return on_written(job, memo, result, &reply, next, verdict);
    }
    if (state == STATE_DROP) return on_dropped(job, memo, result, &reply, next, verdict);
    if (state == STATE_DELETE && reply.class == CLASS_GONE) {
        return cloudflare_end_well(job, CLASS_UNCHANGED, TEXT(""), verdict);
    }
    if (reply.class != CLASS_OK) return cloudflare_end_badly(job, result, &reply, verdict);

    if (state == STATE_ZONE) return on_zone(job, memo, result, &reply, next, verdict);
    if (state == STATE_LIST) return on_list(job, memo, result, &reply, next, verdict);
    if (state == STATE_PAGE) return on_page(job, memo, result, &reply, next, verdict);
    assert(state == STATE_DELETE);
    return cloudflare_end_well(job, CLASS_OK, TEXT(""), verdict);
}

static enum provider_next cloudflare_step(const struct dns_job *job, struct dns_memo *memo,
                                          const struct provider_answer *last,
                                          struct provider_call *next, struct dns_verdict *verdict)
{
    *verdict = (struct dns_verdict){.class = CLASS_OK, .retry_after_ms = -1};
    if (last == NULL) return provider_checked(job, send_zone(job, memo, next), verdict);
    assert(last->http != NULL);
    return provider_checked(job, cloudflare_round(job, memo, last->http, next, verdict), verdict);
}

static const struct provider_field cloudflare_fields[] = {
    {TEXT_INIT("api_token"), TEXT_INIT("API token"), TEXT_INIT("text"), true, true},
};

enum { FIELD_COUNT = sizeof(cloudflare_fields) / sizeof(cloudflare_fields[0]) };

static bool cloudflare_check(struct text credentials, struct text *field, struct text *reason)
{
    return provider_check_printable(cloudflare_fields, FIELD_COUNT, credentials, field, reason);
}

const struct provider provider_cloudflare = {
    .name = TEXT_INIT("cloudflare"),
    .title = TEXT_INIT("Cloudflare"),
    .fields = cloudflare_fields,
    .field_count = FIELD_COUNT,
    .calls_per_second = 3, /* 1200 in five minutes, the burst among them */
    .calls_burst = 200,
    .can_list = true,
    .check = cloudflare_check,
    .step = cloudflare_step,
};
