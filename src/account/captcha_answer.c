#include "account/captcha_answer.h"

#include "cloud/cloud_json.h"
#include "cloud/tencent.h"

enum {
    CODE_PASSED = 1,
    CODE_OTHER_APP_ID = 16, /* our CaptchaAppId is not the one of the ticket */
    CODE_MISMATCH = 100,    /* app id, key and ticket do not fit */
    CODE_MAX = 1 << 20,
    CODE_NONE = CODE_MAX + 1,
    EVIL_LEVEL_MAX = 100,
    CODE_WORDS_MAX = 64 /* of the service's error code, in logs */
};

static struct captcha_said judged(struct arena *arena, yyjson_val *response)
{
    uint64_t code =
        cloud_json_number(cloud_json_member(response, "CaptchaCode"), CODE_MAX, CODE_NONE);
    yyjson_val *evil_level = cloud_json_member(response, "EvilLevel");
    /* It comes in invisible mode only; what cannot be read is as bad as can be. */
    bool is_evil = evil_level != NULL && !yyjson_is_null(evil_level) &&
                   cloud_json_number(evil_level, EVIL_LEVEL_MAX, EVIL_LEVEL_MAX) == EVIL_LEVEL_MAX;
    switch (code) {
    case CODE_NONE:
        return (struct captcha_said){CAPTCHA_NO_ANSWER, TEXT("the answer has no CaptchaCode")};
    case CODE_PASSED:
        if (is_evil) return (struct captcha_said){CAPTCHA_NOT_HUMAN, TEXT("EvilLevel 100")};
        return (struct captcha_said){CAPTCHA_HUMAN, TEXT("passed")};
    case CODE_OTHER_APP_ID:
        return (struct captcha_said){CAPTCHA_SETTINGS,
                                     TEXT("CaptchaCode 16: captcha.app_id is not the ticket's")};
    case CODE_MISMATCH:
        return (struct captcha_said){
            CAPTCHA_SETTINGS,
            TEXT("CaptchaCode 100: captcha.app_id and captcha.app_secret do not fit")};
    default: break;
    }
    return (struct captcha_said){CAPTCHA_NOT_HUMAN,
                                 arena_print(arena, "CaptchaCode %llu", (unsigned long long)code)};
}

/* Whether the question never got there, or was turned away before anybody looked at the ticket. */
static bool is_surely_not_judged(const struct http_result *result,
                                 const struct tencent_answer *answer)
{
    switch (result->fault) {
    case FAULT_RESOLVE:
    case FAULT_CONNECT:
    case FAULT_TLS: return true;
    case FAULT_NONE: return answer->code.bytes > 0 || result->status >= 500;
    case FAULT_TIMEOUT:
    case FAULT_CUT:
    case FAULT_TOO_LONG:
    case FAULT_ADDRESS:
    case FAULT_URL:
    case FAULT_UNSAFE:
    case FAULT_REFUSED:
    case FAULT_OTHER: break;
    }
    return false;
}

static const char *fault_words(enum call_fault fault)
{
    switch (fault) {
    case FAULT_RESOLVE: return "the service's name has no address";
    case FAULT_CONNECT: return "no connection to the service";
    case FAULT_TLS: return "no secure connection to the service";
    case FAULT_TIMEOUT: return "the service did not answer in time";
    case FAULT_CUT: return "the connection to the service broke";
    case FAULT_TOO_LONG: return "the answer is too long";
    case FAULT_NONE:
    case FAULT_ADDRESS:
    case FAULT_URL:
    case FAULT_UNSAFE:
    case FAULT_REFUSED:
    case FAULT_OTHER: break;
    }
    return "the service could not be asked";
}

/* The service's own words go into the log only as far as they are words. */
static struct text reason_of(struct arena *arena, const struct http_result *result,
                             struct text code)
{
    char words[CODE_WORDS_MAX];
    size_t bytes = 0;
    if (result->fault != FAULT_NONE) return text_of(fault_words(result->fault));
    for (size_t i = 0; i < code.bytes && bytes < sizeof words; i++) {
        char c = code.data[i], small = ascii_lower(c);
        if ((small >= 'a' && small <= 'z') || (c >= '0' && c <= '9') || c == '.')
            words[bytes++] = c;
    }
    if (bytes > 0) {
        return arena_print(arena, "the service says %.*s", (int)bytes, words);
    }
    return arena_print(arena, "the service answered HTTP %u in a form of its own", result->status);
}

struct captcha_said captcha_answer_read(struct arena *arena, const struct http_result *result)
{
    struct tencent_answer answer = tencent_answer_read(arena, result);
    if (answer.class == CLASS_OK) return judged(arena, answer.response);
    struct captcha_said said = {CAPTCHA_NO_ANSWER, reason_of(arena, result, answer.code)};
    switch (answer.class) {
    case CLASS_RETRY:
        if (is_surely_not_judged(result, &answer)) said.verdict = CAPTCHA_NOT_JUDGED;
        break;
    case CLASS_CLOCK: said.verdict = CAPTCHA_CLOCK; break;
    case CLASS_AUTH: said.verdict = CAPTCHA_SETTINGS; break;
    case CLASS_THROTTLED: break;
    case CLASS_OK:
    case CLASS_UNCHANGED:
    case CLASS_GONE:
    case CLASS_FATAL:
        if (result->fault == FAULT_NONE) said.verdict = CAPTCHA_REJECTED;
        break;
    }
    return said;
}
