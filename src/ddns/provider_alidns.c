/* Alibaba Cloud DNS (alidns 2015-01-09), signed by ACS3. Every operation is a POST with all
 * parameters in the query and no body.
 *
 *   PUSH    list ─► add ─► remark          nothing of ours there; the remark is the ownership mark
 *               ├─► remark                 so already, by a write whose answer was lost before the remark
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

#include "cloud/cloud_json.h"
#include "cloud/signer.h"
#include "core/url.h"
#include "ddns/provider_alidns_answer.h"
#include "ddns/provider_plan.h"

enum {
    LIST_RECORDS_MAX = 100,
    PAGE_RECORDS_MAX = 500,
    ANSWER_BYTES_MAX = 512 * 1024,
    QUERY_FIELDS_MAX = 8
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
    FLAG_WAIT = 4,          /* after the drop a sibling's record has to move first */
    FLAG_OURS = 8, /* the record that is kept, or has only its TTL changed, was written by us */
    FLAG_SAME = 16 /* the change is not of the value: whose the record is stays as it was */
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
        {TEXT("host"), url_host_field(job->endpoint)},
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
    *next = (struct provider_call){
        .is_write = state == STATE_ADD ||
                    (state == STATE_CHANGE && (memo->flags & FLAG_SAME) == 0) ||
                    state == STATE_REMARK,
        .http = {
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
    memo->flags &= (uint8_t) ~(FLAG_OURS | FLAG_SAME);
    if (plan->is_ours) memo->flags |= FLAG_OURS;
    if (plan->is_same) memo->flags |= FLAG_SAME;
    switch (plan->act) {
    case PLAN_KEEP:
        verdict->is_ours = plan->is_ours;
        if (plan->is_ours && plan->record->remark.bytes == 0 && job->mark.bytes > 0 &&
            text_to_zero_ended(plan->id_after, memo->provider_id, sizeof(memo->provider_id))) {
            return send_remark(job, memo, next); /* the answer that the remark waits for was lost */
        }
        return alidns_end_well(job, memo, CLASS_UNCHANGED, plan->id_after, verdict);
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
    yyjson_val *list = cloud_json_member(cloud_json_member(reply->root, "DomainRecords"), "Record");
    if (!yyjson_is_arr(list)) {
        return provider_end_strange(job, result, CLASS_RETRY, verdict);
    }
    struct text name = provider_full_name(job);
    uint64_t total = cloud_json_number(cloud_json_member(reply->root, "TotalCount"), UINT32_MAX, 0);
    if (total > LIST_RECORDS_MAX) {
        return provider_end(
            verdict, CLASS_FATAL,
            arena_print(job->arena,
                        "%.*s has more than %d records of this type at Alibaba Cloud DNS, "
                        "too many to tell which is homeport's",
                        TEXT_ARGS(name), LIST_RECORDS_MAX));
    }
    unsigned count;
    const struct provider_record *records = alidns_records_read(job, list, &count);
    if (records == NULL) return PROVIDER_FINISHED;

    if (job->action == DNS_CHECK) {
        alidns_end_well(job, memo, CLASS_OK, TEXT(""), verdict);
        verdict->found = provider_plan_found(job, records, count, &verdict->found_count);
        return PROVIDER_FINISHED;
    }
    if (job->action == DNS_REMOVE) {
        const struct provider_record *record = provider_plan_remove(job, records, count);
        if (record == NULL) return alidns_end_well(job, memo, CLASS_UNCHANGED, TEXT(""), verdict);
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
    yyjson_val *list = cloud_json_member(cloud_json_member(reply->root, "DomainRecords"), "Record");
    if (!yyjson_is_arr(list)) {
        return provider_end_strange(job, result, CLASS_RETRY, verdict);
    }
    unsigned count;
    const struct provider_record *records = alidns_records_read(job, list, &count);
    if (records == NULL) return PROVIDER_FINISHED;
    alidns_end_well(job, memo, CLASS_OK, TEXT(""), verdict);
    verdict->found = provider_plan_found(job, records, count, &verdict->found_count);

    uint64_t total = cloud_json_number(cloud_json_member(reply->root, "TotalCount"), UINT32_MAX, 0);
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
    struct text id = cloud_json_member_text(job->arena, reply->root, "RecordId");
    if (reply->class != CLASS_OK) return alidns_end_badly(job, result, reply, verdict);
    if (!text_to_zero_ended(id, memo->provider_id, sizeof(memo->provider_id)) || id.bytes == 0) {
        return provider_end_strange(job, result, CLASS_RETRY, verdict);
    }
    if (memo->state == STATE_ADD && job->mark.bytes > 0) return send_remark(job, memo, next);
    verdict->has_written = (memo->flags & FLAG_SAME) == 0;
    verdict->is_ours = (memo->flags & FLAG_OURS) != 0;
    return alidns_end_well(job, memo, CLASS_OK, id, verdict);
}

static enum provider_next on_dropped(const struct dns_job *job, struct dns_memo *memo,
                                     const struct http_result *result,
                                     const struct alidns_reply *reply, struct provider_call *next,
                                     struct dns_verdict *verdict)
{
    if (reply->class != CLASS_OK && reply->class != CLASS_GONE) {
        return alidns_end_badly(job, result, reply, verdict);
    }
    if ((memo->flags & FLAG_WAIT) != 0) {
        const struct provider_plan wait = {.act = PLAN_WAIT};
        return follow_plan(job, memo, &wait, next, verdict);
    }
    verdict->is_ours = (memo->flags & FLAG_OURS) != 0;
    return alidns_end_well(job, memo, CLASS_OK, text_of(memo->provider_id), verdict);
}

static enum provider_next on_deleted(const struct dns_job *job, struct dns_memo *memo,
                                     const struct http_result *result,
                                     const struct alidns_reply *reply, struct dns_verdict *verdict)
{
    if (reply->class == CLASS_GONE)
        return alidns_end_well(job, memo, CLASS_UNCHANGED, TEXT(""), verdict);
    if (reply->class != CLASS_OK) return alidns_end_badly(job, result, reply, verdict);
    return alidns_end_well(job, memo, CLASS_OK, TEXT(""), verdict);
}

static enum provider_next alidns_round(const struct dns_job *job, struct dns_memo *memo,
                                       const struct http_result *result, struct provider_call *next,
                                       struct dns_verdict *verdict)
{
    struct alidns_reply reply = alidns_reply_read(job, result);
    if (memo->state == STATE_REMARK) {
        /* The record is right; a missing remark is no reason to call the push a failure. */
        verdict->has_written = true;
        return alidns_end_well(job, memo, CLASS_OK, text_of(memo->provider_id), verdict);
    }
    if (reply.class == CLASS_CLOCK) return on_clock(job, memo, result, next, verdict);

    switch ((enum alidns_state)memo->state) {
    case STATE_LIST:
    case STATE_PAGE:
        if (reply.class != CLASS_OK) return alidns_end_badly(job, result, &reply, verdict);
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
