#include "ddns/provider_cloudflare_answer.h"

#include <assert.h>

#include "cloud/cloud_json.h"
#include "ddns/dns_name.h"

/* ---- codes ---- */

static const struct cloudflare_code {
    unsigned code;
    enum call_class class;
    const char *advice;
} codes[] = {
    {81058, CLASS_UNCHANGED, "the record is there already"},
    {81057, CLASS_UNCHANGED, "the record is there already"},
    {81053, CLASS_UNCHANGED,
     "a record of this name stands in the way; a CNAME can only stand alone"},
    {81044, CLASS_GONE, "the record is not there any more"},
    {9109, CLASS_AUTH,
     "the token is unknown, or lacks the permission Zone / DNS / Edit for this zone"},
    {10000, CLASS_AUTH,
     "the token is unknown, or lacks the permission Zone / DNS / Edit for this zone"},
    {6003, CLASS_AUTH, "api_token is not a token; create one under My Profile / API Tokens"},
    {6111, CLASS_AUTH, "api_token is not a token; create one under My Profile / API Tokens"},
    {7003, CLASS_FATAL, "Cloudflare has no such zone"},
    {7000, CLASS_FATAL, "Cloudflare has no such zone"},
    {1004, CLASS_FATAL, "Cloudflare does not take this record"},
    {9005, CLASS_FATAL, "Cloudflare does not take this value"},
    {9007, CLASS_FATAL, "Cloudflare does not take this value"},
};

static void classify_code(const struct http_result *result, struct cloudflare_reply *reply)
{
    reply->class = call_class_of(result);
    reply->advice = "see Cloudflare's list of DNS errors for this code";
    /* These two say more about the moment than any code says about the request. */
    if (reply->class == CLASS_THROTTLED || reply->class == CLASS_RETRY) {
        reply->advice = "it will be tried again";
        return;
    }
    /* Success false with a good status is still a refusal. */
    if (reply->class == CLASS_OK) reply->class = CLASS_FATAL;
    if (reply->class == CLASS_AUTH) {
        reply->advice = "the token must have the permission Zone / DNS / Edit";
    }
    for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i].code != reply->code) continue;
        reply->class = codes[i].class;
        reply->advice = codes[i].advice;
        return;
    }
}

/* ---- the answer as a whole ---- */

struct cloudflare_reply cloudflare_reply_read(const struct dns_job *job,
                                              const struct http_result *result)
{
    struct cloudflare_reply reply = {.class = call_class_of(result), .advice = ""};
    if (result->fault != FAULT_NONE || result->status == 0) return reply;

    reply.root = cloud_json_read(job->arena, result->body);
    yyjson_val *success = cloud_json_member(reply.root, "success");
    if (!yyjson_is_bool(success)) {
        /* A portal or a proxy in between speaks HTML. Only a status without any body is taken at
         * its word. */
        bool is_bare =
            result->body.bytes == 0 && reply.class != CLASS_OK && reply.class != CLASS_GONE;
        if (!is_bare && reply.class != CLASS_THROTTLED) reply.class = CLASS_RETRY;
        return reply;
    }
    reply.result = cloud_json_member(reply.root, "result");
    if (reply.class == CLASS_OK && yyjson_get_bool(success)) return reply;
    yyjson_val *error = yyjson_arr_get_first(cloud_json_member(reply.root, "errors"));
    reply.code = (unsigned)cloud_json_number(cloud_json_member(error, "code"), UINT32_MAX, 0);
    reply.message = cloud_json_member_text(job->arena, error, "message");
    classify_code(result, &reply);
    return reply;
}

enum provider_next cloudflare_end_badly(const struct dns_job *job, const struct http_result *result,
                                        const struct cloudflare_reply *reply,
                                        struct dns_verdict *verdict)
{
    struct arena *arena = job->arena;
    if (reply->code == 0) {
        return provider_end_strange(job, result, reply->class, verdict);
    }
    provider_end(verdict, reply->class,
                 arena_print(arena, "Cloudflare refused %.*s (error %u): %s. It said: %.*s",
                             TEXT_ARGS(provider_full_name(job)), reply->code, reply->advice,
                             TEXT_ARGS(provider_said(job, reply->message))));
    verdict->answer = arena_print(arena, "%u error %u", result->status, reply->code);
    verdict->retry_after_ms = result->retry_after_ms;
    return PROVIDER_FINISHED;
}

