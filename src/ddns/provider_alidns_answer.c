#include "ddns/provider_alidns_answer.h"

#include <assert.h>

#include "cloud/cloud_json.h"

enum { TTL_MAX = 0x7fffffff };

/* ---- codes ---- */

static const struct alidns_code {
    struct text prefix;
    bool is_whole; /* the code is just this */
    enum call_class class;
    const char *advice;
} codes[] = {
    {TEXT_INIT("Throttling"), false, CLASS_THROTTLED,
     "too many calls for this account; homeport waits"},
    {TEXT_INIT("ServiceUnavailable"), false, CLASS_RETRY,
     "a fault at Alibaba Cloud; it will be tried again"},
    {TEXT_INIT("InternalError"), false, CLASS_RETRY,
     "a fault at Alibaba Cloud; it will be tried again"},
    {TEXT_INIT("UnknownError"), false, CLASS_RETRY,
     "a fault at Alibaba Cloud; it will be tried again"},
    {TEXT_INIT("UnKnownError"), false, CLASS_RETRY,
     "a fault at Alibaba Cloud; it will be tried again"},
    {TEXT_INIT("SignatureNonceUsed"), true, CLASS_RETRY,
     "the request came twice; it will be sent anew"},
    {TEXT_INIT("InvalidTimeStamp."), false, CLASS_CLOCK, "the clock of this machine is wrong"},
    {TEXT_INIT("SignatureDoesNotMatch"), false, CLASS_AUTH,
     "access_key_secret does not belong to access_key_id"},
    {TEXT_INIT("IncompleteSignature"), false, CLASS_AUTH,
     "access_key_secret does not belong to access_key_id"},
    {TEXT_INIT("InvalidAccessKeyId."), false, CLASS_AUTH,
     "access_key_id is unknown or switched off"},
    {TEXT_INIT("InvalidSecurityToken"), false, CLASS_AUTH,
     "temporary keys cannot be used, create a lasting one"},
    {TEXT_INIT("Forbidden"), false, CLASS_AUTH,
     "give the RAM user of this key AliyunDNSFullAccess"},
    {TEXT_INIT("NoPermission"), false, CLASS_AUTH,
     "give the RAM user of this key AliyunDNSFullAccess"},
    {TEXT_INIT("DomainRecordDuplicate"), true, CLASS_UNCHANGED, "the record is there already"},
    {TEXT_INIT("DomainRecordNotBelongToUser"), true, CLASS_GONE,
     "the record is not there any more"},
    {TEXT_INIT("InvalidRecordId.NotFound"), true, CLASS_GONE, "the record is not there any more"},
    {TEXT_INIT("DomainRecordNotExist"), true, CLASS_GONE, "the record is not there any more"},
    {TEXT_INIT("IncorrectDomainUser"), true, CLASS_FATAL,
     "the domain belongs to another Alibaba Cloud account"},
    {TEXT_INIT("InvalidDomainName.NoExist"), true, CLASS_FATAL,
     "add the domain to this account first"},
    {TEXT_INIT("DomainNotExist"), true, CLASS_FATAL, "add the domain to this account first"},
    {TEXT_INIT("DomainForbidden"), true, CLASS_FATAL, "Alibaba Cloud has blocked this domain"},
    {TEXT_INIT("DomainRecordConflict"), true, CLASS_FATAL,
     "another record of this name stands in the way; a CNAME can only stand alone"},
    {TEXT_INIT("DomainRecordLocked"), true, CLASS_FATAL,
     "unlock the record in the Alibaba Cloud console"},
    {TEXT_INIT("QuotaExceeded."), false, CLASS_FATAL,
     "the plan of this domain allows no more records"},
    {TEXT_INIT("RecordForbidden."), false, CLASS_FATAL, "Alibaba Cloud does not allow this record"},
    {TEXT_INIT("InvalidRR."), false, CLASS_FATAL, "Alibaba Cloud does not take this name"},
    {TEXT_INIT("SubDomainInvalid."), false, CLASS_FATAL, "Alibaba Cloud does not take this name"},
    {TEXT_INIT("InvalidTTL"), true, CLASS_FATAL,
     "the TTL is below what the plan allows; the free plan takes 600"},
};

static void classify_code(const struct http_result *result, struct alidns_reply *reply)
{
    for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        bool fits = codes[i].is_whole ? text_equal(reply->code, codes[i].prefix)
                                      : text_starts(reply->code, codes[i].prefix);
        if (!fits) continue;
        reply->class = codes[i].class;
        reply->advice = codes[i].advice;
        return;
    }
    reply->class = call_class_of(result);
    reply->advice = "see the error centre of Alibaba Cloud for this code";
    /* Not found means a record only by the codes above. */
    if (reply->class == CLASS_GONE || reply->class == CLASS_OK) reply->class = CLASS_FATAL;
    if (reply->class == CLASS_AUTH) reply->advice = "check the access key of this domain";
}

/* ---- the answer as a whole ---- */

struct alidns_reply alidns_reply_read(const struct dns_job *job, const struct http_result *result)
{
    struct alidns_reply reply = {.class = call_class_of(result), .advice = ""};
    if (result->fault != FAULT_NONE || result->status == 0) return reply;

