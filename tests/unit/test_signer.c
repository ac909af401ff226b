/* TC3 (Tencent) against the vendor's own vectors: each step of the signature, and the requests that the
 * vendor's client sent; how Tencent's answers are classed. ACS3 is in test_providers.c. The vectors are read
 * from $HOMEPORT_SHARED/protocols/vectors (default ../shared). */
#include "unit.h"

#include "account/captcha_answer.h"
#include "cloud/cloud_json.h"
#include "cloud/signer.h"
#include "cloud/tencent.h"
#include "vectors.h"

enum { ARENA_BYTES_MAX = 16 * 1024 * 1024 };

/* Header fields of the vector: an object in the worked examples, a list of pairs in recorded requests. */
static struct text header_of(yyjson_val *vector, const char *name)
{
    yyjson_val *headers = at(vector, "expect.http.headers"), *pair;
    size_t index, size;
    if (yyjson_is_obj(headers)) return cloud_json_member_text(&vectors_arena, headers, name);
    yyjson_arr_foreach(headers, index, size, pair)
    {
        struct text key = cloud_json_text(&vectors_arena, yyjson_arr_get(pair, 0));
        if (text_equal_fold(key, text_of(name))) {
            return cloud_json_text(&vectors_arena, yyjson_arr_get(pair, 1));
        }
    }
    return TEXT("");
}

/* The authorization comes out as the vendor's, and so does each step before it where the vector tells. */
static void check_signature(yyjson_val *vector)
{
    const struct signer_field headers[] = {
        {TEXT("host"), header_of(vector, "host")},
        {TEXT("content-type"), header_of(vector, "content-type")},
    };
    struct signer_result result = signer_sign(
        &vectors_arena,
        &(struct signer_request){
            .scheme = SIGNER_TC3,
            .method = TEXT("POST"),
            .path = TEXT("/"),
            .query = TEXT(""),
            .headers = headers,
            .header_count = 2,
            .body_hash = signer_hash(&vectors_arena, text_at(vector, "expect.http.body")),
            .time_s = yyjson_get_uint(at(vector, "input.timestamp")),
            .service = text_at(vector, "input.service"),
            .key_id = text_at(vector, "input.secret_id"),
            .secret = text_at(vector, "input.secret_key"),
        });
    CHECK(result.authorization.bytes > 100);
    CHECK(text_equal(result.authorization, header_of(vector, "authorization")));
    if (!text_equal(text_at(vector, "kind"), TEXT("tc3.sign"))) return;
    CHECK(text_equal(result.canonical_request, text_at(vector, "expect.canonical_request")));
    CHECK(text_equal(result.string_to_sign, text_at(vector, "expect.string_to_sign")));
    CHECK(text_equal(result.signature, text_at(vector, "expect.signature")));
}

static const char *const class_words[] = {
    [CLASS_OK] = "ok",       [CLASS_UNCHANGED] = "unchanged", [CLASS_RETRY] = "retry",
    [CLASS_CLOCK] = "clock", [CLASS_THROTTLED] = "throttled", [CLASS_GONE] = "gone",
    [CLASS_AUTH] = "auth",   [CLASS_FATAL] = "fatal",
};

static void check_class(yyjson_val *vector)
{
    size_t bytes = 0;
    char *body = yyjson_val_write(at(vector, "input.response.body_json"), 0, &bytes);
    struct http_result result = {
        .status = (unsigned)yyjson_get_uint(at(vector, "input.response.status")),
        .body = {body, bytes},
        .retry_after_ms = -1,
    };
    yyjson_val *human = at(vector, "expect.human");
    if (human == NULL) {
        struct tencent_answer answer = tencent_answer_read(&vectors_arena, &result);
        CHECK(text_equal(text_of(class_words[answer.class]), text_at(vector, "expect.class")));
    } else {
        enum captcha_verdict verdict = captcha_answer_read(&vectors_arena, &result).verdict;
        CHECK((verdict == CAPTCHA_HUMAN) == yyjson_get_bool(human));
        bool is_ours = text_equal(text_at(vector, "expect.class"), TEXT("auth"));
        CHECK((verdict == CAPTCHA_SETTINGS) == is_ours);
    }
    free(body);
}

