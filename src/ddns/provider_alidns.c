/* Alibaba Cloud DNS (alidns 2015-01-09), signed by ACS3. Every operation is a POST with all
 * parameters in the query and no body.
 *
 *   PUSH    list ─► add ─► remark          nothing of ours there; the remark is the ownership mark
 *               ├─► change                 ours, with another value or TTL
 *               ├─► drop                   ours is stale and another record has the value
 *               └─► finished               so already
 *   REMOVE  list ─► delete
 *   CHECK   list
 *   IMPORT  page 1 ─► page 2 ─► ...
 *
 * Three answers lead back to the list, each once: "duplicate" (a write whose answer got lost has
 * worked, the list shows it), "gone" (somebody deleted our record) and a wrong clock (the same
 * again with the time of the answer's Date field; the first call meets it, so nothing was written
 * yet).
 *
 * Facts and error codes: protocols pages alibaba-dns and alibaba-signing. */
#include "ddns/provider.h"

#include <assert.h>
#include <sodium.h>
#include <time.h>

#include "ddns/provider_json.h"
#include "ddns/provider_plan.h"
#include "ddns/signer.h"

enum {
    LIST_RECORDS_MAX = 100,
    PAGE_RECORDS_MAX = 500,
    ANSWER_BYTES_MAX = 512 * 1024,
    QUERY_FIELDS_MAX = 8,
    TTL_MAX = 0x7fffffff
};

enum alidns_state {
    STATE_LIST,
    STATE_ADD,
    STATE_CHANGE,
    STATE_REMARK,
    STATE_DROP,
    STATE_DELETE,
    STATE_PAGE
};

enum alidns_flag {
    FLAG_READ_AGAIN = 1,    /* the list is being read to explain a "duplicate" */
    FLAG_STARTED_AGAIN = 2, /* our record was gone once */
    FLAG_WAIT = 4           /* after the drop a sibling's record has to move first */
};

struct alidns_reply {
    enum call_class class;
    struct text code;
    const char *advice; /* goes on from the code in the detail */
    struct text message;
    yyjson_val *root;
};

/* ---- requests ---- */

static struct text time_text(struct arena *arena, uint64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    if (gmtime_r(&seconds, &utc) == NULL) return TEXT("");
    char out[32];
    size_t bytes = strftime(out, sizeof(out), "%Y-%m-%dT%H:%M:%SZ", &utc);
    return arena_text(arena, (struct text){out, bytes});
}

/* As the HTTP client writes it: the port only when it is not the scheme's own. */
static struct text host_field(const struct dns_job *job)
{
    struct text host = provider_host(job);
    struct text port = text_starts(job->endpoint, TEXT("http://")) ? TEXT(":80") : TEXT(":443");
    if (text_ends_fold(host, port)) host.bytes -= port.bytes;
    return host;
}

static enum provider_next send_call(const struct dns_job *job, struct dns_memo *memo,
                                    enum alidns_state state, const char *action,
                                    const struct signer_field *fields, unsigned field_count,
                                    struct provider_call *next)
{
    assert(field_count <= QUERY_FIELDS_MAX);
    struct arena *arena = job->arena;
    char nonce[2 * sizeof(job->nonce) + 1];
    sodium_bin2hex(nonce, sizeof(nonce), job->nonce, sizeof(job->nonce));
    struct text body_hash = signer_hash(arena, TEXT(""));
    const struct signer_field headers[] = {
        {TEXT("host"), host_field(job)},
        {TEXT("x-acs-action"), text_of(action)},
        {TEXT("x-acs-content-sha256"), body_hash},
        {TEXT("x-acs-date"), time_text(arena, job->now_ms + (uint64_t)memo->clock_offset_ms)},
        {TEXT("x-acs-signature-nonce"), text_of(nonce)},
        {TEXT("x-acs-version"), TEXT("2015-01-09")},
    };
    const unsigned header_count = sizeof(headers) / sizeof(headers[0]);
    struct signer_request request = {
        .scheme = SIGNER_ACS3,
        .method = TEXT("POST"),
        .path = TEXT("/"),
        .query = signer_query(arena, fields, field_count),
        .headers = headers,
        .header_count = header_count,
        .body_hash = body_hash,
        .key_id = provider_credential(job, TEXT("access_key_id")),
        .secret = provider_credential(job, TEXT("access_key_secret")),
    };
    struct signer_result signed_request = signer_sign(arena, &request);

