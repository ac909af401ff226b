/* ddns/provider_callback.c: placeholders by context, refusals, and what an answer means. */
#include "provider_case.h"

static struct play begin(const char *credentials)
{
    return play_of("callback", "", credentials);
}

/* Every placeholder is written for the URL it stands in, and text in other braces is left alone. */
static void test_url(void)
{
    struct play p =
        begin("{\"url\":\"https://x.test/u/{fqdn}?n={name}&z={zone}&t={type}&v={value}&l={ttl}&"
              "q={other}\"}");
    p.job.owner = TEXT("*");
    p.job.type = DNS_TXT;
    p.job.value = TEXT("a&b={name} c/\"d\"");
    play_start(&p);
    CHECK(play_is_sent(&p, "GET",
                       "https://x.test/u/%2A.example.com?n=%2A&z=example.com&t=TXT&"
                       "v=a%26b%3D%7Bname%7D%20c%2F%22d%22"
                       "&l=600&q={other}"));
    CHECK(p.call.http.is_guarded && p.call.http.body.bytes == 0);
    CHECK(play_header(&p, "Content-Type").bytes == 0);
    CHECK_TEXT(play_header(&p, "User-Agent"), "homeport/test");
    play_answer(&p, 204, "");
    CHECK(play_is_ended(&p, CLASS_OK) && p.verdict.has_written);

    p.job.allow_private = true;
    play_start(&p);
    CHECK(!p.call.http.is_guarded);
    play_end(&p);
}

/* A JSON body gets JSON escapes, any other body form escapes; a content type given wins. */
static void test_body(void)
{
    struct play p = begin(
        "{\"url\":\"https://x.test/\",\"body\":\" {\\\"v\\\":\\\"{value}\\\",\\\"n\\\":{ttl}}\"}");
    p.job.type = DNS_TXT;
    p.job.value = TEXT("a\"b\\c\nd\",\"x\":\"");
    play_start(&p);
    CHECK(play_is_sent(&p, "POST", "https://x.test/"));
    CHECK_TEXT(p.call.http.body, " {\"v\":\"a\\\"b\\\\c\\u000ad\\\",\\\"x\\\":\\\"\",\"n\":600}");
    CHECK(cloud_json_read(p.job.arena, p.call.http.body) != NULL);
    CHECK_TEXT(play_header(&p, "content-type"), "application/json");
    play_end(&p);

    p = begin("{\"url\":\"https://x.test/\",\"method\":\"PUT\",\"body\":\"ip={value}&h={fqdn}\"}");
    p.job.value = TEXT("2001:db8::1");
    play_start(&p);
    CHECK(play_is_sent(&p, "PUT", "https://x.test/"));
    CHECK_TEXT(p.call.http.body, "ip=2001%3Adb8%3A%3A1&h=home.example.com");
    CHECK_TEXT(play_header(&p, "content-type"), "application/x-www-form-urlencoded");
    play_end(&p);

    p = begin("{\"url\":\"https://x.test/\",\"body\":\"x\","
              "\"headers\":{\"content-TYPE\":\"text/plain\",\"X-V\":\"{value}\"}}");
    play_start(&p);
    CHECK_TEXT(play_header(&p, "content-type"), "text/plain");
    CHECK_TEXT(play_header(&p, "x-v"), "192.0.2.2");
    CHECK(!text_has(p.call.http.fields, "form-urlencoded"));

    p.job.type = DNS_TXT;
    p.job.value = TEXT("a\r\nX-Evil: 1");
    play_start(&p);
    CHECK(play_is_ended(&p, CLASS_FATAL) && p.sent_count == 0);

    p.job.type = DNS_MX;
    p.job.value = TEXT("mail.example.com");
    p.job.priority = 10;
    play_start(&p);
    CHECK_TEXT(play_header(&p, "x-v"), "10 mail.example.com");
    play_end(&p);
}