    reply.root = cloud_json_read(job->arena, result->body);
    if (!yyjson_is_obj(reply.root)) {
        /* A portal or a proxy in between speaks HTML. Only a status without any body is taken at
         * its word. */
        bool is_bare =
            result->body.bytes == 0 && reply.class != CLASS_OK && reply.class != CLASS_GONE;
        if (!is_bare && reply.class != CLASS_THROTTLED) reply.class = CLASS_RETRY;
        return reply;
    }
    reply.code = cloud_json_member_text(job->arena, reply.root, "Code");
    if (reply.code.bytes == 0) {
        reply.code = cloud_json_member_text(job->arena, reply.root, "code");
    }
    reply.message = cloud_json_member_text(job->arena, reply.root, "Message");
    if (reply.message.bytes == 0) {
        reply.message = cloud_json_member_text(job->arena, reply.root, "message");
    }
    if (reply.class != CLASS_OK && reply.code.bytes > 0) classify_code(result, &reply);
    return reply;
}

enum provider_next alidns_end_badly(const struct dns_job *job, const struct http_result *result,
                                    const struct alidns_reply *reply, struct dns_verdict *verdict)
{
    struct arena *arena = job->arena;
    if (reply->code.bytes == 0) {
        return provider_end_strange(job, result, reply->class, verdict);
    }
    struct text code = provider_said(job, reply->code);
    provider_end(verdict, reply->class,
                 arena_print(arena, "Alibaba Cloud DNS refused %.*s (%.*s): %s. It said: %.*s",
                             TEXT_ARGS(provider_full_name(job)), TEXT_ARGS(code), reply->advice,
                             TEXT_ARGS(provider_said(job, reply->message))));
    verdict->answer = arena_print(arena, "%u %.*s", result->status, TEXT_ARGS(code));
    verdict->retry_after_ms = result->retry_after_ms;
    return PROVIDER_FINISHED;
}

enum provider_next alidns_end_well(const struct dns_job *job, const struct dns_memo *memo,
                                   enum call_class class, struct text id,
                                   struct dns_verdict *verdict)
{
    assert(class == CLASS_OK || class == CLASS_UNCHANGED);
    provider_end(verdict, class, TEXT(""));
    verdict->provider_id = job->action == DNS_PUSH ? arena_text(job->arena, id) : TEXT_NONE;
    verdict->answer =
        arena_print(job->arena, "200%s%.*s", id.bytes > 0 ? " RecordId " : "", TEXT_ARGS(id));
    if (memo->clock_repeats > 0) {
        struct text words = provider_clock_words(job->arena, memo->clock_offset_ms);
        verdict->answer = arena_print(job->arena, "%.*s; our clock is %.*s Alibaba Cloud's",
                                      TEXT_ARGS(verdict->answer), TEXT_ARGS(words));
    }
    return PROVIDER_FINISHED;
}

/* ---- records ---- */

/* "*.A" and "WWW" are the same names in small letters, as homeport keeps them. */
static struct text small_letters(struct arena *arena, struct text t)
{
    char *out = arena_alloc(arena, t.bytes + 1);
    if (out == NULL) return TEXT_NONE;
    for (size_t i = 0; i < t.bytes; i++) {
        out[i] = ascii_lower(t.data[i]);
    }
    return (struct text){out, t.bytes};
}

static bool read_record(const struct dns_job *job, yyjson_val *value,
                        struct provider_record *record)
{
    struct arena *arena = job->arena;
    struct dns_found *found = &record->found;
    *record = (struct provider_record){0};
    if (!dns_type_from_name(cloud_json_member_text(arena, value, "Type"), &found->type)) {
        return false;
    }
    if (!dns_type_has_rdata(found->type)) return false;
    found->provider_id = cloud_json_member_text(arena, value, "RecordId");
    found->owner = small_letters(arena, cloud_json_member_text(arena, value, "RR"));
    found->value = cloud_json_member_text(arena, value, "Value");
    found->ttl = (uint32_t)cloud_json_number(cloud_json_member(value, "TTL"), TTL_MAX, 0);
    found->priority =
        (uint16_t)cloud_json_number(cloud_json_member(value, "Priority"), UINT16_MAX, 0);
    if (found->type != DNS_MX) found->priority = 0;
    uint64_t priority;
    struct text rest = found->value;
    if (found->type == DNS_SRV && text_to_u64(text_cut(&rest, ' '), UINT16_MAX, &priority)) {
        found->priority = (uint16_t)priority;
        found->value = rest;
    }
    record->remark = cloud_json_member_text(arena, value, "Remark");
    record->line = cloud_json_member_text(arena, value, "Line");
    record->is_other_line = record->line.bytes > 0 && !text_equal(record->line, TEXT("default"));
    struct text status = cloud_json_member_text(arena, value, "Status");
    record->is_disabled = text_equal_fold(status, TEXT("DISABLE"));
    return found->provider_id.bytes > 0 && found->provider_id.bytes < PROVIDER_ID_SIZE &&
           found->owner.bytes > 0;
}

struct provider_record *alidns_records_read(const struct dns_job *job, yyjson_val *list,
                                            unsigned *count)
{
    return provider_records_read(job, list, read_record, count);
}