    struct text lines = TEXT("");
    for (unsigned i = 0; i < header_count; i++) {
        lines = arena_print(arena, "%.*s%.*s: %.*s\n", TEXT_ARGS(lines), TEXT_ARGS(headers[i].name),
                            TEXT_ARGS(headers[i].value));
    }
    lines = arena_print(
        arena, "%.*sAuthorization: %.*s\nAccept: application/json\nUser-Agent: %.*s\n",
        TEXT_ARGS(lines), TEXT_ARGS(signed_request.authorization), TEXT_ARGS(job->user_agent));
    memo->state = (uint8_t)state;
    *next =
        (struct provider_call){.http = {
                                   .method = TEXT("POST"),
                                   .url = arena_print(arena, "%.*s/?%.*s", TEXT_ARGS(job->endpoint),
                                                      TEXT_ARGS(request.query)),
                                   .fields = lines,
                                   .timeout_ms = job->timeout_ms,
                                   .answer_bytes_max = ANSWER_BYTES_MAX,
                               }};
    return PROVIDER_SEND;
}

static struct text type_text(const struct dns_job *job)
{
    return text_of(dns_type_name(job->type));
}

static enum provider_next send_list(const struct dns_job *job, struct dns_memo *memo,
                                    struct provider_call *next)
{
    /* The zone itself is asked for as "@.example.com". */
    struct text name =
        arena_print(job->arena, "%.*s.%.*s", TEXT_ARGS(job->owner), TEXT_ARGS(job->zone));
    const struct signer_field fields[] = {
        {TEXT("SubDomain"), name},
        {TEXT("Type"), type_text(job)},
        {TEXT("PageSize"), TEXT("100")},
    };
    return send_call(job, memo, STATE_LIST, "DescribeSubDomainRecords", fields, 3, next);
}

static enum provider_next send_page(const struct dns_job *job, struct dns_memo *memo,
                                    struct provider_call *next)
{
    const struct signer_field fields[] = {
        {TEXT("DomainName"), job->zone},
        {TEXT("PageNumber"), arena_print(job->arena, "%u", memo->page)},
        {TEXT("PageSize"), TEXT("500")},
    };
    return send_call(job, memo, STATE_PAGE, "DescribeDomainRecords", fields, 3, next);
}

/* The value as this provider writes it: TXT raw where that can say it, SRV with its priority in
 * front. */
static struct text value_text(const struct dns_job *job)
{
    if (job->type == DNS_SRV) {
        return arena_print(job->arena, "%u %.*s", job->priority, TEXT_ARGS(job->value));
    }
    char *out = arena_alloc(job->arena, RDATA_VALUE_SIZE);
    struct text normal;
    if (out == NULL || !rdata_normalise(job->type, job->value, out, RDATA_VALUE_SIZE, &normal)) {
        return job->value;
    }
    return normal;
}

/* Adds a record, or changes the given one. The line of a record stays what it was; the TTL is ours.
 */
static enum provider_next send_write(const struct dns_job *job, struct dns_memo *memo,
                                     const struct provider_record *record,
                                     struct provider_call *next)
{
    struct text line = record == NULL || record->line.bytes == 0 ? TEXT("default") : record->line;
    struct signer_field fields[QUERY_FIELDS_MAX] = {
        {TEXT("RR"), job->owner},
        {TEXT("Type"), type_text(job)},
        {TEXT("Value"), value_text(job)},
        {TEXT("TTL"), arena_print(job->arena, "%u", (unsigned)job->ttl)},
        {TEXT("Line"), line},
    };
    unsigned count = 5;
    if (job->type == DNS_MX) {
        struct text priority = arena_print(job->arena, "%u", job->priority);
        fields[count++] = (struct signer_field){TEXT("Priority"), priority};
    }
    if (record == NULL) {
        fields[count++] = (struct signer_field){TEXT("DomainName"), job->zone};
        return send_call(job, memo, STATE_ADD, "AddDomainRecord", fields, count, next);
    }
    fields[count++] = (struct signer_field){TEXT("RecordId"), record->found.provider_id};
    return send_call(job, memo, STATE_CHANGE, "UpdateDomainRecord", fields, count, next);
}

