#include "cloud/tencent.h"

#include "cloud/cloud_json.h"

/* The first that fits: longer ones stand before what they begin with. */
static const struct {
    struct text prefix;
    enum call_class class;
} codes[] = {
    {TEXT_INIT("AuthFailure.SignatureExpire"), CLASS_CLOCK},
    {TEXT_INIT("AuthFailure"), CLASS_AUTH},
    {TEXT_INIT("UnauthorizedOperation"), CLASS_AUTH},
    {TEXT_INIT("ResourceUnavailable"), CLASS_AUTH},
    {TEXT_INIT("InternalError"), CLASS_RETRY},
    {TEXT_INIT("ServerError"), CLASS_RETRY},
    {TEXT_INIT("ActionUnavailable"), CLASS_RETRY},
    {TEXT_INIT("RequestLimitExceeded"), CLASS_THROTTLED},
    {TEXT_INIT("FailedOperation.FrequencyLimit"), CLASS_THROTTLED},
    {TEXT_INIT("ResourceNotFound"), CLASS_GONE},
    {TEXT_INIT("InvalidParameter.RecordIdInvalid"), CLASS_GONE},
    {TEXT_INIT("InvalidParameter.DomainRecordExist"), CLASS_UNCHANGED},
};

static bool holds(struct text t, struct text part)
{
    for (size_t i = 0; i + part.bytes <= t.bytes; i++) {
        if (memcmp(t.data + i, part.data, part.bytes) == 0) return true;
    }
    return false;
}

static enum call_class class_of(struct text code)
{
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (text_starts(code, codes[i].prefix)) return codes[i].class;
    }
    bool is_rate = text_starts(code, TEXT("LimitExceeded.")) && holds(code, TEXT("Frequency"));
    return is_rate ? CLASS_THROTTLED : CLASS_FATAL;
}

struct tencent_answer tencent_answer_read(struct arena *arena, const struct http_result *result)
{
    struct tencent_answer answer = {.class = call_class_of(result)};
    if (result->fault != FAULT_NONE) return answer;
    yyjson_val *response = cloud_json_member(cloud_json_read(arena, result->body), "Response");
    if (!yyjson_is_obj(response)) {
        /* A page of somebody in between, say: it says nothing about what was asked. */
        if (answer.class == CLASS_OK) answer.class = CLASS_RETRY;
        return answer;
    }
    yyjson_val *error = cloud_json_member(response, "Error");
    if (error != NULL) {
        answer.code = cloud_json_member_text(arena, error, "Code");
        answer.class = class_of(answer.code);
    } else if (answer.class == CLASS_OK) {
        answer.response = response;
    }
    return answer;
}