static void test_vectors(void)
{
    size_t index, size;
    yyjson_val *vector;
    unsigned signed_count = 0, classed_count = 0;
    yyjson_arr_foreach(vectors_of("tencent-tc3"), index, size, vector)
    {
        unsigned failed_before = unit_failed_count;
        struct text kind = text_at(vector, "kind");
        if (text_equal(kind, TEXT("classify"))) {
            check_class(vector);
            classed_count++;
        } else {
            check_signature(vector);
            signed_count++;
        }
        if (unit_failed_count != failed_before) {
            printf("    in vector %s\n", yyjson_get_str(cloud_json_member(vector, "id")));
        }
    }
    CHECK(signed_count >= 8 && classed_count >= 11);
}

/* The day in the scope is the UTC day of the time in the request, on both sides of midnight. */
static void test_day(void)
{
    static const struct {
        uint64_t time_s;
        const char *day;
    } cases[] = {
        {1772323199, "2026-02-28/"}, {1772323200, "2026-03-01/"}, {1709251199, "2024-02-29/"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct signer_request request = {.scheme = SIGNER_TC3,
                                         .service = TEXT("captcha"),
                                         .time_s = cases[i].time_s,
                                         .key_id = TEXT("k"),
                                         .secret = TEXT("s")};
        struct text found = signer_sign(&vectors_arena, &request).authorization;
        struct text wanted = arena_print(
            &vectors_arena, "TC3-HMAC-SHA256 Credential=k/%scaptcha/tc3_request, ", cases[i].day);
        CHECK(text_starts(found, wanted));
    }
}

/* ---- the captcha service's answers ---- */

static void test_codes(void)
{
    static const struct {
        const char *body;
        enum captcha_verdict verdict;
    } cases[] = {
        {"{\"Response\":{\"CaptchaCode\":1}}", CAPTCHA_HUMAN},
        {"{\"Response\":{\"CaptchaCode\":1,\"EvilLevel\":0}}", CAPTCHA_HUMAN},
        {"{\"Response\":{\"CaptchaCode\":1,\"EvilLevel\":null}}", CAPTCHA_HUMAN},
        {"{\"Response\":{\"CaptchaCode\":1,\"EvilLevel\":100}}", CAPTCHA_NOT_HUMAN},
        {"{\"Response\":{\"CaptchaCode\":1,\"EvilLevel\":101}}", CAPTCHA_NOT_HUMAN},
        {"{\"Response\":{\"CaptchaCode\":1,\"EvilLevel\":-1}}", CAPTCHA_NOT_HUMAN},
        {"{\"Response\":{\"CaptchaCode\":1,\"EvilLevel\":{}}}", CAPTCHA_NOT_HUMAN},
        {"{\"Response\":{\"CaptchaCode\":0}}", CAPTCHA_NOT_HUMAN},
        {"{\"Response\":{\"CaptchaCode\":7}}", CAPTCHA_NOT_HUMAN},
        {"{\"Response\":{\"CaptchaCode\":8}}", CAPTCHA_NOT_HUMAN},
        {"{\"Response\":{\"CaptchaCode\":9}}", CAPTCHA_NOT_HUMAN},
        {"{\"Response\":{\"CaptchaCode\":15}}", CAPTCHA_NOT_HUMAN},
        {"{\"Response\":{\"CaptchaCode\":21}}", CAPTCHA_NOT_HUMAN},
        {"{\"Response\":{\"CaptchaCode\":12345}}", CAPTCHA_NOT_HUMAN},
        {"{\"Response\":{\"CaptchaCode\":16}}", CAPTCHA_SETTINGS},
        {"{\"Response\":{\"CaptchaCode\":100}}", CAPTCHA_SETTINGS},
        {"{\"Response\":{\"CaptchaCode\":1.0}}", CAPTCHA_NO_ANSWER},
        {"{\"Response\":{\"CaptchaCode\":true}}", CAPTCHA_NO_ANSWER},
        {"{\"Response\":{\"CaptchaCode\":18446744073709551617}}", CAPTCHA_NO_ANSWER},
        {"{\"Response\":{}}", CAPTCHA_NO_ANSWER},
        {"{\"Response\":[{\"CaptchaCode\":1}]}", CAPTCHA_NO_ANSWER},
        {"{\"CaptchaCode\":1}", CAPTCHA_NO_ANSWER},
        {"<html>Welcome</html>", CAPTCHA_NO_ANSWER},
        {"", CAPTCHA_NO_ANSWER},
        {"{\"Response\":{\"CaptchaCode\":1,\"Error\":{\"Code\":\"InternalError\"}}}",
         CAPTCHA_NOT_JUDGED},
        {"{\"Response\":{\"Error\":{\"Code\":\"ServerError\"}}}", CAPTCHA_NOT_JUDGED},
        {"{\"Response\":{\"Error\":{\"Code\":\"AuthFailure.SignatureExpire\"}}}", CAPTCHA_CLOCK},
        {"{\"Response\":{\"Error\":{\"Code\":\"AuthFailure.SecretIdNotFound\"}}}",
         CAPTCHA_SETTINGS},
        {"{\"Response\":{\"Error\":{\"Code\":\"UnauthorizedOperation\"}}}", CAPTCHA_SETTINGS},
        {"{\"Response\":{\"Error\":{\"Code\":\"RequestLimitExceeded.X\"}}}", CAPTCHA_NO_ANSWER},
        {"{\"Response\":{\"Error\":{\"Code\":\"LimitExceeded.SomeFrequency\"}}}",
         CAPTCHA_NO_ANSWER},
        {"{\"Response\":{\"Error\":{\"Code\":\"InvalidParameterValue\"}}}", CAPTCHA_REJECTED},
        {"{\"Response\":{\"Error\":{}}}", CAPTCHA_REJECTED},
        {"{\"Response\":{\"Error\":null,\"CaptchaCode\":1}}", CAPTCHA_REJECTED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_result result = {
            .status = 200, .body = text_of(cases[i].body), .retry_after_ms = -1};
        struct captcha_said said = captcha_answer_read(&vectors_arena, &result);
        if (!CHECK(said.verdict == cases[i].verdict)) printf("    %s\n", cases[i].body);
        CHECK(said.reason.bytes > 0);
    }
}

/* What is no answer of the service: whether the same ticket may be sent again. */
static void test_no_answer(void)
{
    static const struct {
        enum call_fault fault;
        unsigned status;
        enum captcha_verdict verdict;
    } cases[] = {
        {FAULT_RESOLVE, 0, CAPTCHA_NOT_JUDGED}, {FAULT_CONNECT, 0, CAPTCHA_NOT_JUDGED},
        {FAULT_TLS, 0, CAPTCHA_NOT_JUDGED},     {FAULT_TIMEOUT, 0, CAPTCHA_NO_ANSWER},
        {FAULT_CUT, 0, CAPTCHA_NO_ANSWER},      {FAULT_TOO_LONG, 0, CAPTCHA_NO_ANSWER},
        {FAULT_ADDRESS, 0, CAPTCHA_NO_ANSWER},  {FAULT_URL, 0, CAPTCHA_NO_ANSWER},
        {FAULT_OTHER, 0, CAPTCHA_NO_ANSWER},    {FAULT_NONE, 500, CAPTCHA_NOT_JUDGED},
        {FAULT_NONE, 503, CAPTCHA_NOT_JUDGED},  {FAULT_NONE, 429, CAPTCHA_NO_ANSWER},
        {FAULT_NONE, 408, CAPTCHA_NO_ANSWER},   {FAULT_NONE, 403, CAPTCHA_SETTINGS},
        {FAULT_NONE, 404, CAPTCHA_REJECTED},    {FAULT_NONE, 400, CAPTCHA_REJECTED},
        {FAULT_NONE, 302, CAPTCHA_REJECTED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_result result = {
            .fault = cases[i].fault, .status = cases[i].status, .retry_after_ms = -1};
        CHECK(captcha_answer_read(&vectors_arena, &result).verdict == cases[i].verdict);
    }
}

/* The service's words reach the log only as words: no line end, no blank, not without end. */
static void test_reason(void)
{
    struct http_result result = {
        .status = 200,
        .body = TEXT("{\"Response\":{\"Error\":{\"Code\":\"Auth Failure\\n.\\u4e2dX\"}}}"),
        .retry_after_ms = -1};
    CHECK_TEXT(captcha_answer_read(&vectors_arena, &result).reason,
               "the service says AuthFailure.X");
    struct text long_code =
        arena_print(&vectors_arena, "{\"Response\":{\"Error\":{\"Code\":\"%0500d\"}}}", 7);
    result.body = long_code;
    CHECK(captcha_answer_read(&vectors_arena, &result).reason.bytes < 100);
}

int main(void)
{
    arena_init(&vectors_arena, ARENA_BYTES_MAX);
    test_vectors();
    test_day();
    test_codes();
    test_no_answer();
    test_reason();
    CHECK(!arena_overflowed(&vectors_arena));
    arena_free(&vectors_arena);
    return unit_end();
}