static enum provider_next send_delete(const struct dns_job *job, struct dns_memo *memo,
                                      enum alidns_state state, struct text id,
                                      struct provider_call *next)
{
    const struct signer_field fields[] = {{TEXT("RecordId"), id}};
    return send_call(job, memo, state, "DeleteDomainRecord", fields, 1, next);
}

static enum provider_next send_remark(const struct dns_job *job, struct dns_memo *memo,
                                      struct provider_call *next)
{
    const struct signer_field fields[] = {
        {TEXT("RecordId"), text_of(memo->provider_id)},
        {TEXT("Remark"), job->mark},
    };
    return send_call(job, memo, STATE_REMARK, "UpdateDomainRecordRemark", fields, 2, next);
}

/* ---- answers ---- */

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
    reply->class = provider_class_of_status(result);
    reply->advice = "see the error centre of Alibaba Cloud for this code";
    /* Not found means a record only by the codes above. */
    if (reply->class == CLASS_GONE || reply->class == CLASS_OK) reply->class = CLASS_FATAL;
    if (reply->class == CLASS_AUTH) reply->advice = "check the access key of this domain";
}

static struct alidns_reply read_reply(const struct dns_job *job, const struct http_result *result)
{
    struct alidns_reply reply = {.class = provider_class_of_status(result), .advice = ""};
    if (result->fault != FAULT_NONE || result->status == 0) return reply;

    reply.root = provider_json_read(job->arena, result->body);
    if (!yyjson_is_obj(reply.root)) {
        /* A portal or a proxy in between speaks HTML. Only a status without any body is taken at
         * its word. */
        bool is_bare =
            result->body.bytes == 0 && reply.class != CLASS_OK && reply.class != CLASS_GONE;
        if (!is_bare && reply.class != CLASS_THROTTLED) reply.class = CLASS_RETRY;
        return reply;
    }
    reply.code = provider_json_member_text(job->arena, reply.root, "Code");
    if (reply.code.bytes == 0) {
        reply.code = provider_json_member_text(job->arena, reply.root, "code");
    }
    reply.message = provider_json_member_text(job->arena, reply.root, "Message");
    if (reply.message.bytes == 0) {
        reply.message = provider_json_member_text(job->arena, reply.root, "message");
    }
    if (reply.class != CLASS_OK && reply.code.bytes > 0) classify_code(result, &reply);
    return reply;
}

