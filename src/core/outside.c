#include "core/outside.h"

#include <assert.h>

struct http_call outside_http_call(const struct outside_call *call)
{
    assert(!call->is_dns);
    return (struct http_call){
        .method = call->method,
        .url = call->url,
        .fields = call->fields,
        .body = call->body,
        .timeout_ms = call->timeout_ms,
        .answer_bytes_max = call->answer_max,
        .family = (unsigned)call->family,
        .interface = call->interface,
        .is_guarded = call->is_guarded,
        .is_mail = call->is_mail,
        .user = call->user,
        .password = call->password,
        .sender = call->sender,
        .recipient = call->recipient,
        .is_plain = call->is_plain,
    };
}

struct outside_answer outside_http_answer(const struct http_result *result)
{
    bool has_retry_after = result->retry_after_ms >= 0;
    return (struct outside_answer){
        .fault = result->fault,
        .error = result->error,
        .status = result->status,
        .body = result->body,
        .date_ms = result->date_ms,
        .has_retry_after = has_retry_after,
        .retry_after_ms = has_retry_after ? (uint64_t)result->retry_after_ms : 0,
        .duration_ms = result->duration_ms,
        .may_have_arrived = result->may_have_arrived,
    };
}

struct http_result outside_http_result(const struct outside_answer *answer)
{
    assert(!answer->is_dns);
    return (struct http_result){
        .fault = (enum call_fault)answer->fault,
        .error = answer->error,
        .status = (unsigned)answer->status,
        .body = answer->body,
        .date_ms = answer->date_ms,
        .retry_after_ms = answer->has_retry_after ? (int64_t)answer->retry_after_ms : -1,
        .duration_ms = answer->duration_ms,
        .may_have_arrived = answer->may_have_arrived,
    };
}
