#include "notify/alibaba.h"

#include <sodium.h>
#include <time.h>

#include "cloud/cloud_json.h"
#include "core/outside.h"
#include "core/url.h"

enum { ANSWER_BYTES_MAX = 64 << 10, HEADERS_MAX = 8 };

/* ---- asking --------------------------------------------------------------------------------------- */

static struct text time_text(struct arena *arena, uint64_t ms)
{
    char out[32];
    struct tm utc;
    time_t seconds = (time_t)(ms / 1000);
    if (gmtime_r(&seconds, &utc) == NULL) return TEXT_NONE;
    size_t bytes = strftime(out, sizeof out, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return arena_text(arena, (struct text){out, bytes});
}

void alibaba_write(const struct letter_job *job, const struct alibaba_operation *operation,
                   struct outside_call *call)
{
    struct arena *arena = job->arena;
    char nonce[2 * sizeof job->nonce + 1];
    sodium_bin2hex(nonce, sizeof nonce, job->nonce, sizeof job->nonce);
    struct text body = signer_query(arena, operation->form, operation->form_count);
    struct text body_hash = signer_hash(arena, body);
    struct signer_field headers[HEADERS_MAX] = {
        {TEXT("host"), url_host_field(operation->endpoint)},
        {TEXT("x-acs-action"), text_of(operation->action)},
        {TEXT("x-acs-content-sha256"), body_hash},
        {TEXT("x-acs-date"), time_text(arena, job->now_ms + (uint64_t)job->clock_offset_ms)},
        {TEXT("x-acs-signature-nonce"), text_of(nonce)},
        {TEXT("x-acs-version"), text_of(operation->version)},
    };
    unsigned header_count = 6;
    if (body.bytes > 0) {
        headers[header_count++] =
            (struct signer_field){TEXT("content-type"), TEXT("application/x-www-form-urlencoded")};
    }
    struct signer_request request = {
        .scheme = SIGNER_ACS3,
        .method = TEXT("POST"),
        .path = TEXT("/"),
        .query = signer_query(arena, operation->query, operation->query_count),
        .headers = headers,
        .header_count = header_count,
        .body_hash = body_hash,
        .key_id = operation->key_id,
        .secret = operation->secret,
    };
    struct text lines = arena_print(
        arena, "Authorization: %.*s\nAccept: application/json\nUser-Agent: homeport/%s\n",
        TEXT_ARGS(signer_sign(arena, &request).authorization), HOMEPORT_VERSION);
    for (unsigned i = 0; i < header_count; i++) {
        lines = arena_print(arena, "%.*s%.*s: %.*s\n", TEXT_ARGS(lines), TEXT_ARGS(headers[i].name),
                            TEXT_ARGS(headers[i].value));
    }
    *call = (struct outside_call){
        .method = TEXT("POST"),
        .url = arena_print(arena, "%.*s/%s%.*s", TEXT_ARGS(operation->endpoint),
                           request.query.bytes > 0 ? "?" : "", TEXT_ARGS(request.query)),
        .fields = lines,
        .body = body,
        .timeout_ms = job->config->notify_timeout * 1000,
        .answer_max = ANSWER_BYTES_MAX,
    };
}

/* ---- the answer ----------------------------------------------------------------------------------- */

static const struct alibaba_code gateway[] = {
    {"Throttling*", CLASS_THROTTLED, "too many calls for this account"},
    {"ServiceUnavailable*", CLASS_RETRY, "a fault at Alibaba Cloud"},
    {"InternalError*", CLASS_RETRY, "a fault at Alibaba Cloud"},
    {"UnknownError*", CLASS_RETRY, "a fault at Alibaba Cloud"},
    {"UnKnownError*", CLASS_RETRY, "a fault at Alibaba Cloud"},
    {"SignatureNonceUsed", CLASS_RETRY, "the request came twice"},
    {"InvalidTimeStamp.*", CLASS_CLOCK, "the clock of this machine is wrong: fix NTP"},
    {"SignatureDoesNotMatch", CLASS_AUTH, "the access key's secret does not belong to its id"},
    {"IncompleteSignature", CLASS_AUTH, "the access key's secret does not belong to its id"},
    {"InvalidAccessKeyId.*", CLASS_AUTH, "the access key's id is unknown or switched off"},
    {"InvalidSecurityToken*", CLASS_AUTH, "temporary keys cannot be used, create a lasting one"},
    {"Forbidden*", CLASS_AUTH, "the RAM user of this key lacks the permission"},
    {"NoPermission*", CLASS_AUTH, "the RAM user of this key lacks the permission"},
};

static bool code_fits(struct text code, struct text row)
{
    if (row.data[row.bytes - 1] == '*')
        return text_starts(code, (struct text){row.data, row.bytes - 1});
    return text_equal(code, row);
}

static const struct alibaba_code *code_find(struct text code, const struct alibaba_code *rows,
                                            unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (code_fits(code, text_of(rows[i].code))) return &rows[i];
    }
    return NULL;
}