/* The class as a verdict, with everything that helps to put it right. */
static enum provider_next end_badly(const struct dns_job *job, const struct http_result *result,
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

static enum provider_next end_well(const struct dns_job *job, const struct dns_memo *memo,
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
    if (!dns_type_from_name(provider_json_member_text(arena, value, "Type"), &found->type)) {
        return false;
    }
    if (!dns_type_has_rdata(found->type)) return false;
    found->provider_id = provider_json_member_text(arena, value, "RecordId");
    found->owner = small_letters(arena, provider_json_member_text(arena, value, "RR"));
    found->value = provider_json_member_text(arena, value, "Value");
    found->ttl = (uint32_t)provider_json_number(provider_json_member(value, "TTL"), TTL_MAX, 0);
    found->priority =
        (uint16_t)provider_json_number(provider_json_member(value, "Priority"), UINT16_MAX, 0);
    if (found->type != DNS_MX) found->priority = 0;
    uint64_t priority;
    struct text rest = found->value;
    if (found->type == DNS_SRV && text_to_u64(text_cut(&rest, ' '), UINT16_MAX, &priority)) {
        found->priority = (uint16_t)priority;
        found->value = rest;
    }
    record->line = provider_json_member_text(arena, value, "Line");
    record->is_other_line = record->line.bytes > 0 && !text_equal(record->line, TEXT("default"));
    struct text status = provider_json_member_text(arena, value, "Status");
    record->is_disabled = text_equal_fold(status, TEXT("DISABLE"));
    return found->provider_id.bytes > 0 && found->provider_id.bytes < PROVIDER_ID_SIZE &&
           found->owner.bytes > 0;
}

/* The records of an answer: all of them for IMPORT, else those of the job's name and type. */
static struct provider_record *read_records(const struct dns_job *job, yyjson_val *list,
                                            unsigned *count)
{
    *count = 0;
    struct provider_record *records =
        arena_array(job->arena, struct provider_record, yyjson_arr_size(list) + 1);
    if (records == NULL) return NULL;
    size_t index, size;
    yyjson_val *value;
    yyjson_arr_foreach(list, index, size, value)
    {
        struct provider_record *record = &records[*count];
        if (!read_record(job, value, record)) continue;
        bool is_wanted =
            job->action == DNS_IMPORT ||
            (record->found.type == job->type && text_equal_fold(record->found.owner, job->owner));
        if (is_wanted) (*count)++;
    }
    return records;
}

/* ---- rounds ---- */

static enum provider_next start(const struct dns_job *job, struct dns_memo *memo,
                                struct provider_call *next)
{
    if (job->action != DNS_IMPORT) return send_list(job, memo, next);
    if (memo->page == 0) memo->page = 1;
    return send_page(job, memo, next);
}

static enum provider_next on_clock(const struct dns_job *job, struct dns_memo *memo,
                                   const struct http_result *result, struct provider_call *next,
                                   struct dns_verdict *verdict)
{
    if (memo->clock_repeats == 0 && result->date_ms != 0) {
        memo->clock_repeats = 1;
        memo->clock_offset_ms = (int64_t)(result->date_ms - job->now_ms);
        return start(job, memo, next);
    }
    struct text words = provider_clock_words(job->arena, memo->clock_offset_ms);
    struct text detail =
        memo->clock_repeats == 0
            ? TEXT("Alibaba Cloud DNS says that the clock of this machine is wrong; fix NTP")
            : arena_print(job->arena, "the clock of this machine is %.*s Alibaba Cloud's; fix NTP",
                          TEXT_ARGS(words));
    provider_end(verdict, CLASS_CLOCK, detail);
    verdict->answer = TEXT("InvalidTimeStamp");
    return PROVIDER_FINISHED;
}

static enum provider_next follow_plan(const struct dns_job *job, struct dns_memo *memo,
                                      const struct provider_plan *plan, struct provider_call *next,
                                      struct dns_verdict *verdict)
{
    switch (plan->act) {
    case PLAN_KEEP: return end_well(job, memo, CLASS_UNCHANGED, plan->id_after, verdict);
    case PLAN_ADD: return send_write(job, memo, NULL, next);
    case PLAN_CHANGE: return send_write(job, memo, plan->record, next);
    case PLAN_DROP_STALE:
        text_to_zero_ended(plan->id_after, memo->provider_id, sizeof(memo->provider_id));
        if (plan->must_wait) memo->flags |= FLAG_WAIT;
        return send_delete(job, memo, STATE_DROP, plan->record->found.provider_id, next);
    case PLAN_FOREIGN:
    case PLAN_DISABLED:
    case PLAN_WAIT: break;
    }
    return provider_plan_end(job, plan, provider_alidns.title, verdict);
}

static enum provider_next on_list(const struct dns_job *job, struct dns_memo *memo,
                                  const struct http_result *result,
                                  const struct alidns_reply *reply, struct provider_call *next,
                                  struct dns_verdict *verdict)
{
    yyjson_val *list =
        provider_json_member(provider_json_member(reply->root, "DomainRecords"), "Record");
    if (!yyjson_is_arr(list)) {
        return provider_end_strange(job, result, CLASS_RETRY, verdict);
    }
    struct text name = provider_full_name(job);
    uint64_t total =
        provider_json_number(provider_json_member(reply->root, "TotalCount"), UINT32_MAX, 0);
    if (total > LIST_RECORDS_MAX) {
        return provider_end(
            verdict, CLASS_FATAL,
            arena_print(job->arena,
                        "%.*s has more than %d records of this type at Alibaba Cloud DNS, "
                        "too many to tell which is homeport's",
                        TEXT_ARGS(name), LIST_RECORDS_MAX));
    }
    unsigned count;
    const struct provider_record *records = read_records(job, list, &count);
    if (records == NULL) return PROVIDER_FINISHED;

    if (job->action == DNS_CHECK) {
        end_well(job, memo, CLASS_OK, TEXT(""), verdict);
        verdict->found = provider_plan_found(job, records, count, &verdict->found_count);
        return PROVIDER_FINISHED;
    }
    if (job->action == DNS_REMOVE) {
        const struct provider_record *record = provider_plan_remove(job, records, count);
        if (record == NULL) return end_well(job, memo, CLASS_UNCHANGED, TEXT(""), verdict);
        return send_delete(job, memo, STATE_DELETE, record->found.provider_id, next);
    }
    /* There is no proxy at this provider to compare. */
    struct dns_job wanted = *job;
    wanted.proxied = false;
    struct text id = (memo->flags & FLAG_STARTED_AGAIN) != 0 ? TEXT_NONE : job->provider_id;
    struct provider_plan plan = provider_plan_push(&wanted, id, records, count);
    bool is_explained = plan.act == PLAN_CHANGE && provider_has_value(job, plan.record);
    if ((memo->flags & FLAG_READ_AGAIN) == 0) return follow_plan(job, memo, &plan, next, verdict);

    /* The write was refused as a duplicate, so writing it once more would be refused again. */
    if (is_explained) plan.act = PLAN_KEEP;
    if (plan.act != PLAN_ADD && plan.act != PLAN_CHANGE) {
        return follow_plan(job, memo, &plan, next, verdict);
    }
    /* A list that lags behind looks the same: it is worth another try later. */
    return provider_end(
        verdict, CLASS_RETRY,
        arena_print(job->arena,
                    "Alibaba Cloud DNS says that %.*s already has this value but does not "
                    "list it; look for a record on another line in its console",
                    TEXT_ARGS(name)));
}

static enum provider_next on_page(const struct dns_job *job, struct dns_memo *memo,
                                  const struct http_result *result,
                                  const struct alidns_reply *reply, struct provider_call *next,
                                  struct dns_verdict *verdict)
{
    yyjson_val *list =
        provider_json_member(provider_json_member(reply->root, "DomainRecords"), "Record");
    if (!yyjson_is_arr(list)) {
        return provider_end_strange(job, result, CLASS_RETRY, verdict);
    }
    unsigned count;
    const struct provider_record *records = read_records(job, list, &count);
    if (records == NULL) return PROVIDER_FINISHED;
    end_well(job, memo, CLASS_OK, TEXT(""), verdict);
    verdict->found = provider_plan_found(job, records, count, &verdict->found_count);

    uint64_t total =
        provider_json_number(provider_json_member(reply->root, "TotalCount"), UINT32_MAX, 0);
    bool is_last = yyjson_arr_size(list) == 0 || (uint64_t)memo->page * PAGE_RECORDS_MAX >= total;
    if (is_last) return PROVIDER_FINISHED;
    memo->page++;
    return send_page(job, memo, next);
}

static enum provider_next on_written(const struct dns_job *job, struct dns_memo *memo,
                                     const struct http_result *result,
                                     const struct alidns_reply *reply, struct provider_call *next,
                                     struct dns_verdict *verdict)
{
    if (reply->class == CLASS_UNCHANGED && (memo->flags & FLAG_READ_AGAIN) == 0) {
        memo->flags |= FLAG_READ_AGAIN;
        return send_list(job, memo, next);
    }
    if (reply->class == CLASS_GONE && (memo->flags & FLAG_STARTED_AGAIN) == 0) {
        memo->flags |= FLAG_STARTED_AGAIN;
        return send_list(job, memo, next);
    }
    struct text id = provider_json_member_text(job->arena, reply->root, "RecordId");
    if (reply->class != CLASS_OK) return end_badly(job, result, reply, verdict);
    if (!text_to_zero_ended(id, memo->provider_id, sizeof(memo->provider_id)) || id.bytes == 0) {
        return provider_end_strange(job, result, CLASS_RETRY, verdict);
    }
    if (memo->state == STATE_ADD && job->mark.bytes > 0) return send_remark(job, memo, next);
    verdict->has_written = true;
    return end_well(job, memo, CLASS_OK, id, verdict);
}

static enum provider_next on_dropped(const struct dns_job *job, struct dns_memo *memo,
                                     const struct http_result *result,
                                     const struct alidns_reply *reply, struct provider_call *next,
                                     struct dns_verdict *verdict)
{
    if (reply->class != CLASS_OK && reply->class != CLASS_GONE) {
        return end_badly(job, result, reply, verdict);
    }
    if ((memo->flags & FLAG_WAIT) != 0) {
        const struct provider_plan wait = {.act = PLAN_WAIT};
        return follow_plan(job, memo, &wait, next, verdict);
    }
    verdict->has_written = true;
    return end_well(job, memo, CLASS_OK, text_of(memo->provider_id), verdict);
}

static enum provider_next on_deleted(const struct dns_job *job, struct dns_memo *memo,
                                     const struct http_result *result,
                                     const struct alidns_reply *reply, struct dns_verdict *verdict)
{
    if (reply->class == CLASS_GONE) return end_well(job, memo, CLASS_UNCHANGED, TEXT(""), verdict);
    if (reply->class != CLASS_OK) return end_badly(job, result, reply, verdict);
    return end_well(job, memo, CLASS_OK, TEXT(""), verdict);
}

static enum provider_next alidns_round(const struct dns_job *job, struct dns_memo *memo,
                                       const struct http_result *result, struct provider_call *next,
                                       struct dns_verdict *verdict)
{
    struct alidns_reply reply = read_reply(job, result);
    if (memo->state == STATE_REMARK) {
        /* The record is right; a missing remark is no reason to call the push a failure. */
        verdict->has_written = true;
        return end_well(job, memo, CLASS_OK, text_of(memo->provider_id), verdict);
    }
    if (reply.class == CLASS_CLOCK) return on_clock(job, memo, result, next, verdict);

    switch ((enum alidns_state)memo->state) {
    case STATE_LIST:
    case STATE_PAGE:
        if (reply.class != CLASS_OK) return end_badly(job, result, &reply, verdict);
        if (memo->state == STATE_PAGE) return on_page(job, memo, result, &reply, next, verdict);
        return on_list(job, memo, result, &reply, next, verdict);
    case STATE_ADD:
    case STATE_CHANGE: return on_written(job, memo, result, &reply, next, verdict);
    case STATE_DROP: return on_dropped(job, memo, result, &reply, next, verdict);
    case STATE_DELETE: return on_deleted(job, memo, result, &reply, verdict);
    case STATE_REMARK: break;
    }
    assert(!"a state that alidns does not have");
    return provider_end(verdict, CLASS_RETRY, TEXT("unexpected answer"));
}

static enum provider_next alidns_step(const struct dns_job *job, struct dns_memo *memo,
                                      const struct provider_answer *last,
                                      struct provider_call *next, struct dns_verdict *verdict)
{
    *verdict = (struct dns_verdict){.class = CLASS_OK, .retry_after_ms = -1};
    if (last == NULL) return provider_checked(job, start(job, memo, next), verdict);
    assert(last->http != NULL);
    return provider_checked(job, alidns_round(job, memo, last->http, next, verdict), verdict);
}

static const struct provider_field alidns_fields[] = {
    {TEXT_INIT("access_key_id"), TEXT_INIT("AccessKey ID"), TEXT_INIT("text"), true, false},
    {TEXT_INIT("access_key_secret"), TEXT_INIT("AccessKey secret"), TEXT_INIT("text"), true, true},
};

enum { FIELD_COUNT = sizeof(alidns_fields) / sizeof(alidns_fields[0]) };

static bool alidns_check(struct text credentials, struct text *field, struct text *reason)
{
    return provider_check_printable(alidns_fields, FIELD_COUNT, credentials, field, reason);
}

const struct provider provider_alidns = {
    .name = TEXT_INIT("alidns"),
    .title = TEXT_INIT("Alibaba Cloud DNS"),
    .fields = alidns_fields,
    .field_count = FIELD_COUNT,
    .calls_per_second = 4, /* "stays under 5": the two of a burst count as well */
    .calls_burst = 2,
    .can_list = true,
    .check = alidns_check,
    .step = alidns_step,
};