enum provider_next cloudflare_end_well(const struct dns_job *job, enum call_class class,
                                       struct text id, struct dns_verdict *verdict)
{
    assert(class == CLASS_OK || class == CLASS_UNCHANGED);
    provider_end(verdict, class, TEXT(""));
    verdict->provider_id = job->action == DNS_PUSH ? arena_text(job->arena, id) : TEXT_NONE;
    verdict->answer =
        arena_print(job->arena, "200%s%.*s", id.bytes > 0 ? " id " : "", TEXT_ARGS(id));
    return PROVIDER_FINISHED;
}

/* ---- records ---- */

/* A SRV or CAA value from its data object, which is the one form that has not changed over the
 * years. */
static struct text data_value(const struct dns_job *job, enum dns_type type, yyjson_val *data)
{
    struct arena *arena = job->arena;
    if (type == DNS_SRV) {
        return arena_print(
            arena, "%llu %llu %.*s",
            (unsigned long long)cloud_json_number(cloud_json_member(data, "weight"), UINT16_MAX, 0),
            (unsigned long long)cloud_json_number(cloud_json_member(data, "port"), UINT16_MAX, 0),
            TEXT_ARGS(cloud_json_member_text(arena, data, "target")));
    }
    return arena_print(
        arena, "%llu %.*s \"%.*s\"",
        (unsigned long long)cloud_json_number(cloud_json_member(data, "flags"), UINT8_MAX, 0),
        TEXT_ARGS(cloud_json_member_text(arena, data, "tag")),
        TEXT_ARGS(cloud_json_member_text(arena, data, "value")));
}

static bool read_record(const struct dns_job *job, yyjson_val *value,
                        struct provider_record *record)
{
    struct arena *arena = job->arena;
    struct dns_found *found = &record->found;
    *record = (struct provider_record){0};
    if (!dns_type_from_name(cloud_json_member_text(arena, value, "type"), &found->type)) {
        return false;
    }
    if (!dns_type_has_rdata(found->type)) return false;
    found->provider_id = cloud_json_member_text(arena, value, "id");
    struct text name = cloud_json_member_text(arena, value, "name");
    if (!dns_name_split(name, job->zone, &found->owner)) return false;
    found->ttl = (uint32_t)cloud_json_number(cloud_json_member(value, "ttl"), UINT32_MAX, 0);
    record->remark = cloud_json_member_text(arena, value, "comment");
    found->proxied = yyjson_get_bool(cloud_json_member(value, "proxied"));
    yyjson_val *data = cloud_json_member(value, "data");
    bool has_data = (found->type == DNS_SRV || found->type == DNS_CAA) && yyjson_is_obj(data);
    found->value = has_data ? data_value(job, found->type, data)
                            : cloud_json_member_text(arena, value, "content");
    yyjson_val *priority = cloud_json_member(value, "priority");
    if (priority == NULL) priority = cloud_json_member(data, "priority");
    if (found->type == DNS_MX || found->type == DNS_SRV) {
        found->priority = (uint16_t)cloud_json_number(priority, UINT16_MAX, 0);
    }
    char *out = found->type == DNS_TXT ? arena_alloc(arena, 4 * found->value.bytes + 16) : NULL;
    struct text normal;
    if (out != NULL &&
        rdata_normalise(DNS_TXT, found->value, out, 4 * found->value.bytes + 16, &normal)) {
        found->value = normal;
    }
    return found->provider_id.bytes > 0 && found->provider_id.bytes < PROVIDER_ID_SIZE;
}

struct provider_record *cloudflare_records_read(const struct dns_job *job, yyjson_val *list,
                                                unsigned *count)
{
    return provider_records_read(job, list, read_record, count);
}