static struct text either(struct arena *arena, yyjson_val *root, const char *name,
                          const char *small)
{
    struct text t = cloud_json_member_text(arena, root, name);
    return t.bytes > 0 ? t : cloud_json_member_text(arena, root, small);
}

/* Nobody knows what a page from in between, or silence, means for a letter that had left. */
static void judge_without_words(const struct letter_job *job, const struct outside_answer *answer,
                                struct text service, const struct http_result *result,
                                struct letter_verdict *verdict)
{
    verdict->class = call_class_of(result);
    if (answer->fault != FAULT_NONE) {
        verdict->is_unknown = answer->may_have_arrived;
        verdict->detail = answer->error;
        return;
    }
    verdict->is_unknown = verdict->class == CLASS_OK || verdict->class == CLASS_RETRY;
    if (verdict->class == CLASS_GONE) verdict->class = CLASS_FATAL;
    verdict->detail = arena_print(
        job->arena, "%.*s answered with status %llu and nothing that could be understood.",
        TEXT_ARGS(service), (unsigned long long)answer->status);
}

void alibaba_judge(const struct letter_job *job, const struct outside_answer *answer,
                   struct text service, const struct alibaba_code *own, unsigned own_count,
                   struct letter_verdict *verdict)
{
    struct arena *arena = job->arena;
    struct http_result result = outside_http_result(answer);
    *verdict =
        (struct letter_verdict){.retry_after_ms = result.retry_after_ms, .date_ms = result.date_ms};
    yyjson_val *root = answer->fault == FAULT_NONE ? cloud_json_read(arena, answer->body) : NULL;
    struct text code = either(arena, root, "Code", "code"),
                message = either(arena, root, "Message", "message");
    struct text request_id = cloud_json_member_text(arena, root, "RequestId");
    bool is_success = result.status >= 200 && result.status < 300;
    if (is_success && (code.bytes > 0 ? text_equal(code, TEXT("OK")) : request_id.bytes > 0)) {
        verdict->class = CLASS_OK;
        verdict->detail = arena_print(arena, "%u RequestId %.*s", result.status,
                                      TEXT_ARGS(channel_said(job, request_id)));
        return;
    }
    if (code.bytes == 0) {
        judge_without_words(job, answer, service, &result, verdict);
        return;
    }
    const struct alibaba_code *row = code_find(code, own, own_count);
    if (row == NULL) row = code_find(code, gateway, sizeof gateway / sizeof *gateway);
    verdict->class = row != NULL ? row->class : is_success ? CLASS_FATAL : call_class_of(&result);
    if (verdict->class == CLASS_GONE) verdict->class = CLASS_FATAL;
    verdict->detail = arena_print(
        arena, "%.*s refused (%.*s): %s. It said: %.*s", TEXT_ARGS(service),
        TEXT_ARGS(channel_said(job, code)),
        row != NULL ? row->advice : "see the error centre of Alibaba Cloud for this code",
        TEXT_ARGS(channel_said(job, message)));
}