/* Any 2xx is success; the URL and its secrets stay out of every sentence. */
static void test_answers(void)
{
    struct play p = begin("{\"url\":\"https://x.test/Secret?k={value}\"}");
    static const struct {
        unsigned status;
        enum call_class class;
    } cases[] = {{200, CLASS_OK},   {202, CLASS_OK},    {302, CLASS_FATAL}, {400, CLASS_FATAL},
                 {401, CLASS_AUTH}, {404, CLASS_FATAL}, {408, CLASS_RETRY}, {500, CLASS_RETRY}};
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        play_start(&p);
        play_answer(&p, cases[i].status, "any");
        CHECK(play_is_ended(&p, cases[i].class));
    }
    const struct http_result busy = {.status = 429, .retry_after_ms = 5000};
    play_start(&p);
    play_result(&p, &busy);
    CHECK(play_is_ended(&p, CLASS_THROTTLED) && p.verdict.retry_after_ms == 5000);
    const struct http_result barred = {.fault = FAULT_ADDRESS,
                                       .error = TEXT("10.0.0.1 is a private address"),
                                       .retry_after_ms = -1};
    play_start(&p);
    play_result(&p, &barred);
    CHECK(play_is_ended(&p, CLASS_FATAL) && text_has(p.verdict.detail, "private address"));

    p.job.action = DNS_REMOVE;
    play_start(&p);
    CHECK(play_is_ended(&p, CLASS_UNCHANGED) && p.sent_count == 0);
    p.job.action = DNS_CHECK;
    play_start(&p);
    CHECK(play_is_ended(&p, CLASS_FATAL) && p.sent_count == 0);
    play_end(&p);
}

/* One wrong input for each rule, with the field named. */
static void test_check(void)
{
    static const char *const cases[][2] = {
        {"{\"url\":\"https://x.test/{value}\"}", ""},
        {"{\"url\":\"http://x.test\",\"method\":\"POST\",\"headers\":{\"X\":\"y\"},"
         "\"body\":\"{\\\"a\\\":1}\"}",
         ""},
        {"{\"url\":\"ftp://x.test/\"}", "url"},
        {"{\"url\":\"https://x.test/a b\"}", "url"},
        {"{\"url\":\"https://x.test/\\r\\nX\"}", "url"},
        {"{\"url\":\"https:///path\"}", "url"},
        {"{\"url\":\"https://{name}.x.test/\"}", "url"},
        {"{\"url\":\"https://x.test/{ip}\"}", "url"},
        {"{\"url\":\"https://x.test/\",\"method\":\"post\"}", "method"},
        {"{\"url\":\"https://x.test/\",\"method\":\"TRACE\"}", "method"},
        {"{\"url\":\"https://x.test/\",\"headers\":[]}", "headers"},
        {"{\"url\":\"https://x.test/\",\"headers\":{\"X\":1}}", "headers"},
        {"{\"url\":\"https://x.test/\",\"headers\":{\"X Y\":\"a\"}}", "headers"},
        {"{\"url\":\"https://x.test/\",\"headers\":{\"\":\"a\"}}", "headers"},
        {"{\"url\":\"https://x.test/\",\"headers\":{\"X\":\"a\\r\\nY: b\"}}", "headers"},
        {"{\"url\":\"https://x.test/\",\"headers\":{\"X\":\"a\\nY: b\"}}", "headers"},
        {"{\"url\":\"https://x.test/\",\"headers\":{\"Host\":\"y\"}}", "headers"},
        {"{\"url\":\"https://x.test/\",\"headers\":{\"content-length\":\"0\"}}", "headers"},
        {"{\"url\":\"https://x.test/\",\"body\":\"{adress}\"}", "body"},
        {"{\"url\":\"https://x.test/\",\"body\":\"x\",\"method\":\"GET\"}", "body"},
    };
    const struct provider *callback = provider_find(TEXT("callback"));
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text field = TEXT(""), reason = TEXT("");
        bool is_fine = callback->check(text_of(cases[i][0]), &field, &reason);
        CHECK(is_fine == (cases[i][1][0] == '\0'));
        CHECK_TEXT(field, cases[i][1]);
        CHECK(is_fine || text_starts(reason, TEXT("must ")));
    }
}

int main(void)
{
    test_url();
    test_body();
    test_answers();
    test_check();
    return unit_end();
}
